"""The chat message: Amazon Q Developer's schema, a thread per site, and no markup that came from outside."""

import json
import re
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from padlock.findings import CHECKER, Cause
from padlock.message import Further, compose
from padlock.message.chat import MAX_DESCRIPTION, bare, code, thread_of

from tests.message.changes import (
    CLOSED,
    EXPIRED,
    EXPIRED_WWW,
    FURTHER,
    LATER,
    LOOP,
    MARKUP,
    change_of,
    finding,
    message_of,
    of_kind,
    report,
)

SPAN = re.compile(r"`[^`]*`")


def chat_of(*reports: Any, **options: Any) -> dict[str, Any]:
    """Return the chat message of what the last of these reports changed."""
    told: dict[str, Any] = json.loads(message_of(*reports, **options).chat)
    return told


def test_the_schema() -> None:
    """Version and source are those that are asked for; every field is of its kind, and there is no other."""
    told = chat_of(report(EXPIRED))
    assert (told["version"], told["source"], told["id"]) == ("1.0", "custom", "a1b2")
    content, metadata = told["content"], told["metadata"]
    assert content["textType"] == "client-markdown"
    assert content.keys() == {"textType", "title", "description", "nextSteps", "keywords"}
    assert metadata.keys() == {"threadId", "summary", "eventType", "relatedResources", "additionalContext"}
    assert all(isinstance(text, str) for text in (*content["nextSteps"], *content["keywords"]))
    assert all(isinstance(text, str) for text in metadata["additionalContext"].values())
    assert re.fullmatch(r"[a-zA-Z0-9-]{1,100}", metadata["eventType"])
    # What a custom action's variable may hold.
    assert all(re.fullmatch(r"[\x21-\x7e]{1,1024}", text) for text in metadata["additionalContext"].values())


def test_what_a_person_reads() -> None:
    """Title, what is new and what was known, the fix, how to acknowledge, and the dashboard."""
    further = Further("t", dashboard="https://d.example/#x", place="eu-west-1")
    change = change_of(report(LOOP), report(LOOP, EXPIRED, EXPIRED_WWW, at=LATER))
    content = json.loads(compose(change, "a1b2", 7, further).chat)["content"]
    assert content["title"] == "example.com: certificate expired (2), 1 still open"
    assert content["description"].split("\n") == [
        "Checked at 2026-11-20 14:05 UTC, seen from eu-west-1.",
        "*New*",
        "• certificate expired: `example.com`, `www.example.com`: `expired 3 days ago`",
        "*Still open*",
        "• redirect loop: `www.example.com`: for 2 h 5 min",
    ]
    assert content["nextSteps"] == [
        "Fix: `sudo certbot renew`",
        "Acknowledge it for three days: `padlock ack example.com certificate.expired --for 3d`",
        "Dashboard: https://d.example/#x",
    ]
    assert content["keywords"] == ["error", "certificate.expired", "redirect.loop"]


def test_what_is_over_has_no_next_step() -> None:
    """The end says how long it lasted, and asks for nothing."""
    content = chat_of(report(EXPIRED), report(at=LATER))["content"]
    assert content["title"] == "example.com: resolved after 2 h 5 min"
    assert "*Over*\n• certificate expired: `example.com`: after 2 h 5 min" in content["description"]
    assert content["nextSteps"] == []


def test_a_cause_comes_with_its_fix() -> None:
    """The cause's fix is the one to try; what it only brings about stands below."""
    other = Cause("cause.y", "certain", "Something else.", "Do that.", (LOOP.code,))
    cause = Cause("cause.x", "certain", "A port is blocked.", "Open it.", (CLOSED.code,), (), (EXPIRED.label,))
    content = chat_of(msgspec.structs.replace(report(CLOSED, EXPIRED), causes=(cause,)))["content"]
    assert (
        "*Why*\n• `A port is blocked.` (certain)\n*New for that reason*\n• certificate exp" in content["description"]
    )
    assert content["nextSteps"][0] == "Fix: `Open it.`"
    both = msgspec.structs.replace(report(LOOP, CLOSED), causes=(other, cause))
    assert chat_of(report(LOOP), both)["content"]["nextSteps"][0] == "Fix: `Open it.`"


