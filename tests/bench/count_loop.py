"""An event loop that lets the replaying servers answer whenever the audit waits, in the same thread.

Nothing depends on which of two processes runs first: what the audit sent is answered before it looks again, and
events come in the order of their sockets. The loop's clock stands still while something is computed, so that no
deadline is missed because counting is slow or the machine is busy, and is fast while nobody does anything.
"""

import asyncio
import select
import selectors
import time
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any

from tests.bench.count_meter import Meter
from tests.bench.count_replay import Replay

_HASTE = 10.0
"""Seconds of the loop's clock for one of pure waiting: a pause between two looks is as good when it is short."""


class _Selector(selectors.EpollSelector):
    def __init__(self, replay: Replay, meter: Meter) -> None:
        super().__init__()
        self.waited = 0.0
        """Seconds in which there was nothing to do."""
        self.threads = 0
        """Calls that threads of the loop work on."""
        self._replay, self._meter = replay, meter
        self._both = select.epoll()
        self._both.register(self.fileno(), select.EPOLLIN)
        self._both.register(replay.fileno(), select.EPOLLIN)

    def select(self, timeout: float | None = None) -> Any:
        with self._meter.pause():
            until = None if timeout is None else self.waited + timeout
            while True:
                self._replay.work_off()
                if ready := super().select(0):
                    return sorted(ready, key=lambda item: item[0].fd)
                if until is not None and self.waited >= until:
                    return []
                haste = 1.0 if self.threads else _HASTE
                began = time.monotonic()
                self._both.poll(None if until is None else (until - self.waited) / haste)
                self.waited += (time.monotonic() - began) * haste

    def close(self) -> None:
        self._both.close()
        super().close()


class Loop(asyncio.SelectorEventLoop):
    """The loop of one audit."""

    def __init__(self, replay: Replay, meter: Meter) -> None:
        """Take the servers, and the meter that must not count them."""
        self._waiting = _Selector(replay, meter)
        super().__init__(self._waiting)

    def run_in_executor[*Given, Told](
        self, executor: Executor | None, func: Callable[[*Given], Told], *args: *Given
    ) -> asyncio.Future[Told]:
        """Have a thread work; the clock does not hurry meanwhile."""
        self._waiting.threads += 1
        work = super().run_in_executor(executor, func, *args)
        work.add_done_callback(self._done)
        return work

    def _done(self, _work: asyncio.Future[Any]) -> None:
        self._waiting.threads -= 1

    def time(self) -> float:
        """Return the seconds that were waited, not those that were worked."""
        return self._waiting.waited
