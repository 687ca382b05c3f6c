"""The page of reports: what stands on it, in every state of a site, and what holds of every page."""

import base64
import hashlib
import re
from datetime import timedelta
from typing import Any, get_args

import msgspec
import pytest
from padlock.assess import assess
from padlock.findings import Report, Severity, Status, StepStatus
from padlock.render.page import Beside, Past, history, page, report_of
from padlock.render.page.frame import policy
from padlock.storage import Results

from tests.evidence_builder import NOW, healthy
from tests.render.page.parsed import assert_harmless, text
from tests.render.reports import EXPIRED, broken
from tests.reports import finding
from tests.runs import stored


def titles(html: str, level: int) -> list[str]:
    """Return the headings of one level."""
    return [node.text() for node in assert_harmless(html).css(f"h{level}")]


def test_everything_of_a_report_has_its_section() -> None:
    """A site that is broken shows why, what is wrong, the record, and what could not be looked at."""
    past = (Past(NOW - timedelta(hours=1), "ok", "nothing found"), Past(NOW, "error", "certificate expired"))
    html = page([broken()], {"shop.example.com": Beside(past)})
    assert titles(html, 1) == ["shop.example.com"]
    assert titles(html, 2) == [
        *("The way of a request", "Why", "Findings", "Checklist", "Certificates", "Not assessed", "Earlier checks"),
        "Timings",
    ]
    assert titles(html, 3) == [
        "Renewal broken likely, explains 1 finding",
        "Step 8 A certificate exists for the required host names",
        "Step 7 The HTTP virtual host redirects to HTTPS",
        "Beyond the checklist",
    ]


def test_the_record_has_18_steps_and_links_what_failed() -> None:
    """Each step has its row; a code that failed one leads to its finding."""
    tree = assert_harmless(page([broken()]))
    rows = tree.css("table.steps tbody tr")
    assert len(rows) == 18
    link = rows[7].css_first("a")
    assert link is not None
    finding_place = tree.css_first(link.attributes["href"] or "")
    assert finding_place is not None
    assert "Certificate expired" in finding_place.text()


@pytest.mark.parametrize("status", get_args(Status.__value__))
def test_every_status_is_said(status: Status) -> None:
    """Status stands as a word and an icon at the top, alone and among others."""
    report = msgspec.structs.replace(broken(), status=status)
    word = "OK" if status == "ok" else status.capitalize()
    for html in (page([report]), page([report, broken()])):
        tree = assert_harmless(html)
        assert any(node.text().strip() == word and node.css_first("svg") for node in tree.css(".badge"))


@pytest.mark.parametrize("status", get_args(StepStatus.__value__))
def test_every_step_status_is_said(status: StepStatus) -> None:
    """A step's status is a word and an icon too, with its reason."""
    rows = tuple(
        msgspec.structs.replace(row, status=status, codes=(), reason="so it is") for row in broken().checklist
    )
    tree = assert_harmless(page([msgspec.structs.replace(broken(), checklist=rows)]))
    cells = [row.text() for row in tree.css("table.steps tbody tr")]
    word = {"pass": "Passes", "fail": "Fails"}.get(status, status.capitalize())
    assert all(word in cell and "So it is" in cell for cell in cells)


@pytest.mark.parametrize("severity", Severity)
def test_every_severity_is_said(severity: Severity) -> None:
    """A finding's severity is a word beside its icon."""
    report = msgspec.structs.replace(broken(), findings=(finding("x.y", severity=severity.value),), causes=())
    badge = assert_harmless(page([report])).css_first("details.finding .badge")
    assert badge is not None
    assert badge.text().strip() == severity.value.capitalize()


def test_nothing_seen_leaves_no_empty_headings() -> None:
    """A run that saw nothing gives its status and its reason."""
    blind = msgspec.structs.replace(
        *(broken(),), status="inconclusive", findings=(), causes=(), checklist=(), certificates=(), timings={}
    )
    html = page([blind])
    assert titles(html, 2) == ["Not assessed"]
    assert "The site could not be seen from here: this vantage point has no IPv6 route" in text(assert_harmless(html))


