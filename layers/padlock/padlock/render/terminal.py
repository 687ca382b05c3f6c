"""A report as text for a terminal or a pipe: what is wrong first, then the record of all that was looked at.

A pure function of the report. Everything that came from outside passes through `printable`, and goes into rich as
Text, never as markup, so that a title such as `[red]` stays what it is; where it wraps, its further lines begin
deeper than any label, so that it forges none. Commands are never broken over lines: what is shown can be copied.
"""

import io
import re
import textwrap
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime

from rich.cells import cell_len
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from padlock.findings import (
    Cause,
    CertificateSummary,
    Finding,
    LineRecord,
    NotAssessed,
    Report,
    Severity,
    StepRecord,
)
from padlock.render.escape import paragraphs, phrase, printable, single_spaced
from padlock.render.words import alike, duration, remaining, summary_of

NARROWEST = 40
HANG = 10
"""Where the further lines of a text begin: deeper than any label, glyph or number of ours."""
SHOWN_SUBJECTS = 5
SHOWN_CODES = 6
GLYPHS = {
    "error": "✗",
    "warning": "▲",
    "notice": "•",
    "pass": "✓",
    "fail": "✗",
    "unknown": "?",
    "not applicable": "\u2013",
}
PLAIN_GLYPHS = {"✗": "x", "▲": "!", "•": "*", "✓": "+", "\u2013": "-", "·": "|", "…": "..."}
"""For outputs that cannot carry the others."""
COMMAND = re.compile(r"`[^`]+`")
GLUE = "\ue000"
"""Stands for a space at which no line may break; as a private character it never occurs in escaped text."""
STYLES = {
    "error": "bold red",
    "warning": "yellow",
    "notice": "cyan",
    "ok": "bold green",
    "inconclusive": "bold magenta",
    "pass": "green",
    "fail": "red",
    "unknown": "magenta",
    "not applicable": "dim",
}


def render(
    report: Report, *, width: int = 80, colour: bool = False, short: bool = False, ascii_only: bool = False
) -> str:
    """Return the report as text; `short` leaves out the record and the notices, and keeps what needs a person."""
    out = io.StringIO()
    console = Console(
        file=out,
        width=max(width, NARROWEST),
        force_terminal=colour,
        color_system="standard" if colour else None,
        highlight=False,
        markup=False,
        emoji=False,
        legacy_windows=False,
        _environ={},
    )
    _banner(console, report)
    _causes(console, report.causes)
    _findings(console, [f for f in report.findings if not short or f.severity is not Severity.NOTICE])
    notices = dict.fromkeys(f.code for f in report.findings if f.severity is Severity.NOTICE)
    if short and notices:
        console.print()
        _line(console, Text(f"notices: {', '.join(map(phrase, notices))}", "dim"))
    if not short:
        _checklist(console, report.checklist)
        _results(console, report.results)
        _not_assessed(console, report.not_assessed)
        _certificates(console, report.certificates, report.checked_at)
        _timings(console, report)
    text = "\n".join(line.rstrip() for line in out.getvalue().split("\n"))
    return _in_ascii(text) if ascii_only else text


def _in_ascii(text: str) -> str:
    """Return the text with our glyphs replaced, and other characters as escapes."""
    for glyph, plain in PLAIN_GLYPHS.items():
        text = text.replace(glyph, plain)
    return text.encode("ascii", "backslashreplace").decode()


def _banner(console: Console, report: Report) -> None:
    style = STYLES[report.status]
    line = Text.assemble((f" {report.status.upper()} ", f"{style} reverse"), "  ", (phrase(report.site), "bold"))
    checked = f"{report.checked_at:%Y-%m-%d %H:%M} UTC"
    room = console.width - line.cell_len - len(checked)
    _line(console, line + Text(" " * room + checked, "dim") if room >= 2 else line, 0)
    if room < 2:
        _line(console, Text(checked, "dim"))
    for part in summary_of(report):
        _line(console, Text(part, "dim"))
    others = [phrase(host) for host in report.hosts if host != report.site]
    if others:
        _line(console, Text("also " + ", ".join(others), "dim"))


def _heading(console: Console, title: str) -> None:
    console.print()
    console.print(Text(title, "bold underline" if console.is_terminal else ""))


def _line(console: Console, text: Text, indent: int = 2) -> None:
    """Print a text as one line, or as several of which the further ones hang."""
    first = text.wrap(console, console.width - indent, overflow="fold")[0]
    rest = text[len(first) :]
    rest = rest[len(rest) - len(rest.plain.lstrip(" ")) :]
    console.print(Text(" " * indent) + first, soft_wrap=True)
    for line in rest.wrap(console, console.width - HANG, overflow="fold") if rest else ():
        console.print(Text(" " * HANG) + line, soft_wrap=True)


def _rows(console: Console, rows: Iterable[tuple[str, str]], indent: int = 4, label_width: int = 9) -> None:
    """Print label and text in two columns; the text wraps within its own."""
    grid = Table.grid(padding=(0, 1), pad_edge=False)
    grid.add_column(width=label_width, no_wrap=True)
    grid.add_column(overflow="fold")
    for label, text in rows:
        grid.add_row(Text(label, "dim"), Text(text))
    console.print(Padding(grid, (0, 0, 0, indent)))


def _fix(console: Console, text: str, indent: int = 4) -> None:
    """Print what to do, wrapped between words but never within a command: a broken one cannot be copied."""
    label = "fix"
    for line in paragraphs(text):
        whole = COMMAND.sub(lambda command: command[0].replace(" ", GLUE), single_spaced(line))
        parts = textwrap.wrap(whole, console.width - indent - 10, break_long_words=False, break_on_hyphens=False)
        for part in parts:
            shown = Text(part.replace(GLUE, " "))
            shown.stylize("bold" if "`" not in line else "")
            shown.highlight_regex(COMMAND, "bold")
            console.print(Text.assemble(" " * indent, (f"{label:<10}", "dim"), shown), soft_wrap=True)
            label = ""


