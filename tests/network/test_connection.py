"""Connections: to vetted addresses only, and every way in which TLS fails has its name."""

import asyncio
import contextlib
import socket
import ssl

import pytest
import trustme
from padlock.network import limits
from padlock.network.addresses import is_runtime_api
from padlock.network.connection import Connection, connect, has_route
from padlock.network.failure import NetworkFailure
from padlock.network.tls import Offer

from tests.servers import (
    LOOPBACK,
    Authority,
    closes,
    context_of,
    free_port,
    listen,
    listen_alerting,
    pages,
    redirect,
    resets,
    sends,
    silence,
    stage,
)

AUTHORITY = Authority()
SSH = b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"
BAD_REQUEST = b"HTTP/1.1 400 Bad Request\r\nServer: nginx\r\n\r\n"


def handshake_message(kind: int, body: bytes) -> bytes:
    """Return a handshake message in a TLS 1.2 record of its own (RFC 5246 section 7.4)."""
    message = bytes([kind]) + len(body).to_bytes(3) + body
    return b"\x16\x03\x03" + len(message).to_bytes(2) + message


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CONNECT_SECONDS", "TLS_SECONDS"):
        monkeypatch.setattr(limits, name, 0.4)


async def shake(
    port: int, name: str = "example.com", offer: Offer = "main", address: str = "127.0.0.1"
) -> Connection:
    """Connect and shake hands; the caller looks only at what was agreed."""
    connection = await connect(address, port, LOOPBACK)
    try:
        await connection.start_tls("example.com", offer)
    finally:
        connection.close()
    return connection


