"""The way to a trust anchor: trust, completeness, order and strength."""

from datetime import timedelta
from typing import Any

import pytest
from padlock import evidence as ev
from padlock.findings import Severity

from tests.evidence_builder import (
    INTERMEDIATE,
    LEAF,
    NOW,
    ROOT,
    certificate,
    change,
    codes,
    fires,
    healthy,
    intermediate,
    silent,
    unassessed,
    with_leaf,
    with_trust,
)

ISSUER, TOP = "CN=R11,O=Let's Encrypt,C=US", "CN=ISRG Root X1,O=Internet Security Research Group,C=US"
STRANGER, TWIN = "8" * 64, "7" * 64


def sent(*chain: ev.Certificate, status: ev.TrustStatus = "trusted", **fields: Any) -> ev.Evidence:
    """Return a site that sends these certificates to everybody."""
    evidence = healthy()
    assert evidence.tls
    digests = tuple(each.sha256 for each in chain)
    looks = tuple(change(look, chain=digests) for look in evidence.tls.handshakes)
    verification = ev.Verification(digests, status, path_not_after=NOW + timedelta(days=80), **fields)
    known = {each.sha256: each for each in chain}
    return change(evidence, tls=ev.Tls(looks, known, (verification,)))


def root(**fields: Any) -> ev.Certificate:
    """Return the trust anchor's own certificate."""
    return intermediate(
        **{"subject": TOP, "issuer": TOP, "is_self_signed": True, "common_name": "ISRG Root X1", **fields}
    )


def named(made: ev.Certificate, sha256: str) -> ev.Certificate:
    """Return the certificate under another digest."""
    return change(made, sha256=sha256)


SELF: dict[str, Any] = {"issuer": "CN=example.com", "is_self_signed": True}


@pytest.mark.parametrize(
    ("status", "leaf", "fields", "said"),
    [
        ("self_signed", SELF, {}, "self-signed: CN=example.com"),
        ("unknown_issuer", {"issuer": "CN=Acme Inc CA"}, {}, "issued by CN=Acme Inc CA"),
        ("unknown_issuer", {"issuer": "CN=(STAGING) Counterfeit Cashew R10"}, {}, "staging authority"),
        ("unknown_issuer", {"issuer": "CN=Pebble Intermediate CA 3f2a"}, {}, "staging authority"),
        ("unknown_issuer", {"issuer": "CN=Fake LE Intermediate X1"}, {}, "staging authority"),
        (
            "invalid",
            {},
            {"detail": "unsupported certificate purpose"},
            "not acceptable: unsupported certificate purpose",
        ),
        ("self_signed", {**SELF, "subject": "CN=ssl-cert-snakeoil"}, {}, "snakeoil"),
        ("self_signed", {**SELF, "subject": "CN=TRAEFIK DEFAULT CERT"}, {}, "Traefik's default"),
    ],
)
def test_untrusted_names_its_cause(
    status: ev.TrustStatus, leaf: dict[str, Any], fields: dict[str, Any], said: str
) -> None:
    """Each way of not being trusted is named."""
    finding = fires("certificate.untrusted", sent(certificate(**leaf), status=status, **fields))
    assert finding.severity is Severity.ERROR
    assert said in finding.observed


def test_untrusted_snakeoil_by_its_shape() -> None:
    """Debian's snakeoil has the machine's name only and lives for ten years; others are not called so."""
    own = {**SELF, "subject": "CN=web1", "common_name": "web1", "dns_names": ("web1",)}
    decade: dict[str, Any] = {"not_before": NOW - timedelta(days=650), "not_after": NOW + timedelta(days=3000)}
    assert (
        "snakeoil"
        in fires("certificate.untrusted", sent(certificate(**own, **decade), status="self_signed")).observed
    )
    assert "snakeoil" not in fires("certificate.untrusted", sent(certificate(**own), status="self_signed")).observed


def test_untrusted_private_authority() -> None:
    """An unknown authority is told how to be declared; where one is declared, that it is another one."""
    assert "private_ca" in fires("certificate.untrusted", with_trust(healthy(), "unknown_issuer")).remediation
    pem = "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"
    evidence = with_trust(healthy({"name": "example.com", "private_ca": pem}), "unknown_issuer")
    assert "declared private_ca" in fires("certificate.untrusted", evidence).observed


def test_untrusted_self_signed_root_sent_along() -> None:
    """A private root that is sent along is named as the unknown authority, not the leaf as self-signed."""
    observed = fires(
        "certificate.untrusted", sent(certificate(), intermediate(), named(root(), ROOT), status="self_signed")
    ).observed
    assert observed.startswith(f"issued by {TOP}")


@pytest.mark.parametrize("private", [False, True])
def test_trusted(*, private: bool) -> None:
    """Chains to a public root and to the declared private authority are trusted."""
    silent("certificate.untrusted", with_trust(healthy(), "trusted", private=private))


@pytest.mark.parametrize("status", ["expired", "incomplete", "weak"])
def test_untrusted_leaves_the_rest_to_others(status: ev.TrustStatus) -> None:
    """What only expired, lacks an intermediate or is weak has a code of its own."""
    silent("certificate.untrusted", with_trust(healthy(), status))


def test_trust_not_assessed() -> None:
    """A chain that was not verified is neither trusted nor untrusted."""
    evidence = healthy()
    assert evidence.tls
    unverified = change(evidence, tls=change(evidence.tls, verifications=()))
    for code in ("certificate.untrusted", "certificate.incomplete_chain", "certificate.chain_order"):
        assert "verified" in unassessed(code, unverified)


