"""Notify: an alert record in the table's stream, or the sweeper's tick → published alerts."""

from padlock import init

# isort: split

import logging
import os
import time
import warnings
from datetime import UTC, datetime
from typing import Any

import msgspec
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.logging import utils
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from padlock import heartbeat, logs, notify, storage
from padlock.network import vantage

SPARE_SECONDS = 5
"""Of the function's time, for what follows the last publish."""

logger = Logger(json_serializer=logs.line)
metrics = Metrics()
# An event that counts nothing is no fault, and the warning would stand in the log as plain text.
warnings.filterwarnings("ignore", "No application metrics to publish")
library = logging.getLogger("padlock")
utils.copy_config_to_registered_loggers(logger, include={library.name})
dynamodb, sns = storage.client(), notify.client()
slots = storage.Slots(dynamodb, os.environ["RESULTS_TABLE"])
topics = notify.Topics(os.environ["TOPIC_ARN"], os.environ.get("CHAT_TOPIC_ARN", ""))
outbox = storage.Outbox(dynamodb, os.environ["RESULTS_TABLE"])
notifier = notify.Notifier(outbox, sns, notify.events(), topics)
environment = dict(os.environ)


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: Any, context: LambdaContext) -> Any:
    """Publish what the stream's records or the sweeper point at."""
    if isinstance(event, dict) and "Records" in event:
        end = time.monotonic() + context.get_remaining_time_in_millis() / 1000 - SPARE_SECONDS
        failed = [record for record in event["Records"] if not is_delivered(record, end)]
        return {"batchItemFailures": [{"itemIdentifier": each["dynamodb"]["SequenceNumber"]} for each in failed]}
    if event == {"sweep": True}:
        return sweep()
    raise ValueError('the event is neither a batch of the table\'s stream nor {"sweep": true}')


def is_delivered(record: dict[str, Any], end: float) -> bool:
    """Publish the alerts of the site that a record is about; return False where the record has to come again."""
    try:
        deliver(record["dynamodb"].get("Keys") or {}, end)
    except Exception:  # noqa: BLE001 — no record keeps the others of its batch
        library.warning("record %s failed and comes again", record["dynamodb"]["SequenceNumber"], exc_info=True)
        return False
    return True


def deliver(keys: dict[str, Any], end: float) -> None:
    """Publish the alerts of the site with these keys; nothing is begun after the end, on time.monotonic()'s clock."""
    if "site" not in keys:
        raise ValueError("the stream's record has no key site")
    try:
        published = notifier.deliver(keys["site"]["S"], end=end)
    except (notify.Held, notify.Late):
        raise
    except Exception:
        metrics.add_metric("AlertsFailed", MetricUnit.Count, 1)
        raise
    metrics.add_metric("AlertsPublished", MetricUnit.Count, published)


def sweep() -> dict[str, Any]:
    """Publish every alert that waits; fails where one cannot be published, so that the alarm on errors rings."""
    swept = notifier.sweep()
    metrics.add_metric("AlertsPublished", MetricUnit.Count, swept.published)
    metrics.add_metric("AlertsFailed", MetricUnit.Count, len(swept.failed))
    metrics.add_metric("OldestPendingAlert", MetricUnit.Seconds, swept.oldest_seconds)
    unconfirmed = notify.unconfirmed(sns, topics)
    if unconfirmed is not None:
        metrics.add_metric("UnconfirmedSubscriptions", MetricUnit.Count, unconfirmed)
    if environment.get("HEARTBEAT_URL", "").strip():
        metrics.add_metric("HeartbeatsFailed", MetricUnit.Count, 0 if is_beating(swept) else 1)
    if swept.failed:
        raise RuntimeError(f"alerts of {len(swept.failed)} sites stay pending: {'; '.join(swept.failed[:5])}")
    return msgspec.to_builtins(swept)  # type: ignore[no-any-return]  # a Struct becomes a dict


def is_beating(swept: notify.Sweep) -> bool:
    """Send the heartbeat where the pipeline lives; return False where it should have arrived and did not."""
    try:
        within = float(environment.get("QUIET_HOURS") or 1) * 3600
        last = slots.last_run()
        why = heartbeat.withheld(datetime.now(UTC), last, within, swept.oldest_seconds, len(swept.failed))
        if why:
            logger.warning("no heartbeat is sent: %s", why)
            return True
        heartbeat.send(environment["HEARTBEAT_URL"].strip(), vantage.from_environment(environment))
    except Exception as error:  # noqa: BLE001 — alerts must not depend on it
        # Another text than that of Missed may have the URL, which is a secret.
        why = str(error) if isinstance(error, heartbeat.Missed) else type(error).__name__
        logger.warning("the heartbeat failed: %s", why)
        return False
    return True


init.done()