@pytest.mark.parametrize("name", ["127.0.0.1:{}", "localhost:{}", "[::1]:{}"])
async def test_lambdas_runtime_api_is_never_opened(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """No declaration opens it under any address of loopback; other ports there, and other addresses, are as ever."""
    log: list[str] = []
    async with (
        listen(pages({}, log)) as port,
        listen(pages({}, log)) as other,
        listen(pages({}, log), "127.0.0.2", port),
    ):
        (await connect("127.0.0.1", port, LOOPBACK)).close()
        monkeypatch.setenv("AWS_LAMBDA_RUNTIME_API", name.format(port))
        for address in ("127.0.0.1", "127.0.0.2", "::1"):
            with pytest.raises(NetworkFailure, match="runtime API") as refused:
                await connect(address, port, ("0.0.0.0/0", "::/0"))
            assert refused.value.kind == "not_vetted"
        (await connect("127.0.0.1", other, LOOPBACK)).close()


async def test_lambdas_runtime_api_on_a_bridge_is_never_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    """An emulator may have it elsewhere than on loopback: there its very address is closed, not its neighbour's."""
    monkeypatch.setenv("AWS_LAMBDA_RUNTIME_API", "198.18.0.1:9001")
    assert is_runtime_api("198.18.0.1", 9001)
    assert not is_runtime_api("198.18.0.2", 9001)
    assert not is_runtime_api("198.18.0.1", 8080)
    with pytest.raises(NetworkFailure, match="runtime API"):
        await connect("198.18.0.1", 9001, ("198.18.0.0/15",))


async def test_a_site_cannot_lead_to_lambdas_runtime_api(monkeypatch: pytest.MonkeyPatch) -> None:
    """A declared port that is the runtime API's is not asked, neither at once nor by a redirect."""
    log: list[str] = []
    to_api = pages(lambda request: redirect(f"http://{request.host}:{ports[0]}/2018-06-01/runtime/invocation/next"))
    ports = free_port(), free_port()
    async with stage(to_api, pages({}, log), listen_on=ports, deadline=5.0) as lab:
        monkeypatch.setenv("AWS_LAMBDA_RUNTIME_API", f"127.0.0.1:{ports[0]}")
        seen = await lab.gather()
    assert seen.http
    assert {e.failure.kind for e in seen.http.of("front", "http") if e.failure} == {"not_vetted"}
    assert {e.status for e in seen.http.of("front", "https")} == {301}
    assert log == []


async def shake_and_read(connection: Connection) -> None:
    """Shake hands and wait for what comes after."""
    await connection.start_tls("example.com")
    await connection.read("headers")


async def failure(port: int, address: str = "127.0.0.1") -> NetworkFailure:
    """Return how connecting and shaking hands fails."""
    with pytest.raises(NetworkFailure) as caught:
        await shake(port, address=address)
    return caught.value


@pytest.mark.parametrize("address", ["127.0.0.1", "169.254.169.254", "::1", "10.0.0.1", "::ffff:127.0.0.1"])
async def test_nothing_is_sent_to_an_address_that_is_not_allowed(address: str) -> None:
    """A special address is refused before a socket is opened, whatever listens there."""
    async with listen(silence) as port:
        with pytest.raises(NetworkFailure) as caught:
            await connect(address, port)
    assert caught.value.kind == "not_vetted"


async def test_a_closed_port_is_refused() -> None:
    """Nothing listens: refused, and no time-out."""
    assert (await failure(free_port())).kind == "refused"


async def test_a_full_backlog_times_out_while_connecting() -> None:
    """A port that swallows SYNs, as a firewall does, is a time-out of the connect phase."""
    with socket.socket() as deaf, socket.socket() as first, socket.socket() as second:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        for filler in (first, second):
            filler.setblocking(False)
            filler.connect_ex(deaf.getsockname())
        await asyncio.sleep(0.05)
        with pytest.raises(NetworkFailure) as caught:
            await connect("127.0.0.1", deaf.getsockname()[1], LOOPBACK)
    assert (caught.value.kind, caught.value.detail) == ("timeout", "connect")


@pytest.mark.skipif(has_route(6), reason="this machine has an IPv6 route")
async def test_without_an_ipv6_route_an_address_is_no_route() -> None:
    """That this machine has no IPv6 says nothing about the site."""
    with pytest.raises(NetworkFailure) as caught:
        await connect("2606:4700::1111", 443)
    assert caught.value.kind == "no_route"


async def test_ipv6_loopback_connects() -> None:
    """IPv6 addresses work as IPv4 ones do."""
    async with listen(pages({}), "::1", tls=AUTHORITY.context()) as port:
        assert (await shake(port, address="::1")).session is not None


async def test_a_handshake_tells_version_cipher_alpn_and_chain() -> None:
    """A healthy handshake is described, with the certificates as sent."""
    context = AUTHORITY.context()
    context.set_alpn_protocols(["h2", "http/1.1"])
    async with listen(pages({}), tls=context) as port:
        main, h2 = (await shake(port)).session, (await shake(port, offer="h2")).session
    assert main
    assert h2
    assert (main.protocol, main.alpn, h2.alpn) == ("TLSv1.3", "http/1.1", "h2")
    assert main.cipher.startswith("TLS_")
    assert [ssl.DER_cert_to_PEM_cert(der) for der in main.chain]
    assert main.seconds > 0


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
async def test_obsolete_versions_are_seen_and_not_down(version: ssl.TLSVersion) -> None:
    """A server that offers nothing newer than TLS 1.0 or 1.1 is observed."""
    context = AUTHORITY.context(key_type=trustme.KeyType.RSA)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    async with listen(pages({}), tls=context) as port:
        session = (await shake(port)).session
    assert session
    assert session.protocol == {"TLSv1": "TLSv1", "TLSv1_1": "TLSv1.1"}[version.name]


async def test_both_certificates_of_a_server_with_two_are_seen() -> None:
    """The RSA and the ECDSA offer each bring their own leaf."""
    leaves = (AUTHORITY.ca.issue_cert("example.com", key_type=kind) for kind in trustme.KeyType)
    async with listen(pages({}), tls=context_of(*leaves)) as port:
        seen = [(await shake(port, offer=offer)).session for offer in ("rsa", "ecdsa")]
    assert seen[0]
    assert seen[1]
    assert seen[0].chain[0] != seen[1].chain[0]


async def test_an_offer_that_the_server_has_no_certificate_for_is_an_alert() -> None:
    """A server with one kind of certificate answers the other offer with handshake_failure."""
    context = AUTHORITY.context(key_type=trustme.KeyType.ECDSA)
    with listen_alerting(context) as port, pytest.raises(NetworkFailure) as caught:
        await shake(port, offer="rsa")
    assert (caught.value.kind, caught.value.detail) == ("alert", "handshake_failure")


@pytest.mark.parametrize(
    ("script", "kind", "detail"),
    [
        (silence, "timeout", "tls"),
        (resets, "reset", "tls"),
        (closes, "closed", "tls"),
        (sends(SSH, read=False), "not_tls", "SSH-2.0-OpenSSH_9.2p1 Debian-2"),
        (sends(BAD_REQUEST, read=False), "not_tls", "HTTP/1.1 400 Bad Request"),
        (sends(b"\x15\x03\x03\0\2\2\x70", read=False), "alert", "unrecognized_name"),
        (sends(b"\x15\x03\x03\0\2\2\x28", read=False), "alert", "handshake_failure"),
        (sends(b"\x16\x03\x03\0\4\2\0\0\0", read=False), "tls", ""),
    ],
)
async def test_each_broken_handshake_has_its_name(script: object, kind: str, detail: str) -> None:
    """Silence, reset, close, a banner of another protocol, and alerts are told apart."""
    async with listen(script) as port:  # type: ignore[arg-type]
        seen = await failure(port)
    assert seen.kind == kind
    assert seen.detail.startswith(detail)
    assert seen.detail.isprintable()


@pytest.mark.parametrize("der", [b"", b"not a certificate", b"\x30\x03\x02\x01\x01"])
async def test_a_leaf_that_cannot_be_parsed_says_so(der: bytes) -> None:
    """OpenSSL refuses it as browsers do; a TLS 1.2 server, written out octet by octet."""
    hello = handshake_message(2, b"\x03\x03" + bytes(32) + b"\0\xc0\x2f\0")
    served = len(der).to_bytes(3) + der
    certificate = handshake_message(11, len(served).to_bytes(3) + served)
    done = handshake_message(14, b"")
    async with listen(sends(hello + certificate + done, read=False, hold=True)) as port:
        seen = await failure(port)
    assert seen.kind == "tls"
    assert seen.detail.startswith("malformed certificate")


async def test_dripped_handshake_octets_hold_to_the_time() -> None:
    """A byte now and then does not prolong the handshake."""
    began = asyncio.get_running_loop().time()
    async with listen(sends(*([b"\x16\x03\x03\x40\x00"] + [b"\x02"] * 50), pause=0.1, read=False)) as port:
        assert (await failure(port)).kind == "timeout"
    assert asyncio.get_running_loop().time() - began < 2


async def test_a_chain_larger_than_clients_take_says_so() -> None:
    """Over 100 KB of certificates is refused by every OpenSSL and BoringSSL client."""
    names = [f"host-{number}.some-very-long-label-of-a-domain.example.com" for number in range(2500)]
    async with listen(pages({}), tls=AUTHORITY.context(*names)) as port:
        seen = await failure(port)
    assert seen.kind == "tls"
    assert "excessive message size" in seen.detail


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_demanded_client_certificate_shows(version: ssl.TLSVersion) -> None:
    """TLS 1.2 shows the request in a handshake that fails; TLS 1.3 answers the first read with an alert."""
    context = AUTHORITY.context()
    context.verify_mode = ssl.CERT_REQUIRED
    context.maximum_version = version
    AUTHORITY.ca.configure_trust(context)
    with listen_alerting(context) as port:
        connection = await connect("127.0.0.1", port, LOOPBACK)
        with contextlib.closing(connection), pytest.raises(NetworkFailure) as caught:
            await shake_and_read(connection)
    assert connection.session
    assert connection.session.chain
    if version is ssl.TLSVersion.TLSv1_2:
        assert connection.session.asks_for_certificate
        assert caught.value.kind == "alert"
    else:
        assert (caught.value.kind, caught.value.detail) == ("alert", "certificate_required")
