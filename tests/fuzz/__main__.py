"""Fuzzes parsers for a time each, says what it did, and keeps each input that failed; exit status 1 for any."""

import argparse
import sys
from pathlib import Path

from tests.fuzz import campaign
from tests.fuzz.target import Target, attempt, warm
from tests.fuzz.targets import TARGETS


def main() -> int:
    """Run what the arguments ask for."""
    parser = argparse.ArgumentParser("python -m tests.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"one of {', '.join(TARGETS)}; all if none")
    parser.add_argument("--seconds", type=float, default=600, help="for each target (600)")
    parser.add_argument("--jobs", type=int, default=2, help="targets at the same time (2)")
    parser.add_argument("--seed", type=int, default=1, help="of the mutations (1)")
    parser.add_argument("--replay", nargs="+", type=Path, metavar="FILE", help="give these inputs to one target")
    chosen = parser.parse_args()
    if unknown := [name for name in chosen.targets if name not in TARGETS]:
        parser.error(f"there is no target {unknown[0]!r}; the targets are {', '.join(TARGETS)}")
    targets = [TARGETS[name] for name in chosen.targets or TARGETS]
    if not chosen.replay:
        return campaign.run(targets, chosen.seconds, chosen.jobs, chosen.seed)
    if len(targets) != 1:
        parser.error("--replay needs the one target that the inputs are for")
    return max(replay(targets[0], file) for file in chosen.replay)


def replay(target: Target, file: Path) -> int:
    """Give an input to its target, and say what comes of it."""
    warm(target)
    tried = attempt(target, file.read_bytes())
    print(f"{file}: {tried.fault or 'well'} ({tried.place or f'{tried.seconds * 1000:.0f} ms'})")  # noqa: T201
    return 1 if tried.fault else 0


if __name__ == "__main__":
    sys.exit(main())
