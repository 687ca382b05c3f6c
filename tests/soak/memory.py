"""DynamoDB and SQS in this process's memory, as far as Padlock uses them, at the calls of boto3's clients.

moto takes milliseconds a call, too long for millions of runs. `test_memory.py` makes the same calls on both and holds
their answers against each other. Items are never changed in place, so that a copy of a table costs only its keys.
"""

import functools
import re
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

from botocore.exceptions import ClientError

type Marshalled = dict[str, Any]
type Names = Mapping[str, str]
type Test = Callable[[Marshalled, Names, Mapping[str, Any]], Any]

_TOKEN = re.compile(r"\s*([(),+]|<>|<=|>=|<|>|=|[#:]?\w+)")
_COMPARED: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda one, two: bool(one == two),
    "<>": lambda one, two: bool(one != two),
    "<": lambda one, two: bool(one is not None and two is not None and one < two),
    "<=": lambda one, two: bool(one is not None and two is not None and one <= two),
    ">": lambda one, two: bool(one is not None and two is not None and one > two),
    ">=": lambda one, two: bool(one is not None and two is not None and one >= two),
}


class ConditionalCheckFailed(ClientError):
    """A condition of one write does not hold."""


class Dynamo:
    """A client of DynamoDB with the tables of a template."""

    def __init__(self, tables: Mapping[str, Mapping[str, Any]]) -> None:
        """Take the properties of each table, by its name."""
        self.exceptions = SimpleNamespace(ConditionalCheckFailedException=ConditionalCheckFailed)
        self.meta = SimpleNamespace(region_name="eu-central-1")
        self.tables = {name: _Table(properties) for name, properties in tables.items()}

    def get_item(self, **asked: Any) -> Any:
        """Return an item, or the attributes of it that are asked for."""
        table = self.tables[asked["TableName"]]
        item = table.find(asked["Key"])
        if item is None:
            return {}
        if "ProjectionExpression" in asked:
            wanted = [name.strip() for name in asked["ProjectionExpression"].split(",")]
            item = {name: item[name] for name in wanted if name in item}
        return {"Item": item}

    def batch_get_item(self, **asked: Any) -> Any:
        """Return those items that exist."""
        answers = {}
        for name, request in asked["RequestItems"].items():
            found = (self.tables[name].find(key) for key in request["Keys"])
            answers[name] = [item for item in found if item is not None]
        return {"Responses": answers, "UnprocessedKeys": {}}

    def put_item(self, **asked: Any) -> Any:
        """Write an item where its condition holds."""
        table = self.tables[asked["TableName"]]
        before = table.find(asked["Item"])
        _hold(asked, before, "PutItem")
        table.store(before, asked["Item"])
        return {}

    def delete_item(self, **asked: Any) -> Any:
        """Remove an item."""
        table = self.tables[asked["TableName"]]
        before = table.find(asked["Key"])
        if before is not None:
            table.drop(before)
        return {"Attributes": before} if before is not None and asked.get("ReturnValues") == "ALL_OLD" else {}

    def update_item(self, **asked: Any) -> Any:
        """Change an item where its condition holds."""
        table = self.tables[asked["TableName"]]
        before = table.find(asked["Key"])
        _hold(asked, before, "UpdateItem")
        after = _updated(asked, before)
        table.store(before, after)
        match asked.get("ReturnValues"):
            case "ALL_NEW":
                return {"Attributes": after}
            case "UPDATED_NEW":
                changed = {name: value for name, value in after.items() if (before or {}).get(name) != value}
                return {"Attributes": {name: changed[name] for name in changed if name not in asked["Key"]}}
        return {}

    def transact_write_items(self, **asked: Any) -> Any:
        """Make all writes, or none where a condition of one does not hold."""
        reasons, writes = [], []
        for write in asked["TransactItems"]:
            ((kind, action),) = write.items()
            table = self.tables[action["TableName"]]
            before = table.find(action.get("Item") or action["Key"])
            holds = _holds(action, before)
            reasons.append({"Code": "None"} if holds else {"Code": "ConditionalCheckFailed"})
            if holds and kind != "ConditionCheck":
                writes.append((table, before, action["Item"] if kind == "Put" else _updated(action, before)))
        if any(reason["Code"] != "None" for reason in reasons):
            codes = ", ".join(reason["Code"] for reason in reasons)
            error = {"Code": "TransactionCanceledException", "Message": f"Transaction cancelled [{codes}]"}
            told: Any = {"Error": error, "CancellationReasons": reasons}
            raise ClientError(told, "TransactWriteItems")
        for table, before, after in writes:
            table.store(before, after)
        return {}

    def query(self, **asked: Any) -> Any:
        """Return the items of a key, in the order of the second one, page by page."""
        table = self.tables[asked["TableName"]]
        values = asked["ExpressionAttributeValues"]
        first, second = _ranged(asked["KeyConditionExpression"])
        rows = table.rows(asked.get("IndexName"), _value(values[first]))
        found = [row for place, row in rows if second(place, values)]
        if not asked.get("ScanIndexForward", True):
            found.reverse()
        start = asked.get("ExclusiveStartKey")
        if start is not None:
            found = found[1 + next(i for i, row in enumerate(found) if table.key_of(row) == start) :]
        more = len(found) > (limit := asked.get("Limit", len(found)))
        found = found[:limit]
        last = {"LastEvaluatedKey": table.key_of(found[-1])} if more else {}
        if "FilterExpression" in asked:
            found = [row for row in found if _filter(asked, row)]
        if "IndexName" in asked:
            found = [table.projected(row, asked["IndexName"]) for row in found]
        return {"Items": found, "Count": len(found), **last}

    def scan(self, **asked: Any) -> Any:
        """Return the items of one segment, page by page."""
        table = self.tables[asked["TableName"]]
        keys = [key for key in table.items if zlib.crc32(key.encode()) % asked["TotalSegments"] == asked["Segment"]]
        start = asked.get("ExclusiveStartKey")
        begin = 1 + keys.index(_value(start[table.hash])) if start else 0
        limit = asked.get("Limit", len(keys) or 1)
        chosen = keys[begin : begin + limit]
        last = {"LastEvaluatedKey": {table.hash: {"S": chosen[-1]}}} if begin + limit < len(keys) else {}
        found = [row for key in chosen for row in table.items[key].values()]
        if "FilterExpression" in asked:
            found = [row for row in found if _filter(asked, row)]
        return {"Items": found, **last}

    def get_paginator(self, operation: str) -> Any:
        """Return what makes one call for each page."""
        return SimpleNamespace(paginate=lambda **asked: pages(getattr(self, operation), asked))


