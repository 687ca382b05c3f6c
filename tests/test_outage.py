"""The checker's own outage: what counts as one, what it keeps from the sites, and the two alerts that it makes."""

import asyncio
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from padlock.changes import Policy, State, fold
from padlock.checking import Task, blind, invalid
from padlock.findings import CHECKER
from padlock.outage import (
    NETWORK,
    SPAN,
    WINDOW,
    Watch,
    is_outage,
    is_unclear,
    newly_out_of_reach,
    newly_out_of_sight,
    place_of,
    sight_of,
    window_of,
    worst_of,
)
from padlock.rules import RULES
from padlock.running import Ran, judge_checker
from padlock.storage import Sample, Slots, stamp

from local.aws import EmbeddedAws
from tests import evidence_builder as builder
from tests.reports import NOW, SITE, finding, report
from tests.runs import FURTHER
from tests.scripted import ENOUGH_TIME, Script, down
from tests.watched import BLIND, Seen, codes

EXPIRES = 2_000_000_000
SITES = [f"s{number}.example" for number in range(6)]


def places(*numbers: int) -> frozenset[str]:
    """Return places by number."""
    return frozenset(f"place-{number}" for number in numbers)


# --- what is one --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seen", "failing", "outage"),
    [(5, 5, True), (4, 4, False), (10, 5, True), (11, 5, False), (12, 6, True), (0, 0, False)],
)
def test_half_of_the_places_and_at_least_five(seen: int, failing: int, outage: bool) -> None:
    """Fewer than five places, or less than half of them, are the sites' own trouble."""
    assert is_outage(Sample(places(*range(seen)), places(*range(failing)))) is outage


@pytest.mark.parametrize(
    ("seen", "failing", "unclear"),
    [(4, 4, True), (1, 1, True), (8, 4, True), (9, 4, False), (6, 0, False), (0, 0, False), (5, 5, False)],
)
def test_half_of_too_few_places_tells_nothing(seen: int, failing: int, unclear: bool) -> None:
    """Where at least half fail, and fewer than five, it may be an outage or not."""
    assert is_unclear(Sample(places(*range(seen)), places(*range(failing)))) is unclear


def test_codes_of_the_network_are_rules() -> None:
    """What counts as out of reach is what rules say, and may pass by itself."""
    assert set(RULES) >= NETWORK
    assert all(RULES[code].reachability for code in NETWORK)


def test_sites_that_share_an_address_are_one_place() -> None:
    """A site's place is its first address; its domain, and then its own name, where none is known."""
    one, two = builder.healthy(), builder.healthy()
    assert place_of(one, "a.example") == place_of(two, "b.example")
    unresolved = builder.change(one, dns=None)
    assert place_of(unresolved, "a.example") == place_of(unresolved, "b.example") != place_of(one, "a.example")
    blind = builder.change(one, dns=None, registration=None)
    assert place_of(blind, "a.example") != place_of(blind, "b.example")
    assert place_of(None, "a.example") == place_of(blind, "a.example")


def test_sight_is_of_sites_and_blindness_of_addresses() -> None:
    """Sites that are seen count one by one, so do those of which nothing is known; what hides a host is one thing."""
    one, unresolved = builder.healthy(), builder.change(builder.healthy(), dns=None)
    assert sight_of(one, "a.example", blind=False) != sight_of(one, "b.example", blind=False)
    assert sight_of(one, "a.example", blind=True) == sight_of(one, "b.example", blind=True)
    seen = sight_of(one, "a.example", blind=False)
    assert sight_of(unresolved, "a.example", blind=True) == sight_of(None, "a.example", blind=True) == seen


