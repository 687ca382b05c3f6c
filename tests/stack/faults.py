"""What a translated template must have to be safe to run; each fault says what is wrong of which resource.

Source: the AWS Well-Architected Framework's security and reliability pillars, and the Lambda developer guide on SQS
(visibility of at least 6 times the function's timeout, at least 5 receives) and on streams.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

type Stack = Mapping[str, Any]
"""Resources by logical id."""
type Check = Callable[[Stack], Iterator[str]]

REASONS: Mapping[tuple[str, str], str] = {
    ("DispatchRole", "FindTheStream"): "a stream's ARN ends with the time at which it was made",
    ("NotifyRole", "FindTheStream"): "a stream's ARN ends with the time at which it was made",
    ("AuditHostRole", "ToTaggedMachines"): "the machines are not the stack's: their tag tells them apart",
    ("AuditHostRole", "FetchAnswersAndReadFirewalls"): "AWS takes no resource for these actions",
    ("TopicKey", "AdministeredByThisAccount"): "a key that nobody can administer cannot even be removed",
    ("TopicKey", "AlarmsOfThisAccount"): "CloudWatch asks for the actions with and without a plain text",
}
"""Resource and statement → why it has a wildcard."""
NEEDS_CONDITION = {"ToTaggedMachines", "FetchAnswersAndReadFirewalls", "AlarmsOfThisAccount"}
"""Statements with a wildcard that hold under a condition alone."""


def faults(stack: Stack) -> list[str]:
    """Return what is wrong of a translated template, as `code: resource`."""
    return sorted(fault for check in CHECKS for fault in check(stack))


# --- policies -----------------------------------------------------------------------------------------------------


def wildcards(stack: Stack) -> Iterator[str]:
    """Yield statements that allow by wildcard without a reason, and those whose reason's condition is gone."""
    for name, item in stack.items():
        for statement in _statements(item):
            if statement["Effect"] != "Allow":
                continue
            known = (name, statement.get("Sid", "")) in REASONS
            if known and statement["Sid"] in NEEDS_CONDITION and not statement.get("Condition"):
                yield f"wildcard.unconditional: {name}"
            if known:
                continue
            if "*" in str(statement["Action"]):
                yield f"wildcard.action: {name}"
            # In a key's policy, * is the key itself.
            if item["Type"] != "AWS::KMS::Key" and "*" in str(statement["Resource"]):
                yield f"wildcard.resource: {name}"
            if "*" in str(statement.get("Principal", "")):
                yield f"wildcard.principal: {name}"
        if item["Type"] == "AWS::IAM::Role" and item["Properties"].get("ManagedPolicyArns"):
            yield f"wildcard.managed_policy: {name}"


