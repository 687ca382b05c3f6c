"""Change → what programs read: the JSON of a message, and the detail of its event."""

import json
from collections.abc import Sequence
from typing import Any

import msgspec

from padlock.changes import Change, OpenFinding
from padlock.message.subject import happened
from padlock.render.escape import printable

LISTS = ("opened", "worsened", "eased", "resolved", "still_open", "acknowledged")
COUNTERS = ("told", "bad", "good")
"""Of a finding: how it was counted is the state's own affair."""
MAX_EVENT = 60_000
"""Octets of an event's detail; EventBridge takes 262,144 for the whole entry, and the outbox's item holds it too."""
EVENT_CAPS = ((50, 400), (20, 150), (5, 60))
"""Entries of a list and characters of one of them; the next pair where an event is too large."""


def data_of(change: Change, subject: str, alert_id: str, seq: int, severity: str, shown: int, characters: int) -> str:
    """Return the change as JSON, with so many findings of each list and characters of each of their texts."""
    built: dict[str, Any] = msgspec.to_builtins(change)
    for name in LISTS:
        built[name] = [{key: each[key] for key in each if key not in COUNTERS} for each in built[name]]
    listed = (*LISTS, "causes", "silences")
    head = {
        "alert_id": alert_id,
        "seq": seq,
        "subject": subject,
        "severity": severity,
        "counts": {name: len(built[name]) for name in listed},
    }
    cut = built | {name: built[name][:shown] for name in listed}
    return json.dumps(head | escaped(cut, characters, shown), ensure_ascii=False)


def event_of(change: Change, alert_id: str, seq: int) -> str:
    """Return the detail of the event that tells of the change."""
    detail = {
        "site": change.site,
        "from": change.before,
        "to": change.after,
        "kind": change.kind,
        "alert_id": alert_id,
        "seq": seq,
        "checked_at": msgspec.to_builtins(change.checked_at),
        "summary": happened(change),
        "labels": dict(change.labels),
        "opened": _labels((*change.opened, *change.worsened)),
        "resolved": _labels((*change.resolved, *change.eased)),
        "causes": [cause.code for cause in change.causes],
    }
    return fitted_event(detail)


def fitted_event(detail: dict[str, Any]) -> str:
    """Return an event's detail, cut until it fits."""
    for entries, characters in EVENT_CAPS:
        cut = {name: _first(value, entries) for name, value in detail.items()}
        text = json.dumps(escaped(cut, characters, entries), ensure_ascii=False)
        if len(text.encode()) <= MAX_EVENT:
            break
    return text


def _labels(findings: Sequence[OpenFinding]) -> list[str]:
    return [finding.label for finding in findings]


def _first(value: Any, entries: int) -> Any:
    if isinstance(value, dict):
        return dict(list(value.items())[:entries])
    return value[:entries] if isinstance(value, list) else value


def escaped(value: Any, characters: int, entries: int) -> Any:
    """Return the value with every text in it printable and cut, the keys of its mappings too.

    Of a list of texts so many are kept, and the number of the others; commands are kept whole or not at all.
    """
    if isinstance(value, str):
        return printable(value, characters)
    if isinstance(value, dict):
        return {
            printable(str(name), characters): _commands(entry, characters, entries)
            if name == "commands"
            else escaped(entry, characters, entries)
            for name, entry in value.items()
        }
    if isinstance(value, (list, tuple)):
        more = len(value) - entries if value and isinstance(value[0], str) else 0
        shown = [escaped(entry, characters, entries) for entry in (value[:entries] if more > 0 else value)]
        return [*shown, f"… and {more} more"] if more > 0 else shown
    return value


def _commands(lines: Sequence[str], characters: int, entries: int) -> list[str]:
    """Return lines that are run as root: half of them, or half of one, would do something else."""
    whole = len(lines) <= entries and all(
        len(line) <= characters and printable(line, len(line)) == line for line in lines
    )
    return list(lines) if whole else []
