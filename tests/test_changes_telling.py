"""Which changes are told, when, and how often: causes, maintenance, silences, flapping, reminders, removal."""

import itertools
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
from padlock.changes import Change, Silence, State, close
from padlock.findings import Cause, Report

from tests.reports import NOW, SITE, finding, report
from tests.watched import BLIND, OVER, Seen, Watched, codes, told_open

EXPIRED = finding("certificate.expired")
MISSING = finding("dns.missing")
SLOW = finding("app.slow", severity="warning")
WINDOW: dict[str, Any] = {"maintenance_until": NOW + timedelta(days=1)}


def minutes(number: float) -> datetime:
    """Return a time after the first run."""
    return NOW + timedelta(minutes=number)


# --- causes ---------------------------------------------------------------------------------------------------------

WRONG = finding("dns.unexpected_address")
DEFAULT = finding("server.default_site")


def caused(*found: Any, primary: str = WRONG.code) -> Report:
    """Return a report whose one cause is led to by the code `primary`, and brings about the other findings."""
    shown = tuple(one.label for one in found if one.code != primary)
    cause = Cause("cause.x", "likely", "why", "fix", tuple(one.code for one in found), (), shown)
    return msgspec.structs.replace(report(*found), causes=(cause,))


def test_a_known_cause_inhibits_what_it_brings_about() -> None:
    """An error that a cause brings about, which was alerted before, is kept in the state and alerts nobody."""
    site = Watched()
    site.told([WRONG])
    assert site.run(caused(WRONG, DEFAULT)) is None
    assert site.open == ["dns.unexpected_address", "server.default_site"]


def test_what_outlives_its_cause_is_alerted() -> None:
    """Once the cause is mended, an error that was inhibited and stays is told for the first time."""
    site = Watched()
    site.told([WRONG])
    site.silent(caused(WRONG, DEFAULT))
    change = site.told([DEFAULT], [DEFAULT])
    assert (codes(change.resolved), codes(change.opened)) == (["dns.unexpected_address"], ["server.default_site"])
    assert change.opened[0].since == minutes(5)


def test_what_ends_with_its_cause_is_never_told() -> None:
    """An error that was inhibited and went with its cause is in no alert."""
    site = Watched()
    site.told([WRONG])
    site.silent(caused(WRONG, DEFAULT))
    assert codes(site.told(*OVER).resolved) == ["dns.unexpected_address"]
    assert (site.open, site.state.over) == ([], ())


def test_the_next_alert_names_what_a_cause_keeps_back() -> None:
    """Whatever else there is to tell, it tells of the inhibited errors too."""
    site = Watched()
    site.told([WRONG])
    site.silent(caused(WRONG, DEFAULT))
    change = site.told(msgspec.structs.replace(caused(WRONG, DEFAULT), findings=(WRONG, DEFAULT, EXPIRED)))
    assert codes(change.opened) == ["server.default_site", "certificate.expired"]
    assert codes(change.still_open) == ["dns.unexpected_address"]


def test_a_blind_run_does_not_tell_what_a_cause_keeps_back() -> None:
    """A run that sees nothing sees no cause either: what was inhibited stays so."""
    site = Watched()
    site.told([WRONG])
    site.silent(caused(WRONG, DEFAULT))
    assert site.run(BLIND) is None


def test_a_new_cause_alerts_with_all_that_it_brings_about() -> None:
    """A cause that nobody was told of inhibits nothing, and neither does one of another finding."""
    new = Watched()
    new.silent([])
    change = new.told(caused(WRONG, DEFAULT))
    assert codes(change.opened) == ["dns.unexpected_address", "server.default_site"]
    assert [cause.code for cause in change.causes] == ["cause.x"]
    other = Watched()
    other.told([EXPIRED])
    other.told(caused(EXPIRED, WRONG, DEFAULT))


def test_what_no_cause_explains_alerts_beside_one() -> None:
    """An error of another host is not inhibited by a cause that brings the same code about elsewhere."""
    other = finding("server.default_site", "www.example.com")
    site = Watched()
    site.told(caused(WRONG, DEFAULT))
    change = site.told(msgspec.structs.replace(caused(WRONG, DEFAULT), findings=(WRONG, DEFAULT, other)))
    assert [one.subject for one in change.opened] == ["www.example.com"]


# --- maintenance ----------------------------------------------------------------------------------------------------


def test_maintenance_delays_the_telling() -> None:
    """Nothing is told inside a window, machines hear of the status; what is still so afterwards is told once."""
    site = Watched()
    site.silent([])
    change = site.run([EXPIRED], **WINDOW)
    assert change is not None
    assert (change.kind, change.before, change.after) == ("status", "ok", "error")
    assert site.run([EXPIRED], **WINDOW) is None
    change = site.told([EXPIRED])
    assert (codes(change.opened), change.before, change.after) == (["certificate.expired"], "error", "error")
    assert change.opened[0].since == minutes(5)
    assert site.run([EXPIRED]) is None


