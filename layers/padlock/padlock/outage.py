"""The checker's own outage: where half of what it looks at is out of reach, or out of sight, the checker is to blame.

What is counted are places, not sites: sites that share an address share its fate, and a host that goes down with all
its sites is no outage of the checker. A site that was out of reach before says nothing of what can be reached, nor
does one that was never seen. A site is out of sight where a look comes to no result, for a fault of Padlock's or of
the resolver that it asks; that tells something until the site itself is told to be stale. Only a sample of every ten
seconds is kept, so that a million sites cost no more than 64 places in each.
"""

import functools
import hashlib
import operator
import threading
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Literal

from padlock.changes import STALE, State
from padlock.evidence import Evidence
from padlock.findings import CHECKER, Finding, Report, Severity
from padlock.storage import Sample, Slots, stamp
from padlock.storage.slots import Series

type Outage = Literal["none", "suspected", "seen"]
"""`suspected`: in one window, as when it begins; what is healthy may only have answered sooner than what fails."""

WINDOW = 10
"""Seconds of one sample: an outage may begin at any time, and what was healthy before hides it."""
SPAN = timedelta(seconds=60)
"""For which windows are looked at together: a time-out takes longer than an answer."""
MEMORY = timedelta(minutes=10)
"""For which what was seen is looked up where too little is seen now: a message that comes again comes alone."""
AT_LEAST = 5
"""Places out of reach, below which no outage is seen."""
CODE = "checker.outage"
NETWORK = frozenset({"dns.unresolvable", "port.https_closed", "port.http_closed", "tls.handshake_failed"})
"""Findings that a checker without a network would see of any site."""
UNDECLARED = "site.invalid"
"""The finding of a site at which nobody looks, for its declaration is wrong: it says nothing of the checker."""
SLOTS_BLIND = 2
"""Slots in a row in which most sites could not be seen, until that is told: what passes at once harms nobody, as no
site is stale before its third interval."""


def is_outage(sample: Sample) -> bool:
    """Return whether at least five places, and half of those that were looked at, are out of reach or sight."""
    return len(sample.failing) >= AT_LEAST and _is_half(sample)


def is_unclear(sample: Sample) -> bool:
    """Return whether half of too few places fail: an outage can neither begin with them nor be over."""
    return 0 < len(sample.failing) < AT_LEAST and _is_half(sample)


def _is_half(sample: Sample) -> bool:
    return 2 * len(sample.failing) >= len(sample.seen)


def place_of(evidence: Evidence | None, site: str) -> str:
    """Return a short hash of where a site is: its first address; its domain, or else its name, where it has none."""
    domains = evidence.registration or () if evidence else ()
    # Names below one domain share its fate as well: it may have expired.
    return _hashed([*_addresses(evidence), *sorted(d.domain for d in domains), site][0])


def sight_of(evidence: Evidence | None, site: str, *, blind: bool) -> str:
    """Return a short hash of what a look speaks for: its site; where it saw nothing, all that is at the address."""
    return _hashed([*(_addresses(evidence) if blind else ()), site][0])


def _addresses(evidence: Evidence | None) -> list[str]:
    hosts = evidence.dns.hosts if evidence and evidence.dns else ()
    return sorted(address for host in hosts for address in host.addresses)


def _hashed(place: str) -> str:
    return hashlib.sha256(place.encode("utf-8", "replace")).hexdigest()[:12]


