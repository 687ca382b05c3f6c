"""What alerts.md promises, each as a check with its name: 1 to 7 hold at every step, 8 once faults have stopped.

After a table was restored they hold for the history that it has then, which the ledger goes back to. What cannot hold
is this: people were told things by alerts that are gone, and nothing can take back or end what no record knows of.
After one state was put back alone, the record that follows it starts from another status than the last one ended
with, and what was told since the copy may be told again, for the state has forgotten it. And a site that was removed
since the copy stays open, for its removal was told once.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

from padlock.changes import Change
from padlock.channels import CHANNELS
from padlock.findings import CHECKER
from padlock.storage._items import Item, state_of

from tests.soak.truth import BLIP, UNREACHED
from tests.soak.violation import Violation
from tests.soak.world import World

CHANGING = ("pending", "published_at")
"""What of a record may change once it is written."""
NO_SITES = {"#dispatch", "#slot", "#sight"}
"""Partitions of the results that are nobody's."""


def outbox_contiguous(world: World, site: str) -> None:
    """1: the outbox is contiguous, each record's `from` is the `to` before it, and it has one record a change."""
    name = "1 the outbox is contiguous"
    records = world.amazon.items(site, "ALERT#")
    numbers = [record["seq"] for record in records]
    skipped = world.skipped.get(site, set())
    if any(after != before + 1 and after not in skipped for before, after in pairwise([0, *numbers])):
        raise Violation(name, f"{site}: {numbers}")
    breaks = world.ledger.history.breaks.get(site, frozenset())
    before = "unknown"
    for record in records:
        if record["from"] != before and record["seq"] not in breaks | skipped:
            raise Violation(name, f"{site} {record['seq']}: from {record['from']}, after one to {before}")
        before = record["to"]
    announced = world.ledger.history.announced.get(site, frozenset())
    told = [_of_record(record) for record in records if record["seq"] not in announced]
    changed = [_of_change(change) for change in world.ledger.history.changes.get(site, ())]
    if told != changed:
        raise Violation(name, f"{site}: its runs changed {changed}, its records tell {told}")


def state_is_fold(world: World, site: str) -> None:
    """2: STATE equals the fold of the applied runs."""
    item = world.amazon.state(site)
    if item is None:
        if world.ledger.history.applied.get(site):
            raise Violation("2 STATE equals the fold", f"{site}: runs were applied, and there is no state")
        return
    state, folded = state_of(item), world.ledger.history.state.get(site)
    if state != folded:
        raise Violation("2 STATE equals the fold", f"{site}: {state} is not {folded}")


def versions_fit(world: World, site: str) -> None:
    """2: the head counts every run that was stored, and names the version of the STATE beside it."""
    item, head = world.amazon.item(site, "STATE"), world.amazon.item(site, "STATE#HEAD")
    known = world.ledger.history.versions.get(site)
    if known is None or item is None or head is None:
        return
    if (head["version"], item["version"], head["state_version"]) != known:
        there = head["version"], item["version"], head["state_version"]
        raise Violation("2 the head fits its state", f"{site}: versions {there} are there, {known} were written")


def records_immutable(world: World, site: str) -> None:
    """3: what was published is in the outbox, byte for byte: no record ever changes."""
    written = world.ledger.history.records.get(site, {})
    there = {record["seq"]: record for record in world.amazon.items(site, "ALERT#")}
    if there.keys() != written.keys():
        raise Violation("3 records stay", f"{site}: {sorted(there)} are there, {sorted(written)} were written")
    for number, record in there.items():
        if _fixed(record) != _fixed(written[number]):
            raise Violation("3 records stay", f"{site} {number} was written anew")


def first_publications_in_order(world: World, site: str) -> None:
    """4: on each channel the first publications are in order, and pass over none."""
    records = world.ledger.history.records.get(site, {})
    for channel in range(len(CHANNELS)):
        published = world.ledger.firsts.get((site, channel), [])
        firsts = [world.ledger.ids[alert_id][1] for alert_id in published if alert_id in world.ledger.ids]
        wanted = [number for number in sorted(records) if channel in _channels(records[number])]
        if firsts != wanted[: len(firsts)]:
            raise Violation("4 first publications are in order", f"{site} {CHANNELS[channel]}: {firsts} of {wanted}")


def duplicates_explained(world: World, site: str) -> None:
    """5: a duplicate is possible only where the outcome of a publish was unknown."""
    for (alert_id, channel), deliveries in world.ledger.deliveries.items():
        where, number = world.ledger.ids.get(alert_id, ("", 0))
        if where != site:
            continue
        unknown = sum(delivery.disturbed for delivery in deliveries)
        if len(deliveries) - 1 > unknown or sum(not delivery.disturbed for delivery in deliveries) > 1:
            told = f"{site} {number} came to {CHANNELS[channel]} {len(deliveries)} times"
            raise Violation("5 duplicates only where an outcome is unknown", f"{told}, {unknown} outcomes unknown")


