"""Which obsolete versions of TLS an address speaks (RFC 7568, RFC 8996)."""

from collections.abc import Mapping

from padlock.evidence import Evidence, Handshake

NAMES: Mapping[str, str] = {"SSLv3": "SSL 3.0", "TLSv1": "TLS 1.0", "TLSv1.1": "TLS 1.1"}
"""OpenSSL's name of an obsolete version → the one in its RFC."""
_NO_COMMON_VERSION = (
    *("protocol_version", "handshake_failure", "insufficient_security"),
    *("unsupported protocol", "wrong version number", "wrong ssl version"),
)
"""How a handshake ends between a client and a server without a common version."""


def accepted(evidence: Evidence, host: str, address: str) -> dict[str, str]:
    """Return version → suite of the obsolete versions that one address speaks, the oldest first."""
    if evidence.tls is None:
        return {}
    here = [look for look in evidence.tls.named() if (look.host, look.address) == (host, address)]
    offers = [offer for offer in evidence.tls.obsolete if (offer.host, offer.address) == (host, address)]
    seen = {look.protocol: look.cipher for look in here if look.failure is None}
    seen |= {offer.version: offer.cipher for offer in offers if offer.accepted}
    return {version: seen[version] for version in NAMES if version in seen}


def only_obsolete(evidence: Evidence, look: Handshake) -> bool:
    """Whether the best that an address speaks is obsolete; `look` is a browser's handshake with it."""
    if look.failure is None:
        return look.protocol in NAMES
    hangs_up = look.failure.kind in ("closed", "reset") and look.confirmed
    no_version = look.failure.kind in ("alert", "tls") and look.failure.detail in _NO_COMMON_VERSION
    return (hangs_up or no_version) and bool(accepted(evidence, look.host, look.address))
