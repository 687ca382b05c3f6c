"""What a run's looks open, close and leave alone: thresholds, what could not be seen, and runs that saw nothing."""

from datetime import timedelta

import pytest
from padlock.changes import MAX_SUBJECT, STALE, OpenFinding
from padlock.findings import NotAssessed, Severity

from tests.reports import NOW, finding, report
from tests.watched import BLIND, Watched, codes

EXPIRED = finding("certificate.expired")
CLOSED = finding("port.https_closed", "www.example.com", reachability=True)
SLOW = finding("app.slow", severity="warning")
HOST = "www.example.com"


# --- opening ------------------------------------------------------------------------------------------------------


def test_first_healthy_run_is_silent() -> None:
    """A site that is found healthy at once makes no alert; machines are told its status."""
    site = Watched()
    change = site.run([])
    assert change is not None
    assert (change.kind, change.before, change.after) == ("status", "unknown", "ok")
    assert (site.state.status, site.state.first_run, site.state.last_conclusive) == ("ok", NOW, NOW)


def test_first_failing_run_alerts() -> None:
    """A site that fails at its first run alerts at once."""
    site = Watched()
    change = site.told([EXPIRED])
    assert (change.kind, change.before, change.after) == ("changed", "unknown", "error")
    assert codes(change.opened) == ["certificate.expired"]
    assert site.state.findings[0].since == NOW


def test_same_finding_again_is_silent_and_keeps_its_since() -> None:
    """What is known already alerts no second time, whatever its text says now."""
    site = Watched()
    site.told([EXPIRED])
    assert site.run([finding("certificate.expired", observed="otherwise")]) is None
    assert site.state.findings[0].since == NOW
    assert site.state.findings[0].observed == "otherwise"


def test_second_error_of_a_failing_site_alerts_with_what_was_known() -> None:
    """A failing site alerts when something else breaks, and the change says what is new and what was known."""
    site = Watched()
    site.told([EXPIRED])
    change = site.told([EXPIRED, finding("tls.x")])
    assert (codes(change.opened), codes(change.still_open)) == (["tls.x"], ["certificate.expired"])
    assert (change.before, change.after) == ("error", "error")


def test_same_code_of_another_host_is_another_finding() -> None:
    """Findings are keyed by code and subject."""
    site = Watched()
    site.told([EXPIRED])
    change = site.told([EXPIRED, finding("certificate.expired", HOST)])
    assert [one.subject for one in change.opened] == [HOST]


@pytest.mark.parametrize("looks", [1, 2])
def test_reachability_opens_after_two_looks_in_a_row(looks: int) -> None:
    """What may pass by itself opens with the second look that sees it, of the same run or of the next one."""
    site = Watched()
    site.silent([])
    if looks == 1:
        site.silent([CLOSED])
        assert (site.open, site.pending, site.state.status) == ([], ["port.https_closed"], "ok")
        assert site.state.unsettled
        change = site.told([CLOSED])
    else:
        change = site.told([CLOSED], [CLOSED])
    assert codes(change.opened) == ["port.https_closed"]
    assert change.opened[0].since == NOW + timedelta(minutes=5), "the first look that saw it"
    assert site.pending == []


@pytest.mark.parametrize("failures", [1, 2, 3, 4])
def test_failures_are_the_sites_to_set(failures: int) -> None:
    """A site says after how many looks something unreachable is an error."""
    site = Watched(failures=failures)
    seen = [site.run([CLOSED]) for _ in range(failures)]
    assert [bool(change and change.kind == "changed") for change in seen] == [False] * (failures - 1) + [True]


def test_one_good_look_in_between_starts_again() -> None:
    """Looks count in a row: one that sees nothing wrong ends the suspicion."""
    site = Watched()
    for _ in range(3):
        site.silent([CLOSED])
        site.silent([])
        assert (site.open, site.pending) == ([], [])
    site.silent([CLOSED], [])
    site.silent([CLOSED])
    site.told([CLOSED])


