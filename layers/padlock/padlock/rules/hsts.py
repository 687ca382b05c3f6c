"""HTTP Strict Transport Security (RFC 6797; checklist step 15): intentional, valid, and only once HTTPS is stable.

Browsers obey the first header of a response over HTTPS alone (section 8.1), so that one is judged. nginx's add_header
without `always` leaves the header out of error pages: an error page without it says nothing.
"""

from collections.abc import Callable, Iterator, Sequence

from padlock.evidence import Evidence, Exchange
from padlock.findings import Severity, is_among
from padlock.rules._answers import blocked, host_of, judge_each, look
from padlock.rules._hsts_header import InvalidPolicy, Policy, parse
from padlock.rules._locations import chains_of
from padlock.rules._rule import RULES, NotApplicable, Outcome, Problem, Unknown, outcomes, rule
from padlock.rules._subjects import listed, quoted
from padlock.site import Site

HEADER = "strict-transport-security"
PRELOAD_MAX_AGE = 31536000
"""Seconds that the preload list asks for."""
_ADDED = frozenset({200, 201, 204, 206, 301, 302, 303, 304, 307, 308})
"""Statuses to which nginx's add_header applies without `always`."""
_UNSTABLE = (
    "port.https_closed",
    "port.not_tls",
    "tls.handshake_failed",
    "certificate.expired",
    "certificate.not_yet_valid",
    "certificate.name_mismatch",
    "certificate.untrusted",
    "certificate.incomplete_chain",
    "certificate.malformed",
)
"""Rules whose findings browsers turn into an error page, which HSTS forbids visitors to pass."""
_OFF = NotApplicable("HSTS is declared off")
_SNIPPET = '`add_header Strict-Transport-Security "max-age=31536000" always;` in the server block for 443 of {host}'


@rule(
    "hsts.missing",
    Severity.NOTICE,
    step=15,
    reads="http",
    summary="HSTS is not sent",
    impact="A visitor's first request may go over plain HTTP, where it can be intercepted before the redirect.",
    remediation="Once HTTPS works for every host: " + _SNIPPET + ", then `sudo nginx -t && sudo systemctl reload "
    "nginx`. Start with max-age=300 and raise it.",
    reference="RFC 6797 section 7.1; checklist step 15",
)
def missing(site: Site, evidence: Evidence) -> Iterator[Outcome]:
    """Find hosts that send no HSTS header over HTTPS; a warning where it is declared required."""
    severity = Severity.WARNING if site.hsts == "required" else Severity.NOTICE

    def judge(exchange: Exchange) -> Problem | Unknown | None:
        if exchange.header(HEADER) is not None:
            return None
        if reason := blocked(exchange):
            return Unknown(exchange.url, reason)
        if exchange.status not in _ADDED:
            reason = f"{exchange.url} answered {exchange.status}, and error pages may lack the header"
            return Unknown(exchange.url, reason)
        observed = f"no Strict-Transport-Security header at {exchange.url}"
        return Problem("", observed, "Strict-Transport-Security with a max-age", severity)

    for host in evidence.hosts if site.hsts != "off" else ():
        unread = [parent for parent in _parents(evidence, host) if not look(evidence, parent).seen]
        if unread:
            yield Unknown(host, f"no answer of {unread[0]} was read, whose policy may cover it")
        elif not _covered(evidence, host):
            yield from judge_each(host, look(evidence, host), judge)
    if site.hsts == "off":
        yield _OFF


@rule(
    "hsts.premature",
    Severity.WARNING,
    step=15,
    reads="http",
    summary="HSTS before HTTPS is stable",
    impact="Browsers that know the policy show an error that visitors cannot pass, for as long as max-age says.",
    remediation="Repair HTTPS for the named hosts first. Until then send `add_header Strict-Transport-Security "
    '"max-age=0" always;` from hosts that still answer over HTTPS, so that browsers forget the policy.',
    reference="RFC 6797 section 8.4; checklist step 15",
)
def premature(site: Site, evidence: Evidence) -> Iterator[Outcome]:
    """Find HSTS that is sent while HTTPS fails for one of the site's hosts; one finding for the site."""
    policies = {host: policy for host in evidence.hosts if (policy := _policy(evidence, host)) and policy.max_age}
    broken = _broken(site, evidence)
    if policies and broken:
        sent = f"HSTS is sent by {listed(policies)}"
        wide = [host for host in policies if policies[host].include_subdomains]
        scope = f" (for all subdomains of {listed(wide)})" if wide else ""
        failing = "; ".join(f"{host}: {listed(codes)}" for host, codes in broken.items())
        yield next(iter(policies)), f"{sent}{scope} while HTTPS fails for {failing}", "HSTS once HTTPS is stable"
        return
    for host in evidence.hosts:
        looked = look(evidence, host)
        if not looked.seen and host not in broken:
            yield Unknown(host, "; ".join(looked.missed.values()))


