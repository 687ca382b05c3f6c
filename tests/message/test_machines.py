"""What programs read: the JSON of a message, the detail of an event, and each protocol's form."""

import json
import re
from datetime import timedelta

import msgspec
import pytest
from padlock.changes import Policy, Silence
from padlock.findings import Cause, Report
from padlock.message import compose, fallback, payload
from padlock.message.machines import MAX_EVENT

from tests.message.changes import (
    EXPIRED,
    FURTHER,
    HOSTILE,
    LATER,
    LOOP,
    NOW,
    change_of,
    finding,
    message_of,
    of_kind,
    report,
)


def test_data_is_for_machines() -> None:
    """The JSON has the alert's id, number, kind, statuses, and every finding with its fields."""
    policy = Policy(1, 1, silences=(Silence("redirect.loop", NOW + timedelta(days=9)),))
    data = json.loads(message_of(report(EXPIRED, LOOP), policy=policy).data)
    assert (data["alert_id"], data["seq"], data["site"], data["kind"]) == ("a1b2", 7, "example.com", "changed")
    assert (data["from"], data["to"], data["severity"]) == ("unknown", "error", "error")
    assert data["opened"][0]["code"] == "certificate.expired"
    assert data["opened"][0]["since"] == "2026-11-20T12:00:00Z"
    assert [each["code"] for each in data["acknowledged"]] == ["redirect.loop"]
    assert (data["counts"]["opened"], data["counts"]["acknowledged"]) == (1, 1)
    assert not {"told", "bad", "good"} & data["opened"][0].keys()


def test_the_event_has_both_statuses_and_what_changed() -> None:
    """Rules match by site, status, kind and labels; the summary is for people."""
    cause = Cause("cause.x", "likely", "Why.", "Fix.", ())
    second = msgspec.structs.replace(report(EXPIRED, at=LATER), causes=(cause,), labels={"team": "shop"})
    event = json.loads(message_of(report(LOOP), second).event)
    assert event == {
        "site": "example.com",
        "from": "error",
        "to": "error",
        "kind": "changed",
        "alert_id": "a1b2",
        "seq": 7,
        "checked_at": "2026-11-20T14:05:00Z",
        "summary": "certificate expired, 1 resolved",
        "labels": {"team": "shop"},
        "opened": ["certificate.expired example.com"],
        "resolved": ["redirect.loop www.example.com"],
        "causes": ["cause.x"],
    }


@pytest.mark.parametrize(
    ("reports", "summary"),
    [
        ([report(), report(finding("x.y", severity="warning"))], "status warning, was ok"),
        ([report()], "status ok"),
        ([report(), report(EXPIRED)], "status error, was ok (certificate expired)"),
    ],
)
def test_a_status_alone_is_an_event_alone(reports: list[Report], summary: str) -> None:
    """What nobody is told of has no subject, mail or chat message; in maintenance that may be an error."""
    window = Policy(1, 1, maintenance_until=LATER)
    message = compose(change_of(*reports, policy=window), "a", 1, FURTHER)
    assert (message.subject, message.body, message.data, message.chat) == ("", "", "", "")
    event = json.loads(message.event)
    assert (event["kind"], event["summary"]) == ("status", summary)


@pytest.mark.parametrize("text", ["x" * 5000, "\x00" * 5000, "😀" * 5000])
def test_the_event_fits(text: str) -> None:
    """However much there is to tell, the event stays far below EventBridge's limit, and is JSON."""
    judged = report(*(finding(f"x.y{n}", f"{n} {text}") for n in range(300)), site=text)
    labelled = msgspec.structs.replace(judged, labels={f"{n}{text}": text for n in range(60)})
    event = compose(change_of(labelled), "a", 1, FURTHER).event
    assert len(event.encode()) <= MAX_EVENT
    assert 5 <= len(json.loads(event)["opened"]) <= 50


def test_worse_and_better_count_as_opened_and_resolved() -> None:
    """For machines an error that was a warning is an error that opened."""
    mild = finding("certificate.expired", severity="warning")
    assert json.loads(message_of(report(mild), report(EXPIRED)).event)["opened"] == [EXPIRED.label]
    assert json.loads(message_of(report(EXPIRED), report(mild)).event)["resolved"] == [EXPIRED.label]


def test_a_removed_site_is_removed_for_machines_too() -> None:
    """The status says so."""
    over = of_kind("removed", change_of(report(EXPIRED), report()), after="removed")
    event = json.loads(compose(over, "a", 1, FURTHER).event)
    assert (event["from"], event["to"], event["kind"]) == ("error", "removed", "removed")


def test_payload_gives_each_protocol_its_form() -> None:
    """People get text, queues and functions JSON, and a phone the subject."""
    texts = json.loads(payload("s", "body\n", '{"a": 1}'))
    assert (texts["default"], texts["email"], texts["sms"]) == ("body\n", "body\n", "s")
    assert {texts[name] for name in ("sqs", "lambda", "http", "https", "email-json", "firehose")} == {'{"a": 1}'}


def test_fallback_is_plain_ascii() -> None:
    """What goes out where a message is refused has nothing that could be refused again."""
    assert re.fullmatch(r"[ -~\n]+", fallback(HOSTILE, "[Padlock] ü: x", "a1b2"))
