"""What a site's owner wants to be told: windows, also where clocks are changed, and what is acknowledged."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from padlock.changes import Policy, Silence
from padlock.silence import policy_of
from padlock.site import parse

BERLIN, NEW_YORK = "Europe/Berlin", "America/New_York"
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def policy(now: datetime = NOW, **keys: Any) -> Policy:
    """Return the policy of a site that declares these keys."""
    return policy_of(parse({"name": "example.com", **keys}), now)


def utc(text: str) -> datetime:
    """Return a moment written without a zone as UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_what_the_declaration_itself_decides() -> None:
    """What is switched off, and whose severity is declared, is known to who tells of changes."""
    told = policy(disable=["hsts", "app.slow"], severity={"dns.missing": "warning"})
    assert (told.disabled, told.severities) == (("hsts", "app.slow"), ("dns.missing",))


def test_the_usual_policy() -> None:
    """A bare host is told of as the contract's defaults have it."""
    assert policy() == Policy()


def test_what_the_owner_moves() -> None:
    """Thresholds, interval and reminder are the site's."""
    moved = policy(thresholds={"failures": 5, "successes": 1}, interval="1h", reminder="7d")
    assert moved == Policy(failures=5, successes=1, interval=3600, reminder=604800)
    assert policy(reminder="off").reminder is None


@pytest.mark.parametrize(
    ("now", "inside"),
    [
        ("2026-12-24T16:59:59", False),
        ("2026-12-24T17:00:00", True),
        ("2026-12-24T18:59:59", True),
        ("2026-12-24T19:00:00", False),
    ],
)
def test_a_window_that_is_once(now: str, inside: bool) -> None:
    """It begins with its start, which is local, and ends before its end, which has a zone of its own."""
    window = {"start": "2026-12-24T18:00", "end": "2026-12-24T14:00-05:00"}
    end = policy(utc(now), maintenance=window, timezone=BERLIN).maintenance_until
    assert end == (utc("2026-12-24T19:00") if inside else None)


@pytest.mark.parametrize(
    ("zone", "every", "lasts", "start"),
    [
        # The night before, and the night in which clocks go forward: two hours by the clock are one that passes.
        (BERLIN, "01:30", "2h", "2026-03-28T00:30"),
        (BERLIN, "01:30", "2h", "2026-03-29T00:30"),
        (BERLIN, "Sun 01:30", "2h", "2026-03-29T00:30"),
        (NEW_YORK, "Sun 01:30", "90m", "2026-03-08T06:30"),
        # A time that the clocks skip is read with the offset before: 02:30 is 03:30.
        (BERLIN, "02:30", "30m", "2026-03-29T01:30"),
        (NEW_YORK, "02:30", "30m", "2026-03-08T07:30"),
        (BERLIN, "02:30", "30m", "2026-03-30T00:30"),
        # One that comes twice is the first of the two.
        (BERLIN, "02:30", "30m", "2026-10-25T00:30"),
        (NEW_YORK, "Sun 01:30", "30m", "2026-11-01T05:30"),
        # Over midnight, and for days.
        (NEW_YORK, "Sat 23:30", "3h", "2026-11-01T03:30"),
        (BERLIN, "Fri 18:00", "62h", "2026-10-23T16:00"),
        (BERLIN, "Mon 00:00", "167h", "2026-10-18T22:00"),
        (BERLIN, "Sat 23:45", "1410m", "2026-03-28T22:45"),
        # A zone that goes back from midnight to the day before.
        ("America/Asuncion", "Sun 00:00", "1h", "2024-03-24T04:00"),
    ],
)
def test_windows_where_clocks_are_changed(zone: str, every: str, lasts: str, start: str) -> None:
    """A window begins at its local time and lasts as long as it says, whatever the clocks do meanwhile."""
    begins = utc(start)
    ends = begins + timedelta(**{{"m": "minutes", "h": "hours"}[lasts[-1]]: int(lasts[:-1])})
    window = {"every": every, "for": lasts}

    def until(now: datetime) -> datetime | None:
        return policy(now, maintenance=window, timezone=zone).maintenance_until

    second = timedelta(seconds=1)
    assert [until(now) for now in (begins, begins + (ends - begins) / 2, ends - second)] == [ends] * 3
    assert until(begins - second) is None
    assert until(ends) is None


def test_a_time_that_comes_twice_opens_one_window() -> None:
    """An hour after the first 02:30 it is 02:30 again in Berlin, and no window begins."""
    keys = {"maintenance": {"every": "02:30", "for": "30m"}, "timezone": BERLIN}
    assert policy(utc("2026-10-25T00:45"), **keys).maintenance_until == utc("2026-10-25T01:00")
    assert policy(utc("2026-10-25T01:45"), **keys).maintenance_until is None


