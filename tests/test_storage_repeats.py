"""Runs that change nothing: one small write each, counted by the history, and nothing that changes passes for one."""

import itertools
import json
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from padlock.changes import Policy, State, fold
from padlock.findings import NotAssessed, Report
from padlock.running import save, ticket_of
from padlock.storage import Results, Run, Stored, stamp
from padlock.storage._items import fitted, marshal, state_of
from padlock.storage._plain import unmarshal

from local.aws import EmbeddedAws
from local.pump import matches
from tests.bench.fleet_bill import written
from tests.reports import NOW, SITE, finding, report
from tests.runs import FURTHER, POLICY, run_of, saved, stored

MINUTE = timedelta(minutes=1)
EXPIRED, CLOSED = finding("certificate.expired"), finding("port.https_closed", reachability=True)
NOTICE, SLOW = finding("tls.x", severity="notice"), finding("app.slow", severity="warning", reachability=True)
BEFORE_HEADS = Path(__file__).parent / "golden" / "state-without-head.json"
"""What version 0.9 wrote of two runs, the first with an expired certificate, the second also slow at its one look."""
WRITES = ("put_item", "update_item", "transact_write_items")


class Counted:
    """A DynamoDB client that counts its calls, and does something before the first write."""

    def __init__(self, client: Any, work: Callable[[], object] = lambda: None) -> None:
        self._client, self._work = client, work
        self.calls: Counter[str] = Counter()

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client, name)
        if name in {"exceptions", "get_paginator", "meta"}:
            return found
        return lambda **asked: self._made(name, found, asked)

    def _made(self, name: str, call: Callable[..., Any], asked: dict[str, Any]) -> Any:
        if name in WRITES and not any(self.calls[write] for write in WRITES):
            self.calls[name] += 1
            self._work()
            return call(**asked)
        self.calls[name] += 1
        return call(**asked)


def counting(aws: EmbeddedAws, work: Callable[[], object] = lambda: None) -> tuple[Counted, Results]:
    """Return a client that counts, and the results by it."""
    client = Counted(aws.client("dynamodb"), work)
    return client, Results(client, aws.physical["ResultsTable"])  # type: ignore[arg-type]


def items(aws: EmbeddedAws, prefix: str = "") -> dict[str, Any]:
    """Return the items of the table as DynamoDB has them, by their sort key."""
    rows = aws.client("dynamodb").scan(TableName=aws.physical["ResultsTable"])["Items"]
    return {row["sk"]["S"]: row for row in rows if row["sk"]["S"].startswith(prefix)}


def put(aws: EmbeddedAws, *rows: Any) -> None:
    """Write items past the product."""
    for row in rows:
        aws.client("dynamodb").put_item(TableName=aws.physical["ResultsTable"], Item=row)


def delete(aws: EmbeddedAws, key: str) -> None:
    """Remove an item of the site by hand."""
    where = {"site": {"S": SITE}, "sk": {"S": key}}
    aws.client("dynamodb").delete_item(TableName=aws.physical["ResultsTable"], Key=where)


# --- what a run costs ---------------------------------------------------------------------------------------------


def test_unchanged_run_is_one_small_write(aws: EmbeddedAws, results: Results) -> None:
    """It reads once and writes one item of one unit; nothing else of the site is touched."""
    stored(results, report(NOTICE, expires=NOW))
    before = items(aws)
    client, counted = counting(aws)
    later = report(NOTICE, at=NOW + 5 * MINUTE, expires=NOW)
    assert saved(counted, run_of(later, 2), later) == "applied"
    assert client.calls == {"query": 1, "put_item": 1}
    after = items(aws)
    assert {key for key in after if after[key] != before.get(key)} == {"STATE#HEAD"}
    assert written(before["STATE#HEAD"], after["STATE#HEAD"]) == 1