class Queue:
    """A client of SQS that takes messages."""

    def __init__(self) -> None:
        self.exceptions = self.meta = SimpleNamespace()
        self.bodies: list[str] = []

    def send_message_batch(self, **asked: Any) -> Any:
        """Take a batch."""
        self.bodies += [entry["MessageBody"] for entry in asked["Entries"]]
        return {"Successful": [{"Id": entry["Id"]} for entry in asked["Entries"]], "Failed": []}


class _Table:
    """Items by their keys, with the indexes that are asked for."""

    def __init__(self, properties: Mapping[str, Any]) -> None:
        self.hash, self.range = _keys(properties)
        self.items: dict[Any, dict[Any, Marshalled]] = {}
        self.stream: list[dict[str, Any]] = []
        self._indexes = {index["IndexName"]: _keys(index) for index in properties.get("GlobalSecondaryIndexes", ())}
        self._projected = {
            index["IndexName"]: {
                self.hash,
                self.range,
                *_keys(index),
                *index["Projection"].get("NonKeyAttributes", ()),
            }
            for index in properties.get("GlobalSecondaryIndexes", ())
        }
        self._indexed: dict[str, dict[Any, dict[Any, Marshalled]]] = {name: {} for name in self._indexes}

    def find(self, key: Marshalled) -> Marshalled | None:
        return self.items.get(_value(key[self.hash]), {}).get(self._place(key))

    def store(self, before: Marshalled | None, after: Marshalled) -> None:
        if before is not None:
            self._forget(before)
        after = dict(after)
        self.items.setdefault(_value(after[self.hash]), {})[self._place(after)] = after
        for name, (first, second) in self._indexes.items():
            if first in after and second in after:
                place = _value(after[second]), _value(after[self.hash]), self._place(after)
                self._indexed[name].setdefault(_value(after[first]), {})[place] = after
        if before is None:
            self.stream.append({"eventName": "INSERT", "dynamodb": {"Keys": self.key_of(after)}})

    def drop(self, item: Marshalled) -> None:
        self._forget(item)
        rows = self.items[_value(item[self.hash])]
        del rows[self._place(item)]
        if not rows:
            del self.items[_value(item[self.hash])]
        self.stream.append({"eventName": "REMOVE", "dynamodb": {"Keys": self.key_of(item)}})

    def rows(self, index: str | None, wanted: Any) -> Iterator[tuple[Any, Marshalled]]:
        """Yield (sort key, item) of one key, in the order of the sort key."""
        rows = self.items.get(wanted, {}) if index is None else self._indexed[index].get(wanted, {})
        for place in sorted(rows):
            yield (place if index is None else place[0]), rows[place]

    def projected(self, item: Marshalled, index: str) -> Marshalled:
        return {name: value for name, value in item.items() if name in self._projected[index]}

    def key_of(self, item: Marshalled) -> Marshalled:
        return {name: item[name] for name in (self.hash, self.range) if name is not None}

    def clear(self) -> None:
        self.items.clear()
        self.stream.clear()
        for rows in self._indexed.values():
            rows.clear()

    def _forget(self, item: Marshalled) -> None:
        for name, (first, second) in self._indexes.items():
            if first in item and second in item:
                place = _value(item[second]), _value(item[self.hash]), self._place(item)
                self._indexed[name].get(_value(item[first]), {}).pop(place, None)

    def _place(self, item: Marshalled) -> Any:
        return _value(item[self.range]) if self.range is not None else ""


