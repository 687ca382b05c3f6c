"""The Sites table: one item per declared site, its attributes the keys of a declaration.

Beside them stand items that declare nothing, each under the normal name of a site that is declared elsewhere: by an
item whose name is spelled otherwise, or by the stack's parameter. They say where, and keep what is acknowledged of a
site of the parameter. Whoever asks for declarations gets none of them.
"""

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import batched
from typing import TYPE_CHECKING, Any

import msgspec

from padlock.storage._items import Item, marshal
from padlock.storage._plain import unmarshal

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

MARK = "first_slot"
"""Attribute that is dispatch's own and no part of a declaration: the first slot in which the site was checked."""
ELSEWHERE = "declared_as"
"""Attribute that only an item which declares nothing has: its site's name as it is spelled where it is declared."""
LONGEST_NAME = 2048
"""Octets of a table's key."""
SEGMENTS = 8
"""Parts of the table that are read at the same time."""
KEYS = 100
"""Items that DynamoDB gives for one request by their keys."""
ATTEMPTS = 8
"""How often in a row the table may give none of the items that it is asked for."""


class Page(msgspec.Struct, frozen=True):
    """Some rows of one segment of the table."""

    rows: Sequence[Item]
    after: str | None
    """The name behind which the next page begins; None: the segment ends here."""


