"""What AWS does between the functions, played on an embedded AWS with the functions' real handlers.

The schedules' ticks, the queue's batches with their partial failures and redrive, the two tables' streams in filtered
batches with their retries, and the sweeper: each as template.yaml sets it.
"""

import base64
import importlib.util
import json
import os
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import patch

from local.aws import ACCOUNT, REGION, EmbeddedAws

SOURCES = Path(__file__).parents[1] / "functions"
FUNCTIONS = ("dispatch", "check", "notify", "audit_host", "dashboard")
LATE = ("audit_host",)
"""Functions that make a client when it is first needed; the others read their environment at import alone."""
MAX_BATCHES = 1000
"""Batches of one drain, so that a message that comes again and again ends."""

type Handler = Callable[[Any, "Context"], Any]


class Context:
    """Lambda's context, as far as the handlers read it."""

    memory_limit_in_mb = 512
    aws_request_id = "00000000-0000-4000-8000-000000000000"

    def __init__(self, function: str, seconds: float = 60) -> None:
        """Take the function's name, and the time that it has."""
        self._end = time.monotonic() + seconds
        self.function_name = function
        self.invoked_function_arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{function}"

    def get_remaining_time_in_millis(self) -> int:
        """Return the time left, milliseconds."""
        return max(0, round((self._end - time.monotonic()) * 1000))


class Pump:
    """The functions of one embedded AWS, and what moves events between them."""

    def __init__(self, aws: EmbeddedAws, environment: Mapping[str, str] | None = None) -> None:
        """Load the functions; `environment` has variables that differ from the template's."""
        self.aws = aws
        more = dict(environment or {})
        self._environments = {name: aws.environment(logical(name)) | more for name in FUNCTIONS}
        self.modules = {name: _load(name, variables) for name, variables in self._environments.items()}
        self._sqs = aws.client("sqs")
        self._streams = aws.client("dynamodbstreams")
        self._after: dict[str, str] = {}
        """Table → sequence number up to which its stream is worked off."""

    def invoke(self, function: str, event: Any) -> Any:
        """Call a function's handler, and return what Lambda would: its answer after a pass through JSON."""
        handler: Handler = self.modules[function].handler
        context = Context(function, self._properties(logical(function))["Timeout"])
        variables = self._environments[function] if function in LATE else {}
        with patch.dict(os.environ, variables) if variables else nullcontext():
            return json.loads(json.dumps(handler(json.loads(json.dumps(event)), context)))

    def tick(self, at: datetime | None = None) -> Any:
        """Play the schedule: invoke dispatch with its scheduled time (now)."""
        return self.invoke("dispatch", {"scheduled_at": _scheduled(at)})

    def digest(self, at: datetime | None = None) -> Any:
        """Play the digest's schedule, at its scheduled time (now)."""
        return self.invoke("dispatch", {"digest": _scheduled(at)})

    def sweep(self) -> Any:
        """Play the sweeper's schedule."""
        return self.invoke("notify", {"sweep": True})

    def drain(self) -> int:
        """Play the queue's event source until nothing is left in it; return how many messages were delivered.

        What a batch reports as failed comes again at once, until the queue moves it to its dead-letter queue.
        """
        url = self.aws.physical["CheckQueue"]
        size = self._properties("CheckFunctionQueue")["BatchSize"]
        delivered = 0
        for _ in range(MAX_BATCHES):
            received = self._sqs.receive_message(
                QueueUrl=url, MaxNumberOfMessages=size, WaitTimeSeconds=0, AttributeNames=["All"]
            ).get("Messages", [])
            if not received and not self._waiting("CheckQueue"):
                return delivered
            if received:
                delivered += len(received)
                self._settle(url, received)
        raise RuntimeError(f"the queue is not empty after {MAX_BATCHES} batches")

    def stream(self) -> int:
        """Play the results' event source: new alert records to notify; return how many were delivered."""
        return self._work_off("ResultsTable", "NotifyFunctionAlerts", "notify")

    def removals(self) -> int:
        """Play the declarations' event source: removed sites to dispatch; return how many were delivered."""
        return self._work_off("SitesTable", "DispatchFunctionRemovals", "dispatch")

    def run(self, at: datetime | None = None) -> None:
        """Play one whole round: tick, queue, stream."""
        self.tick(at)
        self.drain()
        self.stream()

    def dead_letters(self, queue: str = "CheckDeadLetterQueue") -> list[str]:
        """Return the bodies that wait in a dead-letter queue."""
        url, bodies = self.aws.physical[queue], []
        while received := self._sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
            bodies += [message["Body"] for message in received]
        return bodies

    def _settle(self, url: str, received: list[dict[str, Any]]) -> None:
        """Invoke check with one batch; delete what it did not report, make the rest visible again."""
        answer = self.invoke("check", {"Records": [_sqs_record(message) for message in received]})
        failed = {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}
        for message in received:
            handle = message["ReceiptHandle"]
            if message["MessageId"] in failed:
                self._sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=handle, VisibilityTimeout=0)
            else:
                self._sqs.delete_message(QueueUrl=url, ReceiptHandle=handle)

    def _work_off(self, table: str, source: str, function: str) -> int:
        """Hand a stream's new records to a function through its event source's filter, in batches, with its retries.

        Return how many were delivered. What fails in every attempt goes to the event source's dead-letter queue.
        """
        mapping = self._properties(source)
        patterns = [json.loads(entry["Pattern"]) for entry in mapping["FilterCriteria"]["Filters"]]
        fresh = list(self._records(table))
        if fresh:
            self._after[table] = fresh[-1]["dynamodb"]["SequenceNumber"]
        wanted = [record for record in fresh if any(matches(pattern, record) for pattern in patterns)]
        for start in range(0, len(wanted), mapping["BatchSize"]):
            self._deliver(wanted[start : start + mapping["BatchSize"]], function, mapping)
        return len(wanted)

    def _deliver(self, batch: list[dict[str, Any]], function: str, mapping: Mapping[str, Any]) -> None:
        """Invoke a function with a batch, and again from its first failed record on."""
        for _ in range(mapping["MaximumRetryAttempts"] + 1):
            answer = self.invoke(function, {"Records": batch})
            failed = {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}
            if not failed:
                return
            batch = batch[min(i for i, r in enumerate(batch) if r["dynamodb"]["SequenceNumber"] in failed) :]
        queue, _ = mapping["DestinationConfig"]["OnFailure"]["Destination"]["Fn::GetAtt"]
        self._sqs.send_message(QueueUrl=self.aws.physical[queue], MessageBody=json.dumps(batch))

    def _records(self, table: str) -> Iterator[dict[str, Any]]:
        """Yield a stream's records after those worked off before, as Lambda hands them over."""
        described = self.aws.client("dynamodb").describe_table(TableName=self.aws.physical[table])
        arn, after = described["Table"]["LatestStreamArn"], self._after.get(table)
        for shard in self._streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]:
            start: dict[str, Any] = {"ShardIteratorType": "TRIM_HORIZON"}
            if after is not None:
                start = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": after}
            asked = self._streams.get_shard_iterator(StreamArn=arn, ShardId=shard["ShardId"], **start)
            iterator = asked["ShardIterator"]
            while records := (page := self._streams.get_records(ShardIterator=iterator))["Records"]:
                yield from json.loads(json.dumps(records, default=_as_json))
                iterator = page["NextShardIterator"]

    def _waiting(self, queue: str) -> bool:
        """Return whether messages are in a queue, in flight ones left out."""
        name = "ApproximateNumberOfMessages"
        asked = self._sqs.get_queue_attributes(QueueUrl=self.aws.physical[queue], AttributeNames=[name])
        return int(asked["Attributes"][name]) > 0

    def _properties(self, name: str) -> dict[str, Any]:
        properties: dict[str, Any] = self.aws.template["Resources"][name]["Properties"]
        return properties


