"""Obsolete versions offered by hand, against servers that speak them, refuse them, or do worse."""

import asyncio
import functools
import ssl
import warnings

import pytest
import trustme
from padlock.network import limits
from padlock.network.connection import connect
from padlock.network.failure import NetworkFailure
from padlock.network.hello import (
    SUITES,
    VERSIONS,
    Answer,
    client_hello,
    listing_hello,
    offer,
    read_answer,
    read_refusal,
    refuses_list,
)

from tests import old_tls
from tests.servers import (
    LOOPBACK,
    Authority,
    Script,
    closes,
    listen,
    listen_alerting,
    pages,
    resets,
    sends,
    silence,
)

NUMBERS = {"SSLv3": 0x0300, "TLSv1": 0x0301, "TLSv1.1": 0x0302}
AES = 0x0035
DER = b"any certificate" * 200


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "TLS_SECONDS", 0.5)


async def offered(script: Script, version: str, tls: ssl.SSLContext | None = None) -> Answer:
    """Offer a version to a server."""
    async with listen(script, tls=tls) as port:
        connection = await connect("127.0.0.1", port, LOOPBACK)
        try:
            return await offer(connection, "example.com", version)
        finally:
            connection.close()


def old(version: str) -> Script:
    """Return a server that speaks one old version only."""
    return functools.partial(old_tls.serve, version=NUMBERS[version], certificate=DER)


def openssl(*versions: ssl.TLSVersion, key_type: trustme.KeyType = trustme.KeyType.RSA) -> ssl.SSLContext:
    """Return a context of OpenSSL's for these versions, as weak as old servers are."""
    context = Authority().context(key_type=key_type)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version, context.maximum_version = min(versions), max(versions)
    return context


@pytest.mark.parametrize("version", VERSIONS)
async def test_each_version_is_found_where_it_is_spoken(version: str) -> None:
    """A server of this version only accepts it, with a suite that was offered."""
    assert await offered(old(version), version) == Answer(accepted=True, cipher="AES256-SHA")


@pytest.mark.parametrize("key_type", trustme.KeyType)
@pytest.mark.parametrize("version", ["TLSv1", "TLSv1.1"])
async def test_openssl_itself_accepts_them(version: str, key_type: trustme.KeyType) -> None:
    """A real server with an RSA or an ECDSA key takes the ClientHello for a good one."""
    context = openssl(ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_3, key_type=key_type)
    answer = await offered(pages({}), version, context)
    assert answer.accepted
    assert answer.cipher.startswith("ECDHE-ECDSA" if key_type is trustme.KeyType.ECDSA else "ECDHE-RSA")


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_modern_server_refuses_them(version: str) -> None:
    """TLS 1.2 and 1.3 only: an alert, or the end of the connection."""
    answer = await offered(pages({}), version, openssl(ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3))
    assert not answer.accepted
    assert answer.detail


async def test_security_level_one_refuses_them() -> None:
    """OpenSSL 3 allows TLS 1.1 in its configuration and refuses it all the same, unless its level is zero."""
    context = openssl(ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_3)
    context.set_ciphers("DEFAULT:@SECLEVEL=1")
    assert not (await offered(pages({}), "TLSv1.1", context)).accepted


@pytest.mark.parametrize(
    ("spoken", "asked"),
    [("SSLv3", "TLSv1"), ("SSLv3", "TLSv1.1"), ("TLSv1", "TLSv1.1"), ("TLSv1", "SSLv3"), ("TLSv1.1", "TLSv1")],
)
async def test_an_answer_of_another_version_is_no_consent(spoken: str, asked: str) -> None:
    """A server that goes down to an older version, or knows only newer ones, does not speak the one asked."""
    answer = await offered(old(spoken), asked)
    assert not answer.accepted
    assert ("another version" in answer.detail) == (NUMBERS[spoken] < NUMBERS[asked]), answer


@pytest.mark.parametrize(
    ("sent", "detail"),
    [
        (old_tls.alert(0x0301, 70), "the alert protocol_version"),
        (old_tls.alert(0x0301, 40), "the alert handshake_failure"),
        (old_tls.alert(0x0301, 250), "the alert 250"),
        (old_tls.flight(0x0301, 0x1301, DER), "a ServerHello with a cipher that was not offered"),
        (old_tls.flight(0x0301, 0x00FF, DER), "a ServerHello with a cipher that was not offered"),
        (old_tls.record(22, 0x0301, old_tls.message(2, b"\x03\x01")), "no ServerHello"),
        (old_tls.record(22, 0x0301, old_tls.message(11, DER)), "no ServerHello"),
        (old_tls.record(23, 0x0301, b"data"), "a record that belongs to no handshake"),
        (
            old_tls.record(22, 0x0301, old_tls.server_hello(0x0301, AES)) + old_tls.alert(0x0301, 80),
            "the alert internal_error",
        ),
        (old_tls.record(22, 0x0301, old_tls.server_hello(0x0301, AES)), "the connection is closed"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "no TLS is spoken"),
        (b"", "the connection is closed"),
    ],
)
async def test_what_is_no_consent(sent: bytes, detail: str) -> None:
    """Alerts, broken ServerHellos, and one that an alert or the end follows: the version is not offered."""
    assert await offered(sends(sent, read=False), "TLSv1") == Answer(accepted=False, detail=detail)


@pytest.mark.parametrize(("script", "detail"), [(resets, "the connection is reset"), (closes, "the connection is")])
async def test_hanging_up_is_a_refusal(script: Script, detail: str) -> None:
    """Firewalls and load balancers end the connection without an alert."""
    answer = await offered(script, "TLSv1")
    assert not answer.accepted
    assert answer.detail.startswith(detail)


