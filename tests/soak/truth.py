"""What is true of the simulated sites, and what one look at one of them sees of it."""

from collections.abc import Mapping
from datetime import datetime

import msgspec
from padlock.checking import blind
from padlock.findings import Finding, NotAssessed, Report, Severity, Status

FACTS = {"certificate.expired": "error", "certificate.expires_soon": "warning", "hsts.missing": "warning"}
"""Code → its least severity; one look tells."""
REACHED = {"port.https_closed": "error", "http.server_error": "error"}
"""What may pass by itself."""
PROBLEMS = {**FACTS, **REACHED}
UNREACHED = "tls.handshake_failed"
"""What the checker sees of every site while it has no network itself; no site ever has it."""
BLIP = "blip"
"""Subject of what is there for one look only; each has one of its own."""


class Seen(msgspec.Struct, frozen=True):
    """What one look could see."""

    problems: Mapping[str, str]
    clear: bool
    """It saw all that is true, and nothing else."""


class Truth:
    """One site."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.problems: dict[str, str] = {}
        """Code → severity."""
        self.visible = True
        self.hidden: set[str] = set()
        """Codes that cannot be assessed."""
        self.blips = 0
        """So many of the next looks see something that passes."""

    @property
    def errors(self) -> frozenset[tuple[str, str]]:
        """The keys of what is broken."""
        return frozenset((code, self.name) for code, severity in self.problems.items() if severity == "error")

    @property
    def status(self) -> str:
        """The worst of it."""
        return min(self.problems.values(), key=lambda name: Severity(name).rank, default="ok")

    def look(self, at: datetime, number: int, *, unreached: bool, sightless: bool) -> tuple[Report, Seen]:
        """Look at the site; `number` is unique among all looks."""
        visible = self.visible and not sightless
        seen = Seen(dict(self.problems), not (unreached or self.blips or self.hidden) and visible)
        if not visible:
            return blind(self.name, at, "as the test wants"), seen
        findings = [
            found(code, self.name, severity)
            for code, severity in self.problems.items()
            if code not in self.hidden and not unreached
        ]
        if unreached:
            findings.append(found(UNREACHED, self.name, "error"))
        if self.blips:
            self.blips -= 1
            findings.append(found("http.server_error", f"{self.name} {BLIP} {number}", "error"))
        findings.sort(key=lambda finding: finding.severity.rank)
        covered = self.hidden if not unreached else set(PROBLEMS)
        unseen = tuple(NotAssessed(code, self.name, "as the test wants", whole=True) for code in sorted(covered))
        worst: Status = findings[0].severity.value if findings else "ok"
        labels = {"team": "shop"}
        return Report(self.name, at, worst, tuple(findings), (), (), unseen, {}, labels=labels), seen


def found(code: str, subject: str, severity: str) -> Finding:
    """Return a finding with plausible texts."""
    return Finding(
        code=code,
        severity=Severity(severity),
        subject=subject,
        observed="it is so",
        expected="it is not",
        impact="Nobody can open the site.",
        remediation="sudo systemctl restart nginx",
        reference="RFC 9110",
        step=8,
        summary=code.replace(".", " "),
        reachability=code in REACHED or code == UNREACHED,
    )
