"""Run one command, or a shell, on the checker's side of a lab: `python -m tests.lab dig shop.test`."""

import signal
import subprocess
import sys

from tests.lab.lab import missing, running


def main() -> int:
    """Start the lab, run the command and return its exit status."""
    lack = missing()
    if lack:
        print(lack, file=sys.stderr)  # noqa: T201 — a command
        return 3
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with running() as lab:
        words = sys.argv[1:] or ["bash"]
        return subprocess.run(lab.command(*words), env=lab.environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
