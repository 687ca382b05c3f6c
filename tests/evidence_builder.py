"""A healthy site's evidence, and verbs that break one thing of it."""

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import msgspec
from padlock import evidence as ev
from padlock.assess import assess
from padlock.findings import Finding, Report
from padlock.rules import RULES, Problem, Unknown
from padlock.site import parse

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
ADDRESS = "93.184.215.14"
ADDRESS_6 = "2606:2800:21f:cb07:6820:80da:af6b:8b2c"
HOSTS = ("example.com", "www.example.com")
LEAF, INTERMEDIATE, ROOT = "1" * 64, "2" * 64, "3" * 64
OBSOLETE = ("SSLv3", "TLSv1", "TLSv1.1")
REFUSED: Mapping[str, Any] = {"detail": "the alert protocol_version"}
CRL = "http://r11.c.lencr.org/42.crl"
PORTS: tuple[tuple[int, Literal["http", "https"]], ...] = ((80, "http"), (443, "https"))
PAGE = "<!doctype html><title>Shop</title><h1>Welcome to the shop</h1>"


def change[T: msgspec.Struct](value: T, **fields: Any) -> T:
    """Return a copy of a frozen value with other fields."""
    return msgspec.structs.replace(value, **fields)


def lookup(name: str, rdtype: str, *records: str, **fields: Any) -> ev.Lookup:
    """Return an answer; without records it is NODATA."""
    defaults: dict[str, Any] = {"status": "ok" if records else "nodata", "count": len(records), "ttl": 300}
    return ev.Lookup(name, rdtype, records=records, **{**defaults, **fields})


def host_dns(host: str, *addresses: str, derived: bool = False) -> ev.HostDns:
    """Return what the resolver says of a host with these addresses."""
    v4 = [address for address in addresses if ":" not in address]
    v6 = [address for address in addresses if ":" in address]
    return ev.HostDns(host, lookup(host, "A", *v4), lookup(host, "AAAA", *v6), derived)


def certificate(sha256: str = LEAF, **fields: Any) -> ev.Certificate:
    """Return a healthy 90-day leaf for both hosts."""
    defaults: dict[str, Any] = {
        "subject": "CN=example.com",
        "issuer": "CN=R11,O=Let's Encrypt,C=US",
        "serial": "04A1B2",
        "not_before": NOW - timedelta(days=10),
        "not_after": NOW + timedelta(days=80),
        "dns_names": HOSTS,
        "dns_name_count": len(fields.get("dns_names", HOSTS)),
        "common_name": "example.com",
        "key": "rsa",
        "key_bits": 2048,
        "signature_hash": "sha256",
        "size": 1200,
        "crl_urls": (CRL,),
    }
    return ev.Certificate(sha256, **{**defaults, **fields})


def intermediate(**fields: Any) -> ev.Certificate:
    """Return the issuer of the healthy leaf."""
    defaults: dict[str, Any] = {
        "subject": "CN=R11,O=Let's Encrypt,C=US",
        "issuer": "CN=ISRG Root X1,O=Internet Security Research Group,C=US",
        "serial": "08",
        "not_before": NOW - timedelta(days=400),
        "not_after": NOW + timedelta(days=600),
        "dns_names": (),
        "dns_name_count": 0,
        "common_name": "R11",
        "is_ca": True,
    }
    return certificate(INTERMEDIATE, **{**defaults, **fields})


def handshake(host: str, **fields: Any) -> ev.Handshake:
    """Return a healthy TLS 1.3 handshake."""
    defaults: dict[str, Any] = {
        "address": ADDRESS,
        "port": 443,
        "sni": host,
        "protocol": "TLSv1.3",
        "cipher": "TLS_AES_256_GCM_SHA384",
        "alpn": "h2",
        "chain": (LEAF, INTERMEDIATE),
        "seconds": 0.03,
    }
    return ev.Handshake(host, **{**defaults, **fields})


def obsolete(host: str, version: str, **fields: Any) -> ev.ObsoleteOffer:
    """Return a server's refusal of an obsolete version."""
    return ev.ObsoleteOffer(host, **{"address": ADDRESS, "port": 443, "version": version, **REFUSED, **fields})