def test_unchanged_run_moves_what_people_read(results: Results) -> None:
    """The state says when the site was looked at last, and the next run goes on from there."""
    stored(results, report(NOTICE))
    for number in (1, 2, 3):
        stored(results, report(NOTICE, at=NOW + number * 5 * MINUTE))
    item = results.state(SITE)
    assert item is not None
    assert item["checked_at"] == item["last_conclusive"] == item["report"]["checked_at"] == "2026-11-20T12:15:00Z"
    assert (item["version"], item["applied_ticket"], item["status"]) == (4, 4, "notice")
    loaded = results.load(SITE)
    assert (loaded.version, loaded.applied_ticket, loaded.repeats) == (4, 4, 3)
    assert loaded.state.last_conclusive == NOW + 15 * MINUTE


def test_unchanged_run_wakes_nobody(aws: EmbeddedAws, results: Results) -> None:
    """No record of the head passes the filter by which the stream wakes notify, its first one neither."""
    properties = aws.template["Resources"]["NotifyFunctionAlerts"]["Properties"]
    patterns = [json.loads(entry["Pattern"]) for entry in properties["FilterCriteria"]["Filters"]]
    stored(results, report(NOTICE))
    keys = {"site": {"S": SITE}, "sk": {"S": "STATE#HEAD"}}
    for event in ("INSERT", "MODIFY"):
        record = {"eventName": event, "dynamodb": {"Keys": keys, "NewImage": items(aws)["STATE#HEAD"]}}
        assert not any(matches(pattern, record) for pattern in patterns)


# --- what is no such run ------------------------------------------------------------------------------------------

UNSEEN = report(status="inconclusive", at=NOW + MINUTE, not_assessed=(NotAssessed("tls.x", SITE, "no time"),))
CHANGES: dict[str, tuple[Report, Policy]] = {
    "a new finding": (report(NOTICE, SLOW, at=NOW + MINUTE), POLICY),
    "one that is gone": (report(at=NOW + MINUTE), POLICY),
    "another severity": (report(finding("tls.x", severity="warning"), at=NOW + MINUTE), POLICY),
    "another text": (report(finding("tls.x", severity="notice", observed="2 days"), at=NOW + MINUTE), POLICY),
    "another certificate": (report(NOTICE, at=NOW + MINUTE, expires=NOW + 90 * 24 * 60 * MINUTE), POLICY),
    "what was not assessed": (report(NOTICE, at=NOW + MINUTE, not_assessed=UNSEEN.not_assessed), POLICY),
    "nothing seen": (UNSEEN, POLICY),
    "no digest any more": (report(NOTICE, at=NOW + MINUTE), Policy(digest=False)),
    "the day after": (report(NOTICE, at=NOW + 24 * 60 * MINUTE), POLICY),
}


@pytest.mark.parametrize("name", CHANGES)
def test_whatever_changes_is_written_in_full(aws: EmbeddedAws, results: Results, name: str) -> None:
    """A run that found anything else than the one before has its row, and its state as it was folded."""
    stored(results, report(NOTICE))
    later, policy = CHANGES[name]
    expected, _ = fold(results.load(SITE).state, [later, later], policy)
    client, counted = counting(aws)
    assert saved(counted, run_of(later, 2, "2"), later, policy) == "applied"
    assert client.calls["transact_write_items"] == 1
    assert "RUN#2" in items(aws)
    loaded = results.load(SITE)
    assert (loaded.state, loaded.repeats, loaded.version, loaded.state_version) == (expected, 0, 2, 2)


def test_one_look_of_many_is_counted(results: Results) -> None:
    """What is suspected counts its looks, though the report says the same each time."""
    four = Policy(failures=4)
    for number, bad in ((1, 1), (2, 2), (3, 3)):
        stored(results, report(CLOSED, at=NOW + number * MINUTE), policy=four, looks=1)
        assert [one.bad for one in results.load(SITE).state.pending] == [bad]
    stored(results, report(CLOSED, at=NOW + 4 * MINUTE), policy=four, looks=1)
    assert [one.code for one in results.load(SITE).state.findings] == ["port.https_closed"]


def test_site_that_was_never_seen_is_seen(results: Results) -> None:
    """The first look that sees a site makes it well, although nothing is found before and after."""
    stored(results, UNSEEN)
    stored(results, report(at=NOW + 2 * MINUTE))
    assert (results.state(SITE) or {})["status"] == "ok"


