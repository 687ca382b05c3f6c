"""What a handler imports, and what each module takes: `python -X importtime` against the built layers alone.

Beside that the processor time of the whole init, which a busy machine changes less than the time by the clock.
"""

import os
import resource
import statistics
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

IMPORT_SECONDS = 60
BEGINS = "import time: begins"
"""A mark, so that what the interpreter imports for itself is not counted."""
SHOWN = 25
"""Modules of each list."""


class Module(msgspec.Struct, frozen=True):
    """One imported module."""

    name: str
    self_us: int
    """Without what it imports itself."""
    cumulative_us: int


class Profile(msgspec.Struct, frozen=True):
    """What a handler imports, medians of several runs."""

    modules: int
    total_us: int
    by_self: Sequence[Module]
    by_cumulative: Sequence[Module]
    packages_us: Mapping[str, int]
    """Top-level package → what its modules take without what they import; the longest first."""


def profile(code: Path, layers: Sequence[Path], environment: Mapping[str, str], rounds: int) -> Profile:
    """Return what importing the handler in this folder takes, the interpreter's own start left out."""
    runs = [_run(code, layers, environment) for _ in range(rounds)]
    names = [module.name for module in runs[0]]
    each = [{module.name: module for module in run} for run in runs]
    merged = [
        Module(
            name,
            round(statistics.median(run[name].self_us for run in each if name in run)),
            round(statistics.median(run[name].cumulative_us for run in each if name in run)),
        )
        for name in names
    ]
    packages: dict[str, int] = defaultdict(int)
    for module in merged:
        packages[module.name.partition(".")[0]] += module.self_us
    return Profile(
        len(merged),
        sum(module.self_us for module in merged),
        sorted(merged, key=lambda module: -module.self_us)[:SHOWN],
        sorted(merged, key=lambda module: -module.cumulative_us)[:SHOWN],
        dict(sorted(packages.items(), key=lambda entry: -entry[1])[:SHOWN]),
    )


def cpu_ms(code: Path, layers: Sequence[Path], environment: Mapping[str, str]) -> float:
    """Return the processor time of a process that imports the handler, and with it makes its clients."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    _import(code, layers, environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return 1000 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def _run(code: Path, layers: Sequence[Path], environment: Mapping[str, str]) -> list[Module]:
    told = _import(code, layers, environment, "-X", "importtime")
    return list(read(told.partition(BEGINS)[2].splitlines()))


def _import(code: Path, layers: Sequence[Path], environment: Mapping[str, str], *options: str) -> str:
    """Import the handler in a Python that sees its standard library and these folders; return what it told."""
    folders = [str(folder) for folder in (code, *layers)]
    program = f"import sys; sys.path[:0] = {folders!r}; print({BEGINS!r}, file=sys.stderr); import app"
    ended = subprocess.run(
        [sys.executable, "-I", "-S", "-B", *options, "-c", program],
        # In Lambda's runtime, where that is set, a function's init is another than in a test.
        env={"PATH": os.environ["PATH"], "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:1", **environment},
        capture_output=True,
        text=True,
        timeout=IMPORT_SECONDS,
        check=False,
    )
    if ended.returncode:
        raise RuntimeError(f"{code} cannot be imported:\n{ended.stderr[-2000:]}")
    return ended.stderr


def read(lines: Iterable[str]) -> Iterable[Module]:
    """Yield the modules of importtime's lines, each once."""
    for line in lines:
        parts = line.removeprefix("import time:").split("|")
        if len(parts) == 3 and parts[0].strip().isdecimal():
            yield Module(parts[2].strip(), int(parts[0]), int(parts[1]))