@rule(
    "hsts.invalid",
    Severity.WARNING,
    step=15,
    reads="http",
    summary="HSTS header is invalid",
    impact="Browsers ignore the header: the protection that it was meant to give is absent.",
    remediation="Write it as " + _SNIPPET + ".",
    reference="RFC 6797 section 6.1",
)
def invalid(site: Site, evidence: Evidence) -> Iterator[Outcome]:
    """Find headers that break the grammar, lack max-age or repeat a directive."""

    def judge(host: str, sent: Sequence[str]) -> Problem | None:
        try:
            parse(sent[0])
        except InvalidPolicy as error:
            return Problem("", f"{quoted(sent[0])}: {error}", 'a valid header such as "max-age=31536000"')
        return None

    yield from _judge_sent(site, evidence, judge)


@rule(
    "hsts.duplicate",
    Severity.WARNING,
    step=15,
    reads="http",
    summary="HSTS header sent twice",
    impact="Browsers obey the first header only, which may not be the one that is meant.",
    remediation="Two places send it, nginx and the app (Flask-Talisman) or two server blocks: `sudo nginx -T | grep "
    "-n Strict-Transport`. Keep one; `proxy_hide_header Strict-Transport-Security;` drops the app's.",
    reference="RFC 6797 sections 7.1 and 8.1",
)
def duplicate(site: Site, evidence: Evidence) -> Iterator[Outcome]:
    """Find responses with several headers; a notice where they say the same."""

    def judge(host: str, sent: Sequence[str]) -> Problem | None:
        if len(sent) < 2:
            return None
        severity = Severity.WARNING if len(set(sent)) > 1 else Severity.NOTICE
        return Problem("", f"{len(sent)} headers: {listed(map(quoted, sent), 5)}", "one header", severity)

    yield from _judge_sent(site, evidence, judge)


@rule(
    "hsts.disabled",
    Severity.NOTICE,
    step=15,
    reads="http",
    summary="HSTS is switched off",
    impact="max-age=0 makes browsers forget the policy: first requests may go over plain HTTP again.",
    remediation="If that is over, send a max-age again: "
    + _SNIPPET
    + ". If it is meant to stay, declare `hsts: off`.",
    reference="RFC 6797 section 6.1.1",
)
def disabled(site: Site, evidence: Evidence) -> Iterator[Outcome]:
    """Find max-age=0; a warning where HSTS is declared required."""
    severity = Severity.WARNING if site.hsts == "required" else Severity.NOTICE

    def judge(host: str, sent: Sequence[str]) -> Problem | None:
        policy = _parsed(sent[0])
        return Problem("", quoted(sent[0]), "max-age above 0", severity) if policy and not policy.max_age else None

    yield from _judge_sent(site, evidence, judge)


@rule(
    "hsts.short",
    Severity.NOTICE,
    step=15,
    reads="http",
    summary="HSTS lifetime is short",
    impact="Browsers forget the policy between visits that are further apart than max-age.",
    remediation="Raise it once HTTPS has been stable for that long: " + _SNIPPET + ".",
    reference="RFC 6797 section 11.2",
)
def short(site: Site, evidence: Evidence) -> Iterator[Outcome]:
    """Find a max-age under the site's threshold; a warning where HSTS is declared required."""
    least = site.thresholds.hsts_max_age
    severity = Severity.WARNING if site.hsts == "required" else Severity.NOTICE

    def judge(host: str, sent: Sequence[str]) -> Problem | None:
        policy = _parsed(sent[0])
        if policy is None or not 0 < policy.max_age < least:
            return None
        return Problem("", f"max-age={policy.max_age}", f"max-age of at least {least}", severity)

    yield from _judge_sent(site, evidence, judge)


@rule(
    "hsts.over_http",
    Severity.NOTICE,
    step=15,
    reads="http",
    summary="HSTS sent over HTTP",
    impact="None: browsers ignore it there. It hints that the header stands in the wrong server block.",
    remediation="Move `add_header Strict-Transport-Security …` from the server block for port 80 of {host} to the "
    "one for 443.",
    reference="RFC 6797 section 7.2",
)
def over_http(site: Site, evidence: Evidence) -> Iterator[Outcome]:
    """Find the header in responses over plain HTTP."""
    if site.http_port is None:
        yield NotApplicable("plain HTTP is closed on purpose")
        return

    def judge(exchange: Exchange) -> Problem | None:
        sent = exchange.header(HEADER)
        return Problem("", f"{exchange.url} sends {quoted(sent)}", "the header over HTTPS only") if sent else None

    for host in evidence.hosts:
        yield from judge_each(host, look(evidence, host, scheme="http"), judge)


