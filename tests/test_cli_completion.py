"""`padlock completion`: bash, zsh and fish complete commands, options, codes and files by what it prints."""

import contextlib
import os
import pty
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from padlock.cli import main

SECONDS = 20.0
"""What a shell may take to answer."""
CASES = (
    ("padlock comple", ["completion"]),
    ("padlock check --form", ["--format"]),
    ("padlock check --format j", ["json", "junit"]),
    ("padlock history example.com --format m", ["markdown"]),
    ("padlock explain certificate.expire", ["certificate.expired"]),
    ("padlock explain cause.port", ["cause.port_blocked"]),
    ("padlock ack example.com hsts.pre", ["hsts.premature", "hsts.preload_unready"]),
    ("padlock ack example.com --clear al", ["all"]),
    ("padlock sites im", ["import"]),
    ("padlock check --site-file sit", ["sites.yaml"]),
    ("padlock assess evi", ["evidence.json"]),
)
"""What stands on the command line → what may stand there."""
BASH = """
source "$1"
read -ra COMP_WORDS <<<"$2"
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_shtab_padlock padlock "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
printf '%s\\n' "${COMPREPLY[@]}"
"""
FISH = "source $argv[1]; complete -C $argv[2] | string split -f1 \\t"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a directory with the files that some arguments take."""
    for name in ("sites.yaml", "evidence.json"):
        (tmp_path / name).touch()
    return tmp_path


def script(shell: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """Write what the command prints for a shell, under the name that zsh wants, and return where."""
    assert main(["completion", shell]) == 0
    path = folder / "functions" / "_padlock"
    path.parent.mkdir()
    path.write_text(capsys.readouterr().out)
    return path


def asked(command: list[str], folder: Path) -> list[str]:
    """Return the lines that a shell writes."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.stderr == ""
    return done.stdout.split()


def test_bash(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Bash completes each of the cases."""
    path = script("bash", folder, capsys)
    for line, expected in CASES:
        found = asked(["bash", "--norc", "-c", BASH, "bash", str(path), line], folder)
        assert sorted(found) == sorted(expected), line


@pytest.mark.skipif(not shutil.which("fish"), reason="fish is not installed")
def test_fish(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """So does fish."""
    path = script("fish", folder, capsys)
    for line, expected in CASES:
        found = asked(["fish", "--no-config", "-c", FISH, str(path), line], folder)
        assert sorted(found) == sorted(expected), line


@pytest.mark.skipif(not shutil.which("zsh"), reason="zsh is not installed")
def test_zsh(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In zsh the key completes where one thing is meant."""
    path = script("zsh", folder, capsys)
    ours, its = pty.openpty()
    environment = {"PATH": os.environ["PATH"], "TERM": "dumb", "HOME": str(folder), "PS1": "> "}
    with subprocess.Popen(
        ["zsh", "-f", "-i"], stdin=its, stdout=its, stderr=its, cwd=folder, env=environment, start_new_session=True
    ) as shell:
        os.close(its)
        try:
            os.write(
                ours, f"fpath=({path.parent} $fpath); autoload -Uz compinit; compinit -u -D; print re''ady\n".encode()
            )
            until(ours, "ready")
            for line, [whole] in [(line, expected) for line, expected in CASES if len(expected) == 1]:
                os.write(ours, f"{line}\t".encode())
                until(ours, whole)
                os.write(ours, b"\x15")
        finally:
            shell.kill()
            os.close(ours)


def until(terminal: int, text: str) -> None:
    """Read a terminal until a text stands there."""
    seen, end = "", time.monotonic() + SECONDS
    while text not in seen:
        assert time.monotonic() < end, seen
        if select.select([terminal], [], [], 0.2)[0]:
            with contextlib.suppress(UnicodeDecodeError):
                seen += os.read(terminal, 4096).decode()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_command_is_known(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    """No command is left out, and the same is printed at each time."""
    assert main(["completion", shell]) == 0
    first = capsys.readouterr().out
    for command in ("check", "watch", "record", "assess", "audit-host", "explain", "history", "status", "test-alert"):
        assert command in first
    assert main(["completion", shell]) == 0
    assert capsys.readouterr().out == first


def test_without_the_package(tmp_path: Path) -> None:
    """Where the package is missing one line says how it comes there."""
    (tmp_path / "shtab.py").write_text("raise ImportError\n")
    done = subprocess.run(
        [sys.executable, "-c", "from padlock.cli import main; raise SystemExit(main(['completion', 'bash']))"],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "pip install shtab" in done.stderr