def window_of(moment: datetime) -> str:
    """Return the name of the sample that a look which ended at this time belongs to."""
    return stamp(datetime.fromtimestamp(moment.timestamp() // WINDOW * WINDOW, UTC))


def union(samples: Iterable[Sample]) -> Sample:
    """Return samples as one."""
    return functools.reduce(operator.or_, samples, Sample())


def around(windows: Mapping[str, Sample]) -> list[Sample]:
    """Return what was seen around the time of each of these windows, the earliest first."""
    ends = sorted(windows)
    first = {end: window_of(datetime.fromisoformat(end) - SPAN) for end in ends}
    return [union(windows[key] for key in ends if first[end] <= key <= end) for end in ends]


def worst_of(windows: Mapping[str, Sample]) -> Sample:
    """Return what was seen around the time at which most was out of reach; what was seen last where nothing was."""
    samples = around(windows)
    return next(filter(is_outage, samples), samples[-1] if samples else Sample())


def latest_of(windows: Mapping[str, Sample]) -> Sample:
    """Return what was seen around the latest time of which it is clear whether there was an outage; else nothing."""
    samples = around(windows)
    return next((s for s in reversed(samples) if len(s.seen) >= AT_LEAST and not is_unclear(s)), Sample())


def newly_out_of_reach(state: State, look: Report) -> bool | None:
    """Return whether a site that could be reached is out of reach; None where it tells nothing of the checker."""
    if state.last_conclusive is None or not has_seen(look) or any(map(_of_network, state.findings)):
        return None
    return out_of_reach(look)


def newly_out_of_sight(state: State, look: Report) -> bool | None:
    """Return whether a look saw nothing of its site; None where it tells nothing of the checker."""
    if is_stale(state) or _is_undeclared(look):
        return None
    return look.status == "inconclusive"


def has_seen(look: Report) -> bool:
    """Return whether a look came to a result by what it saw."""
    return look.status != "inconclusive" and not _is_undeclared(look)


def is_stale(state: State) -> bool:
    """Return whether a site has not been seen for so long that this is told of itself."""
    return any(finding.code == STALE for finding in state.findings)


def is_known(checker: State) -> bool:
    """Return whether the checker's own state knows of an outage, or suspects one."""
    return any(finding.code == CODE for finding in (*checker.findings, *checker.pending))


def _is_undeclared(look: Report) -> bool:
    return any(finding.code == UNDECLARED for finding in look.findings)


def out_of_reach(look: Report) -> bool:
    """Return whether a look saw what a checker without a network sees of any site."""
    return any(map(_of_network, look.findings))


def _of_network(finding: Finding) -> bool:
    return finding.code in NETWORK and finding.severity is Severity.ERROR


def report_of(reach: Sample, at: datetime, sight: Sample = Sample()) -> Report:  # noqa: B008 — it is frozen
    """Return the report of the checker itself, of what the runs of one slot could reach, and what they could see.

    It is one outage, whatever it is seen by: where it changes from one to the other nobody is told again.
    """
    found = _unreached(reach) if is_outage(reach) else _unseen(sight) if is_outage(sight) else None
    return Report(CHECKER, at, "error" if found else "ok", (found,) if found else (), (), (), (), {})


def _unreached(sample: Sample) -> Finding:
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


def _unseen(sample: Sample) -> Finding:
    return Finding(
        code=CODE,
        severity=Severity.ERROR,
        subject=CHECKER,
        observed=f"runs could not see anything of {len(sample.failing)} of {len(sample.seen)} sites"
        + (f"; one of them: {sample.why}" if sample.why else ""),
        expected="runs that come to a result",
        impact="These sites are not watched: nobody would notice if they broke. None of them is reported for it by "
        "itself until this is over.",
        remediation="Read the check function's log: it says why a run sees nothing. Where that began with a "
        "deployment, go back to the version before; otherwise see whether the resolver that the function asks "
        "(parameter Resolvers) and its way to the internet are there.",
        reference="README, what watches Padlock",
        step=None,
        summary="cannot see most sites",
        reachability=True,
    )


class Watch:
    """What one function has seen, and what all of them have seen lately."""

    def __init__(self, slots: Slots) -> None:
        self._slots = slots
        self._unsent: dict[tuple[Series, str], Sample] = {}
        # Who asks while another sends what both saw must not be answered without it.
        self._lock = threading.Lock()

    def saw(self, moment: datetime, place: str, *, failing: bool) -> None:
        """Keep what one look came to; it is sent with the next question, or at the end of the batch."""
        self._keep("reach", moment, place, failing=failing)

    def sighted(self, moment: datetime, place: str, *, blind: bool, why: str = "") -> None:
        """Keep whether one look saw anything, and why it did not, in the same way."""
        self._keep("sight", moment, place, failing=blind, why=why)

    def _keep(self, series: Series, moment: datetime, place: str, *, failing: bool, why: str = "") -> None:
        here, key = frozenset({place}), (series, window_of(moment))
        sample = Sample(here, here if failing else frozenset(), why)
        self._unsent[key] = self._unsent.get(key, Sample()) | sample

    def outage(self, now: datetime, expires: int) -> Outage:
        """Return whether the checker is to blame for what fails now, by what all functions have seen."""
        samples = self._lately("reach", now, expires)
        whole = union(samples)
        if is_unclear(whole):
            whole = latest_of(self._slots.windows(window_of(now - MEMORY), window_of(now)))
        if is_outage(whole):
            return "seen"
        return "suspected" if any(map(is_outage, samples)) else "none"

    def is_blind(self, now: datetime, expires: int) -> bool:
        """Return whether most of what all functions have looked at lately could not be seen."""
        return is_outage(union(self._lately("sight", now, expires)))

    def _lately(self, series: Series, now: datetime, expires: int) -> list[Sample]:
        self.flush(expires)
        # Never by its own alone: half of one batch may be a provider's customers among thousands of healthy sites.
        return self._slots.between(window_of(now - SPAN), window_of(now), series)

    def flush(self, expires: int) -> None:
        """Send what is not sent yet."""
        with self._lock:
            while self._unsent:
                (series, window), sample = self._unsent.popitem()
                self._slots.add(window, sample, expires, series)
