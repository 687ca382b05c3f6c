"""Which sites are due at a tick, and their messages to the queue.

A site of interval I has a phase, a stable hash of its name, and is due at phase, phase + I, phase + 2 I... A tick
covers the time since the last tick that was dispatched in full, so that a missed tick's sites run with the next one
and a repeated tick sends the same messages, which the runs' slots make harmless. A site runs at most once a tick.
A site of the table that has a long interval runs at the first tick that sees it, and is marked then.
"""

import hashlib
import json
import logging
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import UTC, datetime, timedelta
from itertools import repeat
from typing import TYPE_CHECKING, Any

import boto3
import msgspec
from botocore.config import Config

from padlock.site import Site, interval_seconds, key_of
from padlock.storage import MARK, Results, Sites, stamp

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import SendMessageBatchRequestEntryTypeDef

SENDERS = 16
"""Batches that are sent at the same time."""
BATCH = 10
"""Messages that SQS takes in one request."""
MAX_BODY = 200_000
"""Octets of one request's messages; SQS's limit is 262,144 in regions that have no larger one."""
SEND_ATTEMPTS = 4
MAX_NEW = 2000
"""New sites that one tick takes in beside those that are due; the next tick goes on."""
AHEAD = timedelta(hours=1)
"""A tick further in the future is a mistake: the ticks until then would be taken for late ones."""
DEFAULT_INTERVAL = interval_seconds(Site(name="").interval)

log = logging.getLogger(__name__)


class Tick(msgspec.Struct, frozen=True):
    """One tick and the time that it covers."""

    at: datetime
    """UTC, whole seconds; the slot of its runs."""
    since: datetime | None
    """The tick before it; None: every site is due."""


class Dispatched(msgspec.Struct, frozen=True):
    """What one tick did."""

    slot: str
    sites: int
    """Declared, right or wrong."""
    due: int
    sent: int
    failed: int


def read_tick(event: Mapping[str, Any], now: datetime) -> datetime:
    """Return the time of a tick's event, now where it has none; ValueError where that is no time, or far ahead."""
    text = event.get("scheduled_at")
    if text is None:
        return now.replace(microsecond=0)
    try:
        at = datetime.fromisoformat(text)
    except (TypeError, ValueError) as error:
        raise ValueError(f"scheduled_at is no time such as 2026-11-20T17:05:00Z: {text!r}") from error
    if at.tzinfo is None:
        raise ValueError(f"scheduled_at has no time zone: {text!r}")
    if at > now + AHEAD:
        raise ValueError(f"scheduled_at is in the future: {text!r}; now is {stamp(now)}")
    return at.astimezone(UTC).replace(microsecond=0)


def tick(last: tuple[datetime, datetime | None] | None, at: datetime) -> Tick | None:
    """Return the tick at this time, given the last one; None where a later one has covered it."""
    if last is None:
        return Tick(at, None)
    if at == last[0]:
        return Tick(at, last[1])
    return Tick(at, last[0]) if at > last[0] else None


def is_due(name: str, interval: int, current: Tick) -> bool:
    """Return whether one of the site's times lies within the time that the tick covers."""
    if current.since is None:
        return True
    phase = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8]) % interval
    before, after = int(current.since.timestamp()), int(current.at.timestamp())
    return (after - phase) // interval > (before - phase) // interval


def declared(sites: Sites, parameter: str) -> Iterator[tuple[str, Any]]:
    """Yield (key, row or bare name) of every site once: the table's, then those of the parameter that it lacks.

    Names of the table that mean the same site, as Example.com and example.com do, are one site, declared under the
    name in its normal form: two declarations would contradict each other from run to run.
    """
    bare = {key_of(name): name.strip() for name in parameter.split(",") if name.strip()}
    otherwise_written: set[str] = set()
    for row in sites.rows():
        key = key_of(row)
        bare.pop(key, None)
        if row["name"] != key:
            if key in otherwise_written or sites.get(key):
                log.warning("%r of the Sites table is left out: %r declares the same site", row["name"], key)
                continue
            otherwise_written.add(key)
        yield key, row
    yield from bare.items()