def revocation(certificate: str = LEAF, **fields: Any) -> ev.Revocation:
    """Return an issuer's word that a certificate is good."""
    defaults: dict[str, Any] = {"status": "good", "url": CRL, "next_update": NOW + timedelta(days=7)}
    return ev.Revocation(certificate, **{**defaults, **fields})


def exchange(url: str, **fields: Any) -> ev.Exchange:
    """Return the answer that a healthy site gives at this URL: a page over HTTPS, a 301 over HTTP."""
    scheme, rest = url.split("://")
    host, _, path = rest.partition("/")
    defaults: dict[str, Any] = {"host": host.split(":")[0], "address": ADDRESS, "purpose": "front", "status": 200}
    if scheme == "http":
        defaults |= {"status": 301, "headers": (("location", f"https://{host}/{path}"),)}
    else:
        defaults |= {
            "headers": (("server", "nginx"), ("content-type", "text/html; charset=utf-8")),
            "body": PAGE,
            "body_sha256": "a" * 64,
            "body_size": len(PAGE),
            "title": "Shop",
        }
    defaults["seconds"] = {"connect": 0.01, "tls": 0.02, "first_byte": 0.03, "total": 0.06}
    return ev.Exchange(url, **{**defaults, **fields})


def chain(
    start: str, *hops: tuple[str, int | None, str | None], end: ev.ChainEnd = "answer", **fields: Any
) -> ev.Chain:
    """Return a redirect chain of (url, status, location) hops."""
    defaults: dict[str, Any] = {"purpose": "front", "final_url": hops[-1][0] if hops else ""}
    made = tuple(ev.Hop(url, status, location, ADDRESS) for url, status, location in hops)
    return ev.Chain(start, hops=made, end=end, **{**defaults, **fields})


def registration(**fields: Any) -> ev.Registration:
    """Return a domain that is registered for most of a year."""
    defaults: dict[str, Any] = {
        "expires": NOW + timedelta(days=200),
        "status": ("active", "client transfer prohibited"),
        "registrar": "Example Registrar, Inc.",
        "registry": "https://rdap.verisign.com/com/v1/",
        "asked_at": NOW,
    }
    return ev.Registration("example.com", HOSTS[:1], **{**defaults, **fields})


def caa(name: str, *issuers: str, **fields: Any) -> ev.CaaSet:
    """Return the CAA records at a name: these `issue` properties; without them there are none."""
    return ev.CaaSet(name, tuple(ev.CaaRecord("issue", issuer) for issuer in issuers), **fields)


def renewal() -> ev.Renewal:
    """Return a healthy site's renewal: challenges are redirected to a 404, issuer and logs know of nothing newer."""
    path = ".well-known/acme-challenge/token"
    return ev.Renewal(
        challenges=tuple(
            ev.Challenge(
                host,
                ADDRESS,
                f"http://{host}/{path}",
                "answer",
                (
                    ev.Hop(f"http://{host}/{path}", 301, f"https://{host}/{path}", ADDRESS),
                    ev.Hop(f"https://{host}/{path}", 404, None, ADDRESS),
                ),
                exchange(f"https://{host}/{path}", purpose="challenge", status=404, body="", title=""),
            )
            for host in HOSTS
        ),
        information={
            LEAF: ev.RenewalInformation(LEAF, start=NOW + timedelta(days=49.1), end=NOW + timedelta(days=50.9))
        },
        search=ev.Search(
            "example.com",
            found=(
                ev.Logged(
                    "04A1B2",
                    "C=US, O=Let's Encrypt, CN=R11",
                    NOW - timedelta(days=10),
                    NOW + timedelta(days=80),
                    HOSTS,
                ),
            ),
        ),
    )


def look_around(*, health: bool, host: str = HOSTS[0]) -> tuple[ev.Exchange, ...]:
    """Return what a healthy app says when it is asked for what it does not have, and for its undeclared health."""
    nothing: dict[str, Any] = {"status": 404, "body": "no such page", "body_sha256": "e" * 64, "title": "404"}
    debugger = ("?__debugger__=yes&cmd=resource&f=debugger.js", "console")
    found = exchange(f"https://{host}/health", purpose="usual_health", body="ok", body_sha256="d" * 64, title="")
    return (
        exchange(f"https://{host}/padlock-probe/path?q=1", purpose="deep", **nothing),
        *(exchange(f"https://{host}/{path}", purpose="debugger", **nothing) for path in debugger),
        *((found,) if health else ()),
    )


