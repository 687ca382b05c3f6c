"""Nothing is lost on the way between two parts of the stack: what cannot be delivered is set aside for 14 days."""

import itertools
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.stack.translated import get, of_type, properties, resources, statements

MAPPINGS = of_type("AWS::Lambda::EventSourceMapping")
SCHEDULES = of_type("AWS::Scheduler::Schedule")
RULES = of_type("AWS::Events::Rule")


def named(value: Any) -> str:
    """Return the logical id of Ref or Fn::GetAtt."""
    name = value["Ref"] if "Ref" in value else value["Fn::GetAtt"][0]
    assert isinstance(name, str)
    return name


def destinations() -> Iterator[tuple[str, str]]:
    """Yield (arrow, queue) of every way on which something is set aside."""
    for name, queue in of_type("AWS::SQS::Queue").items():
        if "RedrivePolicy" in queue:
            yield name, named(queue["RedrivePolicy"]["deadLetterTargetArn"])
    for name, mapping in MAPPINGS.items():
        if "DestinationConfig" in mapping:
            yield name, named(mapping["DestinationConfig"]["OnFailure"]["Destination"])
    for name, config in of_type("AWS::Lambda::EventInvokeConfig").items():
        yield name, named(config["DestinationConfig"]["OnFailure"]["Destination"])
    for name, schedule in SCHEDULES.items():
        yield name, named(schedule["Target"]["DeadLetterConfig"]["Arn"])
    for name, rule in RULES.items():
        for target in rule["Targets"]:
            yield name, named(target["DeadLetterConfig"]["Arn"])


def asynchronous() -> set[str]:
    """Return the functions that a schedule or a rule invokes, which waits for no answer."""
    targets = [schedule["Target"] for schedule in SCHEDULES.values()]
    targets += itertools.chain.from_iterable(rule["Targets"] for rule in RULES.values())
    return {named(target["Arn"]) for target in targets}


def may_send(role: str, queue: str) -> bool:
    """Return whether a role may put messages into a queue."""
    return any(
        "sqs:SendMessage" in statement["Action"] and get(queue) in statement["Resource"]
        for statement in statements(role)
    )


@pytest.mark.parametrize("name", sorted(MAPPINGS))
def test_event_sources(name: str) -> None:
    """A batch that fails in every attempt goes to a queue, by the source's redrive or by the function's role."""
    mapping = MAPPINGS[name]
    source = named(mapping["EventSourceArn"])
    if resources()[source]["Type"] == "AWS::SQS::Queue":
        assert source in dict(destinations())
        return
    role = named(properties(named(mapping["FunctionName"]))["Role"])
    assert may_send(role, dict(destinations())[name])


@pytest.mark.parametrize("name", sorted(SCHEDULES))
def test_schedules(name: str) -> None:
    """A tick that the Scheduler cannot deliver goes to a queue, which the schedule's role may fill."""
    target = SCHEDULES[name]["Target"]
    assert target["RetryPolicy"]["MaximumRetryAttempts"] >= 1
    assert may_send(named(target["RoleArn"]), dict(destinations())[name])


@pytest.mark.parametrize("name", sorted(RULES))
def test_rules(name: str) -> None:
    """An event that EventBridge cannot deliver goes to a queue, which lets this rule fill it and nobody else."""
    queue = dict(destinations())[name]
    (policy,) = [one for one in of_type("AWS::SQS::QueuePolicy").values() if one["Queues"] == [{"Ref": queue}]]
    (statement,) = policy["PolicyDocument"]["Statement"]
    assert (statement["Effect"], statement["Action"], statement["Resource"]) == (
        *("Allow", "sqs:SendMessage"),
        get(queue),
    )
    assert statement["Principal"] == {"Service": "events.amazonaws.com"}
    assert statement["Condition"] == {"ArnEquals": {"aws:SourceArn": get(name)}}


@pytest.mark.parametrize("function", sorted(asynchronous()))
def test_asynchronous_invocations(function: str) -> None:
    """An event that a function fails on in every attempt goes to a queue, which the function's role may fill."""
    (config,) = [
        (name, config)
        for name, config in of_type("AWS::Lambda::EventInvokeConfig").items()
        if config["FunctionName"] == {"Ref": function}
    ]
    assert may_send(named(properties(function)["Role"]), dict(destinations())[config[0]])
    assert config[1]["MaximumEventAgeInSeconds"] >= 300


def test_set_aside_for_14_days() -> None:
    """Every queue is either worked on or a place for what failed; there, messages stay as long as SQS keeps any."""
    worked_on = {named(mapping["EventSourceArn"]) for mapping in MAPPINGS.values()}
    queues = set(of_type("AWS::SQS::Queue"))
    aside = {queue for _, queue in destinations()}
    assert queues - worked_on == aside
    assert {properties(queue)["MessageRetentionPeriod"] for queue in aside} == {14 * 86400}


def test_functions_without_a_destination() -> None:
    """Two have none: the queue hands check its work, and people invoke it, and the dashboard's function, and wait."""
    functions = set(of_type("AWS::Lambda::Function"))
    assert functions - asynchronous() == {"CheckFunction", "DashboardFunction"}
    assert "lambda:InvokeFunction" not in json.dumps([statements(role) for role in ("DispatchRole", "NotifyRole")])
