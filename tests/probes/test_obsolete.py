"""Obsolete versions in the evidence: each asked at each address, and what could not be asked said to be so."""

import functools
import ssl

import pytest
import trustme
from padlock.evidence import Failure, ObsoleteOffer, Tls
from padlock.network import limits

from tests import old_tls
from tests.servers import Authority, closes, pages, reply, silence, stage

PAGE = pages({"/": reply(200, "shop")})


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CONNECT_SECONDS", "TLS_SECONDS", "HEADERS_SECONDS", "BANNER_SECONDS"):
        monkeypatch.setattr(limits, name, 0.5)


def taken(tls: Tls | None) -> dict[tuple[str, str], ObsoleteOffer]:
    """Return address and version → how it was taken."""
    assert tls
    return {(offer.address, offer.version): offer for offer in tls.obsolete}


async def test_a_modern_server_takes_none() -> None:
    """Every version is refused, at every address, beside an ordinary look."""
    hosts = {"example.com": ("127.0.0.1", "127.0.0.2")}
    async with stage(PAGE, PAGE, hosts=hosts) as lab:
        seen = taken((await lab.gather()).tls)
    versions = ("SSLv3", "TLSv1", "TLSv1.1")
    assert set(seen) == {(address, version) for address in hosts["example.com"] for version in versions}
    assert all(not offer.accepted and offer.detail and offer.failure is None for offer in seen.values())


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
async def test_obsolete_versions_beside_modern_ones_are_seen() -> None:
    """A browser gets TLS 1.3; that TLS 1.0 and 1.1 are spoken as well shows all the same."""
    authority = Authority()
    context = authority.context(key_type=trustme.KeyType.RSA)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1
    async with stage(PAGE, tls=context, authority=authority) as lab:
        evidence = await lab.gather()
    seen = taken(evidence.tls)
    assert evidence.tls
    assert {look.protocol for look in evidence.tls.named()} == {"TLSv1.3"}
    assert [seen["127.0.0.1", version].accepted for version in ("SSLv3", "TLSv1", "TLSv1.1")] == [False, True, True]


async def test_ssl_3_is_seen_although_openssl_cannot_speak_it() -> None:
    """The browser's handshake fails over the version; the one that the server has is named."""
    old = functools.partial(old_tls.serve, version=0x0300, certificate=b"certificate")
    async with stage(old, plain_https=True) as lab:
        evidence = await lab.gather()
    seen = taken(evidence.tls)
    assert seen["127.0.0.1", "SSLv3"] == ObsoleteOffer(
        "example.com", "127.0.0.1", lab.site.ports.https, "SSLv3", accepted=True, cipher="AES256-SHA"
    )
    assert not seen["127.0.0.1", "TLSv1"].accepted
    assert evidence.tls
    failure = next(evidence.tls.named()).failure
    assert failure
    assert (failure.kind, failure.detail) == ("tls", "unsupported protocol")


async def test_silence_and_closed_ports_are_no_answer() -> None:
    """Nothing answers, or nothing listens: neither accepted nor refused. Hanging up is a refusal."""
    async with stage(silence, plain_https=True) as lab:
        assert {o.failure for o in taken((await lab.gather()).tls).values()} == {Failure("timeout", "tls")}
    async with stage() as lab:
        assert {o.failure for o in taken((await lab.gather()).tls).values()} == {Failure("refused")}
    async with stage(closes, plain_https=True) as lab:
        assert {o.failure for o in taken((await lab.gather()).tls).values()} == {None}


async def test_what_the_deadline_cut_off_is_said() -> None:
    """The run ends while the server is silent: every version stands as not looked at."""
    async with stage(silence, plain_https=True, deadline=0.3) as lab:
        offers = taken((await lab.gather()).tls).values()
    assert {offer.failure for offer in offers} == {Failure("deadline")}
    assert len(offers) == 3
