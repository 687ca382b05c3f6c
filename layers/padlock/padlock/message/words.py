"""The words that subjects, mails and chat messages share: names, titles, counts, times."""

import re
import textwrap
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from padlock.changes import OpenFinding
from padlock.findings import CHECKER, Finding, Severity
from padlock.render.escape import printable, single_spaced

WIDTH = 78
"""Characters of a line of prose; RFC 5322 section 2.1.1 recommends no more."""
COMMAND = "      "
"""Where a command stands, alone on its line."""
OUTSIDE = "        "
"""Where a text's further lines begin: deeper than our labels and commands, so that none forges one."""
_IN_BACKTICKS = re.compile(r"`[^`]*`")


def name_of(site: str) -> str:
    """Return a site's name as people read it."""
    return "Padlock itself" if site == CHECKER else site


def ascii_only(text: str) -> str:
    """Return one line of printable ASCII."""
    return printable(text).encode("ascii", "backslashreplace").decode()


def title_of(finding: Finding) -> str:
    """Return what a finding is in a few words."""
    title = finding.summary or finding.code.replace(".", " ").replace("_", " ")
    if finding.severity is not Severity.ERROR:
        title += f" (now a {finding.severity.value})"
    return printable(title, 80)


def named(findings: Sequence[OpenFinding], characters: int) -> str:
    """Return the first finding's title, and how many more there are: those of the same title as their number."""
    titles = [title_of(finding) for finding in findings]
    first, count = titles[0], len(titles)
    if len(first) > characters:
        first = first[: characters - 3] + "..."
    if count == 1:
        return first
    return f"{first} ({count})" if len(set(titles)) == 1 else f"{first}, and {count - 1} more"


def counted(number: int, name: str) -> str:
    """Return `1 warning` or `2 warnings`."""
    return f"{number} {name}{'' if number == 1 else 's'}"


def minor_of(counts: Mapping[str, int]) -> str:
    """Return how many findings below error there are: `2 warnings, 1 notice`."""
    return ", ".join(counted(number, name) for name, number in sorted(counts.items(), reverse=True) if number)


def wrapped(text: str, first: str = "", rest: str = OUTSIDE) -> list[str]:
    """Return printable prose as lines; what stands in backticks stays in one piece, to be copied."""
    whole = _IN_BACKTICKS.sub(_unbroken, single_spaced(text.strip(" ")))
    lines = textwrap.wrap(
        whole,
        WIDTH,
        initial_indent=first,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [line.replace("\x00", " ") for line in lines] or [first.rstrip()]


def _unbroken(span: re.Match[str]) -> str:
    return span[0].replace(" ", "\x00")


def stated(moment: datetime) -> str:
    """Return a time: `2026-11-20 12:00 UTC`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def local(moment: datetime, timezone: str) -> str:
    """Return the time as the owner's clock shows it; empty where that is UTC, or not known here."""
    if timezone == "UTC":
        return ""
    try:
        return moment.astimezone(ZoneInfo(timezone)).strftime(" (%H:%M ") + f"{timezone})"
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ""


def lasted(span: timedelta) -> str:
    """Return a span in its two largest units: `3 d 4 h`, `2 h 5 min`, `7 min`, or `40 s` where it is a short one."""
    seconds = max(int(span.total_seconds()), 0)
    if seconds < 60:
        return f"{seconds} s"
    minutes = seconds // 60
    days, hours, minutes = minutes // 1440, minutes % 1440 // 60, minutes % 60
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def open_for(findings: Sequence[OpenFinding], now: datetime) -> str:
    """Return how long the oldest of them has been open."""
    return lasted(now - min(finding.since for finding in findings))
