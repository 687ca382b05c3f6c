"""The formats of a report beside its text, and their golden files: python -m tests.render.formats writes them."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec
from padlock.findings import Report, StepRecord
from padlock.render import findings_csv, findings_markdown, junit, prometheus

from tests.render.reports import broken

GOLDEN = Path(__file__).parent / "golden"
FAULT = "sites.yaml, entry 3: unknown key 'heath'; did you mean 'health'?"
FORMATS: Mapping[str, Callable[[Sequence[Report]], str]] = {
    "reports.csv": findings_csv.render,
    "reports.md": lambda reports: findings_markdown.render(reports, (FAULT,)),
    "reports.junit.xml": lambda reports: junit.render(reports, (FAULT,)),
    "reports.prom": lambda reports: prometheus.render(reports, 1),
}
"""Golden file → what is written of reports."""


def reports() -> Sequence[Report]:
    """Return a broken site's report and a healthy one's."""
    whole = broken()
    steps = tuple(StepRecord(step.step, step.title, "pass") for step in whole.checklist)
    nothing = {"findings": (), "causes": (), "not_assessed": (), "certificates": (), "results": ()}
    return whole, msgspec.structs.replace(whole, site="example.com", status="ok", checklist=steps, **nothing)


if __name__ == "__main__":
    for name, render in FORMATS.items():
        (GOLDEN / name).write_text(render(reports()), encoding="utf-8", newline="")
