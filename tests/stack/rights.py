"""What the stack's roles grant, and what the functions need of AWS: for their own calls, and for AWS in their name.

Resources go by their logical ids. A grant is one action on one resource, with the statement's conditions.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

import msgspec

from local.aws import REGION

ACTIONS = {"sqs:SendMessageBatch": "sqs:SendMessage"}
"""Call → the action that allows it, where that has another name."""
LEADING = "dynamodb:LeadingKeys"
ATTRIBUTES = "dynamodb:Attributes"
USE_OF_A_KEY = ("kms:GenerateDataKey", "kms:Decrypt")


class Need(msgspec.Struct, frozen=True):
    """An action on a resource that a function needs, with what IAM knows of the request by its condition keys."""

    function: str
    """Logical id."""
    action: str
    resource: str
    context: tuple[tuple[str, str], ...] = ()


class Grant(msgspec.Struct, frozen=True):
    """An action on one resource, or on all that match a pattern, that a role allows under conditions."""

    role: str
    sid: str
    action: str
    resource: str
    conditions: tuple[tuple[str, str, tuple[str, ...]], ...] = ()
    """Operator, key and values."""

    def meets(self, need: Need) -> bool:
        """Return whether the grant allows what is needed."""
        return (
            self.action == need.action
            and fnmatchcase(need.resource, self.resource)
            and all(_meets(operator, need, key, of) for operator, key, of in self.conditions)
        )


def _meets(operator: str, need: Need, key: str, patterns: Sequence[str]) -> bool:
    """Return whether a condition holds for each value that a request has of a key."""
    values = [value for name, value in need.context if name == key]
    return all(_holds(operator, value, patterns) for value in (values or (None,)))


def _holds(operator: str, value: str | None, patterns: Sequence[str]) -> bool:
    """Return whether a condition holds for a key's value, None where the request has none."""
    match operator:
        case "StringEquals" | "ForAllValues:StringEquals":
            return value in patterns
        case "ForAllValues:StringLike":
            return value is not None and any(fnmatchcase(value, pattern) for pattern in patterns)
        case "ForAllValues:StringNotLike":
            return value is not None and not any(fnmatchcase(value, pattern) for pattern in patterns)
    raise ValueError(f"the condition {operator} is not known here")


# --- granted ------------------------------------------------------------------------------------------------------


def grants(resources: Mapping[str, Any], role: str) -> list[Grant]:
    """Return what a role grants: each action on each resource, and for each value of a condition that lists some."""
    return [
        Grant(role, statement.get("Sid", ""), action, _name(resources, resource), conditions)
        for policy in resources[role]["Properties"].get("Policies", ())
        for statement in policy["PolicyDocument"]["Statement"]
        for action in listed(statement["Action"])
        for resource in listed(statement["Resource"])
        for conditions in _conditions(resources, statement.get("Condition", {}))
    ]


def listed(value: Any) -> list[Any]:
    """Return what IAM writes as one value or as a list of them."""
    return value if isinstance(value, list) else [value]


def _conditions(resources: Mapping[str, Any], written: Mapping[str, Any]) -> Iterator[Any]:
    """Yield a statement's conditions; of leading keys that are allowed, once for each, for each has to be used."""
    found = [
        (operator, key, tuple(_value(resources, one) for one in listed(values)))
        for operator, keys in written.items()
        for key, values in keys.items()
    ]
    apart = [(operator, key, values) for operator, key, values in found if key == LEADING and "Not" not in operator]
    rest = tuple(condition for condition in found if condition not in apart)
    if not apart:
        yield rest
    for operator, key, values in apart:
        for value in values:
            yield (*rest, (operator, key, (value,)))


def _value(resources: Mapping[str, Any], value: Any) -> str:
    match value:
        case {"Ref": "AWS::Region"}:
            return REGION
        case str():
            return value
    return _name(resources, value)


def _name(resources: Mapping[str, Any], resource: Any) -> str:
    """Return what a statement's resource is, by logical ids; it must be an ARN, which Ref gives of topics alone."""
    match resource:
        case "*":
            return "*"
        case {"Ref": str(name)} if resources[name]["Type"] == "AWS::SNS::Topic":
            return name
        case {"Fn::GetAtt": [str(name), "Arn"]}:
            return name
        case {"Fn::GetAtt": [str(name), "StreamArn"]}:
            return f"{name}/stream"
        case {"Fn::Sub": str(text)} if text.startswith(("arn:${AWS::Partition}:", "${")):
            here = re.sub(r"^arn:\$\{AWS::Partition\}:\w+:\$\{AWS::Region\}:\$\{AWS::AccountId\}:", "", text)
            return re.sub(r"\$\{(\w+)(\.Arn)?\}", r"\1", here)
    raise ValueError(f"{resource} is no ARN")


# --- needed by a function's own calls -----------------------------------------------------------------------------