def page(url: str = "https://example.com/", **fields: Any) -> ev.Page:
    """Return a page that loads everything over HTTPS, with a stylesheet and a script of its own."""
    assets = (
        ev.Asset("stylesheet", "https://example.com/static/shop.css", status=200, content_type="text/css"),
        ev.Asset("script", "https://example.com/static/shop.js", status=200, content_type="text/javascript"),
    )
    return ev.Page(url, **{"purpose": "front", "url": url, "is_html": True, "assets": assets, **fields})


def healthy(declaration: str | Mapping[str, Any] = "example.com") -> ev.Evidence:
    """Return everything that a healthy site shows: example.com canonical, www redirecting to it, IPv4 only."""
    site = parse(declaration)
    exchanges: list[ev.Exchange] = []
    chains: list[ev.Chain] = []
    deep = "padlock-probe/path?q=1"
    for host in HOSTS:
        moved = () if host == "example.com" else (("location", "https://example.com/"),)
        exchanges.append(
            exchange(f"https://{host}/", status=301, headers=moved, body="", title="")
            if moved
            else exchange(f"https://{host}/")
        )
        exchanges.append(exchange(f"http://{host}/"))
        exchanges.append(exchange(f"http://{host}/{deep}", purpose="deep"))
        exchanges.append(
            exchange(
                f"https://{host}/",
                host="padlock-7f3a.invalid",
                purpose="random_host",
                status=404,
                body="no such site",
                body_sha256="f" * 64,
                title="404",
            )
        )
        for purpose, path in (("front", ""), ("deep", deep)):
            target = f"https://{host}/{path}"
            final = f"https://example.com/{path}"
            way: list[tuple[str, int | None, str | None]] = [(f"http://{host}/{path}", 301, target)]
            if moved:
                way.append((target, 301, final))
            way.append((final, 200 if purpose == "front" else 404, None))
            chains.append(chain(f"http://{host}/{path}", *way, purpose=purpose))
        chains.append(
            chain(
                f"https://{host}/",
                *([(f"https://{host}/", 301, "https://example.com/")] if moved else []),
                ("https://example.com/", 200, None),
            )
        )
    exchanges += look_around(health=site.health is None)
    names = ("ns1.example.net", "ns2.example.net")
    answers = tuple(
        ev.NameserverAnswer(
            name,
            f"198.41.0.{4 + i}",
            host,
            lookup(host, "A", ADDRESS, authoritative=True),
            lookup(host, "AAAA", authoritative=True),
        )
        for i, name in enumerate(names)
        for host in HOSTS
    )
    public = tuple(
        ev.PublicResolver(resolver, host, lookup(host, "A", ADDRESS), lookup(host, "AAAA"))
        for resolver in ("1.1.1.1", "8.8.8.8", "9.9.9.9")
        for host in HOSTS
    )
    default = handshake("example.com", sni="")
    return ev.Evidence(
        site=site,
        gathered_at=NOW,
        dns=ev.Dns(
            hosts=(host_dns("example.com", ADDRESS), host_dns("www.example.com", ADDRESS, derived=not site.hosts)),
            zones=(ev.Zone("example.com", HOSTS, names, answers),),
            public=public,
            wildcard={"example.com": ()},
        ),
        ports=tuple(ev.PortState(host, ADDRESS, port, scheme) for host in HOSTS for port, scheme in PORTS),
        tls=ev.Tls(
            handshakes=(*(handshake(host) for host in HOSTS), default),
            certificates={LEAF: certificate(), INTERMEDIATE: intermediate()},
            verifications=(
                ev.Verification(
                    (LEAF, INTERMEDIATE),
                    "trusted",
                    path=("CN=example.com", "CN=R11", "CN=ISRG Root X1"),
                    path_not_after=NOW + timedelta(days=80),
                ),
            ),
            obsolete=tuple(obsolete(host, version) for host in HOSTS for version in OBSOLETE),
            revocations=(revocation(),),
        ),
        http=ev.Http(tuple(exchanges), tuple(chains)),
        page=(page(),),
        renewal=renewal(),
        registration=(registration(),),
        caa={name: caa(name) for name in (*HOSTS, "com")} | {"example.com": caa("example.com", "letsencrypt.org")},
        timings={"dns": 0.02, "tls": 0.05, "http": 0.09, "total": 0.2},
        vantage={"region": "local", "ipv4": "yes", "ipv6": "yes"},
    )


