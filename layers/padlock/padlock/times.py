"""Times as declarations write them: a length, a moment, a time of the day or of the week.

What has no time zone of its own is in the site's. Where its clocks are changed, a time that they skip is read with
the offset from before the change (at 02:00 → 03:00, 02:30 is 03:30), and one that comes twice is the first of the
two: RFC 5545 section 3.3.5.
"""

import re
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import msgspec

_LENGTH = re.compile(r"([1-9][0-9]{0,4})([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_CLOCK = re.compile(r"(?:([A-Za-z]+) +)?([01]?[0-9]|2[0-3]):([0-5][0-9])")
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


class Clock(msgspec.Struct, frozen=True):
    """A local time of every day, or of one day of the week."""

    at: time
    weekday: int | None = None
    """0 is Monday; None: every day."""

    @property
    def period(self) -> timedelta:
        """The usual time from one to the next; a change of the clocks makes it shorter or longer."""
        return timedelta(days=1 if self.weekday is None else 7)

    def on(self, day: date, zone: ZoneInfo) -> datetime | None:
        """Return the moment of a local day at which it is this time, in UTC; None where it is not its weekday."""
        if self.weekday not in (None, day.weekday()):
            return None
        return datetime.combine(day, self.at, zone).astimezone(UTC)


def length(text: str, shortest: str, longest: str) -> int:
    """Return the seconds of a length of time such as `5m`; ValueError if it is none, or out of range."""
    seconds = _seconds(text)
    if seconds is None:
        raise ValueError(f"{text[:80]!r} is no length of time; write a number and a unit, such as 5m, 1h or 1d")
    if not (_seconds(shortest) or 0) <= seconds <= (_seconds(longest) or 0):
        raise ValueError(f"{text!r} is out of range; use {shortest} to {longest}")
    return seconds


def _seconds(text: str) -> int | None:
    match = _LENGTH.fullmatch(text)
    return int(match[1]) * _SECONDS[match[2]] if match else None


def moment(text: str, zone: ZoneInfo) -> datetime:
    """Return the moment that ISO 8601 text names, in UTC; a date alone is its beginning. ValueError if it is none."""
    try:
        when = datetime.fromisoformat(text)
        return (when if when.tzinfo else when.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError(
            f"{text[:80]!r} is no time; write one such as 2026-12-24T18:00 or 2026-12-24T17:00Z"
        ) from error


def clock(text: str) -> Clock:
    """Return the time of the day (`02:00`) or of the week (`Sun 02:00`) that text names; ValueError if it is none."""
    match = _CLOCK.fullmatch(text)
    if not match:
        raise ValueError(
            f"{text[:80]!r} is no time of the day; write one such as 02:00, or Sun 02:00 for once a week"
        )
    at = time(int(match[2]), int(match[3]))
    if match[1] is None:
        return Clock(at)
    day = match[1].lower()
    weekday = next((n for n, name in enumerate(_DAYS) if day in (name, name[:3])), None)
    if weekday is None:
        raise ValueError(f"{match[1][:80]!r} is no weekday; write Mon, Tue, Wed, Thu, Fri, Sat or Sun")
    return Clock(at, weekday)
