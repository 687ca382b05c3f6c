"""An attempt that did not succeed, as data, and in the words in which people are told of it."""

from collections.abc import Mapping
from typing import Literal

import msgspec

type FailureKind = Literal[
    "refused",  # TCP connection refused
    "timeout",  # no answer in time; detail names the phase
    "reset",  # connection reset; detail names the phase
    "unreachable",  # no route to host or network, an ICMP error
    "no_route",  # this vantage point has no route of that kind: nothing about the site
    "not_vetted",  # the address may not be connected to; nothing was sent
    "alert",  # a TLS alert; detail is its name
    "not_tls",  # no TLS record came back; detail is the banner
    "tls",  # any other TLS failure
    "protocol_error",  # the peer broke HTTP
    "incomplete_body",
    "closed",  # closed before an answer
    "deadline",  # our own time for the site ran out: nothing about the site
    "internal",  # a fault of ours: nothing about the site
]
OURS: frozenset[str] = frozenset({"no_route", "not_vetted", "deadline", "internal"})
"""Failures that say nothing about the site."""

_WORDS: Mapping[str, str] = {
    "refused": "the connection is refused: nothing listens there",
    "timeout": "no answer to the connection: a firewall drops it, or the machine is off",
    "reset": "the connection is reset while it opens: a firewall rejects it, or a proxy has no backend",
    "unreachable": "the network reports that it cannot be reached",
    "no_route": "this vantage point has no route of that kind",
    "not_vetted": "the address may not be connected to, nothing was sent",
    "closed": "the server closes the connection",
    "alert": "the server ends the TLS handshake with an alert",
    "not_tls": "what answers is not TLS",
    "tls": "the TLS handshake fails",
    "protocol_error": "no valid answer",
    "incomplete_body": "the answer ends too early",
    "deadline": "the time for this site ran out before it was looked at",
    "internal": "a fault of Padlock's",
}
"""Failures in words; a timeout and a reset while connecting."""
_LATE: Mapping[str, str] = {
    "tls": "the connection opens, but the TLS handshake is not answered in time",
    "headers": "the connection opens, but the headers of the answer do not come in time",
    "body": "the body of the answer does not come whole in time",
}
_BROKEN: Mapping[str, str] = {"reset": "the connection is reset", "unreachable": "the connection breaks off"}
_PHASES: Mapping[str, str] = {
    "tls": "during the TLS handshake",
    "headers": "before the headers of the answer are complete",
    "body": "within the body of the answer",
}
"""What a connection that had opened failed in."""


class Failure(msgspec.Struct, frozen=True):
    """An attempt that did not succeed, as data."""

    kind: FailureKind
    detail: str = ""
    """The phase, alert name or banner; printable, at most 300 characters."""

    @property
    def is_ours(self) -> bool:
        """Whether it says nothing about the site."""
        return self.kind in OURS

    @property
    def words(self) -> str:
        """What happened, for people: what had opened before it failed is told apart from what never opened."""
        phase = self.detail.partition(":")[0]
        if phase in _LATE and self.kind == "timeout":
            return _LATE[phase]
        if phase in _PHASES:
            return f"{_BROKEN.get(self.kind, _WORDS[self.kind])} {_PHASES[phase]}"
        if self.kind == "protocol_error" and phase == "tls record":
            return "a TLS record comes in place of an HTTP answer"
        if self.detail in ("", "connect"):
            return _WORDS[self.kind]
        if self.kind in ("refused", "timeout", "reset", "tls"):
            return self.detail
        if self.kind == "unreachable":
            return f"it cannot be reached: {self.detail}"
        return f"{_WORDS[self.kind]}: {self.detail}"
