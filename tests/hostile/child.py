"""The checker's process: it calls the check function's own handler once, and says what came of it and what it took.

`python -m tests.hostile.child DIRECTORY` reads `request.json` there and writes `result.json` and one file of evidence
for each site. Nothing but the function and what it needs is imported, so that its memory is the function's.
"""

import asyncio
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from tests.handlers import load

ROOT = Path(__file__).parents[2]


class Context:
    """Lambda's context, as far as the handler reads it."""

    memory_limit_in_mb = 512
    aws_request_id = "00000000-0000-4000-8000-000000000000"
    function_name = "check"
    invoked_function_arn = "arn:aws:lambda:eu-central-1:123456789012:function:check"

    def __init__(self, seconds: float) -> None:
        """Take the time that the function has."""
        self._end = time.monotonic() + seconds

    def get_remaining_time_in_millis(self) -> int:
        """Return the time left, milliseconds."""
        return max(0, round((self._end - time.monotonic()) * 1000))


class Request(msgspec.Struct, frozen=True):
    """What to call the handler with."""

    event: dict[str, Any]
    seconds: float
    """Of the function's time."""
    ca_file: str
    services: dict[str, str]


class Look(msgspec.Struct, frozen=True):
    """One site's look."""

    site: str
    report: dict[str, Any]
    seconds: float
    fault: str
    evidence: str
    """The file that holds it; empty: there is none."""


class Result(msgspec.Struct, frozen=True):
    """What the handler did."""

    answer: Any
    """What it returned."""
    error: str
    """What it raised; empty: nothing."""
    seconds: float
    idle: int
    """Octets of memory held before the call."""
    peak: int
    """The most that were held during the call."""
    looks: list[Look]


def main(directory: Path) -> None:
    """Call the handler once, between two looks at this process's memory."""
    request = msgspec.json.decode((directory / "request.json").read_bytes(), type=Request)
    app = load("check")
    app.here = msgspec.structs.replace(app.here, ca_file=request.ca_file, services=request.services)
    looks = _recorded(app, directory)
    answer, error = None, ""
    context = Context(request.seconds)
    idle = _reset_peak()
    began = time.monotonic()
    try:
        answer = app.handler(request.event, context)
    except Exception as raised:  # noqa: BLE001 — it is the result
        error = f"{type(raised).__name__}: {raised}"
    seconds, peak = time.monotonic() - began, _memory("VmHWM")
    result = Result(answer, error, seconds, idle, peak, looks)
    (directory / "result.json").write_bytes(msgspec.json.encode(result))


def _recorded(app: Any, directory: Path) -> list[Look]:
    """Have each look written down as it ends, in files, so that what is kept of it takes no memory."""
    looks: list[Look] = []
    check_task = app.checking.check_task

    async def recorded(task: Any, vantage: Any, now: datetime, cache: Any, hosts: Any) -> Any:
        checked = await check_task(task, vantage, now, cache, hosts)
        file = directory / f"{task.name}.{len(looks)}.evidence"
        if checked.evidence is not None:
            await asyncio.to_thread(file.write_bytes, msgspec.json.encode(checked.evidence))
        report = msgspec.json.decode(msgspec.json.encode(checked.report))
        kept = str(file) if checked.evidence is not None else ""
        looks.append(Look(task.name, report, checked.seconds, checked.fault, kept))
        return checked

    app.checking.check_task = recorded
    return looks


def _reset_peak() -> int:
    """Forget the most memory that was held so far; return what is held now."""
    Path("/proc/self/clear_refs").write_text("5")
    return _memory("VmRSS")


def _memory(field: str) -> int:
    """Return a field of this process's status, octets."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"/proc/self/status has no {field}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
