"""What the functions write: JSON lines and nothing else, in one process that outlives many events, as in Lambda."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from padlock.storage import Sites

from local.aws import EmbeddedAws
from local.pump import logical
from tests.loopback_site import LoopbackSite

ROOT = Path(__file__).parents[2]
SCRIPT = """
import importlib.util, json, sys
from local.pump import Context
spec = importlib.util.spec_from_file_location("app", sys.argv[1])
app = importlib.util.module_from_spec(spec)
spec.loader.exec_module(app)
for event in json.loads(sys.argv[2]):
    try:
        answer = app.handler(event, Context("padlock"))
    except (ValueError, RuntimeError) as error:
        answer = {"errorType": type(error).__name__}
    print("answer", json.dumps(answer), file=sys.stderr)
"""


def invoked(aws: EmbeddedAws, function: str, events: list[object], **more: str) -> tuple[list[str], list[object]]:
    """Return the lines that a function wrote, and its answers to events that came one after the other."""
    environment = aws.environment(logical(function)) | more
    path = ROOT / "functions" / function / "app.py"
    ended = subprocess.run(
        [sys.executable, "-c", SCRIPT, path, json.dumps(events)],
        env=environment | {"LAMBDA_TASK_ROOT": str(path.parent), "PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    lines = [*ended.stdout.splitlines(), *ended.stderr.splitlines()]
    answers = [json.loads(line.removeprefix("answer ")) for line in lines if line.startswith("answer ")]
    return [line for line in lines if line and not line.startswith("answer ")], answers


def queued(site: object, slot: str) -> dict[str, object]:
    """Return an event of the queue with one message."""
    body = json.dumps({"site": site, "slot": slot})
    return {"Records": [{"messageId": slot, "body": body, "attributes": {}, "eventSource": "aws:sqs"}]}


def test_console_and_queue_share_a_process(aws: EmbeddedAws, shop: LoopbackSite) -> None:
    """Events of the console and of the queue take turns in one process; all are answered, every line is JSON."""
    events = [
        {"site": shop.declaration},
        queued(shop.declaration, "2026-11-20T17:05:00Z"),
        {"sites": [shop.name, "no host"]},
        queued(shop.declaration, "2026-11-20T17:05:00Z"),
        queued("typo.example/", "2026-11-20T17:10:00Z"),
        {"Records": [{"messageId": "m", "body": "no json", "attributes": {}, "eventSource": "aws:sqs"}]},
        {"hello": "world"},
    ]
    table = Sites(aws.client("dynamodb"), aws.physical["SitesTable"])
    table.put(shop.declaration)
    table.put({"name": "typo.example/"})
    lines, answers = invoked(aws, "check", events, RESOLVERS=shop.resolver, ALLOWED_NETWORKS="127.0.0.0/8")
    assert len(answers) == len(events)
    assert [answer for answer in answers if answer == {"batchItemFailures": []}] == [
        answers[1],
        answers[3],
        answers[4],
    ]
    assert answers[5] == {"batchItemFailures": [{"itemIdentifier": "m"}]}
    assert answers[6] == {"errorType": "ValueError"}
    logged = [json.loads(line) for line in lines]
    assert any("RunsCompleted" in line for line in logged), "metrics are such lines too"


@pytest.mark.parametrize(
    ("function", "events"),
    [
        ("dispatch", [{}, {"scheduled_at": "soon"}]),
        ("notify", [{"sweep": True}, {}]),
        ("audit_host", [{"audit": "all"}, {"detail": {}}, {}]),
        ("dashboard", [{}, {"action": "check", "site": "a\u2028\x1b.example"}, {"action": 5}]),
    ],
)
def test_other_functions_write_json(aws: EmbeddedAws, function: str, events: list[object]) -> None:
    """Neither an event that counts nothing nor one that is refused leaves a line of another form."""
    lines, answers = invoked(aws, function, events)
    assert len(answers) == len(events)
    for line in lines:
        json.loads(line)
