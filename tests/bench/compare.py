"""Padlock and its peers, interleaved in the same run, at the same sites, over the same cables."""

import argparse
import os
import pstats
import re
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from tests.bench import compare_record, compare_table, compare_tools, lab
from tests.bench.compare_record import Measured, Record
from tests.bench.compare_tools import Tool, Tools
from tests.bench.delay import ROOT
from tests.lab.lab import missing

COMMAND = ("compare", "measure Padlock beside its peers, interleaved, in a lab of fifty sites; needs root")
RESULTS = ROOT / ".cache/bench"
QUICK_SECONDS = 150.0
"""A quick comparison begins no round that would likely end later."""
PROFILED = 25
"""Lines of a profile that are shown."""
FAULTS_TOLD = 5
"""Of one run of one tool."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument(
        "--quick", action="store_true", help="within three minutes: fewer rounds and looks, no testssl.sh"
    )
    parser.add_argument("--rounds", type=int, help="runs of each tool (default: 5; at most 3 with --quick)")
    parser.add_argument(
        "--delays", type=_delays, default=[0, 50, 100], help="round trip times, ms (default: 0,50,100)"
    )
    parser.add_argument("--sites", type=int, default=50, help="sites of the lab (default: %(default)s)")
    parser.add_argument("--only", default="", help="tools, beside Padlock and blackbox's 35 probes: seed,sslyze")
    parser.add_argument("--json", type=Path, help="the file of the record (default: .cache/bench/compare.json)")
    parser.add_argument("--profile", action="store_true", help="then profile Padlock's look at all sites, at RTT 0")


def main(options: argparse.Namespace) -> int:
    """Compare, print the tables; return 0, 1 where a gate or a tool failed, 3 where this machine cannot do it."""
    lack = missing() or compare_tools.missing(quick=options.quick)
    if lack:
        print(f"no comparison: {lack}", file=sys.stderr)  # noqa: T201 — a command
        return 3
    rounds = options.rounds or (3 if options.quick else 5)
    record = _compared(options, rounds)
    file = options.json or RESULTS / ("compare-quick.json" if options.quick else "compare.json")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(msgspec.json.format(msgspec.json.encode(record), indent=1))
    print(compare_table.tables(record))  # noqa: T201 — a command
    for fault in record.faults:
        print(f"a tool failed: {fault}", file=sys.stderr)  # noqa: T201
    failed = [goal.goal for goal in record.goals if goal.verdict == "FAILS"]
    for goal in failed:
        print(f"a gate does not hold: {goal}", file=sys.stderr)  # noqa: T201
    print(f"written to {os.path.relpath(file)}", file=sys.stderr)  # noqa: T201
    return 1 if failed or record.faults else 0


def _compared(options: argparse.Namespace, rounds: int) -> Record:
    faults: list[str] = []
    began, done = time.monotonic(), 0
    with lab.running(options.sites, options.delays) as started, compare_tools.running(started) as tools:
        chosen = _chosen(tools, options)
        measured = {name: Measured(tool.title) for name, tool in chosen.items()}
        _warm_up(started, chosen, faults)
        while done < rounds:
            passed = time.monotonic() - began
            if options.quick and done and passed * (done + 1) / done > QUICK_SECONDS:
                break
            _round(started, chosen, measured, faults, done)
            done += 1
        if options.profile:
            started.cables.use(0)
            _profile(tools)
        carried = started.cables.end()
        _say("the cables were late by " + ", ".join(f"{c.late_ms:.1f} ms" for c in carried) + " in the mean")
        relays = [msgspec.structs.asdict(way) for way in carried]
    return Record(
        compare_record.now(),
        compare_record.machine(),
        compare_record.commit(),
        done,
        options.delays,
        options.sites,
        measured,
        compare_record.goals(measured, options.delays, options.sites),
        relays,
        faults,
    )


def _chosen(tools: Tools, options: argparse.Namespace) -> Mapping[str, Tool]:
    """Return the tools of this comparison."""
    left_out = {"testssl"} if options.quick else set()
    wanted = set(filter(None, options.only.split(",")))
    kept = [tool for tool in tools.all() if tool.name not in left_out]
    if wanted:
        wanted |= {compare_record.PADLOCK, compare_record.BLACKBOX}
        unknown = wanted - {tool.name for tool in kept}
        if unknown:
            known = ", ".join(sorted(tool.name for tool in kept))
            raise SystemExit(f"no such tool: {', '.join(sorted(unknown))}; there are {known}")
        kept = [tool for tool in kept if tool.name in wanted]
    if options.quick:
        kept = [tool if tool.in_quick else msgspec.structs.replace(tool, all_sites=False) for tool in kept]
        kept = [tool for tool in kept if tool.one_site or tool.all_sites]
    return {tool.name: tool for tool in kept}


def _warm_up(started: lab.BenchLab, tools: Mapping[str, Tool], faults: list[str]) -> None:
    """Run each tool once unmeasured, so that what every process, cache and resolver learns once is learned."""
    started.cables.use(0)
    for tool in tools.values():
        if tool.name == "testssl":
            continue  # a process anew for each host, of which a look is long
        _say(f"warming up: {tool.title}")
        sites = started.sites if tool.looks > 1 or not tool.one_site else started.sites[:1]
        _note(faults, tool, tool.look(sites)[1])


def _round(
    started: lab.BenchLab, tools: Mapping[str, Tool], measured: Mapping[str, Measured], faults: list[str], number: int
) -> None:
    """Run every tool in its turn, in an order that each round begins one further, over each cable."""
    order = list(tools.values())
    order = order[number % len(order) :] + order[: number % len(order)]
    sites, far = started.sites, max(started.round_trips_ms)
    for milliseconds in started.round_trips_ms:
        started.cables.use(milliseconds)
        for tool in (tool for tool in order if tool.one_site):
            _say(f"round {number + 1}, {milliseconds} ms: {tool.title}, one site")
            for look in range(tool.looks):
                sample, wrong = tool.look([sites[(number * tool.looks + look) % len(sites)]])
                measured[tool.name].one_site.setdefault(str(milliseconds), []).append(sample)
                _note(faults, tool, wrong)
    started.cables.use(far)
    for tool in (tool for tool in order if tool.all_sites):
        _say(f"round {number + 1}, {far} ms: {tool.title}, {len(sites)} sites")
        sample, wrong = tool.look(sites)
        measured[tool.name].all_sites.setdefault(str(far), []).append(sample)
        _note(faults, tool, wrong)


def _profile(tools: Tools) -> None:
    """Print where Padlock's time goes, by the time of each function itself."""
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory, "profile")
        tools.profile(file)
        pstats.Stats(str(file), stream=sys.stderr).sort_stats("tottime").print_stats(PROFILED)


def _note(faults: list[str], tool: Tool, wrong: Sequence[str]) -> None:
    faults += [f"{tool.title}: {fault}" for fault in wrong[:FAULTS_TOLD]]


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def _delays(text: str) -> list[int]:
    """Read a list of round trip times."""
    if not re.fullmatch(r"\d{1,4}(,\d{1,4})*", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no list of milliseconds such as 0,50,100")
    return sorted({int(part) for part in text.split(",")})
