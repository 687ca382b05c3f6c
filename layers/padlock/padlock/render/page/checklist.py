"""The record: the five results, the 18 steps and the closing lines, and what could not be looked at."""

from collections.abc import Sequence

from padlock.findings import LineRecord, NotAssessed, Report, StepRecord
from padlock.render.escape import phrase
from padlock.render.page.elements import Child, Markup, element, join
from padlock.render.page.marks import Anchors, badge, outside, sentence, several


def checklist(report: Report, places: Anchors) -> Markup | None:
    """Return the record; nothing where the report has none, as of a run that ended before it could judge."""
    if not report.checklist:
        return None
    rows = [_row((element("td", str(row.step), class_="number"),), row, places) for row in report.checklist]
    return join(
        element("ul", *(element("li", badge(row.status, row.title)) for row in report.results), class_="results")
        if report.results
        else None,
        element(
            "table",
            element("caption", "The 18 steps of the deployment checklist"),
            element(
                "thead",
                element("tr", *(element("th", name, scope="col") for name in ("Step", "What", "Result", "Because"))),
            ),
            element("tbody", *rows),
            class_="stack steps",
        ),
        _lines(report.lines, places),
    )


def not_assessed(entries: Sequence[NotAssessed]) -> Markup | None:
    """Return what could not be looked at, one entry for each reason; nothing where all was seen."""
    if not entries:
        return None
    rows = []
    for reason in dict.fromkeys(entry.reason for entry in entries):
        same = [entry for entry in entries if entry.reason == reason]
        subjects = list(dict.fromkeys(entry.subject for entry in same))
        codes = list(dict.fromkeys(entry.code for entry in same))
        rows.append(
            element(
                "tr",
                element("th", outside(sentence(reason)), scope="row"),
                element("td", several(subjects)),
                element("td", _codes(codes), class_="quiet"),
            )
        )
    heads = element("tr", *(element("th", name, scope="col") for name in ("Because", "Of", "Checks")))
    return element("table", element("thead", heads), element("tbody", *rows), class_="stack thirds")


def _lines(rows: Sequence[LineRecord], places: Anchors) -> Markup | None:
    if not rows:
        return None
    table = element(
        "table",
        element(
            "thead", element("tr", *(element("th", name, scope="col") for name in ("Line", "Result", "Because")))
        ),
        element("tbody", *(_row((), row, places) for row in rows)),
        class_="stack",
    )
    return element("details", element("summary", f"The {len(rows)} closing lines"), table, class_="aside")


def _row(first: tuple[Markup, ...], row: StepRecord | LineRecord, places: Anchors) -> Markup:
    links = [
        element("a", phrase(code), href=f"#{place}") if (place := _place(code, places)) else code
        for code in row.codes
    ]
    because: list[Child] = [(", " if number else "", link) for number, link in enumerate(links)]
    if row.reason:
        because += ["; " if links else "", outside(row.reason if links else sentence(row.reason))]
    return element(
        "tr",
        *first,
        element("th", phrase(row.title), scope="row"),
        element("td", badge(row.status)),
        element("td", because, class_="quiet"),
    )


def _place(code: str, places: Anchors) -> str:
    return next((place for (known, _), place in places.items() if known == code), "")


def _codes(codes: Sequence[str]) -> list[Child]:
    return [(", " if number else "", element("code", phrase(code))) for number, code in enumerate(codes)]
