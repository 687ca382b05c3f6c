"""Certificates that OpenSSL takes and nobody can read, beside good ones: they spoil nothing and hide nothing."""

import warnings

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from padlock.probes.certificates import parse
from padlock.probes.trust import anchors, verify, verify_completing

from tests.hostile.chains import with_impossible_date
from tests.issuers import NOW, Issuer, aia

ROOT = Issuer("Root")
BELOW = Issuer("Below", ROOT)
TRUSTED = anchors(NOW, private_ca=ROOT.pem)
UNREADABLE = with_impossible_date(Issuer("Nobody").der)


def test_the_certificate_is_one_that_cannot_be_read() -> None:
    """The tests below stand on it."""
    assert parse(UNREADABLE).malformed


@pytest.mark.parametrize("place", [1, 2])
def test_a_chain_with_an_unreadable_stranger_is_trusted(place: int) -> None:
    """Clients pass over what is of no use to them."""
    chain = [BELOW.leaf(), BELOW.der]
    chain.insert(place, UNREADABLE)
    seen = verify(chain, TRUSTED)
    assert (seen.status, seen.path) == ("trusted", ("CN=example.com", "CN=Below", "CN=Root"))


async def test_a_missing_issuer_is_fetched_beside_an_unreadable_stranger() -> None:
    """The stranger does not end the search for the leaf's issuer."""
    leaf = BELOW.leaf(aia("http://ca.example.com/below.der"))

    async def fetch(url: str) -> bytes:
        return BELOW.der if url == "http://ca.example.com/below.der" else b""

    seen = await verify_completing([leaf, UNREADABLE], TRUSTED, fetch)
    assert (seen.status, seen.missing_issuer) == ("incomplete", "CN=Below")


def test_an_unreadable_issuer_on_the_path_makes_it_invalid() -> None:
    """Its signature fits no more; that it cannot be read is no fault of Padlock's."""
    seen = verify([BELOW.leaf(), with_impossible_date(BELOW.der)], TRUSTED)
    assert seen.status in ("invalid", "unknown_issuer")


async def test_strangers_that_sign_each_other_end_the_search() -> None:
    """Issuers in a circle, and the same certificate many times, have an end."""
    one, other = Issuer("One"), Issuer("Other")
    crossed = [
        issuer.sign(subject.name, subject.key, ca=True).public_bytes(Encoding.DER)
        for issuer, subject in ((one, other), (other, one))
    ]

    async def fetch(_url: str) -> bytes:
        return b""

    seen = await verify_completing([one.leaf(), *crossed, *crossed], TRUSTED, fetch)
    assert seen.status == "unknown_issuer"


def test_a_name_that_breaks_its_rules_is_read_without_a_word() -> None:
    """A country of eleven letters makes the library complain; a log of JSON lines has no place for that."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        country = x509.NameAttribute(NameOID.COUNTRY_NAME, "Deutschland", _validate=False)
        der = ROOT.sign(x509.Name([country]), ROOT.key).public_bytes(Encoding.DER)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read, seen = parse(der), verify([der], TRUSTED)
    assert (read.malformed, read.subject) == ("", "C=Deutschland")
    assert seen.status == "trusted"
