"""Several sites in one table: the worst first; sorted and filtered otherwise where scripts run."""

from collections import Counter
from collections.abc import Sequence

from padlock.findings import Report, Severity
from padlock.render.escape import phrase
from padlock.render.page.elements import Markup, element, join
from padlock.render.page.marks import RANK, badge, moment, outside, sentence
from padlock.render.words import counted, remaining, title_of

COLUMNS = ("Status", "Site", "Errors", "Warnings", "Notices", "Steps", "Certificate", "First of all")
NEVER = "9999"
"""Sorts a site without a certificate behind every date."""


def counts(reports: Sequence[Report]) -> Markup:
    """Return how many sites have each status."""
    by_status = Counter(report.status for report in reports)
    return element(
        "ul",
        *(
            element("li", badge(status), " ", counted(by_status[status], "site"))
            for status in sorted(by_status, key=RANK.__getitem__)
        ),
        class_="keys",
    )


def overview(reports: Sequence[Report], places: Sequence[str]) -> Markup:
    """Return the table of sites, in the order given; `places`: the ids of their parts."""
    heads = [
        element("th", name, scope="col", class_="number" if name in ("Errors", "Warnings", "Notices") else None)
        for name in COLUMNS
    ]
    rows = [_row(report, place) for report, place in zip(reports, places, strict=True)]
    return join(
        _filters(reports),
        element(
            "table",
            element("caption", "The sites, the worst first"),
            element("thead", element("tr", *heads)),
            element("tbody", *rows),
            class_="sorts stack",
        ),
    )


def _filters(reports: Sequence[Report]) -> Markup:
    """Return what filters the table; hidden until the script that works it shows it."""
    seen = sorted({report.status for report in reports}, key=RANK.__getitem__)
    return element(
        "div",
        element("label", "Site or finding ", element("input", type="search", id="filter-text")),
        element(
            "label",
            "Status ",
            element(
                "select",
                element("option", "any", value=""),
                *(element("option", status, value=status) for status in seen),
                id="filter-status",
            ),
        ),
        element("output", id="filtered", for_="filter-text filter-status"),
        class_="filters",
        role="search",
        hidden=True,
    )


def _row(report: Report, place: str) -> Markup:
    severities = Counter(finding.severity for finding in report.findings)
    passed = sum(row.status == "pass" for row in report.checklist)
    first = report.findings[0] if report.findings else None
    soonest = report.certificates[0].not_after if report.certificates else None
    numbers = [
        element(
            "td",
            str(severities[severity]),
            class_="number",
            data_sort=severities[severity],
            data_text=f"{severity.value.capitalize()}s",
        )
        for severity in Severity
    ]
    codes = " ".join(dict.fromkeys(finding.code for finding in report.findings))
    return element(
        "tr",
        element("td", badge(report.status), data_sort=RANK[report.status]),
        element(
            "th", element("a", outside(report.site), href=f"#{place}"), scope="row", data_sort=phrase(report.site)
        ),
        *numbers,
        element(
            "td",
            f"{passed} of {len(report.checklist)}" if report.checklist else None,
            data_sort=passed,
            data_text="Steps that pass",
            class_="nowrap",
        ),
        element(
            "td",
            sentence(remaining(soonest, report.checked_at)) if soonest else None,
            data_sort=f"{soonest:%Y-%m-%dT%H:%M}" if soonest else NEVER,
            data_text="Certificate",
            class_="nowrap",
        ),
        element("td", sentence(title_of(first)) if first else None, data_sort=title_of(first) if first else "~"),
        data_status=report.status,
        data_words=phrase(f"{report.site} {' '.join(report.hosts)} {codes}", 4000),
    )


def checked(reports: Sequence[Report]) -> Markup:
    """Return when the sites were checked: a time, or the first and the last."""
    times = sorted(report.checked_at for report in reports)
    first, last = moment(times[0]), moment(times[-1])
    return element("p", "Checked ", first, join(" to ", last) if first != last else None, class_="quiet")
