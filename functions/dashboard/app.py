"""Dashboard: what CloudWatch asks of a custom widget → HTML of all sites or of one, and what a click has done."""

from padlock import init

# isort: split

import logging
import os
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.logging import utils
from aws_lambda_powertools.utilities.typing import LambdaContext
from padlock import dashboard, logs, schedule, storage
from padlock.dashboard.view import Tables
from padlock.storage.edits import Edits
from padlock.storage.fleet import Fleet
from padlock.storage.glance import Glance
from padlock.storage.ticks import Ticks

logger = Logger(json_serializer=logs.line)
utils.copy_config_to_registered_loggers(logger, include={logging.getLogger("padlock").name})
dynamodb = storage.client()
results = os.environ["RESULTS_TABLE"]
tables = Tables(
    storage.Sites(dynamodb, os.environ["SITES_TABLE"]),
    storage.Results(dynamodb, results),
    Fleet(dynamodb, results),
    Ticks(dynamodb, results),
    Glance(dynamodb, results),
    os.environ.get("SITES", ""),
)
queue = schedule.Queue(schedule.client(), os.environ["QUEUE_URL"])
board = dashboard.Board(tables, Edits(dynamodb, os.environ["SITES_TABLE"]), queue)


@logger.inject_lambda_context
def handler(event: Any, context: LambdaContext) -> Any:
    """Answer with HTML, or with `{"markdown": …}` where the widget is described."""
    now = datetime.now(UTC).replace(microsecond=0)
    asked = event if isinstance(event, dict) else {}
    if asked.get("action") in ("check", "acknowledge"):
        logger.info(
            "clicked", extra={name: asked.get(name) for name in ("action", "site", "code", "subject", "hours")}
        )
    return board.answer(event, context.invoked_function_arn, now)


init.done()