@pytest.mark.parametrize(
    ("kind", "part"),
    [
        ("flapping", "is not told until it settles"),
        ("settled", "Nothing has changed for an hour"),
        ("reminder", "still open"),
        ("removed", "nobody checks it any more"),
    ],
)
def test_each_occasion_is_explained(kind: str, part: str) -> None:
    """The kind is in the type, and in words."""
    told = json.loads(compose(of_kind(kind, change_of(report(EXPIRED)), flips=6), "a", 1, FURTHER).chat)
    assert part in told["content"]["description"]
    assert told["metadata"]["eventType"] == f"padlock-{kind}"


def test_one_thread_for_each_site() -> None:
    """The same site has the same thread in each alert, no other site has it, and it is made of safe characters."""
    names = ["a.b.example", "a-b.example", "A.b.example", "x" * 300, "x" * 299, "münchen.de", "", CHECKER, "\ud800"]
    threads = [thread_of(name) for name in names]
    assert len(set(threads)) == len(names)
    assert all(re.fullmatch(r"[a-z0-9-]{1,100}", thread) for thread in threads)
    alerts = chat_of(report(EXPIRED)), chat_of(report(EXPIRED), report(at=LATER + timedelta(days=40)))
    assert {alert["metadata"]["threadId"] for alert in alerts} == {thread_of("example.com")}


@pytest.mark.parametrize("field", ["observed", "remediation", "summary", "subject", "site"])
def test_outside_text_is_no_markup(field: str) -> None:
    """No text links, mentions or formats: it stands in code spans, or its special characters are replaced."""
    site = MARKUP if field == "site" else "example.com"
    texts: dict[str, Any] = {field: MARKUP} if field in ("observed", "remediation", "summary") else {}
    found = finding("x.y", MARKUP if field == "subject" else "example.com", **texts)
    content = chat_of(report(found, site=site))["content"]
    for text in (content["title"], *content["description"].split("\n"), *content["nextSteps"]):
        assert not re.search(r"[<>@]|&\w+;", text)
        assert not re.search(r"[*_~\[\]|`]|//|:\w+:", SPAN.sub("", text).replace("*New*", "").replace("*Fix*", ""))


def test_spans_and_bare_texts() -> None:
    """A span cannot be ended from inside, nor be empty; a command stays as it is typed."""
    assert code("nginx -t && systemctl reload nginx") == "`nginx -t && systemctl reload nginx`"
    assert code(" ` ") == "`'`"
    assert code("  ") == "`-`"
    assert len(code("x" * 500, 100)) == 102
    assert bare("[a](https://b) *c* :fire: &amp;") == "(a)(https:/ /b) ∗c∗ ∶fire: ＆amp;"  # noqa: RUF001


def test_a_long_description_ends_between_lines() -> None:
    """What does not fit is counted, and every span that begins is ended."""
    many = [finding(f"x.y{n}", f"h{n}.example.com", observed="`<" * 500) for n in range(40)]
    old = [finding(f"x.z{n}", f"h{n}.example.com", observed="\x00" * 500, summary="z" * 90) for n in range(40)]
    content = chat_of(report(*old), report(*old[:20], *many, at=LATER))["content"]
    description = content["description"]
    assert len(description) <= MAX_DESCRIPTION + 50
    assert "• and 35 more" in description
    assert all(line.count("`") % 2 == 0 for line in description.split("\n"))
    assert len(content["keywords"]) <= 6


def test_what_is_cut_is_said() -> None:
    """Lines that found no room are counted."""
    wide = [finding(f"x.{n}", "h" * 250, observed=f"{n}" * 270, summary=f"{n}" * 70) for n in range(5)]
    worse = [finding(f"y.{n}", "h" * 250, observed="o" * 270, summary=f"{n}" * 70) for n in range(5)]
    mild = [msgspec.structs.replace(each, severity=finding("x", severity="warning").severity) for each in worse]
    content = chat_of(report(*mild), report(*wide, *worse))["content"]
    assert re.search(r"\n… and \d lines more in the mail$", content["description"])
