"""Print the hostile table: `python -m tests.hostile [NAME…] [--quick] [--json FILE]`; 1 if a row is wrong."""

import argparse
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from tests.hostile.behaviour import Behaviour
from tests.hostile.catalogue import ALL
from tests.hostile.harness import AT_ONCE, MOST_MEMORY, MOST_SECONDS, QUICK_SIZE, Row, batches, harness
from tests.hostile.internet import running
from tests.lab.lab import missing

_LINE = "{:<27} {:<44} {:<44} {:>7} {:>8}  {}"


def main() -> int:
    """Try the behaviours that are asked for, print their rows, and return the exit status."""
    arguments = _parser().parse_args()
    chosen = _chosen(arguments.names, quick=arguments.quick)
    if isinstance(chosen, str):
        return _refused(chosen, 2)
    lack = missing()
    if lack:
        return _refused(lack, 3)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    rows = []
    print(_LINE.format("behaviour", "expected", "seen", "seconds", "peak MB", ""), flush=True)  # noqa: T201 — a command
    for row in _rows(chosen, quick=arguments.quick):
        rows.append(row)
        print(shown(row), flush=True)  # noqa: T201 — a command
    if arguments.json:
        arguments.json.write_bytes(msgspec.json.format(msgspec.json.encode(rows), indent=1) + b"\n")
    wrong = sum(not row.right for row in rows)
    peak = max(row.peak for row in rows) / 1e6
    slowest = max(row.seconds for row in rows)
    print(  # noqa: T201 — a command
        f"{len(rows) - 1} behaviours, {wrong} wrong; at most {slowest:.1f} s of {MOST_SECONDS:g} "
        f"and {peak:.0f} MB of {MOST_MEMORY / 1e6:g} above idle"
    )
    return int(wrong > 0)


def _chosen(names: Sequence[str], *, quick: bool) -> tuple[Behaviour, ...] | str:
    """Return the behaviours that are asked for, or what is wrong with the question."""
    known = {behaviour.name: behaviour for behaviour in ALL}
    unknown = [name for name in names if name not in known]
    if unknown:
        return f"there is no behaviour {', '.join(unknown)}; there are {', '.join(known)}"
    asked = tuple(known[name] for name in names) or ALL
    return tuple(behaviour for behaviour in asked if not (quick and behaviour.slow))


def _rows(chosen: Sequence[Behaviour], *, quick: bool) -> Iterator[Row]:
    with running(chosen) as internet, harness(internet, chosen, AT_ONCE) as made:
        yield made.baseline()
        for done, row in enumerate(made.rows(batches(chosen, QUICK_SIZE if quick else 1)), 1):
            print(f"\r{done} of {len(chosen)}\033[K", end="\r", file=sys.stderr, flush=True)  # noqa: T201 — a command
            yield row


def shown(row: Row) -> str:
    """Return a row of the table, and below it what is wrong and with which promise."""
    mark = "right" if row.right else "WRONG"
    line = _LINE.format(
        row.name or "none", _cut(row.expected), _cut(row.seen), f"{row.seconds:.1f}", f"{row.peak / 1e6:.0f}", mark
    )
    if row.right:
        return line
    whole = [f"    promised: {row.promise}", f"    expected: {row.expected}", f"    seen:     {row.seen}"]
    return "\n".join([line, *whole, *(f"    fault:    {fault}" for fault in row.faults)])


def _cut(text: str) -> str:
    return text if len(text) <= 44 else f"{text[:43]}…"


def _refused(why: str, status: int) -> int:
    print(why, file=sys.stderr)  # noqa: T201 — a command
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.hostile",
        description="Run hostile sites through the whole check function, each in a batch with eight healthy ones, "
        "and print what was expected, what was seen, how long it took, and how much memory.",
        epilog="exit status: 0 all rows are right; 1 a row is wrong; 2 wrong usage; 3 this machine lacks what the "
        "lab needs",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="behaviour; all without one")
    parser.add_argument(
        "--quick",
        action="store_true",
        help="leave out those that take a site's whole deadline, and try several in one batch",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows there too")
    return parser


if __name__ == "__main__":
    sys.exit(main())