def test_error_that_stays_open_is_told_again(results: Results) -> None:
    """A day of unchanged runs ends in the reminder, once."""
    for hours in (0, 12, 23, 25, 26):
        stored(results, report(EXPIRED, at=NOW + timedelta(hours=hours)))
    rows = results._query("site = :s AND begins_with(sk, :k)", {":s": SITE, ":k": "ALERT#"})
    assert [row["kind"] for row in rows] == ["changed", "reminder"]


def test_days_of_a_fleet_begin_at_different_times(results: Results) -> None:
    """What is written once a day is not written by all sites at once."""
    sites = [f"s{number}.example" for number in range(12)]
    full: dict[str, list[int]] = {site: [] for site in sites}
    for hour, site in itertools.product(range(24), sites):
        stored(results, report(site=site, at=NOW + timedelta(hours=hour)))
        if results.load(site).repeats == 0:
            full[site].append(hour)
    assert all(hours[0] == 0 and len(hours) in {1, 2} for hours in full.values())
    assert len({hours[1] for hours in full.values() if len(hours) == 2}) > 4


# --- the history --------------------------------------------------------------------------------------------------


def test_history_counts_what_has_no_row(results: Results) -> None:
    """Each row says how many runs after it found the same, and when the last of them was, the newest one too."""
    for minutes, seen in ((0, ()), (5, ()), (10, ()), (15, (EXPIRED,)), (20, ()), (25, ())):
        stored(results, report(*seen, at=NOW + minutes * MINUTE), slot=f"{minutes:02}")
    told = [(row["sk"], row.get("repeats", 0), row.get("until", "")) for row in results.history(SITE)]
    assert told == [
        ("RUN#20", 1, "2026-11-20T12:25:00Z"),
        ("RUN#15", 0, ""),
        ("RUN#00", 2, "2026-11-20T12:10:00Z"),
    ]


def test_history_counts_past_rows_of_other_kinds(results: Results) -> None:
    """A run on demand in between, and one that was superseded, neither take the count nor lose it."""
    stored(results, report(), slot="2026-11-20T12:00:00Z")
    asked = Run(SITE, f"RUN#{stamp(NOW + MINUTE)}#id", 0, 0.1, 2_000_000_000)
    results.keep(asked, report(EXPIRED, at=NOW + MINUTE), "on demand")
    stored(results, report(at=NOW + 5 * MINUTE))
    assert [(row["kind"], row.get("repeats", 0)) for row in results.history(SITE)] == [
        ("on demand", 0),
        ("applied", 1),
    ]


# --- several writers ----------------------------------------------------------------------------------------------


def test_run_that_comes_twice_at_once_counts_once(aws: EmbeddedAws, results: Results) -> None:
    """Two deliveries of one unchanged run: the second meets the first one's head, and is a duplicate."""
    stored(results, report())
    later = report(at=NOW + 5 * MINUTE)
    client, slow = counting(aws, lambda: saved(results, run_of(later, 2), later))
    assert saved(slow, run_of(later, 2), later) == "duplicate"
    assert (results.load(SITE).version, results.load(SITE).repeats, client.calls["put_item"]) == (2, 1, 1)


def test_run_that_comes_twice_has_no_row_of_its_own(aws: EmbeddedAws, results: Results) -> None:
    """Of two deliveries of one unchanged run the one that looked first and ends last is no history either."""
    stored(results, report())
    before = results.load(SITE)
    late = report(at=NOW + 6 * MINUTE)
    assert saved(results, run_of(late, 2), late) == "applied"
    early = report(at=NOW + 5 * MINUTE)
    assert save(results, run_of(early, 2, "2"), [early], POLICY, FURTHER, before) == "duplicate"
    assert len(list(results.history(SITE))) == 1


