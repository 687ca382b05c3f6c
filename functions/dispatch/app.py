"""Dispatch: a tick of the schedule → one queue message per site that is due.

Beside that the sites that are gone, from the Sites table's stream, and the weekly digest of the fleet.
"""

from padlock import init

# isort: split

import logging
import os
import time
import warnings
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.logging import utils
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from padlock import logs, running, schedule, storage, weekly
from padlock.message import Further
from padlock.storage.fleet import Fleet
from padlock.storage.ticks import Ticks

logger = Logger(json_serializer=logs.line)
metrics = Metrics()
# An event that counts nothing is no fault, and the warning would stand in the log as plain text.
warnings.filterwarnings("ignore", "No application metrics to publish")
utils.copy_config_to_registered_loggers(logger, include={logging.getLogger("padlock").name})
dynamodb = storage.client()
sites = storage.Sites(dynamodb, os.environ["SITES_TABLE"])
results = storage.Results(dynamodb, os.environ["RESULTS_TABLE"])
slots = storage.Slots(dynamodb, os.environ["RESULTS_TABLE"])
ticks = Ticks(dynamodb, os.environ["RESULTS_TABLE"])
fleet = Fleet(dynamodb, os.environ["RESULTS_TABLE"])
parameter = os.environ.get("SITES", "")
queue = schedule.Queue(schedule.client(), os.environ["QUEUE_URL"])
retention_seconds = int(os.environ.get("RETENTION_DAYS", "90")) * 86400
further = Further(
    table=os.environ["RESULTS_TABLE"],
    function=os.environ.get("CHECK_FUNCTION", ""),
    sites_table=os.environ["SITES_TABLE"],
    dashboard=os.environ.get("DASHBOARD_URL", ""),
    place=os.environ.get("AWS_REGION", ""),
)


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Work on a tick `{"scheduled_at": time}`, on records of the Sites table's stream, or on `{"digest": time}`."""
    if "Records" in event:
        failed = schedule.remove(event["Records"], sites, parameter, queue)
        return {"batchItemFailures": [{"itemIdentifier": number} for number in failed]}
    if "digest" in event:
        return digest(event)
    return tick(event, lambda: context.get_remaining_time_in_millis() / 1000)


def tick(event: Mapping[str, Any], remaining: schedule.Remaining) -> dict[str, Any]:
    """Send the due sites of a tick; fails where some are left, so that the tick comes again and goes on."""
    now = datetime.now(UTC)
    at = schedule.read_time(event, "scheduled_at", now)
    done = schedule.dispatch(ticks, sites, parameter, queue, at, remaining)
    metrics.add_metric("SitesDispatched", MetricUnit.Count, done.sent)
    logger.info("dispatched", extra=msgspec.to_builtins(done))
    if done.failed:
        raise RuntimeError(f"the queue refused {done.failed} of {done.due} sites of the tick {done.slot}")
    if done.unfinished:
        raise RuntimeError(
            f"no time was left for all sites of the tick {done.slot}: {done.sent} were sent now, the next attempt "
            "goes on; where this comes often, give the dispatch function more memory"
        )
    if before := schedule.previous(ticks, at):
        running.judge_checker(results, slots, before, now, further, expires())
    return msgspec.to_builtins(done)  # type: ignore[no-any-return]  # a Struct becomes a dict


def digest(event: Mapping[str, Any]) -> dict[str, Any]:
    """Write the digest of the fleet, unless there is nothing to tell."""
    at = schedule.read_time(event, "digest", datetime.now(UTC))
    last = ticks.last()
    found = weekly.digest_of(fleet, at, last.sites if last else None)
    written = weekly.announce(results, found, further, expires())
    answer = {
        "digest": storage.stamp(at),
        "written": written,
        "warnings": found.warnings_total,
        "failing": found.failing_total,
        "certificates": found.certificates_total,
    }
    logger.info("digest", extra=answer)
    return answer


def expires() -> int:
    """Return when a row of the history goes, in epoch seconds."""
    return int(time.time()) + retention_seconds


init.done()
