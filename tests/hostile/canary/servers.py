"""The hostile sites: their names, their certificates, and what they answer, on addresses that look public."""

import asyncio
import contextlib
import json
import ssl
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import dns.message
import dns.name
import dns.rdatatype
import dns.rrset

from tests import dns_server
from tests.hostile.canary import authorities, ways
from tests.hostile.canary.ways import inside, own
from tests.lab.network import CABLE, SERVERS, Network
from tests.servers import Request, listen, pages, redirect, reply

RESOLVER, AUTHORITATIVE, PUBLIC, PARENT = (f"{CABLE}.{number}" for number in (53, 54, 55, 56))
WEB, PLAIN = f"{CABLE}.80", f"{CABLE}.81"
"""With and without HTTPS."""
ADDRESSES = (RESOLVER, AUTHORITATIVE, PUBLIC, PARENT, WEB, PLAIN)
_PLACES = ("/", "/padlock-probe", "/.well-known/acme-challenge/")
"""Where a spelling's host is asked, over plain HTTP."""
SPELLED = [ways.spellings("public.test")[at : at + len(_PLACES)] for at in range(0, len(ways.spellings("")), 3)]
SPELLED_HOSTS = [f"{number}.spelled.test" for number in range(len(SPELLED))]
_SECURE = (
    *("rebind.test", "ns.test", "child.glue.test", "secure.test", "page.test", "public.test", "undeclared.test"),
    *("canary-com.com", "canary-org.org", "canary-info.info"),
    *("rdap.verisign.com", "rdap.identitydigital.services", "acme-v02.api.letsencrypt.org", "acme.zerossl.com"),
)
"""Names with ordinary certificates."""
_AUTHORITIES = {"letsencrypt.test": "Let's Encrypt", "google.test": "Google Trust Services", "zero.test": "ZeroSSL"}
_FLIPPING = {"rebind.test": "rebinding", "flips.test": "hop-rebinding"}
_PAGE = f"""<!doctype html><html manifest="https://{inside("page")}/m"><head><base href="https://{inside("base")}/">
<meta http-equiv="refresh" content="0; url=http://{inside("refresh")}/">
<link rel="dns-prefetch" href="//{inside("link")}"><link rel="preconnect" href="http://{own("link")}">
<link rel="icon" href="https://{inside("link")}/i.png">
<link rel="stylesheet" href="https://static.page.test/a.css"><link rel="stylesheet" href="https://page.test/b.css">
<link rel="stylesheet" href="http://{inside("page")}/c.css"><script src="https://page.test/hop.js"></script>
<script src="//{own("page")}/x.js"></script>
<script>fetch("http://{own("page")}/"); location = "//{inside("page")}"</script>
</head><body><img src="https://{inside("page")}/x.png"><img src="relative.png"><iframe src="http://{inside("page")}/">
</iframe><form action="http://{own("page")}/"></form><a href="http://{inside("page")}/" ping="//{own("page")}/">x</a>
</body></html>"""
_STYLES = f"@import url(https://{inside('stylesheet')}/d.css); p {{ background: url(//{own('stylesheet')}/e.png) }}"
_HINTS = (
    ("Refresh", f"0; url=http://{inside('refresh')}/"),
    ("Alt-Svc", f'h3="{inside("alt-svc")}:443"; ma=9999, h2="{own("alt-svc")}:443"'),
    ("Link", f"<http://{inside('link')}/>; rel=preload, <//{own('link')}/>; rel=preconnect"),
)


