"""A server of versions that no OpenSSL here speaks, up to the end of its first flight (RFC 6101, RFC 2246, RFC 4346).

It answers a ClientHello as an old server does: the version that it speaks if the client knows it, the first suite of
RSA key exchange that both have, its certificate, and ServerHelloDone; otherwise an alert.
"""

import asyncio

RSA_SUITES = (0x0035, 0x002F, 0x000A, 0x0005)
"""AES256-SHA, AES128-SHA, DES-CBC3-SHA, RC4-SHA."""


def record(kind: int, version: int, payload: bytes) -> bytes:
    """Return one record of a version such as 0x0300."""
    return bytes([kind]) + version.to_bytes(2) + len(payload).to_bytes(2) + payload


def message(kind: int, body: bytes) -> bytes:
    """Return one handshake message."""
    return bytes([kind]) + len(body).to_bytes(3) + body


def alert(version: int, number: int) -> bytes:
    """Return a fatal alert."""
    return record(21, version, bytes([2, number]))


def server_hello(version: int, suite: int) -> bytes:
    """Return a ServerHello without extensions, its session id one that clients may resume."""
    return message(2, version.to_bytes(2) + bytes(32) + b"\x04sess" + suite.to_bytes(2) + b"\x00")


def flight(version: int, suite: int, certificate: bytes) -> bytes:
    """Return ServerHello, Certificate and ServerHelloDone, the certificate split over two records."""
    entry = len(certificate).to_bytes(3) + certificate
    whole = server_hello(version, suite) + message(11, len(entry).to_bytes(3) + entry) + message(14, b"")
    return record(22, version, whole[:100]) + record(22, version, whole[100:])


def answer(hello: bytes, version: int, certificate: bytes) -> bytes:
    """Return what a server that speaks one version only answers to a ClientHello's record."""
    asked = int.from_bytes(hello[9:11])
    if hello[:1] != b"\x16" or hello[5] != 1 or asked < version:
        return alert(version, 40 if version == 0x0300 else 70)
    at = 44 + hello[43]
    suites = hello[at + 2 : at + 2 + int.from_bytes(hello[at : at + 2])]
    offered = [int.from_bytes(suites[i : i + 2]) for i in range(0, len(suites), 2)]
    common = [suite for suite in RSA_SUITES if suite in offered]
    return flight(version, common[0], certificate) if common else alert(version, 40)


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, version: int, certificate: bytes) -> None:
    """Answer one connection, and wait until the client leaves."""
    head = await reader.readexactly(5)
    hello = head + await reader.readexactly(int.from_bytes(head[3:5]))
    writer.write(answer(hello, version, certificate))
    await writer.drain()
    await reader.read(4096)
    writer.close()
