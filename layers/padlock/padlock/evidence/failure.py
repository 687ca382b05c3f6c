"""An attempt that did not succeed, as data."""

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


class Failure(msgspec.Struct, frozen=True):
    """An attempt that did not succeed, as data."""

    kind: FailureKind
    detail: str = ""
    """The phase, alert name or banner; printable, at most 300 characters."""

    @property
    def is_ours(self) -> bool:
        """Whether it says nothing about the site."""
        return self.kind in OURS