def _statements(item: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    properties = item.get("Properties", {})
    documents = [policy["PolicyDocument"] for policy in properties.get("Policies", ())]
    documents += [properties[key] for key in ("PolicyDocument", "KeyPolicy") if key in properties]
    for document in documents:
        yield from document["Statement"]


def commands(stack: Stack) -> Iterator[str]:
    """Yield documents that take parameters, and rights to run commands beyond one document and tagged machines."""
    for name, _ in _of(stack, "AWS::SSM::Document"):
        if stack[name]["Properties"]["Content"].get("parameters"):
            yield f"command.parameters: {name}"
    for name, role in _of(stack, "AWS::IAM::Role"):
        for statement in _statements({"Properties": role}):
            if "ssm:SendCommand" not in statement["Action"]:
                continue
            tagged = any(
                key.startswith("ssm:resourceTag/") for of in statement.get("Condition", {}).values() for key in of
            )
            if not tagged and "HostAuditDocument" not in str(statement["Resource"]):
                yield f"command.untagged: {name}"


# --- data at rest -------------------------------------------------------------------------------------------------


def keys(stack: Stack) -> Iterator[str]:
    """Yield topics, queues and tables without a KMS key."""
    for kind in ("AWS::SNS::Topic", "AWS::SQS::Queue"):
        yield from (f"key.missing: {name}" for name, one in _of(stack, kind) if not one.get("KmsMasterKeyId"))
    for name, table in _of(stack, "AWS::DynamoDB::Table"):
        if table.get("SSESpecification", {}).get("SSEEnabled") is not True:
            yield f"key.missing: {name}"
    for name, key in _of(stack, "AWS::KMS::Key"):
        if key.get("EnableKeyRotation") is not True:
            yield f"key.rotation: {name}"


def tables(stack: Stack) -> Iterator[str]:
    """Yield tables that a mistake or the end of the stack could take away."""
    for name, table in _of(stack, "AWS::DynamoDB::Table"):
        if not table.get("PointInTimeRecoverySpecification", {}).get("PointInTimeRecoveryEnabled"):
            yield f"table.recovery: {name}"
        if not table.get("DeletionProtectionEnabled"):
            yield f"table.protection: {name}"
        if {stack[name].get(policy) for policy in ("DeletionPolicy", "UpdateReplacePolicy")} != {"Retain"}:
            yield f"table.retain: {name}"


def logs(stack: Stack) -> Iterator[str]:
    """Yield log groups that are kept for good."""
    for name, group in _of(stack, "AWS::Logs::LogGroup"):
        if not group.get("RetentionInDays"):
            yield f"log.retention: {name}"


# --- functions ----------------------------------------------------------------------------------------------------


def functions(stack: Stack) -> Iterator[str]:
    """Yield functions that share a role or a log group with another, or may take all of the account's concurrency."""
    found = dict(_of(stack, "AWS::Lambda::Function"))
    roles = {name: str(one.get("Role")) for name, one in found.items()}
    groups = {name: str(one.get("LoggingConfig", {}).get("LogGroup")) for name, one in found.items()}
    for name, one in found.items():
        if list(roles.values()).count(roles[name]) > 1 or _logical(one["Role"]) not in stack:
            yield f"function.role: {name}"
        if list(groups.values()).count(groups[name]) > 1 or groups[name] == "None":
            yield f"function.log_group: {name}"
        if not one.get("ReservedConcurrentExecutions"):
            yield f"function.concurrency: {name}"


def sources(stack: Stack) -> Iterator[str]:
    """Yield event sources that lose records, or repeat what was worked on."""
    for name, mapping in _of(stack, "AWS::Lambda::EventSourceMapping"):
        if mapping.get("FunctionResponseTypes") != ["ReportBatchItemFailures"]:
            yield f"source.report: {name}"
        source = _logical(mapping["EventSourceArn"])
        if stack[source]["Type"] == "AWS::SQS::Queue":
            yield from _of_queue(stack, source, mapping)
            continue
        if mapping.get("StartingPosition") != "TRIM_HORIZON":
            yield f"source.start: {name}"
        if mapping.get("BisectBatchOnFunctionError") is not True:
            yield f"source.bisect: {name}"
        if not mapping.get("DestinationConfig", {}).get("OnFailure"):
            yield f"source.destination: {name}"


def _of_queue(stack: Stack, source: str, mapping: Mapping[str, Any]) -> Iterator[str]:
    queue = stack[source]["Properties"]
    timeout = stack[_logical(mapping["FunctionName"])]["Properties"]["Timeout"]
    if queue.get("VisibilityTimeout", 30) < 6 * timeout + mapping.get("MaximumBatchingWindowInSeconds", 0):
        yield f"queue.visibility: {source}"
    redrive = queue.get("RedrivePolicy")
    if not redrive:
        yield f"queue.dead_letters: {source}"
    elif redrive["maxReceiveCount"] < 5:
        yield f"queue.receives: {source}"


def deliveries(stack: Stack) -> Iterator[str]:
    """Yield schedules, rules and functions that are invoked without an answer and set nothing aside."""
    invoked = set()
    targets = [(name, one["Target"]) for name, one in _of(stack, "AWS::Scheduler::Schedule")]
    targets += [(name, target) for name, one in _of(stack, "AWS::Events::Rule") for target in one["Targets"]]
    for name, target in targets:
        invoked.add(_logical(target["Arn"]))
        if not target.get("DeadLetterConfig"):
            yield f"delivery.dead_letters: {name}"
    kept = {
        _logical(config["FunctionName"])
        for _, config in _of(stack, "AWS::Lambda::EventInvokeConfig")
        if config.get("DestinationConfig", {}).get("OnFailure")
    }
    yield from (f"delivery.destination: {name}" for name in invoked - kept)


# --- alarms -------------------------------------------------------------------------------------------------------


def alarms(stack: Stack) -> Iterator[str]:
    """Yield what has no alarm, and alarms that tell nobody."""
    watched: dict[str, set[str]] = {}
    for name, alarm in _of(stack, "AWS::CloudWatch::Alarm"):
        if not alarm.get("AlarmActions"):
            yield f"alarm.silent: {name}"
        dimensions = [one["Value"] for one in alarm.get("Dimensions", ()) if isinstance(one["Value"], dict)]
        watched.setdefault(alarm["MetricName"], set()).update(map(_logical, dimensions))
    mappings = [mapping for _, mapping in _of(stack, "AWS::Lambda::EventSourceMapping")]
    worked_on = {_logical(mapping["EventSourceArn"]) for mapping in mappings}
    queues = {name for name, _ in _of(stack, "AWS::SQS::Queue")}
    called = {name for name, _ in _of(stack, "AWS::Lambda::Function")}
    wanted = {
        "Errors": called,
        "Throttles": called,
        "IteratorAge": {_logical(one["FunctionName"]) for one in mappings if "StartingPosition" in one},
        "ApproximateNumberOfMessagesVisible": queues - worked_on,
        "ApproximateAgeOfOldestMessage": queues & worked_on,
        "NumberOfNotificationsFailed": {name for name, _ in _of(stack, "AWS::SNS::Topic")},
    }
    for metric, names in wanted.items():
        yield from (f"alarm.missing: {metric} of {name}" for name in names - watched.get(metric, set()))


# --- what they share ----------------------------------------------------------------------------------------------


def _of(stack: Stack, kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the resources of a type with their properties."""
    return ((name, item.get("Properties", {})) for name, item in stack.items() if item["Type"] == kind)


def _logical(value: Any) -> str:
    """Return the logical id of Ref or Fn::GetAtt."""
    return str(value["Ref"] if "Ref" in value else value["Fn::GetAtt"][0])


CHECKS: tuple[Check, ...] = (wildcards, commands, keys, tables, logs, functions, sources, deliveries, alarms)
