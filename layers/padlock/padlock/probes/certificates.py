"""DER → what is kept of a certificate (RFC 5280). Whatever can be read is; nothing here trusts what it reads."""

import contextlib
import functools
import hashlib
import warnings

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID

from padlock.evidence import Certificate
from padlock.network.failure import printable
from padlock.network.limits import CERTIFICATE_NAMES_KEPT

_NAME_KEPT = 300
_REMEMBERED = 4096
"""Octets of a certificate up to which what is read of it is remembered in this process: servers choose the size."""
UNREADABLE = (
    *(ValueError, TypeError, KeyError, UnsupportedAlgorithm),
    *(x509.InvalidVersion, x509.DuplicateExtension, x509.UnsupportedGeneralNameType),
)
"""What cryptography raises for certificates that break their grammar; KeyError for a TLS feature with no name."""


def digest(der: bytes) -> str:
    """Return the key of a certificate in the evidence."""
    return hashlib.sha256(der).hexdigest()


def load(der: bytes) -> x509.Certificate:
    """Return the certificate; ValueError where it cannot be read. Odd serial numbers are no reason to complain."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)
        warnings.filterwarnings("ignore", "Attribute's length")
        try:
            certificate = x509.load_der_x509_certificate(der)
        except x509.InvalidVersion as error:
            raise ValueError(str(error)) from error
        with contextlib.suppress(*UNREADABLE):
            _ = certificate.subject, certificate.issuer  # which are read, and complained of, only now and once
        return certificate


def parse(der: bytes) -> Certificate:
    """Read one certificate; `malformed` says why it, or its names, cannot be read."""
    read = _parsed if len(der) <= _REMEMBERED else _parsed.__wrapped__
    return read(der)


@functools.lru_cache(maxsize=128)
def _parsed(der: bytes) -> Certificate:
    sha256, size = digest(der), len(der)
    try:
        certificate = load(der)
        subject, issuer = certificate.subject, certificate.issuer
        dates = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    except UNREADABLE as error:
        return Certificate(sha256, "", "", "", size=size, malformed=_reason(error))
    key, bits, curve = _key(certificate)
    names, addresses, unreadable = _names(certificate)
    return Certificate(
        sha256=sha256,
        subject=printable(subject.rfc4514_string(), _NAME_KEPT),
        issuer=printable(issuer.rfc4514_string(), _NAME_KEPT),
        serial=_serial(certificate),
        not_before=dates[0],
        not_after=dates[1],
        dns_names=tuple(printable(name, _NAME_KEPT) for name in names[:CERTIFICATE_NAMES_KEPT]),
        dns_name_count=len(names),
        ip_addresses=tuple(addresses[:CERTIFICATE_NAMES_KEPT]),
        common_name=_common_name(subject),
        key=key,
        key_bits=bits,
        curve=curve,
        signature_hash=_signature_hash(certificate),
        is_ca=_is_ca(certificate),
        is_self_signed=_is_self_signed(certificate),
        size=size,
        ca_issuers=_ca_issuers(certificate),
        crl_urls=_crl_urls(certificate),
        authority_key=_authority_key(certificate),
        malformed=unreadable,
    )


def serves_web(certificate: x509.Certificate) -> bool:
    """Whether its key usage and extended key usage, where it has them, allow TLS servers (RFC 5280, 4.2.1.3 and 12).

    A server signs its handshake; only the key exchange of RSA, which TLS 1.3 has no more, did without. An authority's
    own certificate, where it is served, is judged by its extended key usage alone.
    """
    usage = _extension(certificate, x509.KeyUsage)
    if usage and not usage.digital_signature and not _is_ca(certificate):
        return False
    purposes = _extension(certificate, x509.ExtendedKeyUsage)
    allowed = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE)
    return purposes is None or any(purpose in allowed for purpose in purposes)


def _reason(error: Exception) -> str:
    return printable(str(error) or type(error).__name__, 200)


def _serial(certificate: x509.Certificate) -> str:
    """Return the serial number as openssl prints it: whole octets."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)
        number = certificate.serial_number
    digits = f"{abs(number):X}"
    return ("-" if number < 0 else "") + digits.zfill(len(digits) + len(digits) % 2)


def _key(certificate: x509.Certificate) -> tuple[str, int, str]:
    """Return kind, size in bits and curve of the public key; empty for kinds that no browser knows."""
    try:
        key = certificate.public_key()
    except UNREADABLE:
        return "", 0, ""
    match key:
        case rsa.RSAPublicKey():
            return "rsa", key.key_size, ""
        case ec.EllipticCurvePublicKey():
            return "ec", key.curve.key_size, key.curve.name
        case ed25519.Ed25519PublicKey():
            return "ed25519", 256, ""
        case ed448.Ed448PublicKey():
            return "ed448", 456, ""
        case dsa.DSAPublicKey():
            return "dsa", key.key_size, ""
    return "", 0, ""


def _names(certificate: x509.Certificate) -> tuple[list[str], list[str], str]:
    """Return the SAN's DNS names and addresses, and why they cannot be read."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return [], [], ""
    except UNREADABLE as error:
        return [], [], f"subjectAltName: {_reason(error)}"
    addresses = [str(address) for address in names.get_values_for_type(x509.IPAddress)]
    # IA5Strings all (RFC 5280 section 4.2.1.6); with one octet beyond ASCII browsers refuse the whole certificate.
    texts = (x509.DNSName, x509.RFC822Name, x509.UniformResourceIdentifier)
    foreign = [text for kind in texts for text in names.get_values_for_type(kind) if not text.isascii()]
    flaw = f"subjectAltName: {printable(foreign[0], 100)} is not ASCII, which browsers refuse" if foreign else ""
    return names.get_values_for_type(x509.DNSName), addresses, flaw


def _common_name(subject: x509.Name) -> str:
    values = subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return printable(str(values[0].value), _NAME_KEPT) if values else ""


def _signature_hash(certificate: x509.Certificate) -> str:
    try:
        algorithm = certificate.signature_hash_algorithm
    except UNREADABLE:
        return ""
    return algorithm.name if algorithm else ""


def _is_ca(certificate: x509.Certificate) -> bool:
    constraints = _extension(certificate, x509.BasicConstraints)
    return constraints is not None and constraints.ca


def _is_self_signed(certificate: x509.Certificate) -> bool:
    if certificate.subject != certificate.issuer:
        return False
    try:
        certificate.verify_directly_issued_by(certificate)
    except (*UNREADABLE, InvalidSignature):
        return False
    return True


def _ca_issuers(certificate: x509.Certificate) -> tuple[str, ...]:
    access = _extension(certificate, x509.AuthorityInformationAccess)
    wanted = AuthorityInformationAccessOID.CA_ISSUERS
    urls = [entry.access_location for entry in access or () if entry.access_method == wanted]
    return tuple(printable(url.value) for url in urls if isinstance(url, x509.UniformResourceIdentifier))[:4]


def _authority_key(certificate: x509.Certificate) -> str:
    identifier = _extension(certificate, x509.AuthorityKeyIdentifier)
    return (identifier.key_identifier or b"").hex().upper() if identifier else ""


def _crl_urls(certificate: x509.Certificate) -> tuple[str, ...]:
    points = _extension(certificate, x509.CRLDistributionPoints)
    names = [name for point in points or () for name in point.full_name or ()]
    return tuple(printable(name.value) for name in names if isinstance(name, x509.UniformResourceIdentifier))[:4]


def _extension[T: x509.ExtensionType](certificate: x509.Certificate, kind: type[T]) -> T | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except (x509.ExtensionNotFound, *UNREADABLE):
        return None