def test_answer_that_is_lost_counts_once(aws: EmbeddedAws, results: Results) -> None:
    """A head that was written, though its writer never heard of it, is met by the writer's next attempt."""
    stored(results, report())
    later = report(at=NOW + 5 * MINUTE)
    seen = results.load(SITE)
    state, _ = fold(seen.state, [later], POLICY)
    assert results.apply(seen, run_of(later, 2), state, later, None) == "applied"
    assert results.apply(seen, run_of(later, 2), state, later, None) == "conflict"
    assert save(results, run_of(later, 2), [later], POLICY, FURTHER) == "duplicate"
    assert results.load(SITE).repeats == 1


def test_change_that_comes_in_between_is_kept(aws: EmbeddedAws, results: Results) -> None:
    """An unchanged run that meets a change is folded anew: what was found meanwhile is over, and told to be."""
    stored(results, report(), slot="1")
    broken, well = report(EXPIRED, at=NOW + MINUTE), report(at=NOW + 2 * MINUTE)
    _, slow = counting(aws, lambda: saved(results, run_of(broken, 2, "2"), broken))
    assert saved(slow, run_of(well, 3, "3"), well) == "applied"
    rows = list(results._query("site = :s AND begins_with(sk, :k)", {":s": SITE, ":k": "ALERT#"}))
    assert [(row["from"], row["to"]) for row in rows[1:]] == [("ok", "error"), ("error", "ok")]
    assert [row["sk"] for row in results.history(SITE)] == ["RUN#3", "RUN#2", "RUN#1"]


def test_change_meets_an_unchanged_run(aws: EmbeddedAws, results: Results) -> None:
    """A run that found a change is not lost where an unchanged one of an earlier slot came first."""
    stored(results, report())
    well, broken = report(at=NOW + MINUTE), report(EXPIRED, at=NOW + MINUTE)
    _, slow = counting(aws, lambda: saved(results, run_of(well, 2), well))
    assert saved(slow, run_of(broken, 3), broken) == "applied"
    item = results.state(SITE) or {}
    assert (item["status"], item["version"], item["seq"]) == ("error", 3, 2)


def test_earlier_look_of_a_later_slot_is_history(aws: EmbeddedAws, results: Results) -> None:
    """Of two runs under way at once the one that looked later stays, though the other's slot is the later one."""
    stored(results, report(EXPIRED))
    before = results.load(SITE)
    healed = report(at=NOW + 2 * MINUTE)
    assert saved(results, run_of(healed, 2), healed) == "applied"
    broken = report(EXPIRED, at=NOW + MINUTE)
    assert save(results, run_of(broken, 3, "3"), [broken, broken], POLICY, FURTHER, before) == "superseded"
    assert (results.state(SITE) or {})["status"] == "ok"
    assert {row["sk"]: row["kind"] for row in results.history(SITE)}["RUN#3"] == "superseded"


def test_busy_head_is_tried_again(aws: EmbeddedAws, results: Results) -> None:
    """A head that a transaction has in hand is a conflict, and every other refusal an error."""
    stored(results, report())
    later = report(at=NOW + MINUTE)
    seen = results.load(SITE)

    def refuse(code: str) -> Results:
        def refused() -> None:
            raise ClientError({"Error": {"Code": code}}, "PutItem")

        return counting(aws, refused)[1]

    run = run_of(later, 2)
    assert refuse("TransactionConflictException").apply(seen, run, seen.state, later, None) == "conflict"
    with pytest.raises(ClientError):
        refuse("AccessDeniedException").apply(seen, run, seen.state, later, None)


# --- a head and a state that do not fit ---------------------------------------------------------------------------


