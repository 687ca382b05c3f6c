"""Which site answers (checklist steps 4 and 12): the server's default, another app, or not the same at each address.

A single-site server may be its own default server: then a host name that it cannot know gets the site too, which is
no fault. So an answer equal to the default one counts only where something else speaks against it: its certificate
does not cover the host, or the declared expectation fails. A welcome or parking page counts unless the declared
expectation holds. An answer that may be meant for the checker alone (403, 429, a challenge) speaks against nothing.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial as bound
from urllib.parse import urlsplit

from padlock.evidence import Evidence, Exchange
from padlock.findings import Severity
from padlock.rules._answers import REDIRECTS, Look, blocked, chain_from, final, host_of, judge_each, look, target
from padlock.rules._default_pages import default_page
from padlock.rules._front_pages import nothing_shown
from padlock.rules._rule import NotApplicable, Outcome, Problem, Unknown, rule
from padlock.rules._served import Served, covers, served
from padlock.rules._subjects import listed, not_seen, quoted
from padlock.site import Expect, Site

_SERVER_NAME = (
    "Give {host} a server block of its own: `server_name {host};` under `listen 443 ssl;`, `listen [::]:443 ssl;`, "
    "linked into /etc/nginx/sites-enabled (`sudo nginx -T | grep -n server_name` shows what is loaded), then `sudo "
    "nginx -t && sudo systemctl reload nginx`; `sudo rm /etc/nginx/sites-enabled/default` removes the welcome page."
)


@rule(
    "server.default_site",
    Severity.ERROR,
    step=(4, 12),
    reads="http",
    summary="default site answers",
    impact="Visitors see the server's default page, or somebody else's site, instead of yours.",
    remediation=_SERVER_NAME,
    reference="checklist steps 4 and 12; nginx, “How nginx processes a request”",
)
def default_site(site: Site, evidence: Evidence) -> Iterator[Outcome]:
    """Find hosts that are answered by the server's default site."""
    for host in evidence.hosts:
        secure = look(evidence, host)
        # Before HTTPS is set up the welcome page is seen over HTTP alone.
        plain = {} if secure.seen else look(evidence, host, scheme="http").seen
        welcomes = {address: exchange for address, exchange in plain.items() if default_page(exchange)}
        looked = Look(welcomes, {}) if welcomes else secure
        yield from judge_each(host, looked, bound(_default_site, site.expect, evidence, host))


def _default_site(
    expect: Expect | None, evidence: Evidence, host: str, exchange: Exchange
) -> Problem | Unknown | None:
    if expect and exchange.status not in REDIRECTS and not unmet(expect, exchange):
        return None
    expected = f"the site of {host}"
    if page := default_page(exchange):
        return Problem("", f"{exchange.url} shows {page}", expected)
    if _is_default(evidence, exchange):
        uncovered = [s for s in _at(evidence, host, exchange.address) if not covers(s.leaf, host)]
        if uncovered:
            observed = f"{exchange.url} is answered as any unknown name is, with a certificate for other names"
            return Problem("", observed, expected)
        if expect and exchange.status not in REDIRECTS and not blocked(exchange):
            wrong = listed(unmet(expect, exchange))
            return Problem("", f"{exchange.url} is answered as any unknown name is, and {wrong}", expected)
    reason = blocked(exchange) or _shows_nothing(evidence, exchange)
    return Unknown(exchange.url, reason) if reason else None


def _shows_nothing(evidence: Evidence, exchange: Exchange) -> str:
    """Return why an answer tells nothing of which site it is: no page at the end, or an error in its place."""
    chain = chain_from(evidence.http, exchange.url) if evidence.http and exchange.status in REDIRECTS else None
    if chain is not None and chain.end != "answer":
        return f"its redirects lead to no page: {chain.end.replace('_', ' ')}"
    status = chain.hops[-1].status if chain and chain.hops else exchange.status
    return f"an error is answered in place of the page: {status}" if status and status >= 500 else ""


def _is_default(evidence: Evidence, exchange: Exchange) -> bool:
    """Whether an address gives the same answer to a host name that it cannot know."""
    others = evidence.http.of("random_host") if evidence.http else iter(())
    return any(other.address == exchange.address and _answer(other) == _answer(exchange) for other in others)


