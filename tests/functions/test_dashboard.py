"""The dashboard's widget on an embedded AWS: what it shows of stored runs, what a click does, and what never."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from padlock.changes import Policy
from padlock.dashboard.request import LONGEST
from padlock.dashboard.view import CERTIFICATES, TROUBLED
from padlock.declaration import read_declaration
from padlock.findings import CHECKER, Report
from padlock.silence import policy_of
from padlock.storage import Results, Sites
from padlock.storage.edits import Edits
from padlock.storage.sites import ELSEWHERE
from padlock.storage.ticks import LastTick, Ticks
from selectolax.lexbor import LexborHTMLParser

from local.aws import EmbeddedAws
from local.pump import Context, Pump
from tests.hostile_text import HOSTILE, filled, raw, spoilt
from tests.loopback_site import LoopbackSite
from tests.render.page.test_hostile import anything
from tests.render.page.test_widget import body
from tests.reports import SITE, finding, report
from tests.runs import stored

NOW = datetime.now(UTC).replace(microsecond=0)
EXPIRED = {"site": SITE, "code": "certificate.expired", "subject": SITE}


@pytest.fixture
def failing(results: Results, sites: Sites) -> Results:
    """Return the table with a site that has an error and a warning, and is declared."""
    sites.put({"name": SITE, "hsts": "required"})
    stored(
        results,
        report(
            finding("certificate.expired"),
            finding("hsts.missing", severity="warning"),
            expires=NOW + timedelta(days=3),
        ),
    )
    return results


def page(pump: Pump, **event: Any) -> LexborHTMLParser:
    """Return what the widget answers to an event; nothing in it runs, and its buttons call the function itself."""
    tree = body(pump.invoke("dashboard", event))
    for action in tree.css("cwdb-action"):
        assert action.attributes["endpoint"] == Context("dashboard").invoked_function_arn
        assert action.attributes["action"] == "call"
    return tree


def sent(tree: LexborHTMLParser, action: str) -> list[dict[str, Any]]:
    """Return the events of the buttons of an action."""
    events = [json.loads(node.text()) for node in tree.css("cwdb-action")]
    return [event for event in events if event.get("action") == action]


def words(tree: LexborHTMLParser) -> str:
    """Return all that can be read."""
    shown = tree.css_first("body")
    assert shown
    return shown.text()


def queued(aws: EmbeddedAws) -> list[dict[str, Any]]:
    """Return the messages that wait in the queue."""
    answer = aws.client("sqs").receive_message(
        QueueUrl=aws.physical["CheckQueue"], MaxNumberOfMessages=10, WaitTimeSeconds=0
    )
    return [json.loads(message["Body"]) for message in answer.get("Messages", ())]


# --- what it shows ------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("failing")
def test_all_sites_at_a_glance(pump: Pump, aws: EmbeddedAws) -> None:
    """Sites by status, certificates by expiry and open findings, and of how many sites that is."""
    Ticks(aws.client("dynamodb"), aws.physical["ResultsTable"]).save(LastTick(NOW, sites=12))
    tree = page(pump)
    assert [node.text() for node in tree.css("h2")] == ["Sites in trouble", "Certificates by expiry", "Open findings"]
    assert "12 sites declared at the last tick" in words(tree)
    assert "2 days left" in words(tree) or "3 days left" in words(tree)
    assert [event["code"] for event in sent(tree, "acknowledge")] == ["certificate.expired", "hsts.missing"]
    assert sent(tree, "check") == [{"action": "check", "site": SITE}]


def test_an_empty_stack(pump: Pump, aws: EmbeddedAws) -> None:
    """Before the first check nothing is said to be well; after a tick without trouble that is said."""
    assert "No site has been checked yet." in words(page(pump))
    Ticks(aws.client("dynamodb"), aws.physical["ResultsTable"]).save(LastTick(NOW, sites=2))
    assert "No site is in trouble." in words(page(pump))


def test_a_large_fleet_is_bounded_and_counted(pump: Pump, results: Results) -> None:
    """The sites longest in trouble are shown, errors before warnings; the true number stands beside them."""
    for number in range(TROUBLED + 5):
        severity = "warning" if number < 3 else "error"
        one = report(
            finding("dns.unresolvable", severity=severity),
            site=f"s{number}.example",
            expires=NOW + timedelta(days=number),
        )
        stored(results, one)
    tree = page(pump)
    assert len(sent(tree, "check")) == TROUBLED
    assert "Error 22 sites" in words(tree)
    assert "Warning 3 sites" in words(tree)
    assert "and 5 more" in words(tree)
    certificates = tree.css("table")[1].css("tbody tr")
    assert [row.css_first("bdi").text() for row in certificates] == [f"s{n}.example" for n in range(CERTIFICATES)]  # type: ignore[union-attr]


def test_an_outage_of_the_checker_is_no_site(pump: Pump, results: Results) -> None:
    """Where Padlock itself sees nothing that is said first, and it is no site in trouble."""
    stored(results, report(finding("checker.outage", CHECKER), site=CHECKER))
    tree = page(pump)
    assert "Padlock itself" in words(tree)
    assert not tree.css("h2, .btn")


@pytest.mark.usefixtures("failing")
def test_one_site(pump: Pump) -> None:
    """A site's view has its report and a button for each finding and span; its name is found by any spelling."""
    tree = page(pump, action="show", site=SITE.upper())
    assert [event["hours"] for event in sent(tree, "acknowledge")] == [24, 168, 24, 168]
    assert "Browsers refuse to open the site." in words(tree)
    assert json.loads(tree.css_first("cwdb-action").text()) == {}  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "site", ["nobody.example", "#checker", "#dispatch", "host#i-1", "", " ", "\ud800", "x" * 2048]
)
def test_a_site_that_is_not_stored(pump: Pump, failing: Results, site: str) -> None:
    """Whoever asks for another site, or for what is Padlock's own, sees all sites, and that this is none of them."""
    stored(failing, report(finding("checker.outage", CHECKER), site=CHECKER))
    if not site:
        with pytest.raises(ValueError, match="names no site"):
            pump.invoke("dashboard", {"action": "show", "site": site})
        return
    tree = page(pump, action="show", site=site)
    assert "is stored." in words(tree)
    assert "Sites in trouble" in words(tree)