class World:
    """Every server, on the servers' side of a network, in a thread of its own until the block ends."""

    def __init__(self, network: Network, directory: Path) -> None:
        self._network, self._directory = network, directory
        self._root = authorities.Authority("Canary")
        self._others = {host: authorities.Authority(name) for host, name in _AUTHORITIES.items()}
        self._thread = threading.Thread(
            target=lambda: network.call(SERVERS, lambda: asyncio.run(self._serve())), name="hostile"
        )
        self._ready = threading.Event()
        self._failure: Exception | None = None

    @property
    def anchors(self) -> str:
        """The authorities that the checker trusts, PEM."""
        return "".join(authority.pem for authority in (self._root, *self._others.values()))

    @contextlib.contextmanager
    def serving(self) -> Iterator["World"]:
        """Serve until the block ends; names that change their answers begin anew."""
        self._thread.start()
        assert self._ready.wait(20), "the hostile servers did not start"
        try:
            assert self._failure is None, self._failure
            yield self
        finally:
            if self._failure is None:
                self._loop.call_soon_threadsafe(self._end.set)
            self._thread.join()

    async def _serve(self) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        try:
            async with contextlib.AsyncExitStack() as stack:
                for address, answer in _names().items():
                    await stack.enter_async_context(dns_server.serve(answer, address, 53))
                await stack.enter_async_context(listen(pages(_over_tls), WEB, 443, self._contexts()))
                for address in (WEB, PLAIN):
                    await stack.enter_async_context(listen(pages(_in_clear), address, 80))
                self._ready.set()
                await self._end.wait()
        except Exception as error:  # noqa: BLE001 — shown by the thread that waits
            self._failure = error
            self._ready.set()

    def _contexts(self) -> ssl.SSLContext:
        lists = (f"http://{inside('crl')}/a.crl", "http://public.test/hop.crl")
        bare = (f"http://{own('bare-crl')}/a.crl", f"http://user@{inside('bare-crl')}/a.crl")
        unsent = authorities.Authority("Unsent", self._root)
        issued = {host: authority.context(self._file(host), [host]) for host, authority in self._others.items()}
        issued["crl.test"] = self._root.context(
            self._file("crl"),
            ["crl.test"],
            authorities.revocation_lists(*lists),
            authorities.access((authorities.OCSP, f"http://{inside('ocsp')}/")),
        )
        issued["bare-crl.test"] = self._root.context(
            self._file("bare-crl"),
            ["bare-crl.test"],
            authorities.revocation_lists(*bare),
            authorities.access((authorities.OCSP, f"http://{own('ocsp')}/")),
        )
        for host, place in (("aia.test", inside("aia")), ("bare-aia.test", own("bare-aia"))):
            issuers = authorities.access((authorities.CA_ISSUERS, f"http://{place}/i.der"))
            issued[host] = unsent.context(self._file(host), [host], issuers)
        return authorities.by_name(self._root.context(self._file("many"), _SECURE), issued)

    def _file(self, name: str) -> Path:
        return self._directory / f"{name}.pem"


def _names() -> dict[str, dns_server.Answer]:
    """Return what each name server answers, by its address."""
    first = _lasting_nothing(dns_server.recursive(*_zones()))
    later = _lasting_nothing(dns_server.recursive(*_zones(flipped=True)))
    return {
        RESOLVER: _with_more(_flipping(first, later)),
        AUTHORITATIVE: later,
        PUBLIC: later,
        PARENT: dns_server.zone(
            "glue.test",
            *("@ NS ns", f"ns A {PARENT}", "child NS forgotten.child", "child NS ns"),
            *(f"forgotten.child A {address}" for address in (own("glue"), *ways.NEVER_4)),
            *(f"forgotten.child AAAA {address}" for address in ways.NEVER_6),
        ),
    }