def test_what_opens_and_closes_inside_is_never_told() -> None:
    """An error that a window hides from begin to end made no alert."""
    site = Watched()
    site.silent([EXPIRED], **WINDOW)
    site.silent(*OVER, **WINDOW)
    site.silent([])
    assert (site.alerts, site.state.over) == ([], ())


def test_what_was_told_and_closes_inside_is_told_afterwards() -> None:
    """The end of an error that an alert told of is told, be it late."""
    site = Watched()
    site.told([EXPIRED])
    site.silent(*OVER, **WINDOW)
    assert codes(site.state.over) == ["certificate.expired"]
    change = site.told([])
    assert (codes(change.resolved), change.before, change.after) == (["certificate.expired"], "ok", "ok")
    assert site.state.over == ()


def test_what_closes_and_opens_again_inside_is_not_told() -> None:
    """A reader who was told of an error that is there again has nothing new to learn."""
    site = Watched()
    site.told([EXPIRED])
    site.silent(*OVER, **WINDOW)
    site.silent([EXPIRED], **WINDOW)
    assert site.run([EXPIRED]) is None
    assert codes(site.told(*OVER).resolved) == ["certificate.expired"]


def test_what_eases_inside_is_told_afterwards() -> None:
    """An error that became a warning in a window is told as eased, whatever became of it between."""
    site = Watched()
    site.told([finding("app.slow")])
    site.silent([SLOW], **WINDOW)
    change = site.told([SLOW])
    assert (codes(change.eased), change.opened, change.resolved) == (["app.slow"], (), ())


def test_a_doubtful_return_does_not_swallow_the_end() -> None:
    """What closed in a window, and one look saw again that the next one did not, is told to be over all the same."""
    site = Watched()
    site.told([EXPIRED])
    site.silent(*OVER, **WINDOW)
    site.silent([EXPIRED], [], **WINDOW)
    assert (codes(site.state.over), site.pending) == (["certificate.expired"], ["certificate.expired"])
    assert codes(site.told([]).resolved) == ["certificate.expired"]


# --- silences -------------------------------------------------------------------------------------------------------


def silenced(code: str = EXPIRED.code, until: float = 60, subject: str = "") -> dict[str, Any]:
    """Return a policy that silences a code until some minutes after the first run."""
    return {"silences": (Silence(code, minutes(until), subject),)}


def test_silenced_before_it_opens() -> None:
    """What is acknowledged makes no alert, is named in others, and is told once the silence is over."""
    site = Watched(**silenced(until=15))
    site.silent([EXPIRED])
    assert site.changes[0].acknowledged[0].code == "certificate.expired"
    change = site.told([EXPIRED, MISSING])
    assert (codes(change.opened), codes(change.acknowledged)) == (["dns.missing"], ["certificate.expired"])
    assert site.run([EXPIRED, MISSING]) is None
    change = site.told([EXPIRED, MISSING])
    assert (codes(change.opened), codes(change.still_open)) == (["certificate.expired"], ["dns.missing"])


def test_silenced_after_it_was_told() -> None:
    """An acknowledged error is still known: its end is told, and the end of the silence tells nothing again."""
    site = Watched()
    site.told([EXPIRED])
    change = site.told([EXPIRED, MISSING], **silenced())
    assert (codes(change.still_open), codes(change.acknowledged)) == ([], ["certificate.expired"])
    assert site.run([EXPIRED, MISSING]) is None, "the silence is gone"
    assert codes(site.told(*OVER, **silenced()).resolved) == ["certificate.expired", "dns.missing"]


def test_what_closes_in_silence_untold_is_never_told() -> None:
    """Nobody is told of the end of what nobody was told of."""
    site = Watched(**silenced())
    site.silent([EXPIRED])
    site.silent(*OVER)
    site.silent([])
    assert site.alerts == []


def test_a_silenced_finding_that_comes_and_goes_is_no_flapping() -> None:
    """However often a silenced finding changes, nobody hears of it."""
    site = Watched(successes=1, **silenced(until=600))
    for _ in range(20):
        site.silent([EXPIRED], minutes=1)
        site.silent([], minutes=1)
    assert (site.state.flips, site.state.flapping_since) == ((), None)


@pytest.mark.parametrize(
    ("code", "subject", "covers"),
    [
        ("certificate.expired", "", True),
        ("certificate.expired", SITE, True),
        ("*", "", True),
        ("*", SITE, True),
        ("certificate.expired", "www.example.com", False),
        ("certificate", "", False),
        ("dns.missing", "", False),
    ],
)
def test_what_a_silence_covers(code: str, subject: str, covers: bool) -> None:
    """A silence names a code or all of them, and a subject or none."""
    change = Watched(**silenced(code, subject=subject)).run([EXPIRED])
    assert change is not None
    assert (change.kind == "status") is covers


# --- what the declaration itself changes -----------------------------------------------------------------------


