"""What registries, authorities and logs answer, and certificates, from wherever they come."""

import contextlib
import functools
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from cryptography.x509.oid import ExtendedKeyUsageOID
from padlock.evidence import Registration
from padlock.probes import ari, registration, transparency, trust
from padlock.probes.certificates import digest, load, parse, serves_web
from padlock.probes.revocation import read_list
from padlock.probes.services import Fetched

from tests import captured
from tests.evidence_builder import HOSTS, LEAF, change, with_renewal, with_revocation
from tests.fuzz.judging import HEALTHY, judge
from tests.fuzz.target import Target
from tests.fuzz.wire import run
from tests.issuers import NOW, Issuer, aia

_RDAP = "https://rdap.example/"
_POINT = x509.UniformResourceIdentifier("http://ca.example.com/1.crl")
_LIST = x509.CRLDistributionPoints([x509.DistributionPoint([_POINT], None, None, None)])
_KEY = ec.derive_private_key(7, ec.SECP256R1())
ROOT = Issuer("Root", key=_KEY)
CERTIFICATE = ROOT.leaf(_LIST, aia("http://ca.example.com/root.der"))
_SEQUENCE, _BITS = 0x30, 0x03
_ECDSA_WITH_SHA256 = bytes.fromhex("300a06082a8648ce3d040302")


