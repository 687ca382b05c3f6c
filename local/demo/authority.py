"""The demo's own certificate authority: a root, an intermediate, and leaves of any age and for any names."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID

LIFETIME = timedelta(days=90)


class Authority:
    """A root that its visitors trust and an intermediate that signs."""

    def __init__(self, issuer_url: str) -> None:
        """Make both; `issuer_url` is where the intermediate can be fetched (RFC 5280 section 4.2.2.1)."""
        self._issuer_url = issuer_url
        root_key, self._key = _key(), _key()
        root = _name("Padlock Demo Root")
        self._name = _name("Padlock Demo Intermediate")
        self._root = _authority(root, root_key, root, root_key)
        self._intermediate = _authority(self._name, self._key, root, root_key)

    @property
    def root_pem(self) -> str:
        """The trust anchor."""
        return _pem(self._root).decode()

    @property
    def intermediate_der(self) -> bytes:
        """What stands at the issuer URL."""
        return self._intermediate.public_bytes(serialization.Encoding.DER)

    def issue(self, names: Sequence[str], *, age: timedelta = timedelta(days=10), chain: bool = True) -> bytes:
        """Return key, leaf and (with `chain`) intermediate as PEM, of a 90-day certificate issued `age` ago."""
        key = _key()
        start = datetime.now(UTC) - age
        builder = _builder(_name(names[0]), key, self._name, start, start + LIFETIME)
        san = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
        access = x509.AccessDescription(
            AuthorityInformationAccessOID.CA_ISSUERS, x509.UniformResourceIdentifier(self._issuer_url)
        )
        leaf = (
            builder.add_extension(san, critical=False)
            .add_extension(x509.AuthorityInformationAccess([access]), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return private + _pem(leaf) + (_pem(self._intermediate) if chain else b"")


def _key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _builder(
    subject: x509.Name, key: ec.EllipticCurvePrivateKey, issuer: x509.Name, start: datetime, end: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
    )


def _authority(
    subject: x509.Name, key: ec.EllipticCurvePrivateKey, issuer: x509.Name, issuer_key: ec.EllipticCurvePrivateKey
) -> x509.Certificate:
    start = datetime.now(UTC) - timedelta(days=400)
    return (
        _builder(subject, key, issuer, start, start + timedelta(days=3650))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(issuer_key, hashes.SHA256())
    )
