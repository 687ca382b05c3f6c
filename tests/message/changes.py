"""Changes as short as a test needs them, and texts that mean harm."""

from collections.abc import Sequence
from datetime import timedelta

import msgspec
from padlock.changes import Change, Policy, State, fold
from padlock.findings import CHECKER, Report
from padlock.message import Further, Message, compose

from tests.reports import NOW, finding, report

__all__ = ["CHECKER", "NOW", "finding", "report"]

EXPIRED = finding("certificate.expired")
EXPIRED_WWW = finding("certificate.expired", "www.example.com")
CLOSED = finding("port.https_closed")
LOOP = finding("redirect.loop", "www.example.com")
FURTHER = Further("padlock-Results", "padlock-CheckFunction-1AB")
LATER = NOW + timedelta(hours=2, minutes=5)
AT_ONCE = Policy(failures=1, successes=1)
HOSTILE = "\x1b[31mred\x07 \u202egnp\u2066 one\r\nSubject: forged\n\nOVER\n----\x00\u2028* all is well \ud800"
MARKUP = "<!here> @channel <https://evil.example|click> [a](http://evil.example) *b* _i_ `code` &lt;!here&gt; :fire:"


def change_of(*reports: Report, policy: Policy = AT_ONCE) -> Change:
    """Return what the last of these runs changed."""
    state, change = State(), None
    for one in reports:
        state, change = fold(state, (one,), policy)
    assert change is not None
    return change


def message_of(*reports: Report, policy: Policy = AT_ONCE) -> Message:
    """Return the message of what the last of these runs changed."""
    return compose(change_of(*reports, policy=policy), "a1b2", 7, FURTHER)


def of_kind(kind: str, change: Change, **fields: object) -> Change:
    """Return the change as another occasion tells of it."""
    return msgspec.structs.replace(change, kind=kind, **fields)


def margin(body: str, width: int) -> Sequence[str]:
    """Return the lines that begin after exactly so many spaces."""
    return [line[width:] for line in body.split("\n") if line and len(line) - len(line.lstrip(" ")) == width]
