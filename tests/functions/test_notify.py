"""Publishing: at least once, in order, with the same body and id, whatever fails on the way."""

import json
import time
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import msgspec
import pytest
from botocore.exceptions import ClientError
from padlock.notify import Held, Notifier, Undelivered
from padlock.storage import Outbox, Results

from local.aws import EmbeddedAws
from local.pump import Pump
from tests.loopback_site import LoopbackSite
from tests.reports import finding, report
from tests.runs import run_of, stored

SITE = "example.com"
EXPIRED, CLOSED = finding("certificate.expired"), finding("port.https_closed")


@pytest.fixture
def notifier(aws: EmbeddedAws, outbox: Outbox) -> Notifier:
    """Return what publishes to the template's topic."""
    return Notifier(outbox, aws.client("sns"), aws.physical["AlertTopic"])


@pytest.fixture
def two_alerts(results: Results) -> None:
    """Store two runs that alert."""
    stored(results, report(EXPIRED))
    stored(results, report(EXPIRED, CLOSED))


class Broken:
    """An SNS client whose next publishes fail: before they are sent, or after, when nobody learns that they were."""

    def __init__(self, sns: Any, *failures: str) -> None:
        self._sns = sns
        self._failures: Iterator[str] = iter(failures)

    def publish(self, **arguments: Any) -> Any:
        """Publish, unless it is this call's turn to fail with the code."""
        failure = next(self._failures, "")
        if failure == "lost answer":
            self._sns.publish(**arguments)
        if failure:
            raise ClientError({"Error": {"Code": failure, "Message": "as the test wants"}}, "Publish")
        return self._sns.publish(**arguments)


def pending(outbox: Outbox) -> list[str]:
    """Return the keys of the alerts that wait."""
    return [row["sk"] for row in outbox.pending()]


@pytest.mark.usefixtures("two_alerts")
def test_publishes_in_order_and_once(aws: EmbeddedAws, notifier: Notifier, outbox: Outbox) -> None:
    """All that waits goes out in order; another wake-up finds nothing to do."""
    assert notifier.deliver(SITE) == 2
    assert notifier.deliver(SITE) == 0
    assert [mail.data["seq"] for mail in aws.mails()] == [1, 2]
    assert pending(outbox) == []


@pytest.mark.usefixtures("two_alerts")
def test_what_is_published_is_what_is_stored(aws: EmbeddedAws, notifier: Notifier, outbox: Outbox) -> None:
    """Subject, text and JSON of the mail are the record's, to the letter."""
    lease = outbox.lease(SITE, "look", 0, 1)
    assert lease is not None
    record = outbox.next(lease)
    assert record is not None
    notifier.deliver(SITE)
    mail = aws.mails()[0]
    assert (mail.subject, mail.text) == (record["subject"], record["body"])
    assert mail.data == json.loads(record["data"])
    assert mail.data["alert_id"] == record["alert_id"]


def test_labels_route_an_alert(aws: EmbeddedAws, notifier: Notifier, results: Results) -> None:
    """A site's labels go into the record, its JSON, and an attribute that a filter policy can match."""
    labelled = msgspec.structs.replace(report(EXPIRED), labels={"team": "shop", "env": "prod"})
    stored(results, labelled)
    notifier.deliver(SITE)
    (mail,) = aws.mails()
    assert mail.data["labels"] == {"team": "shop", "env": "prod"}
    assert json.loads(mail.attributes["labels"]) == ["env=prod", "team=shop"]
    state = results.state(SITE)
    assert state is not None
    assert state["report"]["labels"] == {"team": "shop", "env": "prod"}


@pytest.mark.usefixtures("two_alerts")
def test_failed_publish_stays_pending_until_the_sweeper(aws: EmbeddedAws, notifier: Notifier, outbox: Outbox) -> None:
    """What SNS did not take waits with all that comes after it; the sweeper sends it, in order."""
    broken = Notifier(outbox, Broken(aws.client("sns"), "InternalError"), aws.physical["AlertTopic"])  # type: ignore[arg-type]
    with pytest.raises(Undelivered, match="stays pending"):
        broken.deliver(SITE)
    assert len(pending(outbox)) == 2
    swept = notifier.sweep()
    assert (swept.published, swept.failed) == (2, ())
    assert [mail.data["seq"] for mail in aws.mails()] == [1, 2]
    assert pending(outbox) == []


def test_unknown_outcome_repeats_with_the_same_id(
    aws: EmbeddedAws, notifier: Notifier, outbox: Outbox, results: Results
) -> None:
    """A publish whose answer was lost comes again, with the same id and the same words."""
    stored(results, report(EXPIRED))
    broken = Notifier(outbox, Broken(aws.client("sns"), "lost answer"), aws.physical["AlertTopic"])  # type: ignore[arg-type]
    with pytest.raises(Undelivered):
        broken.deliver(SITE)
    notifier.sweep()
    first, second = aws.mails()
    assert first == second


@pytest.mark.usefixtures("two_alerts")
def test_refused_body_goes_out_in_plain_form(aws: EmbeddedAws, outbox: Outbox) -> None:
    """A message that SNS refuses for good is replaced by a short ASCII one with its id, and blocks nothing."""
    broken = Notifier(outbox, Broken(aws.client("sns"), "InvalidParameter"), aws.physical["AlertTopic"])  # type: ignore[arg-type]
    assert broken.deliver(SITE) == 2
    plain, whole = aws.mails()
    assert plain.text.isascii()
    assert "could not be sent" in plain.text
    assert plain.attributes == {"status": "error", "severity": "error"}
    assert whole.data["seq"] == 2
    assert pending(outbox) == []


