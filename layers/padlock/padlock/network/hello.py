"""ClientHellos of versions that OpenSSL no longer speaks, written by hand, and what servers answer to them.

SSL 3.0 (RFC 6101), TLS 1.0 (RFC 2246) and TLS 1.1 (RFC 4346) are obsolete (RFC 7568, RFC 8996); builds of OpenSSL
come without them, so that its handshake failing proves nothing. One flight each way shows whether a server still
speaks one: no key is ever computed.

A list of versions (RFC 8446 section 4.2.1) asks for TLS 1.1 and TLS 1.0 at once: who reads it must go by it alone,
and who does not answers with TLS 1.2. A hello for TLS 1.1 asks for what is older, too, but not everywhere: with
TLS 1.0 on and TLS 1.1 off, GnuTLS says protocol_version.
"""

import os
from collections.abc import Callable, Mapping

import msgspec

from padlock.network import limits
from padlock.network.connection import Connection
from padlock.network.failure import NetworkFailure
from padlock.network.patience import Patience
from padlock.network.tls import ALERTS, TLS_RECORDS

VERSIONS: Mapping[str, bytes] = {"SSLv3": b"\x03\x00", "TLSv1": b"\x03\x01", "TLSv1.1": b"\x03\x02"}
"""OpenSSL's name of a version → its number on the wire."""
SUITES: Mapping[int, str] = {
    0xC00A: "ECDHE-ECDSA-AES256-SHA",
    0xC014: "ECDHE-RSA-AES256-SHA",
    0x0039: "DHE-RSA-AES256-SHA",
    0x0038: "DHE-DSS-AES256-SHA",
    0x0035: "AES256-SHA",
    0xC009: "ECDHE-ECDSA-AES128-SHA",
    0xC013: "ECDHE-RSA-AES128-SHA",
    0x0033: "DHE-RSA-AES128-SHA",
    0x0032: "DHE-DSS-AES128-SHA",
    0x002F: "AES128-SHA",
    0x0088: "DHE-RSA-CAMELLIA256-SHA",
    0x0084: "CAMELLIA256-SHA",
    0x0045: "DHE-RSA-CAMELLIA128-SHA",
    0x0041: "CAMELLIA128-SHA",
    0x0096: "SEED-SHA",
    0x0007: "IDEA-CBC-SHA",
    0xC008: "ECDHE-ECDSA-DES-CBC3-SHA",
    0xC012: "ECDHE-RSA-DES-CBC3-SHA",
    0x0016: "DHE-RSA-DES-CBC3-SHA",
    0x0013: "DHE-DSS-DES-CBC3-SHA",
    0x000A: "DES-CBC3-SHA",
    0xC007: "ECDHE-ECDSA-RC4-SHA",
    0xC011: "ECDHE-RSA-RC4-SHA",
    0x0005: "RC4-SHA",
    0x0004: "RC4-MD5",
    0x0015: "DHE-RSA-DES-CBC-SHA",
    0x0009: "DES-CBC-SHA",
    0x0003: "EXP-RC4-MD5",
    0x0008: "EXP-DES-CBC-SHA",
}
"""Every suite with a certificate that servers of these versions know, by number, under OpenSSL's names."""
_RENEGOTIATION_INFO = 0x00FF
"""TLS_EMPTY_RENEGOTIATION_INFO_SCSV (RFC 5746), which some servers insist on; no suite that one can choose."""
_CURVES = (29, 23, 24, 25)
"""x25519, secp256r1, secp384r1, secp521r1: an ECDSA certificate is served only to those who name its curve."""
_ALERT, _HANDSHAKE = 0x15, 0x16
_SERVER_HELLO, _SERVER_HELLO_DONE = 2, 14
_SUPPORTED_VERSIONS = 43
_LISTED = ("TLSv1.1", "TLSv1")
_TLS_1_2 = b"\x03\x03"
"""What a hello with a list of versions says beside it, and what those speak who pass the list over."""
_NO_SUCH_VERSION = b"\x02\x46"
"""The fatal alert protocol_version."""
_ENDLESS = "a flight without end"


