"""Trust: OpenSSL's paths, the clock of the evidence, and a name for each reason."""

import itertools
import random
import re
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from pathlib import Path

import certifi
import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from padlock.probes import trust
from padlock.probes.certificates import parse
from padlock.probes.trust import Anchors, anchors, verify, verify_completing

from tests.issuers import NOW, YEAR, Issuer, aia

ROOT = Issuer("Root")
BELOW = Issuer("Below", ROOT)
TRUSTED = anchors(NOW, private_ca=ROOT.pem)


def serving(bodies: dict[str, bytes]) -> Callable[[str], Awaitable[bytes]]:
    """Return a fetch function that knows these URLs."""

    async def fetch(url: str) -> bytes:
        return bodies.get(url, b"")

    return fetch


def test_a_chain_to_a_private_root_is_trusted() -> None:
    """Path, its earliest expiry, and that it is the site's own CA."""
    leaf = BELOW.leaf(until=NOW + timedelta(days=30))
    seen = verify([leaf, BELOW.der], TRUSTED)
    assert (seen.status, seen.private) == ("trusted", True)
    assert seen.path == ("CN=example.com", "CN=Below", "CN=Root")
    assert seen.path_not_after == NOW + timedelta(days=30)


def test_the_operator_s_file_is_trusted_beside_the_public_roots(tmp_path: Path) -> None:
    """An operator's CA counts for every site and is nobody's private one."""
    file = tmp_path / "ca.pem"
    file.write_text(ROOT.pem)
    seen = verify([BELOW.leaf(), BELOW.der], anchors(NOW, str(file)))
    assert (seen.status, seen.private) == ("trusted", False)


def test_order_and_strangers_in_a_chain_do_not_matter() -> None:
    """Clients build the path themselves; order is another rule's business."""
    stranger = Issuer("Stranger")
    assert verify([BELOW.leaf(), stranger.der, ROOT.der, BELOW.der], TRUSTED).status == "trusted"


@pytest.mark.parametrize(("since", "until", "word"), [(-9, -1, "expired"), (1, 9, "not yet valid")])
def test_a_wrong_date_alone_is_expired(since: int, until: int, word: str) -> None:
    """The path stands otherwise, and the detail says which way the date is wrong."""
    leaf = BELOW.leaf(since=NOW + timedelta(days=since), until=NOW + timedelta(days=until))
    seen = verify([leaf, BELOW.der], TRUSTED)
    assert seen.status == "expired"
    assert word in seen.detail
    assert seen.path_not_after == NOW + timedelta(days=until)


def test_the_clock_is_that_of_the_evidence() -> None:
    """The same chain at another time is another look; stores keep no clock of an earlier one."""
    leaf = BELOW.leaf(until=NOW + timedelta(days=30))
    late = anchors(NOW + timedelta(days=31), private_ca=ROOT.pem)
    looks = [verify([leaf, BELOW.der], when).status for when in (TRUSTED, late, TRUSTED)]
    assert looks == ["trusted", "expired", "trusted"]


def test_what_is_remembered_is_what_a_new_look_sees() -> None:
    """Around every date of leaf and intermediate, in any order, a chain that is known comes to what it comes to."""
    dates = [NOW + timedelta(seconds=seconds) for seconds in (-50, -30, 30, 50)]
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Brief")])
    brief = Issuer("Brief", ROOT)
    above = ROOT.sign(name, brief.key, ca=True, since=dates[0], until=dates[3]).public_bytes(Encoding.DER)
    chain = [brief.leaf(since=dates[1], until=dates[2]), above]
    times = [date + timedelta(seconds=beside) for date in dates for beside in (-1, 0, 0.5, 1, 10)]

    def fresh(number: int, time: datetime) -> Anchors:
        return anchors(time, private_ca=f"# anchors that nobody has seen yet: {number}\n{ROOT.pem}")

    expected = {time: verify(chain, fresh(number, time)) for number, time in enumerate(times)}
    assert {look.status for look in expected.values()} == {"trusted", "expired"}
    for seed in range(5):
        shuffled = random.Random(seed).sample(times, len(times))  # noqa: S311 — any order
        assert {time: verify(chain, anchors(time, private_ca=ROOT.pem)) for time in shuffled} == expected


