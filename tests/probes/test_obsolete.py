"""Obsolete versions in the evidence: each asked at each address, and what could not be asked said to be so."""

import functools
import ssl
from collections import Counter
from collections.abc import Callable, Mapping

import pytest
import trustme
from padlock.assess import assess
from padlock.evidence import Evidence, Failure, ObsoleteOffer, Tls
from padlock.network import limits

from tests import old_tls
from tests.hellos import hearing, refusing
from tests.servers import Authority, Script, closes, listen_alerting, pages, reply, resets, silence, stage

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


VERSIONS = ("SSLv3", "TLSv1", "TLSv1.1")
ONE = {"example.com": ("127.0.0.1",)}


def modern(authority: Authority) -> ssl.SSLContext:
    """Return a context of TLS 1.2 and 1.3."""
    return authority.context(key_type=trustme.KeyType.RSA)


def with_old(authority: Authority) -> ssl.SSLContext:
    """Return a context of everything from TLS 1.0 on."""
    context = modern(authority)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    return context


async def looked_at(
    answer: Callable[[str], bytes | Script | None],
    server: Callable[[Authority], ssl.SSLContext] = modern,
    hosts: Mapping[str, tuple[str, ...]] = ONE,
) -> tuple[Evidence, Counter[str]]:
    """Look at a server that hears each hello first; return what is seen, and how often each kind was heard."""
    authority, heard = Authority(), list[str]()
    with listen_alerting(server(authority)) as port:
        async with stage(hearing(answer, port, heard), plain_https=True, authority=authority, hosts=hosts) as lab:
            return await lab.gather(), Counter(heard)


def spoken(evidence: Evidence) -> list[str]:
    """Return the versions that are accepted."""
    return sorted(version for (_, version), offer in taken(evidence.tls).items() if offer.accepted)


def codes(evidence: Evidence) -> dict[str, str]:
    """Return what is held against its TLS, and how much."""
    return {each.code: str(each.severity) for each in assess(evidence).findings if each.code.startswith("tls.")}


async def test_a_modern_server_is_asked_twice_and_not_three_times() -> None:
    """Both versions of TLS are refused at once; the evidence is that of a refusal of each."""
    evidence, heard = await looked_at(lambda _: None)
    seen = taken(evidence.tls)
    assert [seen["127.0.0.1", version].detail for version in VERSIONS[1:]] == ["the alert protocol_version"] * 2
    assert all(not offer.accepted and offer.failure is None for offer in seen.values())
    assert (heard["SSLv3"], heard["list"], heard["TLSv1"], heard["TLSv1.1"]) == (1, 1, 0, 0)


async def test_ssl_3_is_offered_once_at_an_address() -> None:
    """It has no SNI: every host at an address meets the same default server, and each has the answer."""
    old = functools.partial(old_tls.serve, version=0x0300, certificate=b"certificate")
    hosts = {"example.com": ("127.0.0.1", "127.0.0.2"), "www.example.com": ("127.0.0.1",)}
    evidence, heard = await looked_at(lambda kind: old if kind == "SSLv3" else None, hosts=hosts)
    assert evidence.tls
    accepted = [(each.host, each.address) for each in evidence.tls.obsolete if each.accepted]
    assert sorted(accepted) == [(host, address) for host in sorted(hosts) for address in hosts[host]]
    assert {each.version for each in evidence.tls.obsolete if each.accepted} == {"SSLv3"}
    assert heard["SSLv3"] == 2


