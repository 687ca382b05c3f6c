"""How cost and time grow with the fleet: ticks of many sites, batches of checks, units of DynamoDB, octets of logs.

The functions' real handlers run in processes of their own, against an AWS in memory behind a port (moto itself would
be most of the cost) and against sites on loopback. Each is measured twice: at full speed and without latency, for
processor time and calls; then held to the share of a processor that Lambda gives to its memory, with the latencies
that AWS typically has, for the time that is billed. TLS to AWS is left out; a check's round trips to far-away sites,
of which there are none on loopback, are added as told.
"""

import argparse
import itertools
import json
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from tests.bench import cold_record, fleet_aws, fleet_sites
from tests.bench.chart import Panel, Series, svg
from tests.bench.fleet_aws import LATENCY_MS, Aws
from tests.bench.fleet_bill import STORED_BESIDE, size
from tests.bench.fleet_share import limited, share_of
from tests.bench.fleet_sites import Sites
from tests.bench.fleet_worker import Took

COMMAND = ("fleet", "ticks of 1,000 to 100,000 sites, batches of checks, what a run writes; draws docs/growth.svg")
CHECK_MB, NOTIFY_MB, DISPATCH_MB = 512, 256, 512
"""As in template.yaml."""
BATCH = 10
"""Messages of one invocation of check, as in template.yaml."""
ROUND_TRIPS, ROUND_TRIP_S = 4, 0.05
"""Of an audit of a site that is far away, one after the other; added to what loopback takes."""
LAMBDA_LINES = 520
"""Octets that Lambda itself logs for an invocation in its JSON format: platform.start and platform.report."""
DISPATCH_LIMIT_S = 60
WARM_UPS = 3
"""Runs after which nothing of a healthy site is new any more."""
ANSWER_SECONDS = 600
"""After which a function that does not answer is ended."""
SAMPLES = 5
"""Unchanged runs whose units are counted."""
CHUNK = 5000
GROWTH = cold_record.ROOT / "docs/growth.svg"

_slots = (datetime(2026, 11, 20, tzinfo=UTC) + timedelta(minutes=5 * number) for number in itertools.count())