def test_refused_twice_stays_pending_and_is_said(aws: EmbeddedAws, outbox: Outbox, results: Results) -> None:
    """Where even the plain form is refused, the alert waits and the sweep reports it."""
    stored(results, report(EXPIRED))
    refusing = Broken(aws.client("sns"), "InvalidParameter", "InvalidParameter")
    swept = Notifier(outbox, refusing, aws.physical["AlertTopic"]).sweep()  # type: ignore[arg-type]
    assert swept.published == 0
    assert "stays pending" in swept.failed[0]
    assert pending(outbox) == ["ALERT#0000000001"]


@pytest.mark.usefixtures("two_alerts")
def test_held_lease_is_never_acknowledged(aws: EmbeddedAws, notifier: Notifier, outbox: Outbox) -> None:
    """While another publishes, a wake-up fails so that it comes again; an expired lease is taken over."""
    now = time.time()
    assert outbox.lease(SITE, "another", now, now + 60)
    with pytest.raises(Held):
        notifier.deliver(SITE)
    assert notifier.sweep().failed == ()
    assert aws.mails() == []
    assert outbox.lease(SITE, "third", now + 61, now + 62)
    assert outbox.lease("example.org", "fourth", now, now + 60), "leases are per site"


@pytest.mark.usefixtures("two_alerts")
def test_lost_lease_moves_no_cursor(outbox: Outbox) -> None:
    """Whoever lost the lease cannot mark, so that the cursor is moved by one only."""
    slow = outbox.lease(SITE, "slow", 0, 10)
    assert slow is not None
    quick = outbox.lease(SITE, "quick", 11, 99)
    assert quick is not None
    at = report().checked_at
    assert outbox.mark(slow, 1, at, 99) is None
    marked = outbox.mark(quick, 1, at, 99)
    assert marked is not None
    assert outbox.mark(quick, 1, at, 99) is None, "a stale cursor marks nothing"
    assert pending(outbox) == ["ALERT#0000000002"]


@pytest.mark.usefixtures("two_alerts")
def test_crash_between_cursor_and_list_is_cleared(aws: EmbeddedAws, notifier: Notifier, outbox: Outbox) -> None:
    """An alert behind the cursor that is still listed as waiting was published: it is unlisted, not sent again."""
    notifier.deliver(SITE)
    aws.client("dynamodb").update_item(
        TableName=aws.physical["ResultsTable"],
        Key={"site": {"S": SITE}, "sk": {"S": "ALERT#0000000001"}},
        UpdateExpression="SET pending = :p",
        ExpressionAttributeValues={":p": {"S": "alert"}},
    )
    assert notifier.sweep().published == 0
    assert pending(outbox) == []
    assert len(aws.mails()) == 2


def test_sequence_goes_on_where_the_state_was_removed(aws: EmbeddedAws, notifier: Notifier, results: Results) -> None:
    """A site that was removed and added again goes on numbering, and its alerts still go out."""
    stored(results, report(EXPIRED))
    notifier.deliver(SITE)
    aws.client("dynamodb").delete_item(
        TableName=aws.physical["ResultsTable"], Key={"site": {"S": SITE}, "sk": {"S": "STATE"}}
    )
    assert stored(results, report(CLOSED)) == "applied"
    notifier.deliver(SITE)
    assert [mail.data["seq"] for mail in aws.mails()] == [1, 2]


def test_missing_record_does_not_block_the_outbox(aws: EmbeddedAws, notifier: Notifier, results: Results) -> None:
    """A record that somebody removed by hand is passed over."""
    stored(results, report(EXPIRED))
    stored(results, report(EXPIRED, CLOSED))
    aws.client("dynamodb").delete_item(
        TableName=aws.physical["ResultsTable"], Key={"site": {"S": SITE}, "sk": {"S": "ALERT#0000000001"}}
    )
    assert notifier.deliver(SITE) == 1
    assert [mail.data["seq"] for mail in aws.mails()] == [2]


def test_handler_reports_held_records_and_the_retry_sends(pump: Pump, aws: EmbeddedAws, outbox: Outbox) -> None:
    """A stream record that meets a held lease is reported as failed, not lost; the sweeper sends its alert."""
    stored(Results(aws.client("dynamodb"), aws.physical["ResultsTable"]), report(EXPIRED))
    now = time.time()
    lease = outbox.lease(SITE, "another", now, now + 600)
    assert lease is not None
    assert pump.stream() == 1
    assert len(pump.dead_letters("NotifyDeadLetterQueue")) == 1
    outbox.release(lease)
    assert pump.sweep()["published"] == 1
    assert len(aws.mails()) == 1


def test_sweep_fails_loudly(aws: EmbeddedAws, results: Results) -> None:
    """A sweep that leaves an alert pending raises, so that the alarm on the function's errors rings."""
    stored(results, report(EXPIRED))
    pump = Pump(aws, {"TOPIC_ARN": f"{aws.physical['AlertTopic']}-gone"})
    with pytest.raises(RuntimeError, match="1 sites stay pending"):
        pump.sweep()


def test_unknown_event_is_refused(pump: Pump) -> None:
    """An event of another shape says what is expected."""
    with pytest.raises(ValueError, match="sweep"):
        pump.invoke("notify", {"sweeep": True})


def test_stream_lets_only_new_alerts_through(
    pump: Pump, aws: EmbeddedAws, shop: LoopbackSite, results: Results
) -> None:
    """The template's filter passes alert records when they are written, and nothing else of the table."""
    shop.status = HTTPStatus.BAD_GATEWAY
    assert run_of(report()).ticket == 0
    stored(results, report(EXPIRED))
    assert pump.stream() == 1
    assert len(aws.mails()) == 1
    assert pump.stream() == 0
