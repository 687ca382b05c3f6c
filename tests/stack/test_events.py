"""The events of events/, which serve the console, the README and `make local`: each is understood by its function."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from padlock.storage import Sites

from local.aws import EmbeddedAws
from local.demo.nameserver import Zones, serve, stop
from local.emulator import EVENTS, ready
from local.pump import Pump
from tests.stack.conftest import ROOT


def event(name: str) -> Any:
    """Return one of the events."""
    return json.loads((ROOT / "events" / name).read_text())


@pytest.fixture(scope="module")
def aws() -> Iterator[EmbeddedAws]:
    """Run an embedded AWS with the two sites of the events."""
    with EmbeddedAws(Sites="example.com, example.org") as running:
        yield running


@pytest.fixture(scope="module")
def pump(aws: EmbeddedAws) -> Iterator[Pump]:
    """Load the functions, with a name server that knows no site: nothing is sent anywhere."""
    port, servers = serve(Zones({}))
    yield Pump(aws, {"RESOLVERS": f"127.0.0.1:{port}", "SECOND_LOOK_PAUSE": "0"})
    stop(servers)


def test_each_event_has_a_function() -> None:
    """No event is left over, and none is missing."""
    assert sorted(name for _, name in EVENTS) == sorted(path.name for path in (ROOT / "events").iterdir())


def test_schedule(pump: Pump) -> None:
    """The schedule's tick queues the sites of the stack's parameter."""
    assert pump.invoke("dispatch", event("schedule.json"))["sent"] == 2


def test_console_check(pump: Pump) -> None:
    """One site gives its report."""
    report = pump.invoke("check", event("console-check.json"))
    assert report["site"] == "example.com"
    assert [finding["code"] for finding in report["findings"]] == ["dns.unresolvable"]


def test_console_check_list(pump: Pump) -> None:
    """Several sites give a report each, and the wrong entry an error in its place."""
    first, second, wrong = pump.invoke("check", event("console-check-list.json"))["reports"]
    assert (first["site"], second["site"]) == ("example.com", "example.org")
    assert "not a host" in wrong["error"]


def test_console_check_intent(pump: Pump) -> None:
    """A site with what it declares is understood, every key of it."""
    report = pump.invoke("check", event("console-check-intent.json"))
    assert report["site"] == "example.com"
    assert {finding["subject"] for finding in report["findings"]} == {"example.com", "www.example.com"}


@pytest.fixture
def declared(sites: Sites) -> None:
    """Declare the sites of the queue's messages."""
    for name in ("example.com", "example.org"):
        sites.put({"name": name})


@pytest.mark.usefixtures("declared")
def test_queue(pump: Pump, aws: EmbeddedAws) -> None:
    """Both messages of a batch are worked off, a bare name and a declaration."""
    assert pump.invoke("check", event("queue.json")) == {"batchItemFailures": []}
    for name in ("example.com", "example.org"):
        stored = aws.client("dynamodb").get_item(
            TableName=aws.physical["ResultsTable"], Key={"site": {"S": name}, "sk": {"S": "STATE"}}
        )
        assert stored["Item"]["status"] == {"S": "error"}


def test_removal(aws: EmbeddedAws) -> None:
    """A site that left the Sites table is told to the queue, and closed by the queue's message."""
    dispatch = Pump(aws)
    assert dispatch.invoke("dispatch", event("removal.json")) == {"batchItemFailures": []}
    sent = aws.client("sqs").receive_message(QueueUrl=aws.physical["CheckQueue"], MaxNumberOfMessages=10)["Messages"]
    (told,) = [body for body in (json.loads(message["Body"]) for message in sent) if body["site"] == "example.net"]
    (record,) = event("queue-removed.json")["Records"]
    assert told == json.loads(record["body"])
    assert dispatch.invoke("check", event("queue-removed.json")) == {"batchItemFailures": []}


@pytest.mark.usefixtures("declared")
def test_digest(pump: Pump) -> None:
    """The digest tells of the sites that the queue's messages found failing, and is written once."""
    pump.invoke("check", event("queue.json"))
    first, again = (pump.invoke("dispatch", event("digest.json")) for _ in range(2))
    assert (first["digest"], first["failing"], first["written"]) == ("2026-11-16T07:00:00Z", 2, True)
    assert again["written"] is False


def test_stream_and_sweep() -> None:
    """The stream's record points at an alert, which is published once: the sweeper finds nothing left of it."""
    (record,) = event("stream.json")["Records"]
    assert record["dynamodb"]["NewImage"]["site"] == record["dynamodb"]["Keys"]["site"]
    with EmbeddedAws() as fresh:
        notify = Pump(fresh)
        assert notify.invoke("notify", ready(fresh, "stream.json", event("stream.json"))) == {"batchItemFailures": []}
        assert notify.invoke("notify", event("sweep.json"))["published"] == 0
        (mail,) = fresh.mails()
    assert mail.subject == record["dynamodb"]["NewImage"]["subject"]["S"]


@pytest.mark.usefixtures("declared")
def test_dashboard(pump: Pump, aws: EmbeddedAws) -> None:
    """The widget describes itself, shows what the queue's messages found failing, and does what is clicked."""
    pump.invoke("check", event("queue.json"))
    assert "Check now" in pump.invoke("dashboard", event("dashboard-describe.json"))["markdown"]
    assert "padlock widget light" in pump.invoke("dashboard", event("dashboard.json"))
    assert "dns.unresolvable" in pump.invoke("dashboard", event("dashboard-show.json"))
    assert "under way" in pump.invoke("dashboard", event("dashboard-check.json"))
    assert "Acknowledged dns.unresolvable" in pump.invoke("dashboard", event("dashboard-acknowledge.json"))
    item = Sites(aws.client("dynamodb"), aws.physical["SitesTable"]).get("example.com")
    assert item
    assert [entry["code"] for entry in item["acknowledge"]] == ["dns.unresolvable"]


def test_audit(pump: Pump, aws: EmbeddedAws) -> None:
    """A site's machine is sent the document, as are all, and the end of its command is followed up."""
    assert pump.invoke("audit_host", event("audit-all.json")) == {"commands": {}, "refused": {}}
    answer = pump.invoke("audit_host", ready(aws, "audit-site.json", event("audit-site.json")))
    assert list(answer["commands"].values()) == [["i-0123456789abcdef0"]]
    fetched = pump.invoke("audit_host", ready(aws, "audit-ended.json", event("audit-ended.json")))
    assert (fetched["instance"], fetched["stored"]) == ("i-0123456789abcdef0", True)
    assert "no document of the collector" in fetched["fault"], "moto's machines run nothing"
