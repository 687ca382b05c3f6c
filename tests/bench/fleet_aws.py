"""An AWS in a process of its own: the soak test's tables in memory behind a real port, with a latency and a bill.

boto3 speaks to it over TCP as to AWS, so that a function's own processor time and memory are measured by themselves.
moto takes milliseconds a call, which would be most of what is measured. TLS is left out.
"""

import json
import multiprocessing
import re
import threading
import time
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

import msgspec
from botocore.exceptions import ClientError

from local.aws import CREDENTIALS, translated
from tests.bench.fleet_bill import STORED_BESIDE, Bill, Index, size
from tests.soak.memory import Dynamo, Queue

STOP_SECONDS, ORDER_SECONDS = 10, 120
LATENCY_MS = {"dynamodb": 6.0, "sqs": 15.0, "sns": 30.0, "events": 20.0}
"""What AWS's services typically take within a region; an assumption, and no measurement."""
PUBLISHED = (
    '<PublishResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishResult><MessageId>1</MessageId>'
    "</PublishResult><ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></PublishResponse>"
)


class _Tables(Dynamo):
    """The tables, whose segments are not looked for anew for each page."""

    def __init__(self, tables: Mapping[str, Mapping[str, Any]]) -> None:
        super().__init__(tables)
        self._segments: dict[tuple[str, int, int], list[str]] = {}
        self._places: dict[tuple[str, int, int], dict[str, int]] = {}
        self._counted = 0

    def scan(self, **asked: Any) -> Any:
        """Return the items of one segment, page by page."""
        table = self.tables[asked["TableName"]]
        if self._counted != len(table.items):
            self._segments.clear()
            self._counted = len(table.items)
        which = asked["TableName"], asked["TotalSegments"], asked["Segment"]
        if which not in self._segments:
            keys = [key for key in table.items if zlib.crc32(key.encode()) % which[1] == which[2]]
            self._segments[which] = keys
            self._places[which] = {key: place for place, key in enumerate(keys)}
        keys = self._segments[which]
        start = asked.get("ExclusiveStartKey")
        begin = 1 + self._places[which][start[table.hash]["S"]] if start else 0
        end = begin + asked.get("Limit", len(keys) or 1)
        if "FilterExpression" in asked:
            return super().scan(**asked)
        last = {"LastEvaluatedKey": {table.hash: {"S": keys[end - 1]}}} if end < len(keys) else {}
        return {"Items": [row for key in keys[begin:end] for row in table.items[key].values()], **last}


class _Amazon:
    """What the port answers from."""

    def __init__(self) -> None:
        template = translated({})["Resources"]
        properties = {name: it["Properties"] for name, it in template.items() if it["Type"] == "AWS::DynamoDB::Table"}
        self.tables = _Tables(properties)
        self.queue = Queue()
        self.bill = Bill()
        self.latency: Mapping[str, float] = {}
        self._indexes = {
            name: [Index(table, index) for index in table.get("GlobalSecondaryIndexes", ())]
            for name, table in properties.items()
        }
        self._lock = threading.Lock()

    def answer(self, target: str, body: bytes) -> tuple[int, str]:
        """Return status and text of one call, after its latency."""
        service, operation, asked = _call(target, body)
        with self._lock:
            self.bill.calls[f"{service}.{operation}"] += 1
            found = self._perform(service, operation, asked)
        time.sleep(self.latency.get(service, 0.0) / 1000)
        return found

    def _perform(self, service: str, operation: str, asked: dict[str, Any]) -> tuple[int, str]:
        match service:
            case "sns":
                return 200, PUBLISHED
            case "events":
                entries = [{"EventId": "1"} for _ in asked["Entries"]]
                return 200, json.dumps({"FailedEntryCount": 0, "Entries": entries})
            case "sqs":
                return 200, json.dumps(self.queue.send_message_batch(**asked))
        try:
            octets: bytes = msgspec.json.encode(self._dynamodb(operation, asked))
            return 200, octets.decode()
        except ClientError as error:
            told: Any = dict(error.response)
            told |= {"__type": f"com.amazonaws.dynamodb.v20120810#{told['Error']['Code']}", "message": "refused"}
            return 400, json.dumps(told)

    def _dynamodb(self, operation: str, asked: dict[str, Any]) -> Any:
        call = getattr(self.tables, re.sub(r"(?<!^)(?=[A-Z])", "_", operation).lower())
        if operation == "TransactWriteItems":
            return self._transact(operation, asked, call)
        if operation in {"PutItem", "UpdateItem", "DeleteItem"}:
            return self._write(operation, asked, call)
        answer = call(**asked)
        match operation:
            case "BatchGetItem":
                for name, rows in answer["Responses"].items():
                    for row in rows:
                        self.bill.read(f"{operation} {name}", size(row), consistent=True)
            case "GetItem":
                # A projection is not cheaper: the whole item is read.
                whole = self.tables.tables[asked["TableName"]].find(asked["Key"])
                consistent = asked.get("ConsistentRead", False)
                self.bill.read(f"{operation} {_kind(asked)}", size(whole or {}), consistent=consistent)
            case _:
                octets = sum(map(size, answer["Items"]))
                consistent = asked.get("ConsistentRead", False)
                self.bill.read(
                    f"{operation} {asked.get('IndexName', asked['TableName'])}", octets, consistent=consistent
                )
        return answer

    def _write(self, operation: str, asked: dict[str, Any], call: Any) -> Any:
        table = self.tables.tables[asked["TableName"]]
        key = asked.get("Key") or asked["Item"]
        before = table.find(key)
        try:
            return call(**asked)
        finally:  # one that a condition refuses is billed as well
            self.bill.write(
                f"{operation} {_kind(asked)}", before, table.find(key), self._indexes[asked["TableName"]], factor=1
            )

    def _transact(self, operation: str, asked: dict[str, Any], call: Any) -> Any:
        actions = [next(iter(write.items())) for write in asked["TransactItems"]]
        tables = [self.tables.tables[action["TableName"]] for _, action in actions]
        keys = [action.get("Key") or action["Item"] for _, action in actions]
        befores = [table.find(key) for table, key in zip(tables, keys, strict=True)]
        try:
            return call(**asked)
        finally:
            for (kind, action), table, key, before in zip(actions, tables, keys, befores, strict=True):
                indexes = self._indexes[action["TableName"]]
                what = f"{operation} {kind} {_kind(action)}"
                self.bill.write(what, before, table.find(key), indexes, factor=2)