def of_call(
    function: str, names: Mapping[str, str], service: str, operation: str, params: Mapping[str, Any]
) -> Iterator[Need]:
    """Yield what a call of a function needs; `names` are logical ids by physical name, URL or ARN."""
    action = ACTIONS.get(f"{service}:{operation}", f"{service}:{operation}")
    match service:
        case "dynamodb":
            yield from _of_tables(function, names, operation, params)
        case "sqs":
            yield Need(function, action, names[params["QueueUrl"]])
        case "sns":
            yield Need(function, action, names[params["TopicArn"]])
        case "events":
            for entry in params["Entries"]:
                bus = f"event-bus/{entry['EventBusName']}"
                yield Need(function, action, bus, (("events:source", entry["Source"]),))
        case "ssm" if operation == "SendCommand":
            yield Need(function, action, f"document/{names[params['DocumentName']]}")
            for machine in params["InstanceIds"]:
                kind = "instance" if machine.startswith("i-") else "managed-instance"
                yield Need(function, action, f"{kind}/{machine}", (("ssm:resourceTag/Padlock", "audit"),))
        case _:
            yield Need(function, action, "*", (("aws:RequestedRegion", REGION),))


def _of_tables(function: str, names: Mapping[str, str], operation: str, params: Mapping[str, Any]) -> Iterator[Need]:
    if operation == "TransactWriteItems":
        for kind, write in (part for entry in params["TransactItems"] for part in entry.items()):
            one = "ConditionCheckItem" if kind == "ConditionCheck" else f"{kind}Item"
            yield from _of_tables(function, names, one, write)
    elif operation == "BatchGetItem":
        for table, asked in params["RequestItems"].items():
            for key in asked["Keys"]:
                yield Need(function, f"dynamodb:{operation}", names[table], _leading(key))
    else:
        index = f"/index/{params['IndexName']}" if "IndexName" in params else ""
        known = (*_leading(params), *_attributes(params)) if operation == "UpdateItem" else _leading(params)
        yield Need(function, f"dynamodb:{operation}", names[params["TableName"]] + index, known)


def _leading(params: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Return the partition key that a request of DynamoDB names, as IAM's condition key."""
    if "KeyConditionExpression" in params:
        placeholder = params["KeyConditionExpression"].split("=")[1].split()[0]
        return ((LEADING, str(params["ExpressionAttributeValues"][placeholder]["S"])),)
    key = params.get("Key", params.get("Item", params))
    return tuple((LEADING, str(key[name]["S"])) for name in ("site", "name") if isinstance(key.get(name), dict))


def _attributes(params: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Return the attributes that an update names, its key's included, as IAM's condition key has them.

    Each has to stand as a placeholder, or at its own name's end in the expressions.
    """
    said = f"{params.get('UpdateExpression', '')} {params.get('ConditionExpression', '')}"
    bare = set(re.findall(r"(?<![#:\w])[a-z_]+(?= *[=,)<]|$)", said))
    return tuple((ATTRIBUTES, name) for name in sorted({*params["Key"], *named_in(params), *bare}))


def named_in(params: Mapping[str, Any]) -> Sequence[str]:
    """Return the names behind a request's placeholders."""
    return sorted(set(params.get("ExpressionAttributeNames", {}).values()))


# --- needed by AWS, in a function's name --------------------------------------------------------------------------


def of_aws(resources: Mapping[str, Any], called: Sequence[Need]) -> Iterator[Need]:
    """Yield what AWS itself does with the functions' roles: logs, event sources, destinations and encryption.

    Sources: the Lambda developer guide's execution roles for SQS and DynamoDB streams, destinations and log groups;
    the developer guides of SNS and SQS on key management.
    """
    for name, item in resources.items():
        properties = item.get("Properties", {})
        match item["Type"]:
            case "AWS::Lambda::Function":
                group = _logical(properties["LoggingConfig"]["LogGroup"])
                yield from (Need(name, f"logs:{action}", group) for action in ("CreateLogStream", "PutLogEvents"))
            case "AWS::Lambda::EventSourceMapping":
                function, source = _logical(properties["FunctionName"]), _logical(properties["EventSourceArn"])
                yield from _of_source(resources, function, source)
                yield from _of_destination(resources, function, properties)
            case "AWS::Lambda::EventInvokeConfig":
                yield from _of_destination(resources, _logical(properties["FunctionName"]), properties)
    for need in called:
        if need.action == "sns:Publish":
            key = _logical(resources[need.resource]["Properties"]["KmsMasterKeyId"])
            yield from (Need(need.function, action, key) for action in USE_OF_A_KEY)


def _of_source(resources: Mapping[str, Any], function: str, source: str) -> Iterator[Need]:
    if resources[source]["Type"] == "AWS::SQS::Queue":
        for action in ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes"):
            yield Need(function, f"sqs:{action}", source)
        return
    for action in ("DescribeStream", "GetRecords", "GetShardIterator"):
        yield Need(function, f"dynamodb:{action}", f"{source}/stream")
    yield Need(function, "dynamodb:ListStreams", f"{source}/stream/*")


def _of_destination(resources: Mapping[str, Any], function: str, properties: Mapping[str, Any]) -> Iterator[Need]:
    if "DestinationConfig" not in properties:
        return
    queue = _logical(properties["DestinationConfig"]["OnFailure"]["Destination"])
    yield Need(function, "sqs:SendMessage", queue)
    key = resources[queue]["Properties"]["KmsMasterKeyId"]
    if key != "alias/aws/sqs":  # whose own policy lets in whom SQS lets in
        for action in USE_OF_A_KEY:
            yield Need(function, action, _logical(key), (("kms:EncryptionContext:aws:sqs:arn", queue),))


def _logical(value: Mapping[str, Any]) -> str:
    """Return the logical id of Ref or Fn::GetAtt."""
    return str(value["Ref"] if "Ref" in value else value["Fn::GetAtt"][0])
