"""A site from run to run, as the check function folds it: five minutes apart, and each run's looks five seconds."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import msgspec
from padlock.changes import Change, OpenFinding, Policy, State, fold
from padlock.findings import Finding, Report

from tests.reports import NOW, report

BLIND = report(status="inconclusive")
"""A look that saw nothing; `run` dates it."""
type Seen = Sequence[Finding] | Report
"""What one look saw: findings, or a whole report."""
OVER: tuple[Seen, Seen] = ((), ())
"""The two looks of a run that end whatever was open."""


class Watched:
    """One site, with the changes that its runs made."""

    def __init__(self, **policy: object) -> None:
        """Take what its owner wants other than the defaults."""
        self.policy = msgspec.convert(policy, Policy)
        self.state = State()
        self.at = NOW - timedelta(minutes=5)
        self.changes: list[Change] = []

    def run(self, *looks: Seen, minutes: float = 5, **policy: object) -> Change | None:
        """Fold the next run, `minutes` after the last one; `policy` differs for this run alone."""
        self.at += timedelta(minutes=minutes)
        seen = [self._report(look, self.at + timedelta(seconds=5 * n)) for n, look in enumerate(looks)]
        wanted = msgspec.structs.replace(self.policy, **policy)
        self.state, change = fold(self.state, seen, wanted)
        self.changes += [change] if change else []
        return change

    def told(self, *looks: Seen, minutes: float = 5, **policy: object) -> Change:
        """Fold the next run, which must make an alert."""
        change = self.run(*looks, minutes=minutes, **policy)
        assert change is not None
        assert change.kind != "status", "nobody was told"
        return change

    def silent(self, *looks: Seen, minutes: float = 5, **policy: object) -> None:
        """Fold the next run, which must make no alert."""
        change = self.run(*looks, minutes=minutes, **policy)
        assert change is None or change.kind == "status", f"{change} was told"

    @property
    def open(self) -> list[str]:
        """The codes of what is open."""
        return codes(self.state.findings)

    @property
    def pending(self) -> list[str]:
        """The codes of what is suspected."""
        return codes(self.state.pending)

    @property
    def alerts(self) -> list[Change]:
        """The changes that somebody was told of."""
        return [change for change in self.changes if change.kind != "status"]

    def _report(self, look: Seen, at: datetime) -> Report:
        judged = look if isinstance(look, Report) else report(*look)
        return msgspec.structs.replace(judged, checked_at=at)


def codes(findings: Iterable[Finding]) -> list[str]:
    """Return the codes of findings, in their order."""
    return [finding.code for finding in findings]


def told_open(changes: Iterable[Change]) -> set[tuple[str, str]]:
    """Return the keys of what a reader of these alerts takes to be open; each thing must be told once."""
    known: set[tuple[str, str]] = set()
    for change in changes:
        if change.kind == "status":
            continue
        opens, ends = keys((*change.opened, *change.worsened)), keys((*change.resolved, *change.eased))
        assert not opens & known, "told open twice"
        assert ends <= known, "told to be over without having been told to be open"
        assert not opens & ends, "told both at once"
        assert keys(change.still_open) <= known - ends, "told to be open still without having been told to be open"
        known = known - ends | opens
    return known


def keys(findings: Iterable[OpenFinding]) -> set[tuple[str, str]]:
    """Return the keys of findings."""
    return {finding.key for finding in findings}