@pytest.mark.parametrize(
    ("before", "look", "said"),
    [
        ([], [down(SITE)], True),
        ([], [], False),
        ([], [finding("certificate.expired")], False),
        ([], [down(SITE, "dns.unresolvable")], True),
        ([], [finding("port.https_closed", severity="warning")], False),
        ([], BLIND, None),
        ([down(SITE)], [down(SITE)], None),
        ([down(SITE)], [], None),
        ([finding("certificate.expired")], [down(SITE)], True),
        (BLIND, [down(SITE)], None),
    ],
)
def test_what_a_site_says_of_the_checker(before: Any, look: Any, said: bool | None) -> None:
    """Only a site that was reached, and was not out of reach already, says anything."""
    shown = [one if one is BLIND else report(*one) for one in (before, look)]
    state, _ = fold(State(), [shown[0], shown[0]], Policy())
    assert newly_out_of_reach(state, shown[1]) is said


STALE = finding("site.stale")


@pytest.mark.parametrize(
    ("before", "look", "said"),
    [
        ([], BLIND, True),
        ([], report(), False),
        ([down(SITE)], BLIND, True),
        ([], report(down(SITE)), False),
        ([STALE], BLIND, None),
        ([STALE], report(), None),
        ([], invalid({"name": SITE}, "unknown key", NOW), None),
    ],
)
def test_what_a_site_says_of_the_checkers_sight(before: Any, look: Any, said: bool | None) -> None:
    """A look that came to nothing counts until the site itself was told to be stale; one that was not made never."""
    state, _ = fold(State(), [report(*before)] * 2, Policy())
    assert newly_out_of_sight(state, look) is said


def test_site_that_was_never_seen_says_something_of_the_checkers_sight() -> None:
    """A checker that was deployed blind has never seen anything."""
    assert newly_out_of_sight(State(), BLIND) is True
    assert newly_out_of_reach(State(), report(down(SITE))) is None


def test_wrong_declaration_reaches_nothing() -> None:
    """A site at which nobody looks is none that can be reached."""
    state, _ = fold(State(), [report()], Policy())
    assert newly_out_of_reach(state, invalid({"name": SITE}, "unknown key", NOW)) is None


# --- what functions tell each other -------------------------------------------------------------------------------


class Counting:
    """A DynamoDB client that counts its updates, and takes its time for each."""

    def __init__(self, client: Any, seconds: float = 0) -> None:
        self._client, self._seconds = client, seconds
        self.updates = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def update_item(self, **arguments: Any) -> Any:
        """Write, and answer late."""
        self.updates += 1
        answer = self._client.update_item(**arguments)
        time.sleep(self._seconds)
        return answer


def watching(aws: EmbeddedAws, seconds: float = 0) -> tuple[Watch, Counting]:
    """Return what one function watches with, and its client."""
    client = Counting(aws.client("dynamodb"), seconds)
    return Watch(Slots(client, aws.physical["ResultsTable"])), client  # type: ignore[arg-type]


def test_functions_know_of_each_other(aws: EmbeddedAws) -> None:
    """Three places of one function and two of another make an outage, for who asks after both have told."""
    (one, _), (two, _) = watching(aws), watching(aws)
    for number in (1, 2, 3):
        one.saw(NOW, f"place-{number}", failing=True)
    assert one.outage(NOW, EXPIRES) == "none"
    for number in (4, 5):
        two.saw(NOW, f"place-{number}", failing=True)
    assert two.outage(NOW, EXPIRES) == "seen"
    assert one.outage(NOW, EXPIRES) == "seen", "what others told meanwhile counts at once"
    assert two.outage(NOW + SPAN, EXPIRES) == "seen"
    assert two.outage(NOW + SPAN + timedelta(seconds=WINDOW), EXPIRES) == "none", "what is long ago does not count"


def test_healthy_places_of_other_functions_count(aws: EmbeddedAws) -> None:
    """Five places out of reach are no outage where others have reached six."""
    (one, _), (two, _) = watching(aws), watching(aws)
    for number in range(6):
        one.saw(NOW, f"well-{number}", failing=False)
    one.flush(EXPIRES)
    for number in range(5):
        two.saw(NOW, f"place-{number}", failing=True)
    assert two.outage(NOW, EXPIRES) == "none"
    two.saw(NOW, "place-5", failing=True)
    assert two.outage(NOW, EXPIRES) == "seen"


