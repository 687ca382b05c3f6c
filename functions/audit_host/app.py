"""Audit host: a tick, or an event from the console → the collector is sent; the end of a command → host evidence."""

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
from padlock import audit, logs, storage

logger = Logger(json_serializer=logs.line)
metrics = Metrics()
# An event that counts nothing is no fault, and the warning would stand in the log as plain text.
warnings.filterwarnings("ignore", "No application metrics to publish")
utils.copy_config_to_registered_loggers(logger, include={logging.getLogger("padlock").name})
dynamodb = storage.client()
sites = storage.Sites(dynamodb, os.environ["SITES_TABLE"])
hosts = storage.Hosts(dynamodb, os.environ["RESULTS_TABLE"])
auditor = audit.Auditor(audit.ssm_client(), audit.ec2_client, hosts, os.environ["DOCUMENT"])
retention_seconds = int(os.environ.get("RETENTION_DAYS", "90")) * 86400


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: Any, context: LambdaContext) -> dict[str, Any]:  # noqa: ARG001 — Lambda's signature
    """Send the collector to machines, or keep what one of them answered."""
    now = datetime.now(UTC)
    expires = int(time.time()) + retention_seconds
    if isinstance(event, dict) and "detail" in event:
        fetched = auditor.fetch(audit.read_end(event, now), expires)
        metrics.add_metric("HostsAudited", MetricUnit.Count, int(fetched.stored and not fetched.fault))
        metrics.add_metric("HostsNotAudited", MetricUnit.Count, int(fetched.stored and bool(fetched.fault)))
        logger.info("fetched", extra=msgspec.to_builtins(fetched))
        return msgspec.to_builtins(fetched)  # type: ignore[no-any-return]  # a Struct becomes a dict
    sent = auditor.send(audit.asked(event, sites), now, expires)
    metrics.add_metric("HostsNotAudited", MetricUnit.Count, len(sent.refused))
    logger.info("sent", extra=msgspec.to_builtins(sent))
    return msgspec.to_builtins(sent)  # type: ignore[no-any-return]  # a Struct becomes a dict


init.done()