class Function:
    """One function's process."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process

    def invoke(self, event: Any) -> Took:
        """Hand over an event, and return what it took."""
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise RuntimeError("the function's process has no pipes")
        end = threading.Timer(ANSWER_SECONDS, self._process.kill)
        end.start()
        try:
            stdin.write(msgspec.json.encode(event) + b"\n")
            stdin.flush()
            line = stdout.readline()
        finally:
            end.cancel()
        if not line:
            raise RuntimeError(f"the function ended with {self._process.wait(10)}; what it said stands above")
        return msgspec.json.decode(line, type=Took)


@contextmanager
def running(function: str, aws: Aws, share: float | None = None, **environment: str) -> Iterator[Function]:
    """Start a function's process, held to a share of a processor where one is given and that can be done."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.fleet_worker", function],
        cwd=cold_record.ROOT,
        # As in Lambda, where a function's init is another than in a test.
        env={**os.environ, **aws.environment(), "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:1", **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        if share is None:
            yield Function(process)
        else:
            with limited(process.pid, share) as held:
                if not held:
                    raise PermissionError("a function can be held to a processor's share only as root, on Linux")
                yield Function(process)
    finally:
        process.kill()
        process.wait(10)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    sizes = [1000, 10_000, 100_000]
    parser.add_argument("--sites", type=int, nargs="+", default=sizes, help="fleets of a tick (default: %(default)s)")
    parser.add_argument(
        "--batches", type=int, nargs="+", default=[1, 10, 50, 100], help="batches of checks (default: %(default)s)"
    )
    parser.add_argument("--rounds", type=int, default=5, help="runs of each batch (default: %(default)s)")
    parser.add_argument(
        "--result", default="fleet", help="name of the file under .cache/bench (default: %(default)s)"
    )
    parser.add_argument("--chart", type=Path, default=GROWTH, help="where the curves go (default: docs/growth.svg)")


def main(options: argparse.Namespace) -> int:
    """Measure, print, write .cache/bench/fleet.json and docs/growth.svg; 0: measured, 2: it could not be."""
    try:
        with fleet_aws.serving() as aws:
            ticks = [_ticked(aws, count) for count in sorted(options.sites)]
            with fleet_sites.serving(max(*options.batches, BATCH)) as sites:
                batches = [_checked(aws, sites, size, options.rounds) for size in sorted(options.batches)]
                runs = _billed(aws, sites)
    except PermissionError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    measured = {
        "how": " ".join((__doc__ or "").split()),
        "assumed": {
            "latency_ms": LATENCY_MS,
            "round_trips": ROUND_TRIPS,
            "round_trip_s": ROUND_TRIP_S,
            "lambda_log_octets_per_invocation": LAMBDA_LINES,
            "batch_sites": BATCH,
        },
        **runs,
        "dispatch_gb_seconds_per_site_tick": ticks[-1]["gb_seconds"] / ticks[-1]["sites"],
        "dispatch": ticks,
        "check": batches,
    }
    file = cold_record.write(options.result, measured)
    options.chart.write_text(svg(_panels(ticks, batches), "How time and memory grow with the number of sites"))
    sys.stdout.write("\n".join([*_shown(measured), f"written: {file.relative_to(cold_record.ROOT)}", ""]))
    return 0


# Ticks.


def _ticked(aws: Aws, count: int) -> dict[str, Any]:
    """Return what the first tick of so many sites takes, all of which are due."""
    _tell(f"a tick of {count:,} sites")
    fast, bill = _one_tick(aws, count, None)
    slow, _ = _one_tick(aws, count, share_of(DISPATCH_MB))
    calls = bill["calls"]
    waited = sum(calls[name] * LATENCY_MS[name.partition(".")[0]] / 1000 for name in calls)
    return {
        "sites": count,
        "sent": fast.answer["sent"],
        "cpu_s": round(fast.cpu_s, 3),
        "wall_s": round(fast.wall_s, 3),
        "wall_at_512_mb_s": round(slow.wall_s, 3),
        "cpu_at_512_mb_s": round(fast.cpu_s / share_of(DISPATCH_MB), 3),
        "latency_in_all_s": round(waited, 3),
        "gb_seconds": round(DISPATCH_MB / 1024 * slow.wall_s, 4),
        "idle_octets": fast.idle_octets,
        "peak_octets": fast.peak_octets,
        "calls": calls,
        "read_units": bill["read_units"],
        "write_units": bill["write_units"],
        "log_octets": fast.log_octets + LAMBDA_LINES,
        "limit_s": DISPATCH_LIMIT_S,
        "within_limit": slow.wall_s <= DISPATCH_LIMIT_S,
    }


def _one_tick(aws: Aws, count: int, share: float | None) -> tuple[Took, dict[str, Any]]:
    aws.tell("clear")
    for some in itertools.batched(range(count), CHUNK, strict=False):
        aws.tell("put", [_declared(number) for number in some])
    aws.tell("latency", {} if share is None else LATENCY_MS)
    aws.tell("bill")
    with running("dispatch", aws, share) as function:
        took = function.invoke({"scheduled_at": next(_slots).isoformat()})
    if took.answer["sent"] != count or len(aws.tell("messages")) != count:
        raise RuntimeError(f"not every one of {count} sites was sent: {took.answer}")
    return took, aws.tell("bill")


def _declared(number: int) -> dict[str, Any]:
    """Return a declaration of ordinary size."""
    return {
        "name": {"S": f"shop-{number:07}.example"},
        "health": {"S": "/health"},
        "hsts": {"S": "required"},
        "labels": {"M": {"team": {"S": "shop"}, "stage": {"S": "production"}}},
    }


# Checks.


def _checked(aws: Aws, sites: Sites, count: int, rounds: int) -> dict[str, Any]:
    """Return what a batch of so many healthy sites takes, once nothing of them is new."""
    _tell(f"batches of {count} sites")
    fast = _runs(aws, sites, count, rounds, None)
    slow = _runs(aws, sites, count, rounds, share_of(CHECK_MB))
    wall, cpu = (statistics.median(getattr(took, name) for took in fast) for name in ("wall_s", "cpu_s"))
    billed = statistics.median(took.wall_s for took in slow) + ROUND_TRIPS * ROUND_TRIP_S
    return {
        "sites": count,
        "wall_ms_per_site": round(1000 * wall / count, 2),
        "cpu_ms_per_site": round(1000 * cpu / count, 2),
        "billed_at_512_mb_s": round(billed, 3),
        "gb_seconds_per_site": CHECK_MB / 1024 * billed / count,
        "idle_octets": fast[-1].idle_octets,
        "peak_octets": fast[-1].peak_octets,
    }


def _runs(aws: Aws, sites: Sites, count: int, rounds: int, share: float | None) -> list[Took]:
    aws.tell("clear")
    aws.tell("latency", {} if share is None else LATENCY_MS)
    with _checking(aws, sites, share) as function:
        for _ in range(WARM_UPS):
            _run(function, sites, count)
        return [_run(function, sites, count) for _ in range(rounds)]


@contextmanager
def _checking(aws: Aws, sites: Sites, share: float | None = None) -> Iterator[Function]:
    declared = ",".join(site["name"] for site in sites.declarations)
    network = {"ALLOWED_NETWORKS": "127.0.0.0/8", "RESOLVERS": sites.resolver, "SITES": declared}
    with running("check", aws, share, **network) as function:
        yield function


def _run(function: Function, sites: Sites, count: int) -> Took:
    slot = next(_slots).isoformat()
    bodies = (json.dumps({"site": site, "slot": slot}) for site in sites.declarations[:count])
    took = function.invoke({"Records": [_message(str(number), body) for number, body in enumerate(bodies)]})
    if took.answer["batchItemFailures"]:
        raise RuntimeError(f"runs failed: {took.answer}")
    return took


def _message(number: str, body: str) -> dict[str, Any]:
    return {
        "messageId": number,
        "receiptHandle": number,
        "body": body,
        "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": str(int(time.time() * 1000))},
        "messageAttributes": {},
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:eu-central-1:123456789012:checks",
        "awsRegion": "eu-central-1",
    }


