"""The lab is what it claims: dig, curl and OpenSSL see each site as it is described, and nothing gets out."""

import re
import subprocess
import sys
from collections.abc import Mapping

import pytest

from tests.lab.lab import Lab
from tests.lab.scenarios import ALL, BROKEN, HEALTHY, Scenario


@pytest.mark.parametrize("scenario", ALL, ids=lambda scenario: scenario.name)
def test_ordinary_tools_see_it(scenario: Scenario, proven: Mapping[str, list[tuple[str, str, str]]]) -> None:
    """Independent tools confirm that the site is as the scenario says."""
    assert proven[scenario.name]
    for command, text, printed in proven[scenario.name]:
        assert re.search(text, printed), f"{command}\n{printed}"


def test_each_site_is_named_once() -> None:
    """No two scenarios share a zone or a name, so that none sees another's servers."""
    names = [scenario.name for scenario in ALL]
    assert len(set(names)) == len(names)
    assert all(scenario.code for scenario in BROKEN)
    assert not any(scenario.code for scenario in HEALTHY)


@pytest.mark.parametrize("word", ["--help", "-h"])
def test_help_starts_no_lab(word: str) -> None:
    """It says how commands are run, and is not taken for one."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.lab", word], capture_output=True, text=True, timeout=30, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "python -m tests.lab dig shop.test" in done.stdout


def test_nothing_gets_out(lab: Lab) -> None:
    """An address that the lab does not have is unreachable, and the checker's side knows no way but the cable."""
    for url in ("http://93.184.215.14/", "http://[2606:2800:21f::1]/"):
        assert re.search("No route to host|Network is unreachable", lab.run(f"curl -sv -m 3 '{url}' 2>&1"))
    links = {line.split()[0].split("@")[0] for line in lab.run("ip -brief link").splitlines()}
    assert links == {"lo", "cable"}