def _call(target: str, body: bytes) -> tuple[str, str, dict[str, Any]]:
    if not target:
        (operation,) = parse_qs(body.decode())["Action"]
        return "sns", operation, {}
    service, _, operation = target.partition(".")
    named = {"DynamoDB_20120810": "dynamodb", "AmazonSQS": "sqs", "AWSEvents": "events"}[service]
    return named, operation, msgspec.json.decode(body)


def _kind(asked: Mapping[str, Any]) -> str:
    """Return what an item is: the beginning of its sort key, or its partition where that is ours."""
    key = asked.get("Key") or asked["Item"]
    if "site" not in key:
        return "Sites"
    site: str = key["site"]["S"]
    sort: str = key["sk"]["S"]
    return site if site.startswith("#") else sort.partition("#")[0] + ("#" if "#" in sort else "")


def _handler(amazon: _Amazon) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status, text = amazon.answer(self.headers.get("X-Amz-Target", ""), body)
            octets = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/x-amz-json-1.0")
            self.send_header("Content-Length", str(len(octets)))
            self.end_headers()
            self.wfile.write(octets)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 — the base class's name
            """Say nothing of each call."""

    return Handler


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


def _serve(pipe: Any) -> None:
    """Answer on a free port, and do what the pipe says, until it says stop."""
    amazon = _Amazon()
    server = _Server(("127.0.0.1", 0), _handler(amazon))
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    pipe.send(server.server_address[1])
    while (order := pipe.recv()) is not None:
        pipe.send(_obeyed(amazon, *order))
    server.shutdown()


def _obeyed(amazon: _Amazon, order: str, given: Any) -> Any:
    tables = amazon.tables.tables
    match order:
        case "put":
            for item in given:
                amazon.tables.put_item(TableName="SitesTable", Item=item)
        case "clear":
            for table in tables.values():
                table.clear()
            amazon.queue.bodies.clear()
        case "latency":
            amazon.latency = given
        case "bill":
            found, amazon.bill = amazon.bill.plain(), Bill()
            return found
        case "messages":
            bodies, amazon.queue.bodies = amazon.queue.bodies, []
            return bodies
        case "items":
            return [row for rows in tables[given].items.values() for row in rows.values()]
        case "stored":
            return _stored(tables.values())
    return None


def _stored(tables: Iterable[Any]) -> dict[str, int]:
    """Return the octets that storage is billed for, by what the items are."""
    stored: Counter[str] = Counter()
    for table in tables:
        for rows in table.items.values():
            for row in rows.values():
                stored[_kind({"Key": row})] += size(row) + STORED_BESIDE
    return dict(stored)


class Aws:
    """The other end of the pipe."""

    def __init__(self, pipe: Any, port: int) -> None:
        self._pipe = pipe
        self.endpoint = f"http://127.0.0.1:{port}"

    def environment(self) -> dict[str, str]:
        """Return the variables under which a function finds it."""
        return {
            **CREDENTIALS,
            "AWS_ENDPOINT_URL": self.endpoint,
            "SITES_TABLE": "SitesTable",
            "RESULTS_TABLE": "ResultsTable",
            "QUEUE_URL": f"{self.endpoint}/123456789012/checks",
            "TOPIC_ARN": "arn:aws:sns:eu-central-1:123456789012:alerts",
            "CHAT_TOPIC_ARN": "arn:aws:sns:eu-central-1:123456789012:chat",
            "POWERTOOLS_METRICS_NAMESPACE": "Padlock/padlock",
            "POWERTOOLS_SERVICE_NAME": "bench",
            "POWERTOOLS_LOG_LEVEL": "INFO",
        }

    def tell(self, order: str, given: Any = None) -> Any:
        """Have the process do something, and return what it says: see _obeyed."""
        self._pipe.send((order, given))
        if not self._pipe.poll(ORDER_SECONDS):
            raise TimeoutError(f"the bench's AWS did not do {order!r} within {ORDER_SECONDS} s")
        return self._pipe.recv()


@contextmanager
def serving() -> Iterator[Aws]:
    """Run an AWS of our own."""
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(theirs,), daemon=True)
    process.start()
    try:
        if not ours.poll(60):
            raise TimeoutError("the bench's AWS did not start within 60 s")
        yield Aws(ours, ours.recv())
        ours.send(None)
        process.join(STOP_SECONDS)
    finally:
        if process.is_alive():
            process.kill()
