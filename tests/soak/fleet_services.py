"""AWS as the fleet's day meets it: tables that throttle, functions that end in the middle, answers that get lost."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import msgspec
from botocore.exceptions import ReadTimeoutError

from tests.soak.faults import Crash, throttled
from tests.soak.memory import Dynamo

if TYPE_CHECKING:
    from tests.soak.fleet import Day

LOST, THROTTLES = 0.002, 0.0005
"""How often an answer of SNS is lost, and a call is throttled."""


class Told(msgspec.Struct, frozen=True):
    """One mail."""

    site: str
    alert_id: str
    kind: str
    at: float
    opened: tuple[str, ...]
    resolved: tuple[str, ...]
    known: bool
    """Its answer arrived."""


class Shaky:
    """A client whose calls are throttled at times, and whose function may end at one."""

    def __init__(self, day: "Day", real: Dynamo) -> None:
        self._day, self._real = day, real
        self.exceptions, self.meta = real.exceptions, real.meta

    def __getattr__(self, operation: str) -> Any:
        day, call = self._day, getattr(self._real, operation)

        def made(**arguments: Any) -> Any:
            day.clock.true += 0.0005
            if day.failing_calls and day.chance.random() < day.failing_calls:
                raise Crash
            if day.chance.random() < THROTTLES:
                day.faults["a call was throttled"] += 1
                raise throttled("dynamodb", operation)
            return call(**arguments)

        return made

    def get_paginator(self, operation: str) -> Any:
        """Return what reads pages; nothing goes wrong there."""
        return self._real.get_paginator(operation)


class Sns:
    """A client that takes mails, and whose answers get lost at times."""

    def __init__(self, day: "Day") -> None:
        self._day = day

    def publish(self, **message: Any) -> Any:
        """Take a mail."""
        day = self._day
        data = msgspec.json.decode(msgspec.json.decode(message["Message"])["sqs"])
        known = day.chance.random() >= LOST
        day.clock.true += 0.05
        lists = [
            tuple(entry["code"] for name in names for entry in data.get(name, ()))
            for names in (("opened", "worsened"), ("resolved", "eased"))
        ]
        day.mails.append(
            Told(data["site"], data["alert_id"], data["kind"], day.clock.true, lists[0], lists[1], known)
        )
        if not known:
            day.faults["an answer of SNS was lost"] += 1
            raise ReadTimeoutError(endpoint_url="https://sns.example")
        return {}


class Events:
    """A client that takes events."""

    def put_events(self, *, Entries: Sequence[Mapping[str, str]]) -> Any:  # noqa: N803 — boto3's name
        """Take events."""
        return {"FailedEntryCount": 0, "Entries": [{} for _ in Entries]}


@contextmanager
def inline_threads() -> Iterator[None]:
    """Make what would be done in a thread at once: tables in memory answer in no time."""
    real = asyncio.to_thread

    async def at_once(work: Any, *arguments: Any, **named: Any) -> Any:
        return work(*arguments, **named)

    asyncio.to_thread = at_once  # type: ignore[assignment]
    try:
        yield
    finally:
        asyncio.to_thread = real
