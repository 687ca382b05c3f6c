"""compose: subjects that mail takes, bodies that read well, and no way for outside text to forge either."""

import json
import re
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from padlock.changes import Change, State, fold
from padlock.findings import Cause, Report
from padlock.message import MAX_MESSAGE, Further, Message, compose, fallback, payload, subject_of

from tests.reports import NOW, finding, report

EXPIRED = finding("certificate.expired")
EXPIRED_WWW = finding("certificate.expired", "www.example.com")
CLOSED = finding("port.https_closed")
LOOP = finding("redirect.loop", "www.example.com")
FURTHER = Further("padlock-Results", "padlock-CheckFunction-1AB")
LATER = NOW + timedelta(hours=2, minutes=5)
HOSTILE = "\x1b[31mred\x07 \u202egnp\u2066 one\r\nSubject: forged\n\nOVER\n----\x00\u2028* all is well \ud800"


def change_of(*reports: Report) -> Change:
    """Return what the last of these runs changed."""
    state, change = State(), None
    for one in reports:
        state, change = fold(state, one)
    assert change is not None
    return change


def message_of(*reports: Report) -> Message:
    """Return the message of what the last of these runs changed."""
    return compose(change_of(*reports), "a1b2", 7, FURTHER)


@pytest.mark.parametrize(
    ("reports", "subject"),
    [
        ([report(EXPIRED)], "certificate expired"),
        ([report(EXPIRED, CLOSED)], "certificate expired, and 1 more"),
        ([report(EXPIRED, EXPIRED_WWW)], "certificate expired (2)"),
        ([report(EXPIRED, EXPIRED_WWW), report()], "resolved: certificate expired (2)"),
        ([report(LOOP), report(LOOP, EXPIRED, CLOSED)], "certificate expired, and 1 more, 1 still open"),
        ([report(EXPIRED), report()], "resolved: certificate expired"),
        ([report(EXPIRED, CLOSED), report()], "resolved: certificate expired, and 1 more"),
        ([report(EXPIRED, CLOSED), report(CLOSED)], "resolved: certificate expired, 1 still open"),
        ([report(EXPIRED), report(CLOSED)], "port https_closed, 1 resolved"),
        (
            [report(EXPIRED), report(finding("certificate.expired", severity="warning"))],
            "resolved: certificate expired (now a warning)",
        ),
    ],
)
def test_subject_says_what_happened(reports: list[Report], subject: str) -> None:
    """The subject names the site and what happened to it."""
    assert subject_of(change_of(*reports)) == f"[Padlock] example.com: {subject}"


@pytest.mark.parametrize("site", ["a" * 63 + "." + "b" * 63 + ".example.com", "ex\nample.com", "münchen.de", HOSTILE])
@pytest.mark.parametrize("summary", ["expired", "x" * 300, HOSTILE, "ünïcode"])
def test_subject_is_always_one_short_ascii_line(site: str, summary: str) -> None:
    """No site name and no text makes a subject that SNS refuses or that a mail's header breaks at."""
    subject = message_of(report(finding("x.y", site, summary=summary), site=site)).subject
    assert re.fullmatch(r"[ -~]{20,99}", subject)
    assert subject.startswith("[Padlock] ")


def test_body_has_what_a_person_needs() -> None:
    """The text names what is new, what was seen, why it matters, the fix, what is still open, and where to look."""
    body = message_of(report(LOOP), report(LOOP, EXPIRED, at=LATER)).body
    for part in (
        "example.com: certificate expired, 1 still open",
        "Checked at 2026-11-20 14:05 UTC",
        "* certificate expired: example.com",
        "(certificate.expired, error; checklist step 8)",
        "Seen: expired 3 days ago",
        "Expected: a valid certificate",
        "Why it matters: Browsers refuse to open the site.",
        "Fix: sudo certbot renew",
        "Reference: RFC 5280",
        "* redirect loop: www.example.com\n  (redirect.loop, error; since 2026-11-20 12:00 UTC)",
        "Look again:  aws lambda invoke --function-name padlock-CheckFunction-1AB",
        '--payload \'{"site": "example.com"}\' /dev/stdout',
        "aws dynamodb get-item --table-name padlock-Results",
        "Alert a1b2, number 7",
    ):
        assert part in body
    assert body.index("NEW\n") < body.index("STILL OPEN\n")


