"""How often a site is told of: flapping makes one alert and one at its end, an open error is told again daily."""

from datetime import timedelta
from typing import Any

import pytest
from padlock.changes import Silence

from tests.reports import NOW, finding
from tests.watched import OVER, Seen, Watched, codes, told_open

EXPIRED = finding("certificate.expired")
MISSING = finding("dns.missing")
DOWN = finding("port.https_closed", reachability=True)
SLOW = finding("app.slow", severity="warning")


def flapping(*, ends: Seen = ()) -> Watched:
    """Return a site that has begun to flap: the sixth change within an hour has just been told."""
    site = Watched(failures=1, successes=1, reminder=86400.0)
    site.silent([])
    for number in range(5):
        assert site.told([EXPIRED] if number % 2 == 0 else []).kind == "changed"
    change = site.told(ends)
    assert (change.kind, change.flips) == ("flapping", 6)
    return site


def test_sixth_change_in_an_hour_is_flapping() -> None:
    """Five changes are told one by one, the sixth says that the site flaps, and more are not told."""
    site = flapping()
    assert site.state.flapping_since == site.at
    for found in [EXPIRED], [], [EXPIRED]:
        change = site.run(found)
        assert change is not None, "machines are told of every status"
        assert change.kind == "status"


def test_changes_that_spread_over_more_than_an_hour_are_no_flapping() -> None:
    """Each change is told where five others lie more than an hour back."""
    site = Watched(successes=1)
    site.silent([])
    for number in range(20):
        assert site.told([EXPIRED] if number % 2 == 0 else [], minutes=12).kind == "changed"


def test_a_first_run_is_no_change_of_a_flapping_site() -> None:
    """What is found at first counts for nothing: six more changes are needed."""
    site = Watched(successes=1)
    site.told([EXPIRED])
    told = [site.told([] if number % 2 == 0 else [EXPIRED]).kind for number in range(6)]
    assert told == ["changed"] * 5 + ["flapping"]


@pytest.mark.parametrize("ends", [[], [EXPIRED], [EXPIRED, DOWN]])
def test_settled_tells_the_true_final_status(ends: list[Any]) -> None:
    """An hour without a change ends the silence with one alert, whatever differs from what was told."""
    site = flapping()
    site.silent([finding("port.x", reachability=True)])
    site.silent(ends)
    last = site.at
    while site.at - last < timedelta(minutes=55):
        site.silent(ends)
    change = site.told(ends)
    assert (change.kind, change.after) == ("settled", "error" if ends else "ok")
    assert codes((*change.opened, *change.still_open)) == codes(ends)
    assert told_open(site.changes) == {one.key for one in ends}
    assert (site.state.flips, site.state.flapping_since) == ((), None)
    assert site.run(ends) is None


def test_settled_says_once_what_was_told_and_is_over() -> None:
    """The error that the flapping alert told of, and that went in silence, is resolved by the alert of the end."""
    site = flapping(ends=[EXPIRED, DOWN])
    for _ in range(11):
        site.silent([])
    change = site.told([], minutes=10)
    assert (change.kind, codes(change.resolved)) == ("settled", ["certificate.expired", "port.https_closed"])


def test_what_does_not_come_and_go_is_told_while_flapping() -> None:
    """A fact that opens for the first time is news of a flapping site too, and so is its end, once."""
    site = flapping()
    change = site.told([MISSING])
    assert (change.kind, codes(change.opened)) == ("changed", ["dns.missing"])
    site.silent([MISSING, EXPIRED])
    site.silent([EXPIRED])
    assert codes(site.state.over) == ["dns.missing"]
    site.silent([MISSING])
    assert [one.key for one in site.state.findings if one.told] == [MISSING.key]
    site.silent([], minutes=59)
    change = site.told([], minutes=61)
    assert (change.kind, codes(change.resolved)) == ("settled", ["dns.missing"])
    assert told_open(site.changes) == set()


@pytest.mark.parametrize("comes", [EXPIRED, DOWN])
def test_what_comes_and_goes_or_may_pass_is_not_told_while_flapping(comes: Any) -> None:
    """Neither what made the site flap, nor what may pass by itself, is told before it settles."""
    site = flapping()
    site.silent([comes])
    site.silent([comes], minutes=30)


