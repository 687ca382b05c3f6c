"""Time-outs for what a peer does, from which the time that this process itself stood still is left out.

After a pause, of a function that shares its processor or whose other sites keep it, an answer and the time-out for it
are found at once; `asyncio.timeout` then cancels what waits for the answer, and the peer is called silent.

A check begins some two hundred of them, and nearly all end early. Those of one length come to their end in the order
in which they began, so one timer of the loop serves them all.
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

    __slots__ = (
        *("_cancelled_before", "_ending", "_is_over", "_line", "_loop", "_own", "_seconds", "_spare", "_task"),
        "until",
    )

    def __init__(self, seconds: float) -> None:
        """Take the peer's time."""
        self._seconds = seconds
        self._spare = seconds
        self._own: asyncio.TimerHandle | None = None
        self._ending: asyncio.Handle | None = None
        self._is_over = False

    async def __aenter__(self) -> Self:
        """Begin the peer's time."""
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("patience is had inside a task only, which can be ended")
        self._loop = loop = asyncio.get_running_loop()
        self._task = task
        self._cancelled_before = task.cancelling()
        self.until = loop.time() + self._seconds
        self._line = _line(loop, self._seconds)
        self._line.join(self)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it."""
        self._stop()
        if self._ending:
            self._ending.cancel()
        # As in asyncio.timeout: where somebody else ended the task as well, the end is theirs.
        is_ours = self._is_over and self._task.uncancel() <= self._cancelled_before
        if is_ours and kind is not None and issubclass(kind, asyncio.CancelledError):
            raise TimeoutError from error

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Let what happens meanwhile cost the peer none of its time."""
        rest = self.until - self._loop.time()
        self._stop()
        yield
        self._wait(rest)

    def over(self) -> None:
        """Take notice that the time is over."""
        late = self._loop.time() - self.until
        if late > _UNNOTICED and self._spare > 0:
            more = min(late, self._spare)
            self._spare -= more
            self._wait(more)
        elif self._ending is None:
            # Not at once: what came in this same turn of the loop is handed to the one who waits first.
            self._ending = self._loop.call_soon(self._end)

    def _wait(self, seconds: float) -> None:
        """Wait so long, with a timer of its own."""
        self.until = self._loop.time() + seconds
        self._own = self._loop.call_at(self.until, self.over)

    def _stop(self) -> None:
        self._line.leave(self)
        if self._own:
            self._own.cancel()

    def _end(self) -> None:
        self._is_over = True
        self._task.cancel()


class _Line:
    """Those whose time is equally long, the first to end first."""

    def __init__(self, loop: asyncio.AbstractEventLoop, lines: "dict[float, _Line]", seconds: float) -> None:
        """Take the loop's lines, of which it is one for as long as it has a timer, and the length."""
        self._loop = loop
        self._lines = lines
        self._seconds = seconds
        self._waiting: dict[Patience, None] = {}
        self._is_timed = False

    def join(self, patience: Patience) -> None:
        """Begin to wait."""
        self._waiting[patience] = None
        if not self._is_timed:
            self._time(patience)

    def leave(self, patience: Patience) -> None:
        """Wait no more; the timer stays, and finds who is first when it goes off."""
        self._waiting.pop(patience, None)

    def _time(self, first: Patience) -> None:
        self._loop.call_at(first.until, self._look)
        self._is_timed = True

    def _look(self) -> None:
        self._is_timed = False
        now = self._loop.time()
        while first := next(iter(self._waiting), None):
            if first.until > now:
                self._time(first)
                return
            del self._waiting[first]
            first.over()
        self._lines.pop(self._seconds, None)


_latest: tuple[asyncio.AbstractEventLoop | None, dict[float, _Line]] = (None, {})
"""The loop that was used last, and its lines by their length."""


def _line(loop: asyncio.AbstractEventLoop, seconds: float) -> _Line:
    global _latest  # noqa: PLW0603 — where several threads have loops, each begins lines anew, which costs a timer
    used, lines = _latest
    if used is not loop:
        lines = {}
        _latest = loop, lines
    if seconds not in lines:
        lines[seconds] = _Line(loop, lines, seconds)
    return lines[seconds]
