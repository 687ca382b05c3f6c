"""The way from the schedule to the mailbox: real handlers, real probes of a real site, the template's own tables."""

import json
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

import pytest
from padlock.storage import Results, Sites

from local.aws import EmbeddedAws
from local.pump import Pump
from tests.loopback_site import LoopbackSite

NOW = datetime.now(UTC).replace(microsecond=0)
MINUTES_5 = timedelta(minutes=5)
NAME = "shop.example"


def runs(results: Results, site: str = NAME) -> list[dict[str, Any]]:
    """Return a site's history, newest first."""
    return list(results.history(site))


@pytest.fixture(autouse=True)
def declared(sites: Sites, shop: LoopbackSite) -> None:
    """Declare the loopback site."""
    sites.put(shop.declaration)


def test_healthy_site_is_stored_and_silent(pump: Pump, aws: EmbeddedAws, results: Results) -> None:
    """A tick checks a healthy site, stores its state, report, certificate and history, and tells only machines."""
    assert pump.tick(NOW) == {"slot": f"{NOW:%Y-%m-%dT%H:%M:%SZ}", "sites": 1, "due": 1, "sent": 1, "failed": 0}
    assert pump.drain() == 1
    assert pump.stream() == 1
    state = results.state(NAME)
    assert state is not None
    assert (state["status"], state["report"]["status"], state["version"]) == ("notice", "notice", 1)
    assert state["certificate_host"] == NAME
    assert [row["sk"] for row in runs(results)] == [f"RUN#{NOW:%Y-%m-%dT%H:%M:%SZ}"]
    assert (aws.mails(), aws.chats()) == ([], [])
    (event,) = aws.events()
    assert (event["source"], event["detail-type"]) == ("padlock", "Padlock Site Status Changed")
    assert (event["detail"]["site"], event["detail"]["from"], event["detail"]["to"]) == (NAME, "unknown", "notice")


def test_break_and_repair_alert_once_each(pump: Pump, aws: EmbeddedAws, shop: LoopbackSite, results: Results) -> None:
    """A site that breaks makes one mail, stays silent while broken, and makes one more when it is well again."""
    pump.run(NOW)
    shop.status = HTTPStatus.BAD_GATEWAY
    pump.run(NOW + MINUTES_5)
    pump.run(NOW + 2 * MINUTES_5)
    assert [site["site"] for site in results.failing()] == [NAME]
    shop.status = HTTPStatus.OK
    pump.run(NOW + 3 * MINUTES_5)
    broken, well = aws.mails()
    assert broken.subject.startswith(f"[Padlock] {NAME}: ")
    assert "app.bad_gateway" in broken.text
    assert "answered 502" in broken.text
    assert broken.attributes == {"status": "error", "site": NAME, "severity": "error", "kind": "changed"}
    assert broken.data["opened"][0]["code"] == "app.bad_gateway"
    assert ": resolved after " in well.subject
    assert (well.attributes["status"], well.data["seq"]) == ("notice", 3)
    assert [event["detail"]["seq"] for event in aws.events()] == [1, 2, 3]
    assert len(aws.chats()) == 2
    assert list(results.failing()) == []


def test_same_tick_twice_is_one_run_and_one_alert(
    pump: Pump, aws: EmbeddedAws, shop: LoopbackSite, results: Results
) -> None:
    """A tick that comes twice, and a message that is delivered twice, change nothing."""
    shop.status = HTTPStatus.BAD_GATEWAY
    pump.tick(NOW)
    pump.tick(NOW)
    assert pump.drain() == 1, "a tick that was dispatched in full has nothing left to send"
    body = json.dumps({"site": shop.declaration, "slot": f"{NOW:%Y-%m-%dT%H:%M:%SZ}"})
    aws.client("sqs").send_message(QueueUrl=aws.physical["CheckQueue"], MessageBody=body)
    assert pump.drain() == 1
    pump.stream()
    pump.stream()
    assert len(runs(results)) == 1
    assert len(aws.mails()) == 1


