"""Padlock's warm process: it gathers and judges the sites that it is told, and says what that took.

`python -m tests.bench.compare_padlock` reads an Order, one JSON line each, and answers with a Look. Nothing but the
product is imported, so that its memory is Padlock's.
"""

from padlock import init

# isort: split

import asyncio
import gc
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from padlock import site
from padlock.assess import assess
from padlock.evidence import Evidence
from padlock.findings import Report
from padlock.network.vantage import Vantage
from padlock.probes import gather
from padlock.probes.cache import MemoryCache


class Order(msgspec.Struct, frozen=True):
    """What to look at."""

    vantage: Vantage
    sites: Sequence[Mapping[str, Any]]
    """Declarations; all are looked at at the same time."""
    first: bool = False
    """Nothing is known of the sites: registry, authority and logs are asked, too."""
    profile: str = ""
    """The file that a profile of it is written to; empty: none is made."""


class Look(msgspec.Struct, frozen=True):
    """What one order took."""

    wall_ms: float
    cpu_ms: float
    """User and system, of the whole process."""
    judging_ms: float
    """Of the processor's time, for rules and report."""
    idle_octets: int
    """Resident before the order."""
    peak_octets: int
    """The most that was resident during it."""
    faults: Sequence[str]
    """What is not as on a healthy site that was seen whole."""


async def look(order: Order, cache: MemoryCache) -> tuple[list[tuple[Evidence, Report]], float]:
    """Gather and judge every site of an order, each report as JSON; return them and the processor's ms of judging."""
    spent = 0.0

    async def one(declared: Mapping[str, Any]) -> tuple[Evidence, Report]:
        nonlocal spent
        evidence = await gather(site.parse(dict(declared)), datetime.now(UTC), order.vantage, cache)
        began = time.thread_time()
        report = assess(evidence)
        msgspec.json.encode(report)
        spent += time.thread_time() - began
        return evidence, report

    return list(await asyncio.gather(*map(one, order.sites))), spent * 1000


def faults(evidence: Evidence, report: Report, declared: Mapping[str, Any]) -> list[str]:
    """Return what was not seen of a healthy site with two hosts and two addresses, or was seen wrong."""
    name = declared["name"]
    served = {(seen.host, seen.address) for seen in evidence.tls.named() if seen.chain} if evidence.tls else set()
    wanted = {(host, address) for host in (name, f"www.{name}") for address in declared["addresses"]}
    found = [f"{f.code} {f.subject}: {f.observed}" for f in report.findings if f.severity != "notice"]
    found += [f"{host} at {address} was not seen" for host, address in sorted(wanted - served)]
    found += [evidence.incomplete] if evidence.incomplete else []
    if report.status not in ("ok", "notice"):
        found.append(f"its status is {report.status}")
    return [f"{name}: {fault}" for fault in found]


def carry_out(order: Order, caches: dict[str, MemoryCache]) -> Look:
    """Look once, between two looks at the clock, the processor's time and the memory."""
    cache = MemoryCache() if order.first else caches["warm"]
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")
    idle = _memory("VmRSS")
    wall, cpu = time.perf_counter(), time.process_time()
    seen, judging = asyncio.run(look(order, cache))
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = _memory("VmHWM")
    wrong = [fault for pair, told in zip(seen, order.sites, strict=True) for fault in faults(*pair, told)]
    return Look(wall * 1000, cpu * 1000, judging, idle, peak, wrong)


def _memory(field: str) -> int:
    """Return a field of this process's status, octets."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{field}:"))


def main() -> None:
    """Carry out orders until there are no more."""
    init.done()
    caches = {"warm": MemoryCache()}
    for line in sys.stdin:
        order = msgspec.json.decode(line, type=Order)
        if order.profile:
            import cProfile  # noqa: PLC0415 — a measured process does not carry it

            profiler = cProfile.Profile()
            answer = profiler.runcall(carry_out, order, caches)
            profiler.dump_stats(order.profile)
        else:
            answer = carry_out(order, caches)
        sys.stdout.write(msgspec.json.encode(answer).decode() + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
