"""The handshake: failed, asking for a certificate, or without HTTP/2."""

from typing import Any

import pytest
from padlock import evidence as ev
from padlock.findings import Severity

from tests.evidence_builder import (
    ADDRESS,
    change,
    codes,
    fires,
    handshake,
    healthy,
    report,
    silent,
    unassessed,
    with_address,
    with_handshakes,
    with_obsolete,
    with_port,
)

SECOND = "93.184.215.77"


def failing(kind: ev.FailureKind, detail: str = "", *, confirmed: bool = True, address: str = "") -> ev.Evidence:
    """Return a site of two addresses whose handshakes fail, at all or one of them."""
    evidence = with_address(with_address(healthy(), SECOND), SECOND, "www.example.com")
    failed: dict[str, Any] = {"failure": ev.Failure(kind, detail), "confirmed": confirmed, "chain": (), "alpn": ""}
    return with_handshakes(evidence, address=address, **failed)


@pytest.mark.parametrize(
    ("kind", "detail", "said"),
    [
        ("alert", "unrecognized_name", "the alert unrecognized_name: the server knows no site of that name"),
        ("alert", "handshake_failure", "no common version, cipher or certificate"),
        ("alert", "internal_error", "certificate or key that it cannot read"),
        ("alert", "bad_record_mac", "the alert bad_record_mac"),
        ("timeout", "tls", "nothing answers the ClientHello"),
        ("reset", "tls", "reset during the handshake"),
        ("closed", "tls", "closed during the handshake"),
        ("tls", "dh key too small", "dh key too small"),
    ],
)
def test_handshake_failed_names_how(kind: ev.FailureKind, detail: str, said: str) -> None:
    """Each way of failing is named, with the alert's name or the point that it reached; one finding for each host."""
    evidence = failing(kind, detail)
    finding = fires("tls.handshake_failed", evidence)
    assert (finding.severity, finding.subject) == (Severity.ERROR, "example.com")
    assert said in finding.observed
    assert f"{ADDRESS} and {SECOND}" in finding.observed
    assert [c for c in codes(evidence) if c.startswith(("tls.", "certificate.", "port."))] == [
        "tls.handshake_failed"
    ] * 2


def test_handshake_failed_at_one_address() -> None:
    """The odd one of several addresses is named."""
    found = fires("tls.handshake_failed", failing("alert", "internal_error", address=SECOND))
    assert found.subject == f"example.com at {SECOND}"


def test_handshake_works() -> None:
    """A handshake that works is fine, and so is an address where a further offer alone found nothing."""
    silent("tls.handshake_failed", healthy())
    evidence = healthy()
    assert evidence.tls
    extra = handshake("example.com", failure=ev.Failure("alert", "handshake_failure"), chain=())
    silent(
        "tls.handshake_failed",
        change(evidence, tls=change(evidence.tls, handshakes=(*evidence.tls.handshakes, extra))),
    )


@pytest.mark.parametrize("kind", ["timeout", "reset", "closed"])
def test_handshake_failed_once(kind: ev.FailureKind) -> None:
    """Silence and resets need a second look."""
    unassessed("tls.handshake_failed", failing(kind, "tls", confirmed=False))


@pytest.mark.parametrize("kind", ["deadline", "internal", "no_route", "not_vetted"])
def test_handshake_not_assessed(kind: ev.FailureKind) -> None:
    """A fault of ours is no fault of the site."""
    unassessed("tls.handshake_failed", failing(kind))


def test_handshake_behind_a_closed_port() -> None:
    """A closed port is told as that, once."""
    evidence = with_port(
        with_handshakes(healthy(), failure=ev.Failure("timeout", "connect"), chain=()), "https", "timeout"
    )
    assert "port 443" in unassessed("tls.handshake_failed", evidence)
    assert [c for c in codes(evidence) if c.startswith(("tls.", "certificate."))] == []


def test_client_certificate_required() -> None:
    """A demanded client certificate is a notice; the handshake that fails for it is no second finding."""
    evidence = with_handshakes(
        healthy(), client_certificate=True, failure=ev.Failure("alert", "certificate_required")
    )
    assert fires("tls.client_certificate_required", evidence).severity is Severity.NOTICE
    assert "tls.handshake_failed" not in codes(evidence)


def test_client_certificate_not_required() -> None:
    """A server that takes anybody is fine; a failed handshake does not tell."""
    silent("tls.client_certificate_required", healthy())
    unassessed("tls.client_certificate_required", failing("timeout", "tls"))


def test_no_http2() -> None:
    """A server that answers an offer of h2 with HTTP/1.1 is a notice."""
    assert fires("tls.no_http2", with_handshakes(healthy(), alpn="http/1.1")).severity is Severity.NOTICE


def test_http2() -> None:
    """One handshake that selects h2 is enough, whatever the others offered."""
    silent("tls.no_http2", healthy())
    evidence = healthy()
    assert evidence.tls
    plain = tuple(handshake(look.host, alpn="http/1.1") for look in evidence.tls.named())
    silent("tls.no_http2", change(evidence, tls=change(evidence.tls, handshakes=(*plain, *evidence.tls.handshakes))))


