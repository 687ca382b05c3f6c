"""The deployed stack, as the command line reaches it: its tables by the stack's outputs, AWS's refusals in words."""

import argparse
import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from padlock.cli.output import FAULT, complain

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

HINTS = {
    "NoCredentialsError": "sign in with the AWS command line, or set AWS_PROFILE",
    "NoRegionError": "set AWS_REGION, or a region in the AWS profile",
    "ValidationError": "deploy it with `make deploy`, or name another stack with --stack or the table with --table",
    "ResourceNotFoundException": "name another stack with --stack or the table with --table",
}


def on_table(options: argparse.Namespace, output: str, action: "Callable[[DynamoDBClient, str], int]") -> int:
    """Run an action on the table that this output of the stack names, or that --table names.

    What AWS refuses becomes one line that says what to do.
    """
    # boto3 costs 300 ms that the other commands need not pay.
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 — boto3 takes 300 ms

    from padlock.storage import client  # noqa: PLC0415 — as above

    if region := os.environ.get("AWS_REGION"):
        # The AWS command line reads this name, boto3 only the other.
        os.environ.setdefault("AWS_DEFAULT_REGION", region)
    where = f"table {options.table!r}" if options.table else f"stack {options.stack!r}"
    try:
        table = options.table or _table_of(options.stack, output)
        if not table:
            complain(
                f"{options.doing}: {where} has no output {output}: is it Padlock's? Or name the table with --table"
            )
            return FAULT
        return action(client(), table)
    except (BotoCoreError, ClientError) as error:
        kind = error.response["Error"]["Code"] if isinstance(error, ClientError) else type(error).__name__
        hint = HINTS.get(kind, "see what the AWS command line says: `aws sts get-caller-identity`")
        complain(f"{options.doing} of {where} failed: {error}; {hint}")
        return FAULT


def _table_of(stack: str, output: str) -> str:
    """Return the name of a stack's table; empty where the stack has no such output."""
    import boto3  # noqa: PLC0415 — as above

    described = boto3.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
    outputs: Iterable[Any] = described.get("Outputs", ())
    return next((str(entry["OutputValue"]) for entry in outputs if entry["OutputKey"] == output), "")
