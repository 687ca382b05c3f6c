"""Notify: an alert record in the table's stream, or the sweeper's tick → published alerts."""

import logging
import os
import warnings
from typing import Any

import msgspec
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.logging import utils
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.dynamo_db_stream_event import DynamoDBRecord
from aws_lambda_powertools.utilities.typing import LambdaContext
from padlock import notify, storage

logger = Logger()
metrics = Metrics()
# An event that counts nothing is no fault, and the warning would stand in the log as plain text.
warnings.filterwarnings("ignore", "No application metrics to publish")
library = logging.getLogger("padlock")
utils.copy_config_to_registered_loggers(logger, include={library.name})
processor = BatchProcessor(EventType.DynamoDBStreams, raise_on_entire_batch_failure=False, logger=library)
outbox = storage.Outbox(storage.client(), os.environ["RESULTS_TABLE"])
notifier = notify.Notifier(outbox, notify.client(), os.environ["TOPIC_ARN"])


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: Any, context: LambdaContext) -> Any:
    """Publish what the stream's records or the sweeper point at."""
    if isinstance(event, dict) and "Records" in event:
        return process_partial_response(event, deliver, processor, context)
    if event == {"sweep": True}:
        return sweep()
    raise ValueError('the event is neither a batch of the table\'s stream nor {"sweep": true}')


def deliver(record: DynamoDBRecord) -> None:
    """Publish the alerts of the site that a record is about."""
    keys = record.dynamodb.keys if record.dynamodb else None
    if not keys or "site" not in keys:
        raise ValueError("the stream's record has no key site")
    metrics.add_metric("AlertsPublished", MetricUnit.Count, notifier.deliver(keys["site"]))


def sweep() -> dict[str, Any]:
    """Publish every alert that waits; fails where one cannot be published, so that the alarm on errors rings."""
    swept = notifier.sweep()
    metrics.add_metric("AlertsPublished", MetricUnit.Count, swept.published)
    metrics.add_metric("AlertsFailed", MetricUnit.Count, len(swept.failed))
    metrics.add_metric("OldestPendingAlert", MetricUnit.Seconds, swept.oldest_seconds)
    if swept.failed:
        raise RuntimeError(f"alerts of {len(swept.failed)} sites stay pending: {'; '.join(swept.failed[:5])}")
    return msgspec.to_builtins(swept)  # type: ignore[no-any-return]  # a Struct becomes a dict