def test_state_read_while_a_run_writes_is_no_ground(aws: EmbeddedAws, results: Results) -> None:
    """Of a read that met STATE before a transaction, and the head after it, nothing is written: it is made anew."""
    stored(results, report(NOTICE))
    old = items(aws)["STATE"]
    broken = report(EXPIRED, NOTICE, at=NOW + MINUTE)
    saved(results, run_of(broken, 2), broken)
    whole = aws.client("dynamodb")

    class Torn(Counted):
        def query(self, **asked: Any) -> Any:
            answer = whole.query(**asked)
            if not self.calls["torn"]:
                self.calls["torn"] += 1
                answer["Items"] = [old, *(row for row in answer["Items"] if row["sk"] != old["sk"])]
            return answer

    torn = Results(Torn(whole), aws.physical["ResultsTable"])  # type: ignore[arg-type]
    again = report(NOTICE, at=NOW + 2 * MINUTE)
    assert saved(torn, run_of(again, 3), again) == "applied"
    rows = list(results._query("site = :s AND begins_with(sk, :k)", {":s": SITE, ":k": "ALERT#"}))
    assert [(row["from"], row["to"]) for row in rows[1:]] == [("notice", "error"), ("error", "notice")]


def test_state_that_was_put_back_is_written_anew(aws: EmbeddedAws, results: Results) -> None:
    """A STATE out of a copy, beside a head that has gone on: the next run writes both, with a new version."""
    stored(results, report(NOTICE))
    copy = items(aws)["STATE"]
    stored(results, report(SLOW, at=NOW + MINUTE))
    stored(results, report(SLOW, at=NOW + 2 * MINUTE))
    put(aws, copy)
    assert (results.state(SITE) or {})["version"] == 3
    later = report(NOTICE, at=NOW + 3 * MINUTE)
    stored(results, later)
    loaded = results.load(SITE)
    assert (loaded.version, loaded.state_version, loaded.fits) == (4, 4, True)
    assert [one.code for one in loaded.state.findings] == ["tls.x"]


def test_head_that_is_gone_comes_back(aws: EmbeddedAws, results: Results) -> None:
    """Without its head a state is as the last run that changed it left it; nobody is told anything anew."""
    stored(results, report(EXPIRED))
    stored(results, report(EXPIRED, at=NOW + MINUTE))
    delete(aws, "STATE#HEAD")
    assert (results.state(SITE) or {})["checked_at"] == "2026-11-20T12:00:00Z"
    assert stored(results, report(EXPIRED, at=NOW + 2 * MINUTE)) == "applied"
    assert (results.load(SITE).fits, (results.state(SITE) or {})["seq"]) == (True, 1)


def test_state_that_is_gone_begins_anew(aws: EmbeddedAws, results: Results) -> None:
    """A head alone keeps the order of runs, and the next one writes a state beside it."""
    stored(results, report(NOTICE))
    delete(aws, "STATE")
    assert results.state(SITE) is None
    assert (results.load(SITE).state, results.load(SITE).applied_ticket) == (State(), 1)
    stored(results, report(NOTICE, at=NOW + MINUTE))
    assert (results.state(SITE) or {})["version"] == 2


# --- items of the version before ----------------------------------------------------------------------------------


@pytest.fixture
def before_heads(aws: EmbeddedAws) -> list[Any]:
    """Return what the version before wrote, and have it in the table."""
    rows: list[Any] = json.loads(BEFORE_HEADS.read_text())
    put(aws, *rows)
    return rows


def test_state_without_head_is_read_whole(before_heads: list[Any], results: Results) -> None:
    """All that the version before knew is known: what is open and told, what is suspected, and the order of runs."""
    loaded = results.load(SITE)
    ((told,), (suspected,)) = loaded.state.findings, loaded.state.pending
    assert (told.code, told.told, suspected.code, suspected.bad) == ("certificate.expired", True, "app.slow", 1)
    assert (loaded.version, loaded.seq, loaded.applied_ticket) == (2, 1, 2)
    assert loaded.state.last_conclusive == NOW + 5 * MINUTE
    item = results.state(SITE) or {}
    assert (item["checked_at"], item["report"]["checked_at"]) == ("2026-11-20T12:05:00Z", "2026-11-20T12:05:00Z")