@pytest.mark.parametrize(("theme", "shown"), [("light", "light"), ("dark", "dark"), ('"><b', "light"), (5, "light")])
def test_theme_is_the_dashboards(pump: Pump, theme: Any, shown: str) -> None:
    """The colours are those that CloudWatch names."""
    assert page(pump, widgetContext={"theme": theme, "title": "x"}).css(f".padlock.{shown}")


def test_it_describes_itself(pump: Pump) -> None:
    """Whoever edits the widget gets its documentation."""
    assert set(pump.invoke("dashboard", {"describe": True})) == {"markdown"}


@pytest.mark.usefixtures("failing")
def test_items_of_a_version_before_suffice(pump: Pump, aws: EmbeddedAws) -> None:
    """What an older version has stored, without a report beside the state, is shown as far as it is known."""
    dynamodb, table = aws.client("dynamodb"), aws.physical["ResultsTable"]
    for sort in ("STATE#REPORT", "STATE#HEAD"):
        dynamodb.delete_item(TableName=table, Key={"site": {"S": SITE}, "sk": {"S": sort}})
    tree = page(pump, action="show", site=SITE)
    assert "certificate expired" in words(tree).lower()
    assert len(sent(tree, "acknowledge")) == 4
    assert sent(page(pump), "check")


# --- check now ----------------------------------------------------------------------------------------------------


def test_check_now_checks_as_the_schedule_does(
    pump: Pump, results: Results, sites: Sites, shop: LoopbackSite
) -> None:
    """The site is checked with all that it declares, and its state is of that check; until then that is said."""
    sites.put(shop.declaration)
    stored(results, report(finding("tls.expired"), site=shop.name, at=NOW - timedelta(hours=1)))
    tree = page(pump, action="check", site=shop.name)
    assert "The check is under way" in words(tree)
    assert pump.drain() == 1
    state = results.state(shop.name)
    assert state
    assert datetime.fromisoformat(state["checked_at"]) >= NOW
    assert next(results.history(shop.name))["kind"] == "applied"