def test_wrong_entry_is_told_and_stops_nobody(
    pump: Pump, aws: EmbeddedAws, sites: Sites, results: Results, shop: LoopbackSite
) -> None:
    """A wrong declaration becomes a finding and an alert under its own name; the others are checked."""
    sites.put({"name": "typo.example", "helth": "/health"})
    sites.put({"name": "not a host\u202e"})
    pump.run(NOW)
    assert results.state(NAME)["status"] == "notice"  # type: ignore[index]
    typo = results.state("typo.example")
    assert typo is not None
    assert typo["findings"][0]["code"] == "site.invalid"
    assert "did you mean 'health'?" in typo["findings"][0]["observed"]
    assert {mail.attributes["site"] for mail in aws.mails()} == {"typo.example", r"not a host\u202e"}
    sites.put({**shop.declaration, "name": "typo.example", "hosts": [NAME]})
    pump.run(NOW + MINUTES_5)
    assert "resolved after" in aws.mails()[-1].subject
    assert "wrong declaration" in aws.mails()[-1].text


def test_wrong_declaration_resolves_nothing(
    pump: Pump, aws: EmbeddedAws, sites: Sites, results: Results, shop: LoopbackSite
) -> None:
    """While a declaration is wrong, what was open of the site stays open."""
    shop.status = HTTPStatus.BAD_GATEWAY
    pump.run(NOW)
    sites.put({**shop.declaration, "helth": "/"})
    pump.run(NOW + MINUTES_5)
    state = results.state(NAME)
    assert state is not None
    assert {"site.invalid", "app.bad_gateway"} <= {finding["code"] for finding in state["findings"]}
    assert aws.mails()[-1].subject == f"[Padlock] {NAME}: wrong declaration, 1 still open"


def test_malformed_message_is_one_line_of_the_log(
    pump: Pump, aws: EmbeddedAws, caplog: pytest.LogCaptureFixture
) -> None:
    """A message that cannot be understood is told with its id and the reason, and without a traceback."""
    sent = aws.client("sqs").send_message(QueueUrl=aws.physical["CheckQueue"], MessageBody='{"site": 5}')
    pump.drain()
    told = [entry for entry in caplog.records if entry.name == "padlock"]
    assert {entry.getMessage() for entry in told} == {
        f"message {sent['MessageId']} cannot be understood: the queue message lacks the keys site and slot: "
        '{"site": 5}'
    }
    assert {(entry.levelname, entry.exc_info) for entry in told} == {("ERROR", None)}


def test_malformed_message_ends_in_the_dead_letter_queue(pump: Pump, aws: EmbeddedAws, results: Results) -> None:
    """A message that cannot be understood is tried, set aside, and keeps no other message of its batch."""
    send = aws.client("sqs").send_message
    for body in ("no json", "[]", '{"site": 5, "slot": "x"}', f'{{"site": "{NAME}", "slot": "yesterday"}}'):
        send(QueueUrl=aws.physical["CheckQueue"], MessageBody=body)
    pump.tick(NOW)
    pump.drain()
    assert len(runs(results)) == 1
    assert sorted(pump.dead_letters()) == sorted(
        ["no json", "[]", '{"site": 5, "slot": "x"}', f'{{"site": "{NAME}", "slot": "yesterday"}}']
    )


def test_parameter_and_table_name_the_same_site_once(aws: EmbeddedAws, shop: LoopbackSite, results: Results) -> None:
    """The table's declaration wins over the bare name of the Sites parameter."""
    pump = Pump(
        aws, {"SITES": f" {NAME} ,nowhere.example", "RESOLVERS": shop.resolver, "ALLOWED_NETWORKS": "127.0.0.0/8"}
    )
    assert pump.tick(NOW)["due"] == 2
    pump.drain()
    assert results.state(NAME)["status"] == "notice"  # type: ignore[index]
    nowhere = results.state("nowhere.example")
    assert nowhere is not None
    assert nowhere["findings"][0]["code"] == "dns.unresolvable"


def test_history_rows_expire(pump: Pump, results: Results) -> None:
    """A run's row goes after the days that the stack keeps; the state stays."""
    pump.run(NOW)
    days = (runs(results)[0]["ttl"] - datetime.now(UTC).timestamp()) / 86400
    assert 89.9 < days < 90.1
    assert "ttl" not in (results.state(NAME) or {})
