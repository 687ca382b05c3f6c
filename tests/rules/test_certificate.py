"""Dates, names and form of what is served, with the clock of the evidence."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from padlock import evidence as ev
from padlock.findings import Severity

from tests.evidence_builder import (
    ADDRESS,
    HOSTS,
    INTERMEDIATE,
    LEAF,
    NOW,
    certificate,
    change,
    codes,
    fires,
    handshake,
    healthy,
    intermediate,
    report,
    silent,
    unassessed,
    with_address,
    with_handshakes,
    with_leaf,
    with_trust,
)

OTHER = "9" * 64


def days(count: float) -> datetime:
    """Return the time that many days from now; negative: ago."""
    return NOW + timedelta(days=count)


def lasting(lifetime: float, remaining: float, declaration: str | dict[str, Any] = "example.com") -> ev.Evidence:
    """Return a site whose certificate lives for `lifetime` days and has `remaining` days left."""
    evidence = with_leaf(healthy(declaration), not_before=days(remaining - lifetime), not_after=days(remaining))
    return with_trust(evidence, "trusted", path_not_after=days(remaining))


def two_leaves(host: str, address: str, leaf: ev.Certificate) -> ev.Evidence:
    """Return a site of two addresses where one of them serves another leaf to one host."""
    evidence = with_address(healthy(), address, host)
    assert evidence.tls
    known = {**evidence.tls.certificates, leaf.sha256: leaf}
    chain = (leaf.sha256, INTERMEDIATE)
    look = change(evidence.tls.verifications[0], chain=chain)
    tls = change(evidence.tls, certificates=known, verifications=(*evidence.tls.verifications, look))
    return with_handshakes(change(evidence, tls=tls), host, address, chain=chain)


def test_expired() -> None:
    """One finding for each host, with how long ago and the date in UTC; nothing about it expiring soon."""
    evidence = with_trust(lasting(90, -3), "expired", path_not_after=days(-3))
    finding = fires("certificate.expired", evidence)
    assert (finding.severity, finding.subject) == (Severity.ERROR, "example.com")
    assert finding.observed.startswith("expired 3 days ago, on 2026-11-17 12:00 UTC")
    assert ADDRESS in finding.observed
    assert [c for c in codes(evidence) if c.startswith("certificate.")] == ["certificate.expired"] * 2


def test_expired_at_one_address() -> None:
    """Of several addresses the odd one is named: a server that was forgotten at the renewal."""
    stale = certificate(OTHER, not_before=days(-100), not_after=days(-10))
    finding = fires("certificate.expired", two_leaves("example.com", "93.184.215.77", stale))
    assert finding.subject == "example.com at 93.184.215.77"


def test_expired_beside_a_good_one_of_another_kind() -> None:
    """An expired ECDSA leaf beside a good RSA one at the same address is found."""
    evidence = healthy()
    assert evidence.tls
    stale = certificate(OTHER, key="ec", key_bits=256, curve="secp256r1", not_after=days(-1))
    looks = (*evidence.tls.handshakes, handshake("example.com", chain=(OTHER, INTERMEDIATE)))
    tls = change(evidence.tls, handshakes=looks, certificates={**evidence.tls.certificates, OTHER: stale})
    assert fires("certificate.expired", change(evidence, tls=tls)).subject == "example.com"


def test_expired_intermediate() -> None:
    """A path that only an expired intermediate breaks is named as that, and not as untrusted."""
    evidence = with_trust(healthy(), "expired", path=("CN=example.com", "CN=R11"), path_not_after=days(-5))
    assert evidence.tls
    stale = {**evidence.tls.certificates, INTERMEDIATE: intermediate(not_after=days(-5))}
    evidence = change(evidence, tls=change(evidence.tls, certificates=stale))
    assert "the intermediate CN=R11" in fires("certificate.expired", evidence).observed
    assert "certificate.untrusted" not in codes(evidence)


def test_expired_cross_sign_beside_a_valid_path() -> None:
    """An expired cross-signed certificate that was sent along harms nobody while the chain is trusted."""
    evidence = healthy()
    assert evidence.tls
    old = intermediate(not_after=days(-400))
    silent(
        "certificate.expired",
        change(evidence, tls=change(evidence.tls, certificates={LEAF: certificate(), INTERMEDIATE: old})),
    )


def test_not_yet_valid() -> None:
    """A certificate from the future names its date, and is not told as expired or untrusted too."""
    evidence = with_leaf(healthy(), not_before=days(2), not_after=days(92))
    evidence = with_trust(evidence, "expired", path_not_after=days(92))
    assert "only from 2026-11-22 12:00 UTC, in 2 days" in fires("certificate.not_yet_valid", evidence).observed
    assert {c for c in codes(evidence) if c.startswith("certificate.")} == {"certificate.not_yet_valid"}


def test_valid_from_now_on() -> None:
    """The first and the last second are within the validity."""
    silent("certificate.not_yet_valid", with_leaf(healthy(), not_before=NOW))
    silent("certificate.expired", with_leaf(healthy(), not_after=NOW + timedelta(seconds=1)))
    fires("certificate.expired", with_leaf(healthy(), not_after=NOW))


def test_not_yet_valid_intermediate() -> None:
    """An intermediate from the future spoils the path as well."""
    evidence = with_trust(healthy(), "expired", path=(intermediate().subject,), path_not_after=days(80))
    assert evidence.tls
    early = {**evidence.tls.certificates, INTERMEDIATE: intermediate(not_before=days(1))}
    evidence = change(evidence, tls=change(evidence.tls, certificates=early))
    assert "the intermediate CN=R11" in fires("certificate.not_yet_valid", evidence).observed
    assert "certificate.expired" not in codes(evidence)


@pytest.mark.parametrize(
    ("lifetime", "remaining", "severity"),
    [
        (90, 27.9, Severity.WARNING),  # past two thirds and two days
        (90, 9.1, Severity.WARNING),
        (90, 8.9, Severity.ERROR),  # the last tenth
        (90, 0.1, Severity.ERROR),
        (6.67, 2.4, Severity.WARNING),  # past one half and the grace
        (6.67, 0.6, Severity.ERROR),
        (47, 13.6, Severity.WARNING),
        (198, 27.9, Severity.WARNING),  # ACM renews 45 days before the end
        (398, 27.9, Severity.WARNING),
        (398, 13, Severity.ERROR),
    ],
)
def test_expiring(lifetime: float, remaining: float, severity: Severity) -> None:
    """The remaining time is judged by the lifetime."""
    finding = fires("certificate.expiring", lasting(lifetime, remaining))
    assert finding.severity is severity
    assert "works today" in finding.impact


@pytest.mark.parametrize(
    ("lifetime", "remaining"),
    [(90, 80), (90, 30), (90, 29.1), (6.67, 6.6), (6.67, 3), (47, 16), (198, 44), (398, 31)],
)
def test_not_expiring(lifetime: float, remaining: float) -> None:
    """A fresh certificate of any lifetime, and one that its client renews just now, are fine."""
    silent("certificate.expiring", lasting(lifetime, remaining))


def test_expiring_by_the_sites_own_threshold() -> None:
    """A declared number of days replaces the last tenth."""
    declaration = {"name": "example.com", "thresholds": {"certificate_days": 40}}
    assert fires("certificate.expiring", lasting(90, 39, declaration)).severity is Severity.ERROR
    silent("certificate.expiring", lasting(90, 41, declaration))
    relaxed = {"name": "example.com", "thresholds": {"certificate_days": 2}}
    assert fires("certificate.expiring", lasting(90, 5, relaxed)).severity is Severity.WARNING


def test_expiring_issuer() -> None:
    """The earliest expiry of the verified path counts."""
    finding = fires("certificate.expiring", with_trust(healthy(), "trusted", path_not_after=days(5)))
    assert finding.observed.startswith("its issuer's certificate expires in 5 days")


def test_a_refused_certificate_does_not_expire_soon() -> None:
    """What browsers refuse anyway is told as untrusted only."""
    evidence = with_trust(lasting(90, 5), "self_signed")
    silent("certificate.expiring", evidence)


@pytest.mark.parametrize(
    "names",
    [
        ("example.com",),
        ("*.example.com", "example.org"),
        ("*.www.example.com", "*.com"),
        ("www.example.com\\x00.evil.example",),
        ("*.example.com\\x00.evil.example",),
        ("w*.example.com",),
        ("*",),
        (),
    ],
)
def test_name_mismatch(names: tuple[str, ...]) -> None:
    """Neither the apex's name, nor a wildcard of another depth or kind, nor an escaped NUL covers both hosts."""
    finding = fires("certificate.name_mismatch", with_leaf(healthy(), dns_names=names))
    assert finding.severity is Severity.ERROR