def test_outage_that_begins_is_suspected(aws: EmbeddedAws) -> None:
    """Where all that was seen last is out of reach, and much was healthy just before, it may be one that begins."""
    watch, _ = watching(aws)
    for number in range(60):
        watch.saw(NOW, f"place-{number}", failing=False)
    later = NOW + timedelta(seconds=WINDOW)
    for number in range(60, 66):
        watch.saw(later, f"place-{number}", failing=True)
    assert watch.outage(later, EXPIRES) == "suspected"


@pytest.mark.parametrize(
    ("healthy_since", "minutes", "outage"),
    [(0, 4, "seen"), (6, 4, "none"), (0, 11, "none")],
    ids=["nothing-since", "healthy-since", "long-ago"],
)
def test_message_that_comes_again_comes_alone(
    aws: EmbeddedAws, healthy_since: int, minutes: int, outage: str
) -> None:
    """Where too little is seen now, what was seen last says whether the checker is to blame."""
    watch, _ = watching(aws)
    for number in range(40):
        watch.saw(NOW, f"place-{number}", failing=True)
    for number in range(healthy_since):
        watch.saw(NOW + timedelta(minutes=2), f"well-{number}", failing=False)
    watch.flush(EXPIRES)
    (alone, _), later = watching(aws), NOW + timedelta(minutes=minutes)
    alone.saw(later, "again", failing=True)
    assert alone.outage(later, EXPIRES) == outage


def test_site_that_fails_alone_among_healthy_ones_is_no_outage(aws: EmbeddedAws) -> None:
    """Sites that are looked at one by one, minutes apart, are judged by those before them."""
    watch, _ = watching(aws)
    for number in range(9):
        watch.saw(NOW + timedelta(minutes=number / 2), f"place-{number}", failing=False)
    later = NOW + timedelta(minutes=6)
    watch.saw(later, "down", failing=True)
    assert watch.outage(later, EXPIRES) == "none"


def test_what_is_told_is_sent_once(aws: EmbeddedAws) -> None:
    """A batch that saw nothing new sends nothing more."""
    watch, client = watching(aws)
    watch.saw(NOW, "place-1", failing=True)
    for _ in range(3):
        watch.outage(NOW, EXPIRES)
    watch.flush(EXPIRES)
    assert client.updates == 1


def test_functions_know_what_others_cannot_see(aws: EmbeddedAws) -> None:
    """What can be seen is counted by itself: what is out of reach is none of it, and the reason is told."""
    (one, _), (two, _) = watching(aws), watching(aws)
    for number in (1, 2, 3):
        one.sighted(NOW, f"site-{number}", blind=True, why="a fault of Padlock's: KeyError: 'x'")
        one.saw(NOW, f"place-{number}", failing=True)
    assert not one.is_blind(NOW, EXPIRES)
    for number in (4, 5):
        two.sighted(NOW, f"site-{number}", blind=True)
    assert two.is_blind(NOW, EXPIRES)
    assert two.outage(NOW, EXPIRES) == "none"
    slots = Slots(aws.client("dynamodb"), aws.physical["ResultsTable"])
    (sample,) = slots.between(window_of(NOW), window_of(NOW), "sight")
    assert (len(sample.failing), sample.why) == (5, "a fault of Padlock's: KeyError: 'x'")
    for number in range(6, 12):
        two.sighted(NOW, f"site-{number}", blind=False)
    assert not two.is_blind(NOW, EXPIRES)
    assert not one.is_blind(NOW + SPAN + timedelta(seconds=WINDOW), EXPIRES), "what is long ago does not count"


