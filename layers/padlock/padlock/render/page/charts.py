"""Certificates by expiry, phases by length and earlier checks, each drawn beside the words that say the same."""

import itertools
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from padlock.findings import CertificateSummary, Report, Status
from padlock.render.page.elements import Markup, element, join
from padlock.render.page.marks import RANK, badge, moment, outside, several, tone
from padlock.render.words import counted, duration, remaining

SHORTEST_AXIS = timedelta(days=90)
"""What a certificate's bar is measured by at least, so that the last days look short."""
DRAWN = 120
"""Checks that the line of earlier ones has at most, the newest."""
LISTED = 20
"""Changes of status that are named, the newest."""
HEIGHTS: Mapping[Status, int] = {"ok": 6, "notice": 12, "warning": 24, "inconclusive": 32, "error": 40}
"""Status → how high its check stands, of 40: the worse, the higher, so that colour is not what tells."""
PHASES: Mapping[str, str] = {
    "dns": "Names looked up",
    "dns_surroundings": "Name servers and other resolvers asked",
    "tls": "Longest TLS handshake",
    "http": "Longest answer",
    "total": "Whole check",
}


class Past(msgspec.Struct, frozen=True):
    """An earlier check, with the names that a row of the stored history has."""

    checked_at: datetime
    status: Status
    summary: str = ""
    """The worst finding in a line."""
    seconds: float = 0.0


def history(rows: Iterable[Mapping[str, Any]]) -> tuple[Past, ...]:
    """Return the checks among the rows of a stored history, the oldest first; what is no check is left out."""
    found = []
    for row in rows:
        try:
            found.append(msgspec.convert(row, Past, strict=False))
        except msgspec.ValidationError:
            continue  # a digest, or a row of another version
    return tuple(sorted(found, key=lambda past: past.checked_at))


def certificates(report: Report) -> Markup | None:
    """Return what is served, the earliest expiry first, each beside a line of time that begins now."""
    if not report.certificates:
        return None
    now = report.checked_at
    last = max(certificate.not_after for certificate in report.certificates)
    axis = max(last - now, SHORTEST_AXIS)
    groups: dict[tuple[str, str], list[CertificateSummary]] = {}
    for certificate in report.certificates:
        groups.setdefault((certificate.issuer, certificate.serial), []).append(certificate)
    uneasy = {
        f.subject.split(" ", 1)[0] for f in report.findings if f.code in ("certificate.expiring", "renewal.overdue")
    }
    rows = [_certificate(group, now, axis, uneasy) for group in groups.values()]
    heads = ("Hosts", "", "Left", "Until", "Issued by")
    scale = element("td", _scale(axis), aria_hidden="true")
    return element(
        "table",
        element("caption", "From the moment of the check to each certificate's end"),
        element("thead", element("tr", *(element("th", name, scope="col") if name else scale for name in heads))),
        element("tbody", *rows),
        class_="stack expiry",
    )


def timings(report: Report) -> Markup | None:
    """Return how long each phase took, as words and bars of one scale."""
    longest = max(report.timings.values(), default=0.0)
    if longest <= 0:
        return None
    rows = [
        element(
            "tr",
            element("th", PHASES.get(phase) or outside(phase.replace("_", " ")), scope="row"),
            element("td", bar(seconds / longest, "notice"), class_="wide"),
            element("td", duration(seconds), class_="number"),
        )
        for phase, seconds in report.timings.items()
    ]
    note = "The phases run side by side: they do not add up to the whole."
    return element("table", element("caption", note), element("tbody", *rows), class_="stack")


