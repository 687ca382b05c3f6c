"""The check function's own handler, warm, with storage: batches of the queue against an embedded AWS.

`python -m tests.bench.compare_stored` reads an Order, one JSON line each, and answers with a Stored.
"""

import gc
import json
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from padlock.network.vantage import Vantage

from tests.handlers import load
from tests.hostile.child import Context

ROOT = Path(__file__).parents[2]
FUNCTION_SECONDS = 58.0
"""That the function says it has."""


class Order(msgspec.Struct, frozen=True):
    """The sites of one batch."""

    vantage: Vantage
    sites: Sequence[Mapping[str, Any]]


class Stored(msgspec.Struct, frozen=True):
    """What one call of the handler took."""

    wall_ms: float
    """Much of it the embedded AWS's, which answers one request after the other."""
    cpu_ms: float
    idle_octets: int
    """Resident before the call."""
    peak_octets: int
    calls: Mapping[str, int]
    """Operation of DynamoDB → requests."""
    faults: Sequence[str]


def carry_out(app: Any, calls: Counter[str], order: Order) -> Stored:
    """Call the handler once with every site of an order."""
    app.here = msgspec.structs.replace(
        app.here, ca_file=order.vantage.ca_file, services=order.vantage.services, resolvers=order.vantage.resolvers
    )
    slot = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
    records = [_record(number, site, slot) for number, site in enumerate(order.sites)]
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")
    idle = _memory("VmRSS")
    calls.clear()
    wall, cpu = time.perf_counter(), time.process_time()
    answer = app.handler({"Records": records}, Context(FUNCTION_SECONDS))
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak, made = _memory("VmHWM"), dict(calls)
    found = [f"messages failed: {answer['batchItemFailures']}"] if answer["batchItemFailures"] else []
    for site in order.sites:
        row = next(iter(app.results.history(site["name"])), None)
        if row is None or row["status"] not in ("ok", "notice"):
            found.append(f"{site['name']}: its run was not stored, or not as a healthy one: {row}")
    return Stored(wall * 1000, cpu * 1000, idle, peak, made, found)


def _record(number: int, site: Mapping[str, Any], slot: str) -> dict[str, Any]:
    """Return a message of the queue as Lambda hands it over."""
    return {
        "messageId": f"m-{number}",
        "eventSource": "aws:sqs",
        "attributes": {"ApproximateReceiveCount": "1"},
        "body": json.dumps({"site": site, "slot": slot}),
    }


def _memory(field: str) -> int:
    """Return a field of this process's status, octets."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{field}:"))


def main() -> None:
    """Carry out orders until there are no more; what the function prints goes to the standard error."""
    answers, sys.stdout = sys.stdout, sys.stderr
    app = load("check")
    calls: Counter[str] = Counter()
    app.dynamodb.meta.events.register(
        "before-send.dynamodb.*", lambda event_name, **_: calls.update([event_name.split(".")[2]])
    )
    for line in sys.stdin:
        done = carry_out(app, calls, msgspec.json.decode(line, type=Order))
        answers.write(msgspec.json.encode(done).decode() + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