def test_a_chain_is_verified_once_while_nothing_changes() -> None:
    """Checks come back to the same chains all day long; how many are remembered does not grow with their number."""
    leaf = BELOW.leaf()
    first = verify([leaf, BELOW.der], anchors(NOW, private_ca=ROOT.pem))
    assert verify([leaf, BELOW.der], anchors(NOW + timedelta(days=1), private_ca=ROOT.pem)) is first
    strangers = [Issuer(f"Stranger {number}").der for number in range(3)]
    for chain in itertools.permutations([leaf, BELOW.der, ROOT.der, *strangers]):
        verify(chain, TRUSTED)
    assert len(trust._KNOWN) <= trust._MOST_KNOWN


def test_an_expired_leaf_of_an_unknown_issuer_is_untrusted_first() -> None:
    """Its date would not help it."""
    stranger = Issuer("Stranger")
    leaf = stranger.leaf(since=NOW - YEAR, until=NOW - timedelta(days=1))
    assert verify([leaf], TRUSTED).status == "unknown_issuer"


def test_an_expired_cross_signed_certificate_beside_a_valid_path_passes() -> None:
    """The trusted path is found first, as browsers find it (DST Root CA X3, September 2021)."""
    old = Issuer("Old Root")
    crossed = old.sign(ROOT.name, ROOT.key, ca=True, until=NOW - timedelta(days=50)).public_bytes(Encoding.DER)
    both = anchors(NOW, private_ca=ROOT.pem + old.pem)
    for trusted in (TRUSTED, both):
        seen = verify([BELOW.leaf(), BELOW.der, crossed], trusted)
        assert seen.status == "trusted"
        assert seen.path_not_after
        assert seen.path_not_after > NOW


def test_a_self_signed_leaf() -> None:
    """It is its own issuer; declared as the site's CA it is trusted."""
    alone = Issuer("example.com")
    assert verify([alone.der], TRUSTED).status == "self_signed"
    assert verify([alone.der], anchors(NOW, private_ca=alone.pem)).status == "trusted"


def test_a_site_may_declare_its_intermediate() -> None:
    """A private CA need not be a root."""
    assert verify([BELOW.leaf()], anchors(NOW, private_ca=BELOW.pem)).status == "trusted"


def test_an_unknown_root_that_is_sent_along() -> None:
    """The whole chain is there, and nobody knows it."""
    stranger = Issuer("Stranger")
    seen = verify([stranger.leaf(), stranger.der], TRUSTED)
    assert (seen.status, seen.missing_issuer) == ("unknown_issuer", "")
    assert "CN=Stranger" in seen.detail


def test_a_missing_issuer_is_named() -> None:
    """What was not sent and is not known has a name."""
    seen = verify([BELOW.leaf()], TRUSTED)
    assert (seen.status, seen.missing_issuer) == ("unknown_issuer", "CN=Below")


def test_a_leaf_that_is_not_for_web_servers_is_invalid() -> None:
    """Browsers look at the extended key usage."""
    mail = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION])
    web = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH])
    assert verify([BELOW.leaf(mail), BELOW.der], TRUSTED).status == "invalid"
    assert verify([BELOW.leaf(web), BELOW.der], TRUSTED).status == "trusted"


def below(name: str, *extensions: x509.ExtensionType, key: ec.EllipticCurvePrivateKey | None = None) -> Issuer:
    """Return an intermediate with extensions."""
    made = Issuer(name, ROOT, key)
    made.certificate = ROOT.sign(made.name, made.key, *extensions, ca=True)
    return made


CLIENTS = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])


