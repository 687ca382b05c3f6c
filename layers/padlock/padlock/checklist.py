"""The deployment checklist, as the record that every report carries: 18 steps, 17 closing lines, five results."""

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from padlock.findings import Finding, LineRecord, NotAssessed, Severity, StepRecord, StepStatus, host_of

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
"""The five results of step 18 and the steps that prove them."""


class Line(msgspec.Struct, frozen=True):
    """One line of the final checklist."""

    title: str
    steps: tuple[int, ...] = ()
    """Steps whose codes it is about."""
    codes: tuple[str, ...] = ()
    """Codes, or prefixes of codes, that it is about."""
    www: bool | None = None
    """Set where it is about the www hosts only, or about the others only."""


LINES: Sequence[Line] = (
    Line("the domain resolves to the correct IP", (1, 2), www=False),
    Line("the www host resolves, or redirects on purpose", (1, 2), www=True),
    Line("ports 80 and 443 are open", (3,)),
    Line("server_name matches the domain names", (4,)),
    Line("nginx -t passes", (5,)),
    Line("HTTP answers with the redirect or the challenge", (7,)),
    Line(
        "the certificate covers the names",
        codes=("certificate.name_mismatch", "certbot.missing", "certbot.names"),
    ),
    Line(
        "the certificate is not expired",
        codes=("certificate.expired", "certificate.not_yet_valid", "certbot.expired"),
    ),
    Line("nginx names the current certificate files", (9,)),
    Line("TLS completes", (10,)),
    Line("HTTP redirects to HTTPS on every host", (11,)),
    Line("HTTPS serves the app, not a default site", (12,)),
    Line("the app's routes answer over HTTPS", (13,)),
    Line("no mixed content", (16,)),
    Line("a dry run succeeds, or a timer renews", (14,)),
    Line("the canonical host is as meant", codes=("canonical.",)),
    Line("no redirect loop", codes=("redirect.loop",)),
)
NEEDS_HOST = "only the host itself can tell"
HOST_STEPS = frozenset({5, 6, 9})
"""Steps of which nothing shows from outside."""
UNPROVEN = "nothing speaks against it from outside; only the host itself can prove it"
PROVEN_BY: Mapping[int, tuple[str, ...]] = {
    14: ("certbot.no_timer", "certbot.dry_run_failed"),
    17: ("nginx.proxy_headers",),
}
"""Steps that fail from outside, but pass only with what the host says: a timer or dry run, the headers sent on."""
TOLD_BY_HOST: Mapping[int, tuple[str, ...]] = {
    4: ("nginx.server_name_missing",),
    8: ("certbot.missing", "certbot.names", "certbot.expired"),
    14: ("certbot.dry_run_failed",),
}
"""Steps that the host alone proves where all of these pass, whatever hides the site from outside meanwhile."""
UNCHECKED = "there is no check of it yet"


class Judged(msgspec.Struct, frozen=True):
    """What became of one code."""

    status: StepStatus
    steps: tuple[int, ...]
    """Steps of the checklist that the code answers."""
    reason: str = ""
    """Why it is unknown or not applicable."""
    by_host: bool = False
    """It goes by what a machine says of itself."""


type Outcomes = Mapping[str, Judged]


def record(outcomes: Outcomes, findings: Sequence[Finding]) -> tuple[StepRecord, ...]:
    """Return the 18 steps' records from what became of every code that was looked at.

    A step fails with any error or warning, is unknown where one of its codes is, passes where one passed, and is
    unknown where no code speaks of it, or where only the host could prove it.
    """
    about, failing = _by_step(outcomes), _failing(findings)
    rows = {step: _row(step, outcomes, about.get(step, {}), failing) for step in range(1, 18)}
    return (*rows.values(), _recorded(results(tuple(rows.values()))))


def results(checklist: Sequence[StepRecord]) -> tuple[LineRecord, ...]:
    """Return the five results of step 18, from the steps that prove them."""
    rows = {row.step: row for row in checklist}
    return tuple(_worst(title, [rows[step] for step in steps]) for title, steps in FINAL.items())


def lines(
    steps: Sequence[StepRecord],
    outcomes: Outcomes,
    findings: Sequence[Finding],
    not_assessed: Sequence[NotAssessed],
    hosts: Sequence[str],
) -> tuple[LineRecord, ...]:
    """Return the 17 lines of the final checklist, whose 18 steps are recorded."""
    by_line, failing = _by_line(outcomes), _failing(findings)
    made = []
    for number, line in enumerate(LINES):
        if len(line.steps) == 1:
            row = steps[line.steps[0] - 1]
            made.append(LineRecord(line.title, row.status, row.codes, row.reason))
            continue
        about = by_line.get(number, {})
        if line.www is None:
            found = _verdict(about, failing)
        elif not any(_is_www(host) is line.www for host in hosts):
            found = LineRecord("", "not applicable", (), f"no {'www' if line.www else 'other'} host is checked")
        else:
            found = _of_hosts(line.www, about, findings, not_assessed)
        made.append(LineRecord(line.title, found.status, found.codes, found.reason))
    return tuple(made)


