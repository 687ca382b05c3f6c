"""How often a site is told of: flapping makes one alert and one at its end, an open error is told again daily."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from padlock.changes import Silence

from tests.reports import NOW, finding
from tests.watched import OVER, Seen, Watched, codes, told_open

EXPIRED = finding("certificate.expired")
MISSING = finding("dns.missing")
SLOW = finding("app.slow", severity="warning")


def flapping(*, ends: Seen = ()) -> Watched:
    """Return a site that has begun to flap: the sixth change within an hour has just been told."""
    site = Watched(successes=1, reminder=3600.0)
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


@pytest.mark.parametrize("ends", [[], [EXPIRED], [EXPIRED, MISSING]])
def test_settled_tells_the_true_final_status(ends: list[Any]) -> None:
    """An hour without a change ends the silence with one alert, whatever differs from what was told."""
    site = flapping()
    site.silent([finding("tls.x")])
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
    site = flapping(ends=[EXPIRED, MISSING])
    for _ in range(11):
        site.silent([])
    change = site.told([], minutes=10)
    assert (change.kind, codes(change.resolved)) == ("settled", ["certificate.expired", "dns.missing"])


def test_no_reminder_while_flapping() -> None:
    """A flapping site is quiet until it has settled, however long an error of it is open."""
    site = flapping(ends=[EXPIRED, MISSING])
    site.state = msgspec.structs.replace(site.state, last_alert=NOW - timedelta(days=9))
    site.silent([EXPIRED, MISSING])


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
