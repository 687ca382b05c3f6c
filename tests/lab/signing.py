"""Signed zones of the lab (DNSSEC, RFC 4035), each with a trust anchor of its own at the resolvers."""

import datetime as dt
import functools

import dns.dnssec
import dns.zone
from cryptography.hazmat.primitives.asymmetric import ec
from dns.rdtypes.ANY.DNSKEY import DNSKEY

KEY_SIGNING = 257


def signed(apex: str, data: str, *, expired: bool) -> str:
    """Return a zone's data with keys and signatures; expired ones ended a day ago."""
    now = dt.datetime.now(dt.UTC)
    zone = dns.zone.from_text(f"$TTL 300\n{data}\n", origin=f"{apex}.", relativize=False)
    key, public = _key()
    ends = now - dt.timedelta(days=1) if expired else now + dt.timedelta(days=14)
    with zone.writer() as transaction:
        dns.dnssec.sign_zone(
            zone, transaction, keys=[(key, public)], inception=ends - dt.timedelta(days=30), expiration=ends
        )
    return zone.to_text(relativize=False)


def anchor(apex: str) -> str:
    """Return the trust anchor of a signed zone, as a resolver's configuration takes it."""
    return f"{apex}. 300 IN DNSKEY {_key()[1].to_text()}"


@functools.cache
def _key() -> tuple[ec.EllipticCurvePrivateKey, DNSKEY]:
    """Return the one key of all signed zones."""
    key = ec.generate_private_key(ec.SECP256R1())
    return key, dns.dnssec.make_dnskey(key.public_key(), "ECDSAP256SHA256", KEY_SIGNING)
