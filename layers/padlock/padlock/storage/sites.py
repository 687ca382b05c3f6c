"""The Sites table: one item per declared site, its attributes the keys of a declaration."""

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
        yield from map(_declaration, self.rows())

    def rows(self) -> Iterator[Item]:
        """Yield every declaration with its mark, if it has one, page by page, in no order."""
        after, more = None, True
        while more:
            page = self.page(0, 1, after)
            yield from page.rows
            after, more = page.after, page.after is not None

    def page(self, segment: int, segments: int, after: str | None, limit: int | None = None) -> Page:
        """Return the rows of one of the table's segments behind a name, with their marks, in no order."""
        found = self._scan(segment, segments, after, {"Limit": limit} if limit else {})
        return Page([unmarshal(row) for row in found["Items"]], _next(found))

    def names(self, wanted: Callable[[str], bool]) -> list[str]:
        """Return those names of the table, as of now, that are wanted; it is read in parallel segments."""

        def part(segment: int) -> list[str]:
            options = {
                "ProjectionExpression": "#name",
                "ExpressionAttributeNames": {"#name": "name"},
                "ConsistentRead": True,
            }
            names: list[str] = []
            after, more = None, True
            while more:
                found = self._scan(segment, SEGMENTS, after, options)
                names += [row["name"]["S"] for row in found["Items"] if wanted(row["name"]["S"])]
                after = _next(found)
                more = after is not None
            return names

        with ThreadPoolExecutor(SEGMENTS) as pool:
            return [name for names in pool.map(part, range(SEGMENTS)) for name in names]

    def get(self, name: str) -> Item | None:
        """Return one declaration."""
        found = self._client.get_item(TableName=self._table, Key=marshal({"name": name}), ConsistentRead=True)
        return _declaration(unmarshal(found["Item"])) if "Item" in found else None

    def get_many(self, names: Sequence[str]) -> dict[str, Item]:
        """Return those of these declarations that exist, by name, with their marks, as of now."""
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

    def put(self, declaration: Mapping[str, Any]) -> None:
        """Write a declaration; it replaces what stands under its name."""
        self._client.put_item(TableName=self._table, Item=marshal(declaration))

    def delete(self, name: str) -> bool:
        """Remove a declaration; returns whether there was one."""
        gone = self._client.delete_item(TableName=self._table, Key=marshal({"name": name}), ReturnValues="ALL_OLD")
        return "Attributes" in gone

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


def _declaration(row: Item) -> Item:
    return {name: value for name, value in row.items() if name != MARK}
