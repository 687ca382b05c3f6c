"""Change → what happened, in one line. SNS asks of a subject: ASCII, under 100 characters, no line break."""

from padlock.changes import STALE, Change
from padlock.message.words import ascii_only, counted, lasted, name_of, named, open_for, title_of

MAX_TITLE = 99
PREFIX = "[Padlock] "
WIDTHS = (60, 45, 30, 20)
"""Characters of a finding's title; the next where a subject is too long."""
MIN_NAME = 10
"""Characters of a site's name that are kept in any case."""


def subject_of(change: Change) -> str:
    """Return one line of at most 99 printable ASCII characters: which site, and what happened to it."""
    name = ascii_only(name_of(change.site))
    for characters in WIDTHS:
        told = ascii_only(happened(change, characters))
        if len(whole := f"{PREFIX}{name}: {told}") <= MAX_TITLE:
            return whole
    room = MAX_TITLE - len(f"{PREFIX}: {told}")
    if len(name) > room:
        name = name[: max(room - 3, MIN_NAME)] + "..."
    return f"{PREFIX}{name}: {told}"[:MAX_TITLE]


def happened(change: Change, characters: int = WIDTHS[0]) -> str:
    """Return what happened in one printable line; a finding's title is cut after so many characters."""
    unsilenced = (*change.opened, *change.worsened, *change.still_open)
    match change.kind:
        case "flapping":
            return f"flapping: {change.flips} changes in an hour"
        case "settled" if unsilenced:
            return f"settled: {named(unsilenced, characters)} still open"
        case "settled":
            warnings = change.minor.get("warning", 0)
            silent = f"{len(change.acknowledged)} acknowledged" if change.acknowledged else "ok"
            return f"settled: {silent}" + (f", {counted(warnings, 'warning')}" if warnings else "")
        case "reminder" if unsilenced:
            return f"reminder: {named(unsilenced, characters)}, open for {open_for(unsilenced, change.checked_at)}"
        case "removed":
            return "no longer checked"
        case "status":
            return f"{_statuses(change)} ({told})" if (told := _difference(change, characters)) else _statuses(change)
        case _:
            return _difference(change, characters) or _statuses(change)


def _difference(change: Change, characters: int) -> str:
    new = (*change.opened, *change.worsened)
    over = (*change.resolved, *change.eased)
    left = [
        f"{len(findings)} {state}"
        for findings, state in ((change.still_open, "still open"), (change.acknowledged, "acknowledged"))
        if findings
    ]
    if new:
        brief = named(new, characters)
        if (over or left) and len({title_of(finding) for finding in new}) > 1:
            brief = f"{len(new)} new"
        return ", ".join([brief, *([f"{len(over)} resolved"] if over else []), *left])
    if not over:
        return ", ".join(left)
    checked_again = {finding.code for finding in over} == {STALE}
    if left:
        return ", ".join(["checked again" if checked_again else f"resolved: {named(over, characters)}", *left])
    end = max(finding.ended or change.checked_at for finding in over)
    since = lasted(end - min(finding.since for finding in over))
    if checked_again:
        return f"checked again after {since}"
    if {finding.code for finding in over} <= {*change.declared}:
        return f"{named(over, characters)}{'' if change.eased else ': not checked'}, as declared"
    return f"no longer an error after {since}" if change.eased else f"resolved after {since}"


def _statuses(change: Change) -> str:
    was = "" if change.before in (change.after, "unknown") else f", was {change.before}"
    return f"status {change.after}{was}"
