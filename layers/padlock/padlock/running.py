"""Queued runs: a site is looked at, twice where it must be, and what that leads to is stored with its alert."""

import asyncio
import hashlib
import logging
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime

import msgspec

from padlock.alerting import record_of
from padlock.changes import Change, Policy, State, close, fold
from padlock.changes.observing import STALE_RUNS
from padlock.checking import GRACE, Checked, Task, blind, site_of
from padlock.declaration import readable
from padlock.findings import CHECKER, Report, Status
from padlock.message import Further, compose
from padlock.network.vantage import Vantage
from padlock.outage import (
    SLOTS_BLIND,
    Watch,
    has_seen,
    is_known,
    is_outage,
    is_stale,
    is_unclear,
    newly_out_of_reach,
    newly_out_of_sight,
    out_of_reach,
    place_of,
    report_of,
    sight_of,
    union,
    window_of,
    worst_of,
)
from padlock.render.escape import printable
from padlock.silence import policy_of
from padlock.site import InvalidSite, Site
from padlock.storage import Alert, Outcome, Results, Run, Slots, Stored, stamp

type Look = Callable[[Task, datetime], Awaitable[Checked]]
"""Looks at what a task declares, now."""

ATTEMPTS = 8
"""How often a run is written again where another run of the same site came in between."""
PAUSE = 5.0
"""Seconds between two looks of one run, in which a short disturbance may pass."""
SECOND_LOOK = PAUSE + Vantage().deadline + GRACE + 15
"""Seconds that a second look and storing what it saw may take."""
AHEAD = 3600.0
"""Seconds by which a slot may be ahead of a function's clock."""
SAMPLE_SECONDS = 2 * 86400
"""For which a minute's sample is kept."""
OUTAGE = "the checker itself could not reach most of what it looks at, so that this site is not to blame"

log = logging.getLogger(__name__)


class Ran(msgspec.Struct, frozen=True):
    """What became of a queued run."""

    outcome: Outcome
    status: Status | None
    """The last look's; None where there was none."""
    saw: bool = False
    """It came to a result by what it saw of its site."""


