"""The variants of a healthy set-up that must raise no alarm, by name, each proven to be what its name says."""

import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from urllib.parse import urlsplit

import msgspec
import pytest
from padlock.evidence import Certificate, Evidence, Exchange, Handshake, HostDns, Http, Tls

from tests.lab.lab import Lab
from tests.lab.look import Seen
from tests.lab.scenarios import ALL, Scenario

SITES = {scenario.name: scenario for scenario in ALL}
FROM_OUTSIDE = (
    *("app", "canonical", "certificate", "content", "dns", "hsts", "port", "proxy", "redirect", "registration"),
    *("renewal", "server", "tls"),
)
"""Subjects that can be seen without access to the host."""
PASSED = {1, 2, 3, 4, 7, 8, 10, 11, 12, 13, 16}
"""Steps of the checklist that a healthy site of these passes, so that none of them went unseen."""


class Variant(msgspec.Struct, frozen=True):
    """A healthy set-up, the site that has it, and how that is known."""

    name: str
    site: str
    is_so: Callable[[Evidence, Lab], bool]
    """Reads it from what was gathered; where that cannot tell, from what an ordinary tool sees."""


def dns(evidence: Evidence) -> dict[str, HostDns]:
    """Return what the resolver said of each host."""
    assert evidence.dns
    return {host.host: host for host in evidence.dns.hosts}


def tls(evidence: Evidence) -> Tls:
    """Return every handshake."""
    assert evidence.tls
    return evidence.tls


def http(evidence: Evidence) -> Http:
    """Return every exchange."""
    assert evidence.http
    return evidence.http


def served(evidence: Evidence) -> list[tuple[Handshake, Certificate]]:
    """Return what visitors are given, at each address."""
    found = [(look, tls(evidence).leaf(look)) for look in tls(evidence).named()]
    return [(look, leaf) for look, leaf in found if leaf]


def fronts(evidence: Evidence, scheme: str = "https") -> list[Exchange]:
    """Return the front pages."""
    return list(http(evidence).of("front", scheme))


def ends_at(host: str) -> Callable[[Evidence, Lab], bool]:
    """Return whether both hosts lead to this one, over HTTPS."""

    def is_so(evidence: Evidence, _lab: Lab) -> bool:
        ends = {chain.final_url for chain in http(evidence).chains if chain.purpose == "front"}
        starts = {urlsplit(chain.start).hostname for chain in http(evidence).chains}
        return len(starts) == 2 and ends == {f"https://{host}/"}

    return is_so


def answers(path: str, status: int) -> Callable[[Evidence, Lab], bool]:
    """Return whether the declared health path answers so on the canonical host."""

    def is_so(evidence: Evidence, _lab: Lab) -> bool:
        found = [e for e in http(evidence).of("health") if e.host == evidence.site.name]
        return bool(found) and {(urlsplit(e.url).path, e.status) for e in found} == {(path, status)}

    return is_so


def lives(days: float) -> Callable[[Evidence, Lab], bool]:
    """Return whether no certificate lives longer."""

    def is_so(evidence: Evidence, _lab: Lab) -> bool:
        spans = [
            leaf.not_after - leaf.not_before for _, leaf in served(evidence) if leaf.not_before and leaf.not_after
        ]
        return bool(spans) and max(spans) < timedelta(days=days)

    return is_so


def challenged(*, secure: bool) -> Callable[[Evidence, Lab], bool]:
    """Return whether the way to a challenge leads to HTTPS, where the front page's does."""

    def is_so(evidence: Evidence, _lab: Lab) -> bool:
        assert evidence.renewal
        ways = [{urlsplit(hop.url).scheme for hop in way.hops} for way in evidence.renewal.challenges]
        moved = {e.status for e in fronts(evidence, "http")} <= {301, 308}
        return bool(ways) and all(way == ({"http", "https"} if secure else {"http"}) for way in ways) and moved

    return is_so


def refuses(options: str) -> Callable[[Evidence, Lab], bool]:
    """Return whether no address agrees with OpenSSL on TLS 1.2 with these options."""

    def is_so(evidence: Evidence, lab: Lab) -> bool:
        places = [f"-connect {look.address}:443 -servername {look.host}" for look, _ in served(evidence)]
        printed = [lab.run(f"openssl s_client -tls1_2 {place} {options} </dev/null 2>&1") for place in places]
        return bool(printed) and all("Cipher is (NONE)" in text for text in printed)

    return is_so


def several_equal(evidence: Evidence, _lab: Lab) -> bool:
    """Whether each host has several addresses, each of which serves one and the same."""
    names = [{(e.status, e.body_sha256) for e in fronts(evidence) if e.host == host} for host in dns(evidence)]
    spread = [{look.address for look, _ in served(evidence) if look.host == host} for host in dns(evidence)]
    return all(len(addresses) == 2 for addresses in spread) and all(len(seen) == 1 for seen in names)


def crossed(evidence: Evidence, _lab: Lab) -> bool:
    """Whether a certificate that has expired is sent along, beside a path that is valid."""
    sent = [tls(evidence).certificates[one] for look, _ in served(evidence) for one in look.chain[1:]]
    late = [one for one in sent if one.not_after and one.not_after < evidence.gathered_at]
    return bool(late) and {look.status for look in tls(evidence).verifications if len(look.chain) > 1} == {"trusted"}


