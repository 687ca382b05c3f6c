"""The process of the checker's side that runs the peers' commands, and says what they took.

`python -m tests.bench.peers_station` reads an Order, one JSON line each, and answers with a Done.
"""

import re
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import msgspec

LIMIT_SECONDS = 300.0
"""For one command."""
_TOLD = 300


class Command(msgspec.Struct, frozen=True):
    """One command, and how it is known that it saw the site and found it well."""

    words: Sequence[str]
    says: str
    """A regular expression that its output holds."""
    statuses: Sequence[int] = (0,)
    """Exit statuses that are a success."""


class Order(msgspec.Struct, frozen=True):
    """The commands of each site; those of one site run one after the other, in so many sites at once."""

    sites: Sequence[Sequence[Command]]
    at_once: int


class Done(msgspec.Struct, frozen=True):
    """What they took."""

    wall_ms: float
    cpu_ms: float
    """User and system, of the commands and all that they started."""
    faults: Sequence[str]
    """What did not succeed."""


def run(order: Order) -> Done:
    """Run every command, between two looks at the clock and the processor's time."""
    cpu, wall = _children(), time.perf_counter()
    with ThreadPoolExecutor(order.at_once) as pool:
        wrong = [fault for faults in pool.map(_in_turn, order.sites) for fault in faults]
    return Done((time.perf_counter() - wall) * 1000, (_children() - cpu) * 1000, wrong)


def _in_turn(commands: Sequence[Command]) -> list[str]:
    return [fault for command in commands if (fault := _run(command))]


def _run(command: Command) -> str:
    """Run one command; return what is wrong with it, or ""."""
    try:
        done = subprocess.run(
            command.words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=LIMIT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"{' '.join(command.words)}: no end in {LIMIT_SECONDS:g} s"
    if done.returncode in command.statuses and re.search(command.says, done.stdout):
        return ""
    return f"{' '.join(command.words)}: status {done.returncode}, {done.stdout[-_TOLD:]!r}"


def _children() -> float:
    """Return the processor's seconds of all that this process started and that has ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Run orders until there are no more."""
    for line in sys.stdin:
        done = run(msgspec.json.decode(line, type=Order))
        sys.stdout.write(msgspec.json.encode(done).decode() + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
