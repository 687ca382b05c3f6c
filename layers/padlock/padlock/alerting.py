"""Texts → alert records: of a run's change, and of what the checker itself has to say."""

import hashlib
from collections.abc import Callable
from datetime import datetime

import msgspec

from padlock.changes import Change, Kind
from padlock.findings import CHECKER
from padlock.message import Message
from padlock.storage import Alert, Results, shown_labels


def record_of(change: Change, seq: int, alert_id: str, text: Message) -> Alert:
    """Return the record of a change."""
    return Alert(
        site=change.site,
        seq=seq,
        alert_id=alert_id,
        created_at=change.checked_at,
        kind=change.kind,
        before=change.before,
        after=change.after,
        labels=change.labels,
        changed={name: shown_labels(getattr(change, name)) for name in ("opened", "worsened", "eased", "resolved")},
        **msgspec.structs.asdict(text),
    )


def announce(
    results: Results, kind: Kind, key: str, at: datetime, compose: Callable[[str, int], Message], expires: int
) -> Alert | None:
    """Write an alert of the checker itself that no run made, once for each key `RUN#…`; None where that one exists.

    `compose` gets the alert's id and number. The alert stands between two changes of the checker's own status.
    """
    written: list[Alert] = []

    def build(seq: int) -> Alert:
        alert_id = hashlib.sha256(f"{CHECKER}|{key}|{seq}".encode()).hexdigest()[:32]
        status = results.load(CHECKER).state.site_status
        change = Change(site=CHECKER, checked_at=at, kind=kind, before=status, after=status)
        written.append(record_of(change, seq, alert_id, compose(alert_id, seq)))
        return written[-1]

    return written[-1] if results.announce(CHECKER, key, build, expires) else None
