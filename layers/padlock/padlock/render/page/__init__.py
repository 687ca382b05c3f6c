"""Reports as one HTML page that needs nothing else: no network, no other file, and no script to be read.

`page` is a pure function of reports and of the checks before them; `widget` draws a dashboard's part of the same
pieces. Whatever they hold is text (`elements`), and the page's own policy allows neither a script nor a style that is
not this page's (`frame`).
"""

from collections.abc import Mapping, Sequence

from padlock.findings import Report
from padlock.render.escape import phrase
from padlock.render.page.charts import Past, history
from padlock.render.page.elements import Markup, element
from padlock.render.page.frame import framed
from padlock.render.page.marks import RANK, badge, outside, sentence, tone
from padlock.render.page.overview import checked, counts, overview
from padlock.render.page.site import Beside, banner, part
from padlock.render.page.site_widget import SiteView, site_widget
from padlock.render.page.stored import report_of
from padlock.render.page.widget import CertificateRow, Glance, OpenRow, SiteRow, widget
from padlock.render.words import summary_of

__all__ = [
    "Beside",
    "CertificateRow",
    "Glance",
    "OpenRow",
    "Past",
    "SiteRow",
    "SiteView",
    "history",
    "page",
    "report_of",
    "site_widget",
    "widget",
]

OPENED = 3
"""Sites whose parts stand open; where there are more, each opens by a click."""


def page(reports: Sequence[Report], beside: Mapping[str, Beside] | None = None) -> str:
    """Return the page of reports, the worst first; `beside`: site → what else is known of it."""
    known = beside or {}
    if len(reports) == 1:
        report = reports[0]
        title = f"{phrase(report.site, 200)}: {report.status}"
        top = banner(report, element("h1", outside(report.site)))
        return framed(title, top, part(report, known.get(report.site, Beside()), "s1", 2))
    ranked = sorted(reports, key=lambda report: RANK[report.status])
    places = [f"s{number}" for number, _ in enumerate(ranked, 1)]
    parts = [
        _part(report, known.get(report.site, Beside()), place, opened=len(ranked) <= OPENED)
        for report, place in zip(ranked, places, strict=True)
    ]
    return framed(
        f"{len(ranked)} sites checked",
        element(
            "section",
            element("h1", f"{len(ranked)} sites"),
            checked(ranked) if ranked else element("p", "No site was checked."),
            counts(ranked),
            class_="card",
        ),
        element("section", element("h2", "Overview"), overview(ranked, places), class_="card long")
        if ranked
        else None,
        *parts,
    )


def _part(report: Report, beside: Beside, place: str, *, opened: bool) -> Markup:
    """Return one of several sites, which opens and closes."""
    return element(
        "details",
        element(
            "summary",
            badge(report.status),
            element("h2", outside(report.site)),
            element("span", sentence(next(summary_of(report), "")), class_="sum"),
        ),
        element("div", banner(report), part(report, beside, place, 3), id=place, class_="inside"),
        class_=f"site {tone(report.status)}",
        open=opened,
    )