def test_body_of_the_end_says_how_long_it_lasted() -> None:
    """A resolved finding is told with its duration, and that nothing else is open."""
    body = message_of(report(EXPIRED), report(finding("app.slow", severity="warning"), at=LATER)).body
    assert "OVER\n----\n* certificate expired: example.com\n  (certificate.expired; over after 2 h 5 min" in body
    assert "No error is open now." in body
    assert "Also in the report, not urgent: 1 warning." in body


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
    """A cause stands above what is still open, with its fix."""
    cause = Cause("cause.renewal_broken", "likely", "Renewal stopped.", "sudo certbot renew --dry-run", ("x",))
    judged = report(EXPIRED)
    change = change_of(msgspec.structs.replace(judged, causes=(cause,)))
    body = compose(change, "a", 1, Further("t")).body
    assert "* Renewal stopped. (likely; cause.renewal_broken)\n  Fix: sudo certbot renew --dry-run" in body


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


def test_half_a_recipe_is_none() -> None:
    """Commands of which one is too long to be shown whole are not shown: somebody would run the others."""
    cause = Cause("cause.x", "certain", "Why.", "Fix.", (), ("true", "x" * 5000))
    change = change_of(msgspec.structs.replace(report(CLOSED), causes=(cause,)))
    assert "As root" not in compose(change, "a", 1, Further("t")).body


FIELDS = ("observed", "expected", "impact", "remediation", "reference", "summary")


@pytest.mark.parametrize("field", [*FIELDS, "subject", "site"])
def test_outside_text_forges_nothing(field: str) -> None:
    """No text brings a control character, a bidirectional control, or a line of its own to the margin."""
    site = HOSTILE if field == "site" else "example.com"
    subject = HOSTILE if field == "subject" else "example.com"
    texts: dict[str, Any] = {field: HOSTILE} if field in FIELDS else {}
    sent = message_of(report(finding("x.y", subject, **texts), site=site))
    assert all(line.isprintable() for line in sent.body.split("\n"))
    assert not re.search(r"^(Subject|OVER|-{4}|\* all)", sent.body, re.MULTILINE)
    assert "\u202e" not in json.dumps(json.loads(sent.data), ensure_ascii=False)
    payload(sent.subject, sent.body, sent.data).encode()


@pytest.mark.parametrize("site", ["x'; rm -rf ~; '.example", "$(id).example", HOSTILE])
def test_no_command_is_made_of_a_name_that_is_no_host(site: str) -> None:
    """The commands to copy are left out where the name could be a part of the command line."""
    body = message_of(report(EXPIRED, site=site)).body
    assert "aws " not in body


def test_data_is_for_machines() -> None:
    """The JSON has the alert's id, number, statuses, and every finding with its fields."""
    data = json.loads(message_of(report(EXPIRED)).data)
    assert (data["alert_id"], data["seq"], data["site"]) == ("a1b2", 7, "example.com")
    assert (data["from"], data["to"], data["severity"]) == ("unknown", "error", "error")
    assert data["opened"][0]["code"] == "certificate.expired"
    assert data["opened"][0]["since"] == "2026-11-20T12:00:00Z"
    assert data["counts"]["opened"] == 1


def test_payload_gives_each_protocol_its_form() -> None:
    """People get text, queues and functions JSON, and a phone the subject."""
    texts = json.loads(payload("s", "body\n", '{"a": 1}'))
    assert (texts["default"], texts["email"], texts["sms"]) == ("body\n", "body\n", "s")
    assert {texts[name] for name in ("sqs", "lambda", "http", "https", "email-json", "firehose")} == {'{"a": 1}'}


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


def test_fallback_is_plain_ascii() -> None:
    """What goes out where a message is refused has nothing that could be refused again."""
    assert re.fullmatch(r"[ -~\n]+", fallback(HOSTILE, "[Padlock] ü: x", "a1b2"))


def test_no_look_again_at_a_wrong_declaration() -> None:
    """A declaration that cannot be read cannot be checked again; nor can anything where there is no function."""
    wrong = report(finding("site.invalid"))
    assert "Look again" not in message_of(wrong).body
    assert "Look again" not in compose(change_of(report(EXPIRED)), "a", 1, Further("t")).body


def test_time_in_the_owners_zone() -> None:
    """The time of the check is repeated as the owner's clock shows it; an unknown zone costs nothing."""
    judged = report(EXPIRED)
    for zone, shown in (("Europe/Berlin", " (13:00 Europe/Berlin)"), ("UTC", ""), ("No/Where", "")):
        change = change_of(msgspec.structs.replace(judged, timezone=zone))
        assert f"Checked at 2026-11-20 12:00 UTC{shown}\n" in compose(change, "a", 1, FURTHER).body
