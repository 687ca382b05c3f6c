"""Captured evidence, judged again without a network: a rule's change must be seen here before it lands.

The files are written by `python -m tests.lab.capture`, from real servers.
"""

from pathlib import Path

import msgspec
import pytest
from padlock import evidence
from padlock.assess import assess
from padlock.evidence import Evidence
from padlock.findings import Report

CAPTURED = sorted((Path(__file__).parent / "evidence").glob("*.json"))
EXPECTED = {
    "shop.test": "",
    "dual-stack.test": "",
    "cname-loop.test": "dns.unresolvable",
    "split-ns.test": "dns.nameservers_disagree",
    "firewall.test": "port.https_closed",
    "expired.test": "certificate.expired",
    "incomplete.test": "certificate.incomplete_chain",
    "forgotten.test": "certificate.name_mismatch",
    "gunicorn-down.test": "app.bad_gateway",
    "loop-hosts.test": "redirect.loop",
    "missing-slash.test": "redirect.malformed",
    "hsts-early.test": "certificate.name_mismatch",
}
"""Site → the code of its worst finding above a notice."""


class Capture(msgspec.Struct, frozen=True):
    """One captured case."""

    findings: list[tuple[str, str, str]]
    """Severity, code and subject of each error and warning when it was captured."""
    evidence: Evidence


def captured(file: Path) -> Capture:
    """Read one case."""
    return msgspec.json.decode(file.read_bytes(), type=Capture)


def test_every_expected_case_is_there() -> None:
    """No captured file is unknown, and none is lost."""
    assert {file.stem for file in CAPTURED} == set(EXPECTED)


@pytest.mark.parametrize("file", CAPTURED, ids=lambda file: file.stem)
def test_the_judgement_is_that_of_the_capture(file: Path) -> None:
    """The same errors and warnings come out, in the same order, and the right one stands first."""
    case = captured(file)
    found = [(f.severity, f.code, f.subject) for f in assess(case.evidence).findings if f.severity != "notice"]
    assert found == case.findings
    assert (found[0][1] if found else "") == EXPECTED[file.stem]


@pytest.mark.parametrize("file", CAPTURED, ids=lambda file: file.stem)
def test_evidence_and_report_survive_storage(file: Path) -> None:
    """Evidence and report become JSON and come back equal, and judging twice gives the same report."""
    case = captured(file)
    assert evidence.decode(evidence.encode(case.evidence)) == case.evidence
    report = assess(case.evidence)
    assert msgspec.json.decode(msgspec.json.encode(report), type=Report) == report
    assert assess(case.evidence) == report
