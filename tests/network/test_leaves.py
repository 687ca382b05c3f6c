"""The certificate of each kind that servers of TLS 1.3 have: openssl's and nginx's, and servers that misbehave."""

import asyncio
import contextlib
import ssl
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from padlock.network import limits
from padlock.network.connection import Session, connect
from padlock.network.failure import NetworkFailure
from padlock.network.leaves import Kind, shake_hands

from tests.issuers import NOW, YEAR
from tests.servers import (
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

type Server = Callable[[Path], AbstractAsyncContextManager[int]]

ALLOWED = ("127.0.0.0/8",)
KINDS: dict[Kind, trustme.KeyType] = {"rsa": trustme.KeyType.RSA, "ecdsa": trustme.KeyType.ECDSA}
NGINX = """
daemon off; master_process off; pid {directory}/nginx.pid; error_log stderr;
events {{ }}
http {{
  access_log off; client_body_temp_path {directory}; proxy_temp_path {directory};
  fastcgi_temp_path {directory}; uwsgi_temp_path {directory}; scgi_temp_path {directory};
  server {{
    listen 127.0.0.1:{port} ssl http2; server_name shop.test; ssl_protocols TLSv1.3;
    ssl_certificate {directory}/RSA.pem; ssl_certificate_key {directory}/RSA.key;
    ssl_certificate {directory}/ECDSA.pem; ssl_certificate_key {directory}/ECDSA.key;
  }}
}}
"""


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "TLS_SECONDS", 1.0)


async def seen(port: int, kind: Kind) -> Session:
    """Return what a handshake for one kind shows."""
    connection = await connect("127.0.0.1", port, ALLOWED)
    try:
        session = await shake_hands(connection, "shop.test", kind)
        assert connection.session is session
        return session
    finally:
        connection.close()


def issue(directory: Path, *kinds: trustme.KeyType) -> trustme.CA:
    """Write a certificate with its key and issuer for each kind, and return the issuer."""
    authority = trustme.CA(key_type=trustme.KeyType.RSA)
    between = authority.create_child_ca()
    for kind in kinds:
        leaf = between.issue_cert("shop.test", key_type=kind)
        (directory / f"{kind.name}.pem").write_bytes(b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
        (directory / f"{kind.name}.key").write_bytes(leaf.private_key_pem.bytes())
    return authority


@contextlib.asynccontextmanager
async def running(port: int, *command: str) -> AsyncIterator[None]:
    """Run a server until the block ends, from the moment it listens."""
    process = await asyncio.create_subprocess_exec(
        *command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    try:
        for _ in range(100):
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                break
            await asyncio.sleep(0.05)
        yield
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@contextlib.asynccontextmanager
async def nginx(directory: Path) -> AsyncIterator[int]:
    """Run nginx with both kinds, TLS 1.3 alone."""
    port = free_port()
    issue(directory, trustme.KeyType.RSA, trustme.KeyType.ECDSA)
    configuration = directory / "nginx.conf"
    configuration.write_text(NGINX.format(directory=directory, port=port))
    async with running(port, "nginx", "-p", str(directory), "-c", str(configuration)):
        yield port


@contextlib.asynccontextmanager
async def s_server(directory: Path) -> AsyncIterator[int]:
    """Run openssl's server with both kinds, TLS 1.3 alone."""
    port = free_port()
    issue(directory, trustme.KeyType.RSA, trustme.KeyType.ECDSA)
    pairs = [f"{directory}/{name}" for name in ("RSA.pem", "RSA.key", "ECDSA.pem", "ECDSA.key")]
    given = [word for pair in zip(("-cert", "-key", "-dcert", "-dkey"), pairs, strict=True) for word in pair]
    async with running(port, "openssl", "s_server", "-tls1_3", "-accept", f"127.0.0.1:{port}", *given):
        yield port


@pytest.mark.parametrize("server", [nginx, s_server])
async def test_a_server_with_both_shows_the_kind_that_is_asked_for(server: Server, tmp_path: Path) -> None:
    """Each handshake is given the leaf of its kind, with the chain as sent; RSA issuers hide no ECDSA leaf."""
    async with server(tmp_path) as port:
        for kind, name in KINDS.items():
            session = await seen(port, kind)
            assert session.protocol == "TLSv1.3"
            assert session.alpn == ("h2" if server is nginx else "")
            sent = x509.load_pem_x509_certificates((tmp_path / f"{name.name}.pem").read_bytes())
            assert session.chain[0] == sent[0].public_bytes(Encoding.DER)
            if server is nginx:  # openssl sends no chain along with a leaf that is given by -cert alone
                assert session.chain == tuple(each.public_bytes(Encoding.DER) for each in sent)


@pytest.mark.parametrize(("kind", "other"), [("rsa", trustme.KeyType.ECDSA), ("ecdsa", trustme.KeyType.RSA)])
async def test_a_server_without_the_kind_is_told(kind: Kind, other: trustme.KeyType) -> None:
    """It refuses by an alert, which is no certificate and no fault of the site."""
    context = context_of(trustme.CA().issue_cert("shop.test", key_type=other))
    with listen_alerting(context) as port, pytest.raises(NetworkFailure) as raised:
        await seen(port, kind)
    assert raised.value.kind == "tls"
    assert f"no certificate of the kind {kind}: " in raised.value.detail


async def test_a_server_of_tls_1_2_is_left_alone() -> None:
    """There a cipher suite asks for the kind."""
    context = context_of(trustme.CA().issue_cert("shop.test", key_type=trustme.KeyType.RSA))
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with listen_alerting(context) as port, pytest.raises(NetworkFailure, match="no certificate of the kind rsa"):
        await seen(port, "rsa")


async def test_a_weak_key_is_looked_at(tmp_path: Path) -> None:
    """A leaf that OpenSSL refuses unless told otherwise is what the look is for: RSA of 1024 bits."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505 — the case
    name = x509.Name([])
    weak = x509.CertificateBuilder(name, name, key.public_key(), 1, NOW - YEAR, NOW + YEAR).sign(key, SHA256())
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "weak.pem").write_bytes(secret + weak.public_bytes(Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.load_cert_chain(tmp_path / "weak.pem")
    async with listen(closes, tls=context) as port:
        session = await seen(port, "rsa")
    assert session.chain == (weak.public_bytes(Encoding.DER),)


@pytest.mark.parametrize(
    ("script", "kinds"),
    [
        (silence, {"timeout"}),
        (closes, {"closed", "reset"}),
        (resets, {"reset"}),
        (sends(b"HTTP/1.1 400 Bad Request\r\n\r\n", read=False), {"tls"}),
        (sends(b"\x16\x03\x03\xff\xff" + b"\0" * 70_000, read=False), {"tls"}),
        (sends(b"\x16\x03\x03\x00\x06\x02\x00\x00\x02\x03\x03", read=False), {"tls"}),
        (forever(b"", b"\x16\x03\x03\x00\x01\x02", 0.01), {"tls", "timeout"}),
    ],
    ids=["silent", "closes", "resets", "http", "long record", "short hello", "drips"],
)
async def test_whatever_comes_is_one_failure(script: Script, kinds: set[str]) -> None:
    """Silence, another protocol and broken records end within the time, as a failure and nothing else."""
    began = asyncio.get_running_loop().time()
    async with listen(script) as port:
        with pytest.raises(NetworkFailure) as raised:
            await seen(port, "ecdsa")
    assert raised.value.kind in kinds
    assert asyncio.get_running_loop().time() - began < 3
