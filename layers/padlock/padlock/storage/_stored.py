"""A site's state as the Results table has it: STATE, all that is known, and STATE#HEAD, what every run moves.

A run that changes nothing writes the head alone, which is small. Both have the version of the run that wrote them
last, and the head also that of STATE, so that whoever has read both sees whether they belong together. Where they do
not, since one was put back from a copy, since a version of Padlock without heads has written STATE, or since a run
wrote between two reads, the newer of the two says when the site was looked at, and the next run writes both anew,
each on the condition that it still is as it was read.
"""

import hashlib
import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from padlock.changes import State
from padlock.findings import Finding, Report
from padlock.storage._items import Item, label, stamp, state_of

STATE, HEAD, REPORT = "STATE", "STATE#HEAD", "STATE#REPORT"
MOVING = ("version", "applied_ticket", "checked_at", "last_conclusive")
"""What every run changes, in the head and, as of the run that wrote it, in STATE."""
DAY = 86400
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


class Stored(msgspec.Struct, frozen=True):
    """A site's state as it was read, with what the next write of it needs."""

    state: State = State()
    version: int = 0
    """How many runs were stored, the latest one included."""
    seq: int = 0
    """Number of the last alert."""
    applied_ticket: int = 0
    """That of the latest run that was stored."""
    checked_at: str = ""
    """When that one looked, as a stamp."""
    failing: str = ""
    """The site's place in the list of those in trouble, `error` or `warning`; empty: it has none."""
    failing_since: str = ""
    report: str = ""
    """What tells the stored report from others."""
    row: str = ""
    """Key of the row of the history that the latest runs are as; empty: it is not known."""
    repeats: int = 0
    """How many runs after that one were as it."""
    head_version: int = 0
    """What stands in the head; 0: there is none."""
    state_version: int = 0
    """What stands in STATE; 0: there is none."""
    fits: bool = False
    """The head belongs to this STATE."""

    def has(self, state: State, report: str) -> bool:
        """Return whether a run that leads to this state, with such a report, changes nothing of what is stored."""
        return (
            self.fits
            and self.report == report
            and self.state.status == state.status
            and _resting(self.state) == _resting(state)
        )


def _resting(state: State) -> State:
    return msgspec.structs.replace(state, last_conclusive=None)


def read(items: Iterable[Item]) -> Stored:
    """Return what is stored of a site, from those of its items that are STATE and the head."""
    found = {item["sk"]: item for item in items}
    item, head = found.get(STATE, {}), found.get(HEAD, {})
    latest = merged(item, head)
    return Stored(
        state_of(latest) if item else State(),
        latest.get("version", 0),
        item.get("seq", 0),
        max(item.get("applied_ticket", 0), head.get("applied_ticket", 0)),
        latest.get("checked_at", ""),
        item.get("failing", ""),
        item.get("failing_since", ""),
        item.get("report_digest", ""),
        head.get("row", ""),
        head.get("repeats", 0),
        head.get("version", 0),
        item.get("version", 0),
        bool(item and head) and head.get("state_version") == item.get("version"),
    )


def merged(item: Item, head: Mapping[str, Any]) -> Item:
    """Return STATE with what the latest run moved."""
    if head.get("version", 0) < item.get("version", 0):
        return item
    return item | {name: head[name] for name in MOVING if name in head}


def fingerprint(report: Report, *, digest: bool) -> str:
    """Return what tells a report from others: all that it says but its time of day and how long its look took.

    Another one each day, which for each site begins at its own time of day, so that no fleet is written anew at once.
    The texts of findings are the state's; `digest`: whether the weekly digest may name the site.
    """
    said = msgspec.structs.replace(report, checked_at=_NEVER, timings={}, findings=())
    begins = zlib.crc32(report.site.encode("utf-8", "replace")) % DAY
    day = int(report.checked_at.timestamp() + begins) // DAY
    told = [day, digest, list(map(label, report.findings)), said]
    try:
        octets = msgspec.json.encode(told, order="sorted")
    except UnicodeEncodeError:  # a lone surrogate, which has no UTF-8 form
        octets = json.dumps(msgspec.to_builtins(told), sort_keys=True).encode("ascii")
    return hashlib.sha256(octets).hexdigest()[:16]


def attributes(state: State, report: Report, kept: Item) -> Item:
    """Return the attributes of STATE; `kept`: the state itself as it is stored."""
    found: Item = kept | {
        "status": "removed" if state.removed else state.status,
        "summary": _summary(state),
        "open": state.counts,
        "checked_at": stamp(report.checked_at),
        "last_conclusive": conclusive(state),
    }
    if report.certificates:
        # Where none was seen the former one stays: a site that is down keeps its place in the list by expiry.
        first = report.certificates[0]
        found |= {
            "certificate_group": "all",
            "certificate_expires": stamp(first.not_after),
            "certificate_host": first.host,
            "certificate_subject": first.subject[:300],
            "certificate_issuer": first.issuer[:300],
        }
    return found


def conclusive(state: State) -> str | None:
    """Return when a run could see the site last, as people read it."""
    return stamp(state.last_conclusive) if state.last_conclusive else None


def _summary(state: State) -> str:
    if state.removed:
        return "no longer declared"
    return "not seen yet" if state.status == "inconclusive" else summary_of(state.findings)


def summary_of(findings: Sequence[Finding]) -> str:
    """Return findings in one line: the worst, and how many more there are."""
    if not findings:
        return "nothing found"
    first, rest = findings[0], len(findings) - 1
    return f"{first.summary or first.code}: {first.subject}" + (f", and {rest} more" if rest else "")
