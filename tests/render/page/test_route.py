"""The drawn way of a request: where it breaks, what was not reached, and what the rules' codes belong to."""

import json
from pathlib import Path

import msgspec
import pytest
from padlock.assess import assess
from padlock.evidence import Evidence
from padlock.findings import Report, is_among
from padlock.render.page.route import STAGES, passages
from padlock.rules import RULES

from tests.evidence_builder import healthy
from tests.render.reports import broken
from tests.reports import finding

EVIDENCE = Path(__file__).parents[2] / "evidence"
BESIDE = ("dns.caa_forbids_issuer", "renewal", "certbot", "hsts", "logs", "nginx")
"""Codes that are about no stage of the way: renewal, what a visitor does not pass, what only the host knows."""


def seen(report: Report) -> dict[str, str]:
    """Return stage → status."""
    return {passage.stage.name: passage.status for passage in passages(report)}


def test_healthy_way() -> None:
    """A site without a fault is passed from end to end."""
    report = assess(healthy())
    assert set(seen(report).values()) <= {"ok", "notice"}
    assert not any(passage.cut for passage in passages(report))


def test_break_and_what_lies_behind() -> None:
    """A name that does not resolve breaks the way at once; what is behind was not reached."""
    captured = json.loads((EVIDENCE / "cname-loop.test.json").read_text(encoding="utf-8"))
    report = assess(msgspec.convert(captured["evidence"], Evidence))
    found = {passage.stage.name: passage for passage in passages(report)}
    assert found["DNS"].says == "breaks here"
    assert [found[name].says for name in ("Port", "TLS", "Redirects", "App")] == ["not reached"] * 4
    assert all(found[name].cut for name in ("Port", "TLS", "Redirects", "App"))


def test_later_stages_that_were_seen_are_shown_as_seen() -> None:
    """Padlock looks on behind an expired certificate, and says what it saw there."""
    assert seen(broken()) == {
        "DNS": "ok",
        "Address": "ok",
        "Port": "ok",
        "TLS": "error",
        "Redirects": "warning",
        "App": "ok",
    }


def test_second_break_is_told_apart_from_the_first() -> None:
    """Only the first stage with an error is where it breaks."""
    findings = (
        finding("port.https_closed"),
        finding("tls.handshake_failed"),
        finding("app.slow", severity="warning"),
    )
    report = msgspec.structs.replace(broken(), findings=findings)
    says = {passage.stage.name: passage.says for passage in passages(report)}
    assert (says["Port"], says["TLS"], says["App"]) == ("breaks here", "fails too", "passes, but")


@pytest.mark.parametrize("code", sorted(RULES))
def test_every_code_has_its_place(code: str) -> None:
    """Each rule's findings stand at one stage, or are known to stand beside the way."""
    stages = [stage.name for stage in STAGES if is_among(code, stage.codes)]
    assert len(stages) == (0 if is_among(code, BESIDE) and not stages else 1)


def test_stage_without_a_record_is_not_called_good() -> None:
    """A report without a checklist, as of a run that was cut off, draws no green way."""
    bare = msgspec.structs.replace(broken(), findings=(), checklist=())
    assert set(seen(bare).values()) == {"inconclusive"}
