"""What was observed of one site, failures of the remote side included.

Evidence is plain data: it serialises to JSON and back, equal, and a report can be recomputed from it at any
time with the clock that it carries. None means "not gathered". All text in it comes from outside and is
hostile: it is bounded here and escaped where it is shown.
"""

from collections.abc import Hashable, Mapping
from datetime import datetime
from functools import cached_property
from typing import Any

import msgspec

from padlock.evidence.caa import CaaRecord, CaaSet
from padlock.evidence.dns import Dns, HostDns, Lookup, NameserverAnswer, PublicResolver, Rcode, Zone
from padlock.evidence.failure import OURS, Failure, FailureKind
from padlock.evidence.host import (
    NO_SUCH_COMMAND,
    TIMED_OUT,
    Certbot,
    CertificateFile,
    Directive,
    FileFault,
    Filter,
    Host,
    Lineage,
    Listener,
    LogTail,
    Nginx,
    Ran,
    RenewalTest,
    RenewalTimer,
    Upstream,
)
from padlock.evidence.http import Chain, ChainEnd, Exchange, Hop, Http, Place, Purpose, SelfReference
from padlock.evidence.page import Asset, AssetKind, Mix, Page, Reference
from padlock.evidence.registration import Registration
from padlock.evidence.renewal import Challenge, Logged, Renewal, RenewalInformation, Search, organisation
from padlock.evidence.tls import (
    Certificate,
    Handshake,
    ObsoleteOffer,
    PortState,
    Revocation,
    RevocationStatus,
    Tls,
    TrustStatus,
    Verification,
)
from padlock.site import Site

__all__ = [
    "NO_SUCH_COMMAND",
    "OURS",
    "TIMED_OUT",
    "Asset",
    "AssetKind",
    "CaaRecord",
    "CaaSet",
    "Certbot",
    "Certificate",
    "CertificateFile",
    "Chain",
    "ChainEnd",
    "Challenge",
    "Directive",
    "Dns",
    "Evidence",
    "Exchange",
    "Failure",
    "FailureKind",
    "FileFault",
    "Filter",
    "Handshake",
    "Hop",
    "Host",
    "HostDns",
    "Http",
    "Lineage",
    "Listener",
    "LogTail",
    "Logged",
    "Lookup",
    "Mix",
    "NameserverAnswer",
    "Nginx",
    "ObsoleteOffer",
    "Page",
    "Place",
    "PortState",
    "PublicResolver",
    "Purpose",
    "Ran",
    "Rcode",
    "Reference",
    "Registration",
    "Renewal",
    "RenewalInformation",
    "RenewalTest",
    "RenewalTimer",
    "Revocation",
    "RevocationStatus",
    "Search",
    "SelfReference",
    "Tls",
    "TrustStatus",
    "Upstream",
    "Verification",
    "Zone",
    "decode",
    "encode",
    "organisation",
]


class Evidence(msgspec.Struct, frozen=True, dict=True):
    """Everything gathered about one site in one run. None: not gathered."""

    site: Site
    gathered_at: datetime
    """UTC, when the run started."""
    dns: Dns | None = None
    ports: tuple[PortState, ...] | None = None
    tls: Tls | None = None
    http: Http | None = None
    page: tuple[Page, ...] | None = None
    """The front page of each host, and its health page, each distinct one once."""
    renewal: Renewal | None = None
    registration: tuple[Registration, ...] | None = None
    """One per registrable domain of the site's hosts."""
    caa: Mapping[str, CaaSet] | None = None
    """Name → its CAA records, for each host and every name above it."""
    host: tuple[Host, ...] | None = None
    """One per machine that was audited for the site."""
    timings: Mapping[str, float] = {}
    """Phase → seconds."""
    vantage: Mapping[str, str] = {}
    """Where it was seen from: region, resolver, ipv4 and ipv6 (`yes` or `no`)."""
    incomplete: str = ""
    """Why gathering ended early (the deadline); empty: it did not."""

    @cached_property
    def hosts(self) -> tuple[str, ...]:
        """The hosts that are judged: the declared ones, looked up or not, and the derived siblings that exist."""
        declared = self.site.hosts or (self.site.name,)
        found = [h.host for h in self.dns.hosts if not h.derived or h.exists] if self.dns else []
        return (*found, *(host for host in declared if host not in found))

    @cached_property
    def known(self) -> dict[Hashable, Any]:
        """What the rules have worked out of it so far; no part of its value, neither written nor compared."""
        return {}


def encode(evidence: Evidence) -> bytes:
    """Return the evidence as JSON."""
    return msgspec.json.encode(evidence)


def decode(data: bytes | str) -> Evidence:
    """Return the evidence of a JSON document; msgspec.ValidationError where it is none."""
    return msgspec.json.decode(data, type=Evidence)