def with_host(evidence: ev.Evidence, host: str, **fields: Any) -> ev.Evidence:
    """Return the evidence with other fields of what the resolver says of one host."""
    assert evidence.dns
    hosts = tuple(change(each, **fields) if each.host == host else each for each in evidence.dns.hosts)
    return change(evidence, dns=change(evidence.dns, hosts=hosts))


def with_zone(evidence: ev.Evidence, **fields: Any) -> ev.Evidence:
    """Return the evidence with other fields of the zone."""
    assert evidence.dns
    return change(evidence, dns=change(evidence.dns, zones=(change(evidence.dns.zones[0], **fields),)))


def with_port(evidence: ev.Evidence, scheme: str, kind: ev.FailureKind, **fields: Any) -> ev.Evidence:
    """Return the evidence with a scheme's ports failing that way, seen twice, at every host and address."""
    failed = {"failure": ev.Failure(kind), "confirmed": True, **fields}
    states = tuple(change(s, **failed) if s.scheme == scheme else s for s in evidence.ports or ())
    return change(evidence, ports=states)


def with_address(evidence: ev.Evidence, address: str = ADDRESS_6, host: str = "example.com") -> ev.Evidence:
    """Return the evidence with a second, healthy address of one host."""
    assert evidence.dns
    assert evidence.ports
    assert evidence.tls
    assert evidence.http
    found = evidence.dns.host(host)
    assert found
    grown = with_host(
        evidence,
        host,
        **(
            {"aaaa": lookup(host, "AAAA", *found.aaaa.records, address)}
            if ":" in address
            else {"a": lookup(host, "A", *found.a.records, address)}
        ),
    )
    states = tuple(change(s, address=address) for s in evidence.ports if (s.host, s.address) == (host, ADDRESS))
    looks = tuple(
        change(look, address=address)
        for look in evidence.tls.handshakes
        if (look.host, look.address) == (host, ADDRESS)
    )
    exchanges = tuple(
        change(e, address=address) for e in evidence.http.exchanges if (e.host, e.address) == (host, ADDRESS)
    )
    return change(
        grown,
        ports=evidence.ports + states,
        tls=change(
            evidence.tls,
            handshakes=evidence.tls.handshakes + looks,
            obsolete=(*evidence.tls.obsolete, *(obsolete(host, version, address=address) for version in OBSOLETE)),
        ),
        http=change(evidence.http, exchanges=evidence.http.exchanges + exchanges),
    )


def with_leaf(evidence: ev.Evidence, **fields: Any) -> ev.Evidence:
    """Return the evidence with other fields of the leaf."""
    assert evidence.tls
    leaf = certificate(**fields)
    return change(evidence, tls=change(evidence.tls, certificates={**evidence.tls.certificates, LEAF: leaf}))


def with_trust(evidence: ev.Evidence, status: ev.TrustStatus, **fields: Any) -> ev.Evidence:
    """Return the evidence with another verdict on every chain."""
    assert evidence.tls
    default: dict[str, Any] = {"path": (), "path_not_after": None}
    looks = tuple(change(look, status=status, **{**default, **fields}) for look in evidence.tls.verifications)
    return change(evidence, tls=change(evidence.tls, verifications=looks))


def with_handshakes(
    evidence: ev.Evidence, host: str = "", address: str = "", *, sni: bool = True, **fields: Any
) -> ev.Evidence:
    """Return the evidence with other fields of the handshakes with (or without) SNI, all or one host's, address's."""
    assert evidence.tls
    looks = tuple(
        change(look, **fields)
        if bool(look.sni) == sni and host in ("", look.host) and address in ("", look.address)
        else look
        for look in evidence.tls.handshakes
    )
    return change(evidence, tls=change(evidence.tls, handshakes=looks))


def with_obsolete(evidence: ev.Evidence, version: str, address: str = ADDRESS, **fields: Any) -> ev.Evidence:
    """Return the evidence with other fields of how an address took an obsolete version, for every host."""
    assert evidence.tls
    kept = tuple(o for o in evidence.tls.obsolete if (o.version, o.address) != (version, address))
    taken = {"accepted": True, "cipher": "ECDHE-RSA-AES256-SHA", "detail": "", **fields}
    more = tuple(obsolete(host, version, address=address, **taken) for host in HOSTS)
    return change(evidence, tls=change(evidence.tls, obsolete=(*kept, *more)))