def earlier(past: Sequence[Past]) -> Markup | None:
    """Return the line of earlier checks, what it comes to, and when the status changed."""
    drawn = past[-DRAWN:]
    if len(drawn) < 2:
        return None
    counts = Counter(one.status for one in drawn)
    keys = [
        element("li", badge(status), f" {counts[status]}")
        for status in sorted(counts, key=RANK.__getitem__, reverse=True)
    ]
    since = f"{counted(len(drawn), 'check')} since {drawn[0].checked_at:%Y-%m-%d %H:%M} UTC"
    bars = [
        element(
            "rect",
            x=4 * number,
            y=40 - HEIGHTS[one.status],
            width=3,
            height=HEIGHTS[one.status],
            class_=f"run {tone(one.status)}",
        )
        for number, one in enumerate(drawn)
    ]
    width = 4 * len(drawn)
    drawing = element(
        "svg",
        element("line", x1=0, x2=width, y1=40, y2=40, class_="base"),
        *bars,
        class_="spark",
        viewBox=f"0 0 {max(width, 4 * 30)} 41",
        preserveAspectRatio="none",
        role="img",
        aria_label=f"{since}, the oldest first: the worse the status, the higher the bar",
    )
    return join(
        element("p", since, ": the worse, the higher", class_="quiet"),
        drawing,
        element("ul", *keys, class_="keys"),
        _turns(drawn),
    )


def _turns(drawn: Sequence[Past]) -> Markup:
    """Return when the status became another one, the newest first."""
    turns = [after for before, after in itertools.pairwise(drawn) if before.status != after.status]
    if not turns:
        return element("p", "The status was the same all the time.", class_="quiet")
    heads = element("tr", *(element("th", name, scope="col") for name in ("When", "Status", "What")))
    rows = [
        element(
            "tr",
            element("th", moment(one.checked_at), scope="row", class_="nowrap"),
            element("td", badge(one.status)),
            element("td", outside(one.summary)),
        )
        for one in reversed(turns[-LISTED:])
    ]
    table = element("table", element("thead", heads), element("tbody", *rows), class_="stack")
    return element("details", element("summary", counted(len(turns), "change"), " of status"), table, class_="aside")


def _certificate(group: Sequence[CertificateSummary], now: datetime, axis: timedelta, uneasy: set[str]) -> Markup:
    first = group[0]
    status = "error" if first.not_after < now else "warning" if any(c.host in uneasy for c in group) else "ok"
    share = max((first.not_after - now) / axis, 0.0)
    return element(
        "tr",
        element(
            "th",
            several(list(dict.fromkeys(one.host for one in group))),
            element("p", outside(first.subject), ", serial ", outside(first.serial), class_="quiet small"),
            scope="row",
        ),
        element("td", bar(share, status, axis), class_="wide"),
        element("td", badge(status, remaining(first.not_after, now)), class_="nowrap"),
        element("td", moment(first.not_after), class_="nowrap", data_text="Until"),
        element("td", outside(first.issuer), data_text="Issued by", class_="quiet least"),
    )


def _marks(axis: timedelta) -> list[tuple[int, str]]:
    """Return (days, place) of the marks of a line of time, five at most."""
    step = next((days for days in (30, 90, 180, 365) if axis.days // days <= 5), axis.days // 5)
    return [(days, f"{100 * timedelta(days=days) / axis:.1f}%") for days in range(step, axis.days + 1, step)]


def _scale(axis: timedelta) -> Markup:
    marks = [
        element("text", f"{days} d", x=place, y=12, text_anchor="middle" if float(place[:-1]) < 95 else "end")
        for days, place in _marks(axis)
    ]
    return element("svg", element("text", "now", x=0, y=12), *marks, class_="scale")


def bar(share: float, status: str, axis: timedelta | None = None) -> Markup:
    """Return a bar of a share of the whole; never so short that it is not seen."""
    ticks = [
        element("line", x1=place, x2=place, y1=0, y2="100%", class_="tick")
        for _, place in (_marks(axis) if axis else ())
    ]
    width = f"{max(min(share, 1.0) * 100, 0.6):.1f}%"
    return element(
        "svg",
        element("rect", width="100%", height="100%", rx=3, class_="ground"),
        *ticks,
        element("rect", width=width, height="100%", rx=3, class_=f"fill {tone(status)}"),
        class_="bar",
        aria_hidden="true",
    )
