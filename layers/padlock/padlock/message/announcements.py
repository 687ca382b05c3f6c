"""The weekly digest and the test alert: messages of no site's change."""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec

from padlock.digest import AHEAD_DAYS, Digest, DigestCertificate, DigestSite
from padlock.findings import CHECKER
from padlock.message.body import dashboard_of
from padlock.message.chat import code, notification
from padlock.message.machines import escaped, fitted_event
from padlock.message.sections import heading
from padlock.message.subject import MAX_TITLE, PREFIX
from padlock.message.types import Further, Message
from padlock.message.words import counted, lasted, stated, wrapped
from padlock.render.escape import printable

CHAT_SHOWN = 5
"""Sites and certificates of one list that a chat message shows."""
_TEST = (
    "This is a test. Nothing is wrong: somebody asked with `padlock test-alert` whether alerts arrive. This one went "
    "the way that all of them go: written to the results table, published by the notify function, sent by Amazon SNS."
)


def digest_subject(digest: Digest) -> str:
    """Return the one line that says how much there is in each list."""
    ending = digest.certificates_total
    told = [
        f"{digest.failing_total} failing" if digest.failing_total else "",
        counted(digest.warnings_total, "warning") if digest.warnings_total else "",
        f"{counted(ending, 'certificate')} expire{'s' if ending == 1 else ''} soon" if ending else "",
    ]
    return f"{PREFIX}weekly digest: {', '.join(filter(None, told)) or 'nothing to report'}"[:MAX_TITLE]


def digest_message(digest: Digest, alert_id: str, seq: int, further: Further, shown: int, characters: int) -> Message:
    """Return the digest's message, with so many entries of each list and characters of each of their texts."""
    subject = digest_subject(digest)
    told = subject.removeprefix(PREFIX)
    number = "an unknown number of sites" if digest.sites_total is None else counted(digest.sites_total, "site")
    lines = [
        told[0].upper() + told[1:],
        f"As of {stated(digest.at)}, of {number}",
        "",
        *_sites("FAILING", digest.failing, digest.failing_total, digest.at, shown, characters),
        *_sites("WARNINGS", digest.warnings, digest.warnings_total, digest.at, shown, characters),
        *_certificates(digest, shown, characters),
        *wrapped(
            "This digest comes once a week. `digest: off` in a site's declaration leaves that site out of it.",
            rest="",
        ),
        "",
        *_closing(alert_id, seq, further),
    ]
    built = msgspec.to_builtins(digest)
    lists = {name: built[name][:shown] for name in ("failing", "warnings", "certificates")}
    data = _head("digest", alert_id, seq, subject, digest.at, "warning") | escaped(built | lists, characters, shown)
    chat = notification(
        CHECKER,
        ("digest", alert_id, seq),
        (f"Padlock: {told}", told),
        [f"As of {stated(digest.at)}.", *_chat_lists(digest)],
        _dashboard(further),
        keywords=("digest",),
        context={},
    )
    return Message(
        subject,
        "\n".join(lines) + "\n",
        json.dumps(data, ensure_ascii=False),
        chat,
        _event("digest", alert_id, seq, digest.at, told),
        "warning",
    )


def trial_message(alert_id: str, seq: int, at: datetime, further: Further) -> Message:
    """Return the message that shows that alerts arrive; it takes the way of errors, whatever subscribers filter."""
    subject = f"{PREFIX}test alert"
    lines = [
        "Test alert",
        f"Sent at {stated(at)}",
        "",
        *wrapped(_TEST, rest=""),
        "",
        *_closing(alert_id, seq, further),
    ]
    chat = notification(
        CHECKER,
        ("test", alert_id, seq),
        ("Padlock: test alert", "test alert"),
        [f"Sent at {stated(at)}.", "This is a test. Nothing is wrong."],
        _dashboard(further),
        keywords=("test",),
        context={},
    )
    data = _head("test", alert_id, seq, subject, at, "error")
    return Message(
        subject,
        "\n".join(lines) + "\n",
        json.dumps(data, ensure_ascii=False),
        chat,
        _event("test", alert_id, seq, at, "test alert"),
        "error",
    )


