"""What was observed of one site, failures of the remote side included.

Evidence is plain data: it serialises to JSON and back, equal, and a report can be recomputed from it at any
time with the clock that it carries. None means "not gathered". All text in it comes from outside and is
hostile: it is bounded here and escaped where it is shown.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Literal

import msgspec

from padlock.site import Site

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


class PortState(msgspec.Struct, frozen=True):
    """What one TCP port of one address does."""

    host: str
    address: str
    port: int
    scheme: Literal["http", "https"]
    failure: Failure | None = None
    """None: the connection opened."""
    confirmed: bool = False
    """The failure was seen twice."""
    connect_seconds: float = 0.0


class Certificate(msgspec.Struct, frozen=True):
    """One X.509 certificate as served (RFC 5280)."""

    sha256: str
    """Hex digest of its DER form; the key of Tls.certificates."""
    subject: str
    """RFC 4514 form."""
    issuer: str
    serial: str
    """Upper-case hexadecimal, as openssl prints it."""
    not_before: datetime | None = None
    not_after: datetime | None = None
    dns_names: tuple[str, ...] = ()
    """SAN dNSNames; at most 1,000 kept."""
    dns_name_count: int = 0
    ip_addresses: tuple[str, ...] = ()
    common_name: str = ""
    key: str = ""
    """rsa, ec, ed25519, ed448, dsa."""
    key_bits: int = 0
    curve: str = ""
    signature_hash: str = ""
    """md5, sha1, sha256...; empty where the scheme has none of its own."""
    is_ca: bool = False
    is_self_signed: bool = False
    """Subject is issuer and its own key made the signature."""
    size: int = 0
    """Octets of the DER form."""
    ca_issuers: tuple[str, ...] = ()
    """AIA caIssuers URLs."""
    malformed: str = ""
    """Why it could not be parsed; then only sha256 and size are set."""


type TrustStatus = Literal["trusted", "expired", "self_signed", "unknown_issuer", "incomplete", "weak", "invalid"]


class Verification(msgspec.Struct, frozen=True):
    """One look at one distinct chain, against the public roots and the site's private CA."""

    chain: tuple[str, ...]
    """Digests as sent, the leaf first."""
    status: TrustStatus
    """`incomplete`: it verifies once the missing intermediate is fetched from its AIA URL."""
    detail: str = ""
    """OpenSSL's reason, and at which certificate."""
    path: tuple[str, ...] = ()
    """Subjects of the verified path, the leaf first."""
    path_not_after: datetime | None = None
    """Earliest expiry on the verified path."""
    missing_issuer: str = ""
    """Name of the issuer that was neither sent nor known."""
    private: bool = False
    """Trusted through the site's private CA."""


class Handshake(msgspec.Struct, frozen=True):
    """One TLS handshake with one address."""

    host: str
    address: str
    port: int
    sni: str
    """Empty: no server_name was sent (the look at the default certificate)."""
    failure: Failure | None = None
    protocol: str = ""
    """TLSv1.3 and so on."""
    cipher: str = ""
    alpn: str = ""
    """What is spoken to a visitor that offers both: h2 or http/1.1; empty: that was not learned."""
    chain: tuple[str, ...] = ()
    """Digests of the certificates sent, the leaf first."""
    chain_truncated: bool = False
    """More certificates were sent than are kept."""
    client_certificate: bool = False
    """The server demands a client certificate."""
    seconds: float = 0.0
    confirmed: bool = False
    """The failure was seen twice."""


class Tls(msgspec.Struct, frozen=True):
    """Every handshake, each certificate once, each chain verified once."""

    handshakes: tuple[Handshake, ...]
    certificates: Mapping[str, Certificate]
    verifications: tuple[Verification, ...] = ()

    def verification(self, chain: tuple[str, ...]) -> Verification | None:
        """Return the look at this chain."""
        return next((look for look in self.verifications if look.chain == chain), None)

    def named(self) -> Iterator[Handshake]:
        """Yield the handshakes with SNI: what visitors meet."""
        return (handshake for handshake in self.handshakes if handshake.sni)

    def leaf(self, handshake: Handshake) -> Certificate | None:
        """Return the leaf that a handshake served."""
        return self.certificates.get(handshake.chain[0]) if handshake.chain else None


