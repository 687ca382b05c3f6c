"""Whether an alert of the outbox has gone out, for who waits for it."""

from typing import TYPE_CHECKING

from padlock.storage._items import marshal
from padlock.storage.outbox import alert_key

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


def is_pending(client: "DynamoDBClient", table: str, site: str, seq: int) -> bool:
    """Return whether an alert still waits for any of its channels; read consistently."""
    found = client.get_item(
        TableName=table,
        Key=marshal({"site": site, "sk": alert_key(seq)}),
        ProjectionExpression="pending",
        ConsistentRead=True,
    )
    return "pending" in found.get("Item", {})
