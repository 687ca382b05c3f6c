"""Reports as Markdown, for a ticket or the summary of a CI job: each site's status, causes and findings.

Text from outside stands in it escaped, as in the record; commands of ours stand as code, to be copied.
"""

import re
from collections.abc import Iterator, Sequence

from padlock.findings import Cause, Finding, Report, Severity
from padlock.render.escape import LIMIT, paragraphs, printable
from padlock.render.markdown import escaped, time_of
from padlock.render.words import alike, counted, summary_of

_COMMAND = re.compile(r"(`[^`]+`)")
_SIGNS = {"ok": "✅", "notice": "✅", "warning": "⚠️", "error": "❌", "inconclusive": "❓"}
_SUBJECTS = 5
"""Subjects of one finding that are named."""


def render(reports: Sequence[Report], faults: Sequence[str] = ()) -> str:
    """Return the reports as one document, with what could not be checked."""
    lines = list(_overview(reports, faults)) if len(reports) + len(faults) != 1 else []
    for report in reports:
        lines += ["", *_site(report)] if lines else _site(report)
    if faults:
        lines += [*([""] if lines else []), "## Not checked", "", *(f"- {escaped(fault, LIMIT)}" for fault in faults)]
    return "\n".join(lines) + "\n"


def _overview(reports: Sequence[Report], faults: Sequence[str]) -> Iterator[str]:
    """Yield a table of the sites, those that fail first."""
    order = ("error", "inconclusive", "warning", "notice", "ok")
    failing = sum(report.status == "error" for report in reports)
    told = [counted(len(reports), "site"), *([f"{failing} failing"] if failing else [])]
    told += [f"{len(faults)} not checked"] if faults else []
    yield f"# Padlock: {', '.join(told)}"
    if not reports:
        return
    yield from ("", "| Site | Status | |", "|---|---|---|")
    for report in sorted(reports, key=lambda report: order.index(report.status)):
        summary = next(iter(summary_of(report)), "")
        yield f"| {escaped(report.site)} | {_SIGNS[report.status]} {report.status} | {escaped(summary)} |"


def _site(report: Report) -> Iterator[str]:
    yield f"## {_SIGNS[report.status]} {escaped(report.site)}: {report.status}"
    yield ""
    summary = "; ".join(escaped(line) for line in summary_of(report))
    yield f"Checked {time_of(report.checked_at)} by Padlock: {summary}."
    if report.causes:
        yield from ("", "### Why")
        for cause in report.causes:
            yield from _cause(cause)
    grave = [finding for finding in report.findings if finding.severity is not Severity.NOTICE]
    if grave:
        yield from ("", "### Findings")
        for finding, subjects in alike(grave).items():
            yield from _finding(finding, subjects)
    notices = [finding for finding in report.findings if finding.severity is Severity.NOTICE]
    if notices:
        yield from ("", "### Notices", "")
        for finding, subjects in alike(notices).items():
            yield f"- {_code(finding.code)} {_listed(subjects)}: {escaped(finding.observed)}"


def _cause(cause: Cause) -> Iterator[str]:
    yield from ("", f"**{_code(cause.code)}** ({cause.confidence}): {escaped(cause.explanation, LIMIT)}", "")
    yield from _list("Explains", " ".join(map(_code, cause.explains)))
    yield from _list("Fix", *map(_prose, paragraphs(cause.remediation)))
    yield from _commands(cause.commands)


def _finding(finding: Finding, subjects: Sequence[str]) -> Iterator[str]:
    title = f": {escaped(finding.summary)}" if finding.summary else ""
    yield from ("", f"**{_code(finding.code)}** ({finding.severity.value}){title}", "")
    yield from _list("Of", _listed(subjects))
    yield from _list("Seen", escaped(finding.observed, LIMIT))
    yield from _list("Expected", escaped(finding.expected, LIMIT))
    yield from _list("Why it matters", escaped(finding.impact, LIMIT))
    yield from _list("Fix", *map(_prose, paragraphs(finding.remediation)))
    yield from _list("Source", escaped(finding.reference, LIMIT))
    yield from _commands(finding.commands)


def _list(label: str, *lines: str) -> Iterator[str]:
    """Yield one entry of a list; further lines belong to it."""
    shown = [line for line in lines if line]
    if shown:
        yield f"- {label}: {shown[0]}"
        yield from (f"  {line}" for line in shown[1:])


def _listed(subjects: Sequence[str]) -> str:
    shown = ", ".join(escaped(subject) for subject in subjects[:_SUBJECTS])
    return shown + (f" and {len(subjects) - _SUBJECTS} more" if len(subjects) > _SUBJECTS else "")


def _code(code: str) -> str:
    """Return a code as such; one that is none of ours is only text."""
    return f"`{code}`" if re.fullmatch(r"[a-z0-9_.]+", code) else escaped(code)


def _prose(text: str) -> str:
    """Return a text in which what stands in backticks is code, and nothing else is markup."""
    parts = _COMMAND.split(text)
    return "".join(part if _COMMAND.fullmatch(part) else _words(part) for part in parts)


def _words(text: str) -> str:
    """Return escaped words with the blanks around them."""
    return escaped(text, LIMIT) if text.strip() else text


def _commands(commands: Sequence[str]) -> Iterator[str]:
    """Yield the lines that heal it on the host as a block, whose fence no line of it can end."""
    if not commands:
        return
    shown = [printable(line, 10 * len(line)) for line in commands]
    longest = max((len(run) for line in shown for run in re.findall(r"`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    yield from ("", f"{fence}sh", *shown, fence)