async def test_ssl_3_of_a_default_server_alone_is_found() -> None:
    """The named server is a modern one that refuses by protocol_version; who sends no name may still get SSL 3.0."""
    old = functools.partial(old_tls.serve, version=0x0300, certificate=b"certificate")
    evidence, _ = await looked_at(lambda kind: old if kind == "SSLv3" else None)
    assert spoken(evidence) == ["SSLv3"]
    assert codes(evidence)["tls.obsolete_protocol"] == "warning"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(
    ("gaps", "versions"),
    [
        (0, ["TLSv1", "TLSv1.1"]),
        (ssl.OP_NO_TLSv1_1, ["TLSv1"]),
        (ssl.OP_NO_TLSv1, ["TLSv1.1"]),
        (ssl.OP_NO_TLSv1_1 | ssl.OP_NO_TLSv1_3, ["TLSv1"]),
    ],
)
async def test_each_version_is_found_beside_gaps(gaps: int, versions: list[str]) -> None:
    """`ssl_protocols TLSv1 TLSv1.2;` and the like."""

    def context(authority: Authority) -> ssl.SSLContext:
        made = with_old(authority)
        made.options |= gaps
        return made

    evidence, heard = await looked_at(lambda _: None, context)
    assert spoken(evidence) == versions
    assert (heard["list"], heard["TLSv1"], heard["TLSv1.1"]) == (1, 1, 1)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
async def test_tls_1_0_is_found_where_tls_1_1_meets_protocol_version() -> None:
    """As GnuTLS has it where TLS 1.1 alone is off; without TLS 1.3 it passes the list over."""

    def context(authority: Authority) -> ssl.SSLContext:
        made = with_old(authority)
        made.maximum_version = ssl.TLSVersion.TLSv1_2
        return made

    old = functools.partial(old_tls.serve, version=0x0301, certificate=b"certificate")
    unread = functools.partial(old_tls.serve, version=0x0303, certificate=b"certificate")
    scripted: dict[str, bytes | Script] = {"TLSv1.1": old_tls.alert(0x0301, 70), "TLSv1": old, "list": unread}
    evidence, _ = await looked_at(scripted.get, context)
    assert spoken(evidence) == ["TLSv1"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(
    "answer",
    [closes, resets, silence, old_tls.alert(0x0303, 40), old_tls.alert(0x0303, 80), b"", b"HTTP/1.1 400 Bad\r\n\r\n"],
    ids=["closes", "resets", "silent", "handshake_failure", "internal_error", "ends", "http"],
)
async def test_any_other_answer_to_the_list_has_each_offered_alone(answer: bytes | Script) -> None:
    """Whatever a server or a firewall does with a list, what it speaks is found as if none had been sent."""
    evidence, heard = await looked_at(lambda kind: answer if kind == "list" else None, with_old)
    assert spoken(evidence) == ["TLSv1", "TLSv1.1"]
    assert (heard["TLSv1"], heard["TLSv1.1"]) == (1, 1)


async def test_a_server_that_hangs_up_on_old_hellos_refuses_each() -> None:
    """Without an alert each version is asked for, and each is a refusal of its own."""
    evidence, heard = await looked_at(lambda kind: closes if kind in (*VERSIONS, "list") else None)
    details = {offer.detail for offer in taken(evidence.tls).values()}
    assert details <= {"the connection is closed", "the connection is reset"}
    assert (heard["TLSv1"], heard["TLSv1.1"], heard["SSLv3"]) == (1, 1, 1)


async def test_a_server_that_no_newer_client_gets_on_with_is_found() -> None:
    """It refuses whatever is newer than TLS 1.0 by protocol_version: that proves nothing of TLS 1.0."""
    old = functools.partial(old_tls.serve, version=0x0301, certificate=b"certificate")
    evidence, _ = await looked_at(lambda kind: old if kind == "TLSv1" else old_tls.alert(0x0301, 70))
    assert spoken(evidence) == ["TLSv1"]
    assert codes(evidence) == {"tls.obsolete_protocol": "error"}


async def test_a_refusal_of_everything_is_no_refusal_of_the_list() -> None:
    """Where no browser gets in either, each version is asked for."""
    everything = ("today", "rsa", "ecdsa", "list", *VERSIONS)
    evidence, heard = await looked_at(refusing(*everything))
    assert spoken(evidence) == []
    assert (heard["TLSv1"], heard["TLSv1.1"]) == (1, 1)
    assert codes(evidence) == {"tls.handshake_failed": "error"}
