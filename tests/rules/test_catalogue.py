"""The catalogue as a whole: every rule has its words, its cases, and nothing to say of a healthy site."""

import re
from pathlib import Path

import pytest
from padlock.evidence import decode, encode
from padlock.findings import Severity
from padlock.rules import RULES, Rule

from tests.evidence_builder import healthy, report

SOURCES = "\n".join(path.read_text() for path in sorted(Path(__file__).parent.glob("test_*.py")))
NEVER_FOUND = {"app.blocked"}
"""Codes that only tell what could not be seen: their firing case is one of not being able to look."""
NOT_A_PLACEHOLDER = re.compile(r"\{(?!host\})[a-z_]*\}")


@pytest.mark.parametrize("rule", RULES.values(), ids=list(RULES))
def test_every_rule_has_its_words(rule: Rule) -> None:
    """Codes have the form subject.problem, texts are there, steps are the checklist's, placeholders are known."""
    assert re.fullmatch(r"[a-z0-9]+\.[a-z0-9_]+", rule.code)
    assert all((rule.impact, rule.remediation, rule.reference, rule.check.__doc__))
    assert 2 <= len(rule.summary.split()) <= 6
    assert rule.summary.isascii()
    assert all(1 <= step <= 17 for step in rule.steps)
    assert not NOT_A_PLACEHOLDER.search(rule.remediation), "only {host} is filled in"


@pytest.mark.parametrize("verb", ["fires", "silent"])
def test_every_rule_has_both_cases(verb: str) -> None:
    """Each code has a case in which it fires and one in which it stays silent."""
    named = set(re.findall(rf'\b{verb}\(\s*"([a-z0-9_.]+)"', SOURCES))
    if verb == "fires":
        named |= set(re.findall(r'\bunassessed\(\s*"([a-z0-9_.]+)"', SOURCES)) & NEVER_FOUND
    assert sorted(set(RULES) - named) == []


@pytest.mark.parametrize(
    "declaration",
    [
        "example.com",
        {"name": "example.com", "hosts": ["example.com", "www.example.com"]},
        {"name": "example.com", "canonical": "example.com", "addresses": ["93.184.215.14"]},
        {"name": "example.com", "expect": {"status": 200, "title": "Shop"}, "redirect": "permanent"},
    ],
    ids=["bare", "hosts", "addresses", "expect"],
)
def test_nothing_to_say_of_a_healthy_site(declaration: str | dict[str, object]) -> None:
    """A healthy site has no finding above notice, and every rule could look."""
    judged = report(healthy(declaration))
    assert judged.status in ("ok", "notice")
    assert [f.code for f in judged.findings if f.severity is not Severity.NOTICE] == []
    assert judged.not_assessed == ()
    external = (1, 2, 3, 4, 7, 8, 10, 11, 12)
    assert [row.step for row in judged.checklist if row.step in external and row.status != "pass"] == []


def test_stored_evidence_is_judged_the_same() -> None:
    """A report is recomputed, equal, from evidence that went through JSON."""
    assert report(decode(encode(healthy()))) == report(healthy())
