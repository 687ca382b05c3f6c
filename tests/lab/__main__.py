"""Run one command, or a shell, on the checker's side of a lab: `python -m tests.lab dig shop.test`."""

import argparse
import signal
import subprocess
import sys

from tests.lab.lab import missing, running


def main() -> int:
    """Start the lab, run the command and return its exit status."""
    words = _parser().parse_args().command or ["bash"]
    lack = missing()
    if lack:
        print(lack, file=sys.stderr)  # noqa: T201 — a command
        return 3
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with running() as lab:
        return subprocess.run(lab.command(*words), env=lab.environment, check=False).returncode


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.lab",
        description="Start the lab, a small internet of network namespaces on this machine, and run a command on the "
        "checker's side of it; the lab ends with the command.",
        epilog="examples:\n"
        "  python -m tests.lab\n"
        "  python -m tests.lab dig shop.test\n"
        "  python -m tests.lab curl -sI http://shop.test/\n\n"
        "exit status: the command's; 3 where this machine lacks what the lab needs",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", nargs=argparse.REMAINDER, help="command and its arguments; a shell without one")
    return parser


if __name__ == "__main__":
    sys.exit(main())