@rule(
    "hsts.preload_unready",
    Severity.NOTICE,
    step=15,
    reads="http",
    summary="not ready for HSTS preload",
    impact="The preload lists reject the domain, or remove it: `preload` has no effect.",
    remediation='Send `add_header Strict-Transport-Security "max-age=31536000; includeSubDomains; preload" always;` '
    "from the domain itself and redirect http:// to https:// of the same host first; or leave `preload` out.",
    reference="hstspreload.org, submission requirements",
)
def preload_unready(site: Site, evidence: Evidence) -> Iterator[Outcome]:
    """Find `preload` without what the preload list requires of the header and the redirect."""

    def judge(host: str, sent: Sequence[str]) -> Problem | None:
        policy = _parsed(sent[0])
        lacks = _preload_lacks(evidence, host, policy) if policy and policy.preload else []
        return Problem("", f"preload is sent, but {listed(lacks)}", "what the list requires") if lacks else None

    yield from _judge_sent(site, evidence, judge)


def _judge_sent(
    site: Site, evidence: Evidence, judge: Callable[[str, Sequence[str]], Problem | None]
) -> Iterator[Outcome]:
    """Apply a question to the headers of every response over HTTPS that has one."""
    if site.hsts == "off":
        yield _OFF
        return
    for host in evidence.hosts:

        def question(exchange: Exchange, host: str = host) -> Problem | None:
            sent = exchange.all(HEADER)
            return judge(host, sent) if sent else None

        yield from judge_each(host, look(evidence, host), question)


def _parsed(value: str) -> Policy | None:
    """Return a valid header's policy; None where browsers ignore it, which hsts.invalid tells."""
    try:
        return parse(value)
    except InvalidPolicy:
        return None


def _policy(evidence: Evidence, host: str) -> Policy | None:
    """Return the first valid policy that a host sends."""
    values = [exchange.header(HEADER) for exchange in look(evidence, host).seen.values()]
    return next((policy for value in values if value and (policy := _parsed(value))), None)


def _covered(evidence: Evidence, host: str) -> bool:
    """Whether a host's visitors are led to a parent of it whose policy includes subdomains."""
    policies = [_policy(evidence, parent) for parent in _parents(evidence, host)]
    return any(policy and policy.include_subdomains and policy.max_age for policy in policies)


def _parents(evidence: Evidence, host: str) -> list[str]:
    """Return the parent that all of a host's visitors are led to, if there is one."""
    ends = {host_of(c.final_url) for c in chains_of(evidence, host) if c.purpose == "front" and c.end == "answer"}
    return [end for end in ends if len(ends) == 1 and host.endswith(f".{end}")]


def _broken(site: Site, evidence: Evidence) -> dict[str, list[str]]:
    """Return host → codes of the errors for which browsers refuse its HTTPS."""
    broken: dict[str, list[str]] = {}
    for code in _UNSTABLE:
        if site.disable and is_among(code, site.disable):
            continue
        found = RULES[code]
        for problem in outcomes(found, evidence):
            if isinstance(problem, Problem) and (problem.severity or found.severity) is Severity.ERROR:
                codes = broken.setdefault(problem.subject.split(" ")[0], [])
                codes += [code] if code not in codes else []
    return broken


def _preload_lacks(evidence: Evidence, host: str, policy: Policy) -> list[str]:
    lacks = []
    if policy.max_age < PRELOAD_MAX_AGE:
        lacks.append(f"max-age is under {PRELOAD_MAX_AGE}")
    if not policy.include_subdomains:
        lacks.append("includeSubDomains is missing")
    parent = next((name for name in evidence.hosts if host.endswith(f".{name}")), None)
    own = _policy(evidence, parent) if parent else None
    if parent and look(evidence, parent).seen and not (own and own.preload):
        lacks.append(f"the domain itself, {parent}, sends no preload")
    fronts = [c for c in chains_of(evidence, host) if c.purpose == "front" and c.start.startswith("http://")]
    first = fronts[0].hops[1].url if fronts and len(fronts[0].hops) > 1 else ""
    if not parent and first.startswith("https://") and host_of(first) != host:
        lacks.append(f"http://{host} redirects to {host_of(first)} before https://{host}")
    return lacks
