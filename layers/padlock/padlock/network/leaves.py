"""The certificate of one kind, RSA or ECDSA, of a server that speaks TLS 1.3 (RFC 8446 section 4.2.3).

A server with both chooses by the signature algorithms that a client offers. In TLS 1.2 a cipher suite names the kind,
so that Python's ssl can ask for it; in TLS 1.3 only the algorithms do, which Python's ssl cannot set. The OpenSSL
that comes with `cryptography` can.
"""

import functools
import time
from typing import Literal

from OpenSSL import SSL, crypto
from OpenSSL._util import lib

from padlock.network import limits
from padlock.network.connection import Connection, Session
from padlock.network.failure import NetworkFailure
from padlock.network.patience import Patience

type Kind = Literal["rsa", "ecdsa"]

_CHUNK = 65_536
_SIGNATURES = {
    "rsa": "rsa_pss_rsae_sha256:rsa_pss_rsae_sha384:rsa_pss_rsae_sha512",
    # Ed25519 counts as ECDSA, as it does in TLS 1.2 (RFC 8422 section 5.10).
    "ecdsa": "ecdsa_secp256r1_sha256:ecdsa_secp384r1_sha384:ecdsa_secp521r1_sha512:ed25519:ed448",
}
_IN_CHAINS = "rsa_pkcs1_sha256:rsa_pkcs1_sha384:rsa_pkcs1_sha512"
"""How authorities sign; no handshake of TLS 1.3 is signed so, hence no server takes them for an RSA client's."""


async def shake_hands(connection: Connection, server_name: str, kind: Kind) -> Session:
    """Shake hands over TLS 1.3, open to this kind only; NetworkFailure where that does not work."""
    client = SSL.Connection(_context(kind), None)
    client.set_connect_state()
    client.set_tlsext_host_name(server_name.encode("ascii"))
    began = time.perf_counter()
    try:
        async with Patience(limits.TLS_SECONDS):
            while not _is_done(client):
                await _send(connection, client)
                data = await connection.read("tls")
                if not data:
                    raise NetworkFailure("closed", "tls")
                client.bio_write(data)
            await _send(connection, client)
    except TimeoutError:
        raise NetworkFailure("timeout", "tls") from None
    except SSL.Error as error:
        raise NetworkFailure("tls", f"no certificate of the kind {kind}: {_reason(error)}") from error
    connection.session = Session(
        protocol=client.get_protocol_version_name(),
        cipher=client.get_cipher_name() or "",
        alpn=client.get_alpn_proto_negotiated().decode("ascii", "replace"),
        chain=tuple(_der(sent) for sent in client.get_peer_cert_chain() or ()),
        seconds=time.perf_counter() - began,
    )
    return connection.session


def _is_done(client: SSL.Connection) -> bool:
    """Go on with the handshake as far as what has come allows; whether it is over."""
    try:
        client.do_handshake()
    except SSL.WantReadError:
        return False
    return True


async def _send(connection: Connection, client: SSL.Connection) -> None:
    """Send what OpenSSL has to say."""
    try:
        data = client.bio_read(_CHUNK)
    except SSL.WantReadError:
        return
    await connection.write(data, "tls")


def _der(certificate: crypto.X509) -> bytes:
    return crypto.dump_certificate(crypto.FILETYPE_ASN1, certificate)


def _reason(error: SSL.Error) -> str:
    """Return OpenSSL's reason; the error has one tuple (library, function, reason) for each entry of its queue."""
    queue = error.args[0] if error.args else None
    return str(queue[-1][-1]) if isinstance(queue, list) and queue else str(error)


@functools.cache
def _context(kind: Kind) -> SSL.Context:
    """Return the process's context for one kind: no trust store, no name check, weak keys accepted."""
    made = SSL.Context(SSL.TLS_CLIENT_METHOD)
    made.set_min_proto_version(SSL.TLS1_3_VERSION)
    made.set_cipher_list(b"DEFAULT:@SECLEVEL=0")
    made.set_alpn_protos([b"h2", b"http/1.1"])
    # pyOpenSSL has no method for it, only the function itself; who pins another version learns it from the tests.
    choose = getattr(lib, "SSL_CTX_set1_sigalgs_list", None)
    offered = f"{_SIGNATURES[kind]}:{_IN_CHAINS}".encode()
    if choose is None or choose(made._context, offered) != 1:
        raise NetworkFailure("internal", "OpenSSL lets no signature algorithms be chosen")
    return made