def _sites(
    title: str, sites: Sequence[DigestSite], total: int, now: datetime, shown: int, characters: int
) -> Iterable[str]:
    if not total:
        return
    yield from heading(title)
    for entry in sites[:shown]:
        yield from wrapped(f"{printable(entry.site, characters)}: {printable(entry.summary, characters)}", "* ")
        yield f"  (since {stated(entry.since)}, for {lasted(now - entry.since)})"
    yield from _rest(total - len(sites[:shown]))


def _certificates(digest: Digest, shown: int, characters: int) -> Iterable[str]:
    if not digest.certificates_total:
        return
    yield from heading(f"CERTIFICATES THAT EXPIRE WITHIN {AHEAD_DAYS} DAYS")
    for entry in digest.certificates[:shown]:
        host = printable(entry.host, characters)
        of = "" if entry.host == entry.site else f", of {printable(entry.site, characters)}"
        yield from wrapped(f"{host}{of}", "* ")
        yield f"  (expires {stated(entry.expires)}, {_left(entry, digest.at)})"
        yield from wrapped(printable(entry.issuer, characters), "  Issuer: ")
    yield from _rest(digest.certificates_total - len(digest.certificates[:shown]))


def _left(entry: DigestCertificate, now: datetime) -> str:
    return f"in {lasted(entry.expires - now)}" if entry.expires > now else "expired"


def _rest(more: int) -> Iterable[str]:
    if more > 0:
        yield f"... and {more} more"
    yield ""


def _chat_lists(digest: Digest) -> Iterable[str]:
    for title, sites, total in (
        ("Failing", digest.failing, digest.failing_total),
        ("Warnings", digest.warnings, digest.warnings_total),
    ):
        if total:
            yield f"*{title}*"
            for entry in sites[:CHAT_SHOWN]:
                told = code(entry.summary, 120)
                yield f"• {code(entry.site, 120)}: {told}, for {lasted(digest.at - entry.since)}"
            yield from _chat_rest(total - len(sites[:CHAT_SHOWN]))
    if digest.certificates_total:
        yield f"*Certificates that expire within {AHEAD_DAYS} days*"
        for each in digest.certificates[:CHAT_SHOWN]:
            yield f"• {code(each.host, 120)}: {stated(each.expires)}, {_left(each, digest.at)}"
        yield from _chat_rest(digest.certificates_total - len(digest.certificates[:CHAT_SHOWN]))


def _chat_rest(more: int) -> Iterable[str]:
    if more > 0:
        yield f"• and {more} more"


def _dashboard(further: Further) -> list[str]:
    dashboard = dashboard_of(further)
    return [f"Dashboard: {dashboard}"] if dashboard else []


def _closing(alert_id: str, seq: int, further: Further) -> Iterable[str]:
    yield from _dashboard(further)
    yield f"Alert {alert_id}, number {seq} of Padlock itself."


def _head(kind: str, alert_id: str, seq: int, subject: str, at: datetime, severity: str) -> dict[str, Any]:
    return {
        "alert_id": alert_id,
        "seq": seq,
        "subject": subject,
        "severity": severity,
        "site": CHECKER,
        "kind": kind,
        "checked_at": msgspec.to_builtins(at),
    }


def _event(kind: str, alert_id: str, seq: int, at: datetime, summary: str) -> str:
    """Return an event's detail without `from` and `to`: nobody's status has changed."""
    return fitted_event(
        {
            "site": CHECKER,
            "kind": kind,
            "alert_id": alert_id,
            "seq": seq,
            "checked_at": msgspec.to_builtins(at),
            "summary": summary,
            "labels": {},
            "opened": [],
            "resolved": [],
            "causes": [],
        }
    )
