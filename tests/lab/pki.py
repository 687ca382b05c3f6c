"""The lab's certificate authorities and the leaves that they sign, good and bad (RFC 5280)."""

import datetime as dt
import functools
import ssl
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID

type Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
type KeyKind = Literal["ec", "secp256k1", "rsa", "rsa1024", "rsa16384"]
type Issuer = Literal["R11", "R10", "D1", "E9", "unknown", "staging", "self", "acme"]

AIA = "http://r11.ca.test/r11.der"
LISTS = {"R11": "http://r11.ca.test/r11.crl", "acme": "http://r11.ca.test/e7.crl"}
"""Authority → where it publishes what it took back."""
LIST_LIFE = dt.timedelta(days=9) - dt.timedelta(seconds=1)
"""Of Let's Encrypt's lists; tests/captured has one."""
SHORT_LIVED = 10
"""Days of life up to which the lab's authority names no list of what it revoked, as Let's Encrypt does not."""
RSA_16384 = Path(__file__).parent / "templates/rsa16384.key"
"""A throw-away key, kept because it takes minutes to make one."""


class Leaf(msgspec.Struct, frozen=True):
    """A leaf certificate as a scenario wants it; the default is a fresh 90-day one for the site's hosts."""

    names: tuple[str, ...] = ()
    """SAN dNSNames; empty: the site and its www sibling."""
    age: float = 20
    """Days since it was issued."""
    left: float = 70
    """Days until it expires."""
    key: KeyKind = "ec"
    issuer: Issuer = "R11"
    sent: tuple[str, ...] = ("leaf", "issuer")
    """What the server sends, in order; names of authorities beside `leaf` and `issuer`."""
    hash: Literal["sha256", "sha1"] = "sha256"
    revoked: bool = False
    """Its issuer took it back a day ago."""
    wanted_now: bool = False
    """Its issuer moved its renewal window to this moment."""
    renewed: float | None = None
    """Days since a newer one was issued that is not served; None: there is none."""
    impossible_date: bool = False
    """It expires in a thirteenth month, which OpenSSL serves and no client can read."""


class Authority(msgspec.Struct, frozen=True):
    """A certificate authority: its certificate and key."""

    certificate: x509.Certificate
    key: Key


class Pki:
    """Every authority of the lab, made anew with the clock of this run."""

    def __init__(self, now: dt.datetime) -> None:
        self.now = now
        self.revoked: dict[str, list[int]] = {name: [] for name in LISTS}
        """Authority → serial numbers that it took back."""
        self.logged: list[tuple[Leaf, x509.Certificate]] = []
        """Leaves of the authority `acme`."""
        root = self._authority("Lab Root X1", None)
        old_root = self._authority("Lab Old Root", None, age=4000, left=-400)
        private_root = self._authority("Unknown Root", None)
        self.authorities = {
            "root": root,
            "R11": self._authority("Lab R11", root),
            "R10": self._authority("Lab R10", root),
            # The name of an authority that CAA records can be meant for.
            "D1": self._authority("Lab D1", root, organisation="DigiCert, Inc."),
            # Expired although its leaves are not: the chain ends with its earliest member.
            "E9": self._authority("Lab E9", root, age=900, left=-5),
            # It goes by the name of an authority that issues over ACME, and nothing else of it.
            "acme": self._authority("E7", root, organisation="Let's Encrypt"),
            "unknown": self._authority("Unknown Intermediate", private_root),
            "private-root": private_root,
            "staging": self._authority(
                "(STAGING) Tenuous Tomato R13", self._authority("(STAGING) Pretend Pear X1", None)
            ),
            # The trusted root's name and key, signed by a root that has expired: a path that clients must pass by.
            "cross": Authority(self._certify("Lab Root X1", root.key, old_root, 3000, -400), root.key),
        }

    def write(self, directory: Path, name: str, leaf: Leaf, hosts: Sequence[str]) -> None:
        """Write `<name>.pem`, the chain as sent, and `<name>.key`."""
        key = shared_key(leaf.key)
        certificate = self._leaf(leaf, leaf.names or tuple(hosts), key)
        chain = [_pem(certificate if n == "leaf" else self._authority_of(n, leaf)) for n in leaf.sent]
        if leaf.impossible_date:
            chain[0] = _with_impossible_date(certificate)
        (directory / f"{name}.pem").write_bytes(b"".join(chain))
        (directory / f"{name}.key").write_bytes(_key_pem(key))

    def write_authorities(self, directory: Path) -> None:
        """Write the trust anchors, and the intermediate as its AIA address serves it."""
        for name in ("root", "private-root"):
            (directory / f"{name}.pem").write_bytes(_pem(self.authorities[name].certificate))
        der = self.authorities["R11"].certificate.public_bytes(serialization.Encoding.DER)
        (directory / "r11.der").write_bytes(der)

    def write_revocations(self, directory: Path) -> None:
        """Write the list of each authority, as its distribution point serves it; the leaves come first."""
        for name, url in LISTS.items():
            der = self._list(name, url).public_bytes(serialization.Encoding.DER)
            (directory / url.rpartition("/")[2]).write_bytes(der)

    def _list(self, name: str, url: str) -> x509.CertificateRevocationList:
        """Return a list with the extensions of Let's Encrypt's, in their order."""
        issuer, began = self.authorities[name], self.now - dt.timedelta(hours=1)
        builder = (
            x509.CertificateRevocationListBuilder(issuer.certificate.subject, began, began + LIST_LIFE)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key()), critical=False
            )
            .add_extension(x509.CRLNumber(int(began.timestamp() * 10**9)), critical=False)
            .add_extension(_scope(url), critical=True)
        )
        for serial in self.revoked[name]:
            entry = x509.RevokedCertificateBuilder(serial, self.now - dt.timedelta(hours=24))
            entry = entry.add_extension(x509.CRLReason(x509.ReasonFlags.key_compromise), critical=False)
            builder = builder.add_revoked_certificate(entry.build())
        return builder.sign(issuer.key, hashes.SHA256())

    def _authority_of(self, name: str, leaf: Leaf) -> x509.Certificate:
        return self.authorities[leaf.issuer if name == "issuer" else name].certificate

    def _authority(
        self, name: str, issuer: Authority | None, *, age: float = 800, left: float = 1200, organisation: str = ""
    ) -> Authority:
        key = ec.generate_private_key(ec.SECP256R1())
        return Authority(self._certify(name, key, issuer, age, left, organisation), key)

    def _certify(
        self, name: str, key: Key, issuer: Authority | None, age: float, left: float, organisation: str = ""
    ) -> x509.Certificate:
        """Sign an authority's certificate; without an issuer it signs its own."""
        signer = issuer.key if issuer else key
        issuer_name = issuer.certificate.subject if issuer else _name(name)
        return (
            self._builder(_name(name, organisation), key, age, left)
            .issuer_name(issuer_name)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
            .sign(signer, hashes.SHA256())
        )

    def _leaf(self, leaf: Leaf, names: tuple[str, ...], key: Key) -> x509.Certificate:
        subject = _name(names[0])
        issuer = None if leaf.issuer == "self" else self.authorities[leaf.issuer]
        builder = self._builder(subject, key, leaf.age, leaf.left)
        builder = builder.add_extension(
            x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False
        )
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        if leaf.issuer == "R11":
            builder = builder.add_extension(_authority_information(), critical=False)
        if leaf.issuer in LISTS and leaf.age + leaf.left > SHORT_LIVED:
            builder = builder.add_extension(_distribution_point(LISTS[leaf.issuer]), critical=False)
        if leaf.issuer == "acme" and issuer:
            signer = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key())
            builder = builder.add_extension(signer, critical=False)
        if leaf.hash != "sha256" and issuer:
            return _signed_by_openssl(builder.issuer_name(subject).sign(key, hashes.SHA256()), issuer, leaf.hash)
        made = builder.issuer_name(issuer.certificate.subject if issuer else subject).sign(
            issuer.key if issuer else key, hashes.SHA256()
        )
        if leaf.revoked:
            self.revoked[leaf.issuer].append(made.serial_number)
        if leaf.issuer == "acme":
            self.logged.append((leaf, made))
        return made

    def _builder(self, subject: x509.Name, key: Key, age: float, left: float) -> x509.CertificateBuilder:
        public = key.public_key()
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(self.now - dt.timedelta(days=age))
            .not_valid_after(self.now + dt.timedelta(days=left))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        )


