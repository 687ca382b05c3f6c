"""A few items of many sites at once, for whoever shows them: never a scan, and never more than asked for."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from padlock.storage._items import Item, marshal
from padlock.storage._plain import unmarshal
from padlock.storage._stored import STATE

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

ATTEMPTS = 4
"""How often the table is asked for items that it left out; one answer holds 16 MB."""
MOST = 100
"""Items that DynamoDB gives for one request by their keys."""


class Glance:
    """Reads of the Results table that are bounded by what is shown."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def certificates(self, most: int) -> Sequence[Item]:
        """Return the sites' certificates that end first, those that have ended included.

        Each is the index's own row: site, certificate_host, certificate_issuer, certificate_expires.
        """
        found = self._client.query(
            TableName=self._table,
            IndexName="certificates",
            KeyConditionExpression="certificate_group = :g",
            ExpressionAttributeValues=marshal({":g": "all"}),
            Limit=most,
        )
        return [unmarshal(item) for item in found["Items"]]

    def findings(self, sites: Sequence[str]) -> Mapping[str, Sequence[Item]]:
        """Return site → its open findings, of those of up to 100 sites that have a state.

        What the table does not give in a few attempts is left out.
        """
        keys = [marshal({"site": site, "sk": STATE}) for site in dict.fromkeys(sites[:MOST])]
        request: Any = {self._table: {"Keys": keys, "ProjectionExpression": "site, findings"}} if keys else {}
        found: list[Item] = []
        for _ in range(ATTEMPTS):
            if not request:
                break
            answer = self._client.batch_get_item(RequestItems=request)
            found += map(unmarshal, answer["Responses"].get(self._table, ()))
            request = answer.get("UnprocessedKeys")
        return {item["site"]: item.get("findings", []) for item in found}