class Sites:
    """The declarations as they stand in the table, right or wrong: whoever reads them judges them."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def all(self) -> Iterator[Item]:
        """Yield every declaration, page by page, in no order."""
        yield from map(declaration, filter(declares, self.rows()))

    def rows(self) -> Iterator[Item]:
        """Yield every item as it is, page by page, in no order."""
        after, more = None, True
        while more:
            page = self.page(0, 1, after)
            yield from page.rows
            after, more = page.after, page.after is not None

    def page(self, segment: int, segments: int, after: str | None, limit: int | None = None) -> Page:
        """Return the items of one of the table's segments behind a name as they are, in no order."""
        found = self._scan(segment, segments, after, {"Limit": limit} if limit else {})
        return Page([unmarshal(row) for row in found["Items"]], _next(found))

    def names(self, wanted: Callable[[str], bool]) -> list[str]:
        """Return those names of the table's declarations, as of now, that are wanted."""
        return [row["name"] for row in self.some(lambda row: wanted(row["name"]))]

    def some(self, wanted: Callable[[Item], bool], *others: str) -> list[Item]:
        """Return name and other attributes of those declarations, as of now, that are wanted by them.

        The whole table is read, in parallel segments: a million items of 200 octets are 50,000 read units.
        """
        attributes = {f"#{number}": name for number, name in enumerate(("name", *others))}
        options = {
            "ProjectionExpression": ", ".join(attributes),
            "FilterExpression": "attribute_not_exists(#elsewhere)",
            "ExpressionAttributeNames": attributes | {"#elsewhere": ELSEWHERE},
            "ConsistentRead": True,
        }

        def part(segment: int) -> list[Item]:
            rows: list[Item] = []
            after, more = None, True
            while more:
                found = self._scan(segment, SEGMENTS, after, options)
                rows += [row for row in map(unmarshal, found["Items"]) if wanted(row)]
                after = _next(found)
                more = after is not None
            return rows

        with ThreadPoolExecutor(SEGMENTS) as pool:
            return [row for rows in pool.map(part, range(SEGMENTS)) for row in rows]

    def get(self, name: str) -> Item | None:
        """Return the declaration whose name is spelled like this."""
        row = self._get(name)
        return declaration(row) if row and declares(row) else None

    def find(self, key: str) -> Item | None:
        """Return the declaration of a site by its normal name, however the declaration spells it.

        One read; a second one where it is declared elsewhere, which is known from the first tick that dispatched it.
        """
        row = self._get(key)
        if row is None or declares(row):
            return declaration(row) if row else None
        return self.get(row[ELSEWHERE])

    def get_many(self, names: Sequence[str]) -> dict[str, Item]:
        """Return those of these items that exist, by name and as they are now."""
        return {
            row["name"]: row
            for some in batched(dict.fromkeys(names), KEYS, strict=False)
            for row in self._get_some(some)
        }

    def mark(self, name: str, slot: str) -> None:
        """Write beside a declaration in which slot it was first checked; whoever puts it anew takes the mark away."""
        try:
            self._client.update_item(
                TableName=self._table,
                Key=marshal({"name": name}),
                UpdateExpression=f"SET {MARK} = :slot",
                ConditionExpression="attribute_exists(#name)",
                ExpressionAttributeNames={"#name": "name"},
                ExpressionAttributeValues=marshal({":slot": slot}),
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return  # removed meanwhile

    def point(self, key: str, spelled: str) -> None:
        """Write under a site's normal name how the item that declares it is spelled, unless that one declares it."""
        try:
            self._client.update_item(
                TableName=self._table,
                Key=marshal({"name": key}),
                UpdateExpression="SET #elsewhere = :spelled",
                ConditionExpression="attribute_not_exists(#name) OR attribute_exists(#elsewhere)",
                ExpressionAttributeNames={"#name": "name", "#elsewhere": ELSEWHERE},
                ExpressionAttributeValues=marshal({":spelled": spelled}),
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return  # declared under its normal name meanwhile

    def put(self, declaration: Mapping[str, Any]) -> None:
        """Write a declaration; it replaces what stands under its name."""
        self._client.put_item(TableName=self._table, Item=marshal(declaration))

    def delete(self, name: str) -> bool:
        """Remove the declaration of a name, or the one of the site that has it as its normal name.

        Returns whether there was one. An item that declares nothing stays.
        """
        found = self.find(name)
        if found is None:
            return False
        key = marshal({"name": found["name"]})
        return "Attributes" in self._client.delete_item(TableName=self._table, Key=key, ReturnValues="ALL_OLD")

    def _get(self, name: Any) -> Item | None:
        if not _is_key(name):
            return None
        found = self._client.get_item(TableName=self._table, Key=marshal({"name": name}), ConsistentRead=True)
        return unmarshal(found["Item"]) if "Item" in found else None

    def _scan(self, segment: int, segments: int, after: str | None, options: Mapping[str, Any]) -> Any:
        start: Any = {"ExclusiveStartKey": {"name": {"S": after}}} if after is not None else {}
        return self._client.scan(TableName=self._table, Segment=segment, TotalSegments=segments, **start, **options)

    def _get_some(self, names: Sequence[str]) -> Iterator[Item]:
        """Yield up to a hundred rows; one answer holds 16 MB, so that the table is asked until all are there."""
        keys: Any = {"Keys": [{"name": {"S": name}} for name in names], "ConsistentRead": True}
        request: Any = {self._table: keys}
        attempt = 0
        while request:
            answer = self._client.batch_get_item(RequestItems=request)
            found = answer["Responses"].get(self._table, ())
            yield from map(unmarshal, found)
            request = answer.get("UnprocessedKeys")
            attempt = 0 if found else attempt + 1
            if request and attempt == ATTEMPTS:
                raise TimeoutError(f"{self._table} gave none of {len(names)} items in {ATTEMPTS} attempts")
            if request and not found:
                time.sleep(random.uniform(0, 0.05 * 2**attempt))  # noqa: S311 — spreads readers, hides nothing


def _next(found: Any) -> str | None:
    return found["LastEvaluatedKey"]["name"]["S"] if "LastEvaluatedKey" in found else None


def declares(row: Item) -> bool:
    """Return whether an item is a declaration."""
    return ELSEWHERE not in row


def declaration(row: Mapping[str, Any]) -> Item:
    """Return an item without what is no part of a declaration."""
    return {name: value for name, value in row.items() if name not in (MARK, ELSEWHERE)}


def _is_key(name: Any) -> bool:
    """Return whether an item can have this name: DynamoDB refuses the question for one that it cannot have."""
    try:
        return isinstance(name, str) and 0 < len(name.encode()) <= LONGEST_NAME
    except UnicodeEncodeError:  # half of a character, which JSON can hold
        return False
