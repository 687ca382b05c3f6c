"""AWS in this process: moto with the tables, the queue and the topics of template.yaml, without a socket.

What moto does not do is done here as AWS's documentation says, and asserted: a transaction's token (DynamoDB API
reference, TransactWriteItems), SNS's rules of subjects, structures and sizes (SNS API reference, Publish), and
EventBridge's of entries (EventBridge user guide, PutEvents).
"""

import copy
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from types import SimpleNamespace
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
from moto import mock_aws
from moto.dynamodb.models import dynamodb_backends
from moto.dynamodb.models.table import Table
from moto.sqs.models import sqs_backends
from padlock.storage._items import Item
from padlock.storage._plain import unmarshal
from padlock.storage._stored import HEAD, STATE, merged

from local.aws import ACCOUNT, CREDENTIALS, REGION, translated
from local.pump import matches
from tests.soak.clock import Clock
from tests.soak.memory import Dynamo, Queue
from tests.soak.violation import Violation

CREATED = ("AWS::DynamoDB::Table", "AWS::SQS::Queue", "AWS::SNS::Topic")
SERVICES = ("dynamodb", "sqs", "sns", "events")
REPEATED = "repeated"
"""Key of the answer to a transaction that was made before."""
TOKEN_SECONDS = 600
"""For which a transaction's token is remembered."""
MAX_PUBLISHED = 262_144
"""Octets of one message with its subject and attributes, and of one request's events."""
MAX_ATTRIBUTES = 10
"""Attributes of a message, beyond which a queue that takes raw messages gets none."""
_SUBJECT = re.compile(r"[!-~][ -~]{0,98}")


