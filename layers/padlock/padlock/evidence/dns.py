"""What DNS said (checklist steps 1 and 2)."""

from collections.abc import Mapping
from typing import Literal

import msgspec

type Rcode = Literal[
    "ok",
    "nodata",
    "nxdomain",
    "servfail",  # also every other error code; Lookup.detail names it
    "refused",
    "timeout",
    "truncated",
    "loop",
    "malformed",
    "not_asked",  # nothing was sent: not a vetted address, or no route from here; nothing about the server
]


class Lookup(msgspec.Struct, frozen=True):
    """What one resolver or authoritative server answered to one question."""

    name: str
    rdtype: str
    """A, AAAA, CNAME, NS, SOA..."""
    status: Rcode
    """`truncated`: TC was set and TCP failed. `loop`: the CNAME chain returns to itself."""
    records: tuple[str, ...] = ()
    """Data of the asked type, in their text form, sorted; at most 64."""
    count: int = 0
    """How many records there were, before the cap."""
    cnames: tuple[str, ...] = ()
    """Targets of the CNAME chain in order, A-labels without a trailing dot."""
    ttl: int | None = None
    """Least TTL of the answer, seconds; of the negative answer (SOA minimum) where there is none."""
    authoritative: bool = False
    """AA was set."""
    extended_error: str = ""
    """Extended DNS error (RFC 8914), such as `6 DNSSEC Bogus`."""
    detail: str = ""
    seconds: float = 0.0


class HostDns(msgspec.Struct, frozen=True):
    """The addresses of one host as the system's resolver gives them."""

    host: str
    a: Lookup
    aaaa: Lookup
    derived: bool = False
    """A sibling that was not declared."""
    refused: Mapping[str, str] = {}
    """Published address that nothing is sent to → the registry's name of its block."""
    unchecked: Lookup | None = None
    """The lookup that ended in SERVFAIL, made again with DNSSEC validation off (CD, RFC 4035 section 3.2.2)."""

    @property
    def addresses(self) -> tuple[str, ...]:
        """All published addresses, IPv4 first."""
        return self.a.records + self.aaaa.records

    @property
    def exists(self) -> bool:
        """Whether it has an address."""
        return bool(self.addresses)


class NameserverAnswer(msgspec.Struct, frozen=True):
    """What one address of one authoritative server says of one host."""

    nameserver: str
    address: str
    """Empty where the server's name has no usable address."""
    host: str
    a: Lookup
    aaaa: Lookup


class Zone(msgspec.Struct, frozen=True):
    """A zone that holds declared hosts."""

    apex: str
    hosts: tuple[str, ...]
    nameservers: tuple[str, ...]
    """Names of the delegated servers, sorted."""
    answers: tuple[NameserverAnswer, ...]
    second_look: tuple[NameserverAnswer, ...] = ()
    """The same questions again, only where the servers disagreed."""
    serials: Mapping[str, int] = {}
    """Address of a server → the serial of its copy of the zone (SOA), asked for after the second look."""
    apex_cname: str = ""
    """Target of a CNAME published at the apex, as an authoritative server gives it."""
    cname_with_other_data: Mapping[str, tuple[str, ...]] = {}
    """Host → types that an authoritative server publishes beside its CNAME."""
    failure: str = ""
    """Why the servers could not be asked; empty: they were."""


class PublicResolver(msgspec.Struct, frozen=True):
    """What a public resolver says of one host."""

    resolver: str
    """Its address."""
    host: str
    a: Lookup
    aaaa: Lookup
    unchecked: Lookup | None = None
    """As in HostDns."""


class Dns(msgspec.Struct, frozen=True):
    """Everything that DNS said."""

    hosts: tuple[HostDns, ...]
    """Declared and derived hosts, absent siblings included."""
    zones: tuple[Zone, ...] = ()
    public: tuple[PublicResolver, ...] = ()
    wildcard: Mapping[str, tuple[str, ...]] = {}
    """Host → addresses of a random name beside it; a derived sibling that equals them is no real host."""
    targets: Mapping[str, Lookup] = {}
    """Declared CNAME target → its address lookup."""

    def host(self, name: str) -> HostDns | None:
        """Return the host's addresses, if it was looked up."""
        return next((host for host in self.hosts if host.host == name), None)
