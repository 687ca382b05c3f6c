"""Certificates that nobody sane would issue, and TLS servers that send them (RFC 5280)."""

import contextlib
import datetime as dt
import ssl
from collections.abc import AsyncIterator, Callable, Sequence

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

from tests.hostile.behaviour import Place
from tests.hostile.serving import Serve, shop, to_https
from tests.issuers import Issuer
from tests.lab.pki import RSA_16384
from tests.servers import Script, listen, pages

type Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
type Contextual = Callable[[Place], ssl.SSLContext]

UNTIDY = "</title><script>alert(1)</script>\x1b[31m\u202egnp\u2066\r\nCN=x\0"
"""A name with markup, an escape sequence, bidirectional controls, a line break and a NUL."""


class Leaf:
    """A leaf for a place: signed by the authority that the checker trusts unless another one is named."""

    def __init__(
        self,
        place: Place,
        names: Sequence[str],
        *,
        key: Key | None = None,
        issuer: Issuer | None = None,
        common_name: str = "",
    ) -> None:
        self.place = place
        self.key = key or ec.generate_private_key(ec.SECP256R1())
        self.issuer = issuer or place.pki
        now = dt.datetime.now(dt.UTC)
        named = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)] if common_name else []
        builder = (
            x509.CertificateBuilder()
            .issuer_name(self.issuer.name)
            .subject_name(x509.Name(named))
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=20))
            .not_valid_after(now + dt.timedelta(days=70))
        )
        if names:
            alternative = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
            builder = builder.add_extension(alternative, critical=False)
        self.der = builder.sign(self.issuer.key, hashes.SHA256()).public_bytes(Encoding.DER)

    def context(self, *sent: bytes, version: ssl.TLSVersion | None = None) -> ssl.SSLContext:
        """Return the context of a server that sends the leaf and these certificates, DER, up to a version of TLS."""
        file = self.place.directory / "chain.pem"
        secret = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        file.write_bytes(secret + "".join(map(ssl.DER_cert_to_PEM_cert, (self.der, *sent))).encode())
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.load_cert_chain(file)
        if version:
            made.maximum_version = version
        return made


def with_impossible_date(der: bytes) -> bytes:
    """Return the certificate as if it expired in a thirteenth month, which OpenSSL sends and hardly anybody reads."""
    written = f"{x509.load_der_x509_certificate(der).not_valid_after_utc:%y%m%d}".encode()
    return der.replace(written, written[:2] + b"1399")


def huge_key() -> rsa.RSAPrivateKey:
    """Return a key of 16,384 bits."""
    # Checking that its factors are primes would take a minute, and every other thread with it.
    key = load_pem_private_key(RSA_16384.read_bytes(), None, unsafe_skip_rsa_key_validation=True)
    assert isinstance(key, rsa.RSAPrivateKey)
    return key


def behind(context: Contextual) -> Serve:
    """Return a healthy site but for its TLS."""

    @contextlib.asynccontextmanager
    async def serve(place: Place) -> AsyncIterator[None]:
        async with (
            listen(pages(shop), place.address, 443, context(place)),
            listen(pages(to_https), place.address, 80),
        ):
            yield

    return serve


def in_place_of_tls(script: Callable[[Place], Script]) -> Serve:
    """Return a site whose port 443 is played octet by octet."""

    @contextlib.asynccontextmanager
    async def serve(place: Place) -> AsyncIterator[None]:
        async with listen(script(place), place.address, 443), listen(pages(to_https), place.address, 80):
            yield

    return serve
