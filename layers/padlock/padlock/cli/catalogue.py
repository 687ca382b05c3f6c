"""What is known of each code, asked of the rules and the causes themselves, so that nothing of it is out of date."""

import functools
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from types import CodeType, FunctionType

import msgspec

from padlock import causes
from padlock.changes import STALE
from padlock.findings import Cause, Finding, NotAssessed, Severity
from padlock.rules import RULES, Rule
from padlock.site import Thresholds

INVALID = "site.invalid"
APART = (INVALID, STALE)
"""Codes that no rule has: a wrong declaration, and a site that cannot be seen."""
_SITE = "example.com"
"""Stands for the site in what a cause says."""


class Explained(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is known of one code."""

    code: str
    summary: str
    severities: tuple[str, ...] = ()
    """The usual one first, then those of particular cases; none: it is a cause."""
    steps: tuple[int, ...] = ()
    """Steps of the checklist that it answers; none: it lies beyond it."""
    looks: int = 0
    """How many looks in a row must see it until it counts; 0: it is a cause."""
    impact: str = ""
    fix: str = ""
    reference: str = ""
    sign_of: tuple[str, ...] = ()
    """Causes that it leads to."""
    brought_about_by: tuple[str, ...] = ()
    """Causes that it may follow from, beside a sign of theirs."""
    signs: tuple[str, ...] = ()
    """Of a cause: the codes that lead to it."""
    brings_about: tuple[str, ...] = ()
    """Of a cause: the codes that may follow from it."""


class Related(msgspec.Struct, frozen=True):
    """A cause, and the codes that belong to it."""

    example: Cause
    signs: tuple[str, ...]
    brings_about: tuple[str, ...]


def codes() -> tuple[str, ...]:
    """Return every code of a finding, in the order of a report."""
    return *RULES, *APART


def explained(code: str) -> Explained:
    """Return what is known of a code; KeyError where nothing is."""
    if code in RULES:
        return _of_rule(RULES[code])
    return _of_finding(_apart(code)) if code in APART else _of_cause(related()[code])


@functools.cache
def related() -> Mapping[str, Related]:
    """Return the causes by their codes, as they are inferred from each finding alone and from each two of them."""
    found: dict[str, Cause] = {}
    signs: dict[str, dict[str, None]] = {}
    followers: dict[str, dict[str, None]] = {}
    for cause in _inferred():
        found.setdefault(cause.code, cause)
        for code in cause.explains:
            by = followers if f"{code} {_SITE}" in cause.inhibits else signs
            by.setdefault(cause.code, {})[code] = None
    order = {code: number for number, code in enumerate(RULES)}
    return {
        code: Related(
            example,
            tuple(sorted(signs.get(code, ()), key=order.__getitem__)),
            tuple(sorted(followers.get(code, {}).keys() - signs.get(code, {}).keys(), key=order.__getitem__)),
        )
        for code, example in sorted(found.items())
    }


def _inferred() -> Iterator[Cause]:
    alone = [_example(rule, severity) for rule in RULES.values() for severity in {rule.severity, Severity.ERROR}]
    grave = [_example(rule, Severity.ERROR) for rule in RULES.values()]
    for finding in alone:
        yield from causes.infer([finding])
        yield from causes.infer([], [NotAssessed(finding.code, f"https://{_SITE}/", "")])
    for number, one in enumerate(grave):
        for other in grave[:number]:
            yield from causes.infer([one, other])


def _example(rule: Rule, severity: Severity) -> Finding:
    fix = rule.remediation.replace("{host}", _SITE)
    return Finding(rule.code, severity, _SITE, "", "", rule.impact, fix, rule.reference, None, rule.summary)


def _of_rule(rule: Rule) -> Explained:
    return Explained(
        rule.code,
        rule.summary,
        tuple(severity.value for severity in _severities(rule)),
        rule.steps,
        Thresholds().failures if rule.reachability else 1,
        rule.impact,
        rule.remediation.replace("{host}", _SITE),
        rule.reference,
        tuple(code for code, cause in related().items() if rule.code in cause.signs),
        tuple(code for code, cause in related().items() if rule.code in cause.brings_about),
    )


def _of_finding(finding: Finding) -> Explained:
    return Explained(
        finding.code,
        finding.summary,
        (finding.severity.value,),
        looks=1,
        impact=finding.impact,
        fix=finding.remediation,
        reference=finding.reference,
    )


def _of_cause(cause: Related) -> Explained:
    example = cause.example
    return Explained(
        example.code, example.explanation, fix=example.remediation, signs=cause.signs, brings_about=cause.brings_about
    )


def _apart(code: str) -> Finding:
    """Return such a finding as it is made where it is met."""
    from padlock import checking  # noqa: PLC0415 — boto3 takes 300 ms
    from padlock.changes import Policy, State  # noqa: PLC0415 — as above
    from padlock.changes.observing import blinded  # noqa: PLC0415 — as above

    now = datetime(2026, 1, 1, tzinfo=UTC)
    if code == INVALID:
        return checking.invalid(_SITE, "", now).findings[0]
    long_blind = State(first_run=now - timedelta(days=1), blind=1000)
    return blinded(long_blind, [checking.blind(_SITE, now, "")], Policy()).findings[0]


def _severities(rule: Rule) -> tuple[Severity, ...]:
    """Return the rule's own severity, then those that its check names for particular cases."""
    named = {name for code in _reached(rule.check, set()) for name in code.co_names}
    others = [severity for severity in Severity if severity.name in named and severity is not rule.severity]
    return rule.severity, *others


def _reached(function: object, seen: set[object]) -> Iterator[CodeType]:
    """Yield the code of a function, and of the rules' own functions that it calls."""
    if not isinstance(function, FunctionType) or function in seen:
        return
    if not function.__module__.startswith("padlock.rules"):
        return
    seen.add(function)
    waiting = [function.__code__]
    while waiting:
        code = waiting.pop()
        yield code
        waiting += [inner for inner in code.co_consts if isinstance(inner, CodeType)]
        for name in code.co_names:
            yield from _reached(function.__globals__.get(name), seen)
