"""The certificate of one kind, RSA or ECDSA, of a server that speaks TLS 1.2 (RFC 5246, RFC 8422).

A cipher suite names the kind. Suites, groups, signatures and the order of it all are those of OpenSSL's own
ClientHello for one kind. The server's first flight shows the certificates in clear: no key is ever computed, and what
is out of the ordinary there is left to a whole handshake of OpenSSL's.
"""

import os
import time
from collections.abc import Mapping

import msgspec

from padlock.network.connection import Connection, Session
from padlock.network.failure import NetworkFailure, banner
from padlock.network.hello import exchange, extension, messages, named, read_server_hello, sized, whole_records
from padlock.network.leaves import Kind
from padlock.network.limits import HANDSHAKE_PARTS
from padlock.network.tls import ALERTS, TLS_RECORDS

SUITES: Mapping[Kind, Mapping[int, str]] = {
    "rsa": {
        0xC02F: "ECDHE-RSA-AES128-GCM-SHA256",
        0xC030: "ECDHE-RSA-AES256-GCM-SHA384",
        0xCCA8: "ECDHE-RSA-CHACHA20-POLY1305",
        0xC013: "ECDHE-RSA-AES128-SHA",
    },
    # The certificates of Ed25519 count as ECDSA ones here (RFC 8422 section 5.10).
    "ecdsa": {
        0xC02B: "ECDHE-ECDSA-AES128-GCM-SHA256",
        0xC02C: "ECDHE-ECDSA-AES256-GCM-SHA384",
        0xCCA9: "ECDHE-ECDSA-CHACHA20-POLY1305",
    },
}
"""By number, under OpenSSL's names."""
_TLS_1_2 = b"\x03\x03"
_SERVER_NAME, _ALPN = 0, 16
_PROTOCOLS = (b"h2", b"http/1.1")
_EXTENSIONS = (
    (11, "03000102"),  # ec_point_formats
    (10, "000a001d0017001e00190018"),  # supported_groups: x25519, P-256, x448, P-521, P-384
    (35, ""),  # session_ticket
    (_ALPN, "000c02683208687474702f312e31"),  # h2, http/1.1
    (22, ""),  # encrypt_then_mac
    (23, ""),  # extended_master_secret
    # signature_algorithms: ECDSA, EdDSA, RSA of both paddings, and those of old, SHA-1 and DSA, that OpenSSL takes
    (13, "002e040305030603080708080809080a080b080408050806040105010601030302030301020103020202040205020602"),
)
"""Kind → octets in hexadecimal, in OpenSSL's order."""
_ANSWERED = {_SERVER_NAME, *(kind for kind, _ in _EXTENSIONS), 0xFF01}
"""Extensions that a ServerHello may have: those of the ClientHello, and renegotiation_info."""
_RENEGOTIATION_INFO = 0x00FF
_ALERT, _HANDSHAKE = 0x15, 0x16
_SERVER_HELLO, _CERTIFICATE, _SERVER_KEY_EXCHANGE, _SERVER_HELLO_DONE = 2, 11, 12, 14
_ORDINARY = (_SERVER_HELLO, _CERTIFICATE, _SERVER_KEY_EXCHANGE, _SERVER_HELLO_DONE)
_RECORD_BYTES = 16_384
_CERTIFICATES_BYTES = 102_400
"""OpenSSL takes no longer message."""


class Flight(msgspec.Struct, frozen=True):
    """What a server's first flight says; all of it empty where only a whole handshake can tell."""

    cipher: str = ""
    alpn: str = ""
    chain: tuple[bytes, ...] = ()
    """Certificates as sent, DER, the leaf first."""


_ODD = Flight()


async def look(connection: Connection, server_name: str, kind: Kind) -> Session | None:
    """Return what a handshake open to this kind only would show; None where that takes the whole of it.

    NetworkFailure where the server has nothing of the kind, or the network fails.
    """
    began = time.perf_counter()
    flight = await exchange(connection, client_hello(server_name, kind), lambda received: read_flight(received, kind))
    if flight == _ODD:
        return None
    connection.session = Session("TLSv1.2", flight.cipher, flight.alpn, flight.chain, time.perf_counter() - began)
    return connection.session


def client_hello(server_name: str, kind: Kind) -> bytes:
    """Return the record of a ClientHello that offers TLS 1.2 with the suites of one kind."""
    suites = b"".join(suite.to_bytes(2) for suite in (*SUITES[kind], _RENEGOTIATION_INFO))
    body = (
        _TLS_1_2 + os.urandom(32) + b"\x00" + sized(suites, 2) + b"\x01\x00" + sized(named(server_name) + _OFFERED, 2)
    )
    return bytes([_HANDSHAKE]) + b"\x03\x01" + sized(b"\x01" + sized(body, 3), 2)


def read_flight(received: bytes, kind: Kind) -> Flight | None:
    """Read the beginning of what a server sent; None: more is needed. NetworkFailure where it is a refusal.

    The whole flight has to come, to its ServerHelloDone: servers that lack a signature or key say so by an alert
    behind the ServerHello. A server that asks for the client's certificate may insist on it later.
    """
    if received and received[0] not in TLS_RECORDS:
        raise NetworkFailure("not_tls", banner(received))
    flight = bytearray()
    records = whole_records(received)
    for record, payload in records:
        if record == _ALERT and len(payload) == 2 and payload[0] == 2:
            raise NetworkFailure("alert", ALERTS.get(payload[1], f"alert {payload[1]}"))
        if record not in (_ALERT, _HANDSHAKE) or len(payload) > _RECORD_BYTES:
            return _ODD
        if record == _HANDSHAKE:
            flight += payload
    sent = messages(bytes(flight))
    if tuple(message for message, _ in sent) == _ORDINARY:
        return _read_messages(sent[0][1], sent[1][1], kind)
    is_so_far = all(message == expected for (message, _), expected in zip(sent, _ORDINARY, strict=False))
    return None if is_so_far and len(sent) < len(_ORDINARY) and len(records) < HANDSHAKE_PARTS else _ODD


def _read_messages(hello: bytes, certificates: bytes, kind: Kind) -> Flight:
    """Read the ServerHello and the Certificate of an ordinary flight."""
    suite, extensions = read_server_hello(hello)
    alpn = extensions.get(_ALPN, b"")
    if (
        not hello.startswith(_TLS_1_2)
        or suite not in SUITES[kind]
        or not extensions.keys() <= _ANSWERED
        or (alpn and alpn not in (_alpn(protocol) for protocol in _PROTOCOLS))
        or len(certificates) > _CERTIFICATES_BYTES
    ):
        return _ODD
    chain = _chain(certificates)
    return Flight(SUITES[kind][suite], alpn[3:].decode("ascii"), chain) if chain else _ODD


def _chain(body: bytes) -> tuple[bytes, ...]:
    """Return the certificates of a Certificate message; none where its lengths do not agree."""
    chain: list[bytes] = []
    at = 3
    while at + 3 <= len(body):
        end = at + 3 + int.from_bytes(body[at : at + 3])
        chain.append(body[at + 3 : end])
        at = end
    return tuple(chain) if at == len(body) == 3 + int.from_bytes(body[:3]) else ()


def _alpn(protocol: bytes) -> bytes:
    """Return what a server that chooses this protocol answers (RFC 7301 section 3.1)."""
    return sized(sized(protocol, 1), 2)


_OFFERED = b"".join(extension(kind, bytes.fromhex(octets)) for kind, octets in _EXTENSIONS)
