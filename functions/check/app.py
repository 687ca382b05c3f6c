"""Check: queue messages, or an event from the console → looks at sites → stored results."""

from padlock import init

# isort: split

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
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import BotoCoreError, ClientError
from padlock import checking, logs, on_demand, outage, running, storage
from padlock.message import Further
from padlock.network import vantage
from padlock.site import key_of

SUSPECT = 3
"""Receives of a message from which on it is worked on alone, after the others: it may be what ended the function."""
LONGEST_LOOK = vantage.Vantage().deadline + checking.GRACE + 10
"""Seconds without which no message is begun alone: it comes again."""


class Poisoned(Exception):
    """A message that comes for the last time: its runs before ended without a word."""


logger = Logger(json_serializer=logs.line)
metrics = Metrics()
# An event that counts nothing is no fault, and the warning would stand in the log as plain text.
warnings.filterwarnings("ignore", "No application metrics to publish")
library = logging.getLogger("padlock")
utils.copy_config_to_registered_loggers(logger, include={library.name})
dynamodb = storage.client()
sites = storage.Sites(dynamodb, os.environ["SITES_TABLE"])
results = storage.Results(dynamodb, os.environ["RESULTS_TABLE"])
cache = storage.Cache(dynamodb, os.environ["RESULTS_TABLE"])
hosts = storage.Hosts(dynamodb, os.environ["RESULTS_TABLE"])
slots = storage.Slots(dynamodb, os.environ["RESULTS_TABLE"])
watch = outage.Watch(slots)
here = vantage.from_environment(os.environ)
retention_seconds = int(os.environ.get("RETENTION_DAYS", "90")) * 86400
max_receives = int(os.environ.get("MAX_RECEIVES", "5"))


async def look(task: checking.Task, now: datetime) -> checking.Checked:
    """Look at a site."""
    return await checking.check_task(task, here, now, cache, hosts)


def declared(name: str) -> bool:
    """Return whether a site is declared now, under this spelling in the table or in the stack's parameter."""
    return key_of(name) in bare or sites.get(name) is not None


bare = {key_of(name) for name in os.environ.get("SITES", "").split(",") if name.strip()}
further = Further(
    table=os.environ["RESULTS_TABLE"],
    function=os.environ.get("AWS_LAMBDA_FUNCTION_NAME", ""),
    sites_table=os.environ["SITES_TABLE"],
    dashboard=os.environ.get("DASHBOARD_URL", ""),
    place=os.environ.get("AWS_REGION", ""),
)
pause = float(os.environ.get("SECOND_LOOK_PAUSE", running.PAUSE))
runner = running.Runner(results, watch, look, further, retention_seconds, declared=declared, pause=pause)


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: Any, context: LambdaContext) -> Any:
    """Work on a batch of the queue and name what failed of it, or answer with the reports that are asked for."""
    if isinstance(event, dict) and "Records" in event:
        return work(event["Records"], context)
    return asyncio.run(on_demand.answer(event, sites, results, here, expires(), cache, hosts))


def work(records: list[dict[str, Any]], context: LambdaContext) -> dict[str, Any]:
    """Run a batch: all at the same time, but what has come often already alone and last, in an order that changes.

    Whatever ends the function then takes nothing of the batch with it.
    """
    until = time.monotonic() + context.get_remaining_time_in_millis() / 1000
    suspects = sorted((r for r in records if receives(r) >= SUSPECT), key=lambda record: str(record["messageId"]))
    if suspects and receives(suspects[0]) % 2:
        suspects.reverse()
    batches = [[record for record in records if receives(record) < SUSPECT], *([record] for record in suspects)]
    failed: list[str] = []
    saw = False
    for number, batch in enumerate(filter(None, batches)):
        late = number and until - time.monotonic() < LONGEST_LOOK
        ended = [None] * len(batch) if late else asyncio.run(run_all(batch, until))
        failed += [record["messageId"] for record, each in zip(batch, ended, strict=True) if each is None]
        saw = saw or any(ended)
    note(saw=saw)
    return {"batchItemFailures": [{"itemIdentifier": message} for message in failed]}


def note(*, saw: bool) -> None:
    """Keep what the batch has seen of the checker itself; its runs are stored, whatever becomes of this.

    `saw`: one of them came to a result. A checker that sees nothing completes its runs, and watches nothing.
    """
    try:
        watch.flush(int(time.time()) + running.SAMPLE_SECONDS)
        if saw:
            slots.ran(datetime.now(UTC))
    except (BotoCoreError, ClientError) as error:
        library.warning("what this batch has seen of the checker itself is lost: %s", error)


def receives(record: dict[str, Any]) -> int:
    """Return how often a message has been received, this time included."""
    return int(record.get("attributes", {}).get("ApproximateReceiveCount", 1))


async def run_all(records: list[dict[str, Any]], until: float) -> list[bool | None]:
    """Check the sites of messages at the same time, and return how each ended: see `attempt`."""
    return await asyncio.gather(*(attempt(record, until) for record in records))


async def attempt(record: dict[str, Any], until: float) -> bool | None:
    """Check the site of one message; return what `run_one` does, or None where the message has to come again."""
    try:
        return await run_one(record, until)
    except checking.InvalidMessage as error:
        # The queue sets the message aside after its last attempt.
        library.error("message %s cannot be understood: %s", record["messageId"], error)
    except Poisoned as error:
        library.error("%s; the message is set aside", error)
    except Exception:  # noqa: BLE001 — no message keeps the others of its batch
        library.warning("message %s failed and comes again", record["messageId"], exc_info=True)
    return None


async def run_one(record: dict[str, Any], until: float) -> bool:
    """Check the site of one message; return whether that came to a result by what was seen."""
    task = checking.read_task(record["body"])
    if receives(record) >= max_receives and not task.removed:
        await give_up(task)
    ran = await runner.run(task, until)
    if ran.status is not None:
        metrics.add_metric("RunsCompleted", MetricUnit.Count, 1)
        metrics.add_metric("RunsFailing", MetricUnit.Count, int(ran.status == "error"))
        metrics.add_metric("RunsInconclusive", MetricUnit.Count, int(ran.status == "inconclusive"))
        metrics.add_metric("RunsConclusive", MetricUnit.Count, int(ran.saw))
    return ran.saw


async def give_up(task: checking.Task) -> None:
    """Store that a site cannot be checked, unless it was meanwhile; its message goes to the dead-letter queue."""
    reason = f"its check has ended without a result {max_receives - 1} times"
    ran = await runner.abandon(task, reason)
    if ran.status is not None:
        metrics.add_metric("RunsPoisoned", MetricUnit.Count, 1)
        raise Poisoned(f"{task.name}: {reason}")


def expires() -> int:
    """Return when a run's row goes, in epoch seconds."""
    return int(time.time()) + retention_seconds


init.done()
