"""What an issuer's list says of a certificate: lists that prove something, and all those that do not."""

import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, x25519
from cryptography.hazmat.primitives.serialization import Encoding
from padlock.evidence import Revocation
from padlock.network import limits
from padlock.probes import gather
from padlock.probes.cache import MemoryCache
from padlock.probes.certificates import load
from padlock.probes.revocation import read_list

from tests import captured
from tests.issuers import NOW, Issuer
from tests.servers import Lab, Request, free_port, listen, pages, reply, silence, stage

ROOT = Issuer("Root")
URL = "http://ca.example.com/1.crl"
DAY = timedelta(days=1)


def point(url: str = URL) -> x509.CRLDistributionPoints:
    """Return the extension that names a list."""
    name = x509.UniformResourceIdentifier(url)
    return x509.CRLDistributionPoints([x509.DistributionPoint([name], None, None, None)])


def scope(url: str = URL, **fields: Any) -> x509.IssuingDistributionPoint:
    """Return the extension by which a list says what it covers."""
    defaults = {
        "full_name": [x509.UniformResourceIdentifier(url)] if url else None,
        "relative_name": None,
        "only_contains_user_certs": False,
        "only_contains_ca_certs": False,
        "only_some_reasons": None,
        "indirect_crl": False,
        "only_contains_attribute_certs": False,
    }
    return x509.IssuingDistributionPoint(**{**defaults, **fields})


def crl(
    *serials: int,
    issuer: Issuer = ROOT,
    reason: x509.ReasonFlags | None = x509.ReasonFlags.key_compromise,
    since: datetime = NOW - DAY,
    until: datetime = NOW + 7 * DAY,
    extensions: tuple[x509.ExtensionType, ...] = (),
    key: ec.EllipticCurvePrivateKey | None = None,
) -> bytes:
    """Return an issuer's list, DER."""
    builder = x509.CertificateRevocationListBuilder(issuer.name, since, until)
    for serial in serials:
        entry = x509.RevokedCertificateBuilder(serial, NOW - 2 * DAY)
        if reason:
            entry = entry.add_extension(x509.CRLReason(reason), critical=False)
        builder = builder.add_revoked_certificate(entry.build())
    for extension in extensions:
        builder = builder.add_extension(extension, critical=True)
    return builder.sign(key or issuer.key, hashes.SHA256()).public_bytes(Encoding.DER)


LEAF = load(ROOT.leaf(point()))
OWN = LEAF.serial_number


def read(data: bytes, leaf: x509.Certificate = LEAF) -> Revocation:
    """Return what a list of the root's says of a leaf."""
    return read_list(data, leaf, ROOT.certificate, NOW)


def test_a_named_serial_is_revoked() -> None:
    """With its date and reason, if one is given; PEM is read like DER."""
    found = read(crl(5, OWN, 7))
    assert (found.status, found.reason, found.revoked_at) == ("revoked", "keyCompromise", NOW - 2 * DAY)
    assert found.next_update == NOW + 7 * DAY
    assert read(crl(OWN, reason=None)).reason == ""
    pem = x509.load_der_x509_crl(crl(OWN)).public_bytes(Encoding.PEM)
    assert read(pem).status == "revoked"


def test_others_on_the_list_do_not_matter() -> None:
    """An empty list, one of others, and one of exactly this list's scope say that the leaf is good."""
    for data in (
        crl(),
        crl(5, 7),
        crl(5, extensions=(scope(),)),
        crl(extensions=(scope("", only_contains_user_certs=True),)),
    ):
        assert read(data).status == "good"