@functools.cache
def shared_key(kind: KeyKind) -> Key:
    """Return the one key that all leaves of a kind share: making RSA keys is slow."""
    if kind == "ec":
        return ec.generate_private_key(ec.SECP256R1())
    if kind == "secp256k1":
        return ec.generate_private_key(ec.SECP256K1())
    if kind == "rsa16384":
        # Checking that its factors are primes takes half a minute, and every other thread with it.
        kept = serialization.load_pem_private_key(RSA_16384.read_bytes(), None, unsafe_skip_rsa_key_validation=True)
        assert isinstance(kept, rsa.RSAPrivateKey)
        return kept
    return rsa.generate_private_key(65537, 1024 if kind == "rsa1024" else 2048)


def _authority_information() -> x509.AuthorityInformationAccess:
    location = x509.UniformResourceIdentifier(AIA)
    return x509.AuthorityInformationAccess(
        [x509.AccessDescription(AuthorityInformationAccessOID.CA_ISSUERS, location)]
    )


def _distribution_point(url: str) -> x509.CRLDistributionPoints:
    name = x509.UniformResourceIdentifier(url)
    return x509.CRLDistributionPoints([x509.DistributionPoint([name], None, None, None)])


def _scope(url: str) -> x509.IssuingDistributionPoint:
    """Return what a list says that it covers: the leaves that name it."""
    return x509.IssuingDistributionPoint(
        full_name=[x509.UniformResourceIdentifier(url)],
        relative_name=None,
        only_contains_user_certs=True,
        only_contains_ca_certs=False,
        only_some_reasons=None,
        indirect_crl=False,
        only_contains_attribute_certs=False,
    )


def _name(common: str, organisation: str = "") -> x509.Name:
    named = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation)] if organisation else []
    return x509.Name([*named, x509.NameAttribute(NameOID.COMMON_NAME, common[:64])])


def _signed_by_openssl(certificate: x509.Certificate, issuer: Authority, digest: str) -> x509.Certificate:
    """Replace a self-made signature by one of an authority that `cryptography` refuses to make."""
    with tempfile.TemporaryDirectory() as directory:
        files = {name: Path(directory, name) for name in ("leaf", "ca", "key")}
        files["leaf"].write_bytes(_pem(certificate))
        files["ca"].write_bytes(_pem(issuer.certificate))
        files["key"].write_bytes(_key_pem(issuer.key))
        signing = f"-CA {files['ca']} -CAkey {files['key']} -set_serial {certificate.serial_number} -{digest}"
        command = f"openssl x509 -preserve_dates -in {files['leaf']} {signing}"
        done = subprocess.run(command.split(), check=True, capture_output=True)
        return x509.load_pem_x509_certificate(done.stdout)


def _with_impossible_date(certificate: x509.Certificate) -> bytes:
    der = certificate.public_bytes(serialization.Encoding.DER)
    written = f"{certificate.not_valid_after_utc:%y%m%d}".encode()
    return ssl.DER_cert_to_PEM_cert(der.replace(written, written[:2] + b"1399")).encode()


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_pem(key: Key) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