def test_a_good_last_look_starts_again() -> None:
    """What two looks in a row saw, and the last one of the same run did not, must be seen twice again."""
    site = Watched()
    site.silent([CLOSED])
    site.silent([CLOSED], [])
    assert site.open == []
    site.silent([CLOSED])
    site.told([CLOSED])


def test_fact_that_the_last_look_does_not_see_is_only_suspected() -> None:
    """A fact of the first look that is gone at the second one alerts nobody, unless the next run sees it again."""
    site = Watched()
    site.silent([])
    site.silent([EXPIRED, CLOSED], [])
    assert (site.open, site.pending) == ([], ["certificate.expired"])
    site.silent([])
    assert (site.open, site.pending) == ([], [])
    site.silent([EXPIRED, CLOSED], [])
    change = site.told([EXPIRED])
    assert change.opened[0].since == NOW + timedelta(minutes=15)


def test_fact_that_only_the_last_look_sees_opens() -> None:
    """A fact counts after one look, whichever of the run."""
    assert codes(Watched().told([CLOSED], [EXPIRED]).opened) == ["certificate.expired"]


def test_a_suspected_finding_that_cannot_be_seen_stays_suspected() -> None:
    """Not assessed neither opens what is suspected nor clears it."""
    site = Watched()
    site.silent([CLOSED])
    site.silent(report(not_assessed=(NotAssessed(CLOSED.code, CLOSED.subject, "timeout"),)))
    assert (site.open, site.pending, site.state.pending[0].bad) == ([], ["port.https_closed"], 1)
    site.told([CLOSED])


# --- closing ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("successes", [1, 2, 3])
def test_closing_takes_looks_in_a_row(successes: int) -> None:
    """A site says how many good looks in a row end an error; a bad one in between starts again."""
    site = Watched(successes=successes)
    site.told([EXPIRED])
    for _ in range(successes - 1):
        site.silent([])
    assert site.state.unsettled is (successes > 1)
    if successes > 1:
        site.silent([EXPIRED])
        assert site.state.findings[0].good == 0
        for _ in range(successes - 1):
            site.silent([])
    change = site.told([])
    assert (codes(change.resolved), change.before, change.after) == (["certificate.expired"], "error", "ok")
    assert change.resolved[0].since == NOW


def test_closing_within_one_run() -> None:
    """The second good look may be of the same run."""
    site = Watched()
    site.told([EXPIRED])
    assert codes(site.told([], []).resolved) == ["certificate.expired"]
    assert (site.open, site.state.status) == ([], "ok")


def test_a_first_good_look_asks_for_another_one() -> None:
    """An open error that is not seen, and a suspected one, are worth a second look; a notice is not."""
    worth = {}
    for found in (EXPIRED, CLOSED, SLOW):
        site = Watched()
        site.run([found])
        seen = site.state.unsettled
        site.run([])
        worth[found.code] = seen, site.state.unsettled
    assert worth == {EXPIRED.code: (False, True), CLOSED.code: (True, False), SLOW.code: (False, False)}


def test_resolved_in_one_change_with_what_opened() -> None:
    """One run makes one change, with everything that it tells."""
    site = Watched()
    site.told([EXPIRED])
    change = site.told([finding("tls.x")], [finding("tls.x")])
    assert (codes(change.opened), codes(change.resolved)) == (["tls.x"], ["certificate.expired"])


@pytest.mark.parametrize(
    ("subject", "unseen", "stays"),
    [
        (HOST, NotAssessed("x.y", HOST, "timeout"), True),
        (f"{HOST} at 192.0.2.1", NotAssessed("x.y", HOST, "timeout"), True),
        (f"https://{HOST}/deep", NotAssessed("x.y", HOST, "timeout"), True),
        (f"{HOST} at 2001:db8::1", NotAssessed("x.y", f"{HOST} at 2001:db8::1", "no route"), True),
        (HOST, NotAssessed("x.y", "example.com", "no evidence", whole=True), True),
        (HOST, NotAssessed("x.y", f"{HOST} at 2001:db8::1", "no route"), False),
        (HOST, NotAssessed("x.y", "example.com", "timeout"), False),
        (HOST, NotAssessed("x.z", HOST, "timeout"), False),
    ],
)
def test_what_could_not_be_looked_at_stays_open(subject: str, unseen: NotAssessed, stays: bool) -> None:
    """Not assessed resolves nothing of its subject; one unseen address does not keep the whole host's finding."""
    site = Watched()
    site.told([finding("x.y", subject)])
    look = report(not_assessed=(unseen,))
    change = site.run(look, look)
    assert bool(site.open) is stays
    assert (change is None) is stays