class Runner:
    """Runs the tasks of one queue."""

    def __init__(
        self,
        results: Results,
        watch: Watch,
        look: Look,
        further: Further,
        retention: int,
        *,
        declared: Callable[[str], bool],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        pause: float = PAUSE,
    ) -> None:
        """Take how to look, what a message points at, the seconds for which history is kept, and what is declared."""
        self._results = results
        self._watch = watch
        self._look = look
        self._further = further
        self._retention = retention
        self._declared = declared
        self._clock = clock
        self._pause = pause

    async def run(self, task: Task, until: float) -> Ran:
        """Check a queued site and store the result; a run that is already stored is not made again.

        Nor is one made of an earlier slot than the latest that is stored: it would say nothing new. `until` is the
        time of the monotonic clock at which the function is ended.
        """
        if task.removed:
            return await asyncio.to_thread(self._close, task)
        stored = await asyncio.to_thread(self._results.load, task.name)
        ticket = ticket_of(task.slot, stored.applied_ticket, self._clock())
        if stored.applied_ticket >= ticket:
            return Ran(_late(stored, ticket), None)
        if await asyncio.to_thread(_is_gone, stored.state, task.spelled, self._declared):
            return Ran("superseded", None)  # sent before its site was removed
        started = time.monotonic()
        looks, policy = await self._looks(task, stored.state, until)
        seconds = round(time.monotonic() - started, 3)
        run = Run(task.name, f"RUN#{stamp(task.slot)}", ticket, seconds, self._expires())
        outcome = await asyncio.to_thread(
            save, self._results, run, looks, policy, self._further, stored, lambda _: self._declared(task.spelled)
        )
        log.info("%s: %s, %s in %.1f s", task.name, looks[-1].status, outcome, run.seconds)
        return Ran(outcome, looks[-1].status, any(map(has_seen, looks)))

    async def abandon(self, task: Task, reason: str) -> Ran:
        """Store that a site could not be looked at, and why, without another look."""
        return await asyncio.to_thread(self._abandon, task, reason)

    async def _looks(self, task: Task, state: State, until: float) -> tuple[list[Report], Policy]:
        """Return one look at a site, or two where the first alone cannot be trusted, and how its owner is told."""
        now = self._clock()
        site = _told_as(task)
        policy = policy_of(site, now)
        first = await self._see(task, state, now)
        looks = [first]
        if fold(state, looks, policy)[0].unsettled and time.monotonic() + self._pause + SECOND_LOOK - PAUSE < until:
            await asyncio.sleep(self._pause)
            looks.append(await self._see(task, state, self._clock()))
        # One that was out of reach before tells nothing of the checker, which may see more of it than is so.
        if out_of_reach(looks[-1]) and await asyncio.to_thread(self._outage, state):
            policy = msgspec.structs.replace(policy, outage=True)
            looks = [blind(task.name, looks[-1].checked_at, OUTAGE, site)]
        elif not has_seen(looks[-1]) and await asyncio.to_thread(self._is_blind, state, looks, policy):
            policy = msgspec.structs.replace(policy, outage=True)
        return looks, policy

    async def _see(self, task: Task, state: State, now: datetime) -> Report:
        checked = await self._look(task, now)
        failing = newly_out_of_reach(state, checked.report)
        if failing is not None:
            self._watch.saw(self._clock(), place_of(checked.evidence, task.name), failing=failing)
        self._sighted(task.name, state, checked)
        return checked.report

    def _sighted(self, name: str, state: State, checked: Checked) -> None:
        """Keep what a look says of whether the checker sees anything."""
        unseen = newly_out_of_sight(state, checked.report)
        if unseen is not None:
            place = sight_of(checked.evidence, name, blind=unseen)
            self._watch.sighted(self._clock(), place, blind=unseen, why=_reason(checked.report) if unseen else "")

    def _outage(self, state: State) -> bool:
        """Return whether the checker is to blame, by what all runs have seen lately.

        A suspicion holds a site back for one run: an outage that goes on is known as one by the next.
        """
        outage = self._watch.outage(self._clock(), int(time.time()) + SAMPLE_SECONDS)
        if outage == "suspected" and state.blind:
            return self._results.load(CHECKER).state.status == "error"
        return outage != "none"

    def _is_blind(self, state: State, looks: Sequence[Report], policy: Policy) -> bool:
        """Return whether a site would be told to be stale of which the checker is to blame that it is not seen.

        What is known of the slots before comes first: the other sites of this one may not have been looked at yet.
        """
        # Other runs may count meanwhile, and this one's state be folded anew.
        counted = msgspec.structs.replace(state, blind=STALE_RUNS)
        if is_stale(state) or not is_stale(fold(counted, looks, policy)[0]):
            return False
        known = is_known(self._results.load(CHECKER).state)
        return known or self._watch.is_blind(self._clock(), int(time.time()) + SAMPLE_SECONDS)

    def _abandon(self, task: Task, reason: str) -> Ran:
        stored = self._results.load(task.name)
        state, now = stored.state, self._clock()
        ticket = ticket_of(task.slot, stored.applied_ticket, now)
        if stored.applied_ticket >= ticket:
            return Ran(_late(stored, ticket), None)
        if _is_gone(state, task.spelled, self._declared):
            return Ran("superseded", None)
        site = _told_as(task)
        policy = policy_of(site, now)
        run = Run(task.name, f"RUN#{stamp(task.slot)}", ticket, 0.0, self._expires())
        unseen = blind(task.name, now, reason, site)
        self._sighted(task.name, state, Checked(unseen, None, 0.0))
        if self._is_blind(state, [unseen], policy):
            policy = msgspec.structs.replace(policy, outage=True)
        declared = self._declared(task.spelled)
        outcome = save(self._results, run, [unseen], policy, self._further, stored, lambda _: declared)
        return Ran(outcome, "inconclusive")

    def _close(self, task: Task) -> Ran:
        """Close the state of a site that is no longer declared, with one alert that says so."""
        if self._declared(task.spelled):
            return Ran("superseded", None)
        key, now = f"RUN#{stamp(task.slot)}#removed", self._clock()
        for attempt in range(ATTEMPTS):
            stored = self._results.load(task.name)
            known = (self._results.state(task.name) or {}).get("report", {})
            state, change = close(stored.state, task.name, now, known.get("labels", {}), known.get("timezone", "UTC"))
            if stored.state.removed:
                return Ran("duplicate", None)
            # Where no run was stored yet there is nothing to tell; but one that looks now must meet a newer state.
            # It follows whatever run was stored: behind one it would leave the site open, and nothing closes it.
            run = Run(task.name, key, stored.applied_ticket + 1, 0.0, self._expires())
            report = blind(task.name, now, "the site is no longer declared")
            outcome = _apply(self._results, stored, run, state, report, change, self._further, digest=True)
            if outcome != "conflict":
                return Ran(outcome, None)
            _wait(attempt)
        raise TimeoutError(f"{task.name}: other runs wrote its state {ATTEMPTS} times while it was closed")

    def _expires(self) -> int:
        """Return when a run's row goes, in epoch seconds."""
        return int(time.time()) + self._retention


