"""What each function of the stack may do, read from the translated template."""

import json
import re

import pytest
from padlock import channels

from tests.stack.translated import FUNCTIONS, get, of_type, properties, statements


def test_a_role_and_a_log_group_per_function() -> None:
    """No function borrows another's rights or writes into another's log."""
    roles = [properties(name)["Role"]["Fn::GetAtt"][0] for name in FUNCTIONS]
    groups = [properties(name)["LoggingConfig"]["LogGroup"]["Ref"] for name in FUNCTIONS]
    assert len(set(roles)) == len(set(groups)) == len(FUNCTIONS)
    for role, group in zip(roles, groups, strict=True):
        logging = [statement for statement in statements(role) if statement["Sid"] == "Log"]
        assert [statement["Resource"] for statement in logging] == [[get(group)]]


WITHOUT_RESOURCES = {
    *("ssm:GetCommandInvocation", "ec2:DescribeInstances"),
    *("ec2:DescribeSecurityGroups", "ec2:DescribeNetworkAcls"),
}
"""Actions for which AWS takes no resource but *."""


@pytest.mark.parametrize("role", sorted(of_type("AWS::IAM::Role")))
def test_roles_name_actions_and_resources(role: str) -> None:
    """No role has an action or a resource by wildcard, nor a managed policy that has, where AWS knows resources."""
    assert "ManagedPolicyArns" not in properties(role)
    for statement in statements(role):
        assert not [action for action in statement["Action"] if "*" in action]
        if set(statement["Action"]) <= WITHOUT_RESOURCES or statement.get("Sid") == "ToTaggedMachines":
            assert "Condition" in statement
            continue
        for resource in statement["Resource"]:
            # DynamoDB lists streams under the table's own ARN.
            text = json.dumps(resource)
            assert "*" not in text or re.fullmatch(r'{"Fn::Sub": "\$\{(Results|Sites)Table.Arn}/stream/\*"}', text)


def test_rights_of_each_function() -> None:
    """The checker, which talks to strangers, can neither publish nor run anything nor declare sites."""

    def actions(role: str) -> set[str]:
        return {action for statement in statements(role) for action in statement["Action"]}

    logs = {"logs:CreateLogStream", "logs:PutLogEvents"}
    assert actions("CheckRole") == logs | {
        *("dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:Query", "dynamodb:PutItem", "dynamodb:UpdateItem"),
        *("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"),
    }
    assert {service for service, _ in (action.split(":") for action in actions("DispatchRole"))} == {
        *("logs", "dynamodb", "sqs"),
    }
    assert not {"dynamodb:PutItem", "dynamodb:DeleteItem", "sqs:ReceiveMessage"} & actions("NotifyRole")
    roles = [properties(name)["Role"]["Fn::GetAtt"][0] for name in FUNCTIONS]
    assert [role for role in roles if "sns:Publish" in actions(role)] == ["NotifyRole"]
    assert [role for role in roles if "ssm:SendCommand" in actions(role)] == ["AuditHostRole"]
    for statement in statements("CheckRole"):
        if get("SitesTable") in statement["Resource"]:
            assert statement["Action"] == ["dynamodb:GetItem"]


def test_partitions_that_are_not_of_sites() -> None:
    """What talks to strangers can forge neither what hosts said nor the ticks nor what Padlock says of itself."""
    denied = {}
    for role in ("CheckRole", "NotifyRole"):
        for statement in statements(role):
            if get("ResultsTable") in statement["Resource"] and "dynamodb:UpdateItem" in statement["Action"]:
                (keys,) = statement["Condition"]["ForAllValues:StringNotLike"].values()
                denied[role] = set(keys)
    assert denied == {
        "CheckRole": {"host#*", "#dispatch", "#checker"},
        "NotifyRole": {"host#*", "#dispatch", "#slot", "#sight", "#cache"},
    }


