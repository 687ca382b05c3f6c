"""A server that reads each ClientHello first, and answers it itself or hands the connection to another server."""

import asyncio
import contextlib
from collections.abc import Callable

from padlock.network import hello, leaf_hello

from tests.old_tls import alert
from tests.servers import Script

_OLD = {number: version for version, number in hello.VERSIONS.items()}


def kind_of(record: bytes) -> str:
    """Return which offer a ClientHello is: an old version, `list` of them, `rsa` or `ecdsa`, or `today`."""
    version = _OLD.get(record[9:11])
    if version:
        return version
    if record.endswith(hello.listing_hello("")[-9:]):
        return "list"
    at = 44 + record[43]
    suites = record[at : at + 2 + int.from_bytes(record[at : at + 2])]
    for kind, known in leaf_hello.SUITES.items():
        if suites[2:-2] == b"".join(suite.to_bytes(2) for suite in known):
            return kind
    return "today"


def hearing(answer: Callable[[str], bytes | Script | None], port: int, heard: list[str]) -> Script:
    """Return a server that notes each ClientHello's kind in `heard` and does what `answer` says of the kind.

    Octets are sent, then the connection ends; a script goes on from the ClientHello's record, which it has to read;
    None hands all of it to the server at `port` of 127.0.0.1.
    """

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readexactly(5)
        record = head + await reader.readexactly(int.from_bytes(head[3:5]))
        heard.append(kind_of(record))
        said = answer(heard[-1])
        if isinstance(said, bytes):
            writer.write(said)
            await writer.drain()
        elif said:
            again = asyncio.StreamReader()
            again.feed_data(record)
            piping = asyncio.create_task(_pipe_in(reader, again))
            await said(again, writer)
            piping.cancel()
        else:
            await _handed_on(reader, writer, record, port)

    async def quietly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):
            await serve(reader, writer)

    return quietly


def refusing(*kinds: str, number: int = 70) -> Callable[[str], bytes | None]:
    """Return an answer: a fatal alert to these kinds, and all others are handed on."""
    return lambda kind: alert(0x0303, number) if kind in kinds else None


async def _pipe_in(reader: asyncio.StreamReader, to: asyncio.StreamReader) -> None:
    while data := await reader.read(65_536):
        to.feed_data(data)
    to.feed_eof()


async def _handed_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, record: bytes, port: int) -> None:
    behind, before = await asyncio.open_connection("127.0.0.1", port)
    before.write(record)
    there = asyncio.create_task(_pipe(reader, before))
    try:
        await _pipe(behind, writer)
    finally:
        there.cancel()
        before.close()


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
        writer.close()
