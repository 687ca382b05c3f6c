"""The deployment checklist of 18 steps, as the record that every report carries."""

from collections.abc import Mapping, Sequence

from padlock.findings import Finding, Severity, StepRecord, StepStatus

TITLES: Mapping[int, str] = {
    1: "The domain resolves to the correct public IP",
    2: "DNS record types are correct",
    3: "The firewall allows HTTP and HTTPS",
    4: "nginx has the correct domain names",
    5: "The nginx configuration is valid",
    6: "nginx is reloaded after changes",
    7: "The HTTP virtual host redirects to HTTPS",
    8: "A certificate exists for the required host names",
    9: "The certificate paths in nginx are current",
    10: "HTTPS works directly",
    11: "HTTP redirects to HTTPS consistently",
    12: "HTTPS serves the correct site",
    13: "The app works behind HTTPS",
    14: "Certificate renewal works",
    15: "HSTS is sent only once HTTPS is stable",
    16: "No mixed content",
    17: "Forwarded headers are passed correctly",
    18: "The final results are recorded",
}
FINAL: Mapping[str, tuple[int, ...]] = {
    "working DNS": (1, 2),
    "valid certificate": (8, 10),
    "correct redirect behaviour": (7, 11),
    "renewal status verified": (14,),
    "successful response over HTTPS": (12, 13),
}
"""The five lines of step 18 and the steps that prove them."""
NEEDS_HOST = "only the host itself can tell"
HOST_STEPS = frozenset({5, 6, 9})
"""Steps of which nothing shows from outside."""
UNPROVEN = "nothing speaks against it from outside; only the host itself can prove it"
PROVEN_BY_HOST = frozenset({14, 17})
"""Steps that fail from outside, but pass only with what the host says: a timer or dry run, the headers sent on."""
UNCHECKED = "there is no check of it yet"


def record(
    outcomes: Mapping[str, StepStatus],
    steps: Mapping[str, tuple[int, ...]],
    findings: Sequence[Finding],
    reasons: Mapping[str, str],
) -> tuple[StepRecord, ...]:
    """Return the 18 steps' records.

    `outcomes` has a status per code that was looked at, `steps` the steps of each code, `reasons` why a code is
    unknown or not applicable. A step fails with any error or warning, is unknown where one of its codes is, passes
    where one passed, and is unknown where no code speaks of it, or where only the host could prove it.
    """
    failing = {finding.code for finding in findings if finding.severity is not Severity.NOTICE}
    rows = {step: _row(step, outcomes, steps, failing, reasons) for step in range(1, 18)}
    return (*rows.values(), _final(rows))


def _row(
    step: int,
    outcomes: Mapping[str, StepStatus],
    steps: Mapping[str, tuple[int, ...]],
    failing: set[str],
    reasons: Mapping[str, str],
) -> StepRecord:
    codes = [code for code in outcomes if step in steps[code]]
    failed = tuple(code for code in codes if code in failing)
    if failed:
        return StepRecord(step, TITLES[step], "fail", failed)
    for status in ("unknown", "pass", "not applicable"):
        matching = [
            code for code in codes if outcomes[code] == status or (status == "pass" and outcomes[code] == "fail")
        ]
        if matching and status == "pass" and step in PROVEN_BY_HOST:
            return StepRecord(step, TITLES[step], "unknown", (), UNPROVEN)
        if matching:
            return StepRecord(
                step, TITLES[step], status, (), reasons.get(matching[0], "") if status != "pass" else ""
            )
    return StepRecord(step, TITLES[step], "unknown", (), NEEDS_HOST if step in HOST_STEPS else UNCHECKED)


def _final(rows: Mapping[int, StepRecord]) -> StepRecord:
    """Return step 18: what of its five lines is proven."""
    failed = [line for line, needed in FINAL.items() if any(rows[step].status == "fail" for step in needed)]
    unknown = [line for line, needed in FINAL.items() if any(rows[step].status == "unknown" for step in needed)]
    if failed:
        codes = tuple(code for line in failed for step in FINAL[line] for code in rows[step].codes)
        return StepRecord(18, TITLES[18], "fail", tuple(dict.fromkeys(codes)), "not proven: " + ", ".join(failed))
    if unknown:
        return StepRecord(18, TITLES[18], "unknown", (), "not proven: " + ", ".join(unknown))
    return StepRecord(18, TITLES[18], "pass")
