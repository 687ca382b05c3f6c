"""One attribute of an item of the Sites table, changed without losing what others write meanwhile."""

import random
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from padlock.storage._items import Item, marshal
from padlock.storage._plain import unmarshal
from padlock.storage.sites import ELSEWHERE

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

ATTEMPTS = 8
"""How often an edit is made anew because another one came first."""


class Absent(LookupError):
    """No site is declared under this name."""


class Contended(RuntimeError):
    """Others changed the same attribute of the same site all the time."""


class Edits:
    """Changes of single attributes; the rest of an item, right or wrong, stays as it is."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def change(self, name: str, attribute: str, edit: Callable[[Item], Any], *, elsewhere: str = "") -> None:
        """Set an attribute to what `edit` makes of the item as it stands; None: the attribute is removed.

        `edit` is called again with the newer item where another changed the attribute first. Absent where there is
        no such item, unless `elsewhere` is given: how the name of its site is spelled where it is declared. Then an
        item is created that declares nothing, and `edit` gets an empty one. Contended where others always came first.
        """
        key = marshal({"name": name})
        for attempt in range(ATTEMPTS):
            found = self._client.get_item(TableName=self._table, Key=key, ConsistentRead=True).get("Item")
            if found is None and not elsewhere:
                raise Absent(name)
            # The condition takes the value as DynamoDB gave it: what Python makes of it may be another one.
            stored = (found or {}).get(attribute)
            new = edit(unmarshal(found or {}))
            values = {} if new is None else marshal({":new": new})
            if values.get(":new") == stored:
                return
            as_read = "attribute_exists(#name)" if found else "attribute_not_exists(#name)"
            as_read += " AND #attribute = :stored" if stored is not None else " AND attribute_not_exists(#attribute)"
            values |= {} if stored is None else {":stored": stored}
            names = {"#name": "name", "#attribute": attribute}
            update = "REMOVE #attribute" if new is None else "SET #attribute = :new"
            if found is None:
                names["#elsewhere"] = ELSEWHERE
                values |= marshal({":elsewhere": elsewhere})
                update += ", #elsewhere = :elsewhere"
            try:
                self._client.update_item(
                    TableName=self._table,
                    Key=key,
                    UpdateExpression=update,
                    ConditionExpression=as_read,
                    ExpressionAttributeNames=names,
                    ExpressionAttributeValues=values,
                )
            except self._client.exceptions.ConditionalCheckFailedException:
                time.sleep(random.uniform(0, 0.05 * 2**attempt))  # noqa: S311 — spreads writers, hides nothing
                continue
            return
        raise Contended(f"others changed {attribute} of {name} {ATTEMPTS} times meanwhile")