class Amazon:
    """One account with one stack; a context manager."""

    def __init__(self, clock: Clock, *, in_memory: bool) -> None:
        """Take the clock, and whether the tables and the queue are kept in memory in place of moto."""
        self._clock = clock
        self._moto = mock_aws()
        self.in_memory = in_memory
        self.template: dict[str, Any] = {}
        self.physical: dict[str, str] = {}
        self.clients: dict[str, Any] = {}
        self._tokens: dict[str, tuple[str, float, bool]] = {}
        """Token → the request that it came with, when, and whether that has succeeded."""

    def __enter__(self) -> "Amazon":
        os.environ.update(CREDENTIALS)
        self.template = translated({})
        if self.in_memory:
            self._remember()
            return self
        self._moto.start()
        kept = {name: _bare(it) for name, it in self.template["Resources"].items() if it["Type"] in CREATED}
        cloudformation = boto3.client("cloudformation")
        body = json.dumps({"AWSTemplateFormatVersion": "2010-09-09", "Resources": kept})
        cloudformation.create_stack(StackName="soak", TemplateBody=body)
        listed = cloudformation.describe_stack_resources(StackName="soak")["StackResources"]
        self.physical = {entry["LogicalResourceId"]: entry["PhysicalResourceId"] for entry in listed}
        once = Config(retries={"total_max_attempts": 1})
        self.clients = {name: boto3.client(name, config=once) for name in SERVICES}  # type: ignore[call-overload]
        Table.__deepcopy__ = _copied  # type: ignore[attr-defined]
        return self

    def _remember(self) -> None:
        resources = self.template["Resources"]
        self.physical = {name: name for name, resource in resources.items() if resource["Type"] in CREATED}
        tables = {name: it["Properties"] for name, it in resources.items() if it["Type"] == "AWS::DynamoDB::Table"}
        nothing = SimpleNamespace(exceptions=None, meta=None)
        self.clients = {"dynamodb": Dynamo(tables), "sqs": Queue(), "sns": nothing, "events": nothing}

    def __exit__(self, *_: object) -> None:
        if self.in_memory:
            return
        del Table.__deepcopy__  # type: ignore[attr-defined]
        self._moto.stop()

    def reset(self) -> None:
        """Empty everything."""
        for name in ("ResultsTable", "SitesTable"):
            table = self._table(name)
            if self.in_memory:
                table.clear()
            else:
                table.items.clear()
                table.stream_shard.items.clear()
        self.messages()
        self._tokens.clear()

    def perform(self, service: str, operation: str, arguments: Mapping[str, Any]) -> Any:
        """Make one call, by AWS's documented rules."""
        if (service, operation) == ("dynamodb", "transact_write_items"):
            return self._transact(arguments)
        if (service, operation) == ("sns", "publish"):
            check_publish(arguments)
            return {"MessageId": "published"}
        if (service, operation) == ("events", "put_events"):
            check_events(arguments["Entries"])
            return {"FailedEntryCount": 0, "Entries": [{"EventId": "put"} for _ in arguments["Entries"]]}
        return getattr(self.clients[service], operation)(**arguments)

    def item(self, site: str, key: str) -> Item | None:
        """Return an item of the results as it stands, past every fault."""
        found = self._rows_of(site).get(key)
        return unmarshal(self._marshalled(found)) if found is not None else None

    def state(self, site: str) -> Item | None:
        """Return a site's STATE as of its latest run, past every fault."""
        item = self.item(site, STATE)
        return None if item is None else merged(item, self.item(site, HEAD) or {})

    def items(self, site: str, prefix: str) -> list[Item]:
        """Return the items of a site whose key begins so, in order."""
        rows = self._rows_of(site)
        return [unmarshal(self._marshalled(rows[key])) for key in sorted(rows) if key.startswith(prefix)]

    def sites(self) -> set[str]:
        """Return the names of the results' partitions."""
        return {_text(key) for key, rows in self._table("ResultsTable").items.items() if rows}

    def stream(self) -> list[str]:
        """Return the sites of the alert records since the last call that the event source's filter lets through."""
        properties = self.template["Resources"]["NotifyFunctionAlerts"]["Properties"]
        patterns = [json.loads(entry["Pattern"]) for entry in properties["FilterCriteria"]["Filters"]]
        table = self._table("ResultsTable")
        fresh = table.stream if self.in_memory else table.stream_shard.items
        records = [entry if self.in_memory else entry.record for entry in fresh]
        fresh.clear()
        wanted = [record for record in records if any(matches(pattern, record) for pattern in patterns)]
        return [record["dynamodb"]["Keys"]["site"]["S"] for record in wanted]

    def messages(self) -> list[str]:
        """Take the bodies of the messages that were put into the queue."""
        if self.in_memory:
            bodies, self.clients["sqs"].bodies = self.clients["sqs"].bodies, []
            return bodies  # type: ignore[no-any-return]  # the client is any service's
        name = self.physical["CheckQueue"].rpartition("/")[2]
        queue: Any = sqs_backends[ACCOUNT][REGION].get_queue(name)
        bodies = [message.body for message in queue._messages]
        queue._messages.clear()
        return bodies

    def snapshot(self) -> list[dict[str, Any]]:
        """Return the items of the results."""
        items = self._table("ResultsTable").items.values()
        return [row if self.in_memory else row.to_json()["Attributes"] for rows in items for row in rows.values()]

    def restore(self, kept: list[dict[str, Any]], only: tuple[str, str] | None = None) -> None:
        """Put kept items in place of what there is: all of it, or the one item (site, key) alone."""
        dynamodb, name = self.clients["dynamodb"], self.physical["ResultsTable"]
        if only is None:
            table = self._table("ResultsTable")
            table.clear() if self.in_memory else table.items.clear()
            # Another table has other tokens, and it takes longer than tokens are remembered.
            self._tokens.clear()
        else:
            site, key = only
            dynamodb.delete_item(TableName=name, Key={"site": {"S": site}, "sk": {"S": key}})
            kept = [item for item in kept if (item["site"]["S"], item["sk"]["S"]) == only]
        for item in kept:
            dynamodb.put_item(TableName=name, Item=item)
        self.stream()  # a table that is restored has no records of it

    def _table(self, name: str) -> Any:
        if self.in_memory:
            return self.clients["dynamodb"].tables[name]
        return dynamodb_backends[ACCOUNT][REGION].tables[self.physical[name]]

    def _rows_of(self, site: str) -> dict[str, Any]:
        """Return the items of a partition by their sort keys, as moto or memory holds them."""
        items = self._table("ResultsTable").items
        if self.in_memory:
            return items.get(site, {})  # type: ignore[no-any-return]
        rows: Any = next((rows for name, rows in items.items() if _text(name) == site), {})
        return {_text(key): item for key, item in rows.items()}

    def _marshalled(self, item: Any) -> Any:
        return item if self.in_memory else item.to_json()["Attributes"]

    def _transact(self, arguments: Mapping[str, Any]) -> Any:
        token = arguments["ClientRequestToken"]
        if not 1 <= len(token) <= 36:
            raise Violation("token", f"a token of {len(token)} characters")
        asked = json.dumps({**arguments, "ClientRequestToken": ""}, sort_keys=True, default=str)
        before, at, done = self._tokens.get(token, (asked, 0.0, False))
        if self._clock.true - at < TOKEN_SECONDS:
            if before != asked:
                raise Violation("token", f"the same token came with other contents: {before} and {asked}")
            if done:
                return {REPEATED: True}
        self._tokens[token] = asked, self._clock.true, False
        _touched.clear()
        _touched.update(partitions(arguments["TransactItems"]))
        answer = self.clients["dynamodb"].transact_write_items(**arguments)
        self._tokens[token] = asked, self._clock.true, True
        return answer


