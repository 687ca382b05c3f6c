"""One parser under test, and one input given to it: the exception, processor time and memory that it takes."""

import contextlib
import gc
import hashlib
import resource
import signal
import time
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import msgspec

CORPUS = Path(__file__).parent / "corpus"
SECONDS = 1.0
"""Of processor time for one input."""
MEGABYTES = 64
"""By which one input may raise the process's peak."""
_STOPPED_AFTER = 10.0
"""Seconds of processor time after which an input is given up."""


class Target(msgspec.Struct, frozen=True):
    """A parser as the product calls it."""

    name: str
    parser: str
    """What it reads, and from whom, in a few words."""
    run: Callable[[bytes], object]
    """Parses one input; every exception that gets out is a fault."""
    samples: Callable[[], Iterable[bytes]]
    """What the mutations start from."""
    rounds: int
    """Mutations that CI tries: two or three seconds of them."""
    largest: int = 8_192
    """Octets of a mutation; samples may be larger."""

    def known(self) -> Iterator[tuple[str, bytes]]:
        """Yield the samples and the inputs that failed once, each with a name."""
        for number, sample in enumerate(self.samples()):
            yield f"sample {number}", sample
        for file in sorted((CORPUS / self.name).glob("*")):
            yield f"corpus/{self.name}/{file.name}", file.read_bytes()


class Attempt(msgspec.Struct, frozen=True):
    """What one input did."""

    seconds: float
    """Of processor time."""
    fault: str = ""
    """What was wrong; empty: nothing."""
    place: str = ""
    """Where, so that one fault counts once: the exception and the line that raised it."""


class _TooLong(BaseException):
    """Not an Exception: no parser may take it for one of its own."""


def attempt(target: Target, data: bytes) -> Attempt:
    """Give one input to a parser, in this process's main thread."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    fault = place = ""
    began = time.process_time()
    try:
        with _given_up(), warnings.catch_warnings():
            warnings.simplefilter("error")  # a log of JSON lines has no place for them
            target.run(data)
    except _TooLong as error:
        fault, place = f"given up after {_STOPPED_AFTER:g} s", f"too long at {_line(error)}"
    except Exception as error:  # noqa: BLE001 — whatever gets out is what is looked for
        fault, place = _told(error), f"{type(error).__name__} at {_line(error)}"
    seconds = time.process_time() - began
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak) // 1024
    if not fault and seconds > SECONDS:
        fault, place = f"took {seconds:.1f} s of processor time; {SECONDS:g} s is the most", "slow"
    if not fault and grown > MEGABYTES:
        fault, place = f"took {grown} MB; {MEGABYTES} MB is the most", "large"
    return Attempt(seconds, fault, place)


def keep(folder: Path, target: Target, data: bytes) -> Path:
    """Write an input that failed to a file named after its content, and return that."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{target.name}-{hashlib.sha256(data).hexdigest()[:12]}"
    file.write_bytes(data)
    return file


def warm(target: Target) -> None:
    """Have everything loaded and cached that the first input would pay for."""
    for _, sample in zip(range(8), target.samples(), strict=False):
        with contextlib.suppress(Exception):
            target.run(sample)
    gc.collect()
    gc.freeze()


@contextlib.contextmanager
def _given_up() -> Iterator[None]:
    def stop(_signal: int, _frame: FrameType | None) -> Any:
        raise _TooLong

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, _STOPPED_AFTER)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error)[:300]}"


def _line(error: BaseException) -> str:
    """Return the innermost line of the product's code, or of what it calls where none of it is among them."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if "/padlock/" in frame.filename] or frames
    return f"{Path(own[-1].filename).name}:{own[-1].lineno}"