def test_least_report() -> None:
    """A report of which everything that may be empty is empty makes a page."""
    tree = assert_harmless(page([Report("a.test", NOW, "ok", (), (), (), (), {})]))
    assert "Nothing to complain of" in text(tree)


def test_no_site() -> None:
    """A run whose sites all failed for a fault of ours has a page that says so."""
    assert "No site was checked." in text(assert_harmless(page([])))


def test_several_sites_stand_worst_first_and_lead_to_their_parts() -> None:
    """The overview names each site once, with numbers, and links to its part."""
    well = msgspec.structs.replace(assess(healthy()), findings=(), status="ok")
    tree = assert_harmless(page([well, broken()]))
    rows = tree.css("table.sorts tbody tr")
    assert [row.attributes["data-status"] for row in rows] == ["error", "ok"]
    assert [cell.text() for cell in rows[0].css("td.number")] == ["1", "1", "1"]
    link = rows[0].css_first("a")
    assert link is not None
    part = tree.css_first(link.attributes["href"] or "")
    assert part is not None
    assert "Certificate expired" in part.text()


def test_many_sites_are_closed_and_few_are_open() -> None:
    """A page of many sites shows the table first; of two or three everything."""
    reports = [msgspec.structs.replace(broken(), site=f"s{number}.test") for number in range(4)]
    assert len(assert_harmless(page(reports[:3])).css("details.site[open]")) == 3
    assert len(assert_harmless(page(reports)).css("details.site[open]")) == 0


def test_alike_findings_are_told_once() -> None:
    """Findings that differ in their host only share an entry, which every link to one of them leads to."""
    www = msgspec.structs.replace(
        EXPIRED,
        subject="www.shop.example.com",
        remediation=EXPIRED.remediation.replace("shop.example.com", "www.shop.example.com"),
    )
    tree = assert_harmless(page([msgspec.structs.replace(broken(), findings=(EXPIRED, www))]))
    entries = tree.css("details.finding")
    assert len(entries) == 1
    assert "shop.example.com, www.shop.example.com" in entries[0].text()


def test_same_code_and_subject_twice() -> None:
    """Two findings of one code and subject stand in two places; links lead to the first."""
    twice = tuple(msgspec.structs.replace(EXPIRED, observed=text) for text in ("one way", "another way"))
    tree = assert_harmless(page([msgspec.structs.replace(broken(), findings=(*twice, twice[0]))]))
    assert len(tree.css("details.finding")) == 2
    link = tree.css_first(".route a")
    assert link is not None
    place = tree.css_first(link.attributes["href"] or "")
    assert place is not None
    assert "one way" in place.text()


def test_a_flood_of_findings_stands_closed() -> None:
    """A thousand errors make a page that is read by its headings, and of bearable size."""
    many = tuple(finding("x.y", f"h{n}.example.com", observed=f"fault {n}") for n in range(1000))
    html = page([msgspec.structs.replace(broken(), findings=many)])
    tree = assert_harmless(html)
    assert len(tree.css("details.finding")) == 1000
    assert not tree.css("details.finding[open]")
    assert len(html) < 1_500_000


def test_policy_names_this_sheet_and_this_script() -> None:
    """The page's policy has the digests of what stands in it: a changed octet would not run."""
    tree = assert_harmless(page([broken()]))
    meta = tree.css_first("meta[http-equiv=Content-Security-Policy]")
    assert meta is not None
    said = meta.attributes["content"] or ""
    for tag, directive in (("script", "script-src"), ("style", "style-src")):
        node = tree.css_first(tag)
        assert node is not None
        digest = base64.b64encode(hashlib.sha256(node.text().encode()).digest()).decode()
        assert f"{directive} 'sha256-{digest}'" in said
    assert said.startswith("default-src 'none'; ")
    assert "unsafe" not in said
    assert policy("a", "b") != policy("a", "c")
    assert policy("a", "b") != policy("c", "b")


