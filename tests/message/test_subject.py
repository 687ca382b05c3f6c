"""The subject: which site, and what happened to it, in a line that mail takes."""

import re
from datetime import timedelta

import pytest
from padlock.changes import STALE, Policy, Silence
from padlock.findings import CHECKER, Report
from padlock.message import subject_of

from tests.message.changes import (
    CLOSED,
    EXPIRED,
    EXPIRED_WWW,
    HOSTILE,
    LATER,
    LOOP,
    NOW,
    change_of,
    finding,
    message_of,
    of_kind,
    report,
)

MILD = finding("certificate.expired", severity="warning")


@pytest.mark.parametrize(
    ("reports", "subject"),
    [
        ([report(EXPIRED)], "certificate expired"),
        ([report(EXPIRED, CLOSED)], "certificate expired, and 1 more"),
        ([report(EXPIRED, EXPIRED_WWW)], "certificate expired (2)"),
        ([report(EXPIRED, EXPIRED_WWW), report(at=LATER)], "resolved after 2 h 5 min"),
        ([report(LOOP), report(LOOP, EXPIRED)], "certificate expired, 1 still open"),
        ([report(LOOP), report(LOOP, EXPIRED, CLOSED)], "2 new, 1 still open"),
        ([report(EXPIRED), report(at=LATER)], "resolved after 2 h 5 min"),
        ([report(EXPIRED, CLOSED), report(CLOSED)], "resolved: certificate expired, 1 still open"),
        ([report(EXPIRED, LOOP, CLOSED), report(CLOSED)], "resolved: certificate expired, and 1 more, 1 still open"),
        ([report(EXPIRED), report(CLOSED)], "port https_closed, 1 resolved"),
        ([report(EXPIRED, LOOP), report(LOOP, CLOSED)], "port https_closed, 1 resolved, 1 still open"),
        ([report(MILD), report(EXPIRED)], "certificate expired"),
        ([report(EXPIRED), report(MILD, at=LATER)], "no longer an error after 2 h 5 min"),
        ([report(finding(STALE)), report(at=LATER)], "checked again after 2 h 5 min"),
        ([report(EXPIRED, finding(STALE)), report(EXPIRED, at=LATER)], "checked again, 1 still open"),
    ],
)
def test_subject_says_what_happened(reports: list[Report], subject: str) -> None:
    """The subject names the site and what happened to it."""
    assert subject_of(change_of(*reports)) == f"[Padlock] example.com: {subject}"


@pytest.mark.parametrize(
    ("kind", "reports", "subject"),
    [
        ("flapping", [report(EXPIRED)], "flapping: 6 changes in an hour"),
        ("settled", [report(EXPIRED), report()], "settled: ok"),
        ("settled", [report(EXPIRED), report(MILD)], "settled: ok, 1 warning"),
        ("settled", [report(EXPIRED)], "settled: certificate expired still open"),
        ("settled", [report(EXPIRED, LOOP)], "settled: certificate expired, and 1 more still open"),
        ("reminder", [report(EXPIRED), report(EXPIRED, LOOP, at=LATER)], "reminder: redirect loop, and 1 more"),
        ("removed", [report(EXPIRED)], "no longer checked"),
    ],
)
def test_subject_says_why_it_comes(kind: str, reports: list[Report], subject: str) -> None:
    """Flapping, its end, a reminder and a removal each have their words; a reminder says how long it has lasted."""
    told = subject_of(of_kind(kind, change_of(*reports), flips=6))
    expected = f"[Padlock] example.com: {subject}"
    assert told == (f"{expected}, open for 2 h 5 min" if kind == "reminder" else expected)


def test_a_long_reminder_counts_in_days() -> None:
    """The duration has its two largest units."""
    late = NOW + timedelta(days=3, hours=4, minutes=59)
    told = change_of(report(EXPIRED), report(EXPIRED, at=late))
    assert told.kind == "reminder"
    assert subject_of(told) == "[Padlock] example.com: reminder: certificate expired, open for 3 d 4 h"


def test_what_is_acknowledged_is_no_end() -> None:
    """While something acknowledged is open the site is not well, and the subject does not say that it is."""
    policy = Policy(1, 1, silences=(Silence("redirect.loop", NOW + timedelta(days=9)),))
    over = change_of(report(EXPIRED, LOOP), report(LOOP), policy=policy)
    assert subject_of(over) == "[Padlock] example.com: resolved: certificate expired, 1 acknowledged"
    assert subject_of(of_kind("settled", over)) == "[Padlock] example.com: settled: 1 acknowledged"


def test_the_checker_has_a_name() -> None:
    """Padlock's own alerts name it in words."""
    outage = finding("checker.outage", CHECKER, summary="cannot reach most sites")
    assert subject_of(change_of(report(outage, site=CHECKER))) == "[Padlock] Padlock itself: cannot reach most sites"


@pytest.mark.parametrize("site", ["a" * 63 + "." + "b" * 63 + ".example.com", "ex\nample.com", "münchen.de", HOSTILE])
@pytest.mark.parametrize("summary", ["expired", "x" * 300, HOSTILE, "ünïcode"])
def test_subject_is_always_one_short_ascii_line(site: str, summary: str) -> None:
    """No site name and no text makes a subject that SNS refuses or that a mail's header breaks at."""
    subject = message_of(report(finding("x.y", site, summary=summary), site=site)).subject
    assert re.fullmatch(r"[ -~]{20,99}", subject)
    assert subject.startswith("[Padlock] ")


def test_a_long_title_gives_way_to_the_name() -> None:
    """What is too long for one line is shortened in the title first, and the count stays."""
    site = "shop.department.example.com"
    long = finding("x.y", site, summary="a title that goes on and on, and for much longer than anybody would read")
    subject = subject_of(change_of(report(long, CLOSED, site=site)))
    assert subject.startswith(f"[Padlock] {site}: a title that goes on and on")
    assert subject.endswith("..., and 1 more")
