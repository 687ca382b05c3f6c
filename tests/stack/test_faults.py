"""The stack has none of the faults that an audit looks for, and each of them would be found."""

import copy
import inspect
import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.stack import faults as audited
from tests.stack.faults import NEEDS_CONDITION, REASONS, faults
from tests.stack.translated import resources

type Stack = dict[str, Any]
type Spoil = Callable[[Stack], object]
"""Breaks one thing of a template's resources."""

GONE = object()


def test_template_has_no_fault() -> None:
    """The template as it stands has none of them."""
    assert faults(resources()) == []


# --- a template spoilt in one place -------------------------------------------------------------------------------


def to(name: str, *path: str | int, value: Any = GONE) -> Spoil:
    """Return what sets a property of a resource to a value, or removes it."""

    def spoil(stack: Stack) -> None:
        place: Any = stack[name]["Properties"]
        for step in path[:-1]:
            place = place[step]
        if value is GONE:
            del place[path[-1]]
        else:
            place[path[-1]] = value

    return spoil


def policy(name: str, value: Any) -> Spoil:
    """Return what sets a table's DeletionPolicy."""
    return lambda stack: stack[name].update(DeletionPolicy=value)


def grant(role: str, action: str, resource: Any) -> Spoil:
    """Return what lets a role do more."""
    more = {"Sid": "More", "Effect": "Allow", "Action": action, "Resource": resource}
    return lambda stack: _statements(stack, role).append(more)


def unconditional(role: str, sid: str) -> Spoil:
    """Return what takes the condition from a statement."""

    def spoil(stack: Stack) -> None:
        (statement,) = [one for one in _statements(stack, role) if one["Sid"] == sid]
        del statement["Condition"]

    return spoil


def anybody(stack: Stack) -> None:
    """Let everybody put messages into a queue."""
    stack["AuditHostDeadLetterQueuePolicy"]["Properties"]["PolicyDocument"]["Statement"][0]["Principal"] = "*"


def _statements(stack: Stack, role: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = stack[role]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]
    return found


def without(name: str) -> Spoil:
    """Return what removes a resource."""
    return lambda stack: stack.pop(name)


TABLE = {"Fn::GetAtt": ["ResultsTable", "Arn"]}
ROLE = {"Fn::GetAtt": ["NotifyRole", "Arn"]}