def test_the_policy_stands_before_what_it_governs() -> None:
    """Only what follows a policy is held to it."""
    html = page([broken()])
    assert html.index("Content-Security-Policy") < html.index("<style") < html.index("<script")


def test_same_report_same_page() -> None:
    """The page has no clock, no chance and no order of its own."""
    assert page([broken(), assess(healthy())]) == page([broken(), assess(healthy())])


def test_history_of_what_is_stored(results: Results) -> None:
    """Rows of the table give the line of earlier checks; what is no check is left out."""
    well = assess(healthy())
    for minutes, status in enumerate(("ok", "error", "ok")):
        at = NOW + timedelta(minutes=minutes)
        stored(results, msgspec.structs.replace(well, checked_at=at, status=status), slot=f"{at:%Y-%m-%dT%H:%M:%SZ}")
    rows = [*results.history("example.com"), {"site": "example.com", "kind": "digest", "checked_at": "2026-11-20"}]
    past = history(rows)
    assert [one.status for one in past] == ["ok", "error", "ok"]
    assert [one.checked_at for one in past] == sorted(one.checked_at for one in past)
    tree = assert_harmless(page([well], {"example.com": Beside(past)}))
    assert len(tree.css("svg.spark rect")) == 3
    drawing = tree.css_first("svg.spark")
    assert drawing is not None
    assert re.match(r"3 checks since 2026-11-20 12:00 UTC", drawing.attributes["aria-label"] or "")
    assert "2 changes of status" in text(tree)


def test_a_long_history_is_drawn_to_its_end() -> None:
    """Of more checks than fit, the newest are drawn."""
    past = [Past(NOW + timedelta(minutes=n), "error" if n == 499 else "ok") for n in range(500)]
    bars = assert_harmless(page([broken()], {"shop.example.com": Beside(past)})).css("svg.spark rect")
    assert len(bars) == 120
    assert "is-error" in (bars[-1].attributes["class"] or "")


def test_certificates_stand_by_their_end() -> None:
    """What has ended is said to have, what ends soonest is first, one that several hosts serve stands once."""
    served = broken().certificates
    later = msgspec.structs.replace(
        served[0], host="new.example.com", serial="77", not_after=NOW + timedelta(days=45)
    )
    tree = assert_harmless(page([msgspec.structs.replace(broken(), certificates=(*served, later))]))
    rows = tree.css("table.expiry tbody tr")
    assert len(rows) == 2
    assert "Expired 2 days ago" in rows[0].text()
    assert "45 days left" in rows[1].text()
    widths = [float((row.css("svg rect")[-1].attributes["width"] or "")[:-1]) for row in rows]
    assert widths == [0.6, 50.0]


@pytest.mark.parametrize("looks", [1, 2])
def test_stored_report_has_its_page(results: Results, looks: int) -> None:
    """What the stack keeps of a site's last check, suspected or open, makes the same page as the check itself."""
    stored(results, broken(), looks=looks)
    item = results.state("shop.example.com")
    assert item is not None
    report = report_of(item)
    assert report is not None
    assert page([report]) == page([broken()])


def test_what_is_over_is_not_on_the_page(results: Results) -> None:
    """A finding that the last look did not see is not shown, though the state may still wait to close it."""
    passing = finding("port.https_closed", "shop.example.com", reachability=True)
    stored(results, msgspec.structs.replace(broken(), findings=(passing, *broken().findings)), looks=2)
    stored(results, msgspec.structs.replace(broken(), checked_at=NOW + timedelta(minutes=5)), looks=1)
    item = results.state("shop.example.com")
    assert item is not None
    assert "port.https_closed" in [row["code"] for row in item["findings"]]
    report = report_of(item)
    assert report is not None
    assert [one.code for one in report.findings] == [one.code for one in broken().findings]


@pytest.mark.parametrize("item", [{}, {"report": {}}, {"report": {"status": "error", "cut": {"findings": 900}}}])
def test_too_little_stored_is_no_report(item: dict[str, Any]) -> None:
    """A state without a report, or with one that did not fit, makes none."""
    assert report_of(item) is None