def rdap_samples() -> Iterator[bytes]:
    """Yield registries' answers as they were captured, and the largest ones made to take long."""
    for name in ("verisign", "afnic", "flexireg", "rfc9083", "uniregistry", "error"):
        yield captured.text(f"rdap-{name}.json").encode()
    event = '{"eventAction":"expiration","eventDate":"%s"}'
    dates = ("2027-01-01T00:00:00Z", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2027", "", "x" * 900)
    for date in dates:
        events = f"[{event % date}]"
        yield f'{{"objectClassName":"domain","ldhName":"EXAMPLE.COM","events":{events}}}'.encode()
    registrar = b'{"roles":["registrar"],"vcardArray":["vcard",[["fn",{},"text","A"]]]}'
    yield b'{"objectClassName":"domain","entities":[' + registrar + b"]}"
    yield b'{"objectClassName":"domain","status":["client hold","pending delete","\\u001b[31m"]}'
    yield b"[" * 190_000
    yield b'{"objectClassName":"domain","entities":[' + b"[" * 190_000
    yield b'{"objectClassName":"domain","entities":[' + b"1," * 90_000 + b"1]}"
    yield b'{"objectClassName":"domain","ldhName":"' + "\u0301".encode() * 60_000 + b'"}'


def _rdap(data: bytes) -> None:
    asked = Registration("example.com", HOSTS, registry=_RDAP, asked_at=NOW)
    found = registration.of_answer(asked, Fetched(200, (), data))
    registration.lifetime(found, NOW)
    judge(change(HEALTHY, registration=(found,)))


def patience_samples() -> Iterator[bytes]:
    """Yield values of Retry-After."""
    yield from (
        b"120",
        b"Sat, 21 Nov 2026 10:00:00 GMT",
        b"Sat, 21 Nov 2026 10:00:00 +" + b"9" * 30,
        b"",
        b"9" * 2_000,
    )
    yield from (
        b"Fri, 31 Dec 9999 23:59:59 -2359",
        b"Mon, 01 Jan 100 00:00:00 +2359",
        b"1 Jan 2026 9:9:9 -" + b"1" * 20,
    )
    yield from (b"(" * 2_000, b'"' * 2_000, b"," * 2_000, b"Sat, " + b"9" * 2_000 + b" Nov 2026 10:00:00 GMT")


def _patience(data: bytes) -> None:
    text = data.decode("latin-1")[:2_048]
    assert timedelta() < registration.patience(text, NOW) <= timedelta(days=1)
    ari.of_answer(LEAF, Fetched(200, (("retry-after", text),), captured.text("acme-renewal-info.json").encode()), NOW)


def ari_samples() -> Iterator[bytes]:
    """Yield ACME's answers: a directory, an error, renewal information, windows that cannot be."""
    for name in ("acme-directory", "acme-problem", "acme-renewal-info"):
        yield captured.text(f"{name}.json").encode()
    for start, end in (
        ("0001-01-01T00:00:00+23:59", "2027-01-01T00:00:00Z"),
        ("2027-01-01T00:00:00Z", "9999-12-31T23:59:59-23:59"),
        ("2027-01-01", "2027-01-02T00:00:00"),
    ):
        yield f'{{"suggestedWindow":{{"start":"{start}","end":"{end}"}},"explanationURL":"\\u001b"}}'.encode()
    yield b'{"renewalInfo":"https://[/"}'
    yield b'{"renewalInfo":' + b"[" * 60_000
    yield b"[" * 60_000


def _ari(data: bytes) -> None:
    answer = Fetched(200, (), data)
    ari.place_of(answer)
    found, lifetime = ari.of_answer(LEAF, answer, NOW)
    assert timedelta() < lifetime <= timedelta(days=1)
    assert HEALTHY.renewal
    judge(with_renewal(HEALTHY, information={**HEALTHY.renewal.information, LEAF: found}))


def transparency_samples() -> Iterator[bytes]:
    """Yield a log search's answers."""
    yield captured.text("crtsh.json").encode()
    entry = (
        '{"issuer_name":"CN=R11","name_value":"example.com\\nwww.example.com","serial_number":"0a%s",'
        '"not_before":"%s","not_after":"%s"}'
    )
    for since, until in (
        ("2026-10-01T00:00:00", "2027-01-01T00:00:00"),
        ("0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"),
    ):
        yield f"[{entry % ('', since, until)}]".encode()
    many = ",".join(
        entry % (f"{number:04x}", "2026-10-01T00:00:00", "2027-01-01T00:00:00") for number in range(9_000)
    )
    yield f"[{many}]".encode()
    yield b"[" * 1_000_000
    yield b"[" + b"1," * 1_000_000 + b"1]"


def _transparency(data: bytes) -> None:
    judge(with_renewal(HEALTHY, search=transparency.read("example.com", data, NOW)))


def certificate_samples() -> Iterator[bytes]:
    """Yield certificates of every kind of name and extension."""
    yield CERTIFICATE
    yield ROOT.der
    yield x509.load_pem_x509_certificate(captured.text("letsencrypt-r3.pem").encode()).public_bytes(Encoding.DER)
    names: list[x509.GeneralName] = [x509.DNSName("*.example.com"), x509.RFC822Name("a@example.com")]
    names += [
        x509.UniformResourceIdentifier("https://example.com"),
        x509.RegisteredID(x509.ObjectIdentifier("1.2.3")),
    ]
    names += [x509.DirectoryName(ROOT.name), x509.OtherName(x509.ObjectIdentifier("1.2.3"), b"\5\0")]
    usage = x509.KeyUsage(*[True] * 9)
    yield ROOT.leaf(
        x509.SubjectAlternativeName(names), usage, x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
    )
    identifier = x509.AuthorityKeyIdentifier(b"\1" * 20, None, None)
    yield ROOT.leaf(
        identifier,
        x509.NameConstraints([x509.DNSName("example.com")], None),
        x509.TLSFeature([x509.TLSFeatureType.status_request]),
    )
    many = [x509.DNSName(f"a{number}.example.com") for number in range(3_000)]
    yield ROOT.leaf(x509.SubjectAlternativeName(many))
    yield ROOT.leaf(x509.SubjectAlternativeName([x509.DNSName("a" * 60_000)]))
    deep = b""
    for _ in range(4_000):
        deep = der(_SEQUENCE, deep)
    yield deep


def der(tag: int, content: bytes) -> bytes:
    """Return one value of DER (X.690)."""
    size = len(content)
    if size < 128:
        return bytes([tag, size]) + content
    octets = (size.bit_length() + 7) // 8
    return bytes([tag, 0x80 | octets]) + size.to_bytes(octets) + content


def _certificate(data: bytes) -> None:
    seen = msgspec.structs.replace(parse(data), sha256=LEAF)
    tls = HEALTHY.tls
    assert tls
    with contextlib.suppress(ValueError):  # of what parse calls malformed nothing more is asked
        certificate = load(data)
        serves_web(certificate)
    look = trust.verify([data, ROOT.der], _anchors())
    shown = msgspec.structs.replace(look, chain=tls.verifications[0].chain)
    judge(change(HEALTHY, tls=change(tls, certificates={**tls.certificates, LEAF: seen}, verifications=(shown,))))


@functools.cache
def _anchors() -> trust.Anchors:
    return trust.anchors(NOW, "", ROOT.pem)


def issuer_samples() -> Iterator[bytes]:
    """Yield what an AIA address may serve: a certificate in DER or PEM, and bundles of PKCS #7."""
    yield ROOT.der
    yield ROOT.pem.encode() * 2
    yield pkcs7.serialize_certificates([ROOT.certificate], Encoding.DER)
    yield pkcs7.serialize_certificates([ROOT.certificate], Encoding.PEM)
    yield ROOT.pem.encode() * 80
    yield b"-----BEGIN CERTIFICATE-----\n" * 2_300


def _issuer(data: bytes) -> None:
    async def fetched(_url: str) -> bytes:
        return data

    look = run(trust.verify_completing([CERTIFICATE], _without_root(), fetched))
    assert look.chain == (digest(CERTIFICATE),)


@functools.cache
def _without_root() -> trust.Anchors:
    return trust.anchors(NOW, "", Issuer("Another").pem)


def crl_samples() -> Iterator[bytes]:
    """Yield lists; those that begin with an octet 1 have their signature made anew after every mutation."""
    yield b"\0" + captured.text("crl-letsencrypt-r3-105.pem").encode()
    serial = load(CERTIFICATE).serial_number
    for reason in (None, x509.ReasonFlags.key_compromise, x509.ReasonFlags.remove_from_crl):
        yield b"\1" + _list([5, serial, 9], reason)
    yield b"\1" + _list([5], None, _scope(only_contains_user_certs=True), x509.CRLNumber(7))
    yield b"\1" + _list([5], None, _scope(indirect_crl=True), x509.DeltaCRLIndicator(3))
    yield b"\1" + _list([5], None, x509.FreshestCRL([*_LIST]), x509.AuthorityKeyIdentifier(b"\1", None, None))
    yield b"\0" + _list(list(range(1, 20_000)), None)


def _scope(**fields: Any) -> x509.IssuingDistributionPoint:
    none = dict.fromkeys(("only_contains_user_certs", "only_contains_ca_certs", "indirect_crl"), False)
    none["only_contains_attribute_certs"] = False
    whole: dict[str, Any] = {
        "full_name": [_POINT],
        "relative_name": None,
        "only_some_reasons": None,
        **none,
        **fields,
    }
    return x509.IssuingDistributionPoint(**whole)


def _list(serials: list[int], reason: x509.ReasonFlags | None, *extensions: x509.ExtensionType) -> bytes:
    builder = x509.CertificateRevocationListBuilder(ROOT.name, NOW - timedelta(days=1), NOW + timedelta(days=7))
    for number in serials:
        entry = x509.RevokedCertificateBuilder(number, NOW - timedelta(days=2))
        if reason:
            entry = entry.add_extension(x509.CRLReason(reason), critical=False)
        builder = builder.add_revoked_certificate(entry.build())
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(_KEY, hashes.SHA256()).public_bytes(Encoding.DER)


def _crl(data: bytes) -> None:
    body = _signed(data[1:]) if data[:1] == b"\1" else data[1:]
    look = read_list(body, load(CERTIFICATE), ROOT.certificate, NOW)
    judge(
        with_revocation(HEALTHY, msgspec.structs.replace(look, certificate=LEAF, url="http://ca.example.com/1.crl"))
    )


def _signed(data: bytes) -> bytes:
    """Return a list whose part to be signed is that of the data, with the root's signature."""
    outer = _content(data)
    first = outer[: len(outer) - len(_content(outer, rest=True))]
    signature = der(_BITS, b"\0" + _KEY.sign(first, ec.ECDSA(hashes.SHA256())))
    return der(_SEQUENCE, first + _ECDSA_WITH_SHA256 + signature)


def _content(data: bytes, *, rest: bool = False) -> bytes:
    """Return what is in the first value of DER, or what follows it."""
    size, at = (data[1] if len(data) > 1 else 0), 2
    if size & 0x80:
        octets = size & 0x7F
        size, at = int.from_bytes(data[2 : 2 + octets]), 2 + octets
    return data[at + size :] if rest else data[at : at + size]


TARGETS = (
    Target("rdap", "registries' answers (RDAP)", _rdap, rdap_samples, 400),
    Target("patience", "Retry-After of services", _patience, patience_samples, 20_000, 2_048),
    Target("ari", "ACME directories and renewal information", _ari, ari_samples, 400),
    Target("transparency", "answers of a search of the logs", _transparency, transparency_samples, 400),
    Target("certificate", "certificates, and chains that begin with them", _certificate, certificate_samples, 350),
    Target("issuer", "issuers' certificates from AIA addresses", _issuer, issuer_samples, 4_000),
    Target("crl", "issuers' lists of revoked certificates", _crl, crl_samples, 350),
)
