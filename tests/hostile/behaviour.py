"""What a hostile behaviour is: where it lives, what serves it, and what a check must make of it."""

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import msgspec
from padlock.evidence import Evidence
from padlock.findings import Report

from tests.issuers import Issuer


class Place(msgspec.Struct, frozen=True):
    """Where one behaviour lives, on the servers' side of the lab."""

    host: str
    """The site's host name."""
    address: str
    """Its IPv4 address, which looks public; servers bind here, ports 80, 443 and for hostile DNS 53."""
    address6: str
    """Its IPv6 address, which looks public too; only a zone of the behaviour's own names it."""
    pki: Issuer
    """An authority that the checker trusts, alive now."""
    directory: Path
    """An empty directory of its own."""


class Outcome(msgspec.Struct, frozen=True):
    """What became of a check of a hostile site."""

    evidence: Evidence
    report: Report
    seconds: float
    """Wall clock from the handler's call to its return."""
    peak: int
    """Bytes of memory above what the handler's process held before the call."""


class Behaviour(msgspec.Struct, frozen=True):
    """One row of the table: a site that misbehaves in one way."""

    name: str
    """Also the label of its host: `slow-headers`."""
    promise: str
    """What it must yield, in the words of the promise: `slow headers → timeout(headers)`."""
    serve: Callable[[Place], AbstractAsyncContextManager[None]]
    """Runs its servers, in the servers' namespace: asyncio ones or child processes."""
    expected: str
    """What must be seen."""
    seen: Callable[[Outcome], str]
    """Says what was seen, as short text; the row is right where it equals `expected`."""
    declared: Mapping[str, object] = {}
    """Further keys of the site's declaration."""
    zone: Callable[[Place], str] | None = None
    """The records of its own zone, which `serve` then answers for on port 53 of its address, where the zone is
    delegated to; None: the lab serves an ordinary A record of its address."""
    slow: bool = False
    """It takes the site's whole deadline, or much of a processor, and is not among the quick ones."""