def test_rights_of_dispatch() -> None:
    """Of the results it reads and writes what is its own; what it tells of others it reads in two indexes."""
    results = [statement for statement in statements("DispatchRole") if get("ResultsTable") in statement["Resource"]]
    found = {
        own: {action.removeprefix("dynamodb:") for action in statement["Action"]}
        for statement in results
        for own in statement["Condition"]["ForAllValues:StringEquals"]["dynamodb:LeadingKeys"]
    }
    assert found == {
        "#dispatch": {"GetItem", "Query", "PutItem"},
        "#slot": {"Query"},
        "#sight": {"Query"},
        "#checker": {"GetItem", "Query", "ConditionCheckItem", "PutItem", "UpdateItem"},
    }
    (indexes,) = [statement for statement in statements("DispatchRole") if statement["Sid"] == "ReadTheDigest"]
    assert indexes["Action"] == ["dynamodb:Query"]
    assert [index["Fn::Sub"].rpartition("/")[2] for index in indexes["Resource"]] == ["failing", "certificates"]


def test_rights_of_the_dashboard() -> None:
    """It reads what is of sites, writes no result, and changes no key of a declaration but what is acknowledged."""
    found = {statement["Sid"]: statement for statement in statements("DashboardRole")}
    assert {action for statement in found.values() for action in statement["Action"]} == {
        *("logs:CreateLogStream", "logs:PutLogEvents", "sqs:SendMessage"),
        *("dynamodb:Query", "dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:UpdateItem"),
    }
    writing = [statement for statement in found.values() if "dynamodb:UpdateItem" in statement["Action"]]
    assert [statement["Resource"] for statement in writing] == [[get("SitesTable")]]
    (own,) = found["ReadResults"]["Condition"]["ForAllValues:StringNotLike"].values()
    assert own == ["host#*", "#*"]
    assert found["SeeTheLastTick"]["Action"] == ["dynamodb:GetItem"]
    assert found["CheckNow"]["Resource"] == [get("CheckQueue")]


def test_rights_of_notify() -> None:
    """It publishes to the two topics, and puts events of its own name on the default bus, on no other."""
    found = {statement["Sid"]: statement for statement in statements("NotifyRole")}
    topics = [{"Ref": "AlertTopic"}, {"Ref": "ChatTopic"}]
    assert found["Publish"]["Resource"] == found["SeeWhoHasNotConfirmed"]["Resource"] == topics
    assert found["SeeWhoHasNotConfirmed"]["Action"] == ["sns:ListSubscriptionsByTopic"]
    bus = found["TellTheDefaultBus"]
    assert bus["Action"] == ["events:PutEvents"]
    assert bus["Resource"] == [
        {"Fn::Sub": "arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:event-bus/default"}
    ]
    assert bus["Condition"] == {"StringEquals": {"events:source": channels.SOURCE}}


def test_rights_of_the_audit() -> None:
    """It runs one document, on tagged machines only; it reads sites, and writes nothing but what hosts said."""
    found = {statement["Sid"]: statement for statement in statements("AuditHostRole")}
    assert found["SendOneDocument"]["Resource"] == [
        {"Fn::Sub": "arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}:document/${HostAuditDocument}"}
    ]
    machines = found["ToTaggedMachines"]
    assert machines["Condition"] == {"StringEquals": {"ssm:resourceTag/Padlock": "audit"}}
    assert [resource["Fn::Sub"].rpartition(":")[2] for resource in machines["Resource"]] == [
        *("instance/*", "managed-instance/*")
    ]
    sending = [sid for sid, statement in found.items() if "ssm:SendCommand" in statement["Action"]]
    assert sending == ["SendOneDocument", "ToTaggedMachines"]
    assert found["KeepWhatHostsSaid"]["Action"] == ["dynamodb:PutItem"]
    assert found["KeepWhatHostsSaid"]["Condition"] == {
        "ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["host#*"]}
    }
    assert found["ReadSites"]["Action"] == ["dynamodb:Scan", "dynamodb:GetItem"]
    assert [item["Action"] for item in found.values() if get("ResultsTable") in item["Resource"]] == [
        ["dynamodb:PutItem"]
    ]