@pytest.mark.parametrize(
    "names",
    [
        HOSTS,
        ("EXAMPLE.com", "WWW.Example.COM"),
        ("example.com", "*.example.com"),
        ("*.example.com", "example.com", "x"),
        ("example.com.", "*.example.com."),
    ],
)
def test_names_match(names: tuple[str, ...]) -> None:
    """Exact names in any case, and a wildcard for one label, cover; a trailing dot is left out, as browsers do."""
    silent("certificate.name_mismatch", with_leaf(healthy(), dns_names=names))


def test_international_names_match() -> None:
    """Names are compared as A-labels; a raw U-label in a certificate covers nothing."""
    evidence = healthy({"name": "bücher.example", "hosts": ["bücher.example"]})
    assert evidence.dns
    assert evidence.tls
    host = "xn--bcher-kva.example"
    evidence = change(
        evidence,
        dns=change(evidence.dns, hosts=(change(evidence.dns.hosts[0], host=host),)),
        tls=change(evidence.tls, handshakes=(handshake(host), handshake(host, sni=""))),
    )
    silent("certificate.name_mismatch", with_leaf(evidence, dns_names=(host,)))
    silent("certificate.name_mismatch", with_leaf(evidence, dns_names=("*.example", host)))
    fires("certificate.name_mismatch", with_leaf(evidence, dns_names=("bücher.example",)))


