"""What `make audit` does: cfn-lint and checkov on the template, written and translated, pip-audit on the pins.

cfn-lint and checkov need no network. pip-audit asks a service for advisories, the package index's own or one that
speaks as OSV does; where that cannot be asked, or does not know the packages, the audit says so and is not clean.
Exit status: 0 clean, 1 something was found, 2 a tool did not run, 3 nothing was found, not all was looked up.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec
import yaml

from local.aws import TEMPLATE, translated

ROOT = TEMPLATE.parent
TOOLS = ROOT / ".venv-audit/bin"
SUPPRESSED = ROOT / ".checkov.yaml"
PINS = (
    "layers/dependencies/requirements.txt",
    "requirements-dev.txt",
    "requirements-sam.txt",
    "requirements-audit.txt",
)
"""Hash-pinned requirements, what runs in AWS first."""
MOST_SECONDS = 300
"""For one run of a tool."""

type Outcome = Literal["clean", "found", "broken", "not had"]
STATUS: Mapping[Outcome, int] = {"clean": 0, "found": 1, "broken": 2, "not had": 3}


class Step(msgspec.Struct, frozen=True):
    """What one tool said of one thing."""

    tool: str
    of: str
    outcome: Outcome
    told: str
    """What it comes to, in a few words."""
    lines: Sequence[str] = ()
    """Each thing that was found."""


def status(steps: Sequence[Step]) -> int:
    """Return the exit status of all steps: of what was found before what did not run, and that before the rest."""
    outcomes = {step.outcome for step in steps}
    return next((STATUS[one] for one in ("found", "broken", "not had") if one in outcomes), 0)


# --- the template -------------------------------------------------------------------------------------------------


def linted(template: Path, of: str) -> Step:
    """Return what cfn-lint says."""
    ended = _run([Path(sys.executable).with_name("cfn-lint"), "--format", "parseable", str(template)])
    if ended.returncode == 0:
        return Step("cfn-lint", of, "clean", "clean")
    lines = ended.stdout.splitlines()
    # cfn-lint's status has a bit for each kind of finding: 2, 4, 8.
    if not lines or ended.returncode & 1:
        return _broken("cfn-lint", of, ended)
    return Step("cfn-lint", of, "found", f"{len(lines)} findings", lines)


def checked(template: Path, of: str) -> Step:
    """Return what checkov says, but for the checks that .checkov.yaml leaves out."""
    ended = _run([TOOLS / "checkov", "--config-file", SUPPRESSED, "--output", "json", "--file", template])
    try:
        told = json.loads(ended.stdout)
    except ValueError:
        return _broken("checkov", of, ended)
    return of_checkov(told, of)


def of_checkov(told: Any, of: str) -> Step:
    """Return checkov's own report as a step; a template that it could not read passes nothing."""
    summary = told.get("summary", told) if isinstance(told, dict) else {}
    if summary.get("parsing_errors") or not summary.get("passed"):
        return Step("checkov", of, "broken", "checkov could not read it")
    failed = [f"{one['check_id']} {one['resource']}: {one['check_name']}" for one in told["results"]["failed_checks"]]
    if failed:
        return Step("checkov", of, "found", f"{len(failed)} of {summary['passed'] + len(failed)} checks fail", failed)
    return Step("checkov", of, "clean", f"{summary['passed']} checks pass")


def suppressed() -> list[str]:
    """Return the checks that are left out."""
    named: list[str] = yaml.safe_load(SUPPRESSED.read_text())["skip-check"]
    return named


def reasons(text: str) -> dict[str, str]:
    """Return the checks that a configuration of checkov leaves out, with the comment that stands before each."""
    found, said = {}, ""
    for line in text.partition("skip-check:")[2].splitlines():
        if comment := re.fullmatch(r"\s*# (.*)", line):
            said = f"{said} {comment[1]}".strip()
        elif named := re.fullmatch(r"\s*- (\S+)", line):
            found[named[1]], said = said, ""
    return found


def left_out(template: Path) -> Step:
    """Return whether every check that is left out would still find something, and has its reason."""
    of = SUPPRESSED.name
    why = reasons(SUPPRESSED.read_text())
    lines = [f"{one} has no reason" for one in suppressed() if not why.get(one)]
    # From a folder without a configuration of its own, or the checks would be left out here too.
    with tempfile.TemporaryDirectory() as folder:
        arguments = ["--framework", "cloudformation", "--skip-download", "--output", "json", "--file", str(template)]
        ended = _run([TOOLS / "checkov", *arguments, "--check", ",".join(suppressed())], folder)
    try:
        told = json.loads(ended.stdout)
    except ValueError:
        return _broken("checkov", of, ended)
    failing = {one["check_id"] for one in told["results"]["failed_checks"]} if "results" in told else set()
    lines += [f"{one} finds nothing any more" for one in suppressed() if one not in failing]
    if lines:
        return Step("checkov", of, "found", "checks are left out for nothing", lines)
    return Step("checkov", of, "clean", f"{len(why)} checks are left out, each with its reason")


