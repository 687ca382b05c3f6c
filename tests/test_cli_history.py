"""`padlock history` on an embedded AWS: checks that say the same in one line, what changed, and each format."""

import csv
import io
import json
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, NamedTuple

import pytest
from padlock.assess import assess
from padlock.cli import main
from padlock.cli.history import FORMATS
from padlock.findings import Report
from padlock.storage import Results, Run, stamp

from local.aws import EmbeddedAws
from tests import deployed
from tests.evidence_builder import NOW, change, healthy, with_leaf
from tests.hostile_text import HOSTILE, raw
from tests.runs import stored

SITE = "example.com"
HEALTHY = assess(healthy(SITE))
EXPIRED = assess(with_leaf(healthy(SITE), not_after=NOW - timedelta(days=1)))
STEP = timedelta(minutes=5)


class Kept(NamedTuple):
    """The history of one site."""

    table: Results
    site: str


@pytest.fixture(scope="module")
def aws() -> Iterator[EmbeddedAws]:
    """Serve an AWS with a stack that has described outputs; each test has a site of its own."""
    with EmbeddedAws() as running:
        deployed.describe(running)
        yield running


@pytest.fixture
def results(aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Kept:
    """Return the table of a stack that the command reaches, and a site of which nothing is stored."""
    deployed.point_the_command_at(aws, monkeypatch)
    table = aws.physical["ResultsTable"]
    site = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).strip("-") + ".example.com"
    return Kept(Results(aws.client("dynamodb"), table), site)


def run(results: Kept, number: int, report: Report) -> None:
    """Apply the check of a slot."""
    at = NOW + number * STEP
    assert stored(results.table, change(report, site=results.site, checked_at=at), slot=stamp(at)) == "applied"


@pytest.fixture(scope="module")
def past(aws: EmbeddedAws) -> Kept:
    """Return a site with three healthy checks, two of an expired certificate, and four healthy ones."""
    kept = Kept(Results(aws.client("dynamodb"), aws.physical["ResultsTable"]), "lived.example.com")
    for number, report in enumerate([HEALTHY] * 3 + [EXPIRED] * 2 + [HEALTHY] * 4):
        run(kept, number, report)
    return kept


@pytest.fixture
def lived(past: Kept, results: Kept) -> Kept:
    """Return that site, in reach of the command."""
    assert past.table.table == results.table.table
    return past


def shown(results: Kept, capsys: pytest.CaptureFixture[str], *options: str, site: str = "") -> str:
    """Return what the command writes, which must succeed."""
    assert main(["history", site or results.site, "--table", results.table.table, *options]) == 0
    output = capsys.readouterr()
    assert output.err == ""
    return output.out


def entries(results: Kept, capsys: pytest.CaptureFixture[str], *options: str) -> list[dict[str, Any]]:
    """Return the entries of the JSON."""
    found: list[dict[str, Any]] = json.loads(shown(results, capsys, "--json", *options))
    return found


def test_checks_that_say_the_same(lived: Kept, capsys: pytest.CaptureFixture[str]) -> None:
    """Checks in a row with one result are one entry, the newest first, with their number and their time."""
    found = entries(lived, capsys)
    assert [(entry["status"], entry["checks"]) for entry in found] == [("notice", 4), ("error", 2), ("notice", 3)]
    spans = [(entry["first"], entry["last"]) for entry in found]
    assert spans == [
        (stamp(NOW + first * STEP), stamp(NOW + last * STEP)) for first, last in ((5, 8), (3, 4), (0, 2))
    ]
    assert {entry["site"] for entry in found} == {lived.site}
    assert "certificate.expired" in found[1]["findings"]


def test_what_changed(lived: Kept, capsys: pytest.CaptureFixture[str]) -> None:
    """What a check opened or closed stands with the first of those that say so."""
    found = entries(lived, capsys)
    assert f"certificate.expired {SITE}" in found[1]["opened"]
    assert f"certificate.expired {SITE}" in found[0]["resolved"]
    assert found[2]["opened"] == found[0]["opened"] == found[1]["resolved"] == []