class Answer(msgspec.Struct, frozen=True):
    """How a server took an obsolete ClientHello."""

    accepted: bool
    cipher: str = ""
    """The suite that it chose."""
    detail: str = ""
    """How it refused."""


def client_hello(version: str, server_name: str) -> bytes:
    """Return the record of a ClientHello of one version only."""
    # Clients of SSL 3.0 know no extensions, and so meet the default server.
    return _record(VERSIONS[version], _extensions(server_name) if version != "SSLv3" else None)


def listing_hello(server_name: str) -> bytes:
    """Return the record of a ClientHello that lists TLS 1.1 and TLS 1.0, and no other version."""
    listed = extension(_SUPPORTED_VERSIONS, sized(b"".join(VERSIONS[version] for version in _LISTED), 1))
    return _record(_TLS_1_2, _extensions(server_name) + listed)


async def offer(connection: Connection, server_name: str, version: str) -> Answer:
    """Offer one version and nothing else; NetworkFailure where silence or the network leaves it open."""
    try:
        return await exchange(
            connection, client_hello(version, server_name), lambda received: read_answer(received, version)
        )
    except NetworkFailure as failure:
        if failure.kind in ("closed", "reset"):
            return Answer(accepted=False, detail=f"the connection is {failure.kind}")
        if failure.detail == _ENDLESS:
            return Answer(accepted=False, detail=_ENDLESS)
        raise


async def refuses_list(connection: Connection, server_name: str) -> bool:
    """Whether a server says that it speaks neither TLS 1.1 nor TLS 1.0; NetworkFailure where it says nothing.

    True counts of servers alone that shake hands with those who speak newer versions: some refuse whatever is newer
    than they are by the same alert.
    """
    return await exchange(connection, listing_hello(server_name), read_refusal)


async def exchange[T](connection: Connection, hello: bytes, judge: Callable[[bytes], T | None]) -> T:
    """Send a ClientHello, and return the judgement on the beginning of what comes back once there is one.

    NetworkFailure where the peer is silent, leaves or never ends before that, and whatever `judge` raises.
    """
    received = bytearray()
    try:
        async with Patience(limits.TLS_SECONDS):
            await connection.write(hello, "tls")
            for _ in range(limits.HANDSHAKE_READS):
                data = await connection.read("tls")
                if not data:
                    raise NetworkFailure("closed", "tls")
                received += data
                judgement = judge(bytes(received))
                if judgement is not None:
                    return judgement
                if len(received) > limits.HANDSHAKE_BYTES:
                    break
    except TimeoutError:
        raise NetworkFailure("timeout", "tls") from None
    raise NetworkFailure("tls", _ENDLESS)


def read_refusal(received: bytes) -> bool | None:
    """Whether the first that a server sent is the alert protocol_version; None: more is needed."""
    if received and received[0] not in TLS_RECORDS:
        return False
    first = next(iter(whole_records(received)), None)
    return first == (_ALERT, _NO_SUCH_VERSION) if first else None


def read_answer(received: bytes, version: str) -> Answer | None:
    """Judge the beginning of what a server sent; None: more is needed.

    A version counts as accepted once the whole first flight is there, to its ServerHelloDone: servers that lack a
    signature or key for it say so only by an alert behind the ServerHello.
    """
    if received and received[0] not in TLS_RECORDS:
        return Answer(accepted=False, detail="no TLS is spoken")
    flight = bytearray()
    for kind, payload in whole_records(received):
        if kind == _ALERT and len(payload) == 2 and payload[0] == 2:
            return Answer(accepted=False, detail=f"the alert {ALERTS.get(payload[1], payload[1])}")
        if kind == _HANDSHAKE:
            flight += payload
        elif kind != _ALERT:
            return Answer(accepted=False, detail="a record that belongs to no handshake")
    cipher = ""
    for number, (kind, body) in enumerate(messages(bytes(flight))):
        if number == 0:
            cipher, refusal = _chosen(kind, body, version)
            if refusal:
                return Answer(accepted=False, detail=refusal)
        elif kind == _SERVER_HELLO_DONE:
            return Answer(accepted=True, cipher=cipher)
    if len(received) > limits.HANDSHAKE_BYTES or is_endless(received):
        return Answer(accepted=False, detail=_ENDLESS)
    return None


