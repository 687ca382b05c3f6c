"""The queue of sites to check: what its messages say, and many of them sent at the same time."""

import json
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from padlock.site import key_of
from padlock.storage import USER_AGENT
from padlock.storage.sites import declaration as without_marks

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import SendMessageBatchRequestEntryTypeDef

SENDERS = 8
"""Batches that are sent at the same time."""
BATCH = 10
"""Messages that SQS takes in one request."""
MAX_BODY = 200_000
"""Octets of one request's messages; SQS's limit is 262,144 in regions that have no larger one."""
SEND_ATTEMPTS = 4


def body_of(key: str, declaration: Any, slot: str) -> str:
    """Return a site's queue message; one too large to send has the reason in place of the declaration."""
    # ASCII alone: SQS refuses some control characters.
    if isinstance(declaration, Mapping):
        declaration = without_marks(declaration)
    try:
        body = json.dumps({"site": declaration, "slot": slot})
    except TypeError:
        reason = f"{_binary(declaration)}: binary data is no part of a declaration; write text"
    else:
        if len(body) <= MAX_BODY:
            return body
        reason = f"the declaration has {len(body)} octets; {MAX_BODY} is the most"
    return json.dumps({"site": _reference(key, declaration["name"]), "slot": slot, "error": reason})


def removal_of(name: str, slot: str) -> str:
    """Return the queue message of a site that is no longer declared."""
    return json.dumps({"site": _reference(key_of(name), name), "slot": slot, "removed": True})


def _reference(key: str, name: str) -> str:
    """Return what a site is called in a message; its key, where the key of that is the same again.

    The key of a name that is none has escapes in it, which would be escaped once more.
    """
    return key if key_of(key) == key else name


def _binary(declaration: Mapping[str, Any]) -> str:
    """Return the attributes that JSON cannot hold."""

    def fits(value: Any) -> bool:
        try:
            json.dumps(value)
        except TypeError:
            return False
        return True

    return ", ".join(name for name, value in declaration.items() if not fits(value))


def client() -> "SQSClient":
    """Return a client that retries throttling and dropped connections with backoff."""
    config = Config(
        connect_timeout=5,
        read_timeout=10,
        max_pool_connections=SENDERS,
        retries={"mode": "standard", "total_max_attempts": 5},
        # Ten thousand requests of one form: to validate each of them would cost a tenth of the whole tick.
        parameter_validation=False,
        user_agent=USER_AGENT,
    )
    return boto3.client("sqs", config=config)


class Queue:
    """The queue of sites to check; threads may share it."""

    def __init__(self, sqs: "SQSClient", url: str) -> None:
        self._sqs = sqs
        self._url = url
        self._pool = ThreadPoolExecutor(SENDERS)

    def send(self, bodies: Iterable[str]) -> list[str]:
        """Send messages, many requests at the same time, and return those that the queue did not take."""
        sending = [self._pool.submit(self._send_batch, batch) for batch in batches(bodies)]
        # Where one request fails the others are still let end: nothing of ours goes on after the function returned.
        wait(sending)
        return [body for request in sending for body in request.result()]

    def _send_batch(self, batch: list[str]) -> list[str]:
        """Send one batch, and again what the queue did not take of it; return what it never took."""
        entries: list[SendMessageBatchRequestEntryTypeDef] = [
            {"Id": str(number), "MessageBody": body} for number, body in enumerate(batch)
        ]
        for _ in range(SEND_ATTEMPTS):
            answer = self._sqs.send_message_batch(QueueUrl=self._url, Entries=entries)
            refused = {entry["Id"] for entry in answer.get("Failed", ())}
            entries = [entry for entry in entries if entry["Id"] in refused]
            if not entries:
                return []
        return [entry["MessageBody"] for entry in entries]


def batches(bodies: Iterable[str]) -> Iterator[list[str]]:
    """Yield messages in groups that one request can carry."""
    batch: list[str] = []
    size = 0
    for body in bodies:
        length = len(body)
        if batch and (len(batch) == BATCH or size + length > MAX_BODY):
            yield batch
            batch, size = [], 0
        batch.append(body)
        size += length
    if batch:
        yield batch
