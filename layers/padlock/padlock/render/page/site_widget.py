"""One site in a dashboard's widget: how it is, what is open and can be acknowledged, why, and what heals it."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from padlock.findings import Cause, Report, Severity
from padlock.render.escape import phrase
from padlock.render.page.elements import Child, Markup, element, join
from padlock.render.page.findings import by_step, entries
from padlock.render.page.marks import RANK, badge, commands, moment, outside, prose, sentence
from padlock.render.page.site import banner
from padlock.render.page.widget import (
    SHOWN,
    OpenRow,
    Theme,
    button,
    check_button,
    finding_row,
    framed,
    said,
    table,
)

SPANS = (24, 7 * 24)
"""Hours for which a finding can be acknowledged."""


class SiteView(msgspec.Struct, frozen=True):
    """A site as it is stored."""

    site: str
    at: datetime
    """When it was read, UTC."""
    status: str
    """That of its state, or `removed`."""
    summary: str
    checked_at: datetime
    findings: tuple[OpenRow, ...] = ()
    """What stands open."""
    report: Report | None = None
    """Its latest; None: none that can be read is stored."""
    declared: bool = True
    said: str = ""
    """What became of a click."""


def site_widget(view: SiteView, function: str = "", theme: Theme = "light") -> str:
    """Return the widget's HTML; `function`: the ARN that its buttons call, empty where nobody may."""
    acting = function if view.declared else ""
    return framed(
        theme,
        element("p", button("All sites", {}, function), " ", check_button(view.site, acting)),
        said(view.said),
        _head(view),
        table(
            "Open findings",
            ("Severity", "What", "Of", "Since", ""),
            [finding_row(row, view.at, acting, _spans(row)) for row in view.findings],
        ),
        _further(view.report) if view.report else None,
    )


def _spans(row: OpenRow) -> Sequence[int]:
    """Return for how long a finding can be acknowledged; nobody is told of a notice anyway."""
    return () if row.severity is Severity.NOTICE else SPANS


def _head(view: SiteView) -> Markup:
    title = element("h2", outside(view.site))
    if view.report:
        return banner(view.report, title)
    status = badge(view.status) if view.status in RANK else sentence(phrase(view.status))
    return join(
        title,
        element("p", status, " ", outside(sentence(view.summary))),
        element("p", "Checked ", moment(view.checked_at), class_="quiet"),
    )


def _further(report: Report) -> Markup:
    """Return why it is so, and what heals it."""
    told = entries(report.findings[:SHOWN], "w")
    parts: list[Child] = []
    if report.causes:
        parts += [element("h2", "Why"), *map(_cause, report.causes)]
    if told:
        parts += [element("h2", "Findings of the last look"), by_step(told, report.checklist, 3)]
    return join(*parts)


def _cause(cause: Cause) -> Markup:
    return element(
        "article",
        element(
            "h3", sentence(phrase(cause.code.removeprefix("cause.").replace("_", " "))), f" ({cause.confidence})"
        ),
        element("p", outside(cause.explanation)),
        prose(cause.remediation),
        commands(cause.commands),
        class_="cause",
    )
