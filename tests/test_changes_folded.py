"""Whatever a site's runs see, and whatever its owner declares: what its alerts say adds up to what was told."""

import itertools
from datetime import timedelta
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from padlock.changes import Policy, Silence, close
from padlock.findings import Finding, NotAssessed, Report

from tests.reports import NOW, SITE, finding, report
from tests.watched import BLIND, OVER, Watched, keys, told_open

HOSTS = (SITE, f"www.{SITE}")
REACHABILITY = {"fact.a": False, "fact.b": False, "port.c": True}
MINUTES = (0.5, 5, 5, 5, 20, 70, 1500)

type Drawn = tuple[Any, ...]

findings = st.builds(
    lambda code, host, severity: finding(code, host, severity, reachability=REACHABILITY[code]),
    st.sampled_from(sorted(REACHABILITY)),
    st.sampled_from(HOSTS),
    st.sampled_from(["error", "error", "error", "warning"]),
)
hidden = st.builds(
    lambda code, host, whole: NotAssessed(code, host, "timeout", whole=whole),
    st.sampled_from(sorted(REACHABILITY)),
    st.sampled_from(HOSTS),
    st.booleans(),
)


def seen(found: list[Finding], unseen: list[NotAssessed]) -> Report:
    """Return what one look saw; what it could not look at it did not see, and one key it saw once."""
    shown = {
        one.key: one
        for one in found
        if not any(entry.code == one.code and (entry.whole or entry.subject == one.subject) for entry in unseen)
    }
    return report(*sorted(shown.values(), key=lambda one: one.severity.rank), not_assessed=tuple(unseen))


looks = st.one_of(
    st.just(BLIND), *[st.builds(seen, st.lists(findings, max_size=4), st.lists(hidden, max_size=1))] * 4
)
silences = st.builds(
    lambda code, subject, hours: Silence(code, NOW + timedelta(hours=hours), subject),
    st.sampled_from(["*", *sorted(REACHABILITY)]),
    st.sampled_from(["", *HOSTS]),
    st.integers(0, 48),
)
runs = st.tuples(
    st.lists(looks, min_size=1, max_size=2),
    st.sampled_from(MINUTES),
    st.sampled_from([False, False, False, True]),  # in a maintenance window
    st.lists(silences, max_size=2),
)
owners = st.fixed_dictionaries(
    {
        "failures": st.integers(1, 3),
        "successes": st.integers(1, 3),
        "reminder": st.sampled_from([None, 3600.0, 86400.0]),
    }
)


def lived(owner: dict[str, Any], story: list[Drawn]) -> Watched:
    """Return a site after its runs; after each of them what was told must be what the state takes for told."""
    site = Watched(**owner)
    for seen_now, minutes, maintenance, silenced in story:
        until = site.at + timedelta(days=9) if maintenance else None
        change = site.run(*seen_now, minutes=minutes, maintenance_until=until, silences=tuple(silenced))
        assert told_open(site.changes) == keys(one for one in (*site.state.findings, *site.state.over) if one.told)
        assert not maintenance or change is None or change.kind == "status"
        assert not any(one.told for one in site.state.pending)
        suspected, is_open = keys(site.state.pending), keys(site.state.findings)
        assert not suspected & is_open, "suspected and open at once"
        assert not keys(site.state.over) & is_open, "over and open at once"
        assert len(suspected) == len(site.state.pending)
        assert len(is_open) == len(site.state.findings)
    return site


@settings(deadline=None, max_examples=300)
@given(owners, st.lists(runs, max_size=25))
def test_alerts_add_up_to_what_was_told(owner: dict[str, Any], story: list[Drawn]) -> None:
    """Nothing is told twice, nothing told is lost, and each change begins where the one before ended."""
    site = lived(owner, story)
    statuses = [("", "unknown"), *((change.before, change.after) for change in site.changes)]
    assert all(one[1] == two[0] for one, two in itertools.pairwise(statuses))
    assert statuses[-1][1] == site.state.site_status
    assert all(change.before != change.after for change in site.changes if change.kind == "status"), (
        "an event of no new status"
    )
    assert all(
        change.opened or change.worsened or change.eased or change.resolved
        for change in site.changes
        if change.kind == "changed"
    ), "an alert that tells nothing"


@settings(deadline=None, max_examples=150)
@given(owners, st.lists(runs, max_size=25))
def test_a_site_that_gets_well_is_told_to_be_well(owner: dict[str, Any], story: list[Drawn]) -> None:
    """After good runs for over an hour everything is closed and told, and nothing is left in the state."""
    site = lived(owner, story)
    for _ in range(16):
        site.run(*OVER)
    state = site.state
    assert (state.findings, state.pending, state.over, state.flips, state.flapping_since) == ((), (), (), (), None)
    assert told_open(site.changes) == set()
    assert state.site_status == "ok"


@settings(deadline=None, max_examples=150)
@given(
    owners, st.lists(runs, max_size=25), st.lists(findings, min_size=1, max_size=5), st.lists(silences, max_size=2)
)
def test_what_stays_broken_is_told(
    owner: dict[str, Any], story: list[Drawn], broken: list[Finding], silenced: list[Silence]
) -> None:
    """After runs that all see the same for over an hour, every error of it is told, but for the silenced ones."""
    site, constant = lived(owner, story), seen(broken, [])
    for _ in range(20):
        site.run(constant, constant, silences=tuple(silenced))
    errors = {one.key: one for one in site.state.findings if one.severity == "error"}
    assert keys(site.state.findings) == {one.key for one in constant.findings}
    wanted = {key for key, one in errors.items() if not any(entry.covers(one, site.at) for entry in silenced)}
    told = told_open(site.changes)
    assert wanted <= told <= errors.keys()
    assert site.state.over == ()


@settings(deadline=None, max_examples=100)
@given(owners, st.lists(runs, max_size=12), st.lists(runs, max_size=12))
def test_removal_closes_everything_and_the_next_life_begins_anew(
    owner: dict[str, Any], before: list[Drawn], after: list[Drawn]
) -> None:
    """A site that is removed in any state leaves nothing open behind, in the state or with the reader."""
    site = lived(owner, before)
    status = site.state.site_status
    site.state, change = close(site.state, SITE, site.at, {}, "UTC")
    if change is None:
        assert before == []
        return
    site.changes.append(change)
    assert (change.kind, change.before, change.after) == ("removed", status, "removed")
    assert told_open(site.changes) == set()
    for seen_now, minutes, *_ in after:
        site.run(*seen_now, minutes=minutes)
    assert told_open(site.changes) == keys(one for one in (*site.state.findings, *site.state.over) if one.told)


@given(owners, st.lists(runs, max_size=10))
def test_a_state_comes_back_from_json(owner: dict[str, Any], story: list[Drawn]) -> None:
    """Whatever a state holds, it survives being stored."""
    state = lived(owner, story).state
    assert msgspec.json.decode(msgspec.json.encode(state), type=type(state)) == state


def test_the_default_policy_is_the_documented_one() -> None:
    """Two looks open and close, and a reminder goes out daily."""
    assert (Policy().failures, Policy().successes, Policy().reminder) == (2, 2, 86400)