SPOILT: list[tuple[str, Spoil]] = [
    ("wildcard.action: CheckRole", grant("CheckRole", "dynamodb:*", TABLE)),
    ("wildcard.action: NotifyRole", grant("NotifyRole", "sns:Publish*", {"Ref": "AlertTopic"})),
    ("wildcard.resource: CheckRole", grant("CheckRole", "dynamodb:GetItem", "*")),
    ("wildcard.resource: DispatchRole", grant("DispatchRole", "sqs:SendMessage", [{"Fn::Sub": "arn:aws:sqs:*"}])),
    ("wildcard.principal: AuditHostDeadLetterQueuePolicy", anybody),
    ("wildcard.managed_policy: CheckRole", to("CheckRole", "ManagedPolicyArns", value=["arn:aws:iam::aws:policy/x"])),
    ("wildcard.unconditional: AuditHostRole", unconditional("AuditHostRole", "ToTaggedMachines")),
    ("command.untagged: AuditHostRole", unconditional("AuditHostRole", "ToTaggedMachines")),
    (
        "command.untagged: CheckRole",
        grant("CheckRole", "ssm:SendCommand", {"Fn::Sub": "document/AWS-RunShellScript"}),
    ),
    ("command.parameters: HostAuditDocument", to("HostAuditDocument", "Content", "parameters", value={"run": {}})),
    ("key.missing: AlertTopic", to("AlertTopic", "KmsMasterKeyId")),
    ("key.missing: CheckQueue", to("CheckQueue", "KmsMasterKeyId")),
    ("key.missing: NotifyDeadLetterQueue", to("NotifyDeadLetterQueue", "KmsMasterKeyId")),
    ("key.missing: SitesTable", to("SitesTable", "SSESpecification", "SSEEnabled", value=False)),
    ("key.missing: ResultsTable", to("ResultsTable", "SSESpecification")),
    ("key.rotation: TopicKey", to("TopicKey", "EnableKeyRotation", value=False)),
    ("table.recovery: SitesTable", to("SitesTable", "PointInTimeRecoverySpecification")),
    ("table.protection: ResultsTable", to("ResultsTable", "DeletionProtectionEnabled", value=False)),
    ("table.retain: ResultsTable", policy("ResultsTable", "Delete")),
    ("log.retention: CheckLogGroup", to("CheckLogGroup", "RetentionInDays")),
    ("function.role: CheckFunction", to("CheckFunction", "Role", value=ROLE)),
    ("function.role: NotifyFunction", to("CheckFunction", "Role", value=ROLE)),
    ("function.log_group: CheckFunction", to("CheckFunction", "LoggingConfig", "LogGroup")),
    (
        "function.log_group: DispatchFunction",
        to("DispatchFunction", "LoggingConfig", "LogGroup", value={"Ref": "CheckLogGroup"}),
    ),
    ("function.concurrency: NotifyFunction", to("NotifyFunction", "ReservedConcurrentExecutions")),
    ("source.report: CheckFunctionQueue", to("CheckFunctionQueue", "FunctionResponseTypes")),
    ("source.report: NotifyFunctionAlerts", to("NotifyFunctionAlerts", "FunctionResponseTypes", value=[])),
    ("source.start: NotifyFunctionAlerts", to("NotifyFunctionAlerts", "StartingPosition", value="LATEST")),
    ("source.bisect: DispatchFunctionRemovals", to("DispatchFunctionRemovals", "BisectBatchOnFunctionError")),
    ("source.destination: NotifyFunctionAlerts", to("NotifyFunctionAlerts", "DestinationConfig")),
    ("queue.visibility: CheckQueue", to("CheckQueue", "VisibilityTimeout", value=720)),
    ("queue.visibility: CheckQueue", to("CheckFunction", "Timeout", value=300)),
    ("queue.dead_letters: CheckQueue", to("CheckQueue", "RedrivePolicy")),
    ("queue.receives: CheckQueue", to("CheckQueue", "RedrivePolicy", "maxReceiveCount", value=4)),
    ("delivery.dead_letters: NotifyFunctionSweep", to("NotifyFunctionSweep", "Target", "DeadLetterConfig")),
    (
        "delivery.dead_letters: AuditHostFunctionEnded",
        to("AuditHostFunctionEnded", "Targets", 0, "DeadLetterConfig"),
    ),
    ("delivery.destination: DispatchFunction", without("DispatchFunctionEventInvokeConfig")),
    ("delivery.destination: NotifyFunction", to("NotifyFunctionEventInvokeConfig", "DestinationConfig")),
    ("alarm.silent: CheckErrorAlarm", to("CheckErrorAlarm", "AlarmActions", value=[])),
    ("alarm.missing: Errors of CheckFunction", without("CheckErrorAlarm")),
    ("alarm.missing: Throttles of NotifyFunction", without("NotifyThrottleAlarm")),
    ("alarm.missing: IteratorAge of NotifyFunction", without("NotifyIteratorAgeAlarm")),
    (
        "alarm.missing: ApproximateNumberOfMessagesVisible of CheckDeadLetterQueue",
        without("CheckDeadLetterAlarm"),
    ),
    ("alarm.missing: ApproximateAgeOfOldestMessage of CheckQueue", without("CheckQueueAgeAlarm")),
    ("alarm.missing: NumberOfNotificationsFailed of ChatTopic", without("ChatDeliveryAlarm")),
]
"""Fault that must be found → what brings it in."""


@pytest.mark.parametrize(
    ("fault", "spoil"), SPOILT, ids=[f"{number} {fault}" for number, (fault, _) in enumerate(SPOILT)]
)
def test_fault_is_found(fault: str, spoil: Spoil) -> None:
    """Each thing that is spoilt in the real template makes its fault."""
    stack = copy.deepcopy(resources())
    spoil(stack)
    assert fault in faults(stack)


def test_every_fault_can_be_found() -> None:
    """No check stands here that nothing was ever caught by."""
    codes = set(re.findall(r'f"([a-z_]+\.[a-z_]+): ', inspect.getsource(audited)))
    assert {fault.partition(":")[0] for fault, _ in SPOILT} == codes


@pytest.mark.parametrize("known", sorted(REASONS), ids=".".join)
def test_reason_for_a_wildcard_is_needed(known: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its reason the statement is a fault; no reason is left over from one that is gone."""
    monkeypatch.setattr(audited, "REASONS", {key: why for key, why in REASONS.items() if key != known})
    assert {fault.partition(": ")[2] for fault in faults(resources())} == {known[0]}


@pytest.mark.parametrize("sid", sorted(NEEDS_CONDITION))
def test_wildcard_with_a_reason_holds_under_its_condition(sid: str) -> None:
    """A statement that a condition makes harmless is a fault without it."""
    stack = copy.deepcopy(resources())
    (owner,) = {name for name, one in REASONS if one == sid}
    properties = stack[owner]["Properties"]
    document = properties["KeyPolicy"] if "KeyPolicy" in properties else properties["Policies"][0]["PolicyDocument"]
    for statement in document["Statement"]:
        if statement["Sid"] == sid:
            del statement["Condition"]
    assert f"wildcard.unconditional: {owner}" in faults(stack)