# --- the packages -------------------------------------------------------------------------------------------------


def audited(pins: Sequence[str], osv: str) -> Iterator[Step]:
    """Yield what pip-audit says of each file; once the service has failed, the others are not asked."""
    service: list[str] = ["--vulnerability-service", "osv", "--osv-url", osv] if osv else []
    missed = False
    for pinned in pins:
        step = _pinned(pinned) or (_not_had(pinned, "not asked either") if missed else _advised(pinned, service))
        missed = missed or step.outcome == "not had"
        yield step


def _pinned(pinned: str) -> Step | None:
    """Return what is wrong of a file of pins: each must have a version and a hash."""
    ended = _run([*_pip_audit(pinned), "--dry-run"])
    if ended.returncode == 0:
        return None
    return Step("pip-audit", pinned, "found", "not every package is pinned by hash", ended.stderr.splitlines()[-1:])


def _advised(pinned: str, service: Sequence[str]) -> Step:
    """Return what the service knows of a file's packages."""
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder, "answer.json")
        ended = _run([*_pip_audit(pinned), *service, "--format", "json", "--output", answer])
        if ended.returncode not in (0, 1):  # 1: advisories, or a service that cannot be asked
            return _broken("pip-audit", pinned, ended)
        if not answer.exists():
            return _not_had(pinned, "the advisory service cannot be asked", ended.stderr.splitlines()[-1:])
        return of_advisories(json.loads(answer.read_text()), pinned)


def of_advisories(told: Any, pinned: str) -> Step:
    """Return pip-audit's own report as a step; packages that the service does not know are not clean."""
    packages = told["dependencies"]
    lines = [
        f"{one['name']} {one['version']}: {vulnerability['id']}, mended in {_versions(vulnerability)}"
        for one in packages
        for vulnerability in one.get("vulns", ())
    ]
    unknown = sum("skip_reason" in one for one in packages)
    if lines:
        return Step("pip-audit", pinned, "found", f"{len(lines)} advisories", lines)
    if unknown or not packages:
        return _not_had(pinned, f"the advisory service knows {len(packages) - unknown} of {len(packages)} packages")
    return Step("pip-audit", pinned, "clean", f"no advisory on {len(packages)} packages")


def _versions(vulnerability: Mapping[str, Any]) -> str:
    return ", ".join(vulnerability["fix_versions"]) or "no version"


def _not_had(pinned: str, told: str, lines: Sequence[str] = ()) -> Step:
    return Step("pip-audit", pinned, "not had", told, lines)


def _pip_audit(pinned: str) -> list[str | Path]:
    arguments = ["--require-hashes", "--disable-pip", "--progress-spinner", "off", "--timeout", "10"]
    return [TOOLS / "pip-audit", *arguments, "--requirement", ROOT / pinned]


# --- all of it ----------------------------------------------------------------------------------------------------


def steps(osv: str) -> Iterator[Step]:
    """Yield each step as it ends; `osv` is the URL of a service that speaks as OSV does, or empty."""
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder, "translated.json")
        result.write_text(json.dumps(translated({})))
        for template, of in ((TEMPLATE, TEMPLATE.name), (result, "template.yaml, translated")):
            yield linted(template, of)
            yield checked(template, of)
    yield left_out(TEMPLATE)
    yield from audited(PINS, osv)


def _run(command: Sequence[str | Path], folder: str | Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run a tool; one that takes too long has not run."""
    try:
        return subprocess.run(  # noqa: S603 — our own tools
            command, cwd=folder, capture_output=True, text=True, check=False, timeout=MOST_SECONDS
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 1, "", f"has not ended in {MOST_SECONDS} seconds")


def _broken(tool: str, of: str, ended: subprocess.CompletedProcess[str]) -> Step:
    said = (ended.stderr or ended.stdout).splitlines()
    return Step(tool, of, "broken", f"{tool} did not run", said[-5:])


def main() -> int:
    """Print what each tool said of each thing, and what it comes to; return the exit status."""
    parser = argparse.ArgumentParser(prog="make audit", description="Audit the template and the packages.")
    parser.add_argument("--osv", default="", metavar="URL", help="a service of advisories that speaks as OSV does")
    arguments = parser.parse_args()
    done = []
    for step in steps(arguments.osv):
        done.append(step)
        _print(f"{step.tool:10} {step.of:38} {step.told}", *(f"    {line}" for line in step.lines))
    total = status(done)
    _print({0: "clean", 1: "something was found", 2: "a tool did not run", 3: "nothing was found"}[total])
    missing = [step.of for step in done if step.outcome == "not had"]
    if missing:
        _print(
            "NOT looked up, for want of a service of advisories, the packages of:", *(f"    {of}" for of in missing)
        )
    return total


def _print(*lines: str) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