def test_http2_not_assessed() -> None:
    """Where nothing offered h2 it is not known."""
    assert "offers h2" in unassessed("tls.no_http2", with_handshakes(healthy(), alpn=""))


OBSOLETE = "tls.obsolete_protocol"


@pytest.mark.parametrize(("version", "name"), [("SSLv3", "SSL 3.0"), ("TLSv1", "TLS 1.0"), ("TLSv1.1", "TLS 1.1")])
def test_obsolete_protocol(version: str, name: str) -> None:
    """An obsolete version beside modern ones is a warning that names it and the suite chosen."""
    finding = fires("tls.obsolete_protocol", with_obsolete(healthy(), version))
    assert (finding.severity, finding.subject) == (Severity.WARNING, "example.com")
    assert finding.observed == f"accepts {name} (ECDHE-RSA-AES256-SHA), beside TLSv1.3 (at {ADDRESS})"


def test_obsolete_protocol_of_several_versions() -> None:
    """All of them stand in one finding, the oldest first."""
    observed = fires(OBSOLETE, with_obsolete(with_obsolete(healthy(), "TLSv1.1"), "TLSv1", cipher="RC4-SHA")).observed
    assert observed.startswith("accepts TLS 1.0 (RC4-SHA) and TLS 1.1 (ECDHE-RSA-AES256-SHA), beside TLSv1.3")


def test_obsolete_protocol_at_one_address() -> None:
    """The odd one of several addresses is named."""
    evidence = with_obsolete(with_address(healthy(), SECOND), "TLSv1", SECOND)
    assert fires(OBSOLETE, evidence).subject == f"example.com at {SECOND}"


def test_only_obsolete_protocols() -> None:
    """Where browsers themselves get an obsolete version, or none at all, it is an error, and not another code's."""
    got = with_handshakes(healthy(), protocol="TLSv1.1", cipher="AES256-SHA")
    finding = fires("tls.obsolete_protocol", got)
    assert (finding.severity, "nothing newer" in finding.observed) == (Severity.ERROR, True)
    for kind, detail in (("tls", "unsupported protocol"), ("alert", "protocol_version"), ("closed", "tls")):
        failure = ev.Failure(kind, detail)  # type: ignore[arg-type]  # one of its kinds
        refused = with_handshakes(healthy(), failure=failure, confirmed=True, chain=(), alpn="", protocol="")
        evidence = with_obsolete(refused, "SSLv3")
        assert fires("tls.obsolete_protocol", evidence).severity is Severity.ERROR
        assert "tls.handshake_failed" not in codes(evidence)
        assert "tls.handshake_failed" in codes(refused)


def test_another_failure_beside_an_obsolete_protocol() -> None:
    """A server whose TLS fails for another reason keeps that finding; what it accepts is told beside it."""
    evidence = with_obsolete(failing("alert", "internal_error", address=ADDRESS), "TLSv1")
    assert {"tls.handshake_failed", "tls.obsolete_protocol"} <= set(codes(evidence))
    assert fires(OBSOLETE, evidence).severity is Severity.WARNING


def test_no_obsolete_protocol() -> None:
    """A server that refuses every obsolete version is fine."""
    silent("tls.obsolete_protocol", healthy())


def test_obsolete_protocol_not_assessed() -> None:
    """Silence to one version leaves that version open; today's TLS is not doubted for it."""
    timeout: dict[str, Any] = {"accepted": False, "cipher": "", "failure": ev.Failure("timeout", "tls")}
    evidence = with_obsolete(healthy(), "SSLv3", **timeout)
    reason = unassessed("tls.obsolete_protocol", evidence)
    assert reason.startswith("SSL 3.0: ")
    assert next(row.status for row in report(evidence).checklist if row.step == 10) == "pass"
    beside = with_obsolete(evidence, "TLSv1")
    assert "TLS 1.0" in fires("tls.obsolete_protocol", beside).observed


def test_obsolete_protocol_not_offered() -> None:
    """Evidence without such offers tells nothing."""
    evidence = healthy()
    assert evidence.tls
    older = change(evidence, tls=change(evidence.tls, obsolete=()))
    assert "not offered" in unassessed("tls.obsolete_protocol", older)


def test_obsolete_protocol_behind_a_closed_port() -> None:
    """Where nothing could be offered, the way to the port says why."""
    evidence = healthy()
    for version in ("SSLv3", "TLSv1", "TLSv1.1"):
        refused: dict[str, Any] = {"accepted": False, "cipher": "", "failure": ev.Failure("refused")}
        evidence = with_obsolete(evidence, version, **refused)
    evidence = with_handshakes(evidence, failure=ev.Failure("refused"), chain=())
    assert "refused" in unassessed("tls.obsolete_protocol", evidence)
