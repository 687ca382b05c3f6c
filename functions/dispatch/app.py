"""Dispatch: a tick of the schedule → one queue message per site that is due."""

import os
import warnings
from datetime import UTC, datetime
from typing import Any

import msgspec
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from padlock import schedule, storage

logger = Logger()
metrics = Metrics()
# An event that counts nothing is no fault, and the warning would stand in the log as plain text.
warnings.filterwarnings("ignore", "No application metrics to publish")
dynamodb = storage.client()
sites = storage.Sites(dynamodb, os.environ["SITES_TABLE"])
results = storage.Results(dynamodb, os.environ["RESULTS_TABLE"])
parameter = os.environ.get("SITES", "")
queue = schedule.Queue(schedule.client(), os.environ["QUEUE_URL"])


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:  # noqa: ARG001 — Lambda's signature
    """Send the due sites of a tick; fails where the queue did not take all of them, so that the tick comes again."""
    at = schedule.read_tick(event, datetime.now(UTC))
    done = schedule.dispatch(results, sites, parameter, queue, at)
    metrics.add_metric("SitesDispatched", MetricUnit.Count, done.sent)
    logger.info("dispatched", extra=msgspec.to_builtins(done))
    if done.failed:
        raise RuntimeError(f"the queue refused {done.failed} of {done.due} sites of the tick {done.slot}")
    return msgspec.to_builtins(done)  # type: ignore[no-any-return]  # a Struct becomes a dict
