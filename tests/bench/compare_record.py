"""The record of a comparison: its samples, the goals that they are held against, and the machine that made them."""

import os
import platform
import statistics
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

CRITICAL_PATH = 4
"""Round trips of a whole look from outside: the name, the connection, TLS, the answer."""
PADLOCK, FIRST, STORED = "padlock", "padlock-first", "padlock-stored"
BLACKBOX, BASIC, EVERYTHING = "blackbox-35", "blackbox-15", "blackbox-61"
FASTER = (("seed", 7, 8.5), ("plugins", 9, 10.6), ("sslyze", 2.7, 3.2), ("testssl", 50, 57))
"""Peer → how many times faster one site must be looked at, and how many times is beyond that."""


class Sample(msgspec.Struct, frozen=True):
    """One run of one tool; times for all of its sites together."""

    wall_ms: float
    cpu_ms: float
    """User and system, of the tool's processes."""
    peak_octets: int | None = None
    """The most resident memory of the whole process, where it is measured."""
    idle_octets: int | None = None
    """Resident before the run, where it is measured."""
    judging_ms: float | None = None
    """Of cpu_ms, for rules and report, where it is told apart."""
    calls: Mapping[str, int] | None = None
    """Operation of DynamoDB → requests, where there are any."""


class Measured(msgspec.Struct, frozen=True):
    """All runs of one tool."""

    title: str
    one_site: dict[str, list[Sample]] = {}
    """Round trip time, milliseconds → runs for one site."""
    all_sites: dict[str, list[Sample]] = {}
    """The same → runs for all sites at once."""

    def wall_ms(self, round_trip_ms: int, *, fleet: bool = False) -> float | None:
        """Return the median wall clock; None where it was not measured."""
        samples = (self.all_sites if fleet else self.one_site).get(str(round_trip_ms))
        return statistics.median(sample.wall_ms for sample in samples) if samples else None

    def cpu_ms(self, round_trip_ms: int, sites: int, *, fleet: bool = True) -> float | None:
        """Return the median of the processor's time for one site; None where it was not measured."""
        samples = (self.all_sites if fleet else self.one_site).get(str(round_trip_ms))
        return statistics.median(sample.cpu_ms for sample in samples) / sites if samples else None

    def peak_octets(self) -> int | None:
        """Return the most memory of any run for all sites; None where it was not measured."""
        peaks = [s.peak_octets for samples in self.all_sites.values() for s in samples if s.peak_octets is not None]
        return max(peaks, default=None)


class Goal(msgspec.Struct, frozen=True):
    """A goal, and what was seen."""

    goal: str
    gate: float
    beyond: float
    seen: float | None
    """None: not measured in this run."""
    unit: str
    at_least: bool = False
    """The gate is a lower bound."""

    def meets(self, bound: float) -> bool:
        """Whether what was seen is within a bound."""
        if self.seen is None:
            return False
        return self.seen >= bound if self.at_least else self.seen <= bound

    @property
    def verdict(self) -> str:
        """Return `beyond`, `holds`, `FAILS` or `not measured`."""
        if self.seen is None:
            return "not measured"
        return "beyond" if self.meets(self.beyond) else "holds" if self.meets(self.gate) else "FAILS"


class Record(msgspec.Struct, frozen=True):
    """One comparison, as its JSON file has it."""

    date: str
    machine: Mapping[str, str | int]
    commit: str
    rounds: int
    round_trips_ms: Sequence[int]
    sites: int
    tools: Mapping[str, Measured]
    goals: Sequence[Goal]
    relays: Sequence[Mapping[str, float]]
    """What each way of each cable carried, and how late it was."""
    faults: Sequence[str]
    """What a tool did not succeed in; a comparison with any does not count."""


def goals(tools: Mapping[str, Measured], round_trips_ms: Sequence[int], sites: int) -> list[Goal]:
    """Return every goal that this comparison can tell, from the medians of its runs."""
    ours, peer, far = tools[PADLOCK], tools[BLACKBOX], max(round_trips_ms)
    found = [_over_path(ms, ours.wall_ms(ms)) for ms in round_trips_ms if ms]
    cpu = _ratio(ours.cpu_ms(far, sites), peer.cpu_ms(far, sites))
    wall = _ratio(ours.wall_ms(far, fleet=True), peer.wall_ms(far, fleet=True))
    peaks = [peak for name in (PADLOCK, STORED) if name in tools and (peak := tools[name].peak_octets()) is not None]
    kept = ", with storage" if STORED in tools else ""
    megabytes = max(peaks) / 1e6 if peaks else None
    found += [
        Goal(f"CPU of a site, {sites} sites, over blackbox's 35 probes", 0.5, 0.3, cpu, "x"),
        Goal(f"{sites} sites at {far} ms, wall over blackbox's 35 probes", 0.5, 0.4, wall, "x"),
        Goal(f"peak memory, {sites} sites at once{kept}", 128, 64, megabytes, "MB"),
    ]
    for name, gate, beyond in FASTER:
        if name in tools:
            times = _ratio(tools[name].wall_ms(far), ours.wall_ms(far))
            title = f"1 site at {far} ms, times faster than {tools[name].title}"
            found.append(Goal(title, gate, beyond, times, "x", at_least=True))
    return found


def _over_path(round_trip_ms: int, wall_ms: float | None) -> Goal:
    over = None if wall_ms is None else wall_ms - CRITICAL_PATH * round_trip_ms
    return Goal(f"1 site at {round_trip_ms} ms, wall over its critical path", 40, 15, over, "ms")


def _ratio(one: float | None, other: float | None) -> float | None:
    return one / other if one is not None and other else None


def machine() -> dict[str, str | int]:
    """Return what the figures depend on: processor, cores, memory, kernel and Python."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    return {
        "cpu": model or platform.machine(),
        "cores": os.process_cpu_count() or 1,
        "memory_octets": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "kernel": platform.release(),
        "python": platform.python_version(),
    }


def commit() -> str:
    """Return the commit of this work tree; with `+` where the tree differs from it, empty where there is none."""
    words = ("git", "describe", "--always", "--abbrev=12", "--exclude=*", "--dirty=+")
    try:
        done = subprocess.run(words, cwd=Path(__file__).parent, text=True, capture_output=True, check=False)
    except OSError:
        return ""
    return done.stdout.strip()


def now() -> str:
    """Return the time of this run."""
    return datetime.now(UTC).isoformat(timespec="seconds")
