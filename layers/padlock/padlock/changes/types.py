"""What is known of a site from run to run, what its owner wants to be told, and what one run changed."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Literal

import msgspec

from padlock.findings import Cause, Finding, Severity, Status, host_of

type SiteStatus = Literal["unknown", "ok", "notice", "warning", "error", "removed"]
"""The worst of a site's open findings; `unknown`: it was never seen; `removed`: it is no longer declared."""
type Kind = Literal["changed", "flapping", "settled", "reminder", "removed", "digest", "test", "status"]
"""The occasion of an alert; `status`: no alert, only the event that tells machines of another status."""


class OpenFinding(Finding, frozen=True, kw_only=True):
    """A finding of the state."""

    since: datetime
    """UTC; the look that saw it first."""
    told: bool = False
    """An alert told of it as an open error."""
    bad: int = 1
    """Looks in a row that saw it, counted while it is suspected."""
    good: int = 0
    """Looks in a row that did not see it."""
    ended: datetime | None = None
    """UTC; the look that closed it, which may be long before somebody is told."""


class Flip(msgspec.Struct, frozen=True):
    """One change of a site's errors, as it counts for flapping."""

    at: datetime
    """UTC; the run."""
    codes: tuple[str, ...]
    """What opened or ended with it."""


class State(msgspec.Struct, frozen=True):
    """What is known of one site after a run."""

    findings: tuple[OpenFinding, ...] = ()
    """Every open finding, the worst first."""
    pending: tuple[OpenFinding, ...] = ()
    """What was seen and may pass by itself; not open yet."""
    over: tuple[OpenFinding, ...] = ()
    """What an alert told of, and is over, while no alert could say so."""
    last_conclusive: datetime | None = None
    """UTC; the last run that could see the site; None: none could."""
    first_run: datetime | None = None
    """UTC; the first run, whatever it saw."""
    blind: int = 0
    """Runs in a row that could not see the site."""
    flips: tuple[Flip, ...] = ()
    """The changes of the last hour, as many as tell that the site is flapping."""
    flapping_since: datetime | None = None
    flapping: tuple[str, ...] = ()
    """Codes that came and went since then."""
    last_alert: datetime | None = None
    """UTC; when somebody was told of the site last."""
    removed: bool = False
    """It was no longer declared; the next run is its first one."""

    @property
    def status(self) -> Status:
        """The worst of the open findings."""
        if self.findings:
            return self.findings[0].severity.value
        return "inconclusive" if self.last_conclusive is None else "ok"

    @property
    def site_status(self) -> SiteStatus:
        """The same as alerts and events name it."""
        if self.removed:
            return "removed"
        return "unknown" if self.status == "inconclusive" else self.status

    @property
    def counts(self) -> dict[str, int]:
        """Severity → number of open findings; severities without any are left out."""
        return dict(Counter(finding.severity.value for finding in self.findings))

    @property
    def unsettled(self) -> bool:
        """Whether another look at once could open or close an error."""
        return any(finding.severity is Severity.ERROR for finding in self.pending) or any(
            finding.good and (finding.told or finding.severity is Severity.ERROR) for finding in self.findings
        )


class Silence(msgspec.Struct, frozen=True):
    """A finding that its owner knows of and does not want to hear of until a time."""

    code: str
    """`*`: every code."""
    until: datetime
    subject: str = ""
    """A host, an address, a machine or a URL; empty: every subject."""
    note: str = ""

    def covers(self, finding: Finding, now: datetime) -> bool:
        """Return whether the finding is silenced now."""
        host, _, place = finding.subject.partition(" at ")
        named = {"", finding.subject, host_of(finding.subject), host, place, finding.subject.partition(" on ")[2]}
        return now < self.until and self.code in (finding.code, "*") and self.subject in named


class Policy(msgspec.Struct, frozen=True):
    """How a site's owner wants to be told, as of one time."""

    failures: int = 2
    """Looks in a row that open what may pass by itself."""
    successes: int = 2
    """Looks in a row that close what is open."""
    interval: float = 300
    """Seconds between two runs."""
    reminder: float | None = 86400
    """Seconds after which an error that stays open is told of again; None: never."""
    maintenance_until: datetime | None = None
    """End of the maintenance window that now lies in; no alert goes out before."""
    silences: tuple[Silence, ...] = ()
    outage: bool = False
    """The checker itself could not see: no site is to blame."""
    disabled: tuple[str, ...] = ()
    """Codes and prefixes that the declaration switches off: what is open of them ends at once, unhealed."""
    severities: tuple[str, ...] = ()
    """Codes whose severity is the declaration's."""
    digest: bool = True
    """The weekly digest may name the site."""


class Change(msgspec.Struct, frozen=True, rename={"before": "from", "after": "to"}):
    """What one run changed; the occasion of one alert, or of an event alone."""

    site: str
    checked_at: datetime
    kind: Kind
    before: SiteStatus
    """The status before; of two changes that follow each other the later one's is the `after` of the earlier one."""
    after: SiteStatus
    opened: tuple[OpenFinding, ...] = ()
    """Errors that nobody was told of."""
    worsened: tuple[OpenFinding, ...] = ()
    """Errors that were warnings or notices before."""
    eased: tuple[OpenFinding, ...] = ()
    """Warnings or notices that were errors before."""
    declared: tuple[str, ...] = ()
    """Codes among those that are over, or errors no more, because the declaration says so."""
    resolved: tuple[OpenFinding, ...] = ()
    """Errors that are over."""
    still_open: tuple[OpenFinding, ...] = ()
    """Errors that were told before."""
    acknowledged: tuple[OpenFinding, ...] = ()
    """Open errors that their owner has silenced."""
    silences: tuple[Silence, ...] = ()
    """By what they are silenced, and until when."""
    minor: Mapping[str, int] = {}
    """Severity below error → number of open findings."""
    causes: tuple[Cause, ...] = ()
    labels: Mapping[str, str] = {}
    """As the site declares them."""
    timezone: str = "UTC"
    """The owner's."""
    flips: int = 0
    """Changes within the last hour, where the site is flapping."""
