"""The history: a row for each run that found something else than the one before, and for one at least each day.

Runs that found the same as their row are counted: in the head while they are the latest, and then by the row that
comes after them, in `before`. Whoever reads the history gets the count with the row that it is of.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from padlock import record
from padlock.findings import Report
from padlock.storage._items import Item, stamp
from padlock.storage._stored import Stored, summary_of


class Run(msgspec.Struct, frozen=True):
    """One run's row of the history."""

    site: str
    key: str
    """RUN#<slot>, or RUN#<time>#<id> on demand."""
    ticket: int
    """Its place in the order of the site's runs: the slot in epoch seconds; 0 on demand, outside the order."""
    seconds: float
    expires: int
    """Epoch seconds at which the row goes."""


def row_of(
    run: Run,
    report: Report,
    kind: str,
    changed: Mapping[str, Sequence[str]] | None = None,
    stored: Stored | None = None,
) -> Item:
    """Return the row of a run; `stored`: what stood there before it, whose repeated runs it counts."""
    changed = changed or {}
    row = {"record": record.pack(report)} if report.checklist else {}
    if stored and stored.fits and stored.repeats:
        row["before"] = {"row": stored.row, "repeats": stored.repeats, "until": stored.checked_at}
    return row | {
        "site": run.site,
        "sk": run.key,
        "done": True,
        "kind": kind,
        "ticket": run.ticket,
        "checked_at": stamp(report.checked_at),
        "status": report.status,
        "summary": _summary(report),
        "findings": [finding.code for finding in report.findings[:100]],
        "opened": [*changed.get("opened", ()), *changed.get("worsened", ())],
        "resolved": list(changed.get("resolved", ())),
        "seconds": run.seconds,
        "ttl": run.expires,
    }


def counted(rows: Iterable[Item], head: Mapping[str, Any]) -> Iterator[Item]:
    """Yield rows, the newest first; one that runs after it were as has `repeats`, how many, and `until`, the last."""
    known: dict[str, Item] = {}
    if head.get("repeats"):
        known[head["row"]] = {"repeats": head["repeats"], "until": head["checked_at"]}
    for row in rows:
        before = row.pop("before", None)
        if before:
            known.setdefault(before["row"], {"repeats": before["repeats"], "until": before["until"]})
        yield row | known.pop(row["sk"], {})


def _summary(report: Report) -> str:
    if report.status == "inconclusive":
        return report.not_assessed[0].reason[:300] if report.not_assessed else "nothing could be seen"
    return summary_of(report.findings)[:500]