def _zones(*, flipped: bool = False) -> list[tuple[str, ...]]:
    """Return every zone; `flipped` with the answers that come once the first ones were vetted."""
    served = ("@ NS ns", f"ns A {AUTHORITATIVE}")
    there = (f"@ A {WEB}",)
    certified = ("crl.test", "bare-crl.test", "aia.test", "bare-aia.test", *_AUTHORITIES)
    plain = [(host, *served, f"@ A {PLAIN}") for host in ("hops.test", "moved.test", "acme.test")]
    public = {"rebind.test": WEB, "flips.test": PLAIN}
    flips = [
        (host, *served, f"@ CNAME {inside(way)}." if flipped else f"@ A {public[host]}")
        for host, way in _FLIPPING.items()
    ]
    binding = inside("service-binding")
    return [
        ("in.test", *served, *ways.inside_records()),
        ("spelled.test", *served, f"* A {PLAIN}"),
        *plain,
        *flips,
        *((host, *served, *there) for host in (*certified, "secure.test", "public.test")),
        *((host, *served, *there) for host in ("canary-com.com", "canary-org.org", "canary-info.info")),
        ("alias.test", *served, "@ CNAME one.alias.test.", "one CNAME two", f"two CNAME {inside('alias')}."),
        ("digits.test", *served, "@ CNAME 169.254.169.254."),
        ("254", f"169.254.169 A {own('digits')}", *(f"169.254.169 A {address}" for address in ways.NEVER_4)),
        ("ns.test", f"@ NS {inside('server')}.", "@ NS 169.254.169.254.", *there),
        ("glue.test", "@ NS ns", f"ns A {PARENT}", "child NS ns", f"child A {WEB}"),
        (
            "page.test",
            *(*served, *there, f"static CNAME {inside('asset')}."),
            f"@ HTTPS 1 {binding}. ipv4hint={own('service-binding')} ipv6hint=fd00:ec2::254",
            *(f"@ MX 1 {inside('mail')}.", f'@ TXT "v=spf1 a:{inside("mail")} ip4:{own("mail")}"'),
            f'@ CAA 0 iodef "http://{inside("mail")}/"',
        ),
        *((name, *there) for name in ("rdap.verisign.com", "rdap.identitydigital.services")),
        *((name, *there) for name in ("acme-v02.api.letsencrypt.org", "acme.zerossl.com")),
        ("rdap.publicinterestregistry.org", f"@ CNAME {inside('registry')}."),
        ("dv.acme-v02.api.pki.goog", f"@ CNAME {inside('directory')}."),
    ]


def _flipping(first: dns_server.Answer, later: dns_server.Answer) -> dns_server.Answer:
    """Answer the first question for a name that flips with a public address, and every other one with canaries."""
    asked: Counter[tuple[str, str]] = Counter()

    def answer(query: dns_server.Query, transport: str) -> Any:
        name, kind = dns_server.text(query.question[0].name), dns.rdatatype.to_text(query.question[0].rdtype)
        asked[name, kind] += 1
        flipped = name in _FLIPPING and (asked[name, kind] > 1 or kind not in ("A", "AAAA"))
        return (later if flipped else first)(query, transport)

    return answer


def _lasting_nothing(answered: dns_server.Answer) -> dns_server.Answer:
    """Give every record a TTL of 0, so that nobody may keep it."""

    def answer(query: dns_server.Query, transport: str) -> Any:
        response = answered(query, transport)
        assert isinstance(response, dns.message.Message)
        for records in response.answer:
            records.ttl = 0
        return response

    return answer


def _with_more(answered: dns_server.Answer) -> dns_server.Answer:
    """Say more than was asked for: another address of the name, and of names that the answer mentions."""

    def answer(query: dns_server.Query, transport: str) -> Any:
        response = answered(query, transport)
        assert isinstance(response, dns.message.Message)
        name = query.question[0].name
        for owner in (name, dns.name.from_text("ns." + name.to_text())):
            extra = dns.rrset.from_text(owner, 0, "IN", "A", own("extra-record"))
            response.additional.append(extra)
            if owner != name:
                response.answer.append(extra)
        return response

    return answer


def _in_clear(request: Request) -> bytes:
    """Answer over plain HTTP."""
    if request.host in SPELLED_HOSTS:
        offered = SPELLED[SPELLED_HOSTS.index(request.host)]
        place = next((number for number, path in reversed([*enumerate(_PLACES)]) if request.path.startswith(path)), 0)
        location = offered[min(place, len(offered) - 1)]
        return redirect(location.encode().decode("latin-1"), 302)
    if request.host in ("hops.test", "flips.test"):
        step = len(request.path.strip("/")) + 1
        return redirect(f"http://flips.test/{'x' * step}", 302)
    moved: dict[tuple[str, str], str] = {
        ("moved.test", "/"): f"http://{inside('location')}/",
        ("moved.test", "/padlock-probe"): f"http://{inside('location')}/x?q=1",
        ("acme.test", _PLACES[2]): f"http://{inside('challenge')}/x",
        ("public.test", "/hop.crl"): f"http://{inside('crl-hop')}/a.crl",
    }
    to = next((url for (host, path), url in reversed(moved.items()) if _is_at(request, host, path)), "")
    return redirect(to, 302) if to else redirect(f"https://{request.host}{quote(request.path)}", 301, *_HINTS)


