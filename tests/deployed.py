"""The stack of an embedded AWS as the command line finds it: described, with its outputs and parameters."""

import json

import pytest
from moto.cloudformation.models import cloudformation_backends
from moto.cloudwatch.models import cloudwatch_backends
from moto.sns.models import sns_backends

from local.aws import ACCOUNT, CREDENTIALS, REGION, EmbeddedAws


def describe(aws: EmbeddedAws, **parameters: str) -> str:
    """Give the stack the template's outputs and parameters, which the embedded AWS leaves out; return its name."""
    cloudformation = aws.client("cloudformation")
    values = {name: value["Default"] for name, value in aws.template["Parameters"].items()} | parameters
    shown = {name: aws.resolved(output["Value"]) for name, output in aws.template["Outputs"].items()}
    cloudformation.update_stack(
        StackName=aws.stack,
        TemplateBody=json.dumps(
            dict(cloudformation.get_template(StackName=aws.stack)["TemplateBody"])
            | {"Outputs": {name: {"Value": text} for name, text in shown.items() if isinstance(text, str)}}
            | {"Parameters": {name: {"Type": "String"} for name in values}}
        ),
        Parameters=[{"ParameterKey": name, "ParameterValue": str(value)} for name, value in values.items()],
    )
    return aws.stack


def point_the_command_at(aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the environment so that the command speaks to the embedded AWS."""
    monkeypatch.setattr("boto3.DEFAULT_SESSION", None)
    for name, value in (CREDENTIALS | {"AWS_ENDPOINT_URL": aws.endpoint}).items():
        monkeypatch.setenv(name, value)


def subscribe(aws: EmbeddedAws, endpoint: str, *, topic: str = "AlertTopic", confirmed: bool = True) -> None:
    """Subscribe an address to a topic; moto confirms every one, so that one that waits is marked as AWS marks it."""
    answer = aws.client("sns").subscribe(TopicArn=aws.physical[topic], Protocol="email", Endpoint=endpoint)
    if not confirmed:
        sns_backends[ACCOUNT][REGION].subscriptions[answer["SubscriptionArn"]].arn = "PendingConfirmation"


def put_alarm(aws: EmbeddedAws, name: str, description: str) -> None:
    """Make an alarm that is of no stack."""
    aws.client("cloudwatch").put_metric_alarm(
        AlarmName=name,
        AlarmDescription=description,
        Namespace="AWS/SQS",
        MetricName="ApproximateNumberOfMessagesVisible",
        Statistic="Maximum",
        Period=300,
        EvaluationPeriods=1,
        Threshold=0,
        ComparisonOperator="GreaterThanThreshold",
    )


def add_alarm(aws: EmbeddedAws, logical: str) -> str:
    """Put the template's alarm into the stack, as CloudFormation does and moto does not; return its name."""
    properties = aws.template["Resources"][logical]["Properties"]
    name = f"{aws.stack}-{logical}-1ABC"
    put_alarm(aws, name, properties["AlarmDescription"])
    alarm = cloudwatch_backends[ACCOUNT][REGION].alarms[name]
    alarm.cf_resource_type, alarm.logical_resource_id, alarm.physical_resource_id = (  # type: ignore[attr-defined]
        "AWS::CloudWatch::Alarm",
        logical,
        name,
    )
    stacks = cloudformation_backends[ACCOUNT][REGION].stacks.values()
    resources = next(one.resource_map for one in stacks if one.name == aws.stack)
    # moto's CloudFormation knows no alarms: this one is made a resource of the stack by hand.
    resources._parsed_resources[logical] = alarm
    resources._resource_json_map[logical] = {"Type": "AWS::CloudWatch::Alarm"}
    return name
