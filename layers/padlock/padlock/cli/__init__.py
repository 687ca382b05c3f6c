"""The `padlock` command: check sites from here, judge stored evidence, look after a deployed stack."""

import io
import os
import sys
from collections.abc import Sequence

from padlock.cli.arguments import parser
from padlock.cli.output import FAULT, clear_progress, complain, show_fault

INTERRUPTED = 130
"""What a shell gives for a command that SIGINT ended."""
CLOSED_PIPE = 141


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status; wrong usage raises SystemExit(2), as argparse does."""
    options = parser().parse_args(arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A name from outside must not end a command whose output has not its letters.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        code: int = options.run(options)
        sys.stdout.flush()
    except KeyboardInterrupt:
        clear_progress()
        return INTERRUPTED
    except BrokenPipeError:
        _discard_stdout()
        return CLOSED_PIPE
    except OSError as error:
        if options.debug:
            show_fault(error)
        _discard_stdout()
        complain(f"{options.doing} failed: {error}; see whether the disk is full and the output can be written")
        return FAULT
    except Exception as error:  # noqa: BLE001 — the last line of defence: one line for the user, never a traceback
        if options.debug:
            show_fault(error)
        complain(
            f"{options.doing} failed: {type(error).__name__}: {error}; this is a fault of Padlock's: "
            "run it again with --debug and report what it prints"
        )
        return FAULT
    return code


def _discard_stdout() -> None:
    """Drop what is still to be written: the reader has gone, as in `… | head`, or the disk is full."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
