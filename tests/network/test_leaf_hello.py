"""The first flight of TLS 1.2, read for its certificates: it shows what a whole handshake of OpenSSL's does."""

import asyncio
import contextlib
import ssl
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trustme
from padlock.network import limits
from padlock.network.connection import Connection, Session, connect
from padlock.network.failure import NetworkFailure
from padlock.network.leaf_hello import SUITES, Flight, client_hello, look, read_flight
from padlock.network.leaves import Kind
from padlock.network.tls import asks_for_certificate, context

from tests.old_tls import alert, message, record
from tests.servers import (
    LOOPBACK,
    Script,
    closes,
    context_of,
    forever,
    free_port,
    listen,
    listen_alerting,
    resets,
    sends,
    silence,
)

KINDS: tuple[Kind, ...] = ("rsa", "ecdsa")
ODD = Flight()
DER = b"any certificate" * 20
NGINX = """
daemon off; master_process off; pid {directory}/nginx.pid; error_log stderr;
events {{ }}
http {{
  access_log off; client_body_temp_path {directory}; proxy_temp_path {directory};
  fastcgi_temp_path {directory}; uwsgi_temp_path {directory}; scgi_temp_path {directory};
  server {{
    listen 127.0.0.1:{port} ssl http2; server_name example.com; ssl_protocols TLSv1.2 TLSv1.3;
    ssl_certificate {directory}/RSA.pem; ssl_certificate_key {directory}/RSA.pem;
    ssl_certificate {directory}/ECDSA.pem; ssl_certificate_key {directory}/ECDSA.pem;
  }}
}}
"""


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "TLS_SECONDS", 1.0)


@contextlib.asynccontextmanager
async def connected(port: int) -> AsyncIterator[Connection]:
    """Open a connection to a server of the test's."""
    connection = await connect("127.0.0.1", port, LOOPBACK)
    try:
        yield connection
    finally:
        connection.close()


async def first_flight(port: int, kind: Kind) -> Session | str | None:
    """Return what the look shows, or how it fails."""
    async with connected(port) as connection:
        try:
            return await look(connection, "example.com", kind)
        except NetworkFailure as failure:
            return str(failure)


async def whole(port: int, kind: Kind) -> Session | str:
    """Return what OpenSSL's handshake with the same offer shows, or how it fails."""
    async with connected(port) as connection:
        try:
            return await connection.start_tls("example.com", kind)
        except NetworkFailure as failure:
            return str(failure)


def without_time(session: Session | str | None) -> object:
    """Return everything that two looks have in common."""
    if isinstance(session, Session):
        return session.protocol, session.cipher, session.alpn, session.chain, session.asks_for_certificate
    return session


def leaf(kind: trustme.KeyType) -> trustme.LeafCert:
    """Return a certificate with an intermediate."""
    return trustme.CA(key_type=trustme.KeyType.RSA).create_child_ca().issue_cert("example.com", key_type=kind)


def serving(*kinds: trustme.KeyType) -> ssl.SSLContext:
    """Return a context of TLS 1.2 and 1.3 with h2, and a certificate of each kind."""
    made = context_of(*(leaf(kind) for kind in kinds))
    made.set_alpn_protocols(["h2", "http/1.1"])
    return made


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "kinds", [[trustme.KeyType.RSA], [trustme.KeyType.ECDSA], list(trustme.KeyType)], ids=["rsa", "ecdsa", "both"]
)
async def test_it_shows_what_a_whole_handshake_shows(kind: Kind, kinds: list[trustme.KeyType]) -> None:
    """Suite, application protocol and the whole chain, or the same refusal."""
    with listen_alerting(serving(*kinds)) as port:
        seen = await first_flight(port, kind)
        assert without_time(seen) == without_time(await whole(port, kind))
    assert isinstance(seen, Session) == (trustme.KeyType[kind.upper()] in kinds)


