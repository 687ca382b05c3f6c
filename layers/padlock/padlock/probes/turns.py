"""Whose turn it is to connect to an address: a second look waits until the first ones are over.

A server may take only so many connections from one client, or so many in a second (nginx's limit_conn, HAProxy, a
packet filter). Padlock opens several at once, so what such a server then refuses is not what visitors meet: a failure
counts only where it is seen again in quiet.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable

from padlock.network.limits import PATIENCE_SECONDS

PAUSE_SECONDS = 0.5
"""Of quiet before a second look: limits by the second, and counts of open connections, recover in it."""


class Turns:
    """The connections of one run, by address."""

    def __init__(self) -> None:
        self._first: Counter[str] = Counter()
        self._again: Counter[str] = Counter()
        self._changed = asyncio.Event()

    async def begin(self, address: str, *, again: bool) -> None:
        """Wait for one's turn: a first look only while a second one goes on, a second look for all first ones.

        It has begun where this returns; an error or a cancellation leaves nothing to end.
        """
        if again:
            await self._begin_again(address)
        else:
            if self._again[address]:
                await self._wait(lambda: not self._again[address])
            self._first[address] += 1

    def end(self, address: str, *, again: bool) -> None:
        """Let others have their turn."""
        looks = self._again if again else self._first
        looks[address] -= 1
        self._changed.set()  # wakes those that wait now; who waits later waits for the next change
        self._changed = asyncio.Event()

    async def _begin_again(self, address: str) -> None:
        """Wait until every first look is over, and a little longer, while no new one begins."""
        self._again[address] += 1
        try:
            await self._wait(lambda: not self._first[address])
            await asyncio.sleep(PAUSE_SECONDS)
        except BaseException:
            self.end(address, again=True)
            raise

    async def _wait(self, until: Callable[[], bool]) -> None:
        if until():
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_SECONDS):
                while not until():
                    await self._changed.wait()