@pytest.mark.parametrize("entry", ["certificate.expired", "certificate", "certificate."])
def test_what_is_switched_off_ends_at_once_and_is_said_so(entry: str) -> None:
    """A finding of a code that the declaration switches off is over at the first look, and nobody healed it."""
    site = Watched()
    site.told([EXPIRED, MISSING])
    change = site.told([MISSING], disabled=(entry,))
    assert (codes(change.resolved), change.declared) == (["certificate.expired"], ("certificate.expired",))
    assert site.open == ["dns.missing"]


def test_what_heals_while_something_else_is_switched_off_is_healed() -> None:
    """Only what the declaration names is said to be its doing."""
    site = Watched()
    site.told([EXPIRED, MISSING])
    change = site.told(*OVER, disabled=("dns.missing", "hsts"))
    assert codes(change.resolved) == ["dns.missing", "certificate.expired"]
    assert change.declared == ("dns.missing",)


def test_a_declared_severity_is_said_to_be_one() -> None:
    """An error that the declaration calls a warning is eased by it; one that a rule does, is not."""
    mild = finding("certificate.expired", severity="warning")
    for severities, declared in (((EXPIRED.code,), (EXPIRED.code,)), ((MISSING.code,), ())):
        site = Watched()
        site.told([EXPIRED])
        change = site.told([mild], severities=severities)
        assert (codes(change.eased), change.declared) == ([EXPIRED.code], declared)


# --- removal and return ---------------------------------------------------------------------------------------------


def removed(site: Watched) -> Change:
    """Close a site that is no longer declared."""
    site.state, change = close(site.state, SITE, site.at, {"team": "web"}, "Europe/Berlin")
    assert change is not None
    site.changes.append(change)
    return change


def test_removed_site_is_closed_once() -> None:
    """A site that is no longer declared makes one closing alert with what was open, and forgets everything."""
    site = Watched()
    site.told([EXPIRED, SLOW])
    change = removed(site)
    assert (change.kind, change.before, change.after) == ("removed", "error", "removed")
    assert (codes(change.resolved), change.labels, change.timezone) == (
        ["certificate.expired"],
        {"team": "web"},
        "Europe/Berlin",
    )
    assert site.state == State(removed=True, last_alert=site.at)
    assert close(site.state, SITE, site.at, {}, "UTC") == (site.state, None)
    assert close(State(), SITE, site.at, {}, "UTC") == (State(), None)


def test_site_that_is_added_again_begins_anew() -> None:
    """Its first run is a first run: what is broken is told, what is well is not, and the status goes on."""
    site = Watched()
    site.told([EXPIRED])
    removed(site)
    change = site.told([EXPIRED])
    assert (change.before, change.after, codes(change.opened)) == ("removed", "error", ["certificate.expired"])
    assert change.opened[0].since == site.at
    removed(site)
    site.silent([])
    assert (site.changes[-1].before, site.changes[-1].after) == ("removed", "ok")


def test_removal_closes_what_waits_to_be_told() -> None:
    """What was told and ended in a window is resolved by the alert of the removal."""
    site = Watched()
    site.told([EXPIRED, MISSING])
    site.silent([MISSING], [MISSING], **WINDOW)
    assert codes(removed(site).resolved) == ["dns.missing", "certificate.expired"]
    assert told_open(site.changes) == set()


# --- the chain ------------------------------------------------------------------------------------------------------


def test_each_change_begins_where_the_one_before_ended() -> None:
    """The statuses of one site's changes are a chain, alerts and events together."""
    site = Watched()
    runs: list[Sequence[Seen]] = [[[]], [[SLOW]], [[EXPIRED, SLOW]], [BLIND], [[SLOW]] * 2, OVER, [[EXPIRED]], OVER]
    for looks in runs:
        site.run(*looks)
    removed(site)
    site.run([])
    seen = [change.before for change in site.changes] + [site.changes[-1].after]
    assert seen == ["unknown", "ok", "warning", "error", "warning", "ok", "error", "ok", "removed", "ok"]
    assert all(one.after == two.before for one, two in itertools.pairwise(site.changes))


def test_a_change_carries_labels_and_the_zone() -> None:
    """What the site declares for routing and reading goes with every change."""
    change = Watched().told(msgspec.structs.replace(report(EXPIRED), labels={"team": "web"}, timezone="Asia/Tokyo"))
    assert (change.labels, change.timezone) == ({"team": "web"}, "Asia/Tokyo")


@pytest.mark.parametrize(
    ("subject", "named", "covered"),
    [
        ("a.example at 192.0.2.1", "a.example", True),
        ("a.example at 192.0.2.1", "192.0.2.1", True),
        ("a.example at 192.0.2.1", "a.example at 192.0.2.1", True),
        ("a.example at 192.0.2.1", "192.0.2.10", False),
        ("https://a.example/x", "a.example", True),
        ("a.example on web-1", "web-1", True),
        ("www.a.example", "a.example", False),
    ],
)
def test_subject_of_a_silence(subject: str, named: str, covered: bool) -> None:
    """A host, an address, a machine or a URL alone names every finding about it."""
    silence = Silence("app.error", NOW + timedelta(hours=1), named)
    assert silence.covers(finding("app.error", subject), NOW) is covered