@pytest.mark.parametrize("protocols", [[], ["http/1.1"], ["h2"]])
async def test_what_is_spoken_is_learned(protocols: list[str]) -> None:
    """A server without h2, and one without any choice."""
    made = context_of(leaf(trustme.KeyType.ECDSA))
    made.set_alpn_protocols(protocols)
    with listen_alerting(made) as port:
        seen = await first_flight(port, "ecdsa")
    assert isinstance(seen, Session)
    assert seen.alpn == "".join(protocols)


async def test_nginx_with_both_kinds_shows_both(tmp_path: Path) -> None:
    """Each look is given the leaf of its kind, with h2."""
    port = free_port()
    leaves = {kind: leaf(trustme.KeyType[kind.upper()]) for kind in KINDS}
    for kind, made in leaves.items():
        blobs = (made.private_key_pem, *made.cert_chain_pems)
        (tmp_path / f"{kind.upper()}.pem").write_bytes(b"".join(blob.bytes() for blob in blobs))
    (tmp_path / "nginx.conf").write_text(NGINX.format(directory=tmp_path, port=port))
    words = ("nginx", "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf"))
    nginx = await asyncio.create_subprocess_exec(*words, stderr=subprocess.DEVNULL)
    try:
        for _ in range(100):
            with contextlib.suppress(NetworkFailure):
                async with connected(port):
                    break
            await asyncio.sleep(0.05)
        for kind, made in leaves.items():
            seen = await first_flight(port, kind)
            assert isinstance(seen, Session)
            assert (seen.protocol, seen.alpn) == ("TLSv1.2", "h2")
            assert seen.chain == tuple(ssl.PEM_cert_to_DER_cert(pem.bytes().decode()) for pem in made.cert_chain_pems)
            assert without_time(seen) == without_time(await whole(port, kind))
    finally:
        nginx.kill()
        await nginx.wait()


async def test_ed25519_counts_as_ecdsa(tmp_path: Path) -> None:
    """As it does in OpenSSL's handshake."""
    words = "openssl req -x509 -newkey ed25519 -nodes -days 9 -subj /CN=x -addext subjectAltName=DNS:example.com"
    made = [*words.split(), "-keyout", str(tmp_path / "key"), "-out", str(tmp_path / "pem")]
    await (await asyncio.create_subprocess_exec(*made, stderr=subprocess.DEVNULL)).wait()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(tmp_path / "pem", tmp_path / "key")
    with listen_alerting(server) as port:
        seen = await first_flight(port, "ecdsa")
        assert isinstance(seen, Session)
        assert without_time(seen) == without_time(await whole(port, "ecdsa"))
        assert await first_flight(port, "rsa") == "alert(handshake_failure)"


async def test_a_server_of_tls_1_3_alone_refuses() -> None:
    """There the kind is asked for by signature algorithms."""
    made = serving(*trustme.KeyType)
    made.minimum_version = ssl.TLSVersion.TLSv1_3
    with listen_alerting(made) as port:
        assert {await first_flight(port, kind) for kind in KINDS} == {"alert(protocol_version)"}


@pytest.mark.parametrize("mode", [ssl.CERT_OPTIONAL, ssl.CERT_REQUIRED])
async def test_whether_a_client_certificate_is_demanded_a_whole_handshake_tells(mode: ssl.VerifyMode) -> None:
    """A request for one looks alike in both cases."""
    made = serving(trustme.KeyType.RSA)
    made.verify_mode = mode
    with listen_alerting(made) as port:
        assert await first_flight(port, "rsa") is None


async def test_a_long_chain_comes_in_many_records() -> None:
    """60 KB of certificates: OpenSSL cuts them into records of 16 KB, and TCP into what it likes."""
    ca = trustme.CA(key_type=trustme.KeyType.ECDSA)
    names = [f"host{number}.example.com" for number in range(900)]
    made = ca.issue_cert(*names, key_type=trustme.KeyType.ECDSA)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    blobs = (made.private_key_pem, made.cert_chain_pems[0], made.cert_chain_pems[0], made.cert_chain_pems[0])
    with trustme.Blob(b"".join(blob.bytes() for blob in blobs)).tempfile() as file:
        server.load_cert_chain(file)
    with listen_alerting(server) as port:
        seen = await first_flight(port, "ecdsa")
        assert isinstance(seen, Session)
        assert sum(map(len, seen.chain)) > 50_000
        assert without_time(seen) == without_time(await whole(port, "ecdsa"))


