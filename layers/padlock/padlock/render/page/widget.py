"""All sites at a glance, as the body of a CloudWatch custom widget: by status, by expiry, and what is open.

A widget is HTML without scripts; CloudWatch takes out what could run, and `<use>`. Buttons are anchors before a
`<cwdb-action>`, whose text is the event that CloudWatch sends to the function named, once the person has confirmed:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/add_custom_widget_dashboard_interactivity.html
Nothing in it is a link: the part of an address behind `#` is the console's own.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal

import msgspec

from padlock.findings import Severity, Status
from padlock.render.escape import phrase
from padlock.render.page import style
from padlock.render.page.charts import SHORTEST_AXIS, bar
from padlock.render.page.elements import Child, Markup, data, element, join
from padlock.render.page.elements import fragment as written
from padlock.render.page.marks import RANK, badge, moment, outside, sentence
from padlock.render.words import counted, remaining

type Theme = Literal["light", "dark"]

SHOWN = 50
"""Rows of each table; a widget is a glance."""
SOON = timedelta(days=14)
"""A certificate that renews itself has been renewed by then."""
DAY = 24
"""Hours for which a finding is acknowledged from the list of all."""


class SiteRow(msgspec.Struct, frozen=True):
    """A site in trouble."""

    site: str
    status: Status
    summary: str
    """Its worst finding in a line."""
    since: datetime | None = None


class CertificateRow(msgspec.Struct, frozen=True):
    """A certificate that is served."""

    site: str
    host: str
    ends: datetime
    issuer: str = ""


class OpenRow(msgspec.Struct, frozen=True):
    """A finding that is open."""

    site: str
    code: str
    subject: str
    severity: Severity
    summary: str
    since: datetime
    silent_until: datetime | None = None
    """Until when its owner has acknowledged it."""


class Glance(msgspec.Struct, frozen=True):
    """What a widget shows."""

    at: datetime
    """When it was read, UTC."""
    counts: Mapping[Status, int]
    """Status → how many sites have it."""
    sites: tuple[SiteRow, ...] = ()
    certificates: tuple[CertificateRow, ...] = ()
    findings: tuple[OpenRow, ...] = ()
    troubled: int = 0
    """How many sites are in trouble, where that is more than those given."""
    declared: int | None = None
    """Sites that were declared at the last tick; None: nobody has counted them."""
    ticked: datetime | None = None
    outage: str = ""
    """What keeps the checker itself from seeing; empty: nothing does."""
    said: str = ""
    """What became of a click."""


def widget(glance: Glance, function: str = "", theme: Theme = "light") -> str:
    """Return the widget's HTML; `function`: the ARN that its buttons call, empty where nobody may.

    A button's event is `{"action": "show" or "check", "site": …}`, or `{"action": "acknowledge", "site", "code",
    "subject", "hours"}`.
    """
    counts = [
        element("li", badge(status), f" {counted(number, 'site')}")
        for status, number in sorted(glance.counts.items(), key=lambda pair: RANK[pair[0]])
        if number
    ]
    return framed(
        theme,
        said(glance.said),
        element("p", badge("error", "Padlock itself"), " ", outside(glance.outage)) if glance.outage else None,
        element("p", "As of ", moment(glance.at), _declared(glance), class_="quiet"),
        element("ul", *counts, class_="keys") if counts else element("p", _none(glance)),
        table(
            "Sites in trouble",
            ("Status", "Site", "What", ""),
            [_site(row, function) for row in glance.sites],
            glance.troubled,
        ),
        table(
            "Certificates by expiry",
            ("Site", "Left", "", "Until"),
            [_certificate(row, glance.at, function) for row in glance.certificates],
        ),
        table(
            "Open findings",
            ("Severity", "What", "Of", "Since", ""),
            [finding_row(row, glance.at, function, (DAY,)) for row in glance.findings],
        ),
    )


def framed(theme: Theme, *parts: Child) -> str:
    """Return the parts of a widget with their sheet."""
    return written(style.sheet_within(), element("div", *parts, class_=f"padlock widget {theme}"))


def said(text: str) -> Markup | None:
    """Return what became of a click, where there was one."""
    return element("p", element("strong", outside(text)), role="status") if text else None


def table(title: str, heads: Sequence[str], rows: Sequence[Markup], total: int = 0) -> Markup | None:
    """Return a table below its title; nothing where it has no row. `total`: how many rows there are, where more."""
    if not rows:
        return None
    more = max(len(rows), total) - len(rows[:SHOWN])
    named = [element("th", name, scope="col") if name else element("td") for name in heads]
    return join(
        element("h2", title),
        element("table", element("thead", element("tr", *named)), element("tbody", *rows[:SHOWN])),
        element("p", f"and {more} more", class_="quiet") if more > 0 else None,
    )


def finding_row(row: OpenRow, now: datetime, function: str, hours: Sequence[int]) -> Markup:
    """Return the row of an open finding, with a button for each number of hours that it may be acknowledged for."""
    silent = row.silent_until is not None and row.silent_until > now
    buttons = [None if silent else _acknowledge(row, function, each, alone=len(hours) == 1) for each in hours]
    return element(
        "tr",
        element("td", badge(row.severity.value)),
        element("th", outside(sentence(row.summary)), " ", element("code", phrase(row.code)), scope="row"),
        element("td", outside(row.subject)),
        element("td", moment(row.since)),
        element("td", ["acknowledged until ", moment(row.silent_until)] if silent and row.silent_until else buttons),
    )


def check_button(site: str, function: str) -> Child:
    """Return the button that has a site checked now."""
    return button("Check now", {"action": "check", "site": site}, function, f"Check {phrase(site, 80)} now?")


def button(label: str, event: Mapping[str, Any], function: str, question: str = "", class_: str = "btn") -> Child:
    """Return what sends an event to a function when it is clicked, once confirmed; nothing without a function."""
    if not function:
        return None
    return join(element("a", label, class_=class_ or None), _call(event, function, question))


def _call(event: Mapping[str, Any], function: str, question: str = "") -> Markup:
    return element(
        "cwdb-action",
        data(event),
        action="call",
        endpoint=function,
        display="widget",
        confirmation=question or None,
    )


def _named(site: str, function: str) -> Child:
    """Return a site's name, which shows the site where it can be clicked."""
    if not function:
        return outside(site)
    return join(element("a", outside(site)), _call({"action": "show", "site": site}, function))


def _acknowledge(row: OpenRow, function: str, hours: int, *, alone: bool) -> Child:
    span = counted(hours // DAY, "day")
    event = {"action": "acknowledge", "site": row.site, "code": row.code, "subject": row.subject, "hours": hours}
    question = f"Send no alert of {phrase(row.code, 80)} of {phrase(row.subject, 80)} for {span}?"
    return join(button("Acknowledge" if alone else f"Acknowledge for {span}", event, function, question), " ")


def _declared(glance: Glance) -> Child:
    if glance.declared is None or glance.ticked is None:
        return None
    return [f"; {counted(glance.declared, 'site')} declared at the last tick, ", moment(glance.ticked)]


def _none(glance: Glance) -> str:
    return "No site is in trouble." if glance.ticked else "No site has been checked yet."


def _site(row: SiteRow, function: str) -> Markup:
    return element(
        "tr",
        element("td", badge(row.status)),
        element("th", _named(row.site, function), scope="row"),
        element("td", outside(sentence(row.summary)), ["; since ", moment(row.since)] if row.since else None),
        element("td", check_button(row.site, function)),
    )


def _certificate(row: CertificateRow, now: datetime, function: str) -> Markup:
    status = "error" if row.ends < now else "warning" if row.ends < now + SOON else "ok"
    return element(
        "tr",
        element(
            "th",
            _named(row.site, function),
            None if row.host == row.site else [" at ", outside(row.host)],
            scope="row",
        ),
        element("td", badge(status, remaining(row.ends, now)), class_="nowrap"),
        element("td", bar(max((row.ends - now) / SHORTEST_AXIS, 0.0), status), class_="wide"),
        element(
            "td",
            element("span", moment(row.ends), class_="nowrap"),
            element("p", "by ", outside(row.issuer), class_="quiet small") if row.issuer else None,
        ),
    )