def with_revocation(evidence: ev.Evidence, *looks: ev.Revocation) -> ev.Evidence:
    """Return the evidence with these looks at issuers' lists alone."""
    assert evidence.tls
    return change(evidence, tls=change(evidence.tls, revocations=looks))


def with_exchange(evidence: ev.Evidence, url: str, address: str = "", **fields: Any) -> ev.Evidence:
    """Return the evidence with other fields of what is asked under a URL, at every address or at one."""
    assert evidence.http
    found = [e for e in evidence.http.exchanges if e.url == url and e.purpose != "random_host"]
    assert found, url
    changed = {id(e): change(e, **fields) for e in found if address in ("", e.address)}
    exchanges = tuple(changed.get(id(e), e) for e in evidence.http.exchanges)
    return change(evidence, http=change(evidence.http, exchanges=exchanges))


def with_exchanges(evidence: ev.Evidence, *more: ev.Exchange) -> ev.Evidence:
    """Return the evidence with more exchanges."""
    assert evidence.http
    return change(evidence, http=change(evidence.http, exchanges=evidence.http.exchanges + more))


def with_chains(evidence: ev.Evidence, *chains: ev.Chain) -> ev.Evidence:
    """Return the evidence with these redirect chains in the place of those with the same start."""
    assert evidence.http
    starts = {each.start for each in chains}
    kept = tuple(each for each in evidence.http.chains if each.start not in starts)
    return change(evidence, http=change(evidence.http, chains=kept + chains))


def with_registration(evidence: ev.Evidence, **fields: Any) -> ev.Evidence:
    """Return the evidence with other fields of the domain's registration."""
    return change(evidence, registration=(registration(**fields),))


def with_caa(evidence: ev.Evidence, *sets: ev.CaaSet) -> ev.Evidence:
    """Return the evidence with these CAA sets in the place of those at the same names."""
    return change(evidence, caa={**(evidence.caa or {}), **{each.name: each for each in sets}})


def with_renewal(evidence: ev.Evidence, **fields: Any) -> ev.Evidence:
    """Return the evidence with other fields of what was seen of renewal."""
    assert evidence.renewal
    return change(evidence, renewal=change(evidence.renewal, **fields))


def with_page(evidence: ev.Evidence, *references: ev.Reference, **fields: Any) -> ev.Evidence:
    """Return the evidence with what the front page loads over plain HTTP, and other fields of that page."""
    counts = Counter(f"{each.kind} upgraded" if each.upgraded else each.kind for each in references)
    found = {"counts": dict(counts), "references": references, **fields}
    return change(evidence, page=(page(**found),))


def outcomes(code: str, evidence: ev.Evidence) -> list[Problem | Unknown]:
    """Return what one rule says of the evidence, problems and subjects not assessed."""
    seen = [Problem(*o) if isinstance(o, tuple) else o for o in RULES[code].check(evidence.site, evidence)]
    return [outcome for outcome in seen if isinstance(outcome, (Problem, Unknown))]


def report(evidence: ev.Evidence) -> Report:
    """Return the whole judgement."""
    return assess(evidence)


def codes(evidence: ev.Evidence) -> list[str]:
    """Return the codes of all findings, the worst first."""
    return [finding.code for finding in assess(evidence).findings]


def fires(code: str, evidence: ev.Evidence) -> Finding:
    """Return the rule's first finding; fails where it stays silent."""
    found = [finding for finding in assess(evidence).findings if finding.code == code]
    assert found, f"{code} stayed silent; findings: {codes(evidence)}"
    return found[0]


def silent(code: str, evidence: ev.Evidence) -> None:
    """Fail where the rule fires, or could not look."""
    judged = assess(evidence)
    assert code not in [finding.code for finding in judged.findings], fires(code, evidence)
    assert code not in [entry.code for entry in judged.not_assessed], judged.not_assessed


def unassessed(code: str, evidence: ev.Evidence) -> str:
    """Return why the rule could not look; fails where it fires or passes."""
    judged = assess(evidence)
    assert code not in [finding.code for finding in judged.findings]
    reasons = [entry.reason for entry in judged.not_assessed if entry.code == code]
    assert reasons, f"{code} passed"
    return reasons[0]
