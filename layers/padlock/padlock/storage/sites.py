"""The Sites table: one item per declared site, its attributes the keys of a declaration."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from padlock.storage._items import Item, marshal, unmarshal

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

MARK = "first_slot"
"""Attribute that is dispatch's own and no part of a declaration: the first slot in which the site was checked."""


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
        for page in self._client.get_paginator("scan").paginate(TableName=self._table):
            yield from map(unmarshal, page["Items"])

    def get(self, name: str) -> Item | None:
        """Return one declaration."""
        found = self._client.get_item(TableName=self._table, Key=marshal({"name": name}))
        return _declaration(unmarshal(found["Item"])) if "Item" in found else None

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


def _declaration(row: Item) -> Item:
    return {name: value for name, value in row.items() if name != MARK}