@pytest.mark.parametrize(
    ("script", "failures"),
    [
        (silence, {"timeout(tls)"}),
        (closes, {"closed(tls)", "reset(tls)"}),
        (resets, {"reset(tls)"}),
        (sends(b"HTTP/1.1 400 Bad Request\r\n\r\n", read=False), {"not_tls(HTTP/1.1 400 Bad Request)"}),
        (sends(alert(0x0303, 250), read=False), {"alert(alert 250)"}),
        (forever(b"", b"\x16\x03\x03\x00\x01\x02", 0.01), {"timeout(tls)"}),
        (sends(*[record(22, 0x0303, message(2, bytes(50)))[:9] + bytes(40_000)] * 4, read=False), {"None"}),
    ],
    ids=["silent", "closes", "resets", "http", "alert", "drips", "junk"],
)
async def test_whatever_comes_is_one_observation(script: Script, failures: set[str]) -> None:
    """Silence, another protocol and broken records end within the time."""
    began = asyncio.get_running_loop().time()
    async with listen(script) as port:
        assert str(await first_flight(port, "rsa")) in failures
    assert asyncio.get_running_loop().time() - began < 3


def hello(
    version: bytes = b"\x03\x03", suite: int = 0xC02F, extensions: bytes = b"", session: bytes = b"\x04sess"
) -> bytes:
    """Return a ServerHello."""
    body = version + bytes(32) + session + suite.to_bytes(2) + b"\x00" + len(extensions).to_bytes(2) + extensions
    return message(2, body)


def certificates(*ders: bytes, more: int = 0) -> bytes:
    """Return a Certificate message; `more` makes its inner length wrong."""
    entries = b"".join(len(der).to_bytes(3) + der for der in ders)
    return message(11, (len(entries) + more).to_bytes(3) + entries)


KEY, REQUEST, DONE = message(12, b"key"), message(13, b"asks"), message(14, b"")
WHOLE = hello() + certificates(DER, DER) + KEY + DONE


def in_records(flight: bytes, size: int = 16_384) -> bytes:
    """Return a flight in records of so many octets."""
    return b"".join(record(22, 0x0303, flight[at : at + size]) for at in range(0, len(flight), size))


@pytest.mark.parametrize("size", [3, 100, 16_384])
def test_drops_and_pieces_are_read_alike(size: int) -> None:
    """However records and packets cut the flight, it is read once it is whole, and not before."""
    sent = in_records(WHOLE, size)
    assert {read_flight(sent[:end], "rsa") for end in range(len(sent))} == {None}
    assert read_flight(sent, "rsa") == Flight("ECDHE-RSA-AES128-GCM-SHA256", "", (DER, DER))


@pytest.mark.parametrize(
    "flight",
    [
        hello(version=b"\x03\x02") + certificates(DER) + KEY + DONE,
        hello(suite=0xC02B) + certificates(DER) + KEY + DONE,
        hello(suite=0x009C) + certificates(DER) + KEY + DONE,
        hello(session=b"\xff") + certificates(DER) + KEY + DONE,
        hello(extensions=b"\x00\x2b\x00\x02\x03\x04") + certificates(DER) + KEY + DONE,
        hello(extensions=b"\x00\x10\x00\x05\x00\x03\x02h3") + certificates(DER) + KEY + DONE,
        hello(extensions=b"\x00\x10\x00\x06\x00\x03\x02h2h") + certificates(DER) + KEY + DONE,
        hello() + certificates() + KEY + DONE,
        hello() + certificates(DER, more=1) + KEY + DONE,
        hello() + certificates(DER, more=-1) + KEY + DONE,
        hello() + certificates(bytes(110_000)) + KEY + DONE,
        hello() + certificates(DER) + DONE,
        hello() + certificates(DER) + KEY + REQUEST + DONE,
        hello() + KEY + certificates(DER) + DONE,
        certificates(DER) + hello() + KEY + DONE,
        message(2, b"") + certificates(DER) + KEY + DONE,
    ],
)
def test_what_is_out_of_the_ordinary_shows_nothing(flight: bytes) -> None:
    """Another version, suite, extension or order, lengths that disagree, more than OpenSSL takes."""
    assert read_flight(in_records(flight), "rsa") == ODD