def test_an_error_that_becomes_a_warning_while_flapping_is_told_once() -> None:
    """What came and went is told as an error before, and as none at the end."""
    site = flapping(ends=[EXPIRED, DOWN])
    site.silent([finding("certificate.expired", severity="warning"), DOWN])
    assert [one.code for one in site.state.findings if one.told] == ["port.https_closed", "certificate.expired"]
    change = site.told([finding("certificate.expired", severity="warning"), DOWN], minutes=61)
    assert (change.kind, codes(change.eased)) == ("settled", ["certificate.expired"])
    assert told_open(site.changes) == {DOWN.key}


def test_a_flapping_site_is_told_of_once_a_day() -> None:
    """A site that never settles is not forgotten: it is said again as often as a reminder is."""
    site = flapping()
    began = site.at
    for number in range(2 * 24 * 4):
        site.run([EXPIRED] if number % 2 == 0 else [], minutes=15)
    told = [(change.kind, change.checked_at - began) for change in site.alerts[6:]]
    assert told == [("flapping", timedelta(days=1)), ("flapping", timedelta(days=2))]


def test_a_reminder_that_is_off_is_off_while_flapping() -> None:
    """Whoever wants no reminders gets none of a flapping site either."""
    site = flapping()
    for number in range(2 * 24 * 6):
        site.silent([EXPIRED] if number % 2 == 0 else [], minutes=10, reminder=None)


def test_a_settled_site_may_flap_again() -> None:
    """After it has settled, changes are told one by one again, up to the sixth."""
    site = flapping()
    site.told([], minutes=61)
    told = [site.told([EXPIRED] if number % 2 == 0 else []).kind for number in range(6)]
    assert told == ["changed"] * 5 + ["flapping"]


def test_changes_in_maintenance_are_no_flapping() -> None:
    """A site may come and go in its window as it likes."""
    site = Watched(successes=1)
    site.silent([])
    for number in range(10):
        site.silent([EXPIRED] if number % 2 == 0 else [], maintenance_until=NOW + timedelta(days=1))
    assert site.told([EXPIRED]).kind == "changed"


# --- reminders ------------------------------------------------------------------------------------------------------


def test_reminder_once_a_day() -> None:
    """An open error is told again a day after the last alert, and a day after that."""
    site = Watched()
    site.told([EXPIRED])
    assert site.run([EXPIRED], minutes=24 * 60 - 1) is None
    change = site.told([EXPIRED], minutes=1)
    assert (change.kind, codes(change.still_open), change.opened) == ("reminder", ["certificate.expired"], ())
    assert site.run([EXPIRED]) is None
    assert site.told([EXPIRED], minutes=24 * 60).kind == "reminder"


def test_reminder_can_be_off_or_oftener() -> None:
    """The owner says after how long, or never."""
    off, often = Watched(reminder=None), Watched(reminder=3600.0)
    for site in off, often:
        site.told([EXPIRED])
        for _ in range(48):
            site.run([EXPIRED], minutes=60)
    assert [change.kind for change in off.alerts] == ["changed"]
    assert [change.kind for change in often.alerts] == ["changed"] + ["reminder"] * 48


def test_any_alert_puts_the_reminder_off() -> None:
    """The day counts from the last alert of the site, whatever it told."""
    site = Watched()
    site.told([EXPIRED])
    site.told([EXPIRED, MISSING], minutes=20 * 60)
    assert site.run([EXPIRED, MISSING], minutes=23 * 60) is None
    assert site.told([EXPIRED, MISSING], minutes=60).kind == "reminder"


def test_an_event_does_not_put_the_reminder_off() -> None:
    """What only machines are told of is no alert."""
    site = Watched(silences=(Silence(EXPIRED.code, NOW + timedelta(days=99)),))
    site.told([MISSING])
    site.silent([MISSING, EXPIRED], minutes=20 * 60)
    assert site.told([MISSING, EXPIRED], minutes=4 * 60).kind == "reminder"


def test_no_reminder_of_acknowledged_errors_warnings_and_healthy_sites() -> None:
    """Nobody is reminded of what they silenced, nor of what is no error."""
    site = Watched()
    site.told([EXPIRED, SLOW])
    site.silent([EXPIRED, SLOW], minutes=3000, silences=(Silence(EXPIRED.code, NOW + timedelta(days=99)),))
    site.told(*OVER, minutes=3000)
    site.silent([SLOW], minutes=3000)
    assert site.run([SLOW], minutes=3000) is None
