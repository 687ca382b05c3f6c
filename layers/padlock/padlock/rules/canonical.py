"""One canonical host over HTTPS (checklist steps 11 and 15).

Without a declared canonical host any is fine, a foreign one too: owners lead a name to another on purpose. A
`<link rel="canonical">` speaks to search engines, not to browsers, and does not join two hosts.
"""

from collections.abc import Iterator

from padlock.evidence import Chain, Evidence
from padlock.findings import Severity
from padlock.rules._answers import blocked, host_of, look
from padlock.rules._default_pages import default_page
from padlock.rules._locations import chains_of, steps
from padlock.rules._rule import NotApplicable, Outcome, Unknown, rule
from padlock.rules._served import covers, served
from padlock.rules._subjects import unseen
from padlock.site import Site


@rule(
    "canonical.split",
    Severity.WARNING,
    step=11,
    reads="http",
    summary="no canonical host",
    impact="The same pages live under two names: logins do not carry over, search engines see duplicates.",
    remediation="Choose one and redirect the other over HTTPS, in nginx: `server { listen 443 ssl; server_name "
    "www.{host}; ssl_certificate …; return 301 https://{host}$request_uri; }` (or the other way round).",
    reference="checklist step 11",
)
def split(site: Site, evidence: Evidence) -> Iterator[Outcome]:
    """Find an apex and its www host which both serve content over HTTPS."""
    if site.canonical:
        yield NotApplicable("the canonical host is declared, canonical.unexpected holds the hosts to it")
        return
    pairs = [(host, f"www.{host}") for host in evidence.hosts if f"www.{host}" in evidence.hosts]
    if not pairs:
        yield NotApplicable("the site has no pair of apex and www host")
    for apex, www in pairs:
        doubts = [_doubt(evidence, host) for host in (apex, www)]
        pages = [_serves_page(evidence, host) for host in (apex, www)]
        if any(not doubt and not page for doubt, page in zip(doubts, pages, strict=True)):
            continue  # one of them serves no page of its own, whatever the other does
        if any(doubts):
            yield Unknown(apex, next(filter(None, doubts)))
        else:
            yield apex, f"https://{apex}/ and https://{www}/ both serve a page", "one redirects to the other with 301"


def _serves_page(evidence: Evidence, host: str) -> bool:
    return any(200 <= (exchange.status or 0) < 300 for exchange in look(evidence, host).seen.values())


def _doubt(evidence: Evidence, host: str) -> str:
    """Return why a host's answers are not what browsers show as the site; empty where they are."""
    looked = look(evidence, host)
    if not looked.seen:
        return f"{host}: {'; '.join(looked.missed.values())}"
    if not any(covers(item.leaf, host) for item in served(evidence, host)):
        return f"browsers refuse {host} before they ask for a page: its certificate is for other names"
    reasons = (blocked(exchange) or default_page(exchange) for exchange in looked.seen.values())
    return next((f"{host}: {reason}" for reason in reasons if reason), "")


@rule(
    "canonical.unexpected",
    Severity.ERROR,
    step=11,
    reads="http",
    summary="not the declared canonical host",
    impact="Visitors end at another host than the one that is meant: other cookies, other certificate, perhaps "
    "another site.",
    remediation="In the server block of {host}: `return 301 https://NAME$request_uri;` with the declared canonical "
    "name, and no redirect in that name's own block; or correct `canonical` in the site's declaration.",
    reference="checklist step 11",
)
def unexpected(site: Site, evidence: Evidence) -> Iterator[Outcome]:
    """Find hosts whose front page ends at another host than the declared canonical one."""
    if not site.canonical:
        yield NotApplicable("no canonical host is declared")
        return
    for host in evidence.hosts:
        # A chain that ends over plain HTTP is redirect.missing.
        ended = [chain for chain in _fronts(evidence, host) if chain.end == "answer" and _secure(chain)]
        if not ended:
            yield Unknown(host, unseen(evidence, host) or "no chain of redirects led to an answer over HTTPS")
            continue
        astray = [chain for chain in ended if host_of(chain.final_url) != site.canonical]
        if not astray:
            continue
        chain = astray[0]
        if reason := _excuse(evidence, chain):
            yield Unknown(host, reason)
        else:
            yield host, f"{chain.start} ends at {chain.final_url}", f"https://{site.canonical}/"


@rule(
    "canonical.skips_upgrade",
    Severity.NOTICE,
    step=15,
    reads="http",
    summary="apex never sends HSTS",
    impact="The apex is never visited over HTTPS, so browsers never learn its HSTS policy.",
    remediation="Redirect in two steps: http://{host} to https://{host}, and from there to the www host: `return 301 "
    "https://$host$request_uri;` in the server block for port 80.",
    reference="RFC 6797 section 7.2; checklist step 15",
)
def skips_upgrade(site: Site, evidence: Evidence) -> Iterator[Outcome]:
    """Find an apex that redirects from HTTP to the www host's HTTPS at once."""
    if site.hsts == "off" or site.http_port is None:
        yield NotApplicable("HSTS is declared off" if site.hsts == "off" else "plain HTTP is closed on purpose")
        return
    for host in evidence.hosts:
        fronts = [chain for chain in _fronts(evidence, host) if chain.start.startswith("http://")]
        if not any(hop.status for chain in fronts for hop in chain.hops):
            yield Unknown(host, unseen(evidence, host) or "HTTP gave no answer")
            continue
        first = next((step for chain in fronts for step in steps(chain)), None)
        if first and first[1].startswith("https://") and host_of(first[1]) == f"www.{host}":
            yield host, f"{first[0].url} redirects to {first[1]} at once", f"https://{host}/ first"


def _fronts(evidence: Evidence, host: str) -> list[Chain]:
    return [chain for chain in chains_of(evidence, host) if chain.purpose == "front"]


def _secure(chain: Chain) -> bool:
    return chain.final_url.startswith("https://")


def _excuse(evidence: Evidence, chain: Chain) -> str:
    """Return why an answer at another host is not where visitors end; empty where it is."""
    answers = evidence.http.exchanges if evidence.http else ()
    last = next((e for e in answers if e.url == chain.final_url and e.status is not None), None)
    status = chain.hops[-1].status or 0 if chain.hops else 0
    if last and (reason := blocked(last)):
        return reason
    return f"{chain.final_url} answered {status} instead of redirecting" if status >= 500 else ""
