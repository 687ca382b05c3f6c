"""Ports, certificates and handshakes (checklist steps 3, 8 and 10)."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Literal

import msgspec

from padlock.evidence.failure import Failure


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
    crl_urls: tuple[str, ...] = ()
    """Where its issuer publishes what it revoked; at most 4 kept."""
    authority_key: str = ""
    """The authority key identifier's keyIdentifier in hexadecimal; empty: it has none."""
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
    browsers: str = ""
    """Why browsers, which offer less, get no page where this handshake worked: the alert that their offer meets, or
    the suite that HTTP/2 forbids; empty: they do, or it was not asked."""


class ObsoleteOffer(msgspec.Struct, frozen=True):
    """How one address took a ClientHello of one obsolete version (RFC 7568, RFC 8996)."""

    host: str
    address: str
    port: int
    version: str
    """SSLv3, TLSv1 or TLSv1.1."""
    accepted: bool = False
    cipher: str = ""
    """The suite that was chosen; empty: not accepted."""
    detail: str = ""
    """How it was refused."""
    failure: Failure | None = None
    """Why it is not known; None: it was accepted or refused."""


type RevocationStatus = Literal["good", "revoked", "unknown"]


class Revocation(msgspec.Struct, frozen=True):
    """What an issuer's list says of one certificate (RFC 5280 section 5)."""

    certificate: str
    """Its digest."""
    status: RevocationStatus
    url: str = ""
    """The list that says so."""
    revoked_at: datetime | None = None
    reason: str = ""
    """RFC 5280's name of the reason, such as keyCompromise; empty: none is given."""
    next_update: datetime | None = None
    """When the issuer promises the next list."""
    detail: str = ""
    """Why it is unknown."""


class Tls(msgspec.Struct, frozen=True):
    """Every handshake, each certificate once, each chain verified once."""

    handshakes: tuple[Handshake, ...]
    certificates: Mapping[str, Certificate]
    verifications: tuple[Verification, ...] = ()
    obsolete: tuple[ObsoleteOffer, ...] = ()
    revocations: tuple[Revocation, ...] = ()
    """Of leaves and intermediates on a path to a trust anchor."""

    def verification(self, chain: tuple[str, ...]) -> Verification | None:
        """Return the look at this chain."""
        return next((look for look in self.verifications if look.chain == chain), None)

    def revocation(self, certificate: str) -> Revocation | None:
        """Return what is known of a certificate's revocation."""
        return next((look for look in self.revocations if look.certificate == certificate), None)

    def named(self) -> Iterator[Handshake]:
        """Yield the handshakes with SNI: what visitors meet."""
        return (handshake for handshake in self.handshakes if handshake.sni)

    def leaf(self, handshake: Handshake) -> Certificate | None:
        """Return the leaf that a handshake served."""
        return self.certificates.get(handshake.chain[0]) if handshake.chain else None