def pages(call: Callable[..., Any], asked: dict[str, Any]) -> Iterator[Any]:
    """Yield the pages of a query, as boto3's paginator does."""
    options = asked.pop("PaginationConfig", {})
    if size := options.get("PageSize"):
        asked["Limit"] = size
    left = options.get("MaxItems", 10**9)
    while left > 0:
        page = call(**asked)
        left -= len(page["Items"])
        yield page
        if "LastEvaluatedKey" not in page:
            return
        asked["ExclusiveStartKey"] = page["LastEvaluatedKey"]


def _keys(properties: Mapping[str, Any]) -> tuple[str, Any]:
    names = {entry["KeyType"]: entry["AttributeName"] for entry in properties["KeySchema"]}
    return names["HASH"], names.get("RANGE")


def _value(attribute: Any) -> Any:
    """Return what a marshalled attribute compares by."""
    if attribute is None:
        return None
    ((kind, value),) = attribute.items()
    if kind == "N":
        return float(value) if "." in value or "E" in value else int(value)
    return value


def _hold(asked: Mapping[str, Any], before: Marshalled | None, operation: str) -> None:
    if not _holds(asked, before):
        told: Any = {
            "Error": {"Code": "ConditionalCheckFailedException", "Message": "The conditional request failed"}
        }
        if asked.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD" and before is not None:
            told["Item"] = before
        raise ConditionalCheckFailed(told, operation)


def _holds(asked: Mapping[str, Any], before: Marshalled | None) -> bool:
    if "ConditionExpression" not in asked:
        return True
    test = _condition(asked["ConditionExpression"])
    names, values = asked.get("ExpressionAttributeNames", {}), asked.get("ExpressionAttributeValues", {})
    return bool(test(before or {}, names, values))


def _filter(asked: Mapping[str, Any], row: Marshalled) -> bool:
    return _holds({**asked, "ConditionExpression": asked["FilterExpression"]}, row)