def _text(key: Any) -> str:
    """Return a key of moto's, or of memory, as text."""
    return str(key if isinstance(key, str) else key.value)


_touched: set[str] = set()
"""Partitions that the transaction under way writes to."""


def partitions(writes: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the site of each write of a transaction."""
    for write in writes:
        (action,) = write.values()
        yield action.get("Item", action.get("Key"))["site"]["S"]


def _copied(table: Any, memo: dict[int, Any]) -> Any:
    """Return a copy of moto's table for a transaction's way back: what it does not touch is shared."""
    twin = copy.copy(table)
    twin.items = copy.copy(table.items)
    for name in twin.items:
        if name.value in _touched:
            twin.items[name] = copy.deepcopy(twin.items[name], memo)
    twin.stream_shard = copy.copy(table.stream_shard)
    twin.stream_shard.items = list(table.stream_shard.items)
    twin.stream_shard.table = twin
    return twin


def check_publish(message: Mapping[str, Any]) -> None:
    """Refuse, as a fault of ours, what SNS would refuse."""
    attributes = message.get("MessageAttributes", {})
    subject = message.get("Subject")
    if subject is not None and not _SUBJECT.fullmatch(subject):
        raise Violation("sns", f"the subject is not 1 to 99 printable ASCII characters: {subject!r}")
    if not message["Message"]:
        raise Violation("sns", "the message is empty")
    octets = len(message["Message"].encode()) + len(subject or "")
    for name, value in attributes.items():
        if not re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,255}", name) or not value.get("StringValue"):
            raise Violation("sns", f"the attribute {name} is {value}")
        if value["DataType"] == "String.Array" and not isinstance(json.loads(value["StringValue"]), list):
            raise Violation("sns", f"the attribute {name} is no array: {value}")
        octets += len(f"{name}{value['DataType']}{value['StringValue']}".encode())
    if octets > MAX_PUBLISHED:
        raise Violation("sns", f"the message has {octets} octets")
    if len(attributes) > MAX_ATTRIBUTES:
        raise Violation("sns", f"{len(attributes)} attributes")
    if message.get("MessageStructure") == "json":
        forms = json.loads(message["Message"])
        if not isinstance(forms.get("default"), str) or not all(isinstance(form, str) for form in forms.values()):
            raise Violation("sns", f"a JSON message has no default, or forms that are no text: {sorted(forms)}")


def check_events(entries: list[Mapping[str, Any]]) -> None:
    """Refuse, as a fault of ours, what EventBridge would refuse."""
    if not 1 <= len(entries) <= 10:
        raise Violation("events", f"{len(entries)} entries in one request")
    octets = 0
    for entry in entries:
        if not isinstance(json.loads(entry["Detail"]), dict):
            raise Violation("events", f"the detail is no object: {entry['Detail'][:100]}")
        if not 1 <= len(entry["DetailType"]) <= 128 or entry["Source"].startswith("aws."):
            raise Violation("events", f"the entry has the type {entry['DetailType']!r}, source {entry['Source']!r}")
        octets += sum(len(entry[name].encode()) for name in ("Source", "DetailType", "Detail"))
    if octets > MAX_PUBLISHED:
        raise Violation("events", f"the entries have {octets} octets")


def cancelled(writes: int, code: str) -> ClientError:
    """Return the error of a transaction whose first write met this."""
    reasons = [{"Code": code}, *({"Code": "None"} for _ in range(writes - 1))]
    told: Any = {
        "Error": {"Code": "TransactionCanceledException", "Message": f"Transaction cancelled: {code}"},
        "CancellationReasons": reasons,
    }
    return ClientError(told, "TransactWriteItems")


def _bare(resource: Mapping[str, Any]) -> dict[str, Any]:
    """Return a resource without what moto cannot make in this process: the topics' key."""
    properties = {name: value for name, value in resource["Properties"].items() if name != "KmsMasterKeyId"}
    return {"Type": resource["Type"], "Properties": properties}
