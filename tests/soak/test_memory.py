"""The tables in memory answer as moto does: the calls of whole stories are made on both."""

import contextlib
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from moto.dynamodb.models.table import Table

from tests.soak import amazon
from tests.soak.faults import Actor
from tests.soak.memory import Dynamo
from tests.soak.world import World

CALLS = ("get_item", "put_item", "delete_item", "update_item", "transact_write_items", "query", "batch_get_item")


class Twice:
    """A client that makes each call in memory and on moto, and holds the answers against each other."""

    def __init__(self, memory: Dynamo, moto: Any) -> None:
        self.memory, self.moto = memory, moto
        self.exceptions, self.meta, self.tables = memory.exceptions, memory.meta, memory.tables
        self.compared: dict[str, int] = dict.fromkeys(CALLS, 0)

    def __getattr__(self, operation: str) -> Any:
        return lambda **asked: self.made(operation, asked)

    def made(self, operation: str, asked: dict[str, Any]) -> Any:
        """Make one call on both."""
        answers: list[Any] = []
        for client in (self.moto, self.memory):
            try:
                answers.append(getattr(client, operation)(**asked))
            except ClientError as error:
                reasons = [reason["Code"] for reason in error.response.get("CancellationReasons", ())]
                answers.append((error.response["Error"]["Code"], reasons, error.response.get("Item")))
                last = error
        if operation in self.compared:
            self.compared[operation] += 1
            assert told(operation, answers[0]) == told(operation, answers[1]), (operation, asked)
        if isinstance(answers[1], tuple):
            raise last
        return answers[1]


def told(operation: str, answer: Any) -> Any:
    """Return what of an answer is compared: not the meta data, and sets in one order."""
    if isinstance(answer, tuple):
        return answer
    kept = {name: value for name, value in answer.items() if name in {"Item", "Items", "Attributes", "Responses"}}
    if operation == "update_item" and "Attributes" in kept:
        # Of a new item moto returns the key as well, where only what was updated is asked for.
        kept["Attributes"] = {name: it for name, it in kept["Attributes"].items() if name not in {"site", "sk"}}
    if operation == "query" and kept.get("Items") and "created_at" in kept["Items"][0]:
        kept["Items"] = sorted(kept["Items"], key=str)  # of equal times an index knows no order
    return {name: sorted_sets(value) for name, value in kept.items() if value}


def sorted_sets(value: Any) -> Any:
    """Return a marshalled value with its sets in order."""
    if isinstance(value, dict):
        return {name: sorted(it) if name == "SS" else sorted_sets(it) for name, it in value.items()}
    return [sorted_sets(it) for it in value] if isinstance(value, list) else value


def test_as_moto(monkeypatch: pytest.MonkeyPatch) -> None:
    """A story of a few sites makes every kind of call, and both answer alike."""
    with World(in_memory=True) as world, mock_aws():
        monkeypatch.setattr(Table, "__deepcopy__", amazon._copied, raising=False)
        moto = boto3.client("dynamodb")
        for name in ("SitesTable", "ResultsTable"):
            given = world.amazon.template["Resources"][name]["Properties"]
            wanted = ("AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes", "BillingMode")
            streams = {"StreamSpecification": given["StreamSpecification"] | {"StreamEnabled": True}}
            moto.create_table(TableName=name, **{key: given[key] for key in wanted if key in given}, **streams)
        both = world.amazon.clients["dynamodb"] = Twice(world.amazon.clients["dynamodb"], moto)
        tell_story(world)
        assert all(both.compared.values()), both.compared


def tell_story(world: World) -> None:
    """Let sites break, mend, and leave, two runs overlap, and the sweeper come."""
    for name in ("a.example", "b.example"):
        world.declare(name)
    for round_ in range(6):
        world.clock.sleep(300)
        world.truths["a.example"].problems = {"http.server_error": "error"} if round_ in {1, 2, 4} else {}
        world.unreached = round_ == 5
        world.tick(world.clock.truth(), Actor(world))
        for message in world.queue:
            actor = Actor(world)
            actor.subject = message
            if round_ == 4:
                world.overlap(actor, 3)
            world.work(message, actor)
            world.work(message, Actor(world))
        world.queue.clear()
        with contextlib.suppress(IndexError):
            world.deliver(world.inserts.pop(0), Actor(world))
        world.sweep(Actor(world))
    world.announce(Actor(world))
    world.withdraw("b.example")
    world.remove(world.removals, Actor(world))
    for message in world.queue:
        world.work(message, Actor(world))
    world.sweep(Actor(world))
    assert world.violation is None