@pytest.mark.parametrize(
    ("purposes", "status"),
    [
        ([ExtendedKeyUsageOID.CLIENT_AUTH], "invalid"),
        ([ExtendedKeyUsageOID.CODE_SIGNING], "invalid"),
        ([x509.ObjectIdentifier("2.16.840.1.113730.4.1")], "invalid"),
        ([ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH], "trusted"),
        ([ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE], "trusted"),
    ],
)
def test_an_intermediate_s_extended_key_usage_limits_it(purposes: list[x509.ObjectIdentifier], status: str) -> None:
    """As Chromium 156 judges each: server gated cryptography is no purpose any more, any purpose is one."""
    between = below("Limited", x509.ExtendedKeyUsage(purposes))
    seen = verify([between.leaf(), between.der], TRUSTED)
    assert seen.status == status
    assert ("intermediate CN=Limited" in seen.detail) == (status == "invalid")


def test_another_path_beside_an_unfit_intermediate_is_trusted() -> None:
    """Two certificates of one issuer: clients find the one that may."""
    limited = below("Twice", CLIENTS)
    free = below("Twice", key=limited.key)
    for sent in ([limited.der, free.der], [free.der, limited.der]):
        assert verify([limited.leaf(), *sent], TRUSTED).status == "trusted"


def test_the_extended_key_usage_of_a_trust_anchor_says_nothing() -> None:
    """A declared intermediate, or a root, is trusted for what it was declared for."""
    limited = below("Declared", CLIENTS)
    trusted = anchors(NOW, private_ca=limited.pem)
    assert verify([limited.leaf(), limited.der], trusted).status == "trusted"


def test_an_unfit_intermediate_above_another_is_found() -> None:
    """Every certificate between leaf and anchor counts, and none that is not on the path."""
    limited = below("Upper", CLIENTS)
    lower = Issuer("Lower", limited)
    assert verify([lower.leaf(), lower.der, limited.der], TRUSTED).status == "invalid"
    assert verify([BELOW.leaf(), BELOW.der, limited.der], TRUSTED).status == "trusted"


def usage(*allowed: str) -> x509.KeyUsage:
    """Return a key usage."""
    every = "digital_signature content_commitment key_encipherment data_encipherment key_agreement key_cert_sign"
    return x509.KeyUsage(
        **{name: name in allowed for name in f"{every} crl_sign encipher_only decipher_only".split()}
    )


@pytest.mark.parametrize("allowed", ["key_encipherment", "key_agreement", "content_commitment"])
def test_a_leaf_whose_key_may_not_sign_is_invalid(allowed: str) -> None:
    """Browsers hold the key to its usage; beside the signature it may have others."""
    assert verify([BELOW.leaf(usage(allowed)), BELOW.der], TRUSTED).status == "invalid"
    assert verify([BELOW.leaf(usage("digital_signature", allowed)), BELOW.der], TRUSTED).status == "trusted"


