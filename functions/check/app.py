"""Check: queue messages, or an event from the console → looks at sites → stored results."""

import asyncio
import logging
import os
import time
import warnings
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.logging import utils
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.batch import AsyncBatchProcessor, EventType, async_process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext
from padlock import checking, on_demand, storage
from padlock.network import vantage

logger = Logger()
metrics = Metrics()
# An event that counts nothing is no fault, and the warning would stand in the log as plain text.
warnings.filterwarnings("ignore", "No application metrics to publish")
library = logging.getLogger("padlock")
utils.copy_config_to_registered_loggers(logger, include={library.name})
# The processor would log a traceback of what `run` has told in one line.
library.addFilter(lambda entry: not (entry.exc_info and isinstance(entry.exc_info[1], checking.InvalidMessage)))
processor = AsyncBatchProcessor(EventType.SQS, raise_on_entire_batch_failure=False, logger=library)
dynamodb = storage.client()
sites = storage.Sites(dynamodb, os.environ["SITES_TABLE"])
results = storage.Results(dynamodb, os.environ["RESULTS_TABLE"])
cache = storage.Cache(dynamodb, os.environ["RESULTS_TABLE"])
hosts = storage.Hosts(dynamodb, os.environ["RESULTS_TABLE"])
here = vantage.from_environment(os.environ)
retention_seconds = int(os.environ.get("RETENTION_DAYS", "90")) * 86400


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: Any, context: LambdaContext) -> Any:
    """Work on a batch of the queue and name what failed of it, or answer with the reports that are asked for."""
    if isinstance(event, dict) and "Records" in event:
        return async_process_partial_response(event, run, processor, context)
    return asyncio.run(on_demand.answer(event, sites, results, here, expires(), cache, hosts))


async def run(record: SQSRecord) -> None:
    """Check the site of one message."""
    try:
        task = checking.read_task(record.body)
    except checking.InvalidMessage as error:
        # The one line that tells it; the queue sets the message aside after its last attempt.
        library.error("message %s cannot be understood: %s", record.message_id, error)
        raise
    ran = await checking.run_task(task, results, here, datetime.now(UTC), expires(), cache, hosts)
    if ran.status is not None:
        metrics.add_metric("RunsCompleted", MetricUnit.Count, 1)
        metrics.add_metric("RunsFailing", MetricUnit.Count, int(ran.status == "error"))
        metrics.add_metric("RunsInconclusive", MetricUnit.Count, int(ran.status == "inconclusive"))


def expires() -> int:
    """Return when a run's row goes, in epoch seconds."""
    return int(time.time()) + retention_seconds