def test_name_mismatch_ignores_the_common_name() -> None:
    """A common name does not count, and the finding says so."""
    finding = fires("certificate.name_mismatch", with_leaf(healthy(), dns_names=()))
    assert 'the common name "example.com" does not count' in finding.observed


def test_name_mismatch_ignores_addresses() -> None:
    """An IP SAN covers no host name."""
    leaf = {"dns_names": (), "ip_addresses": (ADDRESS,)}
    assert ADDRESS in fires("certificate.name_mismatch", with_leaf(healthy(), **leaf)).observed


def test_name_mismatch_tells_the_fix() -> None:
    """A certificate for some of the hosts is expanded; one for strangers points at server_name."""
    some = fires("certificate.name_mismatch", with_leaf(healthy(), dns_names=("example.com",)))
    assert (some.subject, some.observed) == (
        "www.example.com",
        f"covers example.com, not www.example.com (at {ADDRESS})",
    )
    assert "--expand -d example.com -d www.example.com" in some.remediation
    strange = fires("certificate.name_mismatch", with_leaf(healthy(), dns_names=("other.example",)))
    assert "`server_name example.com;`" in strange.remediation


def test_name_mismatch_lists_a_few_names() -> None:
    """Of many names 20 are shown, and how many more there are."""
    names = tuple(f"host{number}.example" for number in range(100))
    observed = fires("certificate.name_mismatch", with_leaf(healthy(), dns_names=names)).observed
    assert "host19.example and 80 more" in observed
    assert "host20.example" not in observed


def test_name_mismatch_not_assessed() -> None:
    """Beyond the names that are kept, and in a certificate that cannot be parsed, a name may still stand."""
    many = with_leaf(healthy(), dns_names=("a.example",), dns_name_count=5000)
    assert "5000 names" in unassessed("certificate.name_mismatch", many)
    assert "parsed" in unassessed("certificate.name_mismatch", broken_leaf())


def test_certificates_not_assessed() -> None:
    """A failed handshake is no finding about certificates, and not a pass."""
    failed = with_handshakes(healthy(), chain=(), failure=ev.Failure("alert", "handshake_failure"))
    for code in ("expired", "not_yet_valid", "expiring", "name_mismatch", "untrusted", "incomplete_chain", "weak"):
        assert "handshake failed" in unassessed(f"certificate.{code}", failed)


def test_one_address_not_assessed() -> None:
    """An address that was not seen is named, while the others are judged and the step passes."""
    evidence = with_address(healthy())
    states = tuple(change(s, failure=ev.Failure("no_route")) if ":" in s.address else s for s in evidence.ports or ())
    blind = with_handshakes(change(evidence, ports=states), address="", chain=(LEAF, INTERMEDIATE))
    assert blind.tls
    seen = tuple(look for look in blind.tls.handshakes if ":" not in look.address)
    blind = change(blind, tls=change(blind.tls, handshakes=seen))
    assert "no route" in unassessed("certificate.expired", blind)
    assert report(blind).checklist[7].status == "pass"


