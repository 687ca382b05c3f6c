"""The two tables: Sites, what is declared, and Results, what was found. Only this package speaks to DynamoDB.

Results holds per site (`site`, `sk`): STATE, the state; STATE#REPORT, the latest report as far as it differs from the
one before; TICKET, a counter that orders runs;
RUN#…, the history; ALERT#…, the outbox of alerts; NOTIFY, the outbox's cursor and lease. The partition
`#cache` keeps what registries and authorities said, for all sites, `#dispatch` the last tick, `#slot` which addresses
the latest runs could reach, `#sight` which sites they could see, `#checker` Padlock's own state and alerts, and
`host#…` a machine's latest audit.
"""

from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

from padlock.storage._items import Item, shown_labels, stamp
from padlock.storage.cache import Cache
from padlock.storage.hosts import Hosts
from padlock.storage.outbox import Alert, Lease, Outbox
from padlock.storage.results import Outcome, Results, Run, Stored
from padlock.storage.sites import MARK, Sites
from padlock.storage.slots import Sample, Slots

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

__all__ = [
    "MARK",
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


def client() -> "DynamoDBClient":
    """Return a client that retries throttling and dropped connections with backoff; threads may share it."""
    config = Config(
        connect_timeout=5,
        read_timeout=10,
        max_pool_connections=32,
        retries={"mode": "standard", "total_max_attempts": 6},
    )
    return boto3.client("dynamodb", config=config)