def by_default(evidence: Evidence, _lab: Lab) -> bool:
    """Whether a name that the server cannot know gets the site as well."""
    strangers = list(http(evidence).of("random_host"))
    return bool(strangers) and {e.title for e in strangers} == {"Shop"} <= {e.title for e in fronts(evidence)}


def elsewhere(evidence: Evidence, _lab: Lab) -> bool:
    """Whether a public resolver is given another address."""
    assert evidence.dns
    own = {host: set(found.addresses) for host, found in dns(evidence).items()}
    return {p.resolver for p in evidence.dns.public if set(p.a.records) != own[p.host]} == {"9.9.9.9"}


def upgraded(evidence: Evidence, _lab: Lab) -> bool:
    """Whether the page loads over plain HTTP but for the policy that it sends."""
    page = next(e for e in fronts(evidence) if e.status == 200)
    return "http://cdn.example/a.js" in page.body and page.header("content-security-policy") is not None


HEALTHY = (
    Variant("apex canonical", "shop.test", ends_at("shop.test")),
    Variant("www canonical", "www.shop-www.test", ends_at("www.shop-www.test")),
    Variant(
        "IPv4 only",
        "ipv4-only.test",
        lambda seen, _: {(h.a.status, h.aaaa.status) for h in dns(seen).values()} == {("ok", "nodata")},
    ),
    Variant("www absent", "no-www.test", lambda seen, _: dns(seen)["www.no-www.test"].a.status == "nxdomain"),
    Variant("www absent, declared", "no-www-declared.test", lambda seen, _: [*dns(seen)] == ["no-www-declared.test"]),
    Variant("several equal addresses", "two-addresses.test", several_equal),
    Variant(
        "wildcard",
        "wildcard.test",
        lambda seen, _: {leaf.dns_names for _, leaf in served(seen)} == {("*.wildcard.test", "wildcard.test")},
    ),
    Variant("ECDSA only", "ecdsa-only.test", refuses("-sigalgs RSA+SHA256:RSA-PSS+SHA256")),
    Variant("TLS 1.3 only", "tls13-only.test", refuses("")),
    Variant("308", "permanent-308.test", lambda seen, _: {e.status for e in fronts(seen, "http")} == {308}),
    Variant("ACME path exempt from the redirect", "acme.test", challenged(secure=False)),
    Variant("ACME path redirected", "acme-issued.test", challenged(secure=True)),
    Variant("6-day certificate", "six-days.test", lives(7)),
    Variant("6-day certificate over ACME", "acme-six-days.test", lives(7)),
    Variant(
        "IDN", "xn--bcher-kva.test", lambda seen, _: seen.site.name == "xn--bcher-kva.test" == next(iter(dns(seen)))
    ),
    Variant(
        "HEAD refused",
        "head-refused.test",
        lambda seen, lab: lab.run(f"curl -sI https://{seen.site.name}/").startswith("HTTP/2 405"),
    ),
    Variant("health 204", "health-204.test", answers("/health", 204)),
    Variant("health 301", "health-301.test", answers("/health", 301)),
    Variant("expired cross-sign with a valid path", "cross-signed.test", crossed),
    Variant("default server on purpose", "only-site.test", by_default),
    Variant("upgrade-insecure-requests", "upgraded-content.test", upgraded),
    Variant(
        "links only",
        "links-only.test",
        lambda seen, _: (
            len(re.findall("http://old.example", next(e.body for e in fronts(seen) if e.status == 200))) > 3
        ),
    ),
    Variant("geographic DNS", "geographic.test", elsewhere),
    Variant(
        "CNAME www",
        "provider.test",
        lambda seen, _: dns(seen)["www.provider.test"].a.cnames == ("web.hosting.test",),
    ),
)


each = pytest.mark.parametrize(
    ("variant", "scenario"), [(variant, SITES[variant.site]) for variant in HEALTHY], ids=[v.name for v in HEALTHY]
)


@each
def test_it_is_what_its_name_says(variant: Variant, scenario: Scenario, lab: Lab, seen: Mapping[str, Seen]) -> None:
    """A variant cannot pass by accident: the evidence shows what makes it one."""
    assert variant.is_so(seen[scenario.name].evidence, lab)


@each
def test_it_raises_no_alarm(variant: Variant, scenario: Scenario, seen: Mapping[str, Seen]) -> None:
    """No error and no warning, and that after everything was looked at."""
    report = seen[scenario.name].report
    assert [(f.code, f.subject, f.observed) for f in report.findings if f.severity != "notice"] == []
    assert report.status in ("ok", "notice")
    assert [e for e in report.not_assessed if e.code.startswith(FROM_OUTSIDE)] == []
    record = {one.step: one.status for one in report.checklist if one.step in PASSED}
    assert record == dict.fromkeys(PASSED, "pass")


def test_each_is_named_once() -> None:
    """More than twenty, and none twice under another name."""
    assert (
        len({variant.name for variant in HEALTHY}) == len({variant.site for variant in HEALTHY}) == len(HEALTHY) > 20
    )
