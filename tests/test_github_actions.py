"""docs/github-actions.yml: its shell lines do what they say, on a healthy site and on a broken one."""

import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import yaml

from local.sites import DemoSites

ROOT = Path(__file__).parent.parent
WORKFLOW: Mapping[str, Any] = yaml.load(
    (ROOT / "docs" / "github-actions.yml").read_text(encoding="utf-8"),
    yaml.BaseLoader,  # noqa: S506 — it makes strings only; `on` is one
)
STEPS: list[Mapping[str, Any]] = WORKFLOW["jobs"]["padlock"]["steps"]
INSTALL = 'python -m pip install "./padlock[cli]"'


@pytest.fixture(scope="module")
def demo() -> Iterator[DemoSites]:
    """Serve the demo's sites on loopback."""
    with DemoSites() as running:
        yield running


def prepared(folder: Path, demo: DemoSites, name: str) -> dict[str, str]:
    """Lay out what the job finds: a site file, and a `padlock` on PATH that sees the demo; return the environment."""
    [entry] = [entry for entry in demo.declarations() if entry["name"] == name]
    (folder / "sites.yaml").write_text(json.dumps([entry]))
    command = folder / "bin" / "padlock"
    command.parent.mkdir()
    vantage = f"--resolver {demo.resolver} --allow-network 127.0.0.0/8"
    command.write_text(
        "#!/bin/sh\n"
        f'case $1 in check|watch) set -- "$@" {vantage};; esac\n'
        f'exec {Path(sys.executable).parent / "padlock"} "$@"\n'
    )
    command.chmod(0o755)
    return {
        **os.environ,
        "PATH": f"{command.parent}:{os.environ['PATH']}",
        "WAIT": "1s",
        "GITHUB_STEP_SUMMARY": str(folder / "summary.md"),
    }


@pytest.mark.parametrize(("name", "status"), [("healthy.example", 0), ("expired.example", 1)])
def test_shell_lines(name: str, status: int, demo: DemoSites, tmp_path: Path) -> None:
    """Only the check decides; summary, test results and page are there whatever came of it."""
    environment = prepared(tmp_path, demo, name)
    ended: dict[str, int] = {}
    for step in STEPS:
        if "run" in step and step["run"] != INSTALL:
            # As GitHub runs them: https://docs.github.com/actions, `shell`.
            done = subprocess.run(
                ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
                cwd=tmp_path,
                env=environment,
                capture_output=True,
                timeout=60,
                check=False,
            )
            ended[step["name"]] = done.returncode
    assert ended == {"Wait until all is green": 0, "Check": status, "Summary and test results": 0}
    assert name in (tmp_path / "summary.md").read_text(encoding="utf-8")
    assert int(ET.parse(tmp_path / "padlock.xml").getroot().get("failures", "")) >= status  # noqa: S314 — we wrote it
    [upload] = [step for step in STEPS if "upload-artifact" in step.get("uses", "")]
    assert all((tmp_path / file).stat().st_size for file in upload["with"]["path"].split())


def test_a_failed_check_hides_nothing() -> None:
    """The steps after the check run where it failed, and the check itself is not made to pass."""
    names = [step.get("name", step.get("uses")) for step in STEPS]
    after = STEPS[names.index("Check") + 1 :]
    assert all(step["if"] == "${{ !cancelled() }}" for step in after)
    assert "||" not in STEPS[names.index("Check")]["run"]


def test_what_is_installed_is_there() -> None:
    """The install line names the extra that the package has, and the Python that it needs."""
    assert [step["run"] for step in STEPS if step.get("name") == "Install"] == [INSTALL]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert "cli" in project["optional-dependencies"]
    [python] = [step["with"]["python-version"] for step in STEPS if "setup-python" in step.get("uses", "")]
    assert project["requires-python"] == f">={python}"


def test_nothing_of_an_input_is_run() -> None:
    """What somebody types into the form is no part of a shell line: it comes by the environment, in quotes."""
    lines = "\n".join(step.get("run", "") for step in STEPS)
    assert "${{" not in lines
    assert re.findall(r'"\$WAIT"', lines) == re.findall(r'"?\$WAIT"?', lines)
    assert WORKFLOW["permissions"] == {"contents": "read"}
