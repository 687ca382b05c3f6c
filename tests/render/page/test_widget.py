"""The body of a dashboard's widget: what it shows, what its buttons send, and that texts are texts there too."""

import json
from datetime import timedelta

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from padlock.findings import Severity
from padlock.render.page import CertificateRow, Glance, OpenRow, SiteRow, widget
from padlock.render.page.elements import ATTRIBUTES, TAGS
from padlock.render.page.style import sheet_within
from selectolax.lexbor import LexborHTMLParser

from tests.evidence_builder import NOW
from tests.hostile_text import HOSTILE, fields, filled, raw, spoilt
from tests.render.page.test_hostile import MARK, anything, only

ARN = "arn:aws:lambda:eu-central-1:123456789012:function:padlock-widget"
GLANCE = Glance(
    NOW,
    {"ok": 12, "error": 1, "warning": 0},
    (SiteRow("shop.example.com", "error", "certificate expired: shop.example.com", NOW),),
    (
        CertificateRow("shop.example.com", "shop.example.com", NOW - timedelta(days=2), "CN=R11"),
        CertificateRow("example.com", "www.example.com", NOW + timedelta(days=45), "CN=R11"),
    ),
    (
        OpenRow(
            "shop.example.com",
            "certificate.expired",
            "shop.example.com",
            Severity.ERROR,
            "certificate expired",
            NOW - timedelta(days=2),
        ),
    ),
)


def body(html: str) -> LexborHTMLParser:
    """Parse a widget, and assert that nothing in it runs, loads or sends but its buttons."""
    assert raw(html) == set()
    tree = LexborHTMLParser(html.encode())
    for node in tree.css("*"):
        assert node.tag in TAGS | {"html", "head", "body", "style"}, node.tag
        for name in node.attributes:
            assert name.lower() in {known.lower() for known in ATTRIBUTES}, name
    assert [style.text() for style in tree.css("style")] == [sheet_within()]
    return tree


def test_what_it_shows() -> None:
    """Sites by status, certificates by expiry and open findings, each where there is something."""
    tree = body(widget(GLANCE, ARN))
    assert [node.text() for node in tree.css("h2")] == ["Sites in trouble", "Certificates by expiry", "Open findings"]
    assert [node.text().strip() for node in tree.css(".keys li")] == ["Error 1 site", "OK 12 sites"]
    assert "45 days left" in tree.css("tbody")[1].text()
    assert tree.css("h2")
    empty = body(widget(Glance(NOW, {})))
    assert not empty.css("h2, table")
    assert "No site has been checked yet." in empty.css_first("body").text()  # type: ignore[union-attr]


def test_buttons_send_what_they_say() -> None:
    """Each button is an anchor with its action right behind it, which asks first and sends one event."""
    tree = body(widget(GLANCE, ARN))
    actions = tree.css("cwdb-action")
    assert [json.loads(action.text()) for action in actions] == [
        {"action": "show", "site": "shop.example.com"},
        {"action": "check", "site": "shop.example.com"},
        {"action": "show", "site": "shop.example.com"},
        {"action": "show", "site": "example.com"},
        {
            "action": "acknowledge",
            "site": "shop.example.com",
            "code": "certificate.expired",
            "subject": "shop.example.com",
            "hours": 24,
        },
    ]
    for action in actions:
        assert action.prev is not None
        assert action.prev.tag == "a"
        assert action.attributes["endpoint"] == ARN
        asks = json.loads(action.text()).get("action") in ("check", "acknowledge")
        assert bool(action.attributes.get("confirmation")) is asks, "what changes nothing does not ask"


def test_no_buttons_without_a_function() -> None:
    """Where nobody may act there is nothing to press."""
    assert not body(widget(GLANCE)).css("cwdb-action, .btn")


def test_acknowledged_finding_has_no_button() -> None:
    """What is acknowledged says until when; once that is over it can be again."""
    for days, buttons in ((1, 1), (-1, 2)):
        row = msgspec.structs.replace(GLANCE.findings[0], silent_until=NOW + timedelta(days=days))
        shown = Glance(NOW, {}, GLANCE.sites, (), (row,))
        assert len(body(widget(shown, ARN)).css(".btn")) == buttons


def test_many_rows_are_counted() -> None:
    """A fleet in trouble shows its worst and the number of the others."""
    rows = tuple(SiteRow(f"s{n}.test", "error", "down") for n in range(300))
    tree = body(widget(Glance(NOW, {"error": 300}, rows)))
    assert len(tree.css("tbody tr")) == 50
    assert "and 250 more" in tree.css_first("body").text()  # type: ignore[union-attr]


def test_the_sheet_keeps_to_its_part() -> None:
    """No rule touches the dashboard around it."""
    assert ":root" not in sheet_within()
    rules = [line for line in sheet_within().splitlines() if "{" in line and not line.startswith("@")]
    assert rules
    assert all(".padlock" in line for line in rules if line[0] not in "@}")


@pytest.mark.parametrize("field", sorted(fields(Glance)))
def test_field_is_only_text(field: str) -> None:
    """A site's name or a finding's text adds no element and no action."""
    wild = spoilt(filled(Glance, "x"), only(field, f"{MARK} {HOSTILE}"))
    tame = spoilt(filled(Glance, "x"), only(field, "tame"))
    assert [node.tag for node in body(widget(wild, ARN)).css("*")] == [
        node.tag for node in body(widget(tame, ARN)).css("*")
    ]
    assert MARK in widget(wild, ARN)


@given(anything)
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
def test_events_carry_any_text_unchanged(words: str) -> None:
    """Whatever stands in a name, the event that a button sends has the same name."""
    tree = body(widget(filled(Glance, words), ARN))
    assert next(json.loads(action.text())["site"] for action in tree.css("cwdb-action")) == words
