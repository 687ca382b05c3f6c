"""`make audit` says what the tools say, and never calls clean what could not be looked up."""

import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from local import audit
from local.audit import Step, of_advisories, of_checkov, reasons, status, suppressed
from local.aws import translated

PINNED = "layers/dependencies/requirements.txt"
needs_tools = pytest.mark.skipif(
    not (audit.TOOLS.parent / ".installed").exists(), reason="the audit's tools are not installed: make audit"
)


# --- what is made of the tools' answers ---------------------------------------------------------------------------


def test_packages_that_the_service_does_not_know_are_not_clean() -> None:
    """pip-audit ends with 0 where it could look up nothing; the audit does not."""
    unknown = {"name": "h11", "skip_reason": "Dependency not found on PyPI and could not be audited: h11 (0.16.0)"}
    known = {"name": "idna", "version": "3.11", "vulns": []}
    assert of_advisories({"dependencies": [known]}, PINNED).outcome == "clean"
    assert of_advisories({"dependencies": [known, unknown]}, PINNED).outcome == "not had"
    assert of_advisories({"dependencies": []}, PINNED).outcome == "not had"
    assert "knows 1 of 2 packages" in of_advisories({"dependencies": [known, unknown]}, PINNED).told


def test_advisories_are_told_with_what_mends_them() -> None:
    """Each advisory is a line, with the versions that are free of it, even where other packages are unknown."""
    package = {
        "name": "h11",
        "version": "0.14.0",
        "vulns": [
            {"id": "GHSA-vqfr-h8mv-ghfj", "fix_versions": ["0.16.0"], "aliases": [], "description": ""},
            {"id": "PYSEC-0", "fix_versions": [], "aliases": [], "description": ""},
        ],
    }
    step = of_advisories({"dependencies": [package, {"name": "x", "skip_reason": "y"}]}, PINNED)
    assert step.outcome == "found"
    assert step.lines == [
        "h11 0.14.0: GHSA-vqfr-h8mv-ghfj, mended in 0.16.0",
        "h11 0.14.0: PYSEC-0, mended in no version",
    ]


@pytest.mark.parametrize(
    "told",
    [
        {"passed": 0, "failed": 0, "skipped": 0, "parsing_errors": 0, "resource_count": 0},
        {"summary": {"passed": 3, "parsing_errors": 1}, "results": {"failed_checks": []}},
        [],
    ],
    ids=["nothing", "unread", "list"],
)
def test_template_that_checkov_cannot_read_is_not_clean(told: Any) -> None:
    """Nothing passed is no pass."""
    assert of_checkov(told, "template.yaml").outcome == "broken"


def test_exit_status() -> None:
    """What was found comes before what did not run, and that before what could not be had."""
    clean, found, broken, lacking = (
        Step("t", "x", outcome, "") for outcome in ("clean", "found", "broken", "not had")
    )
    assert [status(one) for one in ([clean], [clean, lacking], [lacking, broken], [broken, found, clean])] == [
        *(0, 3, 2, 1),
    ]


def test_every_check_that_is_left_out_has_a_reason() -> None:
    """Each stands below a comment of its own that says more than its name."""
    found = reasons(audit.SUPPRESSED.read_text())
    assert list(found) == suppressed()
    assert all(len(why) > 60 for why in found.values())
    assert reasons("skip-check:\n  # Why.\n  - A\n  - B\n") == {"A": "Why.", "B": ""}


@pytest.mark.parametrize("pinned", audit.PINS)
def test_every_package_is_pinned_by_hash(pinned: str) -> None:
    """Each has one version and its hashes, and nothing is named by a URL or a folder."""
    text = (audit.ROOT / pinned).read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.lstrip().startswith("#")]
    assert len(lines) > 10
    assert [line for line in lines if not re.match(r"[\w.-]+==[\w.!+]+ .*--hash=sha256:[0-9a-f]{64}", line)] == []


@pytest.mark.parametrize("installer", ["layers/dependencies/Makefile", "local/make-venv"])
def test_packages_run_nothing_while_they_are_installed(installer: str) -> None:
    """Packages are installed by hash, and as wheels alone: no set-up script of theirs runs."""
    text = (audit.ROOT / installer).read_text()
    assert "--require-hashes" in text
    assert "--only-binary=:all:" in text


# --- the tools themselves -----------------------------------------------------------------------------------------


@needs_tools
def test_open_queue_and_wrong_property_are_found(tmp_path: Path) -> None:
    """Checkov finds a queue without encryption in the translated template, cfn-lint a property that there is not."""
    template = translated({})
    template["Resources"]["CheckQueue"]["Properties"] |= {"KmsMasterKeyId": "", "Visibility": 1}
    spoilt = tmp_path / "translated.json"
    spoilt.write_text(json.dumps(template))
    checked, linted = audit.checked(spoilt, "spoilt"), audit.linted(spoilt, "spoilt")
    assert (checked.outcome, linted.outcome) == ("found", "found")
    assert any("CKV_AWS_27 AWS::SQS::Queue.CheckQueue" in line for line in checked.lines)
    assert any("E3002" in line and "Visibility" in line for line in linted.lines)


@needs_tools
def test_template_that_is_none_is_not_clean(tmp_path: Path) -> None:
    """A tool that could read nothing has not run."""
    none = tmp_path / "translated.json"
    none.write_text("{")
    assert audit.checked(none, "none").outcome == "broken"
    assert audit.linted(none, "none").outcome == "found"


@pytest.fixture
def osv() -> Iterator[str]:
    """Yield the URL of a service of advisories that has one, on h11."""

    class Service(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            package = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["package"]
            body = json.dumps({"vulns": [_advisory(package)]} if package["name"] == "h11" else {}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Service) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/v1/query"
        server.shutdown()
        thread.join()


def _advisory(package: Any) -> Any:
    events = [{"introduced": "0"}, {"fixed": "99.0"}]
    ranges = [{"type": "ECOSYSTEM", "events": events}]
    return {"id": "PYSEC-2026-1", "affected": [{"package": package, "ranges": ranges}]}


@needs_tools
def test_pins_are_asked_for(osv: str) -> None:
    """Each pinned package is asked for; what has an advisory is named, with the version that is free of it."""
    (step,) = audit.audited([PINNED], osv)
    assert step.outcome == "found", step
    (line,) = step.lines
    assert line.startswith("h11 ")
    assert line.endswith(": PYSEC-2026-1, mended in 99.0")


@needs_tools
def test_service_that_is_not_there_is_asked_once() -> None:
    """Without a service nothing is clean, and the other files are not asked for in vain."""
    first, second = audit.audited([PINNED, "requirements-sam.txt"], "http://127.0.0.1:9/v1/query")
    assert (first.outcome, second.outcome) == ("not had", "not had")
    assert first.told == "the advisory service cannot be asked"
    assert second.told == "not asked either"


@needs_tools
def test_package_without_a_hash_is_found(tmp_path: Path, osv: str) -> None:
    """A pin without its hash is a finding, whatever the service knows."""
    loose = tmp_path / "requirements.txt"
    loose.write_text("idna==3.11\n")
    (step,) = audit.audited([str(loose)], osv)
    assert step.outcome == "found"
    assert "hash" in step.told
