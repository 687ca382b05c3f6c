"""Change → the alert that tells of it: mail, JSON for machines, chat message and event.

Everything that came from outside is shown as one line of printable characters, so that nothing a server sends can
forge a line, reorder one, or break a mail's header. SNS asks of a message: at most 256 KB, all protocols' texts
together.
"""

import json
from datetime import datetime

from padlock.changes import Change
from padlock.digest import Digest
from padlock.message.announcements import digest_message, trial_message
from padlock.message.body import body_of
from padlock.message.chat import chat_of
from padlock.message.machines import data_of, event_of
from padlock.message.subject import subject_of
from padlock.message.types import Further, Message
from padlock.message.words import ascii_only

__all__ = [
    "CAPS",
    "MAX_MESSAGE",
    "Further",
    "Message",
    "compose",
    "compose_digest",
    "compose_test",
    "fallback",
    "payload",
    "subject_of",
]

MAX_MESSAGE = 200_000
"""Octets of a message; SNS's limit is 262,144, message attributes included."""
CAPS = ((20, 1200), (10, 400), (5, 150), (2, 60), (1, 30))
"""Findings of one section and characters of one text that are shown; the next pair where a message is too large."""
SEVERITY = "error"
"""Of every alert of a site: only errors make one, and who hears of an error hears of its end."""
FOR_MACHINES = ("email-json", "sqs", "lambda", "http", "https", "firehose")


def compose(change: Change, alert_id: str, seq: int, further: Further) -> Message:
    """Return the message of a change."""
    event = event_of(change, alert_id, seq)
    if change.kind == "status":
        return Message("", "", "", "", event, "notice")
    subject = subject_of(change)
    for shown, characters in CAPS:
        body = body_of(change, alert_id, seq, further, shown, characters)
        data = data_of(change, subject, alert_id, seq, SEVERITY, shown, characters)
        if _fits(subject, body, data):
            break
    return Message(subject, body, data, chat_of(change, alert_id, seq, further), event, SEVERITY)


def compose_digest(digest: Digest, alert_id: str, seq: int, further: Further) -> Message:
    """Return the message of a weekly digest."""
    for shown, characters in ((len(digest.warnings) + len(digest.failing) + len(digest.certificates), 1200), *CAPS):
        message = digest_message(digest, alert_id, seq, further, shown, characters)
        if _fits(message.subject, message.body, message.data):
            break
    return message


def compose_test(alert_id: str, seq: int, at: datetime, further: Further) -> Message:
    """Return the message that shows that alerts arrive."""
    return trial_message(alert_id, seq, at, further)


def payload(subject: str, body: str, data: str) -> str:
    """Return SNS's message of structure `json`: text for people, data for machines."""
    texts = {"default": body, "email": body, "sms": subject} | dict.fromkeys(FOR_MACHINES, data)
    return json.dumps(texts, ensure_ascii=False)


def fallback(site: str, subject: str, alert_id: str) -> str:
    """Return the plain ASCII text that goes out where the message itself is refused for good."""
    return (
        f"{ascii_only(subject)}\n\nThe full text of this alert could not be sent. It is stored in the results table, "
        f"site {ascii_only(site)[:300]}, alert {ascii_only(alert_id)}.\n"
    )


def _fits(subject: str, body: str, data: str) -> bool:
    return len(payload(subject, body, data).encode()) <= MAX_MESSAGE
