"""Findings, grouped by the checklist's step that they fail; and the causes behind them, with what heals them."""

from collections.abc import Sequence

import msgspec

from padlock.findings import Cause, Finding, Severity, StepRecord
from padlock.render.escape import phrase
from padlock.render.page.elements import Markup, element, join
from padlock.render.page.marks import Anchors, badge, commands, outside, prose, sentence, several, tone
from padlock.render.words import alike, counted, title_of

OPENED = 12
"""Errors and warnings that stand open; where there are more, each opens by a click."""
BEYOND = "Beyond the checklist"
LAST = 99
"""Where that stands among findings of one severity."""


class Entry(msgspec.Struct, frozen=True):
    """Findings that are told as one."""

    finding: Finding
    subjects: tuple[str, ...]
    """What they are about; else they are alike."""
    place: str
    """The id of what tells of them."""


def entries(findings: Sequence[Finding], prefix: str) -> tuple[Entry, ...]:
    """Return the findings as they are told, in their order."""
    return tuple(
        Entry(finding, tuple(dict.fromkeys(subjects)), f"{prefix}-f{number}")
        for number, (finding, subjects) in enumerate(alike(findings).items(), 1)
    )


def anchors(told: Sequence[Entry]) -> Anchors:
    """Return where each finding stands on the page."""
    places: dict[tuple[str, str], str] = {}
    for entry in told:
        for subject in entry.subjects:
            places.setdefault((entry.finding.code, subject), entry.place)
    return places


def causes(found: Sequence[Cause], told: Sequence[Entry], level: int) -> Markup | None:
    """Return why the findings are there; nothing where no cause is known."""
    return join(*(_cause(cause, told, level) for cause in found)) if found else None


def by_step(told: Sequence[Entry], steps: Sequence[StepRecord], level: int) -> Markup | None:
    """Return the findings below their steps, the step with the worst of them first; nothing where there are none."""
    groups: dict[int | None, list[Entry]] = {}
    for entry in told:
        groups.setdefault(entry.finding.step, []).append(entry)
    opened = sum(entry.finding.severity is not Severity.NOTICE for entry in told) <= OPENED
    titles = {row.step: row.title for row in steps}
    ranked = sorted(groups.items(), key=lambda group: (_worst(group[1]), group[0] or LAST))
    parts = [_group((step, titles.get(step or 0, "")), group, level, opened=opened) for step, group in ranked]
    return join(*parts) if parts else None


def _worst(group: Sequence[Entry]) -> int:
    return min(entry.finding.severity.rank for entry in group)


def _group(step: tuple[int | None, str], group: Sequence[Entry], level: int, *, opened: bool) -> Markup:
    number, title = step
    return element(
        "section",
        element(
            f"h{level}",
            [element("span", f"Step {number}", class_="number"), " "] if number else None,
            element("span", phrase(title) if number else BEYOND),
        ),
        *(_finding(entry, opened=opened) for entry in group),
        class_="step",
    )


def _finding(entry: Entry, *, opened: bool) -> Markup:
    finding, subjects = entry.finding, entry.subjects
    severity = finding.severity.value
    head = element(
        "summary",
        badge(severity),
        element(
            "span",
            element("strong", sentence(title_of(finding))),
            element("span", several(subjects)),
            element("code", phrase(finding.code)),
            class_="grow",
        ),
    )
    everywhere = several(subjects, len(subjects)) if len(subjects) > 5 else None
    rows = (
        ("Seen", outside(finding.observed) if finding.observed else None),
        ("Expected", outside(finding.expected) if finding.expected else None),
        ("Why", outside(finding.impact) if finding.impact else None),
        ("Where", everywhere),
        ("Fix", prose(finding.remediation) if finding.remediation else None),
        ("Source", outside(finding.reference) if finding.reference else None),
    )
    terms = [(element("dt", name), element("dd", text)) for name, text in rows if text]
    body = element("div", element("dl", *terms), commands(finding.commands), class_="body")
    return element(
        "details",
        head,
        body,
        id=entry.place,
        class_=f"finding {tone(severity)}",
        open=opened and finding.severity is not Severity.NOTICE,
    )


def _cause(cause: Cause, told: Sequence[Entry], level: int) -> Markup:
    explained = [entry for entry in told if entry.finding.code in cause.explains]
    links = [
        element(
            "li",
            element("a", sentence(title_of(entry.finding)), href=f"#{entry.place}"),
            " ",
            several(entry.subjects),
        )
        for entry in explained
    ]
    known = {entry.finding.code for entry in explained}
    links += [element("li", element("code", phrase(code))) for code in cause.explains if code not in known]
    name = sentence(phrase(cause.code.removeprefix("cause.").replace("_", " ")))
    return element(
        "article",
        element(
            f"h{level}",
            name,
            " ",
            element("span", f"{cause.confidence}, explains {counted(len(links), 'finding')}", class_="sure"),
        ),
        element("p", phrase(cause.explanation)),
        element("div", element("p", "What to do", class_="label"), prose(cause.remediation)),
        commands(cause.commands),
        element("div", element("p", "Explains", class_="label"), element("ul", *links)) if links else None,
        class_="cause",
    )
