"""What a proxy does not pass on (checklist step 17): an app writes http://, its upstream's name, or open cookies.

Behind a proxy an app sees plain HTTP from 127.0.0.1. Which scheme and host the visitor used it learns from Host and
X-Forwarded-Proto, if they are sent and trusted. What it makes of them shows where it names itself: in a Location, a
form's action, base, the canonical link, the Open Graph URL. Redirects that never end are redirect.loop's alone.
"""

import ipaddress
from collections.abc import Iterator

from padlock.evidence import Evidence, Exchange
from padlock.findings import Severity
from padlock.rules._answers import REDIRECTS, blocked, final, fronted_by, host_of, look, split, target
from padlock.rules._cookies import SetCookie, set_cookie
from padlock.rules._locations import APP_PORTS, FLEXIBLE
from padlock.rules._rule import Outcome, Problem, Unknown, rule
from padlock.rules._subjects import listed, not_seen, quoted
from padlock.site import Site

_OWN_ANSWERS = ("front", "health", "deep", "hop")
_WRITTEN = {"form": "a form's action", "base": "base", "canonical": "the canonical link", "og:url": "og:url"}
_LOCAL = ("localhost", "localdomain", "local", "internal", "lan", "docker")
_HEADERS = (
    "`proxy_set_header Host $http_host; proxy_set_header X-Forwarded-Host $http_host; proxy_set_header "
    "X-Forwarded-For $proxy_add_x_forwarded_for; proxy_set_header X-Forwarded-Proto $scheme;`"
)
_PROXY_FIX = "`app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1, x_proto=1, x_host=1)`"
_SETTING = (
    "Where the address stands in a template or a setting (SITE_URL, PREFERRED_URL_SCHEME, WordPress' siteurl), "
    "correct it there."
)

type _Where = tuple[str, str]
"""Where an app names an address, in words, and that URL."""


@rule(
    "proxy.scheme_lost",
    Severity.ERROR,
    step=17,
    reads="http",
    summary="app writes http addresses",
    impact="Forms, redirects and shared links lead from the secure page back to plain HTTP, where anyone on the way "
    "can read them; secure cookies and logins get lost on it.",
    remediation=f"Pass the scheme to the app in nginx, inside the `location` with proxy_pass: {_HEADERS}, then `sudo "
    f"nginx -t && sudo systemctl reload nginx`; and trust it in the app, in Flask {_PROXY_FIX}. {_SETTING}",
    reference="checklist step 17; Flask, “Tell Flask it is Behind a Proxy”",
)
def scheme_lost(site: Site, evidence: Evidence) -> Iterator[Outcome]:
    """Find answers over HTTPS in which a site names itself with http://."""
    for host in evidence.hosts:
        found = [item for item in _named(evidence, host) if _in_clear(evidence, host, *item)]
        if not found:
            yield from _unseen(evidence, host)
            continue
        flexible = FLEXIBLE if fronted_by(evidence, host) else ""
        yield Problem(host, _told(found), f"https:// or relative addresses of {host}", remediation=flexible)


def _in_clear(evidence: Evidence, host: str, where: str, url: str) -> bool:
    # One host's redirect to another is a server's rule more often than an app's: redirect.downgrade has it.
    own = (host,) if where.endswith("Location") else evidence.hosts
    return url.startswith("http://") and host_of(url) in own


@rule(
    "proxy.host_lost",
    Severity.ERROR,
    step=17,
    reads="http",
    summary="app names its upstream",
    impact="Visitors are sent to an address that exists only on the server: redirects, forms and links fail.",
    remediation=f"Pass the host to the app in nginx, inside the `location` with proxy_pass: {_HEADERS} (without "
    "them nginx sends the name that stands in proxy_pass), then `sudo nginx -t && sudo systemctl reload nginx`; for "
    f"X-Forwarded-Host, trust it in the app, in Flask {_PROXY_FIX}. {_SETTING}",
    reference="checklist step 17; nginx, ngx_http_proxy_module, proxy_set_header",
)
def host_lost(site: Site, evidence: Evidence) -> Iterator[Outcome]:
    """Find answers over HTTPS in which an app names the address under which its proxy knows it."""
    for host in evidence.hosts:
        found = [item for item in _named(evidence, host) if _is_upstream(site, evidence, item[1])]
        if found:
            yield Problem(host, _told(found), f"addresses of {host}")
        else:
            yield from _unseen(evidence, host)


