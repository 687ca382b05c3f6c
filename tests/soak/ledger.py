"""What really happened, written down at the calls themselves: commits, records, publications.

The product's own tables are held against this. A copy of it is kept with each copy of the table, so that after the
table is restored the same promises can be asked of the history that the restored table has.
"""

import copy
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec
from padlock.changes import Change, OpenFinding, Policy, State, close, fold
from padlock.channels import CHANNELS
from padlock.checking import Task
from padlock.findings import Report
from padlock.storage import stamp
from padlock.storage._items import Item
from padlock.storage._plain import unmarshal

from tests.soak.truth import Seen
from tests.soak.violation import Violation

if TYPE_CHECKING:
    from tests.soak.faults import Actor

type Key = tuple[str, str]

TOLD = ("opened", "worsened", "still_open")
OVER = ("resolved", "eased")
REMOVED = "#removed"


class Looked(msgspec.Struct, frozen=True):
    """What a run saw, and how its owner wants to be told."""

    looks: tuple[Report, ...]
    policy: Policy
    seen: tuple[Seen | None, ...]
    """What each look could see; None for one that was none."""
    in_time: bool
    """There was time for a second look."""
    at: int | None
    """When it looked first, in true seconds; None for one whose clock is wrong, or that did not look."""


class Applied(msgspec.Struct, frozen=True):
    """One run whose transaction went through."""

    key: str
    ticket: int
    looked: Looked | None
    """None: the site was closed."""


class Delivery(msgspec.Struct):
    """One publication that reached its channel."""

    actor: "Actor"
    disturbed: bool
    """Nobody could know that it did: something went wrong before it was marked, or another has taken the lease."""
    marked: bool = False


class History(msgspec.Struct):
    """All that a copy of the table knows too; by site."""

    applied: dict[str, tuple[Applied, ...]] = {}
    """In the order of the commits, since `base`."""
    runs: dict[str, frozenset[str]] = {}
    state: dict[str, State] = {}
    """The applied runs folded."""
    changes: dict[str, tuple[Change, ...]] = {}
    """What the fold told of them."""
    records: dict[str, dict[int, Item]] = {}
    """The outbox as it was written."""
    announced: dict[str, frozenset[int]] = {}
    """Numbers of records that no run made."""
    told: dict[str, frozenset[Key]] = {}
    """The errors that the records tell of and that none of them ends."""
    versions: dict[str, tuple[int, int, int]] = {}
    """Versions of the head, of STATE, and of STATE as the head names it."""
    breaks: dict[str, frozenset[int]] = {}
    """Numbers of the records after a state was put back, before which the statuses need not fit."""


