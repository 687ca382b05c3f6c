"""The SSM agent of machines that moto's Systems Manager only pretends to have: it really runs the document's script.

What runs, and for how long, is read from the document that the command names, as it stands in Systems Manager.
"""

import json
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from moto.ssm.models import Command, ssm_backends

from local.aws import ACCOUNT, REGION, EmbeddedAws

KEPT = 24_000
"""Characters of a command's output that Systems Manager gives; the rest is lost."""


def commands() -> list[Command]:
    """Return every command that was sent, the oldest first."""
    return list(ssm_backends[ACCOUNT][REGION]._commands)


def step(aws: EmbeddedAws, document: str) -> dict[str, Any]:
    """Return the inputs of a document's only step."""
    content = json.loads(aws.client("ssm").get_document(Name=document)["Content"])
    (only,) = content["mainSteps"]
    assert only["action"] == "aws:runShellScript"
    inputs: dict[str, Any] = only["inputs"]
    return inputs


def run(aws: EmbeddedAws, command: Command, folder: Path, *, shell: str = "sh") -> Iterator[dict[str, Any]]:
    """Run a command on each of its machines, which are this one, as the agent does; yield the events of the ends."""
    inputs = step(aws, command.document_name or "")
    script = folder / "_script.sh"
    script.write_text("\n".join(inputs["runCommand"]))
    for instance in command.instance_ids:
        ended = subprocess.run(
            [shell, script], capture_output=True, text=True, timeout=int(inputs["timeoutSeconds"]), check=False
        )
        status = "Success" if ended.returncode == 0 else "Failed"
        yield end(command, instance, status, ended.stdout, ended.stderr)


def end(command: Command, instance: str, status: str, output: str = "", errors: str = "") -> dict[str, Any]:
    """Let a machine's command end so; return the event."""
    (invocation,) = [one for one in command.invocations if one["InstanceId"] == instance]
    invocation |= {
        "Status": {"Delivery Timed Out": "TimedOut", "Execution Timed Out": "TimedOut"}.get(status, status),
        "StatusDetails": status,
        "StandardOutputContent": output[:KEPT],
        "StandardErrorContent": errors[:8000],
    }
    return event(command.command_id, instance, command.document_name or "", invocation["Status"])


def event(
    command: str, instance: str, document: str, status: str = "Success", at: datetime | None = None
) -> dict[str, Any]:
    """Return EventBridge's event, in the form that AWS documents."""
    return {
        "version": "0",
        "id": "51c0891d-0e34-45b1-83d6-95db273d1602",
        "detail-type": "EC2 Command Invocation Status-change Notification",
        "source": "aws.ssm",
        "account": ACCOUNT,
        "time": f"{at or datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "region": REGION,
        "resources": [f"arn:aws:ec2:{REGION}:{ACCOUNT}:instance/{instance}"],
        "detail": {
            "command-id": command,
            "document-name": document,
            "instance-id": instance,
            "requested-date-time": "2026-11-20T17:05:00.000Z",
            "status": status,
        },
    }
