"""What the functions really ask of AWS, their roles allow: no embedded AWS refuses anything, so it is held here.

A whole life of a site is played, with every call of every function noted, and each is looked for among the
statements of the function's role: its action, the resource that it names, and the partition key in the conditions.
"""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from http import HTTPStatus
from typing import Any

import boto3
import msgspec
import pytest
from padlock.storage import Sites

from local.aws import ACCOUNT, REGION, EmbeddedAws
from local.emulator import ROOT, ready
from local.pump import FUNCTIONS, Pump, logical
from tests.loopback_site import LoopbackSite
from tests.stack.test_arrows import named
from tests.stack.translated import properties, statements

START = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=2)
ACTIONS = {"sqs:SendMessageBatch": "sqs:SendMessage"}
"""Call → the action that allows it, where that has another name."""


class Call(msgspec.Struct, frozen=True):
    """What one call of a function needs."""

    function: str
    action: str
    resource: str
    """ARN."""
    partition: str = ""
    """The partition key, of DynamoDB's items."""


class Watched(Pump):
    """Functions whose calls are noted."""

    def __init__(self, aws: EmbeddedAws, environment: Mapping[str, str]) -> None:
        self.calls: set[Call] = set()
        self._running = ""
        super().__init__(aws, environment)

    def invoke(self, function: str, event: Any) -> Any:
        """Call a function's handler; what it asks of AWS meanwhile is its own."""
        self._running = function
        try:
            return super().invoke(function, event)
        finally:
            self._running = ""

    def note(self, params: Mapping[str, Any], model: Any, **_: Any) -> None:
        """Note a call before it is made."""
        if self._running:
            service = model.service_model.service_name
            self.calls |= {Call(self._running, *needed) for needed in _needed(service, model.name, params)}


def _needed(service: str, operation: str, params: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Yield the action, resource and partition key that a call needs."""
    action = ACTIONS.get(f"{service}:{operation}", f"{service}:{operation}")
    here = f"{REGION}:{ACCOUNT}"
    match service:
        case "dynamodb":
            yield from _needed_of_tables(operation, params)
        case "sqs":
            yield action, f"arn:aws:sqs:{here}:{params['QueueUrl'].rpartition('/')[2]}", ""
        case "sns":
            yield action, params["TopicArn"], ""
        case "events":
            for entry in params["Entries"]:
                yield action, f"arn:aws:events:{here}:event-bus/{entry['EventBusName']}", ""
        case _:
            document = params.get("DocumentName")
            yield action, f"arn:aws:ssm:{here}:document/{document}" if document else "*", ""


def _needed_of_tables(operation: str, params: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    if operation == "TransactWriteItems":
        for kind, write in (part for entry in params["TransactItems"] for part in entry.items()):
            yield from _needed_of_tables("ConditionCheckItem" if kind == "ConditionCheck" else f"{kind}Item", write)
    elif operation == "BatchGetItem":
        for table, asked in params["RequestItems"].items():
            for key in asked["Keys"]:
                yield f"dynamodb:{operation}", _table(table), _partition(key)
    else:
        index = f"/index/{params['IndexName']}" if "IndexName" in params else ""
        yield f"dynamodb:{operation}", _table(params["TableName"]) + index, _partition(params)


def _table(name: str) -> str:
    return f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{name}"


def _partition(params: Mapping[str, Any]) -> str:
    """Return the partition key that a request of DynamoDB names; empty where it names none."""
    if "KeyConditionExpression" in params:
        placeholder = params["KeyConditionExpression"].split("=")[1].split()[0]
        return str(params["ExpressionAttributeValues"][placeholder]["S"])
    key = params.get("Key", params.get("Item", params))
    return next((str(key[name]["S"]) for name in ("site", "name") if isinstance(key.get(name), dict)), "")


def allows(aws: EmbeddedAws, statement: Mapping[str, Any], call: Call) -> bool:
    """Return whether a statement of a role allows a call."""
    if call.action not in statement["Action"]:
        return False
    if not any(fnmatchcase(call.resource, arn(aws, resource)) for resource in statement["Resource"]):
        return False
    patterns = [
        pattern
        for test in statement.get("Condition", {}).values()
        for key, patterns in test.items()
        if key == "dynamodb:LeadingKeys"
        for pattern in patterns
    ]
    return not patterns or any(fnmatchcase(call.partition, pattern) for pattern in patterns)


def arn(aws: EmbeddedAws, resource: Any) -> str:
    """Return the ARN that a statement's resource is."""

    def of(name: str) -> str:
        physical = str(aws.resolved({"Ref": name}))
        if physical.startswith("arn:"):
            return physical
        if "://" in physical:
            return f"arn:aws:sqs:{REGION}:{ACCOUNT}:{physical.rpartition('/')[2]}"
        return _table(physical)

    match resource:
        case {"Ref": str(name)} | {"Fn::GetAtt": [str(name), "Arn"]}:
            return of(name)
        case {"Fn::Sub": str(text)}:
            text = re.sub(r"\$\{(\w+)\.Arn\}", lambda found: of(found[1]), text)
            return str(aws.resolved({"Fn::Sub": text.replace("${AWS::Partition}", "aws")}))
    return json.dumps(resource) if isinstance(resource, dict) else str(resource)


@pytest.fixture
def watched(aws: EmbeddedAws, shop: LoopbackSite, monkeypatch: pytest.MonkeyPatch) -> Watched:
    """Return the functions, with every client that they make watched."""
    calls: list[Watched] = []
    session = boto3.session.Session()
    session.events.register("before-parameter-build", lambda **given: calls[0].note(**given) if calls else None)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", session)
    here = {"RESOLVERS": shop.resolver, "ALLOWED_NETWORKS": "127.0.0.0/8", "SECOND_LOOK_PAUSE": "0"}
    calls.append(Watched(aws, here))
    return calls[0]


def test_roles_allow_what_the_functions_do(aws: EmbeddedAws, shop: LoopbackSite, watched: Watched) -> None:
    """A site that is new, broken and gone, digest, sweeper and audit: nothing is asked for that is forbidden."""
    sites = Sites(aws.client("dynamodb"), aws.physical["SitesTable"])
    sites.put({**shop.declaration, "interval": "1h"})
    watched.run(START)
    shop.status = HTTPStatus.BAD_GATEWAY
    watched.run(START + timedelta(hours=1))
    watched.digest(START)
    watched.invoke("check", {"site": shop.name})
    sites.delete(shop.name)
    watched.removals()
    watched.drain()
    watched.stream()
    watched.tick(START + timedelta(hours=1, minutes=5))
    watched.sweep()
    for name in ("audit-site.json", "audit-ended.json"):
        watched.invoke("audit_host", ready(aws, name, json.loads((ROOT / "events" / name).read_text())))
    assert {call.function for call in watched.calls} == set(FUNCTIONS)
    assert len(watched.calls) > 30
    refused = [
        call
        for call in sorted(watched.calls, key=str)
        if not any(allows(aws, statement, call) for statement in statements(role_of(call.function)))
    ]
    assert refused == []


def role_of(function: str) -> str:
    """Return the logical id of a function's role."""
    return named(properties(logical(function))["Role"])