def test_state_without_head_is_carried_on(before_heads: list[Any], results: Results) -> None:
    """The next run goes on from it, by its slot; nobody is told again, and what changes is told."""
    slots = [NOW + minutes * MINUTE for minutes in (10, 15, 20)]
    for slot, seen in zip(slots, ((EXPIRED, SLOW), (EXPIRED, SLOW), (SLOW,)), strict=True):
        judged = report(*seen, at=slot, expires=NOW + timedelta(days=9))
        ticket = ticket_of(slot, results.load(SITE).applied_ticket, slot)
        run = run_of(judged, ticket, stamp(slot))
        assert save(results, run, [judged] * 2, POLICY, FURTHER) == "applied"
    rows = list(results._query("site = :s AND begins_with(sk, :k)", {":s": SITE, ":k": "ALERT#"}))
    assert [(row["seq"], row["kind"], row["to"]) for row in rows] == [
        (1, "changed", "error"),
        (2, "changed", "warning"),
    ]
    assert results.load(SITE).version == 5
    assert [row.get("repeats", 0) for row in results.history(SITE)] == [0, 1, 0, 0]


def test_run_that_the_version_before_stored_is_a_duplicate(before_heads: list[Any], results: Results) -> None:
    """A message that comes again after the update changes nothing: its run has its row."""
    slot = NOW + 5 * MINUTE
    judged = report(EXPIRED, SLOW, at=slot + MINUTE, expires=NOW + timedelta(days=9))
    run = run_of(judged, ticket_of(slot, results.load(SITE).applied_ticket, slot), stamp(slot))
    assert save(results, run, [judged] * 2, POLICY, FURTHER) == "duplicate"
    assert results.load(SITE).version == 2


def test_version_before_writes_meanwhile(aws: EmbeddedAws, before_heads: list[Any], results: Results) -> None:
    """While an update is rolled out a function without heads may write STATE alone: nothing of it is lost."""
    slot = NOW + 10 * MINUTE
    (state,) = (row for row in before_heads if row["sk"] == {"S": "STATE"})
    judged = report(EXPIRED, SLOW, at=slot, expires=NOW + timedelta(days=9))
    theirs, _ = fold(state_of(unmarshal(state)), [judged] * 2, POLICY)
    newer = state | marshal(fitted(theirs, judged)[0] | {"version": 3, "applied_ticket": 3})
    _, slow = counting(aws, lambda: put(aws, newer))
    well = report(EXPIRED, at=slot + MINUTE, expires=NOW + timedelta(days=9))
    assert saved(slow, run_of(well, int(slot.timestamp()) + 60), well, looks=1) == "applied"
    loaded = results.load(SITE)
    assert (loaded.version, loaded.state_version) == (4, 4)
    assert [one.code for one in loaded.state.findings] == ["certificate.expired", "app.slow"], "theirs was folded on"
    # A head that is there already, and a STATE that has gone on without it: the later one of both counts.
    put(aws, newer | marshal({"version": 9, "checked_at": stamp(slot + 9 * MINUTE)}))
    assert (results.state(SITE) or {})["checked_at"] == stamp(slot + 9 * MINUTE)
    stored(results, report(EXPIRED, at=slot + 10 * MINUTE, expires=NOW + timedelta(days=9)))
    assert (results.load(SITE).version, results.load(SITE).fits) == (10, True)


# --- slots --------------------------------------------------------------------------------------------------------


def test_ticket_is_the_slot() -> None:
    """Slots order runs by themselves, and come behind whatever a version before counted."""
    assert ticket_of(NOW, 57_000, NOW) == int(NOW.timestamp())
    assert ticket_of(NOW, int(NOW.timestamp()) + 300, NOW) == int(NOW.timestamp()), "a later one was stored"


def test_slot_from_the_future_keeps_no_run_back() -> None:
    """After a message with a slot that nobody meant, runs follow it one by one, until its time has come."""
    wrong = int((NOW + timedelta(days=900)).timestamp())
    assert ticket_of(NOW, wrong, NOW) == wrong + 1
    assert ticket_of(NOW + timedelta(days=900), wrong, NOW) == wrong, "the same one again is a duplicate"


def test_stored_of_nothing(results: Results) -> None:
    """A site that was never run has neither head nor state, and nothing passes for unchanged."""
    assert results.load(SITE) == Stored()
    assert not Stored().has(State(), "")
