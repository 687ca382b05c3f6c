"""Reports as CSV (RFC 4180), a row for each finding, for a spreadsheet.

A site without a finding has a row of its own, so that none is missing. A cell that a spreadsheet would take for a
formula begins with an apostrophe (CWE-1236): titles and headers come from servers that may mean harm.
"""

import csv
import io
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from padlock.findings import Finding, Report
from padlock.render.escape import paragraphs, printable

COLUMNS = (
    *("site", "checked_at", "status", "severity", "code", "subject", "summary", "observed", "expected", "impact"),
    *("remediation", "reference", "step", "causes"),
)
_FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What a formula begins with, also in full width."""


def render(reports: Sequence[Report]) -> str:
    """Return the reports as a table, with a line of titles."""
    return table(COLUMNS, (row for report in reports for row in _rows(report)))


def table(titles: Sequence[str], rows: Iterator[Sequence[str | int]]) -> str:
    """Return rows as CSV; texts are made safe to show, and none is a formula."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(titles)
    writer.writerows([cell if isinstance(cell, int) else _cell(cell) for cell in row] for row in rows)
    return out.getvalue()


def moment(at: datetime) -> str:
    """Return a time in UTC as spreadsheets and ISO 8601 write it."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _rows(report: Report) -> Iterator[Sequence[str | int]]:
    site = (report.site, moment(report.checked_at), report.status)
    for finding in report.findings:
        yield (*site, *_finding(finding), _causes(report, finding))
    if not report.findings:
        yield (*site, *[""] * (len(COLUMNS) - len(site)))


def _finding(finding: Finding) -> Iterator[str | int]:
    yield from (finding.severity.value, finding.code, finding.subject, finding.summary, finding.observed)
    yield from (finding.expected, finding.impact, " ".join(paragraphs(finding.remediation)), finding.reference)
    yield "" if finding.step is None else finding.step


def _causes(report: Report, finding: Finding) -> str:
    return " ".join(cause.code for cause in report.causes if finding.code in cause.explains)


def _cell(text: str) -> str:
    shown = printable(text)
    # Some programs skip blanks before they look for a formula.
    return f"'{shown}" if shown.lstrip().startswith(_FORMULA) else shown
