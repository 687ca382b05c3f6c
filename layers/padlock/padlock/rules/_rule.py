"""A rule: its metadata and a pure function of the evidence. `@rule` registers it in RULES."""

from collections.abc import Callable, Iterable
from typing import Literal

import msgspec

from padlock.evidence import Evidence
from padlock.findings import Severity
from padlock.site import Site

type Reads = Literal["dns", "ports", "tls", "http", "registration", "caa", "renewal", "page", "host"]


class Problem(msgspec.Struct, frozen=True):
    """What a rule found wrong with one subject."""

    subject: str
    """A host, `host at address`, `host at address port N`, or a URL; the host stands first."""
    observed: str
    expected: str
    severity: Severity | None = None
    """Set where this case is worse or better than the rule's own severity."""
    remediation: str = ""
    """Set where this case has a fix of its own."""
    commands: tuple[str, ...] = ()
    """Shell lines, run as root, that heal it on the audited host, names and paths filled in and quoted."""


class Unknown(msgspec.Struct, frozen=True):
    """A subject that the rule could not look at; neither pass nor fail."""

    subject: str
    reason: str
    partial: bool = False
    """The rest of what the rule asks was seen, so that the checklist's step need not stay open."""
    whole: bool = False
    """Nothing of the site could be looked at; the subject is only the site's name."""


class NotApplicable(msgspec.Struct, frozen=True):
    """The site's declaration says that there is nothing to look at."""

    reason: str


type Outcome = Problem | Unknown | NotApplicable | tuple[str, str, str]
"""A plain tuple is (subject, observed, expected) of a Problem."""
type Check = Callable[[Site, Evidence], Iterable[Outcome]]


class Rule(msgspec.Struct, frozen=True):
    """One check of the catalogue."""

    code: str
    severity: Severity
    steps: tuple[int, ...]
    """Steps of the checklist that it answers, the main one first; empty: beyond the checklist."""
    reads: Reads
    """The field of the evidence without which it cannot look."""
    summary: str
    """Two to six words, for subjects of mails and headings."""
    impact: str
    remediation: str
    """What to do; `{host}` is filled in, quoted for a shell."""
    reference: str
    check: Check
    reachability: bool = False
    """What it finds may pass by itself, as a timeout, a refusal or a 5xx does: one look alone alerts nobody."""


def outcomes(rule: Rule, evidence: Evidence) -> list[Outcome]:
    """Return what a rule says of evidence, of which it is asked once; a fault of the rule's is raised."""
    known = evidence.known
    found: list[Outcome] | None = known.get(rule.code)
    if found is None:
        said = rule.check(evidence.site, evidence)
        found = known[rule.code] = [Problem(*seen) if isinstance(seen, tuple) else seen for seen in said]
    return found


RULES: dict[str, Rule] = {}
"""Code → rule, in the order in which a request meets what they check."""


def rule(  # noqa: PLR0913 — a rule's words, each by its name
    code: str,
    severity: Severity,
    *,
    step: int | tuple[int, ...] | None,
    reads: Reads,
    summary: str,
    impact: str,
    remediation: str,
    reference: str,
    reachability: bool = False,
) -> Callable[[Check], Check]:
    """Register a function (site, evidence) → outcomes as the check of a code."""

    def register(check: Check) -> Check:
        if code in RULES:
            raise ValueError(f"two rules have the code {code}")
        steps = () if step is None else (step,) if isinstance(step, int) else step
        RULES[code] = Rule(code, severity, steps, reads, summary, impact, remediation, reference, check, reachability)
        return check

    return register
