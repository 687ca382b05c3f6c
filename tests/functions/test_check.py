"""The check function: who asks gets the report and moves nothing, a message that comes again is worked off once."""

import json
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any

import msgspec
import pytest
from padlock.findings import Report
from padlock.storage import Results, Sites
from padlock.storage.edits import Edits

from local.aws import EmbeddedAws
from local.pump import Pump
from tests.loopback_site import LoopbackSite

EVENTS = Path(__file__).parents[2] / "events"
NAME = "shop.example"


def test_answers_with_the_report(pump: Pump, shop: LoopbackSite, results: Results) -> None:
    """An inline declaration is checked; the answer is the Report, and it is stored as history."""
    answer = pump.invoke("check", {"site": shop.declaration})
    report = msgspec.convert(answer, Report)
    assert (report.site, report.status) == (NAME, "notice")
    (row,) = results.history(NAME)
    assert (row["kind"], row["status"], row["ticket"]) == ("on demand", "notice", 0)
    assert row["ttl"] > datetime.now(UTC).timestamp()


def test_bare_name_means_the_declared_site(pump: Pump, shop: LoopbackSite, sites: Sites) -> None:
    """A name that stands in the Sites table is checked as it is declared there."""
    sites.put(shop.declaration)
    assert pump.invoke("check", {"site": NAME.upper()})["status"] == "notice"


@pytest.mark.parametrize("row", ["Shop.Example", "shop.example.", "SHOP.EXAMPLE."])
@pytest.mark.parametrize("ticked", [True, False], ids=["known", "new"])
def test_declaration_may_be_spelled_in_any_way(
    pump: Pump, shop: LoopbackSite, sites: Sites, row: str, ticked: bool
) -> None:
    """A site is checked as its item declares it, however that spells the name; a new one under its own spelling."""
    sites.put(shop.declaration | {"name": row})
    if ticked:
        pump.run()
    asked = [row, NAME, "shop.EXAMPLE."] if ticked else [row]
    answer = pump.invoke("check", {"sites": asked})
    assert [report.get("status") for report in answer["reports"]] == ["notice"] * len(asked)


def test_international_name_in_its_own_letters(pump: Pump, shop: LoopbackSite, sites: Sites) -> None:
    """An item in Unicode is found by the name that mails have, and by any spelling of it."""
    sites.put({"name": "bücher.example", "disable": ["nonsense"]})
    pump.run()
    answer = pump.invoke("check", {"sites": ["xn--bcher-kva.example", "BÜCHER.example", "bücher.example."]})
    assert all("no check has the code 'nonsense'" in report["error"] for report in answer["reports"])


def test_site_that_was_acknowledged_stays_the_parameters(
    pump: Pump, aws: EmbeddedAws, sites: Sites, results: Results
) -> None:
    """An item that only acknowledges declares no site: a message of one that left the parameter is an old one."""
    edits = Edits(aws.client("dynamodb"), aws.physical["SitesTable"])
    edits.change(NAME, "acknowledge", lambda _: [{"code": "*", "until": "2999-01-01"}], elsewhere=NAME)
    body = json.dumps({"site": {"name": NAME}, "slot": "2026-11-20T17:05:00Z"})
    aws.client("sqs").send_message(QueueUrl=aws.physical["CheckQueue"], MessageBody=body)
    pump.run()
    assert list(results.history(NAME)) == []
    assert sites.get(NAME) is None


def test_list_answers_in_order_with_errors_in_place(pump: Pump, shop: LoopbackSite) -> None:
    """Several sites are answered in order; a wrong entry has its error and stops no other."""
    answer = pump.invoke("check", {"sites": ["https://x/", shop.declaration, {"nme": "a.example"}, 5]})
    wrong, right, nameless, number = answer["reports"]
    assert "is a URL" in wrong["error"]
    assert right["status"] == "notice"
    assert "found 'nme'" in nameless["error"]
    assert "not a number" in number["error"]


def test_moves_no_state_and_steals_no_alert(
    pump: Pump, aws: EmbeddedAws, shop: LoopbackSite, sites: Sites, results: Results
) -> None:
    """A run that somebody asked for tells nobody; the next scheduled one alerts what it finds."""
    sites.put(shop.declaration)
    shop.status = HTTPStatus.BAD_GATEWAY
    assert pump.invoke("check", {"site": NAME})["status"] == "error"
    assert results.state(NAME) is None
    assert pump.stream() == 0
    pump.run()
    assert len(aws.mails()) == 1
    shop.status = HTTPStatus.OK
    assert pump.invoke("check", {"site": NAME})["status"] == "notice"
    assert [row["site"] for row in results.failing()] == [NAME]


