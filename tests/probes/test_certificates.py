"""What is read of a certificate, and of one that breaks the rules."""

import ipaddress
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID
from padlock.network.limits import CERTIFICATE_NAMES_KEPT
from padlock.probes.certificates import digest, parse

KEY = ec.generate_private_key(ec.SECP256R1())
START, END = datetime(2026, 9, 1, tzinfo=UTC), datetime(2026, 11, 30, tzinfo=UTC)


def made(
    *names: x509.GeneralName,
    common_name: str = "example.com",
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey = KEY,
    extensions: tuple[x509.ExtensionType, ...] = (),
) -> bytes:
    """Return a self-signed certificate, DER."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    builder = x509.CertificateBuilder(name, name, key.public_key(), 0x04A1B2, START, END)
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    hashed = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return builder.sign(key, hashed).public_bytes(Encoding.DER)


def test_what_is_small_is_read_once() -> None:
    """Checks meet the same certificates all day long; large ones, of which a server may choose many, are not kept."""
    small = made(x509.DNSName("example.com"))
    large = made(*(x509.DNSName(f"host-{number}.example.com") for number in range(300)))
    assert parse(small) is parse(bytes(bytearray(small)))
    assert parse(large) is not parse(large)
    assert parse(large) == parse(large)


def test_every_field_is_read() -> None:
    """A whole certificate: names, dates with their zone, key, signature, flags, AIA."""
    aia = x509.AuthorityInformationAccess(
        [
            x509.AccessDescription(
                AuthorityInformationAccessOID.CA_ISSUERS, x509.UniformResourceIdentifier("http://ca.example/i.der")
            )
        ]
    )
    names = (x509.DNSName("example.com"), x509.DNSName("*.example.com"))
    address = x509.IPAddress(ipaddress.ip_address("192.0.2.1"))
    der = made(*names, address, extensions=(aia, x509.BasicConstraints(ca=True, path_length=None)))
    seen = parse(der)
    assert seen.sha256 == digest(der)
    assert seen.dns_names == ("example.com", "*.example.com")
    assert seen.dns_name_count == 2
    assert seen.ip_addresses == ("192.0.2.1",)
    assert (seen.subject, seen.issuer, seen.common_name) == ("CN=example.com", "CN=example.com", "example.com")
    assert seen.serial == "04A1B2"
    assert (seen.not_before, seen.not_after) == (START, END)
    assert (seen.key, seen.key_bits, seen.curve, seen.signature_hash) == ("ec", 256, "secp256r1", "sha256")
    assert seen.is_ca
    assert seen.is_self_signed
    assert seen.ca_issuers == ("http://ca.example/i.der",)
    assert (seen.size, seen.malformed) == (len(der), "")


def test_kinds_of_keys() -> None:
    """RSA by its size; Ed25519 signs without a hash of its own."""
    short = parse(made(key=rsa.generate_private_key(65537, 2048)))
    edwards = parse(made(key=ed25519.Ed25519PrivateKey.generate()))
    assert (short.key, short.key_bits) == ("rsa", 2048)
    assert (edwards.key, edwards.signature_hash) == ("ed25519", "")


def test_a_common_name_without_alternative_names_is_no_name() -> None:
    """Browsers ignore the CN."""
    seen = parse(made(common_name="example.com"))
    assert (seen.dns_names, seen.dns_name_count, seen.common_name) == ((), 0, "example.com")


def test_a_nul_in_a_name_is_escaped() -> None:
    """A name that C programs read as a shorter one stays whole."""
    seen = parse(made(x509.DNSName("example.com\0.evil.example")))
    assert seen.dns_names == ("example.com\\x00.evil.example",)


def test_control_and_bidi_characters_in_names_are_escaped() -> None:
    """Issuers and subjects are shown in terminals and mails."""
    seen = parse(made(common_name="shop\u202e\x1b[31m\n"))
    assert seen.subject.isprintable()
    assert seen.common_name.isprintable()


def test_many_names_are_counted_and_some_kept() -> None:
    """The count is true, the evidence stays bounded."""
    seen = parse(made(*(x509.DNSName(f"{number}.example.com") for number in range(1500))))
    assert (seen.dns_name_count, len(seen.dns_names)) == (1500, CERTIFICATE_NAMES_KEPT)


@pytest.mark.parametrize("der", [b"", b"\x30", b"not a certificate", b"\x30\x82\xff\xff" + b"\0" * 64])
def test_octets_that_are_no_certificate_are_malformed(der: bytes) -> None:
    """Then only digest and size are known."""
    seen = parse(der)
    assert seen.malformed
    assert (seen.sha256, seen.size, seen.not_after) == (digest(der), len(der), None)


def test_unreadable_alternative_names_are_malformed_beside_what_could_be_read() -> None:
    """The dates of a certificate with a broken SAN are still judged."""
    broken = x509.UnrecognizedExtension(x509.SubjectAlternativeName.oid, b"\x30\x05\x82\x03\xff\xff\xff")
    seen = parse(made(extensions=(broken,)))
    assert seen.malformed.startswith("subjectAltName: ")
    assert seen.not_after == END
    assert seen.dns_names == ()


@pytest.mark.parametrize("tag", [0x81, 0x82, 0x86])
def test_names_beyond_ascii_are_malformed(tag: int) -> None:
    """Chromium refuses a certificate with one such mail address, host name or URI; the others are still read."""
    for text in ("bücher.example".encode(), b"b\xc3\xbc@example"):
        entries = bytes([tag, len(text)]) + text + b"\x82\x09plain.com"
        extension = x509.UnrecognizedExtension(x509.SubjectAlternativeName.oid, bytes([0x30, len(entries)]) + entries)
        seen = parse(made(extensions=(extension,)))
        assert "is not ASCII, which browsers refuse" in seen.malformed
        assert "plain.com" in seen.dns_names
    assert parse(made(x509.DNSName("xn--bcher-kva.example"))).malformed == ""


def test_where_revocations_are_published() -> None:
    """The lists' URLs are kept, at most four; names of another kind are not."""
    urls = [x509.UniformResourceIdentifier(f"http://ca.example/{number}.crl") for number in range(6)]
    points = [x509.DistributionPoint([url], None, None, None) for url in urls]
    directory = x509.DistributionPoint([x509.DirectoryName(x509.Name([]))], None, None, None)
    seen = parse(made(extensions=(x509.CRLDistributionPoints([directory, *points]),)))
    assert seen.crl_urls == tuple(url.value for url in urls[:4])
    assert parse(made()).crl_urls == ()


def test_the_longest_key_that_clients_accept_is_read() -> None:
    """RSA of 16,384 bits is slow and fine."""
    longest = rsa.RSAPublicNumbers(65537, 2**16384 - 1).public_key()
    name = x509.Name([])
    builder = x509.CertificateBuilder(name, name, longest, 1, START, END)
    seen = parse(builder.sign(KEY, hashes.SHA256()).public_bytes(Encoding.DER))
    assert (seen.key, seen.key_bits, seen.malformed) == ("rsa", 16384, "")