def test_who_asks_meanwhile_knows_what_is_being_sent(aws: EmbeddedAws) -> None:
    """Runs of one batch that ask at the same moment all get the same answer: none alerts for want of the others."""
    other, _ = watching(aws)
    for number in range(3):
        other.saw(NOW, f"other-{number}", failing=True)
    other.flush(EXPIRES)
    watch, _ = watching(aws, seconds=0.2)
    for number in range(4):
        watch.saw(NOW, f"place-{number}", failing=True)
    ready = threading.Barrier(4)

    def ask(_number: int) -> str:
        ready.wait()
        return watch.outage(NOW, EXPIRES)

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(ask, range(4))) == ["seen"] * 4


def test_worst_of_a_slot_is_what_was_seen_within_a_minute() -> None:
    """An outage in the middle of a slot is its worst; few places that time out after others answered are none."""
    began = [NOW + timedelta(seconds=WINDOW * number) for number in range(30)]
    well, down_ = Sample(places(*range(60))), Sample(places(*range(6)), places(*range(6)))
    slot = {window_of(moment): down_ if 12 <= number < 22 else well for number, moment in enumerate(began)}
    assert is_outage(worst_of(slot))
    few = {window_of(NOW): Sample(places(*range(7, 14))), window_of(began[1]): down_}
    assert not is_outage(worst_of(few))
    assert worst_of({}) == Sample()


# --- from the looks to the alerts ---------------------------------------------------------------------------------


@pytest.fixture
def script(aws: EmbeddedAws) -> Script:
    """Return six sites at addresses of their own, all of them seen healthy."""
    script = Script(aws)
    script.addresses = {site: f"192.0.2.{number}" for number, site in enumerate(SITES, 10)}
    return script


async def slot(script: Script, found: Mapping[str, Seen], sites: Sequence[str] = SITES) -> list[str | None]:
    """Run all six sites in one slot, each look of each seeing the same; then what dispatch does one slot later."""
    ran = await runs(script, found, sites)
    judge_checker(
        script.results, script.slots, stamp(script.now), script.now + timedelta(minutes=5), FURTHER, EXPIRES
    )
    return [one.status for one in ran]


async def runs(script: Script, found: Mapping[str, Seen], sites: Sequence[str], minutes: float = 5) -> list[Ran]:
    """Run the sites some minutes after the last slot."""
    script.now += timedelta(minutes=minutes)
    script.meet(len(sites))
    script.declared.update(sites)
    runner = script.runner()
    for site in sites:
        script.will_see(site, found.get(site, []), found.get(site, []))
    until = time.monotonic() + ENOUGH_TIME
    ran = await asyncio.gather(*(runner.run(Task(site, script.now), until) for site in sites))
    script.watch.flush(EXPIRES)
    for site in sites:
        script.left(site)
    return ran


ALL_DOWN: Mapping[str, Seen] = {site: [down(site)] for site in SITES}
ALL_WELL: Mapping[str, Seen] = {}
FAULT = "a fault of Padlock's: KeyError: 'resolver'"
ALL_BLIND: Mapping[str, Seen] = {site: blind(site, NOW, FAULT) for site in SITES}
BLINDED = ("changed", "ok", "error")
"""The checker's alert after a slot in which that was suspected only."""


async def test_outage_makes_one_alert_of_the_checker_and_none_of_the_sites(script: Script) -> None:
    """Six sites that fail at once at six addresses are not to blame; it is told once, and once when it is over."""
    await slot(script, ALL_WELL)
    for _ in range(3):
        assert set(await slot(script, ALL_DOWN)) == {"inconclusive"}
    assert script.alerts(CHECKER) == [("changed", "unknown", "error")]
    (told,) = script.records(CHECKER)
    assert told["change"]["opened"] == ["checker.outage #checker"]
    await slot(script, ALL_WELL)
    await slot(script, ALL_WELL)
    assert script.alerts(CHECKER)[1:] == [("changed", "error", "ok")]
    for site in SITES:
        assert script.alerts(site) == []
        assert script.results.load(site).state.site_status == "ok"
        rows = [(row["status"], row["summary"]) for row in script.results.history(site)]
        assert rows[2][0] == "inconclusive"
        assert "the checker itself" in rows[2][1]


