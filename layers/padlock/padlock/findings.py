"""What is judged: severities, findings, causes, the checklist's record and the report of one site."""

import enum
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Literal
from urllib.parse import urlsplit

import msgspec

CHECKER = "#checker"
"""The site that Padlock itself is: its own outage, the digest and test alerts are kept and told under this name."""

type Status = Literal["ok", "notice", "warning", "error", "inconclusive"]
type StepStatus = Literal["pass", "fail", "unknown", "not applicable"]


class Severity(enum.StrEnum):
    """How bad a finding is; the members compare by badness through `rank`."""

    ERROR = "error"
    """Broken, or will break without action: alerts."""
    WARNING = "warning"
    """Degraded or fragile: in the report and the digest."""
    NOTICE = "notice"
    """Worth knowing; never alerts."""

    @property
    def rank(self) -> int:
        """0 for the worst."""
        return list(Severity).index(self)


class Finding(msgspec.Struct, frozen=True):
    """One problem of one subject."""

    code: str
    """Stable dotted code, such as certificate.expired."""
    severity: Severity
    subject: str
    """The host, address or URL that it is about."""
    observed: str
    expected: str
    impact: str
    remediation: str
    reference: str
    """Where the rule comes from: an RFC's section, the checklist's step."""
    step: int | None
    """Step of the checklist, 1 to 18; None: beyond it."""
    summary: str = ""
    """The problem in two to six words, for subjects of mails and headings."""
    commands: tuple[str, ...] = ()
    """Shell lines that heal it on the audited host, in their order; empty: only a person can."""
    reachability: bool = False
    """It may pass by itself, as a timeout or a 5xx does: one look alone does not open it."""

    @property
    def key(self) -> tuple[str, str]:
        """What identifies an open finding from run to run."""
        return self.code, self.subject

    @property
    def label(self) -> str:
        """What it is and of what, in one line."""
        return f"{self.code} {self.subject}"


class NotAssessed(msgspec.Struct, frozen=True):
    """A rule that could not look: neither passed nor failed."""

    code: str
    subject: str
    reason: str
    whole: bool = False
    """It could look at nothing of the site, whatever the subject."""


class Cause(msgspec.Struct, frozen=True):
    """Why findings are there, inferred from them."""

    code: str
    confidence: Literal["certain", "likely", "possible"]
    explanation: str
    remediation: str
    explains: tuple[str, ...]
    """Codes of the findings that it explains."""
    commands: tuple[str, ...] = ()
    """Shell lines that heal it on the audited host, in their order; empty: only a person can."""
    inhibits: tuple[str, ...] = ()
    """Labels of those findings that it only brings about: while it is known they raise no alert of their own."""


class StepRecord(msgspec.Struct, frozen=True):
    """One step of the checklist in a report."""

    step: int
    title: str
    status: StepStatus
    codes: tuple[str, ...] = ()
    """The findings' codes behind a fail."""
    reason: str = ""
    """Why a step is unknown or not applicable."""


class LineRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of the final checklist, or one of the five results of step 18."""

    title: str
    status: StepStatus
    codes: tuple[str, ...] = ()
    """The findings' codes behind a fail."""
    reason: str = ""
    """Why it is unknown or not applicable."""


class Report(msgspec.Struct, frozen=True):
    """The judgement of one site at one time."""

    site: str
    checked_at: datetime
    """UTC; the clock that the evidence carries."""
    status: Status
    findings: tuple[Finding, ...]
    """The worst first; among equals, what breaks earliest on a request's way first."""
    causes: tuple[Cause, ...]
    checklist: tuple[StepRecord, ...]
    not_assessed: tuple[NotAssessed, ...]
    timings: Mapping[str, float]
    """Phase → seconds."""
    certificates: tuple["CertificateSummary", ...] = ()
    """What is served, the earliest expiry first."""
    hosts: tuple[str, ...] = ()
    """The hosts that were checked, declared or derived."""
    labels: Mapping[str, str] = {}
    """As the site declares them, for whoever routes reports and alerts."""
    timezone: str = "UTC"
    """The owner's, in which a mail repeats its time."""
    lines: tuple[LineRecord, ...] = ()
    """The 17 lines of the final checklist, in their order; as of `checked_at`, as is all of the record."""
    results: tuple[LineRecord, ...] = ()
    """The five results of step 18: DNS, certificate, redirects, renewal, the answer over HTTPS."""


class CertificateSummary(msgspec.Struct, frozen=True):
    """One served leaf certificate, for queries by expiry."""

    host: str
    subject: str
    issuer: str
    serial: str
    not_after: datetime


def is_among(code: str, entries: Collection[str]) -> bool:
    """Return whether a code is named, or a prefix of it as `hsts`, `hsts.` or `hsts.*`."""
    starts = (entry.removesuffix(".").removesuffix(".*") + "." for entry in entries)
    return code in entries or code.startswith(tuple(starts))


def host_of(subject: str) -> str:
    """Return the host that stands first in a subject: `host`, `host at address`, or a URL."""
    if "://" not in subject:
        return subject.split(" ", 1)[0]
    try:
        return urlsplit(subject).hostname or subject
    except ValueError:
        return subject