def _is_at(request: Request, host: str, path: str) -> bool:
    return request.host == host and (request.path == path if path == "/" else request.path.startswith(path))


def _over_tls(request: Request) -> bytes:
    """Answer over HTTPS."""
    answers: dict[tuple[str, str], Callable[[], bytes]] = {
        ("rebind.test", "/"): lambda: reply(502, "bad gateway"),  # an error is looked at twice
        ("secure.test", "/"): lambda: redirect(f"https://{inside('location-tls')}/", 302),
        ("secure.test", "/health"): lambda: redirect(f"http://{inside('health')}/", 307),
        ("page.test", "/"): lambda: reply(200, _PAGE, ("Content-Type", "text/html"), *_HINTS),
        ("page.test", "/b.css"): lambda: reply(200, _STYLES, ("Content-Type", "text/css")),
        ("page.test", "/hop.js"): lambda: redirect(f"https://{inside('asset-hop')}/x.js", 302),
        ("rdap.verisign.com", "/com"): lambda: redirect(f"https://{inside('registry-hop')}/domain/x", 302),
        ("rdap.identitydigital.services", "/rdap"): _referring,
        ("acme-v02.api.letsencrypt.org", "/directory"): _directory,
        ("acme.zerossl.com", "/v2"): lambda: redirect(f"https://{inside('directory-hop')}/directory", 302),
    }
    found = next((each for (host, path), each in answers.items() if _is_at(request, host, path)), None)
    return (
        found() if found else reply(200, "<!doctype html><title>x</title>x", ("Content-Type", "text/html"), *_HINTS)
    )


def _referring() -> bytes:
    """Return a registration that refers to the registrar's own service for more."""
    there = [{"rel": rel, "type": "application/rdap+json", "href": f"http://{place}/"} for rel, place in _REFERRALS]
    told = {"objectClassName": "domain", "ldhName": "canary-info.info", "links": there, "port43": own("referral")}
    return reply(200, json.dumps({**told, "notices": [{"links": there}]}), ("Content-Type", "application/rdap+json"))


_REFERRALS = (("related", inside("referral")), ("self", own("referral")), ("alternate", inside("referral")))


def _directory() -> bytes:
    others = ("newNonce", "newAccount", "newOrder", "revokeCert", "keyChange")
    places = {name: f"https://{inside('directory-page')}/{name}" for name in others}
    places["renewalInfo"] = f"https://{inside('renewal')}/ari"
    return reply(200, json.dumps({**places, "meta": {"termsOfService": places["newNonce"]}}))


def declarations(networks: list[str]) -> list[dict[str, object]]:
    """Return the sites as their owners declare them, each opening these networks but one that opens none."""
    sites: list[dict[str, object]] = [
        {"name": inside("address")},
        {"name": "alias.test", "hosts": ["alias.test", "digits.test"]},
        {"name": "ns.test", "hosts": ["ns.test", "child.glue.test"]},
        {"name": "rebind.test"},
        {"name": "hops.test", "hosts": ["hops.test", "moved.test", "acme.test"]},
        {"name": "secure.test", "health": "/health"},
        {"name": "page.test", "health": f"//{own('health-path')}/", "canonical": "page.test"},
        {"name": "crl.test", "hosts": ["crl.test", "bare-crl.test", "aia.test", "bare-aia.test", *_AUTHORITIES]},
        {"name": "canary-com.com", "hosts": ["canary-com.com", "canary-org.org", "canary-info.info"]},
        {"name": inside("ports"), "ports": {"http": 22, "https": 9001}},
        {"name": "0.spelled.test", "hosts": SPELLED_HOSTS[:13]},
        {"name": "13.spelled.test", "hosts": SPELLED_HOSTS[13:]},
    ]
    sites[6]["addresses"] = [own("declared-address"), inside("declared-address")]
    opening = [{"hosts": [site["name"]], **site, "networks": networks} for site in sites]
    return [*opening, {"name": inside("undeclared"), "hosts": [inside("undeclared")]}]