def test_a_leaf_signed_by_a_leaf_is_invalid() -> None:
    """A certificate that is no CA signs nothing."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "no CA")])
    between = BELOW.sign(name, key)
    fake = Issuer.__new__(Issuer)
    fake.name, fake.key = name, key
    chain = [fake.leaf(), between.public_bytes(Encoding.DER), BELOW.der]
    assert verify(chain, TRUSTED).status == "invalid"


def test_octets_that_are_no_certificate_are_invalid() -> None:
    """Nothing raises."""
    assert verify([b"no certificate"], TRUSTED).status == "invalid"
    assert verify([BELOW.leaf(), b"no certificate"], TRUSTED).status == "invalid"


@pytest.mark.parametrize("seed", range(5))
def test_damaged_certificates_raise_nothing(seed: int) -> None:
    """One octet wrong, anywhere: a verdict each, and never trusted with another content."""
    chance = random.Random(seed)  # noqa: S311 — a repeatable choice, no secret
    leaf = BELOW.leaf(aia("http://ca.example/below.der"))
    for at in chance.sample(range(len(leaf)), 80):
        damaged = leaf[:at] + bytes([leaf[at] ^ chance.randrange(1, 256)]) + leaf[at + 1 :]
        assert parse(damaged).size == len(leaf)
        assert verify([damaged, BELOW.der], TRUSTED).status in ("invalid", "unknown_issuer", "expired"), at


def test_the_public_roots_are_anchors() -> None:
    """A root that browsers know is trusted without any declaration."""
    pem = re.search(r"-----BEGIN.+?END CERTIFICATE-----", Path(certifi.where()).read_text(), re.DOTALL)
    assert pem
    root = x509.load_pem_x509_certificate(pem[0].encode())
    at = root.not_valid_after_utc - timedelta(days=1)
    assert verify([root.public_bytes(Encoding.DER)], anchors(at)).status == "trusted"


@pytest.mark.parametrize(
    "bundle",
    [
        lambda issuer: issuer.public_bytes(Encoding.DER),
        lambda issuer: issuer.public_bytes(Encoding.PEM),
        lambda issuer: pkcs7.serialize_certificates([issuer], Encoding.DER),
    ],
    ids=["der", "pem", "pkcs7"],
)
async def test_an_intermediate_that_was_not_sent_is_fetched(bundle: Callable[[x509.Certificate], bytes]) -> None:
    """The chain is incomplete, not unknown: some browsers repair it so."""
    leaf = BELOW.leaf(aia("http://ca.example/below.der"))
    seen = await verify_completing(
        [leaf], TRUSTED, serving({"http://ca.example/below.der": bundle(BELOW.certificate)})
    )
    assert (seen.status, seen.missing_issuer) == ("incomplete", "CN=Below")
    assert seen.path == ("CN=example.com", "CN=Below", "CN=Root")
    assert len(seen.chain) == 1


async def test_two_missing_intermediates_are_fetched_one_after_the_other() -> None:
    """Each names the next."""
    url = "http://ca.example/"
    lowest = Issuer("Lowest", BELOW)
    lowest.certificate = BELOW.sign(lowest.name, lowest.key, aia(url + "below"), ca=True)
    bodies = {url + "lowest": lowest.der, url + "below": BELOW.der}
    seen = await verify_completing([lowest.leaf(aia(url + "lowest"))], TRUSTED, serving(bodies))
    assert (seen.status, seen.missing_issuer) == ("incomplete", "CN=Lowest")


@pytest.mark.parametrize("body", [b"", b"<html>not found", Issuer("Below").der])
async def test_where_aia_does_not_help_the_issuer_stays_unknown(body: bytes) -> None:
    """Nothing, a page, or a certificate of the same name with another key."""
    leaf = BELOW.leaf(aia("http://ca.example/below.der"))
    seen = await verify_completing([leaf], TRUSTED, serving({"http://ca.example/below.der": body}))
    assert (seen.status, seen.missing_issuer) == ("unknown_issuer", "CN=Below")


async def test_only_plain_http_is_fetched() -> None:
    """LDAP and HTTPS URLs are left alone."""
    leaf = BELOW.leaf(aia("ldap://ca.example/x", "https://ca.example/below.der"))
    seen = await verify_completing([leaf], TRUSTED, serving({"https://ca.example/below.der": BELOW.der}))
    assert seen.status == "unknown_issuer"


async def test_a_complete_chain_asks_nobody() -> None:
    """What verifies as sent needs no fetch."""

    async def fetch(url: str) -> bytes:
        raise AssertionError(f"{url} was fetched")

    seen = await verify_completing([BELOW.leaf(aia("http://ca.example/below.der")), BELOW.der], TRUSTED, fetch)
    assert seen.status == "trusted"


@pytest.mark.parametrize("pem", ["", "-----BEGIN CERTIFICATE-----\nbm9uZQ==\n-----END CERTIFICATE-----\n"])
def test_anchors_that_cannot_be_read_say_so(pem: str, tmp_path: Path) -> None:
    """A declaration's mistake is a ValueError."""
    file = tmp_path / "ca.pem"
    file.write_text(pem)
    with pytest.raises(ValueError, match="in it"):
        anchors(NOW, str(file))


def test_a_leaf_of_trustme_is_trusted() -> None:
    """Certificates with key identifiers verify as well."""
    authority = trustme.CA()
    leaf = x509.load_pem_x509_certificate(authority.issue_cert("example.com").cert_chain_pems[0].bytes())
    trusted: Anchors = anchors(NOW, private_ca=authority.cert_pem.bytes().decode())
    assert verify([leaf.public_bytes(Encoding.DER)], trusted).status == "trusted"
