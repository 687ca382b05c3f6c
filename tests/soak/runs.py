"""Many stories of the stateful test, by several processes, each batch of them with a seed of its own."""

import argparse
import contextlib
import io
import logging
import multiprocessing
import os
import sys
import time
import traceback
from collections import Counter

import msgspec
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.soak.machine import Alerts
from tests.soak.violation import Violation
from tests.soak.world import World

COMMAND = ("run", "run the stateful test of the whole alert path, with faults at every call")
BATCH = 20
"""Runs of one seed."""


class Outcome(msgspec.Struct, frozen=True):
    """What one batch came to."""

    seed: int
    runs: int
    met: dict[str, int]
    """Kind of fault → how often it was met."""
    violation: str = ""
    """Name of the broken promise; empty: none was."""
    told: str = ""
    """The violation and the story that leads to it."""


class Batch(msgspec.Struct, frozen=True):
    """One seed's runs."""

    seed: int
    runs: int
    steps: int
    in_memory: bool
    shrink: bool = False


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument("--runs", type=int, default=2000, help="stories (default: %(default)s)")
    parser.add_argument("--steps", type=int, default=60, help="steps of a story (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help=f"first seed; each {BATCH} runs have the next")
    parser.add_argument("--processes", type=int, default=os.process_cpu_count(), help="default: one for each CPU")
    parser.add_argument(
        "--in-memory", action="store_true", help="keep the tables in memory, in place of moto: faster"
    )
    parser.add_argument("--shrink", action="store_true", help="look for a shorter story of what fails: slow")


def main(options: argparse.Namespace) -> int:
    """Run the stories and say how far it is; return 1 where a promise is broken."""
    count = -(-options.runs // BATCH)
    batches = [
        Batch(
            options.seed + number,
            min(BATCH, options.runs - number * BATCH),
            options.steps,
            options.in_memory,
            options.shrink,
        )
        for number in range(count)
    ]
    met: Counter[str] = Counter()
    done, started = 0, time.monotonic()
    with multiprocessing.get_context("spawn").Pool(options.processes) as pool:
        for outcome in pool.imap_unordered(run, batches):
            done += outcome.runs
            met.update(outcome.met)
            if outcome.violation:
                sys.stdout.write(f"\nseed {outcome.seed}: {outcome.told}\n")
                return 1
            passed = time.monotonic() - started
            left = passed / done * (options.runs - done)
            sys.stdout.write(f"{done} of {options.runs} runs in {passed:.0f} s, about {left:.0f} s left\n")
            sys.stdout.flush()
    faults = ", ".join(f"{kind} {number}" for kind, number in sorted(met.items()))
    sys.stdout.write(f"{done} runs of {options.steps} steps: every promise held; faults met: {faults}\n")
    return 0


def run(batch: Batch) -> Outcome:
    """Run the stories of one seed."""
    logging.disable(logging.CRITICAL)
    phases = (Phase.generate, Phase.shrink) if batch.shrink else (Phase.generate,)
    given = settings(
        max_examples=batch.runs,
        stateful_step_count=batch.steps,
        deadline=None,
        database=None,
        phases=phases,
        suppress_health_check=list(HealthCheck),
    )
    with World(in_memory=batch.in_memory) as world:
        machine = type("Stories", (Alerts,), {"world": world})
        printed = io.StringIO()
        try:
            with contextlib.redirect_stdout(printed):
                run_state_machine_as_test(seed(batch.seed)(machine), settings=given)
        except Exception as error:  # noqa: BLE001 — whatever ends a story is told
            name = error.invariant if isinstance(error, Violation) else f"0 nothing breaks: {type(error).__name__}"
            story = "".join(traceback.format_exception(error))
            return Outcome(batch.seed, world.begun, dict(world.met), name, f"{error}\n{story}")
        return Outcome(batch.seed, batch.runs, dict(world.met))