async def test_judging_a_slot_twice_tells_once(script: Script) -> None:
    """A tick that comes again, later and after another one, makes no other alert of the same slot."""
    await slot(script, ALL_WELL)
    await slot(script, ALL_DOWN)
    down_slot = script.now
    await slot(script, ALL_WELL)
    for _ in range(2):
        judge_checker(script.results, script.slots, stamp(down_slot), down_slot, FURTHER, EXPIRES)
    assert script.alerts(CHECKER) == [("changed", "unknown", "error"), ("changed", "error", "ok")]


async def test_no_site_is_stale_during_an_outage(script: Script) -> None:
    """However long it lasts, no site is told to be unwatched; the checker's own reminder goes on."""
    await slot(script, ALL_WELL)
    for _ in range(6):
        await slot(script, ALL_DOWN)
    assert [script.alerts(site) for site in SITES] == [[]] * 6


async def test_sites_at_one_address_are_told_as_usual(script: Script) -> None:
    """A host that goes down with all its sites is no outage of the checker."""
    script.addresses = dict.fromkeys(SITES, "192.0.2.1")
    await slot(script, ALL_WELL)
    assert set(await slot(script, ALL_DOWN)) == {"error"}
    assert all(script.alerts(site) == [("changed", "ok", "error")] for site in SITES)
    assert script.records(CHECKER) == []


async def test_sites_that_were_never_seen_do_not_count(script: Script) -> None:
    """A first run that reaches nothing tells of its sites."""
    assert set(await slot(script, ALL_DOWN)) == {"error"}
    assert all(script.alerts(site) == [("changed", "unknown", "error")] for site in SITES)
    assert script.records(CHECKER) == []


async def test_sites_that_failed_before_do_not_count(script: Script) -> None:
    """Two sites that have been out of reach for long and four new ones are six sites' own trouble."""
    await slot(script, ALL_WELL)
    await slot(script, {site: ALL_DOWN[site] for site in SITES[:2]})
    await slot(script, ALL_DOWN)
    assert all(len(script.alerts(site)) == 1 for site in SITES)
    assert script.records(CHECKER) == []


async def test_what_was_open_before_stays_as_it_was(script: Script) -> None:
    """An outage neither ends nor repeats what a site was told of before."""
    expired = [finding("certificate.expired", SITES[0])]
    await slot(script, {SITES[0]: expired})
    await slot(script, {**ALL_DOWN, SITES[0]: [*expired, down(SITES[0])]})
    assert codes(script.results.load(SITES[0]).state.findings) == ["certificate.expired"]
    assert script.alerts(SITES[0]) == [("changed", "unknown", "error")]
    assert len(script.alerts(CHECKER)) == 1


async def test_site_that_is_down_after_the_outage_is_told(script: Script) -> None:
    """What is still out of reach when the others are back is that site's own trouble."""
    await slot(script, ALL_WELL)
    await slot(script, ALL_DOWN)
    await slot(script, {SITES[3]: ALL_DOWN[SITES[3]]})
    assert script.alerts(SITES[3]) == [("changed", "ok", "error")]
    assert script.alerts(CHECKER)[1:] == [("changed", "error", "ok")]


def test_checker_that_comes_and_goes_settles(script: Script) -> None:
    """An outage that flaps is told to flap, and told to have settled: it is not silent ever after."""
    outages = [True, False, True, False, True, False, True] + [False] * 13 + [True]
    for number, outage in enumerate(outages):
        at = NOW + timedelta(minutes=5 * number)
        seen = places(*range(6))
        script.slots.add(stamp(at), Sample(seen, seen if outage else frozenset()), EXPIRES)
        judge_checker(script.results, script.slots, stamp(at), at, FURTHER, EXPIRES)
    kinds = [kind for kind, *_ in script.alerts(CHECKER)]
    assert kinds == ["changed"] * 6 + ["flapping", "settled", "changed"]