def read_server_hello(body: bytes) -> tuple[int, Mapping[int, bytes]]:
    """Return the suite and the extensions of a ServerHello; suite 0 where it cannot be read."""
    if len(body) < 38 or len(body) < 38 + body[34]:
        return 0, {}
    at = 35 + body[34]
    suite = int.from_bytes(body[at : at + 2])
    found: dict[int, bytes] = {}
    at += 5  # the suite, the compression method and the length of the extensions
    while at + 4 <= len(body):
        end = at + 4 + int.from_bytes(body[at + 2 : at + 4])
        found[int.from_bytes(body[at : at + 2])] = body[at + 4 : end]
        at = end
    return suite, found


def _chosen(kind: int, body: bytes, version: str) -> tuple[str, str]:
    """Return the suite of a ServerHello, or why it is no consent to this version."""
    if kind != _SERVER_HELLO or len(body) < 38:
        return "", "no ServerHello"
    if body[:2] != VERSIONS[version]:
        return "", f"a ServerHello of another version ({body[0]}.{body[1]})"
    after_session = 35 + body[34]
    suite = SUITES.get(int.from_bytes(body[after_session : after_session + 2]), "")
    return suite, "" if suite else "a ServerHello with a cipher that was not offered"


def _record(version: bytes, extensions: bytes | None) -> bytes:
    """Return the record of a ClientHello with these extensions; None: with no room for any."""
    suites = b"".join(suite.to_bytes(2) for suite in (*SUITES, _RENEGOTIATION_INFO))
    body = version + os.urandom(32) + b"\x00" + sized(suites, 2) + b"\x01\x00"
    if extensions is not None:
        body += sized(extensions, 2)
    return bytes([_HANDSHAKE]) + min(version, VERSIONS["TLSv1"]) + sized(b"\x01" + sized(body, 3), 2)


def _extensions(server_name: str) -> bytes:
    """Return server_name (RFC 6066), supported_groups and ec_point_formats (RFC 8422)."""
    name = named(server_name) if server_name else b""
    groups = extension(10, sized(b"".join(curve.to_bytes(2) for curve in _CURVES), 2))
    return name + groups + extension(11, b"\x01\x00")


def named(server_name: str) -> bytes:
    """Return the extension server_name (RFC 6066 section 3)."""
    return extension(0, sized(b"\x00" + sized(server_name.encode("ascii"), 2), 2))


def extension(kind: int, body: bytes) -> bytes:
    """Return one extension."""
    return kind.to_bytes(2) + sized(body, 2)


def sized(data: bytes, octets: int) -> bytes:
    """Return a vector: its length in so many octets, then itself."""
    return len(data).to_bytes(octets) + data


def whole_records(received: bytes) -> list[tuple[int, bytes]]:
    """Return the (type, payload) of the records that are there whole, at most so many as are read."""
    records: list[tuple[int, bytes]] = []
    at = 0
    while at + 5 <= len(received) and len(records) < limits.HANDSHAKE_PARTS:
        end = at + 5 + int.from_bytes(received[at + 3 : at + 5])
        if end > len(received):
            break
        records.append((received[at], received[at + 5 : end]))
        at = end
    return records


def is_endless(received: bytes) -> bool:
    """Whether a flight has more records or messages than are read."""
    records = whole_records(received)
    flight = b"".join(payload for kind, payload in records if kind == _HANDSHAKE)
    return limits.HANDSHAKE_PARTS in (len(records), len(messages(flight)))


def messages(flight: bytes) -> list[tuple[int, bytes]]:
    """Return the (type, body) of the handshake messages that are there whole, at most so many as are read."""
    messages: list[tuple[int, bytes]] = []
    at = 0
    while at + 4 <= len(flight) and len(messages) < limits.HANDSHAKE_PARTS:
        end = at + 4 + int.from_bytes(flight[at + 1 : at + 4])
        if end > len(flight):
            break
        messages.append((flight[at], flight[at + 4 : end]))
        at = end
    return messages