def _causes(console: Console, causes: Sequence[Cause]) -> None:
    if not causes:
        return
    _heading(console, "Why")
    for cause in causes:
        _line(console, Text.assemble((phrase(cause.code), "bold"), (f"  {cause.confidence}", "dim")))
        _rows(console, [("", phrase(cause.explanation)), ("explains", phrase(", ".join(cause.explains)))])
        _fix(console, cause.remediation)
        _commands(console, cause.commands)


def _commands(console: Console, commands: Sequence[str]) -> None:
    """Print the lines that heal it on the host, each on a line of its own, to be copied whole."""
    for number, line in enumerate(commands):
        label = "" if number else "as root"
        console.print(
            Text.assemble("    ", (f"{label:<10}", "dim"), (printable(line, 10 * len(line)), "bold")), soft_wrap=True
        )


def _findings(console: Console, findings: Sequence[Finding]) -> None:
    if not findings:
        return
    _heading(console, "Findings")
    for number, (finding, subjects) in enumerate(alike(findings).items()):
        if number:
            console.print()
        style = STYLES[finding.severity.value]
        title = Text.assemble(
            (f"{GLYPHS[finding.severity.value]} ", style),
            (phrase(finding.code), style),
            "  ",
            (_listed(subjects), "bold"),
        )
        _line(console, title)
        _rows(console, [("seen", phrase(finding.observed))])
        if finding.severity is not Severity.NOTICE:
            _rows(console, [("expected", phrase(finding.expected)), ("why", phrase(finding.impact))])
        _fix(console, finding.remediation)
        _commands(console, finding.commands)
        if finding.severity is not Severity.NOTICE:
            _rows(console, [("source", _source(finding))])


def _listed(subjects: Sequence[str]) -> str:
    """Return subjects in one line, the number of those beyond the first few."""
    shown = ", ".join(phrase(subject) for subject in subjects[:SHOWN_SUBJECTS])
    return shown + (f" and {len(subjects) - SHOWN_SUBJECTS} more" if len(subjects) > SHOWN_SUBJECTS else "")


def _source(finding: Finding) -> str:
    """Return where the rule comes from, and which step of the checklist it answers."""
    reference = phrase(finding.reference)
    if finding.step is None or "checklist" in reference:
        return reference
    return f"{reference}, checklist step {finding.step}"


def _checklist(console: Console, records: Sequence[StepRecord]) -> None:
    if not records:
        return
    _heading(console, "Checklist")
    for record in records:
        note = ", ".join(map(phrase, record.codes)) or phrase(record.reason)
        line = Text.assemble(
            (f"{GLYPHS[record.status]} ", STYLES[record.status]), f"{record.step:>2}  ", phrase(record.title)
        )
        if note and line.cell_len + 4 + cell_len(note) <= console.width:
            line.append(f"  {note}", STYLES["fail"] if record.codes else "dim")
            note = ""
        _line(console, line)
        if note:
            _line(console, Text(note, STYLES["fail"] if record.codes else "dim"), 8)


def _results(console: Console, results: Sequence[LineRecord]) -> None:
    """Print the five results of step 18, which a launch waits for."""
    for row in results:
        line = Text.assemble((f"{GLYPHS[row.status]} ", STYLES[row.status]), phrase(row.title))
        _line(console, line, 8)


def _not_assessed(console: Console, entries: Sequence[NotAssessed]) -> None:
    """Print what could not be looked at, one paragraph for each reason."""
    if not entries:
        return
    _heading(console, "Not assessed")
    for reason in dict.fromkeys(entry.reason for entry in entries):
        same = [entry for entry in entries if entry.reason == reason]
        subjects = _listed(list(dict.fromkeys(entry.subject for entry in same)))
        codes = _codes(list(dict.fromkeys(phrase(entry.code) for entry in same)))
        _line(console, Text(f"{GLYPHS['unknown']} {phrase(reason)} ({subjects})"))
        _line(console, Text(codes, "dim"), 4)


def _codes(codes: Sequence[str]) -> str:
    """Return codes in one line, by subject and with their number where there are many."""
    if len(codes) <= SHOWN_CODES:
        return ", ".join(codes)
    subjects = Counter(code.partition(".")[0] for code in codes)
    alone = {code.partition(".")[0]: code for code in codes}
    return ", ".join(alone[name] if number == 1 else f"{name}.* ({number})" for name, number in subjects.items())


def _certificates(console: Console, certificates: Sequence[CertificateSummary], now: datetime) -> None:
    if not certificates:
        return
    _heading(console, "Certificates")
    for serial in dict.fromkeys((c.issuer, c.serial) for c in certificates):
        same = [c for c in certificates if (c.issuer, c.serial) == serial]
        first = same[0]
        hosts = ", ".join(dict.fromkeys(phrase(c.host) for c in same))
        until = f"until {first.not_after:%Y-%m-%d %H:%M} UTC"
        style = STYLES["error" if first.not_after < now else "pass"]
        _line(console, Text.assemble((remaining(first.not_after, now), style), f"  {hosts}"))
        issued = f"{phrase(first.subject)}, issued by {phrase(first.issuer)}, {until}, serial {phrase(serial[1])}"
        _line(console, Text(phrase(issued), "dim"), 4)


def _timings(console: Console, report: Report) -> None:
    if not report.timings:
        return
    _heading(console, "Timings")
    phases = " · ".join(
        f"{phrase(phase).replace('_', ' ')} {duration(seconds)}" for phase, seconds in report.timings.items()
    )
    _line(console, Text(phases))