def test_a_lifted_hold_is_no_revocation() -> None:
    """RemoveFromCRL takes a hold back; a hold itself counts as long as it lasts."""
    assert read(crl(OWN, reason=x509.ReasonFlags.remove_from_crl)).status == "good"
    assert read(crl(OWN, reason=x509.ReasonFlags.certificate_hold)).status == "revoked"


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (crl(OWN, key=ec.generate_private_key(ec.SECP256R1())), "signature"),
        (crl(OWN)[:-3] + b"\0\0\0", "signature"),
        (crl(OWN, issuer=Issuer("Somebody")), "another issuer"),
        (crl(OWN, since=NOW - 9 * DAY, until=NOW - DAY), "out of date"),
        (crl(OWN, since=NOW + DAY), "in the future"),
        (crl(extensions=(scope("http://ca.example.com/2.crl"),)), "other certificates"),
        (crl(extensions=(scope(only_contains_ca_certs=True),)), "other certificates"),
        (crl(extensions=(scope(indirect_crl=True),)), "other certificates"),
        (crl(extensions=(scope("", only_contains_attribute_certs=True),)), "other certificates"),
        (
            crl(extensions=(scope(only_some_reasons=frozenset([x509.ReasonFlags.superseded])),)),
            "other certificates",
        ),
        (crl(extensions=(x509.DeltaCRLIndicator(3),)), "only tells changes"),
        (
            crl(extensions=(x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\0"),)),
            "not understood",
        ),
        (b"<html>down for maintenance</html>", "cannot be read"),
        (b"", "cannot be read"),
        (b"\x30\x80" * 1000, "cannot be read"),
    ],
)
def test_what_proves_nothing(data: bytes, why: str) -> None:
    """Lists of others, forged, old, of another scope, or no list at all leave it unknown, never good or revoked."""
    found = read(data)
    assert (found.status, why in found.detail) == ("unknown", True), found


def test_an_issuer_whose_key_cannot_sign() -> None:
    """A certificate with a key for key agreement only is no issuer."""
    name = x509.Name([])
    builder = x509.CertificateBuilder(name, name, x25519.X25519PrivateKey.generate().public_key(), 1, NOW, NOW + DAY)
    odd = builder.sign(ROOT.key, hashes.SHA256())
    assert "signature" in read_list(crl(OWN), LEAF, odd, NOW).detail


REAL = captured.text("crl-letsencrypt-r3-105.pem").encode()
"""A list of Let's Encrypt's R3, of 5 March 2025."""
R3 = x509.load_pem_x509_certificate(captured.text("letsencrypt-r3.pem").encode())


def of_r3(url: str = "http://r3.c.lencr.org/105.crl") -> x509.Certificate:
    """Return a leaf that names R3 as its issuer and this list; nobody's signature is on it but a test's."""
    key = ec.generate_private_key(ec.SECP256R1())
    builder = x509.CertificateBuilder(R3.subject, x509.Name([]), key.public_key(), 5, NOW - DAY, NOW)
    return builder.add_extension(point(url), critical=False).sign(key, hashes.SHA256())


@pytest.mark.parametrize(
    ("leaf", "day", "status", "why"),
    [
        (of_r3(), 6, "good", ""),
        (of_r3("http://r3.c.lencr.org/106.crl"), 6, "unknown", "other certificates"),
        (of_r3(), 4, "unknown", "in the future"),
        (of_r3(), 15, "unknown", "out of date"),
        (LEAF, 6, "unknown", "another issuer"),
    ],
    ids=["its own", "another shard", "before", "after", "another issuer"],
)
def test_a_list_of_lets_encrypts(leaf: x509.Certificate, day: int, status: str, why: str) -> None:
    """Its signature is R3's own; it speaks of the leaves that name this part of the list, for nine days."""
    found = read_list(REAL, leaf, R3, datetime(2025, 3, day, tzinfo=UTC))
    assert (found.status, why in found.detail) == (status, True), found


def test_a_list_of_lets_encrypts_that_was_touched() -> None:
    """A single octet, or another key, and it proves nothing."""
    der = bytearray(x509.load_pem_x509_crl(REAL).public_bytes(Encoding.DER))
    der[-1] ^= 1
    now = datetime(2025, 3, 6, tzinfo=UTC)
    assert "signature" in read_list(bytes(der), of_r3(), R3, now).detail
    assert "signature" in read_list(REAL, of_r3(), ROOT.certificate, now).detail