def _answer(exchange: Exchange) -> tuple[int | None, str, str]:
    location = exchange.header("location") if exchange.status in REDIRECTS else None
    return exchange.status, exchange.body_sha256, location or ""


def _at(evidence: Evidence, host: str, address: str) -> list[Served]:
    return [item for item in served(evidence, host) if item.handshake.address == address]


@rule(
    "server.unexpected_content",
    Severity.ERROR,
    step=12,
    reads="http",
    reachability=True,
    summary="not the expected page",
    impact="Visitors get something else than the site: another application, an old version, or a broken one.",
    remediation="See what answers, `curl -i https://{host}/`, and which server block does: `sudo nginx -T | grep -nE "
    "'server_name|proxy_pass|root '`. If the page is right, correct `expect` in the declaration.",
    reference="checklist step 12",
)
def unexpected_content(site: Site, evidence: Evidence) -> Iterator[Outcome]:
    """Find front pages without what the site declares to be there, where their redirects end."""
    expect = site.expect
    if expect is None:
        reason = nothing_shown(site, evidence)
        yield Unknown(site.name, reason) if reason else NotApplicable("no expectation is declared")
        return
    for host in evidence.hosts:
        yield from judge_each(host, look(evidence, host), bound(_unexpected, expect, evidence, host))


def _unexpected(expect: Expect, evidence: Evidence, host: str, exchange: Exchange) -> Problem | Unknown | None:
    answer: Exchange | Unknown = exchange
    if exchange.status in REDIRECTS and exchange.status not in expect.status and evidence.http:
        goal = host_of(target(exchange.url, exchange.header("location")))
        if goal != host and goal in evidence.hosts and not _shows_nothing(evidence, exchange):
            return None  # that host is held to the declaration itself
        answer = final(evidence.http, exchange)
    if isinstance(answer, Unknown):
        return answer
    wrong = unmet(expect, answer)
    if not wrong:
        return None
    if answer.status not in expect.status and (reason := blocked(answer)):
        return Unknown(answer.url, reason)
    if answer.failure:
        return Unknown(answer.url, f"its body did not arrive whole, and {listed(wrong)}")
    return Problem("", f"{answer.url}: {listed(wrong)}", _declared(expect))


def unmet(expect: Expect, answer: Exchange) -> list[str]:
    """Return what of a declared expectation an answer lacks, in words."""
    wrong: list[str] = []
    if expect.status and answer.status not in expect.status:
        wrong.append(f"the status is {answer.status}")
    if expect.title and expect.title not in answer.title:
        wrong.append(f"the title is {quoted(answer.title)}")
    if expect.contains and expect.contains not in answer.body and expect.contains not in answer.found:
        wrong.append(f"the body lacks {quoted(expect.contains)}")
    for name, wanted in expect.header.items():
        values = answer.all(name.lower())
        if not any(wanted in value for value in values):
            wrong.append(f"the header {name} is {quoted(', '.join(values)) if values else 'absent'}")
    return wrong


def _declared(expect: Expect) -> str:
    parts = [
        f"status {listed(map(str, expect.status), last='or')}" if expect.status else "",
        f"title {quoted(expect.title)}" if expect.title else "",
        f"text {quoted(expect.contains)}" if expect.contains else "",
        *(f"header {name} with {quoted(value)}" for name, value in expect.header.items()),
    ]
    return listed(filter(None, parts))


@rule(
    "server.addresses_disagree",
    Severity.ERROR,
    step=12,
    reads="http",
    reachability=True,
    summary="addresses answer differently",
    impact="What a visitor gets depends on the address that the browser picks: some see errors or warnings.",
    remediation="One server was left out of a change. Compare them, `curl -sI --resolve {host}:443:ADDRESS "
    "https://{host}/` for each address, bring the odd one up to date, or take its A or AAAA record out of DNS.",
    reference="checklist step 12",
)
def addresses_disagree(site: Site, evidence: Evidence) -> Iterator[Outcome]:
    """Find hosts whose addresses serve different certificates, statuses or redirects, and name the odd one."""
    several = False
    for host in evidence.hosts:
        secure = look(evidence, host)
        answers = {address: exchange for address, exchange in secure.seen.items() if not blocked(exchange)}
        leaves = _leaves(evidence, host)
        known = {*secure.seen, *leaves, *(address for address in secure.missed if address)}
        if len(known) < 2:
            continue
        several = True
        found = [*_certificates(evidence, host, leaves), *_statuses(answers), *_redirects(answers)]
        found += _redirects(look(evidence, host, scheme="http").seen)
        if found:
            severity = min((severity for severity, _ in found), key=lambda severity: severity.rank)
            texts = "; ".join(text for _, text in found)
            yield Problem(host, texts, "the same answer at every address", severity)
            continue
        missed = dict.fromkeys(sorted(known - set(answers)), "it gave no answer that could be compared")
        yield from not_seen(host, missed, answers if len(answers) > 1 else ())
    if not several:
        yield NotApplicable("every host has one address")