def test_not_assessed_keeps_the_count_of_good_looks() -> None:
    """A look that could not see neither ends an error nor starts the counting again."""
    unseen = report(not_assessed=(NotAssessed("certificate.expired", "example.com", "timeout"),))
    site = Watched()
    site.told([EXPIRED])
    site.silent([])
    site.silent(unseen, unseen)
    assert site.state.findings[0].good == 1
    assert codes(site.told([]).resolved) == ["certificate.expired"]


def test_not_assessed_opens_nothing() -> None:
    """A check that could not look is no finding."""
    site = Watched()
    site.silent(report(not_assessed=(NotAssessed("x.y", "example.com", "timeout"),)))
    assert site.open == []


def test_a_machine_without_an_audit_hides_what_was_found_on_it() -> None:
    """Where one of two machines cannot be audited, its findings stay, of whichever host; the other's may be over."""
    site = Watched()
    site.told([finding("nginx.no_redirect", f"{HOST} on web-{number}") for number in (1, 2)])
    look = report(not_assessed=(NotAssessed("nginx.no_redirect", "example.com on web-1", "3 days old"),))
    change = site.told(look, look)
    assert [one.subject for one in site.state.findings] == [f"{HOST} on web-1"]
    assert [one.subject for one in change.resolved] == [f"{HOST} on web-2"]


# --- severities and keys ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("severity", ["warning", "notice"])
def test_minor_findings_are_kept_and_silent(severity: str) -> None:
    """Warnings and notices open and close without an alert; machines are told of the status."""
    minor = finding("app.slow", severity=severity)
    site = Watched()
    for look in ([], [minor], [], []):
        site.silent(look)
    assert [(change.before, change.after) for change in site.changes] == [
        ("unknown", "ok"),
        ("ok", severity),
        (severity, "ok"),
    ]
    assert site.changes[1].minor == {severity: 1}


def test_warning_that_worsens_alerts() -> None:
    """A warning that becomes an error alerts as worsened, with the time since when it is known."""
    site = Watched()
    site.silent([SLOW])
    change = site.told([finding("app.slow")])
    assert (codes(change.worsened), change.opened, change.before) == (["app.slow"], (), "warning")
    assert change.worsened[0].since == NOW


def test_error_that_eases_alerts() -> None:
    """An error that becomes a warning ends the alarm, and is not called resolved; its end is silent."""
    site = Watched()
    site.told([finding("app.slow")])
    change = site.told([SLOW])
    assert (codes(change.eased), change.resolved, change.after) == (["app.slow"], (), "warning")
    assert site.run([], []) is not None
    assert site.changes[-1].kind == "status"


def test_worst_comes_first_and_counts() -> None:
    """A finding that stays open unseen keeps its place by severity; the counts are of what is open."""
    site = Watched()
    site.told([EXPIRED])
    site.silent(report(SLOW, not_assessed=(NotAssessed("certificate.expired", "example.com", "timeout"),)))
    assert site.open == ["certificate.expired", "app.slow"]
    assert site.state.counts == {"error": 1, "warning": 1}


def test_two_findings_with_one_key_are_one() -> None:
    """The worse of two findings with the same code and subject counts."""
    site = Watched()
    site.told([finding("x.y"), finding("x.y", severity="notice")])
    assert [one.severity for one in site.state.findings] == [Severity.ERROR]


