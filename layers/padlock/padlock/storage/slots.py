"""Samples of the places that runs looked at, and of those that could not be reached, or not be seen at all.

One small item for every ten seconds, a window, which many functions add to at the same time: two sets of short
hashes. What could be reached and what could be seen are two series of them, each in a partition of its own. Beside
them stands when a run came to a result last.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from botocore.exceptions import ClientError

from padlock.storage._items import marshal, stamp
from padlock.storage._plain import unmarshal

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

type Series = Literal["reach", "sight"]
"""`reach`: addresses, and those out of reach; `sight`: sites, and those of which a run could see nothing."""

PARTITION = "#slot"
"""No host is named like this."""
PARTITIONS: dict[Series, str] = {"reach": PARTITION, "sight": "#sight"}
"""Every function adds to the same item, of which a partition takes only so many writes."""
LAST = "LAST"
PREFIX = "SEEN#"
ENOUGH = 64
"""Places of one window, from which on no more are kept."""


class Sample(msgspec.Struct, frozen=True):
    """Places of one window, as far as they are known."""

    seen: frozenset[str] = frozenset()
    """Every place that a run looked at."""
    failing: frozenset[str] = frozenset()
    """Those of them that could not be reached, or seen."""
    why: str = ""
    """The reason of one of those."""

    def __or__(self, other: "Sample") -> "Sample":
        return Sample(self.seen | other.seen, self.failing | other.failing, self.why or other.why)


class Slots:
    """The samples of the latest windows."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def add(self, window: str, sample: Sample, expires: int, series: Series = "reach") -> Sample:
        """Add places to a window's sample, unless it has enough, and return what all functions have added by now."""
        values: dict[str, AttributeValueTypeDef] = {":ttl": {"N": str(expires)}}
        setting, adding = "SET #ttl = :ttl", []
        if sample.why:
            values[":why"] = {"S": sample.why}
            setting += ", why = :why"
        for name, places in (("seen", sample.seen), ("failing", sample.failing)):
            if places:
                values[f":{name}"] = {"SS": sorted(places)}
                adding.append(f"{name} :{name}")
        try:
            answer = self._client.update_item(
                TableName=self._table,
                Key=marshal({"site": PARTITIONS[series], "sk": f"{PREFIX}{window}"}),
                UpdateExpression=f"{setting} ADD {', '.join(adding)}" if adding else setting,
                ConditionExpression="attribute_not_exists(seen) OR size(seen) < :enough",
                ExpressionAttributeNames={"#ttl": "ttl"},
                ExpressionAttributeValues=values | {":enough": {"N": str(ENOUGH)}},
                ReturnValues="ALL_NEW",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise
            full: Any = error.response.get("Item", {})
            return _sample(full)
        return _sample(answer["Attributes"])

    def ran(self, at: datetime) -> None:
        """Note that a run came to a result now: it could see its site."""
        item = {"site": PARTITION, "sk": LAST, "at": stamp(at)}
        self._client.put_item(TableName=self._table, Item=marshal(item))

    def last_run(self) -> datetime | None:
        """Return when a run came to a result last, of whatever site; None: none ever did."""
        found = self._client.get_item(TableName=self._table, Key=marshal({"site": PARTITION, "sk": LAST}))
        return datetime.fromisoformat(unmarshal(found["Item"])["at"]) if "Item" in found else None

    def windows(self, first: str, last: str, series: Series = "reach") -> dict[str, Sample]:
        """Return the samples of the windows that begin within this time, both ends included, by their beginning."""
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="site = :s AND sk BETWEEN :first AND :last",
            ExpressionAttributeValues=marshal(
                {":s": PARTITIONS[series], ":first": f"{PREFIX}{first}", ":last": f"{PREFIX}{last}"}
            ),
            ConsistentRead=True,
        )
        rows = (row for page in pages for row in page["Items"])
        return {row["sk"]["S"].removeprefix(PREFIX): _sample(row) for row in rows}

    def between(self, first: str, last: str, series: Series = "reach") -> list[Sample]:
        """Return the same samples alone, the earliest first."""
        return list(self.windows(first, last, series).values())


def _sample(item: "dict[str, AttributeValueTypeDef]") -> Sample:
    def places(name: str) -> Iterable[str]:
        return item[name]["SS"] if name in item else ()

    return Sample(frozenset(places("seen")), frozenset(places("failing")), item.get("why", {}).get("S", ""))
