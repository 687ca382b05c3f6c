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
    head = {
        "alert_id": alert_id,
        "seq": seq,
        "subject": subject,
        "severity": severity,
        "counts": {name: len(built[name]) for name in LISTS},
    }
    cut = built | {name: built[name][:shown] for name in (*LISTS, "causes")}
    return json.dumps(head | escaped(cut, characters), ensure_ascii=False)


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
        text = json.dumps(escaped(cut, characters), ensure_ascii=False)
        if len(text.encode()) <= MAX_EVENT:
            break
    return text


def _labels(findings: Sequence[OpenFinding]) -> list[str]:
    return [finding.label for finding in findings]


def _first(value: Any, entries: int) -> Any:
    if isinstance(value, dict):
        return dict(list(value.items())[:entries])
    return value[:entries] if isinstance(value, list) else value


def escaped(value: Any, characters: int) -> Any:
    """Return the value with every text in it printable and cut, the keys of its mappings too."""
    if isinstance(value, str):
        return printable(value, characters)
    if isinstance(value, dict):
        return {printable(str(name), characters): escaped(entry, characters) for name, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [escaped(entry, characters) for entry in value]
    return value
