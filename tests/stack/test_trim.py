"""What trims the dependencies' layer says where a package is not as it was when it was written."""

import subprocess
import sys
from pathlib import Path

from tests.stack.conftest import ROOT


def trimmed(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the program that the layer's Makefile runs."""
    command = [sys.executable, "-I", str(ROOT / "layers/dependencies/trim.py"), str(folder)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_a_package_that_has_changed_stops_the_build(tmp_path: Path) -> None:
    """A pattern that matches nothing any more is named: it may be that what it was meant for has moved."""
    (tmp_path / "bin").mkdir()
    ended = trimmed(tmp_path)
    assert ended.returncode == 2
    assert "no package has *.dist-info/RECORD" in ended.stderr
    assert "urllib3/contrib/emscripten any more: take it out of UNUSED" in ended.stderr
    assert not (tmp_path / "bin").exists()


def test_it_says_what_it_needs() -> None:
    """Without a folder it tells how it is called."""
    ended = subprocess.run(
        [sys.executable, "-I", str(ROOT / "layers/dependencies/trim.py"), "--help"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "where pip has installed the packages" in ended.stdout