def test_incomplete_chain() -> None:
    """A missing intermediate is named, and nothing else is told of that chain."""
    evidence = sent(certificate(), status="incomplete", missing_issuer=ISSUER)
    finding = fires("certificate.incomplete_chain", evidence)
    assert finding.observed.startswith(f"1 certificate sent, without the intermediate {ISSUER}")
    assert "fullchain.pem" in finding.remediation
    assert {c for c in codes(evidence) if c.startswith("certificate.")} == {"certificate.incomplete_chain"}


def test_complete_chain() -> None:
    """A chain that verifies as sent is complete, without its root too."""
    silent("certificate.incomplete_chain", healthy())
    silent("certificate.incomplete_chain", with_trust(healthy(), "self_signed"))


@pytest.mark.parametrize(
    ("chain", "said"),
    [
        (
            (certificate(), named(root(issuer="CN=Old Root", is_self_signed=False), ROOT), intermediate()),
            "out of order",
        ),
        ((certificate(), named(root(), ROOT), intermediate()), "certificate 2, CN=ISRG Root X1"),
        ((certificate(), certificate(), intermediate()), "sent twice"),
        (
            (certificate(), intermediate(), named(intermediate(subject="CN=Else", issuer="CN=Other"), STRANGER)),
            "does not belong",
        ),
    ],
)
def test_chain_order(chain: tuple[ev.Certificate, ...], said: str) -> None:
    """A wrong order, a certificate sent twice and a stranger are warnings."""
    finding = fires("certificate.chain_order", sent(*chain))
    assert finding.severity is Severity.WARNING
    assert said in finding.observed


@pytest.mark.parametrize(
    "chain",
    [
        (certificate(), intermediate(), named(root(), ROOT)),
        (certificate(), intermediate(), named(intermediate(issuer="CN=Old Root"), TWIN)),
    ],
)
def test_chain_with_superfluous_certificates(chain: tuple[ev.Certificate, ...]) -> None:
    """A root, or a cross-signed twin for older clients, sent along is a notice."""
    assert fires("certificate.chain_order", sent(*chain)).severity is Severity.NOTICE


def test_chain_in_order() -> None:
    """Leaf and intermediate, a cross-signed root above them, and a leaf alone are in order."""
    silent("certificate.chain_order", healthy())
    cross = named(root(issuer="CN=DST Root CA X3", is_self_signed=False), ROOT)
    silent("certificate.chain_order", sent(certificate(), intermediate(), cross))
    silent("certificate.chain_order", sent(certificate(issuer=TOP)))


def test_chain_with_too_many_certificates() -> None:
    """More certificates than are kept make the chain untidy."""
    evidence = healthy()
    assert evidence.tls
    looks = tuple(change(look, chain_truncated=True) for look in evidence.tls.handshakes)
    found = fires("certificate.chain_order", change(evidence, tls=change(evidence.tls, handshakes=looks)))
    assert "more than 2 certificates" in found.observed


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"key_bits": 1024}, "RSA key of 1024 bits"),
        ({"key": "dsa", "key_bits": 2048}, "DSA"),
        ({"key": "ec", "key_bits": 192, "curve": "secp192r1"}, "secp192r1"),
        ({"key": "ec", "key_bits": 256, "curve": "secp256k1"}, "secp256k1"),
        ({"signature_hash": "sha1"}, "SHA1"),
        ({"signature_hash": "md5"}, "MD5"),
    ],
)
def test_weak(fields: dict[str, Any], said: str) -> None:
    """Short keys, curves that browsers do not know, and broken hashes are errors."""
    assert said in fires("certificate.weak", with_leaf(healthy(), **fields)).observed


@pytest.mark.parametrize(
    "fields",
    [
        {"key_bits": 2048},
        {"key_bits": 16_384},
        {"key": "ec", "key_bits": 256, "curve": "secp256r1"},
        {"key": "ec", "key_bits": 384, "curve": "secp384r1", "signature_hash": "sha384"},
        {"key": "ed25519", "key_bits": 256, "signature_hash": ""},
        {"signature_hash": "sha1", "is_self_signed": True},
    ],
)
def test_not_weak(fields: dict[str, Any]) -> None:
    """Current keys are fine; nobody checks the signature that a certificate makes under itself."""
    silent("certificate.weak", with_leaf(healthy(), **fields))


def test_weak_intermediate() -> None:
    """An intermediate of the path is judged; a SHA-1 root sent along is not, nor is what the path does not use."""
    path = ("CN=example.com", ISSUER, TOP)
    weak = sent(certificate(), intermediate(signature_hash="sha1"), path=path)
    assert "CN=R11" in fires("certificate.weak", weak).observed
    silent(
        "certificate.weak", sent(certificate(), intermediate(), named(root(signature_hash="sha1"), ROOT), path=path)
    )
    unused = named(intermediate(subject="CN=Else", signature_hash="sha1"), STRANGER)
    silent("certificate.weak", sent(certificate(), intermediate(), unused, path=path))


def test_weak_by_openssls_word() -> None:
    """What OpenSSL calls weak is told, though no single certificate sent shows it."""
    assert "too weak" in fires("certificate.weak", with_trust(healthy(), "weak", detail="CA md too weak")).observed


def test_leaf_and_intermediate_are_what_the_builder_says() -> None:
    """The healthy chain is the leaf and its issuer, so that the cases above break it in one place each."""
    assert (certificate().sha256, intermediate().sha256) == (LEAF, INTERMEDIATE)
    assert certificate().issuer == intermediate().subject == ISSUER
