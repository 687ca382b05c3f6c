"""What a dashboard's widget shows, read from the two tables: all sites at a glance, and one site in detail."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from padlock.acknowledging import silences
from padlock.changes import Silence
from padlock.findings import CHECKER, Finding, Severity
from padlock.render.page import CertificateRow, Glance, OpenRow, SiteRow, SiteView, report_of
from padlock.schedule.removed import names_of
from padlock.storage import Item, Results, Sites
from padlock.storage import glance as many
from padlock.storage.fleet import Fleet
from padlock.storage.sites import ELSEWHERE, declares
from padlock.storage.ticks import Ticks

TROUBLED = 20
"""Sites in trouble that are shown, those with errors first; their findings are read."""
CERTIFICATES = 10
"""Certificates that are shown, the next to end first."""


class Tables(msgspec.Struct, frozen=True):
    """Where it is read from."""

    sites: Sites
    results: Results
    fleet: Fleet
    ticks: Ticks
    glance: many.Glance
    parameter: str
    """The stack's parameter Sites."""


class Place(msgspec.Struct, frozen=True):
    """Where a site is declared."""

    item: str
    """The name of its item in the Sites table, which may have to be made."""
    elsewhere: str
    """As the stack's parameter spells the site; empty: the item declares it."""
    declaration: str | Item
    """What the queue is told of it."""

    @property
    def kept(self) -> Mapping[str, Any]:
        """What its owner has written of it."""
        return {} if isinstance(self.declaration, str) else self.declaration


def glance_of(tables: Tables, now: datetime) -> Glance:
    """Return all sites at a glance: four queries, the items of the sites that are shown, and the last tick."""
    errors, failing = tables.fleet.troubled("error", TROUBLED + 1)
    warnings, warned = tables.fleet.troubled("warning", TROUBLED)
    # The checker itself stands in the same list.
    outage = next((row for row in errors if row["site"] == CHECKER), None)
    failing -= outage is not None
    rows = [row for row in (*errors, *warnings) if row["site"] != CHECKER][:TROUBLED]
    last = tables.ticks.last()
    return Glance(
        at=now,
        counts={"error": failing, "warning": warned},
        sites=tuple(map(_site, rows)),
        certificates=tuple(map(_certificate, tables.glance.certificates(CERTIFICATES))),
        findings=tuple(sorted(_open_now(tables, [row["site"] for row in rows], now), key=_rank)),
        troubled=failing + warned,
        declared=last.sites if last else None,
        ticked=last.at if last else None,
        outage=str(outage.get("summary", "")) if outage else "",
    )


def view_of(tables: Tables, key: str, now: datetime) -> SiteView | None:
    """Return one site as it is stored; None where nothing is."""
    item = tables.results.state(key)
    if item is None:
        return None
    place = place_of(tables, key)
    known = silences(place.kept, now) if place else ()
    report = report_of(item)
    return SiteView(
        site=key,
        at=now,
        status=item["status"],
        summary=item["summary"],
        checked_at=datetime.fromisoformat(item["checked_at"]),
        findings=tuple(_rows(key, item.get("findings", ()), known, now)),
        report=report,
        declared=place is not None,
    )


def place_of(tables: Tables, key: str) -> Place | None:
    """Return where a site is declared; None where it is not, as far as a tick has seen."""
    return _places(tables, [key]).get(key)


def _places(tables: Tables, keys: Sequence[str]) -> Mapping[str, Place]:
    """Return key → place of those sites that are declared, as dispatch takes their declarations."""
    rows = tables.sites.get_many(keys)
    spelled = {key: row[ELSEWHERE] for key, row in rows.items() if not declares(row)}
    others = tables.sites.get_many([name for name in spelled.values() if name]) if spelled else {}
    bare = names_of(tables.parameter)
    found: dict[str, Place] = {}
    for key in keys:
        row, other = rows.get(key), others.get(spelled.get(key, ""))
        if row and declares(row):
            found[key] = Place(key, "", row)
        elif other and declares(other):
            found[key] = Place(other["name"], "", other)
        elif key in bare:
            found[key] = Place(key, bare[key], row or bare[key])
    return found


def _open_now(tables: Tables, keys: Sequence[str], now: datetime) -> Iterator[OpenRow]:
    """Yield the open errors and warnings of sites, in the order of the sites."""
    places, findings = _places(tables, keys), tables.glance.findings(keys)
    for key in keys:
        known = silences(places[key].kept, now) if key in places else ()
        rows = _rows(key, findings.get(key, ()), known, now)
        yield from (row for row in rows if row.severity is not Severity.NOTICE)


def _rank(row: OpenRow) -> int:
    return row.severity.rank


def _rows(site: str, findings: Sequence[Item], known: Sequence[Silence], now: datetime) -> Iterator[OpenRow]:
    """Yield the findings of a state; its owner has acknowledged those that he has silenced."""
    for one in findings:
        finding = msgspec.convert(one, Finding)
        yield OpenRow(
            site,
            finding.code,
            finding.subject,
            finding.severity,
            finding.summary or finding.code.replace(".", " ").replace("_", " "),
            datetime.fromisoformat(one["since"]),
            max((each.until for each in known if each.covers(finding, now)), default=None),
        )


def _site(row: Item) -> SiteRow:
    return SiteRow(row["site"], row["status"], row["summary"], datetime.fromisoformat(row["failing_since"]))


def _certificate(row: Item) -> CertificateRow:
    return CertificateRow(
        row["site"],
        row["certificate_host"],
        datetime.fromisoformat(row["certificate_expires"]),
        row.get("certificate_issuer", ""),
    )
