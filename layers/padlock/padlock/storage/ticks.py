"""What dispatch remembers: the last tick that it dispatched in full, and how far it came with one in between.

All of it is in the partition `#dispatch` of the Results table: TICK, and for each segment of the Sites table that a
tick works through `SLOT#<slot>#<segments>#<segment>`. How far a segment is read has a meaning only among as many
segments, so that their number is a part of the key.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from padlock.storage._items import marshal, stamp
from padlock.storage._plain import unmarshal

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

DISPATCH = "#dispatch"
"""No host is named like this."""


class LastTick(msgspec.Struct, frozen=True):
    """The last tick that was dispatched in full."""

    at: datetime
    since: datetime | None = None
    """The tick before it; None: it was the first."""
    sites: int | None = None
    """Declared sites, right or wrong; None: a version before counted none."""
    parameter: tuple[str, ...] | None = None
    """The names of the parameter Sites; None: a version before kept none."""


class Progress(msgspec.Struct, frozen=True):
    """How far a tick came with one segment: all before is in the queue."""

    after: str | None = None
    """The last name that was read; None: none was, or all were."""
    done: bool = False
    sites: int = 0
    """Sites that were read."""
    due: int = 0
    """Those of them that were due, and sent."""
    new: int = 0
    """Those of them that were due because they are new."""
    other: int = 0
    """Rows that were left for the end, for their name is not written in its normal form."""


class Ticks:
    """The memory of dispatch."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def last(self) -> LastTick | None:
        """Return the last tick that was dispatched in full."""
        key = marshal({"site": DISPATCH, "sk": "TICK"})
        found = self._client.get_item(TableName=self._table, Key=key, ConsistentRead=True)
        return msgspec.convert(unmarshal(found["Item"]), LastTick) if "Item" in found else None

    def save(self, tick: LastTick) -> None:
        """Remember a tick as dispatched in full; an older one than the one remembered is left out."""
        item = {
            "site": DISPATCH,
            "sk": "TICK",
            "at": stamp(tick.at),
            "since": stamp(tick.since) if tick.since else None,
            "sites": tick.sites,
            "parameter": tick.parameter,
        }
        try:
            self._client.put_item(
                TableName=self._table,
                Item=marshal(item),
                ConditionExpression="attribute_not_exists(sk) OR #at < :at",
                ExpressionAttributeNames={"#at": "at"},
                ExpressionAttributeValues=marshal({":at": stamp(tick.at)}),
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return

    def progress(self, slot: str, segments: int) -> Sequence[Progress]:
        """Return how far a tick came with each segment, and last of all with what belongs to no segment."""
        prefix = _prefix(slot, segments)
        answer = self._client.query(
            TableName=self._table,
            KeyConditionExpression="site = :s AND begins_with(sk, :k)",
            ExpressionAttributeValues=marshal({":s": DISPATCH, ":k": prefix}),
            ConsistentRead=True,
        )
        rows = map(unmarshal, answer["Items"])
        known = {int(row["sk"].removeprefix(prefix)): msgspec.convert(row, Progress) for row in rows}
        return [known.get(segment, Progress()) for segment in range(segments + 1)]

    def advance(self, slot: str, segments: int, segment: int, progress: Progress, expires: int) -> None:
        """Remember how far a tick came with a segment, until a time (epoch seconds)."""
        key = {"site": DISPATCH, "sk": f"{_prefix(slot, segments)}{segment}"}
        item = key | msgspec.structs.asdict(progress) | {"ttl": expires}
        self._client.put_item(TableName=self._table, Item=marshal(item))


def _prefix(slot: str, segments: int) -> str:
    return f"SLOT#{slot}#{segments}#"