class Stage(msgspec.Struct):
    """A site whose certificate names a list, and the server of that list."""

    lab: Lab
    lists: str
    answers: dict[str, bytes]
    asked: list[str]
    serial: int
    cache: MemoryCache = msgspec.field(default_factory=MemoryCache)

    async def look(self, now: datetime = NOW, service: str = "crl") -> Revocation:
        """Return what a run finds of the leaf; the operator named the list's place for this service."""
        vantage = msgspec.structs.replace(self.lab.vantage, services={service: self.lists})
        tls = (await gather(self.lab.site, now, vantage, self.cache)).tls
        assert tls
        found = tls.revocation(next(tls.named()).chain[0])
        assert found
        return found


@contextlib.asynccontextmanager
async def site(
    folder: Path, answer: bytes = b"", *, names: str = "/1.crl", address: str = "127.0.0.1", **fields: Any
) -> AsyncIterator[Stage]:
    """Run a site of the root's, and its list; `names` is the list's path in the certificate, empty: none."""
    ports = free_port(), free_port()
    asked: list[str] = []
    lists = f"http://ca.example.com:{ports[0]}"
    answers = {"/1.crl": answer} if answer else {}
    issuer = fields.pop("issuer", ROOT)
    context = issuer.context(folder, *((point(lists + names),) if names else ()))
    serial = x509.load_pem_x509_certificate((folder / "leaf.pem").read_bytes()).serial_number

    def given(request: Request) -> bytes:
        if request.host == "ca.example.com":
            asked.append(request.path)
        return answers.get(request.path, reply(404))

    async with stage(
        pages({"/": reply(200, "shop")}),
        pages(given),
        tls=context,
        records=[f"ca A {address}"],
        listen_on=ports,
        **{"private_ca": ROOT.pem, **fields},
    ) as lab:
        yield Stage(lab, lists, answers, asked, serial)


async def test_the_list_is_asked_and_its_word_kept_for_a_day(tmp_path: Path) -> None:
    """The first run asks, those of a day do not, and then it is asked again."""
    async with site(tmp_path, reply(200, crl(5))) as staged:
        assert (await staged.look()).status == "good"
        staged.answers["/1.crl"] = reply(200, crl(staged.serial))
        assert (await staged.look(NOW + DAY / 2)).status == "good"
        assert staged.asked.count("/1.crl") == 1
        found = await staged.look(NOW + 1.1 * DAY)
        assert (found.status, found.reason, found.url) == ("revoked", "keyCompromise", f"{staged.lists}/1.crl")
        assert staged.asked.count("/1.crl") == 2


async def test_a_word_is_not_kept_beyond_the_next_list(tmp_path: Path) -> None:
    """A list that is due for replacement within the day counts until then only."""
    async with site(tmp_path, reply(200, crl(5, until=NOW + DAY / 24))) as staged:
        assert (await staged.look()).status == "good"
        assert (await staged.look(NOW + DAY / 12)).detail == "the list is out of date"


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (reply(503, "down"), "status 503"),
        (reply(200, "<html>"), "cannot be read"),
        (reply(200, bytes(limits.REVOCATION_BYTES + 1)), f"longer than {limits.REVOCATION_BYTES} octets"),
        (reply(302, "", ("Location", "http://ca.example.com:1/")), "names the port 1"),
    ],
    ids=["down", "garbage", "too large", "moved astray"],
)
async def test_a_service_that_fails_leaves_it_unknown(tmp_path: Path, answer: bytes, why: str) -> None:
    """It is unknown, says why, and is asked again within the hour, not at every check."""
    async with site(tmp_path, answer) as staged:
        found = await staged.look()
        assert (found.status, why in found.detail) == ("unknown", True), found
        asked = len(staged.asked)
        staged.answers["/1.crl"] = reply(200, crl(5))
        assert (await staged.look(NOW + DAY / 48)).status == "unknown"
        assert len(staged.asked) == asked
        assert (await staged.look(NOW + DAY / 20)).status == "good"


