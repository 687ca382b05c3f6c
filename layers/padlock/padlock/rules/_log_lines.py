"""Lines of nginx's and certbot's logs: their time, whether they are the site's, and what trouble they show.

Sources: nginx's ngx_http_log_error_handler and its `combined` format; Python's logging, as certbot has it.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta

import msgspec

RECENT = timedelta(days=3)
"""Older lines tell of what is over. Logs are in the machine's own time, so that it may seem a day more or less."""
LONGEST = 1000
"""Characters of a line that are looked at."""

_TIMES = (
    (re.compile(r"(\d{4}/\d\d/\d\d \d\d:\d\d:\d\d) \["), "%Y/%m/%d %H:%M:%S"),
    (re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d),\d+:"), "%Y-%m-%d %H:%M:%S"),
)
_ACCESS_TIME = re.compile(r"\[(\d\d)/([A-Z][a-z]{2})/(\d{4}):(\d\d:\d\d:\d\d) [+-]\d{4}\]")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_OF = re.compile(
    r', (?:server|host): "?([^",]+)"?|\bDomain: (\S+)|challenge failed for domain (\S+)|renew certificate (\S+) with|'
    r"^\s{1,4}Detail: [^/]{0,80}https?://([^/:\s\"]+)",
    re.IGNORECASE,
)
"""Where an error line names its site: a host, or a certificate of certbot's."""
_STATUS = re.compile(r'" ([1-5]\d\d) ')


class Class(msgspec.Struct, frozen=True):
    """One class of trouble."""

    name: str
    words: re.Pattern[str]


def known(classes: Mapping[str, str]) -> tuple[Class, ...]:
    """Return classes from name → regular expression, in the order in which they are tried."""
    return tuple(Class(name, re.compile(words, re.IGNORECASE)) for name, words in classes.items())


def recent(lines: Iterable[str], now: datetime) -> Iterator[str]:
    """Yield the lines of the last days; one without a time, as in a traceback, belongs to the one before."""
    fresh = True
    for line in lines:
        when = _time(line)
        fresh = fresh if when is None else abs(now - when) <= RECENT
        if fresh:
            yield line[:LONGEST]


def _time(line: str) -> datetime | None:
    for pattern, form in _TIMES:
        if found := pattern.match(line):
            return _parsed(found[1], form)
    if found := _ACCESS_TIME.search(line[:LONGEST]):
        day, month, year, clock = found.groups()
        number = _MONTHS.index(month) + 1 if month in _MONTHS else 0
        return _parsed(f"{year}-{number:02}-{day} {clock}", "%Y-%m-%d %H:%M:%S")
    return None


def _parsed(text: str, form: str) -> datetime | None:
    try:
        return datetime.strptime(text, form).replace(tzinfo=UTC)
    except ValueError:
        return None


def is_of(line: str, hosts: Collection[str]) -> bool:
    """Whether an error line may be about these hosts or certificates: it names one, or none at all."""
    named = {name.partition(":")[0].lower() for names in _OF.findall(line) for name in names if name}
    return not named or bool(named & set(hosts))


def classified(lines: Iterable[str], classes: Collection[Class]) -> dict[str, list[str]]:
    """Return class → its lines, the class with the most first."""
    found: dict[str, list[str]] = {}
    for line in lines:
        fitting = next((each.name for each in classes if each.words.search(line)), None)
        if fitting:
            found.setdefault(fitting, []).append(line)
    return dict(sorted(found.items(), key=lambda item: -len(item[1])))


def statuses(lines: Iterable[str]) -> dict[str, int]:
    """Return status → number of requests of an access log, in order of the statuses."""
    counts: dict[str, int] = {}
    for line in lines:
        if found := _STATUS.search(line):
            counts[found[1]] = counts.get(found[1], 0) + 1
    return dict(sorted(counts.items()))
