"""The deployed stack, as the command line reaches it: its names by the stack's outputs, AWS's refusals in words."""

import argparse
import os
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from padlock.cli.output import FAULT, complain

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

HINTS = {
    "NoCredentialsError": "sign in with the AWS command line, or set AWS_PROFILE",
    "NoRegionError": "set AWS_REGION, or a region in the AWS profile",
    "ValidationError": "deploy it with `make deploy`, or name another stack with --stack or the table with --table",
    "ResourceNotFoundException": "name another stack with --stack or the table with --table",
}


class Stack(msgspec.Struct, frozen=True):
    """A deployed stack, as CloudFormation describes it."""

    name: str
    outputs: Mapping[str, str]
    parameters: Mapping[str, str]


class Resource(msgspec.Struct, frozen=True):
    """One resource of a stack."""

    logical: str
    """Its name in the template."""
    physical: str
    """A queue's URL, an alarm's name."""
    kind: str
    """Such as AWS::SQS::Queue."""


def on_table(options: argparse.Namespace, output: str, action: "Callable[[DynamoDBClient, str], int]") -> int:
    """Run an action on the table that this output of the stack names, or that --table names.

    What AWS refuses becomes one line that says what to do.
    """
    where = f"table {options.table!r}" if options.table else f"stack {options.stack!r}"

    def on_its_table() -> int:
        from padlock.storage import client  # noqa: PLC0415 — boto3 takes 300 ms

        table = options.table or described(options.stack).outputs.get(output)
        if not table:
            complain(
                f"{options.doing}: {where} has no output {output}: is it Padlock's? Or name the table with --table"
            )
            return FAULT
        return action(client(), table)

    return _reached(options.doing, where, on_its_table)


def on_stack(options: argparse.Namespace, needed: tuple[str, ...], action: Callable[[Stack], int]) -> int:
    """Run an action on the stack, which must have these outputs; what AWS refuses becomes one line, as above."""
    where = f"stack {options.stack!r}"

    def on_it() -> int:
        stack = described(options.stack)
        lacking = [name for name in needed if not stack.outputs.get(name)]
        if lacking:
            complain(
                f"{options.doing}: {where} has no output {', '.join(lacking)}: is it Padlock's? If it is, an older "
                "version deployed it: `make deploy` brings it up to date"
            )
            return FAULT
        return action(stack)

    return _reached(options.doing, where, on_it)


def described(name: str) -> Stack:
    """Return a stack; ClientError where there is none, or where it may not be read."""
    import boto3  # noqa: PLC0415 — 300 ms that the other commands need not pay

    found = boto3.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
    return Stack(
        name,
        {entry["OutputKey"]: entry["OutputValue"] for entry in found.get("Outputs", ())},
        {entry["ParameterKey"]: entry.get("ParameterValue", "") for entry in found.get("Parameters", ())},
    )


def resources(name: str) -> Iterator[Resource]:
    """Yield what a stack consists of."""
    import boto3  # noqa: PLC0415 — as above

    # The call that describes resources stops at the hundredth without a word.
    pages = boto3.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=name)
    for page in pages:
        for entry in page["StackResourceSummaries"]:
            yield Resource(entry["LogicalResourceId"], entry.get("PhysicalResourceId", ""), entry["ResourceType"])


def cloudwatch() -> Any:
    """Return a client that the alarms are read with."""
    import boto3  # noqa: PLC0415 — as above

    return boto3.client("cloudwatch")


def _reached(doing: str, where: str, action: Callable[[], int]) -> int:
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 — boto3 takes 300 ms

    if region := os.environ.get("AWS_REGION"):
        # The AWS command line reads this name, boto3 only the other.
        os.environ.setdefault("AWS_DEFAULT_REGION", region)
    try:
        return action()
    except (BotoCoreError, ClientError) as error:
        kind = error.response["Error"]["Code"] if isinstance(error, ClientError) else type(error).__name__
        hint = HINTS.get(kind, "see what the AWS command line says: `aws sts get-caller-identity`")
        complain(f"{doing} of {where} failed: {error}; {hint}")
        return FAULT
