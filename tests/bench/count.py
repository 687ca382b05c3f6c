"""What one site's audit costs, counted and not timed, beside the figures that are committed.

The audit is the real one, from the queue's message to the written items, played against recorded octets. What servers
can count (questions, connections, handshakes, requests, items) and what is dear (chains verified, certificates and
pages parsed, TLS contexts made) has to be the same; bytecode instructions, calls into C, octets and the peak of the
memory may differ by a tenth. Each is the same on every machine and under any load: no clock is read.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import msgspec

from tests.bench.count_meter import Figures
from tests.bench.count_mutants import MUTANTS

COMMAND = (
    "count",
    "count what one site's audit costs, on recorded wire data, and compare with the committed figures",
)
COMMITTED = Path(__file__).with_name("count.json")
TOLERANCE = 0.10
"""Of what is compared about."""
_KEPT = 0.001
"""Part of all instructions, or calls, from which on a function stands in the committed file."""
_SHOWN = 10
_SECONDS = 300
"""For one process that counts; it takes four seconds of a CPU."""
ACCEPT = "python -m tests.bench count --write"


class Uncounted(RuntimeError):
    """There are no figures; the text says why."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument("--write", action="store_true", help="accept the figures: write tests/bench/count.json anew")
    parser.add_argument(
        "--record", action="store_true", help="record what servers answer anew (needs nginx), and accept the figures"
    )
    parser.add_argument("--top", type=int, default=0, metavar="N", help="show the N functions that execute most")
    parser.add_argument(
        "--mutants", action="store_true", help="show that faults built in on purpose move the figures"
    )
    parser.add_argument("--runs", type=int, default=1, metavar="N", help="count N times, and show the spread")


def main(options: argparse.Namespace) -> int:
    """Count, and compare or write; return the exit status: 1 where a figure moved, 2 where there is none."""
    try:
        if options.mutants:
            return _mutants()
        runs = [counted(record=options.record)]
        for number in range(1, options.runs):
            sys.stderr.write(f"\r{number} of {options.runs} counted")
            runs.append(counted())
    except Uncounted as error:
        sys.stderr.write(f"{error}\n")
        return 2
    if options.runs > 1:
        sys.stderr.write("\r")
        sys.stdout.write("\n".join(_spread(runs)) + "\n")
    if options.top:
        sys.stdout.write("\n".join(_most(runs[0], options.top)) + "\n")
    if options.write or options.record:
        COMMITTED.write_bytes(msgspec.json.format(msgspec.json.encode(_kept(runs[0])), indent=1) + b"\n")
    told = compare(committed(), runs[-1])
    sys.stdout.write((told or "every figure is as committed") + "\n")
    return 1 if told else 0


def _mutants() -> int:
    """Build each fault in; return 1 where one moves nothing."""
    before, missed = counted(), []
    for name in MUTANTS:
        try:
            told = compare(before, counted(mutant=name))
        except Uncounted as error:
            told = str(error)
        lines = told.splitlines() or ["NOT NOTICED"]
        # What the product itself said of a fault may stand before.
        first = next((line for line in lines if line.startswith("the audit ")), lines[0])
        sys.stdout.write(f"{name}: {first}\n")
        sys.stdout.flush()
        missed += [] if told else [name]
    return 1 if missed else 0


def counted(*, record: bool = False, mutant: str = "") -> dict[str, Figures]:
    """Return the figures of each scenario, counted in a process of its own; Uncounted where that fails."""
    command = [sys.executable, "-m", "tests.bench.count_run", "--mutant", mutant, *(["--record"] if record else [])]
    root = Path(__file__).parents[2]
    # Sets are walked in the same order each time; nothing of this machine's AWS, Python or proxies is taken over.
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AWS_", "PYTHON", "COV")) and not name.lower().endswith("_proxy")
    }
    environment |= {"PYTHONHASHSEED": "0", "PYTHONPATH": str(root)}
    try:
        done = subprocess.run(command, cwd=root, env=environment, capture_output=True, check=False, timeout=_SECONDS)
    except subprocess.TimeoutExpired:
        raise Uncounted(f"counting took longer than {_SECONDS} s") from None
    if done.returncode:
        raise Uncounted(done.stderr.decode(errors="replace").strip() or f"counting ended with {done.returncode}")
    return msgspec.json.decode(done.stdout, type=dict[str, Figures])