async def test_a_service_that_asks_for_patience_gets_it(tmp_path: Path) -> None:
    """Retry-After beyond the hour is kept to."""
    async with site(tmp_path, reply(429, "", ("Retry-After", "7200"))) as staged:
        for hours in (0, 1.1, 1.9):
            assert (await staged.look(NOW + DAY * hours / 24)).detail.endswith("status 429")
        assert len(staged.asked) == 1
        staged.answers["/1.crl"] = reply(200, crl(5))
        assert (await staged.look(NOW + DAY * 2.1 / 24)).status == "good"


async def test_a_list_that_never_comes_delays_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The wait has an end of its own; everything else of the site is there."""
    monkeypatch.setattr(limits, "SERVICE_SECONDS", 0.5)
    async with listen(silence) as number, site(tmp_path, names="") as staged:
        lists = f"http://example.com:{number}"
        context = ROOT.context(tmp_path, point(f"{lists}/1.crl"))
        async with listen(pages({"/": reply(200, "shop")}), tls=context) as https:
            ports = msgspec.structs.replace(staged.lab.site.ports, https=https)
            declared = msgspec.structs.replace(staged.lab.site, ports=ports)
            vantage = msgspec.structs.replace(staged.lab.vantage, services={"crl": lists})
            evidence = await gather(declared, NOW, vantage)
    assert evidence.tls
    assert evidence.http
    assert [(look.status, "timeout" in look.detail) for look in evidence.tls.revocations] == [("unknown", True)]
    assert {exchange.status for exchange in evidence.http.of("front", "https")} == {200}
    assert (evidence.incomplete, evidence.timings["total"] < 5) == ("", True)


async def test_a_leaf_that_names_no_list(tmp_path: Path) -> None:
    """Nothing is asked, and that is said."""
    async with site(tmp_path, names="") as staged:
        assert (await staged.look()).detail == "the certificate names no list (CRL)"
        assert staged.asked == []


async def test_a_list_at_an_internal_address_is_not_asked(tmp_path: Path) -> None:
    """The URL stands in a certificate: it is vetted like everything else."""
    async with site(tmp_path, reply(200, crl(5)), address="10.0.0.1") as staged:
        found = await staged.look()
        assert (found.status, "10.0.0.1" in found.detail) == ("unknown", True), found
        assert staged.asked == []


async def test_a_list_that_is_not_of_the_web_is_not_asked(tmp_path: Path) -> None:
    """Directories and files that old certificates name are no lists that clients fetch."""
    ldap = point("ldap://ca.example.com/cn=ca?certificateRevocationList")
    context = ROOT.context(tmp_path, ldap)
    async with stage(pages({"/": reply(200, "shop")}), tls=context, private_ca=ROOT.pem) as lab:
        tls = (await lab.gather(NOW)).tls
    assert tls
    assert [look.detail for look in tls.revocations] == ["the certificate names no list (CRL)"]


@pytest.mark.parametrize("service", ["ct", "rdap", "ari"])
async def test_a_certificate_opens_no_other_service_of_the_operators(service: str, tmp_path: Path) -> None:
    """A site signs its own certificates: a list that it puts at the operator's service is not asked for there."""
    async with site(tmp_path, reply(200, crl(5)), names="/any/path?at=all") as staged:
        found = await staged.look(service=service)
    assert found.status == "unknown"
    assert "/any/path?at=all" not in staged.asked
    assert f"names the port {staged.lists.rpartition(':')[2]}" in found.detail


async def test_an_issuer_that_was_not_sent(tmp_path: Path) -> None:
    """Its signature on a list could not be checked: nothing is asked."""
    below = Issuer("Below", ROOT)
    async with site(tmp_path, reply(200, crl(5, issuer=below)), issuer=below) as staged:
        vantage = msgspec.structs.replace(staged.lab.vantage, services={"crl": staged.lists})
        tls = (await gather(staged.lab.site, NOW, vantage)).tls
    assert tls
    assert [look.status for look in tls.verifications] == ["unknown_issuer"]
    assert (tls.revocations, staged.asked) == ((), [])