class Ledger:
    """What really happened."""

    def __init__(self) -> None:
        self.history = History()
        self.deliveries: dict[tuple[str, int], list[Delivery]] = defaultdict(list)
        """(alert id, channel) → its publications."""
        self.firsts: dict[tuple[str, int], list[str]] = defaultdict(list)
        """(site, channel) → alert ids in the order of their first publications."""
        self.texts: dict[str, str] = {}
        """Alert id → what it stood for first."""
        self.ids: dict[str, tuple[str, int]] = {}
        """Alert id → site and number, of the records that are there."""
        self.looked: dict[tuple[Actor, str, int], Looked] = {}
        """(actor, site, ticket) → what the run saw."""
        self.dirty: set[str] = set()
        """Sites whose items were written since somebody looked."""
        self._holding: dict[tuple[int, str], str] = {}
        """(actor, site) → the lease that it took."""
        self._open: dict[tuple[int, str], list[Delivery]] = defaultdict(list)
        """(actor, site) → publications that are not marked yet."""

    def strike(self, actor: "Actor") -> None:
        """Note that something goes wrong for an actor: what it has not marked, nobody may know of."""
        for (who, _), deliveries in self._open.items():
            if who == id(actor):
                for delivery in deliveries:
                    delivery.disturbed = True

    def repeated(self, actor: "Actor", site: str, head: Item, state_version: int) -> None:
        """Note a run that found all as it is stored, by the head that it wrote beside a STATE of this version."""
        ticket = head["applied_ticket"]
        # A site that never ran is closed without a word, and once more where its message comes again.
        kind = "" if (actor, site, ticket) in self.looked else REMOVED
        self.dirty.add(site)
        self._apply(actor, site, f"RUN#{stamp(datetime.fromtimestamp(ticket, UTC))}{kind}", ticket, head)
        self._count(site, head["version"], state_version)

    def _count(self, site: str, version: int, state_version: int) -> None:
        before, *_ = self.history.versions.get(site, (0,))
        if version <= before:
            raise Violation("7 versions increase", f"{site}: {version} after {before}")
        self.history.versions[site] = version, state_version, state_version

    def committed(self, actor: "Actor", site: str, writes: Sequence[Mapping[str, Any]], state: Item | None) -> None:
        """Note a transaction that went through; `state` is the site's STATE after it."""
        items = [unmarshal(write["Put"]["Item"]) for write in writes if "Put" in write]
        self.dirty.add(site)
        rows = [item for item in items if item["sk"].startswith("RUN#")]
        is_run = any("Update" in write for write in writes)
        if is_run:
            for row in rows:
                self._apply(actor, site, row["sk"], row["ticket"], state)
            heads = [item for item in items if item["sk"] == "STATE#HEAD"]
            for head in heads:
                self._count(site, head["version"], state["version"] if state else 0)
        for item in items:
            if item["sk"].startswith("ALERT#"):
                self._recorded(site, item, by_run=is_run)

    def _apply(self, actor: "Actor", site: str, key: str, ticket: int, state: Item | None) -> None:
        history = self.history
        if key in history.runs.get(site, frozenset()):
            raise Violation("7 each run is applied once", f"{site} {key} with ticket {ticket}")
        applied = history.applied.get(site, ())
        if applied and ticket <= applied[-1].ticket:
            raise Violation("7 tickets increase", f"{site}: {ticket} after {applied[-1].ticket}")
        before = history.state.get(site, State())
        if key.endswith(REMOVED):
            looked = None
            if state is None:
                raise Violation("2 STATE equals the fold", f"{site}: {key} is applied, and there is no state")
            at = msgspec.convert(state.get("last_alert") or state["checked_at"], datetime)
            after, change = close(before, site, at, {}, "UTC")
        else:
            looked = self.looked[actor, site, ticket]
            before_it = applied[-1].looked if applied else None
            if before_it and None not in {looked.at, before_it.at} and _at(before_it) > _at(looked):
                raise Violation(
                    "7 the later look stays", f"{site}: {key} looked {_at(before_it) - _at(looked)} s before"
                )
            after, change = fold(before, looked.looks, looked.policy)
        history.runs[site] = history.runs.get(site, frozenset()) | {key}
        history.applied[site] = (*applied, Applied(key, ticket, looked))
        history.state[site] = after
        if change:
            history.changes[site] = (*history.changes.get(site, ()), change)

    def _recorded(self, site: str, item: Item, *, by_run: bool) -> None:
        number, alert_id = int(item["seq"]), item["alert_id"]
        text = json.dumps({name: item[name] for name in ("subject", "body", "data", "chat", "event")})
        if self.texts.setdefault(alert_id, text) != text:
            raise Violation("an id stands for one text", f"{site}: {alert_id} stood for another text before")
        self.history.records[site] = {**self.history.records.get(site, {}), number: item}
        self.ids[alert_id] = site, number
        if not by_run:
            self.history.announced[site] = self.history.announced.get(site, frozenset()) | {number}
        if item["kind"] == "status" or not by_run:
            return
        data = json.loads(item["data"])
        told = self.history.told.get(site, frozenset())
        lists = {name: {(one["code"], one["subject"]) for one in data[name]} for name in (*TOLD, *OVER)}
        if again := (lists["opened"] | lists["worsened"]) & told:
            raise Violation("told once", f"{site} {number}: {sorted(again)} was told of before")
        if unknown := (lists["resolved"] | lists["eased"]) - told:
            raise Violation("told once", f"{site} {number}: the end of {sorted(unknown)}, which nobody was told of")
        told = (told | lists["opened"] | lists["worsened"]) - lists["resolved"] - lists["eased"]
        self.history.told[site] = frozenset() if item["kind"] == "removed" else frozenset(told)

    def has(self, task: Task) -> bool:
        """Return whether a run was stored."""
        return f"RUN#{stamp(task.slot)}" in self.history.runs.get(task.name, ())

    def published(self, actor: "Actor", channel: int, text: str) -> tuple[Item, Delivery]:
        """Note a publication that reached its channel; return the record that it is of."""
        alert_id = next((known for known in self.ids if known in text), None)
        if alert_id is None:
            raise Violation("3 what was published is in the outbox", f"to {CHANNELS[channel]}: {text[:300]}")
        site, number = self.ids[alert_id]
        self.dirty.add(site)
        delivery = Delivery(actor, disturbed=False)
        earlier = self.deliveries[alert_id, channel]
        if not earlier:
            self.firsts[site, channel].append(alert_id)
        earlier.append(delivery)
        self._open[id(actor), site].append(delivery)
        return self.history.records[site][number], delivery

    def holds(self, actor: "Actor", site: str, token: str | None) -> bool:
        """Return whether an actor has the lease that the table names."""
        return token is not None and self._holding.get((id(actor), site)) == token

    def moved(self, actor: "Actor", site: str, before: Item | None, after: Item | None, now: float) -> None:
        """Note that the cursor was written, at a time by the writer's own clock (epoch seconds)."""
        self.dirty.add(site)
        was, is_ = before or {}, after or {}
        is_taken = is_.get("lease_token") not in {None, was.get("lease_token")}
        if is_taken and was.get("lease_until", now - 1) >= now:
            raise Violation(
                "a lease is its holder's", f"{site}: it is taken {was['lease_until'] - now:.0f} s too early"
            )
        if is_.get("lease_token") != was.get("lease_token"):
            if token := is_.get("lease_token"):
                self._holding[id(actor), site] = token
            for (who, where), deliveries in self._open.items():
                if where == site and who != id(actor):
                    for delivery in deliveries:
                        delivery.disturbed = True
        if (was.get("sent_seq", 0), was.get("stage", 0)) != (is_.get("sent_seq", 0), is_.get("stage", 0)):
            for delivery in self._open.pop((id(actor), site), []):
                delivery.marked = True

    def ended(self, actor: "Actor") -> None:
        """Note the end of an actor; without a fault it leaves nothing unmarked."""
        for (who, site), deliveries in self._open.items():
            if who == id(actor) and (left := [delivery for delivery in deliveries if not delivery.disturbed]):
                raise Violation("5 duplicates only where an outcome is unknown", f"{site}: {len(left)} unmarked")
        self._open = defaultdict(list, {key: kept for key, kept in self._open.items() if key[0] != id(actor)})

    def kept(self) -> History:
        """Return a copy of what a copy of the table knows."""
        return copy.copy(_copied(self.history))

    def lost(self, site: str, state: State | None, rows: frozenset[str]) -> None:
        """Go back with a site whose head is gone: runs that have no row of the history are forgotten."""
        self._back(site, state)
        self.history.runs[site] = self.history.runs.get(site, frozenset()) & rows
        self.dirty.add(site)

    def _back(self, site: str, state: State | None) -> None:
        self.history.state[site] = state or State()
        self.history.applied[site] = ()
        self.history.versions.pop(site, None)

    def restored(self, kept: History, cursors: Mapping[str, Item]) -> None:
        """Go back with the table, whose cursors are these.

        What was published since stays published, of records that are gone; of those that are there still, the table
        has forgotten it, so that they may come again.
        """
        self.history = _copied(kept)
        there = {
            (site, number): record["alert_id"]
            for site, rows in kept.records.items()
            for number, record in rows.items()
        }
        self.ids = {alert_id: place for place, alert_id in there.items()}
        for (alert_id, channel), deliveries in self.deliveries.items():
            site, number = self.ids.get(alert_id, ("", 0))
            cursor = cursors.get(site, {})
            if (cursor.get("sent_seq", 0) + 1, cursor.get("stage", 0)) <= (number, channel):
                for delivery in deliveries:
                    delivery.disturbed = True
        self.dirty |= kept.records.keys() | kept.state.keys()

    def put_back(self, site: str, state: State | None) -> None:
        """Go back with one site's state alone; its records, its runs and its cursor stay."""
        history = self.history
        self._back(site, state)
        history.changes[site] = history.changes.get(site, ())
        findings: Sequence[OpenFinding] = (*state.findings, *state.over) if state else ()
        history.told[site] = frozenset(finding.key for finding in findings if finding.told)
        following = max(history.records.get(site, {}), default=0) + 1
        history.breaks[site] = history.breaks.get(site, frozenset()) | {following}
        self.dirty.add(site)


def _at(looked: Looked) -> int:
    return looked.at or 0


def _copied(history: History) -> History:
    """Return a copy whose mappings are its own; what they hold never changes."""
    return History(**{name: dict(getattr(history, name)) for name in History.__struct_fields__})
