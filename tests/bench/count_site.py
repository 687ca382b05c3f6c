"""The site whose audit is counted: its certificates, which are the same octets each time, and what it declares.

Keys are numbers written here and signatures are those of RFC 6979, so that no two runs differ and no key is kept.
"""

import ssl
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from padlock.network.vantage import Vantage

NAME, WWW, SERVICE = "shop.test", "www.shop.test", "service.test"
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
"""The clock of every audit."""
HTTP, HTTPS, SERVICES, AMAZON = 10080, 10443, 10444, 10445
AUTHORITY, RESOLVER, PUBLIC = 10053, 10054, (10055, 10056, 10057)
"""Ports of name servers, of the resolver and of public ones."""
PARENT, CHILD = 2, 1
"""Last octet of the address of the zone above's server, and of everything else."""
NETWORKS = range(101, 200)
"""Third octets of 127.83.x.0/24, of which a run takes one that is free; all have the same length as text."""
RECORDED = 100
"""The one that recorded answers have, and that only recording takes."""
_YEARS = timedelta(days=3650)
_LIFETIME = timedelta(days=90)


def address(network: int, last: int = CHILD) -> str:
    """Return an address of a run's network."""
    return f"127.83.{network}.{last}"


def declaration() -> dict[str, Any]:
    """Return what the site's owner declares; nothing is slow, however long counting takes."""
    return {
        "name": NAME,
        "ports": {"http": HTTP, "https": HTTPS},
        "networks": ["127.83.0.0/16"],
        "health": {"path": "/health", "json": {"status": "ok"}},
        "slow": 30,
    }


def vantage(network: int, ca_file: Path) -> Vantage:
    """Return the place that sees the site at a run's network."""
    here, service = address(network), f"https://{SERVICE}:{SERVICES}"
    return Vantage(
        resolvers=((here, RESOLVER),),
        public_resolvers=tuple((here, port) for port in PUBLIC),
        nameserver_port=AUTHORITY,
        networks=("127.83.0.0/16",),
        ca_file=str(ca_file),
        services={"rdap": f"{service}/rdap", "ari": f"{service}/directory", "crl": f"{service}/crl"},
        region="eu-central-1",
    )


def contexts(folder: Path) -> dict[str, ssl.SSLContext]:
    """Return the servers' contexts (`healthy`, `expired`, `service`), and write the authority's `root.pem`."""
    (folder / "root.pem").write_bytes(_root().public_bytes(Encoding.PEM))
    return {
        "healthy": _context(_leaf((NAME, WWW), 11, NOW - timedelta(days=10)), 11),
        "expired": _context(_leaf((NAME, WWW), 11, NOW - _LIFETIME - timedelta(days=3)), 11),
        "service": _context(_leaf((SERVICE,), 12, NOW - timedelta(days=10), until=NOW + _YEARS), 12),
    }


def revoked_list(issuer: Literal["root", "intermediate"]) -> bytes:
    """Return an issuer's list of revoked certificates, DER: a hundred of which none is the site's."""
    certificate, key = (_root(), 1) if issuer == "root" else (_intermediate(), 2)
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(certificate.subject)
        .last_update(NOW - timedelta(hours=12))
        .next_update(NOW + timedelta(days=6))
    )
    for serial in range(1000, 1100):
        revoked = x509.RevokedCertificateBuilder(serial, NOW - timedelta(days=20))
        builder = builder.add_revoked_certificate(revoked.build())
    return builder.sign(_key(key), hashes.SHA256(), ecdsa_deterministic=True).public_bytes(Encoding.DER)


def _key(number: int) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(0x5EED << 200 | number, ec.SECP256R1())


def _named(common_name: str, organisation: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def _signed(
    subject: x509.Name,
    key: int,
    issuer: x509.Name,
    signer: int,
    dates: tuple[datetime, datetime],
    *extensions: x509.ExtensionType,
) -> x509.Certificate:
    """Sign a certificate; its serial number is that of its key."""
    builder = x509.CertificateBuilder(issuer, subject, _key(key).public_key(), key, *dates)
    identifiers = (
        x509.SubjectKeyIdentifier.from_public_key(_key(key).public_key()),
        x509.AuthorityKeyIdentifier.from_issuer_public_key(_key(signer).public_key()),
    )
    for extension in (*extensions, *identifiers):
        builder = builder.add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
    return builder.sign(_key(signer), hashes.SHA256(), ecdsa_deterministic=True)


def _root() -> x509.Certificate:
    name = _named("Counted Root X1", "Counted Authority")
    dates = NOW - _YEARS, NOW + _YEARS
    return _signed(name, 1, name, 1, dates, x509.BasicConstraints(ca=True, path_length=None))


def _intermediate() -> x509.Certificate:
    # An organisation of which renewal information can be had.
    name = _named("E99", "Let's Encrypt")
    dates = NOW - _YEARS, NOW + _YEARS
    constraints = x509.BasicConstraints(ca=True, path_length=0)
    return _signed(name, 2, _root().subject, 1, dates, constraints, _list_at("root"))


def _leaf(names: tuple[str, ...], key: int, since: datetime, until: datetime | None = None) -> x509.Certificate:
    dates = since, until or since + _LIFETIME
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    return _signed(
        subject,
        key,
        _intermediate().subject,
        2,
        dates,
        x509.BasicConstraints(ca=False, path_length=None),
        x509.SubjectAlternativeName([x509.DNSName(name) for name in names]),
        x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]),
        _list_at("intermediate"),
    )


def _list_at(path: str) -> x509.CRLDistributionPoints:
    url = x509.UniformResourceIdentifier(f"https://{SERVICE}:{SERVICES}/crl/{path}")
    return x509.CRLDistributionPoints([x509.DistributionPoint([url], None, None, None)])


def _context(leaf: x509.Certificate, key: int) -> ssl.SSLContext:
    """Return a server's context as nginx has it: TLS 1.2 and 1.3, h2 and HTTP/1.1."""
    secret = _key(key).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["h2", "http/1.1"])
    with tempfile.NamedTemporaryFile(suffix=".pem") as file:
        file.write(secret + leaf.public_bytes(Encoding.PEM) + _intermediate().public_bytes(Encoding.PEM))
        file.flush()
        context.load_cert_chain(file.name)
    return context
