"""A browser's ClientHello by hand: OpenSSL takes it for one, and its answers are read for what they are."""

import ssl
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from padlock.network.browser_hello import Answer, ask, client_hello, read_answer
from padlock.network.connection import connect
from padlock.network.failure import NetworkFailure

from tests.old_tls import alert, message, record
from tests.servers import LOOPBACK, Authority, Script, closes, context_of, listen, listen_alerting, sends, silence


async def asked(tls: ssl.SSLContext) -> Answer:
    """Return how a server with this context takes a browser's offer."""
    with listen_alerting(tls) as port:
        connection = await connect("127.0.0.1", port, LOOPBACK)
        try:
            return await ask(connection, "example.com")
        finally:
            connection.close()


def tls12(ciphers: str, *protocols: str, kind: trustme.KeyType = trustme.KeyType.RSA) -> ssl.SSLContext:
    """Return a context of TLS 1.2 with these suites and application protocols."""
    context = Authority().context("example.com", key_type=kind)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(ciphers)
    context.set_alpn_protocols(list(protocols))
    return context


@pytest.mark.parametrize("kind", list(trustme.KeyType))
async def test_a_modern_server_has_something(kind: trustme.KeyType) -> None:
    """TLS 1.3 with either kind of key is consent."""
    assert await asked(Authority().context("example.com", key_type=kind)) == Answer()


async def test_another_key_share_is_consent() -> None:
    """A server that wants P-384 asks for it with a HelloRetryRequest: browsers send it."""
    context = Authority().context("example.com")
    context.set_ecdh_curve("secp384r1")
    assert await asked(context) == Answer()


@pytest.mark.parametrize(
    ("ciphers", "kind"),
    [
        ("ECDHE-RSA-AES128-GCM-SHA256", trustme.KeyType.RSA),
        ("ECDHE-ECDSA-CHACHA20-POLY1305", trustme.KeyType.ECDSA),
        ("ECDHE-RSA-AES256-SHA384:ECDHE-RSA-AES128-GCM-SHA256", trustme.KeyType.RSA),
    ],
)
async def test_suites_that_browsers_know(ciphers: str, kind: trustme.KeyType) -> None:
    """TLS 1.2 alone will do, also with HTTP/2, and also where the server would rather have another suite."""
    assert await asked(tls12(ciphers, "h2", kind=kind)) == Answer()


@pytest.mark.parametrize("ciphers", ["ECDHE-RSA-AES128-SHA256", "AES128-CCM", "ECDHE-RSA-CAMELLIA128-SHA256"])
async def test_suites_that_no_browser_offers(ciphers: str) -> None:
    """CBC with SHA-2, CCM, Camellia: the server says that it has nothing in common."""
    assert await asked(tls12(ciphers)) == Answer(refusal="handshake_failure")


async def test_a_group_that_no_browser_offers() -> None:
    """P-521 is no key exchange of theirs, under TLS 1.3 either."""
    context = Authority().context("example.com")
    context.set_ecdh_curve("secp521r1")
    assert (await asked(context)).refusal == "handshake_failure"


@pytest.fixture
def ed25519() -> Iterator[ssl.SSLContext]:
    """Return a server's context with nothing but an Ed25519 certificate."""
    with tempfile.TemporaryDirectory() as directory:
        pem = Path(directory, "both.pem")
        words = "openssl req -x509 -newkey ed25519 -nodes -days 9 -subj /CN=x -addext subjectAltName=DNS:example.com"
        made = [*words.split(), "-keyout", str(pem), "-out", f"{pem}.certificate"]
        subprocess.run(made, check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(f"{pem}.certificate", pem)
        yield context


async def test_a_key_that_no_browser_takes(ed25519: ssl.SSLContext) -> None:
    """Programs shake hands with an Ed25519 certificate; browsers have no signature algorithm for it."""
    assert (await asked(ed25519)).refusal == "handshake_failure"


@pytest.mark.parametrize("cipher", ["ECDHE-RSA-AES128-SHA", "AES128-GCM-SHA256"])
async def test_suites_that_http2_forbids(cipher: str) -> None:
    """They serve HTTP/1.1; with HTTP/2 browsers end the connection."""
    assert await asked(tls12(cipher, "http/1.1")) == Answer()
    assert await asked(tls12(cipher)) == Answer()
    assert await asked(tls12(cipher, "h2")) == Answer(forbidden=cipher)


async def test_both_kinds_of_key() -> None:
    """A server with two certificates has one for browsers whatever the other is."""
    ca = trustme.CA()
    leaves = [ca.issue_cert("example.com", key_type=kind) for kind in trustme.KeyType]
    assert await asked(context_of(*leaves)) == Answer()


@pytest.mark.parametrize(
    "script", [closes, sends(b"HTTP/1.1 400 No\r\n\r\n", read=False), sends(alert(0x0303, 80), read=False)]
)
async def test_what_tells_nothing(script: Script) -> None:
    """A server that leaves, speaks no TLS or has a fault of its own says nothing of what browsers get."""
    async with listen(script) as port:
        connection = await connect("127.0.0.1", port, LOOPBACK)
        try:
            assert await ask(connection, "example.com") == Answer()
        finally:
            connection.close()


async def test_silence_leaves_it_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever never answers has not refused."""
    monkeypatch.setattr("padlock.network.limits.TLS_SECONDS", 0.3)
    async with listen(silence) as port:
        connection = await connect("127.0.0.1", port, LOOPBACK)
        try:
            with pytest.raises(NetworkFailure):
                await ask(connection, "example.com")
        finally:
            connection.close()


def test_answers_that_break_the_grammar() -> None:
    """Cut, empty and endless vectors are read without an exception, and prove nothing."""
    hello = record(22, 0x0303, message(2, b"\x03\x03" + bytes(32) + b"\xff"))
    assert read_answer(hello) == Answer()
    assert read_answer(record(22, 0x0303, message(2, b""))) == Answer()
    assert read_answer(b"") is None
    assert read_answer(b"\x16\x03\x03\xff\xff") is None
    whole = b"\x03\x03" + bytes(32) + b"\x00" + b"\xc0\x2f\x00" + b"\xff\xff" + b"\x00\x10\xff\xff\x00"
    assert read_answer(record(22, 0x0303, message(2, whole))) is None
    assert read_answer(record(22, 0x0303, message(2, whole) + message(14, b""))) == Answer()


def test_a_hello_is_longer_than_a_packet() -> None:
    """As those of browsers with a hybrid key share are; what cannot take that fails for them too."""
    hello = client_hello("example.com")
    assert 1_400 < len(hello) < 2_000
    assert b"\x11\xec" + (1216).to_bytes(2) in hello


def test_every_hello_is_another() -> None:
    """Nothing of it repeats that could let servers resume."""
    assert client_hello("example.com") != client_hello("example.com")
    assert b"example.com" in client_hello("example.com")
