"""A site that kills its worker: the real function in a process of its own, and the receives of a real queue."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from padlock.findings import Status
from padlock.storage import Results, Sites, stamp

from local.aws import EmbeddedAws
from local.demo.nameserver import LOOPBACK, Zones, serve, stop
from tests.loopback_site import LoopbackSite

ROOT = Path(__file__).parents[2]
POISON = "poison.example"
HEALTHY = ("alpha.example", "omega.example", "zeta.example")
"""Messages are named after their sites: the poison comes in the middle, by whatever order they are worked off."""
KILLED = 137
"""Exit status of a process that the kernel killed, as one that runs out of memory is."""
SLOT = datetime(2026, 11, 20, 17, 5, tzinfo=UTC)

DRIVER = """
import json, os, sys
from pathlib import Path
from local.pump import Context, _load

poisonous = json.loads(sys.argv[1])

def kill(event, arguments):
    if event == "socket.connect" and arguments[1][1:2] and arguments[1][1] in poisonous:
        os._exit(137)

app = _load("check", {})
sys.addaudithook(kill)
answer = app.handler(json.load(sys.stdin), Context("check"))
Path(sys.argv[2]).write_text(json.dumps(answer))
"""


class Worker:
    """The check function's worker: a process that may be killed by what it connects to."""

    def __init__(self, aws: EmbeddedAws, resolver: str, poisonous: Sequence[int], folder: Path) -> None:
        self._poisonous, self._answer = json.dumps(list(poisonous)), folder / "answer.json"
        self._environment = aws.environment("CheckFunction") | {
            "RESOLVERS": resolver,
            "ALLOWED_NETWORKS": "127.0.0.0/8",
            "SECOND_LOOK_PAUSE": "0",
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
        }
        self.counted: dict[str, float] = {}
        """The metrics of all invocations that came to their end, added up."""

    def invoke(self, event: Any) -> Any:
        """Return the function's answer; None where it was killed."""
        self._answer.unlink(missing_ok=True)
        done = subprocess.run(
            [sys.executable, "-c", DRIVER, self._poisonous, str(self._answer)],
            input=json.dumps(event),
            text=True,
            capture_output=True,
            env=self._environment,
            cwd=ROOT,
            timeout=100,
            check=False,
        )
        if done.returncode == KILLED:
            return None
        assert done.returncode == 0, done.stderr
        for line in map(json.loads, done.stdout.splitlines()):
            for directive in line.get("_aws", {}).get("CloudWatchMetrics", ()):
                for metric in directive["Metrics"]:
                    self.counted[metric["Name"]] = self.counted.get(metric["Name"], 0) + sum(line[metric["Name"]])
        return json.loads(self._answer.read_text())


class Source:
    """The queue's event source: batches, partial failures, and messages that come again when their worker is gone."""

    def __init__(self, aws: EmbeddedAws) -> None:
        self._sqs = aws.client("sqs")
        self._url = aws.physical["CheckQueue"]
        self._dead = aws.physical["CheckDeadLetterQueue"]

    def send(self, declaration: Any) -> None:
        """Send a site's message, as dispatch does."""
        body = json.dumps({"site": declaration, "slot": stamp(SLOT)})
        self._sqs.send_message(QueueUrl=self._url, MessageBody=body)

    def receive(self) -> list[Any]:
        """Receive what is in the queue; what has come too often goes to the dead-letter queue instead."""
        asked = self._sqs.receive_message(QueueUrl=self._url, MaxNumberOfMessages=10, AttributeNames=["All"])
        messages: list[Any] = asked.get("Messages", [])
        return messages

    def deliver(self, messages: Sequence[Any], worker: Worker) -> Any:
        """Deliver a batch, delete what was worked off, and let the rest come again; return the worker's answer."""
        records = [
            {
                "messageId": identifier(message),
                "receiptHandle": message["ReceiptHandle"],
                "body": message["Body"],
                "attributes": message["Attributes"],
                "messageAttributes": {},
                "eventSource": "aws:sqs",
                "awsRegion": "eu-central-1",
            }
            for message in messages
        ]
        answer = worker.invoke({"Records": records})
        failed = {entry["itemIdentifier"] for entry in answer["batchItemFailures"]} if answer else None
        for message in messages:
            if failed is None or identifier(message) in failed:
                self._sqs.change_message_visibility(
                    QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0
                )
            else:
                self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])
        return answer

    def dead(self) -> list[str]:
        """Return the names of the sites in the dead-letter queue."""
        messages = self._sqs.receive_message(QueueUrl=self._dead, MaxNumberOfMessages=10).get("Messages", [])
        return [identifier(message) for message in messages]


@pytest.fixture(scope="module")
def loopbacks() -> Iterator[dict[str, LoopbackSite]]:
    """Yield a real site for each name."""
    with ExitStack() as stack:
        yield {name: stack.enter_context(LoopbackSite(name)) for name in (*HEALTHY, POISON)}


@pytest.fixture(scope="module")
def resolver() -> Iterator[str]:
    """Yield the address of one name server that knows them all."""
    port, servers = serve(Zones({name: [LOOPBACK] for name in (*HEALTHY, POISON)}))
    yield f"{LOOPBACK}:{port}"
    stop(servers)


def identifier(message: Any) -> str:
    """Return a message's id: the name of its site."""
    name: str = json.loads(message["Body"])["site"]["name"]
    return name


def rows(results: Results, site: str) -> list[tuple[str, Status]]:
    """Return key and status of a site's runs."""
    return [(row["sk"], row["status"]) for row in results.history(site)]


def test_poison_takes_nothing_with_it(
    aws: EmbeddedAws,
    sites: Sites,
    results: Results,
    loopbacks: dict[str, LoopbackSite],
    resolver: str,
    tmp_path: Path,
) -> None:
    """The sites before and behind the one that kills their worker are checked in their slot all the same.

    Its own last receive writes that it could not be looked at, and its message goes to the dead-letter queue.
    """
    poisonous = loopbacks[POISON].declaration
    source, worker = Source(aws), Worker(aws, resolver, list(poisonous["ports"].values()), tmp_path)
    for name in (*HEALTHY, POISON):
        sites.put(loopbacks[name].declaration)
        source.send(loopbacks[name].declaration)
    answers = []
    while messages := source.receive():
        answers.append(source.deliver(messages, worker))
    assert answers[:4] == [None] * 4, "killed each time"
    (last,) = answers[4:]
    assert last == {"batchItemFailures": [{"itemIdentifier": POISON}]}
    for name in HEALTHY:
        assert rows(results, name) == [(f"RUN#{stamp(SLOT)}", "notice")]
    assert rows(results, POISON) == [(f"RUN#{stamp(SLOT)}", "inconclusive")]
    assert "4 times" in next(results.history(POISON))["summary"]
    assert source.dead() == [POISON]
    assert worker.counted["RunsPoisoned"] == 1
