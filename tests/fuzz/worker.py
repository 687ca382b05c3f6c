"""One target's process: samples first, then mutations until its time is over.

`python -m tests.fuzz.worker TARGET SECONDS SEED FOLDER`; its progress stands in FOLDER/progress.json, the inputs that
failed in FOLDER/failed. Mutations are Atheris's (libFuzzer's, guided by the coverage of the product's code and of the
Python packages that parse for it), mixed with ours; where there is no Atheris, they are ours alone.
"""

import importlib.util
import os
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

INSTRUMENTED = [f"padlock.{part}" for part in ("network", "probes", "site", "declaration", "checking", "on_demand")]
INSTRUMENTED += ["h11", "dns", "crossplane"]
_JUDGED = 7
"""One in so many pieces of evidence goes through all rules; odd, as some inputs make two."""
_WRITTEN_EVERY = 0.5
_FAULTS_KEPT = 3
"""Inputs of one fault."""
_OURS = 0.3
"""Share of the mutations that are not libFuzzer's."""


class Progress(msgspec.Struct):
    """What one worker has done."""

    guided: bool
    inputs: int = 0
    seconds: float = 0.0
    """Since it began."""
    slowest: float = 0.0
    """Seconds of processor time of one input."""
    faults: dict[str, list[str]] = {}
    """Place of a fault → the files of the inputs that showed it."""


def main() -> None:
    """Fuzz one target."""
    name, seconds, seed, folder = sys.argv[1], float(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])
    atheris: Any = importlib.import_module("atheris") if importlib.util.find_spec("atheris") else None
    if atheris:
        with atheris.instrument_imports(include=INSTRUMENTED):
            importlib.import_module("tests.fuzz.targets")  # only what is imported here is instrumented
    from tests.fuzz import judging  # noqa: PLC0415
    from tests.fuzz.mutations import mutated  # noqa: PLC0415
    from tests.fuzz.target import attempt, keep, warm  # noqa: PLC0415
    from tests.fuzz.targets import TARGETS  # noqa: PLC0415

    target = TARGETS[name]
    progress = Progress(guided=atheris is not None)
    known = [data for _, data in target.known()]
    warm(target)
    began = written = time.monotonic()

    def one(data: bytes) -> None:
        nonlocal written
        tried = attempt(target, data)
        progress.inputs += 1
        if tried.seconds > progress.slowest:
            progress.slowest = tried.seconds
            (folder / "slowest").write_bytes(data)
        if tried.fault:
            files = progress.faults.setdefault(tried.place, [])
            if len(files) < _FAULTS_KEPT:
                files.append(str(keep(folder / "failed", target, data)))
        if tried.fault or time.monotonic() - written > _WRITTEN_EVERY:
            written = time.monotonic()
            progress.seconds = written - began
            write(folder, progress)

    for data in known:
        one(data)
    judging.one_in = _JUDGED
    left = began + seconds - time.monotonic()
    chance = random.Random(seed)  # noqa: S311 — mutations, no secrets
    if atheris and left > 1:
        corpus = folder / "corpus"
        corpus.mkdir(parents=True, exist_ok=True)
        for number, data in enumerate(data for data in known if len(data) <= target.largest):
            (corpus / f"sample-{number}").write_bytes(data)
        _guided(atheris, one, lambda size: mutated(chance, known, size), target.largest, left, seed, folder)
    while time.monotonic() < began + seconds:
        one(mutated(chance, known, target.largest))
    progress.seconds = time.monotonic() - began
    write(folder, progress)


def _guided(
    atheris: Any,
    one: Callable[[bytes], None],
    ours: Callable[[int], bytes],
    largest: int,
    seconds: float,
    seed: int,
    folder: Path,
) -> None:
    """Hand over to libFuzzer, which ends the process."""
    chance = random.Random(seed)  # noqa: S311

    def changed(data: bytes, size: int, _seed: int) -> bytes:
        return ours(size) if chance.random() < _OURS else bytes(atheris.Mutate(data, size))

    arguments = [
        *(
            "worker",
            str(folder / "corpus"),
            f"-max_total_time={int(seconds)}",
            f"-seed={seed}",
            f"-max_len={largest}",
        ),
        # Wall clock: only for what our own time-out cannot end, code of C that never returns.
        *("-timeout=120", "-rss_limit_mb=2048", f"-artifact_prefix={folder}/stopped-", "-print_final_stats=0"),
    ]
    os.environ["PYTHONUNBUFFERED"] = "1"
    atheris.Setup(arguments, one, custom_mutator=changed)
    atheris.Fuzz()


def write(folder: Path, progress: Progress) -> None:
    """Write the progress, whole or not at all."""
    part = folder / "progress.part"
    part.write_bytes(msgspec.json.encode(progress))
    part.rename(folder / "progress.json")


if __name__ == "__main__":
    main()