# --- a checker that sees nothing ----------------------------------------------------------------------------------


async def test_blind_checker_makes_one_alert_and_no_site_is_stale(script: Script) -> None:
    """Runs that see nothing of any site are Padlock's own outage: told once after two slots, and once when over."""
    await slot(script, ALL_WELL)
    await slot(script, ALL_BLIND)
    assert script.alerts(CHECKER) == [], "what passes within a slot harms nobody"
    for _ in range(6):
        assert set(await slot(script, ALL_BLIND)) == {"inconclusive"}
    assert script.alerts(CHECKER) == [BLINDED]
    told = script.records(CHECKER)[-1]
    assert told["change"]["opened"] == ["checker.outage #checker"]
    assert "Padlock itself: cannot see most sites" in told["subject"]
    assert f"could not see anything of 6 of 6 sites; one of them: {FAULT}" in " ".join(told["body"].split())
    await slot(script, ALL_WELL)
    await slot(script, ALL_WELL)
    assert script.alerts(CHECKER)[1:] == [("changed", "error", "ok")]
    assert [script.alerts(site) for site in SITES] == [[]] * 6
    assert {script.results.load(site).state.site_status for site in SITES} == {"ok"}


async def test_blindness_of_one_slot_is_told_to_nobody(script: Script) -> None:
    """Slots without sight that do not follow each other are no outage."""
    for found in (ALL_WELL, ALL_BLIND, ALL_WELL, ALL_BLIND, ALL_WELL):
        await slot(script, found)
    assert script.alerts(CHECKER) == []
    assert [script.alerts(site) for site in SITES] == [[]] * 6


async def test_checker_that_was_deployed_blind_makes_one_alert(script: Script) -> None:
    """Sites that were never seen count as well: the first runs of a stack that cannot see tell of the stack."""
    for _ in range(5):
        await slot(script, ALL_BLIND)
    assert len(script.alerts(CHECKER)) == 1
    assert [script.alerts(site) for site in SITES] == [[]] * 6
    await slot(script, ALL_WELL)
    assert script.alerts(CHECKER)[1:] == [("changed", "error", "ok")]


@pytest.mark.parametrize("sites", [SITES[:1], SITES[:4]])
async def test_few_sites_are_stale_one_by_one(script: Script, sites: list[str]) -> None:
    """In a stack of fewer than five sites each tells of itself that it is not seen, after three intervals."""
    await slot(script, ALL_WELL, sites)
    for _ in range(5):
        await slot(script, ALL_BLIND, sites)
    assert [script.alerts(site) for site in sites] == [[("changed", "ok", "error")]] * len(sites)
    assert {code for site in sites for code in codes(script.results.load(site).state.findings)} == {"site.stale"}
    assert script.records(CHECKER) == []


async def test_one_site_that_is_not_seen_is_stale(script: Script) -> None:
    """Where the others are seen the checker is well, and the site is told to be stale as ever."""
    await slot(script, ALL_WELL)
    for _ in range(3):
        await slot(script, {SITES[2]: ALL_BLIND[SITES[2]]})
    assert [len(script.alerts(site)) for site in SITES] == [0, 0, 1, 0, 0, 0]
    assert codes(script.results.load(SITES[2]).state.findings) == ["site.stale"]
    assert script.records(CHECKER) == []


async def test_sites_at_one_address_are_stale_one_by_one(script: Script) -> None:
    """A host that keeps any look at its sites from coming to a result is no outage of the checker."""
    script.addresses = dict.fromkeys(SITES, "192.0.2.1")
    await slot(script, ALL_WELL)
    for _ in range(4):
        await slot(script, ALL_BLIND)
    assert [script.alerts(site) for site in SITES] == [[("changed", "ok", "error")]] * 6
    assert script.records(CHECKER) == []


