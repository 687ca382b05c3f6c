"""The Results table's indexes across all sites, each read up to a bound and counted beyond it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from padlock.storage._items import Item, marshal, stamp
from padlock.storage._plain import unmarshal

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class Fleet:
    """What stands in the indexes, of all sites."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def troubled(self, severity: str, most: int) -> tuple[Sequence[Item], int]:
        """Return the sites whose worst open finding is an error, or a warning, the longest open first; and how many.

        Each is the index's own row: site, status, summary, failing_since.
        """
        return self._first({"IndexName": "failing", "KeyConditionExpression": "failing = :f"}, {":f": severity}, most)

    def expiring(self, after: datetime, before: datetime, most: int) -> tuple[Sequence[Item], int]:
        """Return the certificates that end between two times, the next to end first; and how many there are.

        Each is the index's own row: site, certificate_host, certificate_issuer, certificate_expires. Sites that want
        no digest are left out.
        """
        asked = {
            "IndexName": "certificates",
            "KeyConditionExpression": "certificate_group = :g AND certificate_expires BETWEEN :after AND :before",
            "FilterExpression": "attribute_not_exists(#digest) OR #digest <> :off",
            "ExpressionAttributeNames": {"#digest": "digest"},
        }
        values = {":g": "all", ":after": stamp(after), ":before": stamp(before), ":off": "off"}
        return self._first(asked, values, most)

    def _first(self, asked: Mapping[str, Any], values: Mapping[str, Any], most: int) -> tuple[Sequence[Item], int]:
        request = {"TableName": self._table, "ExpressionAttributeValues": marshal(values), **asked}
        rows: list[Item] = []
        pages = self._client.get_paginator("query")
        for page in pages.paginate(**request, PaginationConfig={"PageSize": 2 * most}):
            rows += map(unmarshal, page["Items"])
            if len(rows) >= most:
                break
        # Rows may have come meanwhile, or gone.
        counted = sum(page["Count"] for page in pages.paginate(**request, Select="COUNT"))
        return rows[:most], max(counted, len(rows[:most]))