# Units.


def _billed(aws: Aws, sites: Sites) -> dict[str, Any]:
    """Return what a run writes, reads, sends and logs, unchanged and changed, and what one alert takes."""
    _tell("what a run writes, unchanged and changed")
    aws.tell("clear")
    aws.tell("latency", LATENCY_MS)
    with _checking(aws, sites, share_of(CHECK_MB)) as function:
        for _ in range(WARM_UPS):
            _run(function, sites, BATCH)
        aws.tell("bill")
        rows_before = aws.tell("stored")["RUN#"]
        same = [_run(function, sites, BATCH) for _ in range(SAMPLES)]
        unchanged, stored = aws.tell("bill"), aws.tell("stored")
        before = len(_mailed(aws))
        sites.answer(503)
        broke = _run(function, sites, BATCH)
        changed = aws.tell("bill")
        sites.answer(200)
    opened = _mailed(aws)
    if before or len(opened) != BATCH:
        raise RuntimeError(f"{before} healthy sites made an alert, and {len(opened)} of {BATCH} that broke")
    aws.tell("bill")
    with running("notify", aws, share_of(NOTIFY_MB)) as function:
        told = function.invoke({"Records": [_inserted(row) for row in opened]})
    notified = aws.tell("bill")
    own = sum(octets for kind, octets in stored.items() if not kind.startswith(("#", "RUN#", "ALERT#")))
    return {
        "wru_per_unchanged_run": _per_site(unchanged["write_units"], SAMPLES),
        "wru_per_changed_run": _per_site(changed["write_units"]) + _per_site(notified["write_units"]),
        "rru_per_run": _per_site(unchanged["read_units"], SAMPLES),
        "rru_per_changed_run": _per_site(changed["read_units"]) + _per_site(notified["read_units"]),
        # One tenth each for sending, receiving and deleting, where batches are full.
        "sqs_requests_per_site_run": 3 / BATCH,
        "log_octets_per_site_run": (same[0].log_octets + LAMBDA_LINES) / BATCH,
        "stored_octets_per_site": own / BATCH + _sites_item(),
        "history_octets_per_run": (stored["RUN#"] - rows_before) / BATCH / SAMPLES,
        "check_gb_seconds_per_site_run": _gb_seconds(statistics.median(took.wall_s for took in same), BATCH),
        "check_gb_seconds_per_changed_site_run": _gb_seconds(broke.wall_s, BATCH),
        "notify_gb_seconds_per_change": NOTIFY_MB / 1024 * told.wall_s / BATCH,
        "unchanged_batches": unchanged | {"runs": SAMPLES, "stored_octets": stored},
        "changed_batch": changed,
        "notified_batch": notified,
    }


