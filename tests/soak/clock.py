"""The one clock of a simulated world, which every actor reads with an error of its own; nothing sleeps really."""

import datetime as dates
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime, tzinfo
from typing import Any, Self
from unittest.mock import patch

START = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
DATED = ("padlock.notify",)
"""Modules that ask for today's date themselves."""


class Clock:
    """Time in seconds since the epoch, as it really is and as the acting one sees it; it stands in for `time`."""

    def __init__(self) -> None:
        self.true = START.timestamp()
        self._skew: ContextVar[float] = ContextVar("skew", default=0.0)
        """Seconds by which the acting one's clock is ahead."""

    def reset(self) -> None:
        """Go back to the beginning."""
        self.true = START.timestamp()

    def now(self) -> datetime:
        """Return the acting one's time, whole seconds, UTC."""
        return datetime.fromtimestamp(int(self.time()), UTC)

    def truth(self) -> datetime:
        """Return the true time, whole seconds, UTC."""
        return datetime.fromtimestamp(int(self.true), UTC)

    def time(self) -> float:
        """Return the acting one's time as `time.time` does."""
        return self.true + self._skew.get()

    def monotonic(self) -> float:
        """Return a time that has no error."""
        return self.true

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.true += seconds

    @contextmanager
    def seen_by(self, skew: float) -> Iterator[None]:
        """Let another one act, whose clock is ahead by so many seconds."""
        before = self._skew.set(skew)
        try:
            yield
        finally:
            self._skew.reset(before)


class Serial:
    """A pool whose work is done at once, in the order in which it is given."""

    def __init__(self, workers: int = 1) -> None:
        """Take the number of threads that there would be."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """End nothing: all is done."""

    def map(self, work: Any, *iterables: Any) -> Any:
        """Return the results, in order."""
        return [work(*arguments) for arguments in zip(*iterables, strict=False)]

    def submit(self, work: Any, *arguments: Any) -> "Future[Any]":
        """Do the work and return its result, or the error that it ended with."""
        future: Future[Any] = Future()
        try:
            future.set_result(work(*arguments))
        except Exception as error:  # noqa: BLE001 — handed to whoever asks for the result
            future.set_exception(error)
        return future


@contextmanager
def installed(clock: Clock) -> Iterator[None]:
    """Give this clock to all of the product's modules, and let no thread run beside another."""

    class Today(dates.datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return cls.fromtimestamp(clock.time(), tz)

    patches: list[Any] = [patch(f"{module}.datetime", Today) for module in DATED]
    for name, module in list(sys.modules.items()):
        if name.startswith("padlock."):
            names = {"time": (time, clock), "ThreadPoolExecutor": (ThreadPoolExecutor, Serial)}
            patches += [
                patch.object(module, attribute, instead)
                for attribute, (real, instead) in names.items()
                if getattr(module, attribute, None) is real
            ]
    for each in patches:
        each.start()
    try:
        yield
    finally:
        for each in reversed(patches):
            each.stop()
