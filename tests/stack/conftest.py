"""The stack, built once for all tests that need it."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SAM = ROOT / ".venv-sam/bin/sam"
TOOLS = ("bash", "cp", "find", "make", "mkdir", "rm", "sh", "touch")


def sam(*arguments: str, path: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the SAM CLI with a PATH, and perhaps more, of its own."""
    if not SAM.exists():
        pytest.skip("the SAM CLI is not installed: make .venv-sam/.installed")
    return subprocess.run(
        [SAM, *arguments],
        cwd=ROOT,
        env={**os.environ, "PATH": path, "SAM_CLI_TELEMETRY": "0", **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def build(name: str, path: str) -> Path:
    """Build the stack and return the folder of the result; what has not changed since comes from a cache."""
    folder = ROOT / ".cache" / "stack" / name
    ended = sam(
        *("build", "--build-dir", str(folder / "build"), "--cache-dir", str(folder / "cache")),
        path=path,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return folder / "build"


@pytest.fixture(scope="session")
def built() -> Path:
    """Return the build that `make build` makes: a Python 3.13 with pip is at hand."""
    return build("with-python", f"{SAM.parent}:{os.environ['PATH']}")


@pytest.fixture(scope="session")
def built_without_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a build made where no Python 3.13 is on PATH: python3 says that it is none, and runs the rest."""
    tools = tmp_path_factory.mktemp("bin")
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found, tool
        (tools / tool).symlink_to(found)
    python = tools / "python3"
    python.write_text(f'#!/bin/sh\n[ "$1" != -c ] || exit 1\nexec {SAM.parent}/python "$@"\n')
    python.chmod(0o755)
    return build("without-python", str(tools))