def sent_is_published(world: World, site: str) -> None:
    """6: what the cursor has passed was published, on every channel."""
    cursor = world.amazon.item(site, "NOTIFY") or {}
    passed = cursor.get("sent_seq", 0)
    for number, record in world.ledger.history.records.get(site, {}).items():
        for channel in _channels(record):
            must = number <= passed or (number == passed + 1 and channel < cursor.get("stage", 0))
            if must and not world.ledger.deliveries.get((record["alert_id"], channel)):
                raise Violation("6 seq ≤ sent_seq ⇒ published", f"{site} {number} never came to {CHANNELS[channel]}")
        row = world.amazon.item(site, f"ALERT#{number:010}") or {}
        if number > passed and "pending" not in row:
            raise Violation("6 seq ≤ sent_seq ⇒ published", f"{site} {number} is off the list of those that wait")


def nothing_false(world: World, site: str) -> None:
    """Nobody is told of what was there for one look only, or of what the checker itself could not reach."""
    for number, record in world.ledger.history.records.get(site, {}).items():
        for label in (*record["change"].get("opened", ()), *record["change"].get("worsened", ())):
            if BLIP in label or (UNREACHED in label):
                raise Violation("nothing false is told", f"{site} {number}: {label}")


EVERY: tuple[Callable[[World, str], None], ...] = (
    outbox_contiguous,
    state_is_fold,
    versions_fit,
    records_immutable,
    first_publications_in_order,
    duplicates_explained,
    sent_is_published,
    nothing_false,
)


def check(world: World, *, all_sites: bool = False) -> None:
    """Check what holds at every step, of the sites whose items were written since the last time, or of all."""
    if world.violation is not None:
        raise world.violation
    for site in sorted(world.ledger.dirty | (world.amazon.sites() if all_sites else set())):
        if site not in {"", *NO_SITES}:
            for invariant in EVERY:
                invariant(world, site)
    world.ledger.dirty.clear()


def settled(world: World, *, silenced: bool) -> None:
    """8: once faults have stopped, nothing is pending, everything is sent, and state and alerts say what is true.

    `silenced`: findings are acknowledged still, of which people may know or not.
    """
    name = "8 it comes right by itself"
    for site in sorted(world.amazon.sites() - NO_SITES):
        records = world.amazon.items(site, "ALERT#")
        cursor = world.amazon.item(site, "NOTIFY") or {}
        if waiting := [record["seq"] for record in records if "pending" in record]:
            raise Violation(name, f"{site}: {waiting} are pending")
        last = max((record["seq"] for record in records), default=0)
        if (cursor.get("sent_seq", 0), cursor.get("stage", 0)) != (last, 0):
            raise Violation(name, f"{site}: the last record is {last}, the cursor is at {cursor}")
    for site in sorted(world.truths):
        _true(world, site, name, silenced=silenced)
    own = world.amazon.state(CHECKER)
    if own and (own["status"] != "ok" or world.ledger.history.told.get(CHECKER)):
        raise Violation(name, f"the checker is well, and its state is {own['status']}")


def _true(world: World, site: str, name: str, *, silenced: bool) -> None:
    item = world.amazon.state(site)
    told = world.ledger.history.told.get(site, frozenset())
    if site in world.stranded:
        return
    if site not in world.declared:
        if item and item["status"] != "removed" and state_of(item).first_run is not None:
            raise Violation(name, f"{site} is no longer declared, and its state is {item['status']}")
        if told:
            raise Violation(name, f"{site} is no longer declared, and people believe {sorted(told)}")
        return
    truth = world.truths[site]
    if item is None or item["status"] != truth.status:
        raise Violation(name, f"{site} is {truth.status}, and its state {item['status'] if item else 'is not there'}")
    quiet = world.silenced(site) if silenced else frozenset()
    if not truth.errors - quiet <= told <= truth.errors:
        raise Violation(name, f"{site} has {sorted(truth.errors)}, and people believe {sorted(told)}")


def _channels(record: Item) -> list[int]:
    return [2] if record["kind"] == "status" else [0, 1, 2]


def _fixed(record: Item) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name not in CHANGING}


def _of_record(record: Item) -> tuple[Any, ...]:
    return (record["kind"], record["from"], record["to"], *(len(record["change"].get(name, ())) for name in LISTS))


def _of_change(change: Change) -> tuple[Any, ...]:
    return (change.kind, change.before, change.after, *(len(getattr(change, name)) for name in LISTS))


LISTS = ("opened", "worsened", "eased", "resolved")
