"""Whose turn it is to connect to an address: a second look waits until the first ones are over.

A server may take only so many connections from one client, or so many in a second (nginx's limit_conn, HAProxy, a
packet filter). Padlock opens several at once, so what such a server then refuses is not what visitors meet: a failure
counts only where it is seen again in quiet.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

from padlock.network.limits import PATIENCE_SECONDS

PAUSE_SECONDS = 0.5
"""Of quiet before a second look: limits by the second, and counts of open connections, recover in it."""


class Turns:
    """The connections of one run, by address."""

    def __init__(self) -> None:
        self._first: Counter[str] = Counter()
        self._again: Counter[str] = Counter()
        self._changed = asyncio.Event()

    @asynccontextmanager
    async def first(self, address: str) -> AsyncIterator[None]:
        """Look for the first time: at once, unless a second look goes on."""
        await self._wait(lambda: not self._again[address])
        with self._counted(self._first, address):
            yield

    @asynccontextmanager
    async def again(self, address: str) -> AsyncIterator[None]:
        """Look for the second time: once every first look is over, and a little later."""
        with self._counted(self._again, address):
            await self._wait(lambda: not self._first[address])
            await asyncio.sleep(PAUSE_SECONDS)
            yield

    async def _wait(self, until: Callable[[], bool]) -> None:
        if until():
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_SECONDS):
                while not until():
                    await self._changed.wait()

    @contextmanager
    def _counted(self, looks: Counter[str], address: str) -> Iterator[None]:
        looks[address] += 1
        try:
            yield
        finally:
            looks[address] -= 1
            self._changed.set()  # wakes those that wait now; who waits later waits for the next change
            self._changed = asyncio.Event()