def is_new(row: Any) -> bool:
    """Return whether a site of the table has never been checked and would wait for long; one such is due at once."""
    return isinstance(row, Mapping) and MARK not in row and interval_of(row) > DEFAULT_INTERVAL


def interval_of(declaration: Any) -> int:
    """Return a declaration's interval in seconds; the default where it declares none, or a wrong one."""
    text = declaration.get("interval") if isinstance(declaration, Mapping) else None
    try:
        return interval_seconds(text) if isinstance(text, str) else DEFAULT_INTERVAL
    except ValueError:
        return DEFAULT_INTERVAL


def body_of(key: str, declaration: Any, slot: str) -> str:
    """Return a site's queue message; one too large to send has the reason in place of the declaration."""
    # ASCII alone: SQS refuses some control characters.
    if isinstance(declaration, Mapping):
        declaration = {name: value for name, value in declaration.items() if name != MARK}
    try:
        body = json.dumps({"site": declaration, "slot": slot})
    except TypeError:
        reason = f"{_binary(declaration)}: binary data is no part of a declaration; write text"
    else:
        if len(body) <= MAX_BODY:
            return body
        reason = f"the declaration has {len(body)} octets; {MAX_BODY} is the most"
    return json.dumps({"site": key, "slot": slot, "error": reason})


def _binary(declaration: Mapping[str, Any]) -> str:
    """Return the attributes that JSON cannot hold."""

    def fits(value: Any) -> bool:
        try:
            json.dumps(value)
        except TypeError:
            return False
        return True

    return ", ".join(name for name, value in declaration.items() if not fits(value))


def dispatch(results: Results, sites: Sites, parameter: str, queue: "Queue", at: datetime) -> Dispatched:
    """Send the sites that are due; the tick is remembered only once all of them are sent."""
    current = tick(results.last_tick(), at)
    slot = stamp(at)
    if current is None:
        return Dispatched(slot, 0, 0, 0, 0)
    seen = due = 0
    new: list[str] = []

    def bodies() -> Iterator[str]:
        nonlocal seen, due
        for key, row in declared(sites, parameter):
            seen += 1
            first = len(new) < MAX_NEW and is_new(row)
            if first:
                new.append(row["name"])
            if first or is_due(key, interval_of(row), current):
                due += 1
                yield body_of(key, row, slot)

    failed = queue.send(bodies())
    if not failed:
        with ThreadPoolExecutor(SENDERS) as pool:
            list(pool.map(sites.mark, new, repeat(slot)))
        results.save_tick(current.at, current.since)
    return Dispatched(slot, seen, due, due - failed, failed)


def client() -> "SQSClient":
    """Return a client that retries throttling and dropped connections with backoff."""
    config = Config(
        connect_timeout=5,
        read_timeout=10,
        max_pool_connections=SENDERS,
        retries={"mode": "standard", "total_max_attempts": 5},
    )
    return boto3.client("sqs", config=config)


class Queue:
    """The queue of sites to check."""

    def __init__(self, sqs: "SQSClient", url: str) -> None:
        self._sqs = sqs
        self._url = url

    def send(self, bodies: Iterable[str]) -> int:
        """Send messages, many requests at the same time, and return how many the queue did not take.

        Memory stays flat however many there are: no more batches are made than are being sent.
        """
        failed = 0
        running: set[Future[int]] = set()
        with ThreadPoolExecutor(SENDERS) as pool:
            for batch in batches(bodies):
                if len(running) >= 2 * SENDERS:
                    done, running = wait(running, return_when=FIRST_COMPLETED)
                    failed += sum(future.result() for future in done)
                running.add(pool.submit(self._send_batch, batch))
            failed += sum(future.result() for future in running)
        return failed

    def _send_batch(self, batch: list[str]) -> int:
        """Send one batch, and again what the queue did not take of it."""
        entries: list[SendMessageBatchRequestEntryTypeDef] = [
            {"Id": str(number), "MessageBody": body} for number, body in enumerate(batch)
        ]
        for _ in range(SEND_ATTEMPTS):
            answer = self._sqs.send_message_batch(QueueUrl=self._url, Entries=entries)
            refused = {entry["Id"] for entry in answer.get("Failed", ())}
            entries = [entry for entry in entries if entry["Id"] in refused]
            if not entries:
                return 0
        return len(entries)


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
