"""Runs workers, a few at a time, and prints what they do; each input that failed is tried once more by itself."""

import re
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from tests.fuzz.target import Target, keep
from tests.fuzz.worker import Progress

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".cache" / "fuzz"
_TOLD_EVERY = 60.0
_OVERTIME = 300.0
"""Seconds beyond its time after which a worker is ended."""
_REPLAY_SECONDS = 120.0


class _Work:
    """One target's worker, started anew where an input ended it."""

    def __init__(self, target: Target, seconds: float, seed: int) -> None:
        self.target = target
        self.folder = FOLDER / target.name
        self.seconds = seconds
        self.seed = seed
        self.began = time.monotonic()
        self.ended: list[Progress] = []
        self.stopped: list[Path] = []
        """Inputs that ended the process, or that libFuzzer gave up."""
        shutil.rmtree(self.folder / "failed", ignore_errors=True)
        for old in (*self.folder.glob("stopped-*"), *self.folder.glob("progress.*")):
            old.unlink()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        left = max(1.0, self.seconds - (time.monotonic() - self.began))
        arguments = [self.target.name, str(left), str(self.seed + len(self.ended)), str(self.folder)]
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "tests.fuzz.worker", *arguments], cwd=ROOT, stdout=log, stderr=log
            )

    @property
    def running(self) -> bool:
        """Whether it goes on; starts it anew where it ended too early."""
        spent = time.monotonic() - self.began
        if self.process.poll() is None:
            if spent > self.seconds + _OVERTIME:
                self.process.kill()
                self.process.wait()
            return self.process.poll() is None
        new = [file for file in self.folder.glob("stopped-*") if file not in self.stopped]
        self.stopped += new
        if new and spent < self.seconds - 5:
            self.ended.append(self._last())
            self.process = self._start()
            return True
        return False

    @property
    def failed(self) -> bool:
        """Whether the worker itself broke down."""
        return self.process.poll() not in (None, 0) and not self.stopped

    def _last(self) -> Progress:
        file = self.folder / "progress.json"
        return msgspec.json.decode(file.read_bytes(), type=Progress) if file.exists() else Progress(guided=False)

    def progress(self) -> Progress:
        """Return the sum of what its workers have done."""
        last = self._last()
        every = [*self.ended, last] if last not in self.ended else self.ended
        faults: dict[str, list[str]] = {}
        for one in every:
            for place, files in one.faults.items():
                faults.setdefault(place, []).extend(files)
        if self.stopped:
            faults["ended the process"] = [
                str(keep(self.folder / "failed", self.target, file.read_bytes())) for file in self.stopped
            ]
        return Progress(
            last.guided,
            sum(one.inputs for one in every),
            sum(one.seconds for one in every),
            max((one.slowest for one in every), default=0.0),
            faults,
        )


def run(targets: Sequence[Target], seconds: float, jobs: int, seed: int) -> int:
    """Fuzz each target for so long, and return the exit status: 1 where an input failed."""
    kept = FOLDER.relative_to(ROOT)
    say(f"{len(targets)} targets, {seconds:g} s each, {jobs} at a time, seed {seed}; found inputs in {kept}/")
    waiting, running, done = list(targets), list[_Work](), list[_Work]()
    told = time.monotonic()
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                running.append(_Work(waiting.pop(0), seconds, seed))
            time.sleep(0.2)
            for work in [work for work in running if not work.running]:
                running.remove(work)
                done.append(work)
                say(_line(work))
            if time.monotonic() - told > _TOLD_EVERY:
                told = time.monotonic()
                for work in running:
                    say(f"… {_line(work)}")
    finally:
        for work in running:
            work.process.kill()
            work.process.wait()
    return _report(done)


def say(text: str) -> None:
    """Print a line at once."""
    print(text, flush=True)  # noqa: T201


def _line(work: _Work) -> str:
    progress = work.progress()
    broken = f"; its worker broke down, see {work.folder / 'log'}" if work.failed else ""
    return (
        f"{work.target.name}: {progress.inputs:,} inputs, {len(progress.faults)} faults, "
        f"slowest {progress.slowest * 1000:.0f} ms{broken}"
    )


def _report(done: Sequence[_Work]) -> int:
    guided = all(work.progress().guided for work in done)
    say("" if guided else "\nNot guided by coverage: there is no Atheris here.\n")
    say("| target | parser | inputs | per second | faults | slowest input |")
    say("|---|---|---:|---:|---:|---:|")
    confirmed: list[str] = []
    for work in done:
        progress = work.progress()
        faults = [_confirmed(work.target, files) for files in progress.faults.values()]
        confirmed += [fault for fault in faults if fault]
        rate = progress.inputs / progress.seconds if progress.seconds else 0
        say(
            f"| {work.target.name} | {work.target.parser} | {progress.inputs:,} | {rate:,.0f} "
            f"| {sum(map(bool, faults))} | {_slowest(work)} |"
        )
    for fault in confirmed:
        say(fault)
    broken = [work for work in done if work.failed or not work.progress().inputs]
    for work in broken:
        say(f"{work.target.name}: the worker broke down; see {work.folder / 'log'}")
    return 1 if confirmed or broken else 0


def _confirmed(target: Target, files: Sequence[str]) -> str:
    """Return what an input does by itself, without coverage, and how to see it again; empty: nothing wrong."""
    for file in dict.fromkeys(files):
        status, told = _replayed(target, file)
        if status:
            return (
                f"\n{target.name}: {told}\n  again: .venv/bin/python -m tests.fuzz --replay {file} -- {target.name}"
            )
    return ""


def _slowest(work: _Work) -> str:
    """Return the time of the slowest input, taken by itself: the coverage triples it."""
    _, told = _replayed(work.target, str(work.folder / "slowest"))
    timed = re.search(r"\(([0-9]+ ms)\)", told)
    return timed[1] if timed else f"{work.progress().slowest * 1000:.0f} ms"


def _replayed(target: Target, file: str) -> tuple[int, str]:
    """Return the exit status and the words of an input's replay in a process of its own."""
    command = [sys.executable, "-m", "tests.fuzz", "--replay", file, "--", target.name]
    try:
        tried = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=_REPLAY_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return 1, f"{file} runs for more than {_REPLAY_SECONDS:g} s"
    return tried.returncode, tried.stdout.decode().strip() or tried.stderr.decode()[-300:]
