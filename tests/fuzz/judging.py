"""What becomes of evidence once it is gathered: it is stored, read again and judged by every rule."""

import itertools

import msgspec
from padlock import evidence as ev
from padlock.assess import assess
from padlock.rules import RULES

from tests.evidence_builder import healthy

HEALTHY = healthy()
_asked = itertools.count()
one_in = 1
"""Of how many pieces of evidence one is judged: the rules take twenty times as long as most parsers."""


def judge(evidence: ev.Evidence) -> None:
    """Store and judge evidence; raises what a rule raised, which `assess` itself only notes."""
    if next(_asked) % one_in:
        return
    report = assess(ev.decode(ev.encode(evidence)))
    msgspec.json.encode(report)
    for entry in report.not_assessed:
        if entry.reason.startswith("a fault of Padlock's"):
            list(RULES[entry.code].check(evidence.site, evidence))
            raise AssertionError(f"{entry.code}: {entry.reason}")
