"""Reports as JUnit XML, which CI systems read: a suite for each site, a test for each step of the checklist.

The tests of a site are always the same, so that a CI system can follow each of them: whether the site could be seen,
the 18 steps, and what lies beyond the checklist. Shape: the schema of Jenkins' xUnit plugin, as Surefire and pytest
write it too. Characters beyond ASCII stand as references, so that no encoding spoils them.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC
from xml.etree import ElementTree as ET

from padlock.findings import Finding, Report, Severity, StepRecord
from padlock.render.escape import paragraphs, printable
from padlock.render.words import alike, summary_of

_SEEN = "the site can be seen"
_BEYOND = "beyond the checklist"


def render(reports: Sequence[Report], faults: Sequence[str] = (), *, strict: bool = False) -> str:
    """Return the reports as one document; what could not be checked is a test that ended with an error.

    `strict`: a warning fails too.
    """
    failing = {Severity.ERROR, Severity.WARNING} if strict else {Severity.ERROR}
    root = ET.Element("testsuites", {"name": "padlock"})
    for report in reports:
        _site(root, report, failing)
    if faults:
        suite = ET.SubElement(root, "testsuite", {"name": "entries that could not be checked"})
        for number, fault in enumerate(faults, 1):
            _error(_test(suite, "padlock", f"entry {number}"), fault)
    for suite in root:
        _count(suite, "skipped")
    _count(root)
    ET.indent(root)
    body: bytes = ET.tostring(root, encoding="us-ascii")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{body.decode()}\n'


def _site(root: ET.Element, report: Report, failing: set[Severity]) -> None:
    """Add the suite of a site."""
    at = report.checked_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
    facts = {"name": printable(report.site), "timestamp": at}
    if "total" in report.timings:
        facts["time"] = f"{report.timings['total']:.3f}"
    suite = ET.SubElement(root, "testsuite", facts)
    seen = _test(suite, report.site, _SEEN)
    if report.status == "inconclusive":
        _error(seen, "\n".join(summary_of(report)))
    for step in report.checklist:
        found = [finding for finding in report.findings if _belongs(finding, step)]
        test = _test(suite, report.site, f"{step.step}. {step.title}")
        _judge(test, found, failing)
        _skip(test, step)
    beyond = [f for f in report.findings if not any(_belongs(f, step) for step in report.checklist)]
    _judge(_test(suite, report.site, _BEYOND), beyond, failing)


def _belongs(finding: Finding, step: StepRecord) -> bool:
    """Return whether a finding is told of at a step: it failed it, or is about it and failed nothing."""
    return finding.code in step.codes or finding.step == step.step


def _test(suite: ET.Element, site: str, name: str) -> ET.Element:
    return ET.SubElement(suite, "testcase", {"classname": printable(site), "name": printable(name)})


def _judge(test: ET.Element, found: Sequence[Finding], failing: set[Severity]) -> None:
    """Fail a test for the findings that count; the others only stand beside it."""
    grave = [finding for finding in found if finding.severity in failing]
    slight = [finding for finding in found if finding.severity not in failing]
    if grave:
        rest = f", and {len(grave) - 1} more" if len(grave) > 1 else ""
        message = printable(f"{grave[0].summary or grave[0].code}: {grave[0].subject}") + rest
        failure = ET.SubElement(test, "failure", {"type": printable(grave[0].code), "message": message})
        failure.text = _told(grave)
    if slight:
        ET.SubElement(test, "system-out").text = _told(slight)


def _skip(test: ET.Element, step: StepRecord) -> None:
    """Skip the test of a step that could not be looked at: it neither passed nor failed."""
    if step.status in ("unknown", "not applicable") and test.find("failure") is None:
        ET.SubElement(test, "skipped", {"message": printable(f"{step.status}: {step.reason}".removesuffix(": "))})


def _error(test: ET.Element, text: str) -> None:
    lines = paragraphs(text)
    ET.SubElement(test, "error", {"type": "not checked", "message": lines[0]}).text = "\n".join(lines)


def _told(findings: Sequence[Finding]) -> str:
    """Return findings in words, what heals them included."""
    return "\n\n".join("\n".join(_lines(finding, subjects)) for finding, subjects in alike(findings).items())


def _lines(finding: Finding, subjects: Sequence[str]) -> Iterator[str]:
    yield printable(f"{finding.severity.value}: {finding.code}: {', '.join(subjects)}")
    yield printable(f"seen: {finding.observed}")
    yield printable(f"expected: {finding.expected}")
    yield printable(f"why: {finding.impact}")
    first, *more = paragraphs(finding.remediation)
    yield from (f"fix: {first}", *more)
    yield from (f"as root: {printable(line, 10 * len(line))}" for line in finding.commands)
    yield printable(f"source: {finding.reference}")


def _count(element: ET.Element, *more: str) -> None:
    """Write how many tests there are, and what became of them."""
    cases = list(element.iter("testcase"))
    element.set("tests", str(len(cases)))
    kinds = {"failures": "failure", "errors": "error", **{name: name for name in more}}
    for attribute, kind in kinds.items():
        element.set(attribute, str(sum(case.find(kind) is not None for case in cases)))
