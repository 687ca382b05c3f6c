"""What a peer sends, over a real connection: a pair of sockets, of which the product has one end."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from padlock.network.connection import Connection

_loops: list[asyncio.AbstractEventLoop] = []


def run[T](work: Coroutine[Any, Any, T]) -> T:
    """Run to its end what an input starts, in one loop for all inputs; after a fault in a new one."""
    if not _loops:
        _loops.append(asyncio.new_event_loop())
    try:
        return _loops[0].run_until_complete(work)
    except BaseException:
        _loops.pop().close()
        raise


@asynccontextmanager
async def connected(sent: bytes, pieces: int = 1) -> AsyncIterator[Connection]:
    """Connect to a peer that sends so much, in so many pieces, reads nothing and closes."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.setblocking(False)
    connection = Connection(ours, "192.0.2.1", 443, 0.01)
    sending = asyncio.create_task(_send(theirs, sent, max(1, -(-len(sent) // pieces))))
    try:
        yield connection
    finally:
        connection.close()
        sending.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await sending
        theirs.close()


async def _send(peer: socket.socket, data: bytes, size: int) -> None:
    # The other end may have closed: it had enough.
    with contextlib.suppress(OSError):
        for at in range(0, len(data), size):
            await asyncio.get_running_loop().sock_sendall(peer, data[at : at + size])
            await asyncio.sleep(0)
        peer.shutdown(socket.SHUT_WR)