async def test_a_warning_before_the_server_hello_is_passed_by() -> None:
    """Servers warn that they do not know the name, and go on (RFC 6066 section 3)."""
    warning = old_tls.record(21, 0x0301, b"\x01\x70")
    assert (await offered(sends(warning + old_tls.flight(0x0301, AES, DER), read=False), "TLSv1")).accepted


@pytest.mark.parametrize(
    "script", [silence, sends(old_tls.record(22, 0x0301, old_tls.server_hello(0x0301, AES)), read=False, hold=True)]
)
async def test_silence_leaves_it_open(script: Script) -> None:
    """Nothing, or nothing behind the ServerHello: it is not known, and it takes its time and no longer."""
    with pytest.raises(NetworkFailure, match="timeout"):
        await asyncio.wait_for(offered(script, "TLSv1"), 3)


async def test_an_endless_flight_is_bounded() -> None:
    """A server that never stops sending certificates ends the look, not the memory."""
    flood = old_tls.record(22, 0x0301, old_tls.server_hello(0x0301, AES) + old_tls.message(11, bytes(60_000)))
    answer = await asyncio.wait_for(offered(sends(*[flood] * 20, read=False), "TLSv1"), 3)
    assert answer == Answer(accepted=False, detail="a flight without end")


def test_drops_and_pieces_are_read_alike() -> None:
    """However the octets arrive, the judgement waits for the end of the flight and is the same."""
    whole = old_tls.flight(0x0300, AES, DER)
    assert {read_answer(whole[:size], "SSLv3") for size in range(len(whole))} == {None}
    assert read_answer(whole, "SSLv3") == Answer(accepted=True, cipher="AES256-SHA")


@pytest.mark.parametrize("version", VERSIONS)
def test_the_client_hello_asks_for_one_version(version: str) -> None:
    """Lengths agree, the version stands in it, every suite once, and a name only where the version has extensions."""
    hello = client_hello(version, "example.com")
    assert int.from_bytes(hello[3:5]) == len(hello) - 5
    assert int.from_bytes(hello[6:9]) == len(hello) - 9
    assert hello[9:11] == VERSIONS[version]
    assert (b"example.com" in hello) == (version != "SSLv3")
    assert int.from_bytes(hello[44:46]) == 2 * (len(SUITES) + 1)


async def refused(port: int) -> bool:
    """Offer the list of versions to a server."""
    connection = await connect("127.0.0.1", port, LOOPBACK)
    try:
        return await refuses_list(connection, "example.com")
    finally:
        connection.close()


@pytest.mark.parametrize("key_type", trustme.KeyType)
@pytest.mark.parametrize("maximum", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_modern_server_refuses_the_list(maximum: ssl.TLSVersion, key_type: trustme.KeyType) -> None:
    """TLS 1.2 and 1.3 only: one alert for both versions, with TLS 1.3 switched off as well."""
    with listen_alerting(openssl(ssl.TLSVersion.TLSv1_2, maximum, key_type=key_type)) as port:
        assert await refused(port)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(
    "gaps", [0, ssl.OP_NO_TLSv1, ssl.OP_NO_TLSv1_1, ssl.OP_NO_TLSv1_1 | ssl.OP_NO_TLSv1_3], ids=hex
)
async def test_a_server_with_either_does_not_refuse_the_list(gaps: int) -> None:
    """TLS 1.0 without TLS 1.1, or the other way round, or both."""
    context = openssl(ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_3)
    context.options |= gaps
    with listen_alerting(context) as port:
        assert not await refused(port)


@pytest.mark.parametrize(
    "sent",
    [
        old_tls.alert(0x0303, 40),
        old_tls.record(21, 0x0303, b"\x01\x46"),
        old_tls.record(21, 0x0303, b"\x01\x70") + old_tls.alert(0x0303, 70),
        old_tls.record(22, 0x0303, old_tls.server_hello(0x0303, 0xC014)) + old_tls.alert(0x0303, 70),
        old_tls.record(22, 0x0303, b"") + old_tls.alert(0x0303, 70),
        old_tls.flight(0x0301, AES, DER),
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
    ],
)
async def test_whatever_else_comes_is_no_refusal_of_the_list(sent: bytes) -> None:
    """Another alert, one behind a ServerHello, a server that passes the list over: it may speak them."""
    async with listen(sends(sent, read=False)) as port:
        assert not await refused(port)


@pytest.mark.parametrize("script", [silence, closes, resets])
async def test_silence_and_hanging_up_are_no_refusal_of_the_list(script: Script) -> None:
    """Nothing is said of the versions."""
    async with listen(script) as port:
        with pytest.raises(NetworkFailure, match=r"timeout|closed|reset"):
            await refused(port)


def test_a_dripped_refusal_is_read_once_it_is_whole() -> None:
    """Octet by octet."""
    sent = old_tls.alert(0x0303, 70)
    assert [read_refusal(sent[:size]) for size in range(len(sent) + 1)] == [None] * len(sent) + [True]


def test_the_list_names_tls_1_1_and_tls_1_0() -> None:
    """Lengths agree, the version beside it is that of TLS 1.2 (RFC 8446 section 4.1.2), and the name is there."""
    hello = listing_hello("example.com")
    assert int.from_bytes(hello[3:5]) == len(hello) - 5
    assert int.from_bytes(hello[6:9]) == len(hello) - 9
    assert hello[9:11] == b"\x03\x03"
    assert hello.endswith(b"\x00\x2b\x00\x05\x04\x03\x02\x03\x01")
    assert b"example.com" in hello
