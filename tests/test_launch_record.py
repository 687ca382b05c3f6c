"""The record for a launch file: kept in letters and read again, compared by date, and safe as Markdown."""

import re
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from padlock import record
from padlock.assess import assess
from padlock.findings import LineRecord, Report
from padlock.record import Record
from padlock.render.markdown import render

from tests.evidence_builder import NOW, change, healthy, with_leaf
from tests.host_builder import with_audit

HEALTHY = assess(healthy())
EXPIRED = assess(with_leaf(healthy(), not_after=NOW - timedelta(days=1)))


def kept(report: Report) -> Record:
    """Return the record of a report after it was a row of the history."""
    row: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(record.pack(report)))
    found = record.unpack(report.site, report.checked_at, report.status, row)
    assert found is not None
    return found


def statuses(one: Record) -> list[list[str]]:
    """Return the status of every line."""
    return [[row.status for row in part] for part in one.parts]


@pytest.mark.parametrize("report", [HEALTHY, EXPIRED])
def test_every_report_has_the_whole_record(report: Report) -> None:
    """18 steps, 17 closing lines and five results, of the time of the check."""
    whole = record.of(report)
    assert [len(part) for part in whole.parts] == [18, 17, 5]
    assert whole.at == NOW


@pytest.mark.parametrize("report", [HEALTHY, EXPIRED])
def test_a_row_keeps_the_record(report: Report) -> None:
    """What the history keeps tells each line's status, and what a failed step failed of, in under 300 octets."""
    whole, read = record.of(report), kept(report)
    assert statuses(read) == statuses(whole)
    assert [row.codes for row in read.steps] == [row.codes for row in whole.steps]
    assert [row.title for part in read.parts for row in part] == [row.title for part in whole.parts for row in part]
    assert len(msgspec.json.encode(record.pack(report))) < 300


@pytest.mark.parametrize("row", [{}, {"steps": "p" * 18}, {"steps": "z" * 18, "lines": "p" * 17, "results": "p" * 5}])
def test_a_row_without_a_record_has_none(row: dict[str, Any]) -> None:
    """Rows of an older version, or of another program, give no record."""
    assert record.unpack("example.com", NOW, "ok", row) is None


def test_a_stored_report_keeps_the_reasons() -> None:
    """The latest report is stored whole, with why a step is unknown; one without a checklist gives no record."""
    assert record.of_item(msgspec.to_builtins(HEALTHY)) == record.of(HEALTHY)
    assert record.of_item({"site": "example.com", "status": "ok"}) is None
    assert record.of_item(msgspec.to_builtins(change(HEALTHY, checklist=()))) is None


def test_two_dates_are_compared() -> None:
    """Only what is another than it was is told; a record is not different from itself."""
    changed = {
        new.title.split(".")[0]: (old.status, new.status)
        for old, new in record.differences(kept(EXPIRED), record.of(HEALTHY))
    }
    assert changed["8"] == changed["valid certificate"] == ("fail", "pass")
    assert "1" not in changed
    assert not list(record.differences(record.of(HEALTHY), kept(HEALTHY)))


def test_markdown_is_a_launch_file() -> None:
    """The document names site, time and status, ticks what is right, and names the codes of what is not."""
    text = render(record.of(EXPIRED))
    assert text.startswith("# example.com: domain and HTTPS checklist\n\nChecked 2026-11-20 12:00 UTC by Padlock.")
    assert "- [x] working DNS\n- [ ] valid certificate (fail: `certificate.expired`" in text
    assert "| 8\\. A certificate exists for the required host names | ✗ fail | `certificate.expired` |" in text
    assert text.count("\n- [") == 22
    assert text.count("\n| ") == 19


def test_markdown_says_what_changed() -> None:
    """With an older record the document says what changed since, or that nothing did."""
    old, new = kept(EXPIRED), record.of(HEALTHY)
    assert "## Changed since 2026-11-20 12:00 UTC\n\nNothing.\n" in render(new, new)
    assert "- valid certificate: fail → **pass**" in render(new, old)


HOSTILE = "x | <script>alert(1)</script>\n# forged\x1b[31m ![a](http://e) `b` \u202e"


def test_nothing_from_outside_is_markup() -> None:
    """A reason or a site's name makes no line, table cell, link, image, heading or HTML of its own."""
    bad = tuple(LineRecord(row.title, "unknown", (), HOSTILE) for row in record.of(HEALTHY).steps)
    text = render(change(record.of(HEALTHY), site=HOSTILE, steps=bad))
    assert len(text.split("\n")) == len(render(record.of(HEALTHY)).split("\n"))
    bare = re.sub(r"\\.", "", text)
    for markup in ("<script", "![", "](", "`b`", "\x1b", "\u202e"):
        assert markup not in bare
    assert all(line.count("|") == 4 for line in bare.split("\n") if line.startswith("| "))


def test_host_evidence_leaves_nothing_unknown() -> None:
    """Once the host was asked, every line of a healthy site is decided."""
    audited = record.of(assess(with_audit(healthy())))
    assert "unknown" not in [row.status for part in audited.parts for row in part]