type Purpose = Literal["front", "health", "deep", "random_host", "hop"]


class Exchange(msgspec.Struct, frozen=True):
    """One HTTP request to one pinned address, and what came back."""

    url: str
    """As asked: scheme, host, port unless it is the scheme's, path and query."""
    host: str
    """The name in the Host header sent, without a port."""
    address: str
    purpose: Purpose
    """`front` /, `health` the health path, `deep` a path with a query that nothing owns, `random_host` the
    default server under a name that it cannot know, `hop` a redirect's target."""
    failure: Failure | None = None
    status: int | None = None
    headers: tuple[tuple[str, str], ...] = ()
    """Names in lower case, in the order sent; at most 100."""
    body: str = ""
    """The beginning, decoded with replacement; at most 16 KB."""
    body_sha256: str = ""
    """Of what was read, up to 1 MB."""
    body_size: int = 0
    truncated: bool = False
    title: str = ""
    found: tuple[str, ...] = ()
    """Which of the declared texts (expect.contains, health.contains) stand anywhere in what was read, beyond the
    16 KB too."""
    seconds: Mapping[str, float] = {}
    """Phases connect, tls, first_byte, total; no connect and tls where a connection was used again."""
    confirmed: bool = False
    """The failure, or a status of 500 and above, was seen twice."""

    def header(self, name: str) -> str | None:
        """Return the first value of a header, by its lower-case name."""
        return next((value for key, value in self.headers if key == name), None)

    def all(self, name: str) -> tuple[str, ...]:
        """Return every value of a header, in order."""
        return tuple(value for key, value in self.headers if key == name)


type ChainEnd = Literal["answer", "loop", "too_long", "refused", "malformed", "failure"]


class Hop(msgspec.Struct, frozen=True):
    """One answer on the way of a redirect chain."""

    url: str
    status: int | None
    location: str | None = None
    """The Location header as sent, control characters escaped."""
    address: str = ""


class Chain(msgspec.Struct, frozen=True):
    """A start URL and where its redirects lead a browser."""

    start: str
    purpose: Literal["front", "health", "deep"]
    hops: tuple[Hop, ...]
    """Every request made, the last one the final answer; at most 11."""
    end: ChainEnd
    final_url: str = ""
    """The URL of the last hop; for `refused` and `malformed` the target not followed."""
    detail: str = ""
    confirmed: bool = False
    """A loop that a second try, with the cookies that it set, shows again."""


class Http(msgspec.Struct, frozen=True):
    """Every exchange and redirect chain."""

    exchanges: tuple[Exchange, ...]
    chains: tuple[Chain, ...] = ()

    def of(self, purpose: Purpose, scheme: str = "https") -> Iterator[Exchange]:
        """Yield the exchanges of one purpose and scheme."""
        return (e for e in self.exchanges if e.purpose == purpose and e.url.startswith(scheme + "://"))


class Evidence(msgspec.Struct, frozen=True):
    """Everything gathered about one site in one run. None: not gathered."""

    site: Site
    gathered_at: datetime
    """UTC, when the run started."""
    dns: Dns | None = None
    ports: tuple[PortState, ...] | None = None
    tls: Tls | None = None
    http: Http | None = None
    timings: Mapping[str, float] = {}
    """Phase → seconds."""
    vantage: Mapping[str, str] = {}
    """Where it was seen from: region, resolver, ipv4 and ipv6 (`yes` or `no`)."""
    incomplete: str = ""
    """Why gathering ended early (the deadline); empty: it did not."""

    @property
    def hosts(self) -> tuple[str, ...]:
        """The hosts that are judged: the declared ones, looked up or not, and the derived siblings that exist."""
        declared = self.site.hosts or (self.site.name,)
        found = [h.host for h in self.dns.hosts if not h.derived or h.exists] if self.dns else []
        return (*found, *(host for host in declared if host not in found))


def encode(evidence: Evidence) -> bytes:
    """Return the evidence as JSON."""
    return msgspec.json.encode(evidence)


def decode(data: bytes | str) -> Evidence:
    """Return the evidence of a JSON document; msgspec.ValidationError where it is none."""
    return msgspec.json.decode(data, type=Evidence)
