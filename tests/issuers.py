"""Issuers for tests that need chains which trustme does not make: without key identifiers, with gaps, out of date."""

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID

NOW = datetime(2026, 11, 20, tzinfo=UTC)
YEAR = timedelta(days=365)


class Issuer:
    """A CA, a root or below another one, that signs whatever the test needs."""

    def __init__(
        self, name: str, above: "Issuer | None" = None, key: ec.EllipticCurvePrivateKey | None = None
    ) -> None:
        self.key = key or ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.above = above or self
        self.certificate = self.above.sign(self.name, self.key, ca=True)

    @property
    def der(self) -> bytes:
        """Return its certificate."""
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def pem(self) -> str:
        """Return its certificate."""
        return self.certificate.public_bytes(Encoding.PEM).decode()

    def sign(
        self,
        name: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        *extensions: x509.ExtensionType,
        ca: bool = False,
        until: datetime = NOW + YEAR,
        since: datetime = NOW - YEAR,
    ) -> x509.Certificate:
        """Sign a certificate. No key identifiers: chains without them must verify as well."""
        builder = x509.CertificateBuilder(
            self.name, name, key.public_key(), x509.random_serial_number(), since, until
        ).add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        for extension in extensions:
            builder = builder.add_extension(extension, critical=False)
        return builder.sign(self.key, hashes.SHA256())

    def context(self, folder: Path, *extensions: x509.ExtensionType) -> ssl.SSLContext:
        """Return a server's context with a leaf for example.com that lives now, and nothing of its chain."""
        key = ec.generate_private_key(ec.SECP256R1())
        alternative = x509.SubjectAlternativeName([x509.DNSName("example.com")])
        leaf = self.sign(x509.Name([]), key, alternative, *extensions)
        file = folder / "leaf.pem"
        secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        file.write_bytes(secret + leaf.public_bytes(Encoding.PEM))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context

    def leaf(
        self, *extensions: x509.ExtensionType, since: datetime = NOW - YEAR, until: datetime = NOW + YEAR
    ) -> bytes:
        """Return a leaf for example.com, DER."""
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "example.com")])
        key = ec.generate_private_key(ec.SECP256R1())
        return self.sign(name, key, *extensions, since=since, until=until).public_bytes(Encoding.DER)


def aia(*urls: str) -> x509.AuthorityInformationAccess:
    """Return the extension that says where the issuer's certificate is."""
    kind = AuthorityInformationAccessOID.CA_ISSUERS
    return x509.AuthorityInformationAccess(
        [x509.AccessDescription(kind, x509.UniformResourceIdentifier(url)) for url in urls]
    )
