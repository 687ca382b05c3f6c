"""What findings have in common, in words, and the cause that is made of them."""

from collections.abc import Iterable, Sequence
from typing import Literal

from padlock.findings import Cause, Finding, NotAssessed, Severity, host_of

HOST_SUBJECTS = ("nginx", "certbot", "firewall", "upstream")
"""First parts of the codes that only the host itself can show; they make a cause certain."""
CLOSED = ("port.https_closed", "port.http_closed")
CERTIFICATE = (
    "certificate.expired",
    "certificate.expiring",
    "certificate.incomplete_chain",
    "certificate.name_mismatch",
    "certificate.untrusted",
    "renewal.overdue",
    "renewal.newer_certificate_not_served",
    "hsts.premature",
)
"""What visitors meet where the certificate served is not the one that is meant."""
ANOTHER_SITE = ("server.default_site", "server.unexpected_content", "server.addresses_disagree", "redirect.missing")
"""What visitors meet where another server block answers than the one that is meant."""


class Clues:
    """The findings that no cause explains yet; each leads to one cause only."""

    def __init__(self, findings: Sequence[Finding], not_assessed: Sequence[NotAssessed] = ()) -> None:
        self.all = tuple(findings)
        self.not_assessed = tuple(not_assessed)
        self._explained: set[tuple[str, str]] = set()

    def errors(self, *codes: str) -> list[Finding]:
        """Return the unexplained errors of these codes."""
        return [finding for finding in self.any(*codes) if finding.severity is Severity.ERROR]

    def any(self, *codes: str) -> list[Finding]:
        """Return the unexplained findings of these codes, whatever their severity."""
        return [f for f in self.all if f.code in codes and f.key not in self._explained]

    def take(self, findings: Iterable[Finding]) -> None:
        """Count findings as explained."""
        self._explained.update(finding.key for finding in findings)


def cause(
    code: str,
    seen: Sequence[Finding],
    explanation: str,
    remediation: str,
    *,
    shown: Sequence[Finding] = (),
    confidence: Literal["likely", "possible"] = "likely",
) -> Cause:
    """Return a cause that findings lead to (`seen`), and that brings others about (`shown`).

    What the host itself shows makes it certain, and brings the commands for that host; then its fix is theirs.
    """
    by_host = [finding for finding in seen if of_host(finding) or finding.commands]
    lines = [line for finding in by_host for line in finding.commands]
    commands = tuple(reversed(dict.fromkeys(reversed(lines))))  # of a reload that ends several, the last one
    fixes = dict.fromkeys(finding.remediation for finding in by_host if finding.commands)
    shown = [finding for finding in shown if finding not in seen]
    return Cause(
        code,
        "certain" if by_host else confidence,
        explanation,
        "\n".join(fixes) if fixes else remediation,
        tuple(dict.fromkeys(finding.code for finding in (*seen, *shown))),
        commands,
        tuple(finding.label for finding in shown),
    )


def of_host(finding: Finding) -> bool:
    """Return whether only the host itself can show a finding."""
    return finding.code.partition(".")[0] in HOST_SUBJECTS


def about(findings: Iterable[Finding], seen: Iterable[Finding]) -> list[Finding]:
    """Return the findings that are about the same hosts."""
    named = host_set(seen)
    return [finding for finding in findings if host_of(finding.subject) in named]


def refused(clues: Clues) -> list[Finding]:
    """Return the closed ports of which the machine itself says that nothing listens; silence is a firewall's."""
    return [f for f in clues.any(*CLOSED) if "no answer" not in f.observed and "firewall" not in f.observed]


def host_set(findings: Iterable[Finding]) -> set[str]:
    """Return the hosts that findings are about."""
    return {host_of(finding.subject) for finding in findings}


def first(findings: Sequence[Finding]) -> str:
    """Return the host of the first finding."""
    return host_of(findings[0].subject)


def hosts(findings: Sequence[Finding]) -> str:
    """Return the hosts that findings are about, in words."""
    names = list(dict.fromkeys(host_of(finding.subject) for finding in findings))
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