def _is_upstream(site: Site, evidence: Evidence, url: str) -> bool:
    """Whether a URL names what is behind the proxy: an internal address or name, or the app's own port."""
    parts = split(url)
    name = (parts.hostname or "").removesuffix(".") if parts else ""
    if parts is None or not name:
        return False
    if name in evidence.hosts:
        return parts.port in APP_PORTS - {site.ports.https, site.http_port}
    try:
        return not ipaddress.ip_address(name).is_global
    except ValueError:
        return "." not in name or name.split(".")[-1] in _LOCAL or name.endswith((".sock", ".svc.cluster.local"))


def _named(evidence: Evidence, host: str) -> Iterator[_Where]:
    """Yield where a host's answers over HTTPS name an address, redirects that never end left out."""
    for exchange in _answers(evidence, host):
        location = exchange.header("location")
        if exchange.status in REDIRECTS and location and not _loops(evidence, exchange):
            yield f"{exchange.url}: Location", target(exchange.url, location)
        for reference in exchange.self_references:
            yield f"{exchange.url}: {_WRITTEN[reference.place]}", target(exchange.url, reference.url)


def _answers(evidence: Evidence, host: str) -> Iterator[Exchange]:
    for exchange in evidence.http.exchanges if evidence.http else ():
        own = exchange.host == host and exchange.purpose in _OWN_ANSWERS and exchange.url.startswith("https://")
        if own and exchange.status is not None:
            yield exchange


def _loops(evidence: Evidence, exchange: Exchange) -> bool:
    chains = evidence.http.chains if evidence.http else ()
    looping = (chain for chain in chains if chain.end in ("loop", "too_long"))
    return any(hop.url == exchange.url for chain in looping for hop in chain.hops)


def _told(found: list[_Where]) -> str:
    """Return what is named where, each place and address once."""
    return listed(dict.fromkeys(f"{where} is {quoted(url)}" for where, url in found), limit=4)


def _unseen(evidence: Evidence, host: str) -> Iterator[Unknown]:
    """Yield why a host's page, of which nothing bad is known, was not seen."""
    looked = look(evidence, host)
    missed = dict(looked.missed)
    for address, exchange in looked.seen.items():
        goal = host_of(target(exchange.url, exchange.header("location")))
        if evidence.http is None or (exchange.status in REDIRECTS and goal != host and goal in evidence.hosts):
            continue
        ended = final(evidence.http, exchange)
        reason = ended.reason if isinstance(ended, Unknown) else blocked(ended)
        if reason:
            missed[address] = reason
    yield from not_seen(host, missed, [address for address in looked.seen if address not in missed])


@rule(
    "proxy.insecure_cookie",
    Severity.WARNING,
    step=17,
    reads="http",
    summary="session cookie without Secure",
    impact="Browsers send the cookie over plain HTTP too: one http:// link is enough for anyone on the way to take "
    "over the visitor's session.",
    remediation="Set the attribute: in Flask `app.config.update(SESSION_COOKIE_SECURE=True, "
    "REMEMBER_COOKIE_SECURE=True)`, in Django `SESSION_COOKIE_SECURE = True`, in PHP `session.cookie_secure = 1`, in "
    "Express `app.set('trust proxy', 1)` and `cookie: {secure: true}`; or for every cookie in nginx "
    "`proxy_cookie_flags ~ secure;`. Look: `curl -sI https://{host}/ | grep -i set-cookie`.",
    reference="RFC 6265 section 8.3; RFC 6265bis section 4.1.3; checklist step 17",
)
def insecure_cookie(site: Site, evidence: Evidence) -> Iterator[Outcome]:
    """Find cookies set over HTTPS that identify a visitor and lack Secure, or whose name asks for it."""
    for host in evidence.hosts:
        found: dict[str, str] = {}
        cut: dict[str, str] = {}
        for exchange in _answers(evidence, host):
            for cookie in map(set_cookie, exchange.all("set-cookie")):
                if cookie.deletes(evidence.gathered_at) or not cookie.is_for(host):
                    continue
                if cookie.cut and cookie.identifies and not cookie.secure:
                    cut[exchange.address] = f"the cookie {cookie.name} is too long to be kept whole"
                elif fault := _fault(cookie):
                    found.setdefault(f"{quoted(cookie.name, 60)} {fault}", exchange.url)
        if found:
            observed = listed(f"{url} sets {fault}" for fault, url in found.items())
            yield Problem(host, observed, "cookies with Secure")
        elif cut:
            yield from not_seen(host, cut, ())
        else:
            yield from _unseen(evidence, host)


def _fault(cookie: SetCookie) -> str:
    if refused := cookie.refused():
        return f"which browsers do not take: {refused}"
    return "without Secure" if cookie.identifies and not cookie.secure else ""
