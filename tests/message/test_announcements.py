"""The weekly digest and the test alert."""

import json
import re
from datetime import timedelta

import msgspec
import pytest
from padlock.digest import Digest, DigestCertificate, DigestSite
from padlock.findings import CHECKER
from padlock.message import MAX_MESSAGE, Further, compose_digest, compose_test, payload

from tests.message.changes import FURTHER, HOSTILE, MARKUP, NOW

EMPTY = Digest((), (), (), 0, 0, 0, NOW, None)
SITES = tuple(DigestSite(f"s{n}.example", NOW - timedelta(days=n, hours=4), "HSTS missing") for n in range(3))
ENDING = (DigestCertificate("s1.example", "www.s1.example", "CN=R11", NOW + timedelta(days=9, hours=1)),)


@pytest.mark.parametrize(
    ("totals", "subject"),
    [
        ({"warnings_total": 3, "certificates_total": 2}, "3 warnings, 2 certificates expire soon"),
        ({"warnings_total": 1, "certificates_total": 1}, "1 warning, 1 certificate expires soon"),
        ({"failing_total": 4, "warnings_total": 1}, "4 failing, 1 warning"),
        ({}, "nothing to report"),
    ],
)
def test_digest_subject(totals: dict[str, int], subject: str) -> None:
    """The subject counts what there is."""
    told = compose_digest(msgspec.structs.replace(EMPTY, **totals), "a", 1, FURTHER)
    assert told.subject == f"[Padlock] weekly digest: {subject}"
    assert told.severity == "warning"


def test_digest_body() -> None:
    """Each list has its entries with their times, and says how many more there are."""
    digest = Digest(SITES[:2], SITES[2:], ENDING, 12, 1, 1, NOW, 120)
    body = compose_digest(digest, "a", 1, Further("t", dashboard="https://d.example/")).body
    assert "As of 2026-11-20 12:00 UTC, of 120 sites\n" in body
    assert "FAILING\n-------\n* s2.example: HSTS missing\n  (since 2026-11-18 08:00 UTC, for 2 d 4 h)\n\n" in body
    assert "* s1.example: HSTS missing\n  (since 2026-11-19 08:00 UTC, for 1 d 4 h)\n... and 10 more\n" in body
    assert "* www.s1.example, of s1.example\n  (expires 2026-11-29 13:00 UTC, in 9 d 1 h)\n  Issuer: CN=R11\n" in body
    assert "Dashboard: https://d.example/\nAlert a, number 1 of Padlock itself.\n" in body
    assert "`digest: off`" in body
    assert "of an unknown number of sites" in compose_digest(EMPTY, "a", 1, FURTHER).body


def test_digest_for_machines_and_chat() -> None:
    """The JSON has lists and totals, the chat the first of each, the event no status: nobody's has changed."""
    told = compose_digest(Digest(SITES, (), ENDING, 12, 0, 1, NOW, 120), "a", 1, FURTHER)
    data, chat, event = (json.loads(text) for text in (told.data, told.chat, told.event))
    assert (data["kind"], data["site"], data["warnings_total"]) == ("digest", CHECKER, 12)
    assert data["certificates"][0]["expires"] == "2026-11-29T13:00:00Z"
    assert "• `s1.example`: `HSTS missing`, for 1 d 4 h" in chat["content"]["description"]
    assert "• and 9 more" in chat["content"]["description"]
    assert event["kind"] == "digest"
    assert event["summary"] == "weekly digest: 12 warnings, 1 certificate expires soon"
    assert not {"from", "to"} & event.keys()


@pytest.mark.parametrize("text", [HOSTILE, MARKUP, "😀" * 5000, "\x00" * 5000])
def test_outside_text_forges_nothing_in_a_digest(text: str) -> None:
    """Names, summaries and issuers are shown as one line each, and the whole fits."""
    sites = tuple(DigestSite(f"{n}{text}", NOW, text) for n in range(50))
    ending = tuple(DigestCertificate(f"{n}{text}", text, text, NOW) for n in range(50))
    told = compose_digest(Digest(sites, sites, ending, 50, 50, 50, NOW, 50), "a", 1, FURTHER)
    assert len(payload(told.subject, told.body, told.data).encode()) <= MAX_MESSAGE
    assert all(line.isprintable() for line in told.body.split("\n"))
    assert not re.search(r"^(Subject|OVER|-{4}$|\* all)", told.body, re.MULTILINE)
    description = json.loads(told.chat)["content"]["description"]
    assert len(description) < 3000
    assert not re.search(r"[<>@]", description)


def test_the_test_alert_says_that_it_is_one() -> None:
    """Nobody is frightened; it takes the way of errors, so that who filters by severity sees it as well."""
    told = compose_test("a", 4, NOW, Further("t", dashboard="https://d.example/"))
    assert told.subject == "[Padlock] test alert"
    assert told.severity == "error"
    assert "Sent at 2026-11-20 12:00 UTC\n\nThis is a test. Nothing is wrong" in told.body
    data, chat, event = (json.loads(text) for text in (told.data, told.chat, told.event))
    assert (data["kind"], data["checked_at"], event["kind"], event["seq"]) == (
        "test",
        "2026-11-20T12:00:00Z",
        "test",
        4,
    )
    assert chat["content"]["description"].endswith("This is a test. Nothing is wrong.")
    assert chat["content"]["nextSteps"] == ["Dashboard: https://d.example/"]