def test_endless_subject_has_a_stable_bounded_key() -> None:
    """A URL of any length is one finding from run to run, and two long ones stay apart."""
    long = "https://example.com/" + "a" * 5000
    site = Watched()
    site.told([finding("x.y", long)])
    assert site.run([finding("x.y", long)]) is None
    assert len(site.state.findings[0].subject) <= MAX_SUBJECT
    assert len(site.told([finding("x.y", long), finding("x.y", long + "b")]).opened) == 1


# --- runs that see nothing ----------------------------------------------------------------------------------------


def test_inconclusive_run_changes_nothing() -> None:
    """A run that could not see leaves what is open and suspected as it was, to the letter."""
    site = Watched()
    site.told([EXPIRED, CLOSED])
    site.silent([])
    before = site.state
    assert site.run(BLIND, BLIND) is None
    after = site.state
    assert (after.findings, after.pending, after.over) == (before.findings, before.pending, before.over)
    assert (after.last_conclusive, after.blind) == (before.last_conclusive, 1)


def test_a_run_with_one_look_that_saw_is_conclusive() -> None:
    """One of two looks is enough to have seen the site; a fact of it stays where the other saw nothing."""
    site = Watched()
    site.silent([EXPIRED], BLIND)
    assert (site.open, site.state.blind) == (["certificate.expired"], 0)
    assert codes(site.told([EXPIRED]).opened) == ["certificate.expired"]


def test_never_seen_is_unknown() -> None:
    """Until a run could see something, the status says so, and the first sight is the first status."""
    site = Watched()
    assert site.run(BLIND) is None
    assert (site.state.status, site.state.site_status, site.state.first_run) == ("inconclusive", "unknown", NOW)
    change = site.run([])
    assert change is not None
    assert (change.before, change.after) == ("unknown", "ok")


def test_stale_after_three_runs_and_two_intervals() -> None:
    """Three runs in a row that could not see the site are an error; the first one that can ends it at once."""
    site = Watched()
    site.silent([EXPIRED, SLOW], maintenance_until=NOW + timedelta(minutes=1))
    site.silent(BLIND)
    site.silent(BLIND)
    change = site.told(BLIND)
    assert codes(change.opened) == [STALE], "the error that no alert told of waits until it is seen again"
    assert "since 2026-11-20 12:00 UTC" in change.opened[0].observed
    assert site.run(BLIND) is None, "once"
    change = site.told([EXPIRED, SLOW])
    assert (codes(change.resolved), codes(change.opened)) == ([STALE], ["certificate.expired"])


def test_a_site_that_was_never_seen_becomes_stale() -> None:
    """Where not even the first run saw anything, the time counts from it."""
    site = Watched()
    assert [bool(site.run(BLIND)) for _ in range(3)] == [False, False, True]
    assert (site.changes[0].before, site.changes[0].after) == ("unknown", "error")


def test_runs_that_come_at_once_make_nothing_stale() -> None:
    """A queue that was held up delivers many runs in one minute: they cover no intervals."""
    site = Watched(interval=3600)
    site.silent([])
    for _ in range(20):
        site.silent(BLIND, minutes=1)
    site.told(BLIND, minutes=100)


def test_two_blind_runs_with_a_long_gap_are_not_stale() -> None:
    """After a pause of Padlock's own, three runs must fail to see the site."""
    site = Watched()
    site.silent([])
    site.silent(BLIND, minutes=6000)
    site.silent(BLIND)
    site.told(BLIND)


def test_nothing_is_stale_during_an_outage_of_the_checker() -> None:
    """While the checker itself cannot see, no site is told to be unwatched; afterwards the next blind run is."""
    site = Watched()
    site.silent([])
    for _ in range(5):
        site.silent(BLIND, outage=True)
    assert codes(site.told(BLIND).opened) == [STALE]


def test_what_is_stored_of_a_finding_is_the_finding() -> None:
    """A finding keeps every field of its own in the state."""
    site = Watched()
    site.told([EXPIRED])
    (kept,) = site.state.findings
    assert kept == OpenFinding(
        **{name: getattr(EXPIRED, name) for name in EXPIRED.__struct_fields__}, since=NOW, told=True
    )
