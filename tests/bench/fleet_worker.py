"""One function's process: its real handler is loaded, handed events, and what each took is said.

`python -m tests.bench.fleet_worker FUNCTION` reads an event from each line and answers with a line, a Took. Nothing
of the tests or of moto is imported, so that processor time and memory are the function's own.
"""

import io
import sys
import time
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import msgspec

from tests.handlers import load

TIMEOUT_SECONDS = 900
"""Lambda's longest; what the function's own would be is judged afterwards."""


class Took(msgspec.Struct, frozen=True):
    """What one invocation took."""

    answer: Any
    wall_s: float
    cpu_s: float
    """User and system, of the whole process."""
    peak_octets: int
    """The most that was resident since the process began."""
    idle_octets: int
    """Resident before the first event."""
    log_octets: int
    """Written to standard output, which becomes the function's log."""


class Context:
    """Lambda's context, as far as the handlers read it."""

    memory_limit_in_mb = 512
    aws_request_id = "00000000-0000-4000-8000-000000000000"
    function_name = "bench"
    invoked_function_arn = "arn:aws:lambda:eu-central-1:123456789012:function:bench"

    def __init__(self) -> None:
        self._end = time.monotonic() + TIMEOUT_SECONDS

    def get_remaining_time_in_millis(self) -> int:
        """Return the time left, milliseconds."""
        return max(0, round((self._end - time.monotonic()) * 1000))


def main() -> None:
    """Work off the events of standard input."""
    answers, log = sys.stdout.buffer, io.StringIO()
    # Powertools' logger keeps the standard output that it finds when it is made.
    with redirect_stdout(log):
        handler = load(sys.argv[1]).handler
        idle = _octets("VmRSS")
        for line in sys.stdin.buffer:
            log.seek(0)
            log.truncate()
            event = msgspec.json.decode(line)
            wall, cpu = time.perf_counter(), time.process_time()
            answer = handler(event, Context())
            took = Took(
                answer,
                time.perf_counter() - wall,
                time.process_time() - cpu,
                _octets("VmHWM"),
                idle,
                len(log.getvalue().encode()),
            )
            answers.write(msgspec.json.encode(took) + b"\n")
            answers.flush()


def _octets(name: str) -> int:
    """Return one of the kernel's figures of this process's memory; getrusage would know the parent's, too."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:"))


if __name__ == "__main__":
    main()