def test_text(lived: Kept, capsys: pytest.CaptureFixture[str]) -> None:
    """People read when, for how long, how it was, and what was new or over."""
    lines = shown(lived, capsys).splitlines()
    heads = [line for line in lines if not line.startswith("    ")]
    assert heads[0].startswith("2026-11-20 12:25 to 2026-11-20 12:40 UTC  notice ")
    assert "  4 checks  " in heads[0]
    assert [line.split("UTC")[1].split()[0] for line in heads] == ["notice", "error", "notice"]
    assert f"    ✓ over  certificate.expired {SITE}" in lines
    assert f"    ✗ new   certificate.expired {SITE}" in lines
    assert lines.index(f"    ✓ over  certificate.expired {SITE}") < lines.index(heads[1])
    assert "\x1b" not in "".join(lines)


def test_each(lived: Kept, capsys: pytest.CaptureFixture[str]) -> None:
    """With --each nothing is put together that the table has apart; no check is lost or counted twice."""
    found = entries(lived, capsys, "--each")
    assert sum(entry["checks"] for entry in found) == 9
    assert len(found) >= len(entries(lived, capsys))


def test_limit(lived: Kept, capsys: pytest.CaptureFixture[str]) -> None:
    """No more lines than wanted; each of them is whole."""
    assert entries(lived, capsys, "--limit", "2") == entries(lived, capsys)[:2]


def test_checks_on_demand_stand_apart(results: Kept, capsys: pytest.CaptureFixture[str]) -> None:
    """A check that somebody asked for is named as such, and is no part of those of the schedule."""
    run(results, 0, HEALTHY)
    at = NOW + STEP
    key = f"RUN#{stamp(at)}#1"
    results.table.keep(Run(results.site, key, 0, 1.25, 2**40), change(HEALTHY, checked_at=at), "on demand")
    first, second = entries(results, capsys)
    assert (first["kind"], first["checks"], first["seconds"]) == ("on demand", 1, 1.25)
    assert (second["kind"], second["checks"]) == ("applied", 1)
    assert "(on demand)" in shown(results, capsys).splitlines()[0]


def test_spellings(results: Kept, capsys: pytest.CaptureFixture[str]) -> None:
    """The site is found however its name is written."""
    run(results, 0, HEALTHY)
    first = shown(results, capsys)
    for spelling in (results.site.upper(), f"{results.site}."):
        assert shown(results, capsys, site=spelling) == first


def test_formats(lived: Kept, capsys: pytest.CaptureFixture[str]) -> None:
    """Each format has the entries of the JSON."""
    found = entries(lived, capsys)
    lines = shown(lived, capsys, "--format", "ndjson").splitlines()
    assert [json.loads(line) for line in lines] == found
    rows = list(csv.DictReader(io.StringIO(shown(lived, capsys, "--format", "csv"), newline="")))
    assert [row["checks"] for row in rows] == [str(entry["checks"]) for entry in found]
    assert rows[1]["opened"] == ", ".join(found[1]["opened"])
    assert rows[0]["first"] == found[0]["first"]
    document = shown(lived, capsys, "--format", "markdown").splitlines()
    assert document[0] == f"# {lived.site}: history".replace("-", "\\-")
    assert len([line for line in document if line.startswith("| 2026")]) == len(found)
    assert "new: certificate.expired example.com" in document[5]


@pytest.mark.parametrize("name", FORMATS)
def test_text_that_means_harm(name: str, results: Kept, capsys: pytest.CaptureFixture[str]) -> None:
    """What stands in the table drives no terminal."""
    harm = HOSTILE.encode("utf-8", "replace").decode()[:200]
    spoilt = tuple(
        change(finding, subject=harm, summary=harm, code="certificate.expired") for finding in EXPIRED.findings[:1]
    )
    run(results, 0, change(EXPIRED, findings=spoilt))
    document = shown(results, capsys, "--format", name)
    assert "Subject: forged" in document
    assert not raw(document.replace("\r\n", "\n"))


def test_nothing_is_stored(results: Kept, capsys: pytest.CaptureFixture[str]) -> None:
    """A site without a check is one line that says what to do, and exit status 2."""
    assert main(["history", "absent.example.com", "--table", results.table.table, "--json"]) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert "no check of absent.example.com is stored" in output.err
    assert output.err.count("\n") == 1


def test_by_the_stack(results: Kept, capsys: pytest.CaptureFixture[str], aws: EmbeddedAws) -> None:
    """The table is found by the stack's outputs; a stack that there is not is one line."""
    run(results, 0, HEALTHY)
    assert main(["history", results.site, "--stack", aws.stack]) == 0
    assert "1 check  " in capsys.readouterr().out
    assert main(["history", results.site, "--stack", f"{aws.stack}-not"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
