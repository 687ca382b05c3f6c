"""Looks at the certificate of each kind: a first flight counts only where a whole handshake would show the same."""

import ssl
from collections import Counter
from collections.abc import Callable

import pytest
import trustme
from padlock.assess import assess
from padlock.evidence import Evidence, Handshake
from padlock.network import limits

from tests.hellos import hearing, refusing
from tests.old_tls import alert, message, record
from tests.servers import Authority, Script, context_of, listen_alerting, stage

KEY, DONE = message(12, b"\x03\x00\x17no point"), message(14, b"")
RSA_SUITE, ECDSA_SUITE = 0xC02F, 0xC02B


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CONNECT_SECONDS", "TLS_SECONDS", "HEADERS_SECONDS", "BANNER_SECONDS"):
        monkeypatch.setattr(limits, name, 0.5)


def flight(suite: int, *chain: bytes) -> bytes:
    """Return a first flight of TLS 1.2 that no client can go on with: its key is none."""
    entries = b"".join(len(der).to_bytes(3) + der for der in chain)
    secure = b"\x00\x05\xff\x01\x00\x01\x00"  # renegotiation_info
    hello = message(2, b"\x03\x03" + bytes(32) + b"\x00" + suite.to_bytes(2) + b"\x00" + secure)
    return record(22, 0x0303, hello + message(11, len(entries).to_bytes(3) + entries) + KEY + DONE)


def der(leaf: trustme.LeafCert) -> bytes:
    """Return a leaf as sent."""
    return ssl.PEM_cert_to_DER_cert(leaf.cert_chain_pems[0].bytes().decode())


async def looked_at(
    answer: Callable[[str], bytes | Script | None], context: ssl.SSLContext, authority: Authority
) -> tuple[Evidence, Counter[str]]:
    """Look at a server that hears each hello first; return what is seen, and how often each kind was heard."""
    heard: list[str] = []
    with listen_alerting(context) as port:
        async with stage(hearing(answer, port, heard), plain_https=True, authority=authority) as lab:
            return await lab.gather(), Counter(heard)


def named(evidence: Evidence) -> list[Handshake]:
    """Return the handshakes that visitors may meet."""
    assert evidence.tls
    return list(evidence.tls.named())


def keys(evidence: Evidence) -> list[str]:
    """Return the keys of the leaves that visitors may meet."""
    assert evidence.tls
    return sorted(leaf.key for look in evidence.tls.named() if (leaf := evidence.tls.leaf(look)))


@pytest.mark.parametrize("kind", trustme.KeyType)
async def test_one_flight_of_each_kind_is_asked_for(kind: trustme.KeyType) -> None:
    """A server with one certificate: a look at each kind, one of which it refuses, and h2 is learned."""
    authority = Authority()
    context = authority.context(key_type=kind)
    context.set_alpn_protocols(["h2", "http/1.1"])
    evidence, heard = await looked_at(lambda _: None, context, authority)
    assert (heard["rsa"], heard["ecdsa"]) == (1, 1)
    assert [(look.alpn, look.failure) for look in named(evidence)] == [("h2", None)]


async def test_the_other_certificate_is_judged() -> None:
    """Its chain is verified as that of the main look is."""
    authority = Authority()
    leaves = [authority.ca.issue_cert("example.com", key_type=kind) for kind in trustme.KeyType]
    evidence, heard = await looked_at(lambda _: None, context_of(*leaves), authority)
    assert (heard["rsa"], heard["ecdsa"]) == (1, 1)
    assert keys(evidence) == ["ec", "rsa"]
    assert [look.protocol for look in named(evidence)] == ["TLSv1.3", "TLSv1.2"]
    assert evidence.tls
    assert [look.status for look in evidence.tls.verifications] == ["trusted", "trusted"]


@pytest.mark.parametrize(("mode", "more"), [(ssl.CERT_OPTIONAL, ["ec", "rsa"]), (ssl.CERT_REQUIRED, [])])
async def test_where_a_client_certificate_is_asked_for_the_whole_handshake_counts(
    mode: ssl.VerifyMode, more: list[str]
) -> None:
    """A server that insists shows its other certificate to nobody without one."""
    authority = Authority()
    context = context_of(*(authority.ca.issue_cert("example.com", key_type=kind) for kind in trustme.KeyType))
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = mode
    authority.ca.configure_trust(context)
    evidence, heard = await looked_at(lambda _: None, context, authority)
    assert (heard["rsa"], heard["ecdsa"]) == (2, 2)
    worked = [look for look in named(evidence) if not look.failure]
    assert len(worked) == len(more)
    assert not more or keys(evidence) == more


@pytest.mark.parametrize("suite", [RSA_SUITE, ECDSA_SUITE])
@pytest.mark.parametrize("what", ["no certificate", "a leaf of the other kind", "eleven certificates"])
async def test_a_doubtful_flight_shows_nothing_unless_the_whole_handshake_works(what: str, suite: int) -> None:
    """Octets that are no certificate, a key of the other kind, more certificates than are read."""
    authority = Authority()
    rsa, ecdsa = (der(authority.ca.issue_cert("example.com", key_type=kind)) for kind in trustme.KeyType)
    own, other = (rsa, ecdsa) if suite == RSA_SUITE else (ecdsa, rsa)
    chains = {
        "no certificate": (own, b"this is no certificate"),
        "a leaf of the other kind": (other,),
        "eleven certificates": (own,) * 11,
    }
    kind = "rsa" if suite == RSA_SUITE else "ecdsa"
    said = flight(suite, *chains[what])
    other_kind = trustme.KeyType.ECDSA if kind == "rsa" else trustme.KeyType.RSA
    context = authority.context(key_type=other_kind)
    evidence, heard = await looked_at(lambda asked: said if asked == kind else None, context, authority)
    assert heard[kind] == 2
    assert len(named(evidence)) == 1
    assert keys(evidence) == ["ec" if kind == "rsa" else "rsa"]


async def test_a_server_that_completes_no_handshake_is_not_saved_by_its_first_flight() -> None:
    """The main look fails: what a flight begins, the whole handshake has to end."""
    authority = Authority()
    rsa = der(authority.ca.issue_cert("example.com", key_type=trustme.KeyType.RSA))
    scripted = {"today": alert(0x0303, 80), "rsa": flight(RSA_SUITE, rsa), "ecdsa": alert(0x0303, 40)}
    evidence, heard = await looked_at(scripted.get, authority.context(), authority)
    assert heard["rsa"] == 2
    assert all(look.failure for look in named(evidence))
    assert "tls.handshake_failed" in [finding.code for finding in assess(evidence).findings]


async def test_a_server_that_fails_browsers_alone_shows_its_certificate() -> None:
    """A whole handshake of TLS 1.2 works where the main look does not."""
    authority = Authority()
    evidence, heard = await looked_at(refusing("today", number=80), authority.context(), authority)
    assert heard["ecdsa"] == 2
    assert [(look.protocol, look.failure is None) for look in named(evidence)] == [("", False), ("TLSv1.2", True)]
