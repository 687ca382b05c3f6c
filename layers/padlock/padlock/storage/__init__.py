"""The two tables: Sites, what is declared, and Results, what was found. Only this package speaks to DynamoDB.

Results holds per site (`site`, `sk`): STATE, the state, and STATE#HEAD, what every run moves of it; STATE#REPORT, the
latest report as far as it differs from the one before; RUN#…, the history; ALERT#…, the outbox of alerts; NOTIFY, the
outbox's cursor and lease. A TICKET is of a version before, and nothing reads it. The partition `#cache` keeps what
registries and authorities said, for all sites, `#dispatch` the last tick, `#slot` which addresses the latest runs
could reach, `#sight` which sites they could see, `#checker` Padlock's own state and alerts, and `host#…` a machine's
latest audit.
"""

from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

from padlock.storage._items import Item, shown_labels, stamp
from padlock.storage._plain import read_items
from padlock.storage._rows import Run
from padlock.storage._stored import Stored
from padlock.storage.cache import Cache
from padlock.storage.hosts import Hosts
from padlock.storage.outbox import Alert, Lease, Outbox
from padlock.storage.results import Outcome, Results
from padlock.storage.sites import MARK, Sites
from padlock.storage.slots import Sample, Slots

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

__all__ = [
    "MARK",
    "USER_AGENT",
    "Alert",
    "Cache",
    "Hosts",
    "Item",
    "Lease",
    "Outbox",
    "Outcome",
    "Results",
    "Run",
    "Sample",
    "Sites",
    "Slots",
    "Stored",
    "client",
    "shown_labels",
    "stamp",
]


USER_AGENT = f"padlock Boto3/{boto3.__version__}"
"""What clients say they are: botocore would put it together anew for every request."""


def client() -> "DynamoDBClient":
    """Return a client that retries throttling and dropped connections with backoff; threads may share it.

    What is sent is not held against the service's model first: the service does that too, and answers a ClientError.
    """
    config = Config(
        connect_timeout=5,
        read_timeout=10,
        max_pool_connections=32,
        retries={"mode": "standard", "total_max_attempts": 6},
        parameter_validation=False,
        user_agent=USER_AGENT,
    )
    made = boto3.client("dynamodb", config=config)
    made.meta.events.register("before-parse.dynamodb.Scan", read_items)
    return made
