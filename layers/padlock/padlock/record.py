"""The record for a launch file: the checklist of a report, dated, kept in a few letters, compared with another.

18 steps, the 17 lines of the final checklist and the five results of step 18 (checklist step 18).
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import msgspec

from padlock.checklist import FINAL, LINES, TITLES
from padlock.findings import LineRecord, Report, Status, StepRecord, StepStatus

LETTERS: Mapping[StepStatus, str] = {"pass": "p", "fail": "f", "unknown": "u", "not applicable": "n"}
_STATUSES = {letter: status for status, letter in LETTERS.items()}


class Record(msgspec.Struct, frozen=True):
    """The checklist of one site at one time."""

    site: str
    at: datetime
    """UTC."""
    status: Status
    steps: tuple[LineRecord, ...]
    """The 18 steps, in their order; the title begins with the number."""
    lines: tuple[LineRecord, ...]
    """The 17 lines of the final checklist."""
    results: tuple[LineRecord, ...]
    """The five results of step 18."""

    @property
    def parts(self) -> tuple[tuple[LineRecord, ...], ...]:
        """Steps, lines and results."""
        return self.steps, self.lines, self.results


def of(report: Report) -> Record:
    """Return the record that a report carries."""
    steps = tuple(LineRecord(_title(row.step), row.status, row.codes, row.reason) for row in report.checklist)
    return Record(report.site, report.checked_at, report.status, steps, report.lines, report.results)


def of_item(report: Mapping[str, Any]) -> Record | None:
    """Return the record of a report as it is stored; None where it has none, as those of older versions."""
    try:
        rows = msgspec.convert(report["checklist"], tuple[StepRecord, ...])
        lines = msgspec.convert(report["lines"], tuple[LineRecord, ...])
        results = msgspec.convert(report["results"], tuple[LineRecord, ...])
        at = msgspec.convert(report["checked_at"], datetime)
        status = msgspec.convert(report["status"], Status)
    except (KeyError, msgspec.ValidationError):
        return None
    steps = tuple(LineRecord(_title(row.step), row.status, row.codes, row.reason) for row in rows)
    return Record(str(report["site"]), at, status, steps, lines, results) if rows else None


def pack(report: Report) -> dict[str, Any]:
    """Return the record of a report as a row of the history keeps it: a letter for each line, and what failed."""
    record = of(report)
    steps, lines, results = ("".join(LETTERS[row.status] for row in part) for part in record.parts)
    failed = {str(row.step): list(row.codes) for row in report.checklist if row.status == "fail"}
    return {"steps": steps, "lines": lines, "results": results, "failed": failed}


def unpack(site: str, at: datetime, status: Status, packed: Mapping[str, Any]) -> Record | None:
    """Return the record of a row; None where the row has none, as those of older versions."""
    letters = [str(packed.get(name, "")) for name in ("steps", "lines", "results")]
    titles = ([_title(step) for step in TITLES], [line.title for line in LINES], list(FINAL))
    fitting = all(len(kept) == len(named) for kept, named in zip(letters, titles, strict=True))
    if not fitting or not set("".join(letters)) <= _STATUSES.keys():
        return None
    failed = packed.get("failed")
    codes = failed if isinstance(failed, Mapping) else {}
    steps, lines, results = (
        [_row(title, letter) for title, letter in zip(named, kept, strict=True)]
        for kept, named in zip(letters, titles, strict=True)
    )
    named_steps = tuple(
        msgspec.structs.replace(row, codes=tuple(map(str, codes.get(str(step), ()))))
        for step, row in enumerate(steps, 1)
    )
    return Record(site, at, status, named_steps, tuple(lines), tuple(results))


def differences(before: Record, after: Record) -> Iterator[tuple[LineRecord, LineRecord]]:
    """Yield the steps, lines and results that are not what they were, as (before, after)."""
    for former, latter in zip(before.parts, after.parts, strict=True):
        known = {row.title: row for row in former}
        yield from (
            (known[row.title], row) for row in latter if row.title in known and _differ(known[row.title], row)
        )


def _differ(one: LineRecord, other: LineRecord) -> bool:
    return one.status != other.status or set(one.codes) != set(other.codes)


def _row(title: str, letter: str) -> LineRecord:
    return LineRecord(title, _STATUSES[letter])


def _title(step: int) -> str:
    return f"{step}. {TITLES.get(step, 'a step of another version')}"