def save(
    results: Results,
    run: Run,
    looks: Sequence[Report],
    policy: Policy,
    further: Further,
    stored: Stored | None = None,
    declared: Callable[[str], bool] = lambda _: True,
) -> Outcome:
    """Store a run with the state that it leads to and the alert of its change, recomputed while others write too.

    `stored`: the state as it was read before the run looked. A site that was removed while the run looked stays
    removed, as far as `declared` says so.
    """
    before = stored
    for attempt in range(ATTEMPTS):
        stored = stored or results.load(run.site)
        if _is_gone(stored.state, run.site, declared) or _is_outdone(run, looks[0], before, stored):
            return results.keep(run, looks[-1], "superseded")
        state, change = fold(stored.state, looks, policy)
        outcome = _apply(results, stored, run, state, looks[-1], change, further, digest=policy.digest)
        if outcome != "conflict":
            return outcome
        stored = None
        _wait(attempt)
    raise TimeoutError(f"{run.site}: other runs wrote its state {ATTEMPTS} times while {run.key} tried to")


def judge_checker(results: Results, slots: Slots, slot: str, now: datetime, further: Further, expires: int) -> None:
    """Tell of an outage of the checker itself, and of its end, by what a slot's runs could reach and see until now.

    It is over when most of what is looked at is reached and seen again; a slot with too few sites to tell changes
    nothing.
    """
    begins = window_of(datetime.fromisoformat(slot))
    reach, sight = slots.windows(begins, stamp(now)), slots.windows(begins, stamp(now), "sight")
    whole = [union(reach.values()), union(sight.values())]
    if not any(sample.seen for sample in whole):
        return
    worst = [worst_of(reach), worst_of(sight)]
    if not any(map(is_outage, worst)) and any(map(is_unclear, whole)):
        return
    report = report_of(worst[0], now, worst[1])
    stored = results.load(CHECKER)
    state = stored.state
    if not (report.findings or state.findings or state.pending or state.flapping_since):
        return
    policy = Policy(failures=SLOTS_BLIND, successes=1)
    run = Run(CHECKER, f"RUN#{slot}", int(datetime.fromisoformat(slot).timestamp()), 0.0, expires)
    save(results, run, [report], policy, further, stored)


def ticket_of(slot: datetime, applied: int, now: datetime) -> int:
    """Return a run's place in the order of its site's runs: its slot, in epoch seconds.

    `applied`: that of the site's latest run. One from the future, which nobody meant, is followed one by one: else
    no run until then would be stored.
    """
    ticket = int(slot.timestamp())
    return applied + 1 if ticket < applied and applied > now.timestamp() + AHEAD else ticket


def _late(stored: Stored, ticket: int) -> Outcome:
    """Return what a run is that comes when it, or one of a later slot, is stored."""
    return "duplicate" if stored.applied_ticket == ticket else "superseded"


def _apply(
    results: Results,
    stored: Stored,
    run: Run,
    state: State,
    report: Report,
    change: Change | None,
    further: Further,
    *,
    digest: bool,
) -> Outcome:
    seq = max(stored.seq, results.last_alert(run.site)) + 1 if change else 0
    alert = _alert(change, run, seq, further) if change else None
    return results.apply(stored, run, state, report, alert, digest=digest)


def _alert(change: Change, run: Run, seq: int, further: Further) -> Alert:
    """Return the record of a change; the same run writes the same record, so that a repeated write is no other.

    In a table that was restored tickets and numbers come again, but not the time of a look.
    """
    minted = f"{run.site}|{run.key}|{run.ticket}|{seq}|{change.checked_at.timestamp()}"
    alert_id = hashlib.sha256(minted.encode()).hexdigest()[:32]
    return record_of(change, seq, alert_id, compose(change, alert_id, seq, further))


def _reason(look: Report) -> str:
    """Return what kept a look from seeing anything: what it wanted to see first, as the rest only follows from it."""
    return printable(look.not_assessed[0].reason, 300) if look.not_assessed else ""


def _told_as(task: Task) -> Site:
    """Return the site by which its owner is told: of a wrong declaration, what can be read of it."""
    site = site_of(task)
    return readable(task.declaration) if isinstance(site, InvalidSite) else site


def _is_gone(state: State, site: str, declared: Callable[[str], bool]) -> bool:
    """Return whether a run would be the first one of a site that is not declared: its message is an old one."""
    return state.first_run is None and not declared(site)


def _is_outdone(run: Run, first: Report, before: Stored | None, now: Stored) -> bool:
    """Return whether a run of an earlier slot was stored while this one looked, and has looked later.

    Both were on their way at the same time, as after the queue was held up; what this one saw is the older news.
    """
    if before is None or before.version == now.version or now.applied_ticket >= run.ticket:
        return False
    return now.checked_at > stamp(first.checked_at)


def _wait(attempt: int) -> None:
    time.sleep(random.uniform(0, 0.02 * 2**attempt))  # noqa: S311 — spreads writers, hides nothing
