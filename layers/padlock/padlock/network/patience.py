"""Time-outs for what a peer does, from which the time that this process itself stood still is left out.

After a pause, of a function that shares its processor or whose other sites keep it, an answer and the time-out for it
are found at once; `asyncio.timeout` then cancels what waits for the answer, and the peer is called silent.
"""

import asyncio
import contextlib
from collections.abc import Iterator
from types import TracebackType
from typing import Self

_UNNOTICED = 0.05
"""Seconds that a time-out may come too late before it counts as a pause of this process."""


class Patience:
    """So many seconds for a peer, and once more as many at most for this process's own pauses; then TimeoutError."""

    def __init__(self, seconds: float) -> None:
        """Take the peer's time."""
        self._seconds = seconds
        self._spare = seconds
        self._timeout = asyncio.timeout(None)

    async def __aenter__(self) -> Self:
        """Begin the peer's time."""
        self._loop = asyncio.get_running_loop()
        await self._timeout.__aenter__()
        self._wait(self._seconds)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it."""
        self._handle.cancel()
        await self._timeout.__aexit__(kind, error, trace)

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Let what happens meanwhile cost the peer none of its time."""
        rest = self._handle.when() - self._loop.time()
        self._handle.cancel()
        yield
        self._wait(rest)

    def _wait(self, seconds: float) -> None:
        self._handle = self._loop.call_later(seconds, self._over)

    def _over(self) -> None:
        late = self._loop.time() - self._handle.when()
        if late > _UNNOTICED and self._spare > 0:
            more = min(late, self._spare)
            self._spare -= more
            self._wait(more)
        else:
            # Not at once: what came in this same turn of the loop is handed to the one who waits first.
            self._timeout.reschedule(self._loop.time())
