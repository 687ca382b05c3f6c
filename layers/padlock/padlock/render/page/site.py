"""One site's part of the page: how it is, where it breaks, why, what is wrong, and the record of all of it."""

from collections.abc import Sequence

import msgspec

from padlock.findings import Report
from padlock.render.page import charts
from padlock.render.page.checklist import checklist, not_assessed
from padlock.render.page.elements import Markup, element, join
from padlock.render.page.findings import anchors, by_step, causes, entries
from padlock.render.page.marks import badge, moment, outside, sentence, several, tone
from padlock.render.page.route import Trail, route
from padlock.render.words import summary_of

SHOWN_HOSTS = 20
FLOOD = 100
"""Findings above which a browser need not lay out those that nobody looks at."""


class Beside(msgspec.Struct, frozen=True):
    """What is known of a site beside its report."""

    past: Sequence[charts.Past] = ()
    """Its earlier checks, the oldest first."""
    trail: Trail = {}
    """What a request met at each stage of its way."""


def part(report: Report, beside: Beside, prefix: str, level: int) -> Markup:
    """Return all that is known of a site; `level`: of its headings, the title's one less; `prefix`: of its ids."""
    told = entries(report.findings, prefix)
    places = anchors(told)
    sections = (
        ("Why", causes(report.causes, told, level + 1)),
        ("Findings", by_step(told, report.checklist, level + 1)),
        ("Checklist", checklist(report, places)),
        ("Certificates", charts.certificates(report)),
        ("Not assessed", not_assessed(report.not_assessed)),
        ("Earlier checks", charts.earlier(beside.past)),
        ("Timings", charts.timings(report)),
    )
    way = (
        _section("The way of a request", route(report, places, beside.trail), f"{prefix}-way", level)
        if report.checklist
        else None
    )
    return join(
        way,
        *(
            _section(title, inside, f"{prefix}-{title.lower().replace(' ', '-')}", level, flood=len(told) > FLOOD)
            for title, inside in sections
            if inside
        ),
    )


def banner(report: Report, title: Markup | None = None) -> Markup:
    """Return what is to be known at a glance, below its title."""
    facts = [("Checked", moment(report.checked_at))]
    if report.hosts:
        facts.append(("Hosts", several(report.hosts, SHOWN_HOSTS)))
    facts += [(key, outside(value)) for key, value in report.labels.items()]
    return element(
        "section",
        title,
        element("p", badge(report.status)),
        *(element("p", sentence(line)) for line in summary_of(report)),
        element(
            "dl",
            *(element("div", element("dt", outside(name)), element("dd", value)) for name, value in facts),
            class_="facts",
        ),
        class_=f"card banner {tone(report.status)}",
    )


def _section(title: str, inside: Markup, place: str, level: int, *, flood: bool = False) -> Markup:
    """Return a section; with `flood` it is laid out as far as it is seen."""
    long = " long" if title in ("Findings", "Checklist") else ""
    return element(
        "section",
        element(f"h{level}", title, id=place),
        inside,
        aria_labelledby=place,
        class_=f"card{long}{' flood' if flood else ''}",
    )