def _mailed(aws: Aws) -> list[dict[str, Any]]:
    """Return the alerts that are sent as mails; others are an event alone, as that of a site's first run."""
    rows = aws.tell("items", "ResultsTable")
    return [row for row in rows if row["sk"]["S"].startswith("ALERT#") and row["kind"]["S"] == "changed"]


def _per_site(units: Mapping[str, float], runs: int = 1) -> float:
    return round(sum(units.values()) / BATCH / runs, 2)


def _gb_seconds(wall: float, count: int) -> float:
    return CHECK_MB / 1024 * (wall + ROUND_TRIPS * ROUND_TRIP_S) / count


def _sites_item() -> int:
    return size(_declared(1)) + STORED_BESIDE


def _inserted(item: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "eventID": "1",
        "eventName": "INSERT",
        "eventSource": "aws:dynamodb",
        "dynamodb": {"Keys": {name: item[name] for name in ("site", "sk")}, "SequenceNumber": "1"},
    }


# What is shown.


def _panels(ticks: Sequence[Mapping[str, Any]], batches: Sequence[Mapping[str, Any]]) -> list[Panel]:
    def line(name: str, rows: Sequence[Mapping[str, Any]], key: str, factor: float = 1.0) -> Series:
        return Series(name, [(row["sites"], row[key] * factor) for row in rows])

    return [
        Panel(
            "Dispatch of one tick, seconds",
            "sites",
            [line("512 MB, with latency", ticks, "wall_at_512_mb_s"), line("processor time", ticks, "cpu_s")],
            logarithmic=True,
            limit=DISPATCH_LIMIT_S,
        ),
        Panel("Dispatch, peak memory, MB", "sites", [line("peak", ticks, "peak_octets", 1e-6)]),
        Panel(
            "Check, milliseconds per site",
            "sites of one batch",
            [line("wall", batches, "wall_ms_per_site"), line("processor time", batches, "cpu_ms_per_site")],
        ),
        Panel("Check, peak memory, MB", "sites of one batch", [line("peak", batches, "peak_octets", 1e-6)]),
    ]


def _shown(measured: Mapping[str, Any]) -> Iterator[str]:
    yield "dispatch     sites   cpu s  wall s  at 512 MB s   peak MB   calls"
    for row in measured["dispatch"]:
        yield (
            f"{row['sites']:18,}{row['cpu_s']:8.2f}{row['wall_s']:8.2f}{row['wall_at_512_mb_s']:13.2f}"
            f"{row['peak_octets'] / 1e6:10.0f}   {', '.join(f'{name} {n}' for name, n in row['calls'].items())}"
        )
    yield "check        sites   cpu ms/site  wall ms/site  billed s of 512 MB   peak MB"
    for row in measured["check"]:
        yield (
            f"{row['sites']:18}{row['cpu_ms_per_site']:14.1f}{row['wall_ms_per_site']:14.1f}"
            f"{row['billed_at_512_mb_s']:20.2f}{row['peak_octets'] / 1e6:10.0f}"
        )
    for name, value in measured.items():
        if isinstance(value, int | float):
            yield f"{name:42}{value:12,.4g}"
    for name in ("unchanged_batches", "changed_batch", "notified_batch"):
        for kind in ("write_units", "read_units"):
            yield f"{name} {kind}: " + ", ".join(f"{what} {units:g}" for what, units in measured[name][kind].items())


def _tell(what: str) -> None:
    sys.stderr.write(f"{what}\n")


def _parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.fleet", description=__doc__)
    add_options(parser)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main(_parsed()))