def received(declaration: Any, times: int, slot: str = "2026-11-20T17:05:00Z") -> dict[str, Any]:
    """Return a queue event of one message that has come some times."""
    attributes = {"ApproximateReceiveCount": str(times)}
    body = json.dumps({"site": declaration, "slot": slot})
    return {"Records": [{"messageId": "m-1", "eventSource": "aws:sqs", "body": body, "attributes": attributes}]}


def test_message_that_comes_again_and_again(pump: Pump, shop: LoopbackSite, sites: Sites, results: Results) -> None:
    """A message is worked off at any receive but the last one, which gives its site up."""
    sites.put(shop.declaration)
    assert pump.invoke("check", received(shop.declaration, 4)) == {"batchItemFailures": []}
    again = received(shop.declaration, 5)
    assert pump.invoke("check", again) == {"batchItemFailures": []}, "the run was stored: nothing is wrong"
    last = received(shop.declaration, 5, "2026-11-20T17:10:00Z")
    assert pump.invoke("check", last) == {"batchItemFailures": [{"itemIdentifier": "m-1"}]}
    newest, first = results.history(NAME)
    assert (first["status"], newest["status"]) == ("notice", "inconclusive")


def test_site_may_be_spelled_in_any_way(pump: Pump, shop: LoopbackSite, sites: Sites, results: Results) -> None:
    """A name in capitals, as somebody wrote it into the table, is one of the site's spellings: it is checked."""
    sites.put(shop.declaration | {"name": "Shop.Example"})
    pump.run()
    assert [row["kind"] for row in results.history(NAME)] == ["applied"]


def test_removal_is_worked_off_at_the_last_receive_too(
    pump: Pump, shop: LoopbackSite, sites: Sites, results: Results
) -> None:
    """A site that is gone is looked at by nobody: there is nothing to give up."""
    sites.put(shop.declaration)
    pump.invoke("check", received(shop.declaration, 1))
    sites.delete(NAME)
    gone = received(NAME, 5, "2026-11-20T17:06:00Z")
    message = gone["Records"][0]
    message["body"] = json.dumps(json.loads(message["body"]) | {"removed": True})
    assert pump.invoke("check", gone) == {"batchItemFailures": []}
    assert results.load(NAME).state.removed


def test_message_that_cannot_be_understood_fails_alone(
    pump: Pump, shop: LoopbackSite, sites: Sites, results: Results
) -> None:
    """One bad message of a batch is named, and the other is worked off."""
    sites.put(shop.declaration)
    event = received(shop.declaration, 1)
    event["Records"].append(event["Records"][0] | {"messageId": "m-2", "body": "no JSON"})
    assert pump.invoke("check", event) == {"batchItemFailures": [{"itemIdentifier": "m-2"}]}
    assert len(list(results.history(NAME))) == 1


@pytest.mark.parametrize(
    ("event", "message"),
    [
        ({}, "neither site nor sites"),
        (None, "neither site nor sites"),
        ("example.com", "neither site nor sites"),
        (["example.com"], "neither site nor sites"),
        ({"host": "example.com"}, "neither site nor sites"),
        ({"site": "a.example", "sites": []}, "or both"),
        ({"sites": []}, "empty"),
        ({"sites": "example.com"}, "no list"),
        ({"site": "a.example", "dry": True}, "unknown key 'dry'"),
        ({"sites": ["a.example"] * 11}, "10 is the most"),
    ],
)
def test_unknown_event_is_refused(pump: Pump, event: Any, message: str) -> None:
    """An event of another shape fails with a text that says what to write."""
    with pytest.raises(ValueError, match=message):
        pump.invoke("check", event)


@pytest.mark.parametrize("name", ["console-check", "console-check-list", "console-check-intent", "queue"])
def test_events_of_the_repository(pump: Pump, name: str) -> None:
    """The events that people try first are understood."""
    answer = pump.invoke("check", json.loads((EVENTS / f"{name}.json").read_text()))
    assert "findings" in answer or "reports" in answer or answer == {"batchItemFailures": []}


@pytest.mark.parametrize(
    ("function", "name"),
    [("dispatch", "schedule"), ("notify", "stream"), ("notify", "sweep"), ("audit_host", "audit-all")],
)
def test_other_events_of_the_repository(pump: Pump, function: str, name: str) -> None:
    """The events of the other functions are understood too."""
    answer = pump.invoke(function, json.loads((EVENTS / f"{name}.json").read_text()))
    assert answer.get("batchItemFailures", []) == []
