"""The corpus' certificate authorities, and the leaves that they sign, good and bad (RFC 5280)."""

import datetime as dt
import functools
import ipaddress
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID

type SigningKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
type Key = SigningKey | ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey
type Hash = Literal["sha256", "sha384", "sha512", "sha1", "md5"]

FILES_HOST = "files.badssl.test"
"""Where the authority publishes its intermediate and what it revoked."""
ROOT, INTERMEDIATE = "root", "intermediate"
_SERVER = (ExtendedKeyUsageOID.SERVER_AUTH,)
_CLIENT = (ExtendedKeyUsageOID.CLIENT_AUTH,)
_ANY = (ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,)
_CURVES = {
    "ecc256": ec.SECP256R1(),
    "ecc384": ec.SECP384R1(),
    "ecc521": ec.SECP521R1(),
    "secp256k1": ec.SECP256K1(),
}
_HASHES: Mapping[str, hashes.SHA256 | hashes.SHA384 | hashes.SHA512] = {
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}
_KEPT_KEYS = {
    "rsa8192": Path(__file__).parent / "keys/rsa8192.key",
    "rsa16384": Path(__file__).parents[1] / "lab/templates/rsa16384.key",
}
"""Throw-away keys, kept because it takes minutes to make them."""


class Leaf(msgspec.Struct, frozen=True):
    """A leaf as a case wants it; the default is a fresh 90-day one for the case's host. `{host}` stands for it."""

    names: tuple[str, ...] = ("{host}",)
    """SAN dNSNames; empty: no subjectAltName."""
    addresses: tuple[str, ...] = ()
    """SAN iPAddresses."""
    many: int = 0
    """So many more names."""
    subject: tuple[tuple[x509.ObjectIdentifier, str], ...] = ((NameOID.COMMON_NAME, "{host}"),)
    age: float = 20
    """Days since it was issued."""
    left: float = 70
    """Days until it expires."""
    key: str = "ecc256"
    issuer: str = INTERMEDIATE
    """An authority's name, or `self`."""
    sent: tuple[str, ...] = ("leaf", "issuer")
    """What the server sends, in order; names of authorities beside these two."""
    hash: Hash = "sha256"
    purposes: tuple[x509.ObjectIdentifier, ...] = _SERVER
    """Extended key usage; empty: no such extension."""
    uses: tuple[str, ...] = ()
    """Key usage, such as digital_signature; empty: no such extension."""
    is_ca: bool = False
    revoked: bool = False
    broken_signature: bool = False


CLIENT_ONLY = Leaf(purposes=_CLIENT)


class _Authority(msgspec.Struct, frozen=True):
    certificate: x509.Certificate
    key: SigningKey


