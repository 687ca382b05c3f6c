"""Findings and causes → the lines of a mail that tell of them.

Everything that came from outside is shown as one line of printable characters and then wrapped, its further lines at
a margin of their own, so that nothing a server sends can forge a line, or reorder one.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime

import msgspec

from padlock.changes import MAX_SUBJECT, OpenFinding, Silence
from padlock.findings import Cause
from padlock.message.words import COMMAND, lasted, name_of, stated, title_of, wrapped
from padlock.render.escape import paragraphs, printable

MAX_LISTED = 20
"""Subjects of one finding that are named."""
MAX_COMMANDS = 20

type Layout = Callable[[OpenFinding, Sequence[str], int], Iterable[str]]
"""(finding, subjects that share it, characters of a text) → lines."""


def heading(title: str) -> tuple[str, str]:
    """Return a section's title, underlined."""
    return title, "-" * len(title)


def section(
    title: str, findings: Sequence[OpenFinding], layout: Layout, shown: int, characters: int
) -> Iterable[str]:
    """Yield findings under a title; those that differ by their subject only are told once."""
    if not findings:
        return
    yield from heading(title)
    groups = _alike(findings)
    for group in groups[:shown]:
        yield from layout(group[0], [finding.subject for finding in group], characters)
        yield ""
    if len(groups) > shown:
        yield from (f"... and {sum(map(len, groups[shown:]))} more", "")


def _alike(findings: Sequence[OpenFinding]) -> list[list[OpenFinding]]:
    groups: dict[tuple[object, ...], list[OpenFinding]] = {}
    for finding in findings:
        fields = (name for name in OpenFinding.__struct_fields__ if name not in ("subject", "told", "bad", "good"))
        groups.setdefault(tuple(getattr(finding, name) for name in fields), []).append(finding)
    return list(groups.values())


def why(causes: Sequence[Cause], shown: int, characters: int) -> Iterable[str]:
    """Yield what brought the findings about, with what heals it."""
    if not causes:
        return
    yield from heading("WHY")
    for cause in causes[:shown]:
        known = f"({cause.confidence}; {printable(cause.code, 80)})"
        yield from wrapped(f"{printable(cause.explanation, characters)} {known}", "* ")
        yield from _fix(cause.remediation, characters)
        yield from _commands(cause.commands, characters)
        yield ""


def in_full(healed: Collection[str]) -> Layout:
    """Return the layout of what is new; findings with these codes have their commands at their cause."""

    def layout(finding: OpenFinding, subjects: Sequence[str], characters: int) -> Iterable[str]:
        step = f"; checklist step {finding.step}" if finding.step else ""
        yield from _headline(finding, subjects, characters)
        known = f"({printable(finding.code, 80)}, {finding.severity.value}{step}; since {stated(finding.since)})"
        yield from wrapped(known, "  ")
        yield from _labelled("Seen", finding.observed, characters)
        yield from _labelled("Expected", finding.expected, characters)
        yield from _labelled("Why it matters", finding.impact, characters)
        yield from _healing(finding, characters, healed)
        yield from _labelled("Reference", finding.reference, characters)

    return layout


def in_short(healed: Collection[str], declared: Collection[str] = ()) -> Layout:
    """Return the layout of what was told before; `declared`: what has its severity from the declaration now."""

    def layout(finding: OpenFinding, subjects: Sequence[str], characters: int) -> Iterable[str]:
        yield from _headline(finding, subjects, characters)
        severity = finding.severity.value + (" as declared" if finding.code in declared else "")
        yield from wrapped(f"({printable(finding.code, 80)}, {severity}; since {stated(finding.since)})", "  ")
        yield from _healing(finding, characters, healed)

    return layout


def in_brief(finding: OpenFinding, subjects: Sequence[str], characters: int) -> Iterable[str]:
    """Yield a finding without its fix."""
    yield from _headline(finding, subjects, characters)
    yield from wrapped(f"({printable(finding.code, 80)}) {printable(finding.observed, characters)}", "  ")


def ended(now: datetime, declared: Collection[str]) -> Layout:
    """Return the layout of what is over, or is no longer checked because the declaration says so."""

    def layout(finding: OpenFinding, subjects: Sequence[str], characters: int) -> Iterable[str]:
        yield from _headline(finding, subjects, characters)
        code = printable(finding.code, 80)
        lapsed = lasted((finding.ended or now) - finding.since)
        how = "no longer checked, as the declaration's `disable` says," if finding.code in declared else "over"
        yield from wrapped(f"({code}; {how} after {lapsed}, since {stated(finding.since)})", "  ")
        yield from _labelled("Was", finding.observed, characters)

    return layout


def silenced(silences: Sequence[Silence], now: datetime) -> Layout:
    """Return the layout of what its owner knows of: until when nobody hears of it, and why."""

    def layout(finding: OpenFinding, subjects: Sequence[str], characters: int) -> Iterable[str]:
        each = [msgspec.structs.replace(finding, subject=subject) for subject in subjects]
        covering = [[entry for entry in silences if entry.covers(one, now)] for one in each]
        yield from _headline(finding, subjects, characters)
        yield from wrapped(f"({printable(finding.code, 80)}; since {stated(finding.since)})", "  ")
        if all(covering):
            # Of several subjects the one that is told of first.
            yield f"  Until: {stated(min(max(entry.until for entry in entries) for entries in covering))}"
        for note in dict.fromkeys(entry.note for entries in covering for entry in entries):
            yield from _labelled("Note", note, characters)

    return layout


def _headline(finding: OpenFinding, subjects: Sequence[str], characters: int) -> Iterable[str]:
    listed = ", ".join(printable(name_of(s), min(characters, MAX_SUBJECT)) for s in subjects[:MAX_LISTED])
    rest = len(subjects) - MAX_LISTED
    yield from wrapped(f"{title_of(finding)}: {listed}" + (f" and {rest} more" if rest > 0 else ""), "* ")


def _labelled(label: str, text: str, characters: int) -> Iterable[str]:
    if text:
        yield from wrapped(printable(text, characters), f"  {label}: ")


def _healing(finding: OpenFinding, characters: int, healed: Collection[str]) -> Iterable[str]:
    yield from _fix(finding.remediation, characters)
    if finding.code not in healed:
        yield from _commands(finding.commands, characters)


def _fix(text: str, characters: int) -> Iterable[str]:
    """Yield what to do; it may have several paragraphs."""
    first, *more = paragraphs(text, characters)
    if not text:
        return
    yield from wrapped(first, "  Fix: ")
    for paragraph in more:
        yield from wrapped(paragraph, "  Also: ")


def _commands(lines: Sequence[str], characters: int) -> Iterable[str]:
    """Yield the lines that heal it, each as it is typed; one that would have to be cut is left to the report."""
    whole = [printable(line, len(line)) for line in lines[:MAX_COMMANDS] if len(line) <= characters]
    if whole and whole == list(lines):
        yield "  As root on the server:"
        yield from (f"{COMMAND}{line}" for line in whole)
