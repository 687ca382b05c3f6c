"""Evidence → Report: apply every rule, purely, with the clock that the evidence carries."""

import shlex
from collections.abc import Iterable, Sequence

from padlock import causes, checklist
from padlock.evidence import Evidence
from padlock.findings import (
    CertificateSummary,
    Finding,
    NotAssessed,
    Report,
    Severity,
    Status,
    StepStatus,
    host_of,
    is_among,
)
from padlock.rules import RULES, NotApplicable, Problem, Rule, Unknown
from padlock.rules._rule import Outcome, outcomes
from padlock.site import Site


def assess(evidence: Evidence) -> Report:
    """Judge one site's evidence. Never raises: a rule's own fault makes it not assessed."""
    findings: list[Finding] = []
    not_assessed: list[NotAssessed] = []
    judgements: dict[str, checklist.Judged] = {}
    for rule in RULES.values():
        if evidence.site.disable and is_among(rule.code, evidence.site.disable):
            reason = "switched off by the site's declaration"
            judgements[rule.code] = checklist.Judged("not applicable", rule.steps, reason)
            continue
        if rule.reads == "host" and evidence.host is None:
            continue  # nobody asked the host: the checklist says so where only the host can tell
        seen = _apply(rule, evidence)
        if not seen:
            judgements[rule.code] = checklist.Judged("pass", rule.steps, by_host=rule.reads == "host")
            continue
        problems = [outcome for outcome in seen if isinstance(outcome, Problem)]
        unknown = [outcome for outcome in seen if isinstance(outcome, Unknown)]
        absent = [outcome for outcome in seen if isinstance(outcome, NotApplicable)]
        judged = [_finding(rule, problem, evidence.site) for problem in problems]
        findings += judged
        not_assessed += [NotAssessed(rule.code, unseen.subject, unseen.reason, unseen.whole) for unseen in unknown]
        blocking = [outcome for outcome in unknown if not outcome.partial]
        reason = blocking[0].reason if blocking else absent[0].reason if absent else ""
        judgements[rule.code] = checklist.Judged(
            _outcome(judged, blocking, absent), rule.steps, reason, by_host=rule.reads == "host"
        )
    evidence.known.clear()  # of use to the rules only, and many sites' evidence may be held at a time
    findings.sort(key=lambda finding: finding.severity.rank)
    steps = checklist.record(judgements, findings)
    return Report(
        site=evidence.site.name,
        checked_at=evidence.gathered_at,
        status=_status(evidence, findings, judgements),
        findings=tuple(findings),
        causes=causes.infer(findings, not_assessed),
        checklist=steps,
        not_assessed=tuple(not_assessed),
        timings=evidence.timings,
        certificates=tuple(_certificates(evidence)),
        hosts=evidence.hosts,
        labels=evidence.site.labels,
        timezone=evidence.site.timezone,
        lines=checklist.lines(steps, judgements, findings, not_assessed, evidence.hosts),
        results=checklist.results(steps),
    )


def _outcome(found: Sequence[Finding], blocking: Sequence[Unknown], absent: Sequence[NotApplicable]) -> StepStatus:
    """Return what became of one rule; a notice about one host does not make up for another that was not seen."""
    if any(finding.severity is not Severity.NOTICE for finding in found):
        return "fail"
    if blocking:
        return "unknown"
    if found:
        return "fail"
    return "not applicable" if absent else "pass"


def _apply(rule: Rule, evidence: Evidence) -> list[Outcome]:
    if getattr(evidence, rule.reads, None) is None:
        reason = evidence.incomplete or f"no evidence of {rule.reads} was gathered"
        return [Unknown(evidence.site.name, reason, whole=True)]
    try:
        return outcomes(rule, evidence)
    except Exception as error:  # noqa: BLE001 — a fault of ours is never a finding, and never ends a run
        reason = f"a fault of Padlock's in this check: {type(error).__name__}: {str(error)[:300]}"
        return [Unknown(evidence.site.name, reason, whole=True)]


def _finding(rule: Rule, problem: Problem, site: Site) -> Finding:
    remediation = problem.remediation or rule.remediation
    return Finding(
        code=rule.code,
        severity=Severity(site.severity.get(rule.code, problem.severity or rule.severity)),
        subject=problem.subject,
        observed=problem.observed,
        expected=problem.expected,
        impact=rule.impact,
        remediation=remediation.replace("{host}", shlex.quote(host_of(problem.subject))),  # people paste it
        reference=rule.reference,
        step=rule.steps[0] if rule.steps else None,
        summary=rule.summary,
        commands=problem.commands,
        reachability=rule.reachability,
    )


def _status(evidence: Evidence, findings: list[Finding], judgements: checklist.Outcomes) -> Status:
    worst = min(findings, key=lambda finding: finding.severity.rank, default=None)
    if worst is None and (evidence.incomplete or not any(judged.status == "pass" for judged in judgements.values())):
        return "inconclusive"
    # A site whose HTTPS nobody saw, for no fault of its own, is not "ok" because its DNS is.
    if (worst is None or worst.severity is not Severity.ERROR) and not _https_seen(evidence):
        return "inconclusive"
    return worst.severity.value if worst else "ok"


def _https_seen(evidence: Evidence) -> bool:
    """Return whether any host answered over TLS."""
    return evidence.tls is not None and any(handshake.chain for handshake in evidence.tls.named())


def _certificates(evidence: Evidence) -> Iterable[CertificateSummary]:
    """Yield every distinct leaf that a visitor may be given, the earliest expiry first."""
    if evidence.tls is None:
        return []
    leaves = {}
    for handshake in evidence.tls.named():
        leaf = evidence.tls.leaf(handshake)
        if leaf and leaf.not_after:
            leaves[handshake.host, leaf.sha256] = CertificateSummary(
                handshake.host, leaf.subject, leaf.issuer, leaf.serial, leaf.not_after
            )
    return sorted(leaves.values(), key=lambda summary: (summary.not_after, summary.host))