def default_leaf(**fields: Any) -> ev.Evidence:
    """Return a site whose server has another certificate for handshakes without SNI."""
    evidence = with_handshakes(healthy(), sni=False, chain=(OTHER,))
    assert evidence.tls
    other = certificate(OTHER, **{"subject": "CN=other.example", "dns_names": ("other.example",), **fields})
    return change(evidence, tls=change(evidence.tls, certificates={**evidence.tls.certificates, OTHER: other}))


def test_default_differs() -> None:
    """Another default certificate is a notice, and judged by no other rule."""
    evidence = default_leaf(not_after=days(-100), key_bits=1024, is_self_signed=True)
    finding = fires("certificate.default_differs", evidence)
    assert (finding.severity, finding.subject) == (Severity.NOTICE, "example.com")
    assert {c for c in codes(evidence) if c.startswith("certificate.")} == {"certificate.default_differs"}


def test_default_does_not_differ() -> None:
    """The same certificate, one for the same hosts, and a server that refuses such handshakes are fine."""
    silent("certificate.default_differs", healthy())
    silent("certificate.default_differs", default_leaf(dns_names=HOSTS, key="ec"))
    refused: dict[str, Any] = {"chain": (), "failure": ev.Failure("alert", "unrecognized_name")}
    silent("certificate.default_differs", with_handshakes(healthy(), sni=False, **refused))


def broken_leaf() -> ev.Evidence:
    """Return a site whose leaf cannot be parsed."""
    evidence = with_trust(healthy(), "invalid")
    assert evidence.tls
    leaf = ev.Certificate(LEAF, "", "", "", size=900, malformed="invalid length")
    return change(evidence, tls=change(evidence.tls, certificates={**evidence.tls.certificates, LEAF: leaf}))


def test_malformed() -> None:
    """A leaf that cannot be parsed is one finding for each host; everything else about it is not assessed."""
    evidence = broken_leaf()
    assert "certificate 1 of the chain: invalid length" in fires("certificate.malformed", evidence).observed
    assert {c for c in codes(evidence) if c.startswith(("certificate.", "tls."))} == {"certificate.malformed"}
    silent("certificate.malformed", healthy())


@pytest.mark.parametrize(
    ("code", "detail"),
    [
        ("certificate.malformed", "malformed certificate (asn1 lib)"),
        ("certificate.too_large", "certificate message larger than clients accept (excessive message size)"),
    ],
)
def test_handshakes_that_break_over_a_certificate(code: str, detail: str) -> None:
    """A handshake that our own TLS library refuses over the certificate is told as that only."""
    evidence = with_handshakes(healthy(), chain=(), failure=ev.Failure("tls", detail), confirmed=True)
    assert detail in fires(code, evidence).observed
    assert {c for c in codes(evidence) if c.startswith(("certificate.", "tls."))} == {code}


@pytest.mark.parametrize("fields", [{"size": 250_000}, {"dns_name_count": 10_000}])
def test_too_large(fields: dict[str, int]) -> None:
    """A certificate message over 100 KiB, and 10,000 names, are more than clients take."""
    fires("certificate.too_large", with_leaf(healthy(), **fields))


@pytest.mark.parametrize("fields", [{"size": 30_000, "dns_name_count": 1_000}, {"key_bits": 16_384, "size": 4_000}])
def test_not_too_large(fields: dict[str, int]) -> None:
    """1,000 names and a key of 16,384 bits pass."""
    silent("certificate.too_large", with_leaf(healthy(), **fields))


def test_expected_date_follows_the_declared_threshold() -> None:
    """A certificate that that is an error by the site's own number of days is late since that day."""
    declaration = {"name": "example.com", "thresholds": {"certificate_days": 60}}
    finding = fires("certificate.expiring", lasting(90, 50, declaration))
    due = f"{NOW - timedelta(days=10):%Y-%m-%d %H:%M} UTC"
    assert finding.expected == f"renewed by {due} (60 days before its end, as declared)"
