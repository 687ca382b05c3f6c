"""One site in a dashboard's widget: what it shows, what its buttons send, and that texts are texts there too."""

import json
from datetime import timedelta

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from padlock.findings import Severity
from padlock.render.page import OpenRow, SiteView, site_widget

from tests.evidence_builder import NOW
from tests.hostile_text import HOSTILE, fields, filled, spoilt
from tests.render.page.test_hostile import MARK, anything, only
from tests.render.page.test_widget import ARN, body
from tests.render.reports import broken

OPEN = OpenRow("shop.example.com", "hsts.missing", "shop.example.com", Severity.WARNING, "no HSTS", NOW)
VIEW = SiteView("shop.example.com", NOW, "error", "certificate expired", NOW, (OPEN,), broken())


def test_what_it_shows() -> None:
    """The site's state, what is open, why, and each finding of the last look with what heals it."""
    tree = body(site_widget(VIEW, ARN))
    titles = [node.text() for node in tree.css("h2")]
    assert titles == [VIEW.report.site, "Open findings", "Why", "Findings of the last look"]  # type: ignore[union-attr]
    shown = tree.css_first("body")
    assert shown
    for cause in broken().causes:
        assert cause.explanation in shown.text()
    assert not tree.css("[href]"), "the part behind # is the console's own"


def test_buttons() -> None:
    """Back, check now, and each open finding acknowledged for a day or a week."""
    sent = [json.loads(action.text()) for action in body(site_widget(VIEW, ARN)).css("cwdb-action")]
    row = {"action": "acknowledge", "site": OPEN.site, "code": OPEN.code, "subject": OPEN.subject}
    assert sent == [{}, {"action": "check", "site": OPEN.site}, row | {"hours": 24}, row | {"hours": 168}]


@pytest.mark.parametrize(
    ("view", "buttons"),
    [
        (msgspec.structs.replace(VIEW, declared=False), 1),
        (
            msgspec.structs.replace(
                VIEW, findings=(msgspec.structs.replace(OPEN, silent_until=NOW + timedelta(days=1)),)
            ),
            2,
        ),
        (msgspec.structs.replace(VIEW, findings=(msgspec.structs.replace(OPEN, severity=Severity.NOTICE),)), 2),
    ],
    ids=["not declared", "acknowledged", "notice"],
)
def test_nothing_to_press_in_vain(view: SiteView, buttons: int) -> None:
    """What is not declared can be neither checked nor acknowledged, what is acknowledged not once more."""
    assert len(body(site_widget(view, ARN)).css(".btn")) == buttons


@pytest.mark.parametrize("status", ["removed", "ok", "inconclusive"])
def test_without_a_report(status: str) -> None:
    """A site of which no report is stored has its state."""
    view = SiteView("shop.example.com", NOW, status, "no longer declared", NOW)
    shown = body(site_widget(view, ARN)).css_first("body")
    assert shown
    assert "No longer declared" in shown.text()


def test_many_findings_are_bounded() -> None:
    """A flood of findings shows the first fifty, and how many more there are."""
    view = msgspec.structs.replace(VIEW, findings=(OPEN,) * 300)
    tree = body(site_widget(view, ARN))
    assert len(tree.css("tbody tr")) == 50
    assert "and 250 more" in tree.css_first("body").text()  # type: ignore[union-attr]


def full() -> SiteView:
    """Return a view in which every text is another one."""
    view: SiteView = spoilt(filled(SiteView, "x"), lambda path, _: path)
    return view


@pytest.mark.parametrize("field", sorted(fields(SiteView)))
def test_field_is_only_text(field: str) -> None:
    """A text adds no element and no action, wherever it stands."""
    wild, tame = (spoilt(full(), only(field, text)) for text in (f"{MARK} {HOSTILE}", "tame"))
    if field in ("Finding.remediation", "Cause.remediation"):  # prose of ours: it has paragraphs and commands
        assert len(body(site_widget(wild, ARN)).css("cwdb-action")) == len(
            body(site_widget(tame, ARN)).css("cwdb-action")
        )
        return
    assert [node.tag for node in body(site_widget(wild, ARN)).css("*")] == [
        node.tag for node in body(site_widget(tame, ARN)).css("*")
    ]


@given(anything)
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
def test_events_carry_any_text_unchanged(words: str) -> None:
    """Whatever stands in a name, the event that a button sends has the same name, and no event is anybody else's."""
    view = spoilt(filled(SiteView, "x"), lambda _, __: words)
    sent = [json.loads(action.text()) for action in body(site_widget(view, ARN)).css("cwdb-action")]
    assert sent[0] == {}
    assert {event["site"] for event in sent[1:]} <= {words}