def logical(function: str) -> str:
    """Return a function's logical id in the template: audit_host → AuditHostFunction."""
    return "".join(word.capitalize() for word in function.split("_")) + "Function"


def _scheduled(at: datetime | None) -> str:
    """Return a time (now) as the Scheduler writes it."""
    return (at or datetime.now(UTC)).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def matches(pattern: Mapping[str, Any], event: Mapping[str, Any]) -> bool:
    """Return whether an event matches a pattern: nested keys, and lists of what a value may be."""
    for key, wanted in pattern.items():
        value = event.get(key)
        if isinstance(wanted, Mapping):
            if not isinstance(value, Mapping) or not matches(wanted, value):
                return False
        elif not any(_fits(one, value) for one in wanted):
            return False
    return True


def _fits(wanted: Any, value: Any) -> bool:
    """Return whether a value is the wanted one, or fits `{"prefix": …}` or `{"anything-but": […]}`."""
    match wanted:
        case {"prefix": str(prefix)}:
            return str(value).startswith(prefix)
        case {"anything-but": list(others)}:
            return value is not None and value not in others
    return bool(value == wanted)


def _load(function: str, environment: Mapping[str, str]) -> ModuleType:
    """Import a function's app under a name of its own, as its environment says."""
    path = SOURCES / function / "app.py"
    spec = importlib.util.spec_from_file_location(f"padlock_{function}_{uuid.uuid4().hex[:8]}", path)
    if spec is None or spec.loader is None:
        raise RuntimeError(f"{path} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    with patch.dict(os.environ, environment):
        spec.loader.exec_module(module)
    return module


def _as_json(value: datetime | bytes) -> float | str:
    """Return what JSON has no form for as Lambda writes it: epoch seconds, base64."""
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value.timestamp()


def _sqs_record(message: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": {"SentTimestamp": str(int(time.time() * 1000))} | message.get("Attributes", {}),
        "messageAttributes": {},
        "eventSource": "aws:sqs",
        "eventSourceARN": f"arn:aws:sqs:{REGION}:{ACCOUNT}:CheckQueue",
        "awsRegion": REGION,
    }