@pytest.mark.parametrize("site", ["nobody.example", "#checker", HOSTILE[:2048]])
def test_what_is_not_declared_is_not_checked(pump: Pump, aws: EmbeddedAws, site: str) -> None:
    """Nobody can have Padlock look at a site that is not declared."""
    assert "is not declared" in words(page(pump, action="check", site=site))
    assert queued(aws) == []


def test_other_spellings_are_declarations_too(pump: Pump, aws: EmbeddedAws, sites: Sites) -> None:
    """A site that is declared under another spelling is sent as declared there, one of the parameter by name."""
    sites.put({"name": "Shop.Example", "hsts": "required"})
    sites.point("shop.example", "Shop.Example")
    pump.invoke("dashboard", {"action": "check", "site": "shop.example"})
    bare = Pump(aws, {"SITES": "First.example, other.example", "POWERTOOLS_METRICS_DISABLED": "true"})
    bare.invoke("dashboard", {"action": "check", "site": "first.example"})
    told = [message["site"] for message in queued(aws)]
    assert sorted(told, key=str) == sorted(["First.example", {"name": "Shop.Example", "hsts": "required"}], key=str)


# --- acknowledge --------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("failing")
def test_acknowledged_as_by_the_command(pump: Pump, sites: Sites) -> None:
    """It stands in the declaration, silences the finding and nothing else, and the widget says until when."""
    tree = page(pump, action="acknowledge", hours=48, **EXPIRED)
    assert "Acknowledged certificate.expired until" in words(tree)
    item = sites.get(SITE)
    assert item
    assert {name: item[name] for name in ("name", "hsts")} == {"name": SITE, "hsts": "required"}
    policy: Policy = policy_of(read_declaration(item), NOW)
    (silence,) = policy.silences
    assert silence.covers(finding("certificate.expired"), NOW)
    assert not silence.covers(finding("hsts.missing"), NOW)
    assert timedelta(hours=47) < silence.until - datetime.now(UTC) <= timedelta(hours=48)
    assert [event["code"] for event in sent(page(pump), "acknowledge")] == ["hsts.missing"]


@pytest.mark.parametrize(
    "change",
    [
        {"code": "dns.unresolvable"},
        {"code": "*"},
        {"subject": ""},
        {"subject": "other.example"},
        {"site": "nobody.example"},
        {"site": CHECKER},
    ],
    ids=str,
)
def test_only_what_stands_open_is_acknowledged(
    pump: Pump, failing: Results, sites: Sites, change: Mapping[str, Any]
) -> None:
    """An event that no button sends acknowledges nothing: neither every code, nor every subject, nor another site."""
    stored(failing, report(finding("certificate.expired", CHECKER), site=CHECKER))
    before = list(sites.rows())
    assert "nothing to acknowledge" in words(page(pump, **{"action": "acknowledge", **EXPIRED, **change}))
    assert list(sites.rows()) == before


def test_a_site_of_the_parameter(aws: EmbeddedAws, results: Results, sites: Sites) -> None:
    """What is acknowledged of one is kept in an item that declares nothing, and is known when it is shown again."""
    pump = Pump(aws, {"SITES": "Example.com", "POWERTOOLS_METRICS_DISABLED": "true"})
    stored(results, report(finding("certificate.expired")))
    page(pump, action="acknowledge", **EXPIRED)
    (row,) = sites.rows()
    assert (row["name"], row[ELSEWHERE]) == (SITE, "Example.com")
    assert "acknowledged until" in words(page(pump))


@pytest.mark.usefixtures("failing")
def test_a_full_declaration_is_said(pump: Pump, sites: Sites) -> None:
    """Where fifty findings are acknowledged, or something else stands there, nothing changes and that is said."""
    many = [{"code": f"c.{number}", "until": "2099-01-01"} for number in range(50)]
    for known in (many, "nonsense"):
        sites.put({"name": SITE, "acknowledge": known})
        assert "Not acknowledged" in words(page(pump, action="acknowledge", **EXPIRED))
        assert (sites.get(SITE) or {})["acknowledge"] == known


