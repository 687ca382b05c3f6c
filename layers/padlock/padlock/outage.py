"""The checker's own outage: where half of what it could reach is out of reach at once, the checker is to blame.

What is counted are places, not sites: sites that share an address share its fate, and a host that goes down with all
its sites is no outage of the checker. A site that was out of reach before says nothing, nor does one that was never
seen. Only a sample of every ten seconds is kept, so that a million sites cost no more than 64 places in each.
"""

import functools
import hashlib
import operator
import threading
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Literal

from padlock.changes import State
from padlock.evidence import Evidence
from padlock.findings import CHECKER, Finding, Report, Severity
from padlock.storage import Sample, Slots, stamp

type Outage = Literal["none", "suspected", "seen"]
"""`suspected`: in one window, as when it begins; what is healthy may only have answered sooner than what fails."""

WINDOW = 10
"""Seconds of one sample: an outage may begin at any time, and what was healthy before hides it."""
SPAN = timedelta(seconds=60)
"""For which windows are looked at together: a time-out takes longer than an answer."""
AT_LEAST = 5
"""Places out of reach, below which no outage is seen."""
CODE = "checker.outage"
NETWORK = frozenset({"dns.unresolvable", "port.https_closed", "port.http_closed", "tls.handshake_failed"})
"""Findings that a checker without a network would see of any site."""


def is_outage(sample: Sample) -> bool:
    """Return whether at least five places, and half of those that were looked at, are out of reach."""
    return len(sample.failing) >= AT_LEAST and 2 * len(sample.failing) >= len(sample.seen)


def place_of(evidence: Evidence | None, site: str) -> str:
    """Return a short hash of where a site is: its first address; its domain, or else its name, where it has none."""
    hosts = evidence.dns.hosts if evidence and evidence.dns else ()
    domains = evidence.registration or () if evidence else ()
    # Names below one domain share its fate as well: it may have expired.
    found = sorted(address for host in hosts for address in host.addresses) or sorted(d.domain for d in domains)
    return hashlib.sha256((found[0] if found else site).encode()).hexdigest()[:12]


def window_of(moment: datetime) -> str:
    """Return the name of the sample that a look which ended at this time belongs to."""
    return stamp(datetime.fromtimestamp(moment.timestamp() // WINDOW * WINDOW, UTC))


def union(samples: Iterable[Sample]) -> Sample:
    """Return samples as one."""
    return functools.reduce(operator.or_, samples, Sample())


def worst_of(windows: Mapping[str, Sample]) -> Sample:
    """Return what was seen around the time at which most was out of reach; what was seen last where nothing was."""
    ends = sorted(windows)
    first = {end: window_of(datetime.fromisoformat(end) - SPAN) for end in ends}
    around = [union(windows[key] for key in ends if first[end] <= key <= end) for end in ends]
    return next(filter(is_outage, around), around[-1] if around else Sample())


def newly_out_of_reach(state: State, look: Report) -> bool | None:
    """Return whether a site that could be reached is out of reach; None where it tells nothing of the checker."""
    if state.last_conclusive is None or look.status == "inconclusive" or any(map(_of_network, state.findings)):
        return None
    return out_of_reach(look)


def out_of_reach(look: Report) -> bool:
    """Return whether a look saw what a checker without a network sees of any site."""
    return any(map(_of_network, look.findings))


def _of_network(finding: Finding) -> bool:
    return finding.code in NETWORK and finding.severity is Severity.ERROR


def report_of(sample: Sample, at: datetime) -> Report:
    """Return the report of the checker itself, of what the runs of one slot could reach."""
    findings = (_finding(sample),) if is_outage(sample) else ()
    return Report(CHECKER, at, "error" if findings else "ok", findings, (), (), (), {})


def _finding(sample: Sample) -> Finding:
    return Finding(
        code=CODE,
        severity=Severity.ERROR,
        subject=CHECKER,
        observed=f"{len(sample.failing)} of {len(sample.seen)} addresses that could be reached before cannot be now",
        expected="addresses that fail one by one",
        impact="What cannot be reached from here is not judged, and no site is reported for it, until this is over.",
        remediation="Nothing, where AWS has an outage in this region: see https://health.aws.amazon.com/. Otherwise "
        "look for what these sites have in common, such as their provider.",
        reference="README, what watches Padlock",
        step=None,
        summary="cannot reach most sites",
    )


class Watch:
    """What one function has seen, and what all of them have seen lately."""

    def __init__(self, slots: Slots) -> None:
        self._slots = slots
        self._unsent: dict[str, Sample] = {}
        # Who asks while another sends what both saw must not be answered without it.
        self._lock = threading.Lock()

    def saw(self, moment: datetime, place: str, *, failing: bool) -> None:
        """Keep what one look came to; it is sent with the next question, or at the end of the batch."""
        here, window = frozenset({place}), window_of(moment)
        self._unsent[window] = self._unsent.get(window, Sample()) | Sample(here, here if failing else frozenset())

    def outage(self, now: datetime, expires: int) -> Outage:
        """Return whether the checker is to blame for what fails now, by what all functions have seen."""
        self.flush(expires)
        # Never by its own alone: half of one batch may be a provider's customers among thousands of healthy sites.
        samples = self._slots.between(window_of(now - SPAN), window_of(now))
        if is_outage(union(samples)):
            return "seen"
        return "suspected" if any(map(is_outage, samples)) else "none"

    def flush(self, expires: int) -> None:
        """Send what is not sent yet."""
        with self._lock:
            while self._unsent:
                window, sample = self._unsent.popitem()
                self._slots.add(window, sample, expires)
