"""The ClientHello of a browser, written by hand, and whether a server has anything for it (RFC 8446, RFC 5246).

OpenSSL's own offer knows more than browsers do: finite-field Diffie-Hellman, CBC with SHA-2, P-521, Ed25519. A server
that lives on these alone works for programs and for no browser. Versions, suites, groups and signatures are those of
Chromium 156, and the size is beyond one packet as there; its other extensions, their order and GREASE are not.
Firefox and Safari offer little more. One flight each way shows it: no key is ever computed.
"""

import os
from collections.abc import Mapping

import msgspec

from padlock.network.connection import Connection
from padlock.network.failure import NetworkFailure
from padlock.network.hello import (
    exchange,
    extension,
    is_endless,
    messages,
    named,
    read_server_hello,
    sized,
    whole_records,
)
from padlock.network.tls import ALERTS, TLS_RECORDS

SUITES: Mapping[int, str] = {
    0xC02B: "ECDHE-ECDSA-AES128-GCM-SHA256",
    0xC02F: "ECDHE-RSA-AES128-GCM-SHA256",
    0xC02C: "ECDHE-ECDSA-AES256-GCM-SHA384",
    0xC030: "ECDHE-RSA-AES256-GCM-SHA384",
    0xCCA9: "ECDHE-ECDSA-CHACHA20-POLY1305",
    0xCCA8: "ECDHE-RSA-CHACHA20-POLY1305",
    0xC013: "ECDHE-RSA-AES128-SHA",
    0xC014: "ECDHE-RSA-AES256-SHA",
    0x009C: "AES128-GCM-SHA256",
    0x009D: "AES256-GCM-SHA384",
    0x002F: "AES128-SHA",
    0x0035: "AES256-SHA",
}
"""Of TLS 1.2."""
_FORBIDDEN_BY_HTTP2 = (0xC013, 0xC014, 0x009C, 0x009D, 0x002F, 0x0035)
"""Those of SUITES that RFC 9113, appendix A names."""
_SUITES_1_3 = (0x1301, 0x1302, 0x1303)
_HYBRID, _X25519 = 0x11EC, 29
_GROUPS = (_HYBRID, _X25519, 23, 24)
"""X25519MLKEM768, x25519, secp256r1, secp384r1."""
_ML_KEM_KEY = 1184
"""Octets of ML-KEM-768's public key; zeros are one (FIPS 203 section 7.2 checks only that coefficients are small)."""
_SIGNATURES = (0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601)
"""ECDSA on P-256 and P-384, RSA with SHA-256 and longer in both paddings; not P-521, not EdDSA, not SHA-1."""
_TELLING = ("handshake_failure", "insufficient_security")
"""Alerts of a server that has nothing in common with its client."""
_ALERT, _HANDSHAKE = 0x15, 0x16
_SERVER_HELLO, _SERVER_HELLO_DONE = 2, 14
_ALPN, _SUPPORTED_VERSIONS = 16, 43


class Answer(msgspec.Struct, frozen=True):
    """How a server took a browser's ClientHello."""

    refusal: str = ""
    """The alert that says that it has nothing for browsers; empty: it has, or nothing can be told."""
    forbidden: str = ""
    """The suite that it chose together with HTTP/2, where HTTP/2 forbids it; empty: none."""


def client_hello(server_name: str) -> bytes:
    """Return the record of a browser's ClientHello, which offers TLS 1.3 and 1.2."""
    suites = b"".join(suite.to_bytes(2) for suite in (*_SUITES_1_3, *SUITES))
    body = b"\x03\x03" + os.urandom(32) + sized(os.urandom(32), 1) + sized(suites, 2) + b"\x01\x00"
    hello = b"\x01" + sized(body + sized(_extensions(server_name), 2), 3)
    return bytes([_HANDSHAKE]) + b"\x03\x01" + sized(hello, 2)


async def ask(connection: Connection, server_name: str) -> Answer:
    """Offer what browsers offer; NetworkFailure where silence or the network leaves it open."""
    try:
        return await exchange(connection, client_hello(server_name), read_answer)
    except NetworkFailure as failure:
        if failure.kind in ("closed", "tls"):  # it leaves, or never ends
            return Answer()
        raise


def read_answer(received: bytes) -> Answer | None:
    """Judge the beginning of what a server sent; None: more is needed.

    Of TLS 1.3 the ServerHello, or its request for another key share, is consent: what follows is encrypted. Of
    TLS 1.2 the whole first flight has to come: the alert over a missing key may stand behind the ServerHello.
    """
    if received and received[0] not in TLS_RECORDS:
        return Answer()
    flight = b""
    for kind, payload in whole_records(received):
        if kind == _ALERT and len(payload) == 2 and payload[0] == 2:
            name = ALERTS.get(payload[1], "")
            return Answer(refusal=name if name in _TELLING else "")
        if kind == _HANDSHAKE:
            flight += payload
    chosen: Answer | None = None
    for kind, body in messages(flight):
        if kind == _SERVER_HELLO and chosen is None:
            suite, extensions = read_server_hello(body)
            if suite not in SUITES or _SUPPORTED_VERSIONS in extensions:
                return Answer()
            http2 = extensions.get(_ALPN, b"")[3:] == b"h2"
            chosen = Answer(forbidden=SUITES[suite] if http2 and suite in _FORBIDDEN_BY_HTTP2 else "")
        elif kind == _SERVER_HELLO_DONE and chosen:
            return chosen
    return Answer() if is_endless(received) else None


def _extensions(server_name: str) -> bytes:
    """Return the extensions by which servers choose, and those that they expect."""
    name = named(server_name)
    groups = extension(10, sized(_numbers(_GROUPS), 2))
    signatures = extension(13, sized(_numbers(_SIGNATURES), 2))
    protocols = extension(_ALPN, sized(sized(b"h2", 1) + sized(b"http/1.1", 1), 2))
    versions = extension(_SUPPORTED_VERSIONS, sized(b"\x03\x04\x03\x03", 1))
    # Any 32 octets are a public key of x25519 (RFC 7748 section 5).
    hybrid = _HYBRID.to_bytes(2) + sized(bytes(_ML_KEM_KEY) + os.urandom(32), 2)
    share = extension(51, sized(hybrid + _X25519.to_bytes(2) + sized(os.urandom(32), 2), 2))
    # extended_master_secret, renegotiation_info, session_ticket, ec_point_formats, psk_key_exchange_modes
    usual = ((23, b""), (0xFF01, b"\x00"), (35, b""), (11, b"\x01\x00"), (45, b"\x01\x01"))
    others = b"".join(extension(kind, body) for kind, body in usual)
    return name + others + groups + protocols + signatures + share + versions


def _numbers(values: tuple[int, ...]) -> bytes:
    return b"".join(value.to_bytes(2) for value in values)
