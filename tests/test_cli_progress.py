"""The line that says how far a check of many sites is: what stands in it, and that it fits and goes away."""

import contextlib
import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.sites import SITES, DemoSites

LINE = re.compile(r"\r\x1b\[2K([^\r\n]*)")


@pytest.fixture(scope="module")
def demo() -> Iterator[DemoSites]:
    """Serve the demo's sites on loopback."""
    with DemoSites() as running:
        yield running


def watched(demo: DemoSites, columns: int, *options: str) -> str:
    """Check all of the demo's sites with stderr on a terminal of a width; return what stood there."""
    command = [str(Path(sys.executable).parent / "padlock"), "check", "--site-file", str(demo.write_site_file())]
    command += ["--resolver", demo.resolver, "--allow-network", "127.0.0.0/8", *options]
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=its) as running:
        os.close(its)
        written = b""
        # Reading ends with an error once the last process has closed the terminal.
        with contextlib.suppress(OSError):
            while piece := os.read(ours, 65536):
                written += piece
        assert running.wait(60) == 1
    os.close(ours)
    return written.decode()


def test_how_far_it_is(demo: DemoSites) -> None:
    """Sites that are done, those that fail among them, and from the fifth on an estimate; at the end it is gone."""
    lines = LINE.findall(watched(demo, 100, "--json"))
    told = [line for line in lines if line]
    total, broken = len(SITES), sum(bool(site.first_code) for site in SITES)
    assert told[0].startswith(f"0 of {total} checked · healthy.example, expired.example")
    assert [line.split(" checked")[0] for line in told] == [f"{done} of {total}" for done in range(total + 1)]
    assert f" · {broken} failing · " in told[-1]
    assert [bool(re.search(r" · about \d+ s left · ", line)) for line in told] == [
        5 <= n < total for n in range(total + 1)
    ]
    assert lines[-1] == ""


def test_it_fits_into_one_line(demo: DemoSites) -> None:
    """On a narrow terminal the line is cut: one that wraps could not be taken away whole."""
    lines = LINE.findall(watched(demo, 30))
    assert max(map(len, lines)) == 29


def test_reports_stand_where_it_was(demo: DemoSites) -> None:
    """Before a report is written the line is taken away."""
    assert watched(demo, 100).endswith("\r\x1b[2K")
