"""When a site is due, and what the queue's messages say."""

import json
import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from padlock.schedule import (
    BATCH,
    MAX_BODY,
    Tick,
    batches,
    body_of,
    interval_of,
    is_due,
    read_time,
    removal_of,
    tick,
)
from padlock.site import key_of
from padlock.storage.ticks import LastTick

NOW = datetime.now(UTC).replace(microsecond=0)
NAMES = [f"site{number}.example" for number in range(200)]


def ticks(count: int, minutes: float = 5) -> Iterator[Tick]:
    """Yield ticks that follow each other."""
    step = timedelta(minutes=minutes)
    for number in range(count):
        yield Tick(NOW + (number + 1) * step, NOW + number * step)


@pytest.mark.parametrize("interval", [300, 600, 3600, 86400])
@pytest.mark.parametrize("name", NAMES[:5])
def test_due_once_an_interval(name: str, interval: int) -> None:
    """In ticks without a gap a site runs exactly once an interval."""
    due = [is_due(name, interval, one) for one in ticks(2 * 288)]
    every = interval // 300
    assert sum(due) == 2 * 288 // every
    first = due.index(True)
    assert due[first::every] == [True] * len(due[first::every])


def test_interval_shorter_than_the_tick_runs_each_tick() -> None:
    """A site never runs twice in a tick, and never misses one."""
    assert all(is_due(name, 60, one) for name in NAMES for one in ticks(3, minutes=15))


def test_spread_is_even_and_stable() -> None:
    """Hourly sites spread over an hour's ticks, always in the same way."""
    counts = [sum(is_due(name, 3600, one) for name in NAMES) for one in ticks(12)]
    assert sum(counts) == len(NAMES)
    assert max(counts) < 3 * math.ceil(len(NAMES) / 12)
    assert is_due("site0.example", 3600, Tick(NOW, None)), "with no tick before, all are due"


def test_missed_ticks_sites_run_with_the_next() -> None:
    """A tick covers the time since the last one that was done."""
    whole = Tick(NOW + timedelta(hours=1), NOW)
    assert all(is_due(name, 3600, whole) for name in NAMES)


def test_tick_after_tick() -> None:
    """A tick covers the time since the last one; a repeated or late one nothing, the first one everything."""
    before, later = NOW - timedelta(minutes=5), NOW + timedelta(minutes=5)
    assert tick(None, NOW) == Tick(NOW, None)
    assert tick(LastTick(before), NOW) == Tick(NOW, before)
    assert tick(LastTick(NOW, before), NOW) is None
    assert tick(LastTick(later, NOW), NOW) is None


@pytest.mark.parametrize(
    ("declaration", "seconds"),
    [("a.example", 300), ({"interval": "1h"}, 3600), ({"interval": "often"}, 300), ({"interval": 5}, 300), ({}, 300)],
)
def test_interval_of_any_declaration(declaration: Any, seconds: int) -> None:
    """A wrong interval counts as the default one: the check tells of it."""
    assert interval_of(declaration) == seconds


def test_read_time() -> None:
    """The scheduler's time is taken to the second; without one it is now."""
    expected = datetime(2026, 11, 20, 17, 5, tzinfo=UTC)
    for text in ("2026-11-20T17:05:00Z", "2026-11-20T18:05:00+01:00", "2026-11-20T17:05:00.9Z"):
        assert read_time({"scheduled_at": text}, "scheduled_at", NOW) == expected
    assert read_time({"digest": "2026-11-20T17:05:00Z"}, "digest", NOW) == expected
    assert read_time({}, "scheduled_at", NOW) == NOW
    assert read_time({"digest": None}, "digest", NOW) == NOW


@pytest.mark.parametrize("wrong", ["soon", "2026-11-20T17:05:00", 5, "2099-01-01T00:00:00Z"])
def test_wrong_time_is_refused(wrong: object) -> None:
    """A time that is none, or that would make the real ticks look late, is named."""
    with pytest.raises(ValueError, match="scheduled_at"):
        read_time({"scheduled_at": wrong}, "scheduled_at", NOW)


def test_batches_hold_what_a_request_carries() -> None:
    """Batches have ten messages, or fewer where these are large; none is lost."""
    bodies = [str(number) * (1 if number % 3 else 90_000) for number in range(100)]
    made = list(batches(bodies))
    assert [body for batch in made for body in batch] == bodies
    assert all(len(batch) <= BATCH and sum(map(len, batch)) <= MAX_BODY for batch in made)


def test_too_large_declaration_is_told() -> None:
    """What no message can carry is replaced by the reason, which the check turns into a finding."""
    body = json.loads(body_of("a.example", {"name": "a.example", "private_ca": "x" * 300_000}, "slot"))
    assert (body["site"], body["slot"]) == ("a.example", "slot")
    assert "octets" in body["error"]


def test_odd_attribute_stops_nobody() -> None:
    """An attribute of a type that JSON lacks is told by name; the check refuses the entry alone."""
    body = json.loads(body_of("a.example", {"name": "a.example", "labels": {"x": [b"\x00"]}}, "slot"))
    assert (body["site"], body["slot"]) == ("a.example", "slot")
    assert body["error"].startswith("labels: binary data")


@pytest.mark.parametrize(
    "name", ["a.example", "A.example", "bücher.example", r"back\slash", "not a host\u202e", "x" * 400, "  "]
)
def test_message_leads_to_the_sites_own_state(name: str) -> None:
    """What stands in a message in place of a declaration has the key of the declaration, odd characters and all."""
    key = key_of(name)
    too_large = body_of(key, {"name": name, "private_ca": "x" * 300_000}, "slot")
    assert {key_of(json.loads(body)["site"]) for body in (too_large, removal_of(name, "slot"))} == {key}
    assert json.loads(removal_of("A.example", "slot")) == {"site": "a.example", "slot": "slot", "removed": True}