class Authorities:
    """Every authority of the corpus, made anew with the clock of this run."""

    def __init__(self, now: dt.datetime) -> None:
        self.now = now
        self._revoked: list[int] = []
        root = self._authority("Corpus Root", None)
        old = self._authority("Corpus Old Root", None, age=4000, left=-400)
        unknown = self._authority("Unknown Root", None)
        self._all = {
            ROOT: root,
            INTERMEDIATE: self._authority("Corpus Intermediate", root),
            "other": self._authority("Corpus Other Intermediate", root),
            "unknown-root": unknown,
            "unknown": self._authority("Unknown Intermediate", unknown),
            "expired": self._authority("Corpus Expired Intermediate", root, age=900, left=-5),
            "sha1": self._authority("Corpus SHA-1 Intermediate", root, hash_name="sha1"),
            "rsa": self._authority("Corpus RSA Intermediate", root, key=key_of("rsa2048")),
            "rsa1024": self._authority("Corpus Small Intermediate", root, key=key_of("rsa1024")),
            "constrained": self._authority("Corpus Constrained Intermediate", root, only_below="elsewhere.test"),
            "for-clients": self._authority("Corpus Client Intermediate", root, purposes=_CLIENT),
            "for-all": self._authority("Corpus Any Intermediate", root, purposes=_ANY),
            "last": self._authority("Corpus Last Intermediate", root, path_length=0),
            # The trusted root's name and key, signed by a root that has expired.
            "cross": _Authority(self._certify("Corpus Root", root.key, old, 3000, -400), root.key),
        }
        self._all["too-deep"] = self._authority("Corpus Too Deep", self._all["last"])
        self._all["not-ca"] = self._authority("Corpus No Authority", root, is_ca=False)

    def write(self, directory: Path, name: str, leaf: Leaf, host: str) -> None:
        """Write the chain as sent (`.pem`), the same without its leaf (`.issuers.pem`), and the key (`.key`)."""
        key = key_of(leaf.key)
        made = self._leaf(leaf, host, key)
        chain = [made if member == "leaf" else self._all[_member(member, leaf)].certificate for member in leaf.sent]
        pem = [certificate.public_bytes(Encoding.PEM) for certificate in chain]
        (directory / f"{name}.pem").write_bytes(b"".join(pem))
        (directory / f"{name}.issuers.pem").write_bytes(b"".join(pem[1:]))
        (directory / f"{name}.key").write_bytes(_key_pem(key))

    def write_files(self, directory: Path) -> None:
        """Write the trust anchor, the intermediate as its AIA URL serves it, and the list of what was revoked."""
        for name, encoding in ((f"{ROOT}.pem", Encoding.PEM), (f"{INTERMEDIATE}.der", Encoding.DER)):
            (directory / name).write_bytes(self._all[name.split(".")[0]].certificate.public_bytes(encoding))
        signer, hour = self._all[INTERMEDIATE], dt.timedelta(hours=1)
        own = signer.certificate.subject
        builder = x509.CertificateRevocationListBuilder(own, self.now - hour, self.now + 24 * hour)
        builder = builder.add_extension(x509.CRLNumber(1), critical=False)
        for serial in self._revoked:
            entry = x509.RevokedCertificateBuilder(serial, self.now - 24 * hour)
            entry = entry.add_extension(x509.CRLReason(x509.ReasonFlags.key_compromise), critical=False)
            builder = builder.add_revoked_certificate(entry.build())
        listed = builder.sign(signer.key, hashes.SHA256())
        (directory / f"{INTERMEDIATE}.crl").write_bytes(listed.public_bytes(Encoding.DER))

    def _authority(
        self,
        name: str,
        issuer: _Authority | None,
        age: float = 800,
        left: float = 1200,
        *,
        key: Key | None = None,
        hash_name: Hash = "sha256",
        path_length: int | None = None,
        only_below: str = "",
        is_ca: bool = True,
        purposes: tuple[x509.ObjectIdentifier, ...] = (),
    ) -> _Authority:
        own = key or ec.generate_private_key(ec.SECP256R1())
        if not isinstance(own, SigningKey.__value__):
            raise TypeError(f"an authority signs with RSA or ECDSA, not with {own}")
        made = self._certify(
            *(name, own, issuer, age, left),
            hash_name=hash_name,
            path_length=path_length,
            only_below=only_below,
            is_ca=is_ca,
            purposes=purposes,
        )
        return _Authority(made, own)

    def _certify(
        self,
        name: str,
        key: SigningKey,
        issuer: _Authority | None,
        age: float,
        left: float,
        *,
        hash_name: Hash = "sha256",
        path_length: int | None = None,
        only_below: str = "",
        is_ca: bool = True,
        purposes: tuple[x509.ObjectIdentifier, ...] = (),
    ) -> x509.Certificate:
        """Sign an authority's certificate; without an issuer it signs its own."""
        signer = issuer.key if issuer else key
        own_name = _name(((NameOID.COMMON_NAME, name),))
        builder = self._builder(own_name, key, age, left)
        constraints = x509.BasicConstraints(ca=is_ca, path_length=path_length if is_ca else None)
        builder = builder.add_extension(constraints, critical=True)
        uses = ("key_cert_sign", "crl_sign") if is_ca else ("digital_signature",)
        builder = builder.add_extension(_key_usage(uses), critical=True)
        if purposes:
            builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
        if only_below:
            permitted = x509.NameConstraints([x509.DNSName(only_below)], None)
            builder = builder.add_extension(permitted, critical=True)
        if issuer and hash_name != "sha256":
            return _signed_by_openssl(builder.issuer_name(own_name).sign(key, hashes.SHA256()), issuer, hash_name)
        identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
        builder = builder.add_extension(identifier, critical=False)
        return builder.issuer_name(issuer.certificate.subject if issuer else own_name).sign(signer, hashes.SHA256())

    def _leaf(self, leaf: Leaf, host: str, key: Key) -> x509.Certificate:
        subject = _name(tuple((kind, text.format(host=host)) for kind, text in leaf.subject))
        issuer = None if leaf.issuer == "self" else self._all[leaf.issuer]
        builder = self._builder(subject, key, leaf.age, leaf.left)
        for extension, critical in _extensions(leaf, host):
            builder = builder.add_extension(extension, critical=critical)
        if issuer is None:
            if not isinstance(key, SigningKey.__value__):
                raise TypeError(f"a self-signed leaf signs with RSA or ECDSA, not with {leaf.key}")
            return builder.issuer_name(subject).sign(key, hashes.SHA256())
        if leaf.hash in ("sha1", "md5"):
            if not isinstance(key, SigningKey.__value__):
                raise TypeError(f"OpenSSL takes requests of RSA and ECDSA keys, not of {leaf.key}")
            return _signed_by_openssl(builder.issuer_name(subject).sign(key, hashes.SHA256()), issuer, leaf.hash)
        builder = builder.issuer_name(issuer.certificate.subject)
        identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key())
        builder = builder.add_extension(identifier, critical=False)
        # A signature by another authority's key is none of this one.
        signer = self._all["unknown"].key if leaf.broken_signature else issuer.key
        made = builder.sign(signer, _HASHES[leaf.hash])
        if leaf.revoked:
            self._revoked.append(made.serial_number)
        return made

    def _builder(self, subject: x509.Name, key: Key, age: float, left: float) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(self.now - dt.timedelta(days=age))
            .not_valid_after(self.now + dt.timedelta(days=left))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        )