def test_h2_in_the_server_hello() -> None:
    """Beside extensions that were offered."""
    flight = hello(extensions=b"\xff\x01\x00\x01\x00\x00\x10\x00\x05\x00\x03\x02h2") + certificates(DER) + KEY + DONE
    assert read_flight(in_records(flight), "rsa") == Flight("ECDHE-RSA-AES128-GCM-SHA256", "h2", (DER,))


def test_records_that_are_none() -> None:
    """Longer than TLS allows, or of data: nothing is made of them."""
    long = hello() + certificates(bytes(20_000)) + KEY + DONE
    assert read_flight(in_records(long), "rsa") == Flight("ECDHE-RSA-AES128-GCM-SHA256", "", (bytes(20_000),))
    assert read_flight(record(22, 0x0303, long), "rsa") == ODD
    assert read_flight(in_records(hello()) + record(23, 0x0303, b"data"), "rsa") == ODD


@pytest.mark.parametrize("before", [b"", hello(), WHOLE[:-4], WHOLE])
def test_an_alert_behind_the_flight_is_a_refusal(before: bytes) -> None:
    """A server that lacks a key says so behind its ServerHello; a warning changes nothing."""
    with pytest.raises(NetworkFailure, match="internal_error"):
        read_flight(in_records(before) + alert(0x0303, 80), "rsa")
    warned = record(21, 0x0303, b"\x01\x70") + in_records(WHOLE)
    assert read_flight(warned, "rsa") == Flight("ECDHE-RSA-AES128-GCM-SHA256", "", (DER, DER))


def test_what_is_encrypted_asks_for_no_certificate() -> None:
    """Behind a ChangeCipherSpec a record's first octet is any, also a CertificateRequest's."""
    finished = record(20, 0x0303, b"\x01") + record(22, 0x0303, REQUEST)
    assert not asks_for_certificate(in_records(WHOLE) + finished)
    assert asks_for_certificate(in_records(hello() + certificates(DER) + KEY + REQUEST + DONE) + finished)


def extensions_of(record_: bytes) -> list[int]:
    """Return the kinds of a ClientHello's extensions, in order."""
    at = 44 + record_[43]
    at += 2 + int.from_bytes(record_[at : at + 2]) + 2 + 2
    kinds = []
    while at < len(record_):
        kinds.append(int.from_bytes(record_[at : at + 2]))
        at += 4 + int.from_bytes(record_[at + 2 : at + 4])
    return kinds


@pytest.mark.parametrize("kind", KINDS)
def test_the_client_hello_is_openssl_s(kind: Kind) -> None:
    """Suites and extensions are those of the whole handshake, so that servers answer both alike."""
    asked, unused = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context(kind).wrap_bio(unused, asked, server_hostname="example.com")
    with contextlib.suppress(ssl.SSLWantReadError):
        client.do_handshake()
    theirs, ours = asked.read(), client_hello("example.com", kind)
    at = 44
    assert ours[:3] == theirs[:3]
    assert ours[at : at + 2 * len(SUITES[kind]) + 4] == theirs[at : at + 2 * len(SUITES[kind]) + 4]
    assert extensions_of(ours) == extensions_of(theirs)
    assert int.from_bytes(ours[3:5]) == len(ours) - 5
    assert client_hello("example.com", kind) != ours