@pytest.mark.usefixtures("failing")
def test_others_edits_stay(pump: Pump, aws: EmbeddedAws, sites: Sites) -> None:
    """What was acknowledged before stays, and is replaced where it is the same."""
    edits = Edits(aws.client("dynamodb"), aws.physical["SitesTable"])
    other = {"code": "hsts.missing", "until": "2099-01-01", "note": "ours"}
    edits.change(SITE, "acknowledge", lambda _: [other])
    for _ in range(2):
        page(pump, action="acknowledge", **EXPIRED)
    known = (sites.get(SITE) or {})["acknowledge"]
    assert known[0] == other
    assert [entry["code"] for entry in known] == ["hsts.missing", "certificate.expired"]


# --- hostile events and texts -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "event",
    [
        [],
        "x",
        None,
        {"action": "restart"},
        {"action": 5},
        {"action": "check", "site": ["a"]},
        {"action": "check", "site": "x" * 2049},
        {"action": "check"},
        {"action": "acknowledge", "site": SITE},
        {"action": "acknowledge", **EXPIRED, "hours": 0},
        {"action": "acknowledge", **EXPIRED, "hours": LONGEST + 1},
        {"action": "acknowledge", **EXPIRED, "hours": 1.5},
        {"describe": "yes"},
        {"widgetContext": "dark"},
    ],
    ids=str,
)
def test_event_of_another_shape_is_refused(pump: Pump, aws: EmbeddedAws, sites: Sites, event: Any) -> None:
    """It fails with a text that says what to write, and changes nothing."""
    with pytest.raises(ValueError, match="the event "):
        pump.invoke("dashboard", event)
    assert queued(aws) == []
    assert list(sites.rows()) == []


@pytest.fixture(scope="module")
def shared(embedded: EmbeddedAws) -> Pump:
    """Return functions of a stack that all examples of a property share."""
    embedded.deploy()
    return Pump(embedded, {"POWERTOOLS_METRICS_DISABLED": "true"})


def _spoil(text: str) -> Report:
    """Return a report in which every text is this one, but for its site's name, which is a key of DynamoDB's."""
    whole: Report = spoilt(filled(Report, "x"), lambda path, _: text if path != "Report.site" else SITE)
    return msgspec.structs.replace(whole, status="error", timezone="UTC")


@given(anything.filter(bool))  # moto cannot give back a map with an empty key
@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow])
def test_any_text_in_every_stored_string(shared: Pump, text: str) -> None:
    """Whatever text stands in whatever is stored, nothing runs, and the only actions are ours, on our function."""
    results = Results(shared.aws.client("dynamodb"), shared.aws.physical["ResultsTable"])
    stored(results, _spoil(text))
    for event in ({}, {"action": "show", "site": SITE}):
        tree = page(shared, **event)
        for node in tree.css("cwdb-action"):
            known = json.loads(node.text())
            assert set(known) <= {"action", "site", "code", "subject", "hours"}
            assert known.get("action") in {None, "show", "check", "acknowledge"}
            assert known.get("site") in {None, SITE}
            assert node.prev is not None
            assert node.prev.tag == "a"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_title_that_is_markup_does_nothing(pump: Pump, failing: Results, theme: str) -> None:
    """Markup, an action of its own and letters that turn a line round are shown, and are nothing but text."""
    title = f'</script><cwdb-action action="call" endpoint="arn:aws:lambda:x">{{}}</cwdb-action>\u202e{HOSTILE}'
    stored(failing, report(finding("expect.title", observed=title, summary=title)))
    for event in ({}, {"action": "show", "site": SITE}):
        html = pump.invoke("dashboard", {**event, "widgetContext": {"theme": theme}})
        assert raw(html) == set()
        assert "&lt;cwdb-action" in html
        assert html.count("<cwdb-action") == len(page(pump, **event).css("a"))