def committed() -> dict[str, Figures]:
    """Return the figures to compare with; of modules, functions and calls those that count."""
    return msgspec.json.decode(COMMITTED.read_bytes(), type=dict[str, Figures])


def compare(before: Mapping[str, Figures], after: Mapping[str, Figures]) -> str:
    """Return what moved, what grew most, and how to accept it; empty where nothing did."""
    parts = [text for name in after if (text := _moved(name, before.get(name), after[name]))]
    parts += [f"{name}: is counted no more" for name in before if name not in after]
    if not parts:
        return ""
    return "\n".join([*parts, f"If that is meant, commit what this writes: {ACCEPT}"])


def _moved(name: str, before: Figures | None, after: Figures) -> str:
    if before is None:
        return f"{name}: was never counted"
    told = after.exact | after.about
    lines = [
        f"{name}: {figure} {before.exact.get(figure, 0):,} → {number:,}, where every one counts"
        for figure, number in after.exact.items()
        if number != before.exact.get(figure)
    ]
    lines += [f"{name}: {figure} is counted no more" for figure in before.exact | before.about if figure not in told]
    lines += [
        f"{name}: {figure} {was:,} → {number:,} ({number / was - 1:+.1%}), more than a tenth"
        for figure, number in after.about.items()
        if abs(number - (was := before.about.get(figure, 0) or 1)) > TOLERANCE * was
    ]
    if not lines:
        return ""
    grown = [
        *_grown("instructions by module", before.modules, after.modules),
        *_grown("instructions by function", before.functions, after.functions),
        *_grown("calls into C", before.calls, after.calls),
    ]
    return "\n".join([*lines, *grown])


def _grown(what: str, before: Mapping[str, int], after: Mapping[str, int]) -> Iterator[str]:
    """Yield what moved most; what is not committed was less than the least that is."""
    least = min(before.values(), default=0)
    by = {key: number - before.get(key, min(least, number)) for key, number in after.items()}
    by |= {key: -number for key, number in before.items() if key not in after}
    changed = sorted((key for key in by if by[key]), key=lambda key: -abs(by[key]))[:_SHOWN]
    if changed:
        yield f"  {what}, what moved most:"
    for key in changed:
        was = f"{before[key]:,}" if key in before else f"at most {least:,}"
        yield f"    {by[key]:+12,}  {key}  {was} → {after.get(key, 0):,}"


def _kept(figures: Mapping[str, Figures]) -> dict[str, Figures]:
    """Return what is committed: without modules, functions and calls that hardly count."""
    return {
        name: msgspec.structs.replace(
            one, modules=_counting(one.modules), functions=_counting(one.functions), calls=_counting(one.calls)
        )
        for name, one in figures.items()
    }


def _counting(numbers: Mapping[str, int]) -> dict[str, int]:
    least = _KEPT * sum(numbers.values())
    return {key: number for key, number in sorted(numbers.items()) if number >= least}


def _most(figures: Mapping[str, Figures], count: int) -> Iterator[str]:
    for name, one in figures.items():
        whole = sum(one.functions.values())
        yield f"{name}: {whole:,} bytecode instructions"
        for part in (one.modules, one.functions, one.calls):
            total = sum(part.values())
            yield ""
            ranked = sorted(part.items(), key=lambda item: -item[1])[:count]
            yield from (f"  {number / total:6.1%} {number:10,}  {key}" for key, number in ranked)
        yield ""


def _spread(runs: Iterable[Mapping[str, Figures]]) -> Iterator[str]:
    every = list(runs)
    for name, first in every[0].items():
        yield f"{name}, the least and the most of {len(every)}:"
        for figure in (*first.exact, *first.about):
            seen = [(one[name].exact | one[name].about)[figure] for one in every]
            spread = (max(seen) - min(seen)) / (min(seen) or 1)
            yield f"  {figure:26} {min(seen):12,} {max(seen):12,} {spread:8.3%}"