def _by_step(outcomes: Outcomes) -> Mapping[int, Outcomes]:
    """Return step → what became of the codes that answer it."""
    found: dict[int, dict[str, Judged]] = {}
    for code, judged in outcomes.items():
        for step in judged.steps:
            found.setdefault(step, {})[code] = judged
    return found


def _by_line(outcomes: Outcomes) -> Mapping[int, Outcomes]:
    """Return place in LINES → what became of the codes that it is about."""
    found: dict[int, dict[str, Judged]] = {}
    for code, judged in outcomes.items():
        for number in _lines_about(code, judged.steps):
            found.setdefault(number, {})[code] = judged
    return found


@functools.lru_cache(maxsize=512)
def _lines_about(code: str, steps: tuple[int, ...]) -> tuple[int, ...]:
    """Return the places in LINES of those that are about a code of these steps."""
    return tuple(
        number
        for number, line in enumerate(LINES)
        if set(line.steps) & set(steps)
        or any(code == known or (known.endswith(".") and code.startswith(known)) for known in line.codes)
    )


def _row(step: int, outcomes: Outcomes, about: Outcomes, failing: set[str]) -> StepRecord:
    found = _verdict(about, failing, outside_counts=step not in HOST_STEPS | PROVEN_BY.keys())
    if found.status == "pass" and step in PROVEN_BY:
        found = _proven(found, [outcomes[code] for code in PROVEN_BY[step] if code in outcomes])
    if found.status == "unknown" and _told_by_host(step, outcomes):
        found = LineRecord("", "pass")
    if not about:
        found = LineRecord("", "unknown", (), NEEDS_HOST if step in HOST_STEPS else UNCHECKED)
    return StepRecord(step, TITLES[step], found.status, found.codes, found.reason)


def _failing(findings: Iterable[Finding], of: Callable[[str], bool] = lambda _: True) -> set[str]:
    """Return the codes of errors and warnings; a notice makes nothing fail."""
    return {f.code for f in findings if f.severity is not Severity.NOTICE and of(f.subject)}


def _verdict(about: Outcomes, failing: set[str], *, outside_counts: bool = True) -> LineRecord:
    """Return what codes come to together.

    Where it shows from outside as well, what a machine does not say leaves nothing open.
    """
    failed = tuple(code for code in about if code in failing)
    if failed:
        return LineRecord("", "fail", failed)
    seen_outside = any(not judged.by_host and judged.status in ("pass", "fail") for judged in about.values())
    counted = [
        judged
        for judged in about.values()
        if not (judged.by_host and judged.status == "unknown" and seen_outside and outside_counts)
    ]
    for status in ("unknown", "pass", "not applicable"):
        for judged in counted:
            # A notice is a finding too, and yet the code did look.
            if judged.status == status or (status == "pass" and judged.status == "fail"):
                return LineRecord("", status, (), judged.reason if status != "pass" else "")
    return LineRecord("", "unknown", (), UNCHECKED)


def _proven(found: LineRecord, proofs: Sequence[Judged]) -> LineRecord:
    """Return what a step comes to that passes from outside and must be proven by the host."""
    if any(proof.status in ("pass", "fail") for proof in proofs):
        return found
    if proofs:
        return LineRecord("", "not applicable", (), proofs[0].reason)
    return LineRecord("", "unknown", (), UNPROVEN)


def _told_by_host(step: int, outcomes: Outcomes) -> bool:
    told = [outcomes.get(code) for code in TOLD_BY_HOST.get(step, ())]
    return bool(told) and all(judged is not None and judged.status == "pass" for judged in told)


def _is_www(subject: str) -> bool:
    return host_of(subject).startswith("www.")


def _of_hosts(
    www: bool,
    about: Outcomes,
    findings: Sequence[Finding],
    not_assessed: Sequence[NotAssessed],
) -> LineRecord:
    """Return what codes come to for the www hosts, or for all others."""
    failing = _failing(findings, lambda subject: _is_www(subject) is www)
    unseen = {entry.code for entry in not_assessed if entry.whole or _is_www(entry.subject) is www}
    mine = {
        code: judged
        if judged.status != "unknown" or code in unseen
        else msgspec.structs.replace(judged, status="pass")
        for code, judged in about.items()
    }
    return _verdict(mine, failing)


def _worst(title: str, rows: Sequence[StepRecord]) -> LineRecord:
    """Return what steps come to together."""
    codes = tuple(dict.fromkeys(code for row in rows for code in row.codes))
    for status in ("fail", "unknown", "not applicable", "pass"):
        fitting = [row for row in rows if row.status == status]
        if fitting and (status != "not applicable" or len(fitting) == len(rows)):
            return LineRecord(title, status, codes if status == "fail" else (), fitting[0].reason)
    return LineRecord(title, "pass")


def _recorded(five: Sequence[LineRecord]) -> StepRecord:
    """Return step 18: what of its five results is proven."""
    for status in ("fail", "unknown"):
        open_ = [one for one in five if one.status == status]
        if open_:
            codes = tuple(dict.fromkeys(code for one in open_ for code in one.codes))
            return StepRecord(18, TITLES[18], status, codes, "not proven: " + ", ".join(one.title for one in open_))
    return StepRecord(18, TITLES[18], "pass")