def _extensions(leaf: Leaf, host: str) -> list[tuple[x509.ExtensionType, bool]]:
    """Return a leaf's extensions, and whether each is critical."""
    found: list[tuple[x509.ExtensionType, bool]] = [(x509.BasicConstraints(ca=leaf.is_ca, path_length=None), True)]
    names = [name.format(host=host) for name in leaf.names] + [f"{i}.{host}" for i in range(leaf.many)]
    san = [*map(x509.DNSName, names), *(x509.IPAddress(ipaddress.ip_address(text)) for text in leaf.addresses)]
    if san:
        found.append((x509.SubjectAlternativeName(san), not leaf.subject))
    if leaf.purposes:
        found.append((x509.ExtendedKeyUsage(leaf.purposes), False))
    if leaf.uses:
        found.append((_key_usage(leaf.uses), True))
    if leaf.issuer == INTERMEDIATE:
        url = x509.UniformResourceIdentifier(f"http://{FILES_HOST}/{INTERMEDIATE}.der")
        access = x509.AccessDescription(AuthorityInformationAccessOID.CA_ISSUERS, url)
        listed = x509.UniformResourceIdentifier(f"http://{FILES_HOST}/{INTERMEDIATE}.crl")
        points = [x509.DistributionPoint([listed], None, None, None)]
        found += [(x509.AuthorityInformationAccess([access]), False), (x509.CRLDistributionPoints(points), False)]
    return found


@functools.cache
def key_of(kind: str) -> Key:
    """Return this run's key of a kind, such as rsa2048, ecc256 or ed25519."""
    if kind in _CURVES:
        return ec.generate_private_key(_CURVES[kind])
    if kind == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    if kind == "ed448":
        return ed448.Ed448PrivateKey.generate()
    if kind in _KEPT_KEYS:
        kept = serialization.load_pem_private_key(
            _KEPT_KEYS[kind].read_bytes(), None, unsafe_skip_rsa_key_validation=True
        )
        if not isinstance(kept, rsa.RSAPrivateKey):
            raise TypeError(f"{_KEPT_KEYS[kind]} holds no RSA key")
        return kept
    return rsa.generate_private_key(65537, int(kind.removeprefix("rsa")))


def _member(name: str, leaf: Leaf) -> str:
    return leaf.issuer if name == "issuer" else name


def _name(attributes: tuple[tuple[x509.ObjectIdentifier, str], ...]) -> x509.Name:
    return x509.Name([x509.NameAttribute(kind, text) for kind, text in attributes])


def _key_usage(uses: tuple[str, ...]) -> x509.KeyUsage:
    every = (
        *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement"),
        *("key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
    )
    return x509.KeyUsage(**{use: use in uses for use in every})


def _signed_by_openssl(certificate: x509.Certificate, issuer: _Authority, digest: str) -> x509.Certificate:
    """Replace a self-made signature by one of an authority that `cryptography` refuses to make."""
    with tempfile.TemporaryDirectory() as directory:
        files = {name: Path(directory, name) for name in ("leaf", "ca", "key")}
        files["leaf"].write_bytes(certificate.public_bytes(Encoding.PEM))
        files["ca"].write_bytes(issuer.certificate.public_bytes(Encoding.PEM))
        files["key"].write_bytes(_key_pem(issuer.key))
        signing = f"-CA {files['ca']} -CAkey {files['key']} -set_serial {certificate.serial_number} -{digest}"
        command = f"openssl x509 -preserve_dates -in {files['leaf']} {signing}"
        done = subprocess.run(command.split(), check=True, capture_output=True)
        return x509.load_pem_x509_certificate(done.stdout)


def _key_pem(key: Key) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