type _Difference = tuple[Severity, str]


def _leaves(evidence: Evidence, host: str) -> dict[str, Served]:
    """Return address → the certificate that it serves first."""
    return {item.handshake.address: item for item in reversed(served(evidence, host))}


def _certificates(evidence: Evidence, host: str, leaves: Mapping[str, Served]) -> list[_Difference]:
    groups = _grouped({address: item.leaf.sha256 for address, item in leaves.items()})
    if len(groups) < 2:
        return []
    bad = {a: why for a, item in leaves.items() if (why := _badness(evidence, host, item))}
    if bad and len(bad) < len(leaves):
        told = "; ".join(f"{address} serves a certificate that {why}" for address, why in bad.items())
        return [(Severity.ERROR, told)]
    return [(Severity.WARNING, _odd(groups, "the certificate of {}", lambda sha256: _issued(leaves, sha256)))]


def _issued(leaves: Mapping[str, Served], sha256: str) -> str:
    leaf = next(item.leaf for item in leaves.values() if item.leaf.sha256 == sha256)
    return f"{leaf.not_before:%Y-%m-%d} (serial {leaf.serial})" if leaf.not_before else f"serial {leaf.serial}"


def _badness(evidence: Evidence, host: str, item: Served) -> str:
    """Return why browsers refuse a certificate, in words; empty where they accept it."""
    leaf, now = item.leaf, evidence.gathered_at
    if leaf.not_after and leaf.not_after < now:
        return "has expired"
    if leaf.not_before and leaf.not_before > now:
        return "is not valid yet"
    if not covers(leaf, host):
        return "does not cover the host"
    if item.verification and item.verification.status != "trusted":
        return "is not trusted"
    return ""


def _statuses(answers: Mapping[str, Exchange]) -> list[_Difference]:
    statuses = {address: exchange.status or 0 for address, exchange in answers.items()}
    groups = _grouped({address: _kind(status) for address, status in statuses.items()})
    if len(groups) < 2:
        return []
    severity = Severity.ERROR if any(status >= 400 for status in statuses.values()) else Severity.WARNING
    shown = {kind: listed(map(str, sorted({statuses[a] for a in addresses}))) for kind, addresses in groups.items()}
    return [(severity, _odd(groups, "status {} over HTTPS", shown.__getitem__))]


def _kind(status: int) -> str:
    return "error" if status >= 500 else f"{status // 100}xx"


def _redirects(answers: Mapping[str, Exchange]) -> list[_Difference]:
    """Return where redirects differ; queries may be made for each visitor and do not count."""
    goals = {a: target(e.url, e.header("location")) for a, e in answers.items() if e.status in REDIRECTS}
    groups = _grouped({address: goal.partition("?")[0] for address, goal in goals.items()})
    if len(groups) < 2:
        return []
    scheme = urlsplit(next(iter(answers.values())).url).scheme.upper()
    return [(Severity.WARNING, _odd(groups, f"a redirect to {{}} over {scheme}", str))]


def _grouped(values: Mapping[str, str]) -> dict[str, list[str]]:
    """Return value → the addresses that have it, the rarest first."""
    groups: dict[str, list[str]] = {}
    for address, value in values.items():
        groups.setdefault(value, []).append(address)
    return dict(sorted(groups.items(), key=lambda group: len(group[1])))


def _odd(groups: Mapping[str, list[str]], text: str, shown: Callable[[str], str]) -> str:
    """Return what each group of addresses gives, the odd one first."""
    return ", ".join(f"{text.format(shown(value))} at {listed(addresses)}" for value, addresses in groups.items())