async def test_site_that_is_not_seen_after_the_outage_is_stale(script: Script) -> None:
    """What stays out of sight when the others are seen again is told of itself, one slot after the outage is over."""
    await slot(script, ALL_WELL)
    for _ in range(4):
        await slot(script, ALL_BLIND)
    alone = {SITES[3]: ALL_BLIND[SITES[3]]}
    await slot(script, alone)
    assert script.alerts(CHECKER) == [BLINDED, ("changed", "error", "ok")]
    await slot(script, alone)
    assert script.alerts(SITES[3]) == [("changed", "ok", "error")]
    for _ in range(2):
        await slot(script, alone)
    assert len(script.alerts(CHECKER)) == 2


async def test_outage_of_another_kind_is_the_same_one(script: Script) -> None:
    """An outage that begins without a network and goes on without sight is told once, and once when it is over."""
    await slot(script, ALL_WELL)
    for found in (ALL_DOWN, ALL_DOWN, ALL_BLIND, ALL_BLIND, ALL_BLIND, ALL_BLIND, ALL_DOWN, ALL_WELL):
        await slot(script, found)
    assert script.alerts(CHECKER) == [("changed", "unknown", "error"), ("changed", "error", "ok")]
    assert [script.alerts(site) for site in SITES] == [[]] * 6


async def test_slot_with_few_sites_does_not_end_an_outage(script: Script) -> None:
    """A slot in which only one site is due, and is not seen either, does not say that the checker sees again."""
    await slot(script, ALL_WELL)
    for _ in range(3):
        await slot(script, ALL_BLIND)
        await slot(script, ALL_BLIND, SITES[:1])
    assert script.alerts(CHECKER) == [BLINDED]
    assert script.alerts(SITES[0]) == []
    await slot(script, ALL_WELL, SITES[:1])
    assert len(script.alerts(CHECKER)) == 2


async def test_queue_that_was_held_up_makes_no_site_stale(script: Script) -> None:
    """Where three runs of each site come at once, and no slot was judged yet, what the first two saw is enough."""
    await slot(script, ALL_WELL)
    await runs(script, ALL_BLIND, SITES, minutes=30)
    for _ in range(2):
        await runs(script, ALL_BLIND, SITES, minutes=0.1)
    assert {script.results.load(site).state.blind for site in SITES} == {3}
    assert [script.alerts(site) for site in SITES] == [[]] * 6


async def test_sites_that_all_end_their_function_are_not_stale(script: Script) -> None:
    """Messages that are given up are runs without sight: a function that none survives is the checker's outage."""
    await slot(script, ALL_WELL)
    for _ in range(4):
        script.now += timedelta(minutes=5)
        for site in SITES:
            ran = await script.runner().abandon(Task(site, script.now), "it ended the function")
            assert (ran.status, ran.saw) == ("inconclusive", False)
        script.watch.flush(EXPIRES)
        end = script.now + timedelta(minutes=5)
        judge_checker(script.results, script.slots, stamp(script.now), end, FURTHER, EXPIRES)
    assert script.alerts(CHECKER) == [BLINDED]
    assert [script.alerts(site) for site in SITES] == [[]] * 6


@pytest.mark.parametrize(
    ("found", "saw"), [([], True), ([down(SITES[0])], True), (ALL_BLIND[SITES[0]], False), (ALL_DOWN, False)]
)
async def test_what_counts_as_a_result(script: Script, found: Any, saw: bool) -> None:
    """A run that saw its site came to a result, whatever that is; one without sight or network did not."""
    await slot(script, ALL_WELL)
    seen = found if isinstance(found, Mapping) else {SITES[0]: found}
    assert (await runs(script, seen, SITES))[0].saw is saw


async def test_wrong_declaration_is_no_result(script: Script) -> None:
    """A site at which nobody looks for its declaration is wrong does not say that anything is watched."""
    ran = await script.run({"name": SITE, "helth": 1}, invalid({"name": SITE}, "unknown key", NOW))
    assert (ran.status, ran.saw) == ("error", False)