def test_windows_that_overlap() -> None:
    """Of several windows the one that ends last counts; those that `now` does not lie in do not."""
    windows = [
        {"every": "11:00", "for": "2h"},
        {"every": "Sat 11:30", "for": "3h"},
        {"every": "12:01", "for": "9h"},
        {"start": "2026-11-20", "end": "2026-11-21"},
    ]
    assert policy(maintenance=windows).maintenance_until == utc("2026-11-21T14:30")


def test_a_long_window_meets_the_next_on_a_short_day() -> None:
    """On the day of 23 hours a window of 23.5 hours is not over when the next one begins: the later end counts."""
    keys = {"maintenance": {"every": "12:00", "for": "1410m"}, "timezone": BERLIN}
    assert policy(utc("2026-03-29T09:59"), **keys).maintenance_until == utc("2026-03-29T10:30")
    assert policy(utc("2026-03-29T10:15"), **keys).maintenance_until == utc("2026-03-30T09:30")


WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def opens(now: datetime, at: time, weekday: int | None, zone: ZoneInfo) -> bool:
    """Whether a window opens at this minute, by the clock on the wall: what it shows, or would, had nobody turned it.

    Told apart from the code that is tested by asking a minute for its local time, never a local time for its minute.
    """
    local = now.astimezone(zone)
    if local.fold:
        return False
    shown = {local.replace(tzinfo=None)}
    # Within an hour after the clocks went forward a clock that nobody turned shows the times that were skipped.
    unturned = (now + ((now - HOUR).astimezone(zone).utcoffset() or timedelta())).replace(tzinfo=None)
    back = unturned.replace(tzinfo=zone).astimezone(UTC).astimezone(zone).replace(tzinfo=None)
    if back != unturned:
        shown.add(unturned)
    return any(clock.time() == at and weekday in (None, clock.weekday()) for clock in shown)


@st.composite
def moments(draw: st.DrawFn) -> datetime:
    """Draw a minute of 2026, most of them within two days of a change of the clocks."""
    changes = (date(2026, 3, 8), date(2026, 3, 29), date(2026, 10, 25), date(2026, 11, 1))
    any_day = st.dates(date(2026, 1, 1), date(2026, 12, 31))
    near = st.sampled_from(changes).flatmap(lambda day: st.dates(day - timedelta(days=2), day + timedelta(days=2)))
    minutes = draw(st.integers(0, 1439))
    return datetime.combine(draw(near | any_day), time(), UTC) + MINUTE * minutes


@given(
    now=moments(),
    at=st.times().map(lambda drawn: drawn.replace(second=0, microsecond=0)),
    weekday=st.none() | st.integers(0, 6),
    lasts=st.integers(1, 300),
    zone=st.sampled_from([BERLIN, NEW_YORK, "UTC", "Australia/Lord_Howe", "Asia/Kolkata"]),
)
@example(now=utc("2026-03-29T01:45"), at=time(2, 30), weekday=6, lasts=30, zone=BERLIN)
@example(now=utc("2026-10-25T01:45"), at=time(2, 30), weekday=6, lasts=30, zone=BERLIN)
@example(now=utc("2026-11-01T05:59"), at=time(1, 30), weekday=None, lasts=30, zone=NEW_YORK)
def test_a_window_holds_the_moments_that_it_should(
    now: datetime, at: time, weekday: int | None, lasts: int, zone: str
) -> None:
    """A minute lies in a window of d minutes exactly if one opened within the last d; the latest of them ends it."""
    every = f"{at:%H:%M}" if weekday is None else f"{WEEKDAYS[weekday]} {at:%H:%M}"
    until = policy(now, maintenance={"every": every, "for": f"{lasts}m"}, timezone=zone).maintenance_until
    opened = next(
        (now - MINUTE * n for n in range(lasts) if opens(now - MINUTE * n, at, weekday, ZoneInfo(zone))), None
    )
    assert until == (opened + MINUTE * lasts if opened else None)


def test_what_is_acknowledged() -> None:
    """Each acknowledgement silences its finding until a time in the site's zone; those that are over are dropped."""
    known = [
        {
            "code": "certificate.expiring",
            "until": "2026-11-21T13:01",
            "subject": "www.example.com",
            "note": "ordered",
        },
        {"code": "*", "until": "2026-12-24"},
        {"code": "hsts.missing", "until": "2026-11-21T13:00"},
        {"code": "hsts.missing", "until": "2026-11-21T12:00Z"},
    ]
    assert policy(acknowledge=known, timezone=BERLIN).silences == (
        Silence("certificate.expiring", utc("2026-11-21T12:01"), "www.example.com", "ordered"),
        Silence("*", utc("2026-12-23T23:00")),
    )