@functools.cache
def _condition(text: str) -> Test:
    """Return what tests an item by a condition's text."""
    tokens = _TOKEN.findall(text)
    place = 0

    def take(expected: str = "") -> str:
        nonlocal place
        word: str = tokens[place]
        if expected and word != expected:
            raise ValueError(f"{expected} is expected in {text!r}, not {word}")
        place += 1
        return word

    def either() -> Test:
        parts = [both()]
        while place < len(tokens) and tokens[place] == "OR":
            take()
            parts.append(both())
        return parts[0] if len(parts) == 1 else lambda *given: any(part(*given) for part in parts)

    def both() -> Test:
        parts = [one()]
        while place < len(tokens) and tokens[place] == "AND":
            take()
            parts.append(one())
        return parts[0] if len(parts) == 1 else lambda *given: all(part(*given) for part in parts)

    def one() -> Test:
        word = take()
        if word == "(":
            inner = either()
            take(")")
            return inner
        if word in {"attribute_exists", "attribute_not_exists"}:
            take("(")
            name = take()
            take(")")
            wanted = word == "attribute_exists"
            return lambda item, names, _: (names.get(name, name) in item) is wanted
        if word == "size":
            take("(")
            word = f"size {take()}"
            take(")")
        compared, other = _COMPARED[take()], take()
        return lambda item, names, values: compared(
            _operand(word, item, names, values), _operand(other, item, names, values)
        )

    return either()


def _operand(word: str, item: Marshalled, names: Names, values: Mapping[str, Any]) -> Any:
    if word.startswith("size "):
        found = _value(item.get(names.get(word[5:], word[5:])))
        return None if found is None else len(found)
    return _value(values[word] if word.startswith(":") else item.get(names.get(word, word)))


@functools.cache
def _ranged(text: str) -> tuple[str, Callable[[Any, Mapping[str, Any]], bool]]:
    """Return the name of the value that the key has, and what tests the second key."""
    tokens = _TOKEN.findall(text)
    match tokens:
        case [_, "=", first]:
            return first, lambda *_: True
        case [_, "=", first, "AND", "begins_with", "(", _, ",", prefix, ")"]:
            return first, lambda place, values: str(place).startswith(_value(values[prefix]))
        case [_, "=", first, "AND", _, "BETWEEN", low, "AND", high]:
            return first, lambda place, values: _value(values[low]) <= place <= _value(values[high])
    raise ValueError(f"no such query is made: {text}")


@functools.cache
def _clauses(text: str) -> Sequence[tuple[str, Sequence[Sequence[str]]]]:
    """Return an update's clauses: SET, ADD or REMOVE, with the tokens of each of their actions."""
    clauses: list[tuple[str, list[list[str]]]] = []
    depth = 0
    for word in _TOKEN.findall(text):
        if word in {"SET", "ADD", "REMOVE"}:
            clauses.append((word, [[]]))
            continue
        depth += {"(": 1, ")": -1}.get(word, 0)
        if word == "," and depth == 0:
            clauses[-1][1].append([])
        else:
            clauses[-1][1][-1].append(word)
    return clauses


def _updated(asked: Mapping[str, Any], before: Marshalled | None) -> Marshalled:
    names, values = asked.get("ExpressionAttributeNames", {}), asked.get("ExpressionAttributeValues", {})
    was = before or {}
    after = {**was, **asked["Key"]}
    for clause, actions in _clauses(asked["UpdateExpression"]):
        for action in actions:
            name = names.get(action[0], action[0])
            match clause, action[1:]:
                case "SET", ["=", value]:
                    after[name] = values[value]
                case "SET", ["=", "if_not_exists", "(", other, ",", value, ")"]:
                    after[name] = was.get(names.get(other, other), values[value])
                case "ADD", [value]:
                    after[name] = _added(was.get(name), values[value])
                case "REMOVE", []:
                    after.pop(name, None)
                case _:
                    raise ValueError(f"no such update is made: {asked['UpdateExpression']}")
    return after


def _added(before: Any, more: Any) -> Any:
    ((kind, value),) = more.items()
    if kind == "N":
        return {"N": str(int(before["N"] if before else 0) + int(value))}
    return {kind: sorted({*(before[kind] if before else ()), *value})}
