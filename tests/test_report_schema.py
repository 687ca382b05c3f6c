"""The published schema of reports is that of the types, and what the command prints is valid by it."""

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # it ships no types
from padlock import evidence
from padlock.cli import main
from padlock.findings import Report

from local.report_schema import DOCUMENT, document
from tests.evidence_builder import NOW, change, healthy, with_leaf
from tests.hostile_text import HOSTILE, filled
from tests.render.reports import broken

SCHEMA = Draft202012Validator(json.loads(document()), format_checker=Draft202012Validator.FORMAT_CHECKER)


def test_published_schema_is_that_of_the_types() -> None:
    """docs/report.schema.json is up to date; `make docs` writes it anew."""
    assert DOCUMENT.read_text(encoding="utf-8") == document()


def test_the_schema_is_one() -> None:
    """The schema itself is valid, and describes what is not plain."""
    Draft202012Validator.check_schema(SCHEMA.schema)
    parts = SCHEMA.schema["$defs"]
    assert parts["Report"]["properties"]["checked_at"]["format"] == "date-time"
    assert parts["Finding"]["properties"]["code"]["description"].startswith("Stable dotted code")
    assert set(parts["Report"]["properties"]) == set(Report.__struct_fields__)


@pytest.mark.parametrize("report", [broken(), filled(Report, HOSTILE)])
@pytest.mark.parametrize("form", ["json", "ndjson"])
def test_every_report_is_valid(report: Report, form: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever stands in a report, both forms of JSON are valid."""
    from padlock.cli.formats import Outcome, way  # noqa: PLC0415 — beside what it is used for

    output = way(form, strict=False)
    output.present(report)
    output.conclude(Outcome((report,), single=True))
    SCHEMA.validate(json.loads(capsys.readouterr().out))


def test_what_the_command_prints(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One site's report, those of several, and each line of ndjson are valid."""
    expired = with_leaf(healthy(), not_after=NOW)
    unseen = change(healthy(), tls=None, incomplete="it took too long")
    file = tmp_path / "evidence.json"
    file.write_bytes(b"[" + b",".join(map(evidence.encode, (healthy(), expired, unseen))) + b"]")
    main(["assess", str(file), "--json"])
    SCHEMA.validate(json.loads(capsys.readouterr().out))
    main(["assess", str(file), "--format", "ndjson"])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    for line in lines:
        SCHEMA.validate(json.loads(line))


def test_another_shape_is_not() -> None:
    """The schema refuses what is no report."""
    assert not SCHEMA.is_valid({})
    assert not SCHEMA.is_valid([{"site": "example.com"}])
