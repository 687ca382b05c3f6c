"""Padlock and OpenSSL agree on which old versions an address speaks, and which certificates were taken back."""

import re
from collections.abc import Mapping

import pytest

from tests.lab.lab import Lab
from tests.lab.look import Seen
from tests.lab.scenarios import ALL, Scenario

SITES = {scenario.name: scenario for scenario in ALL}
OPTIONS = {"TLSv1": "tls1", "TLSv1.1": "tls1_1"}
OLD = ("old-tls.test", "old-second.test", "only-old-tls.test")
MODERN = ("shop.test", "rsa-and-ecdsa.test", "tls12-only.test", "modern-tls.test", "rsa-16384.test")


def sites(*chosen: str) -> pytest.MarkDecorator:
    """Run a test for each of these sites."""
    return pytest.mark.parametrize("scenario", [SITES[name] for name in chosen], ids=chosen)


@sites(*OLD, *MODERN)
def test_old_versions_are_those_of_openssl(scenario: Scenario, lab: Lab, seen: Mapping[str, Seen]) -> None:
    """For every host, address and version that OpenSSL still knows, a handshake works where Padlock says so."""
    tls = seen[scenario.name].evidence.tls
    assert tls
    offers = [offer for offer in tls.obsolete if offer.version in OPTIONS]
    assert len(offers) >= len(OPTIONS)
    for offer in offers:
        printed = lab.run(
            f"openssl s_client -connect {offer.address}:443 -servername {offer.host} -{OPTIONS[offer.version]} "
            "-cipher ALL@SECLEVEL=0 </dev/null 2>&1"
        )
        cipher = re.search(r"^ +Cipher +: (\S+)", printed, re.MULTILINE)
        assert cipher, printed
        assert offer.failure is None
        assert (cipher[1] not in ("0000", "(NONE)")) == offer.accepted, printed
        assert not offer.accepted or cipher[1] == offer.cipher


@sites(*MODERN, "revoked.test", "two-leaves-revoked.test")
def test_what_was_taken_back_is_what_openssl_says(scenario: Scenario, lab: Lab, seen: Mapping[str, Seen]) -> None:
    """Every served leaf is looked up in its issuer's list, and OpenSSL reads the same in it."""
    tls = seen[scenario.name].evidence.tls
    assert tls
    listed = lab.run("curl -s http://r11.ca.test/r11.crl | openssl crl -inform DER -noout -text")
    serials = re.findall(r"Serial Number: ([0-9A-F]+)", listed)
    assert serials, listed
    leaves = {leaf.sha256: leaf for look in tls.named() if (leaf := tls.leaf(look))}
    assert leaves
    for leaf in leaves.values():
        found = tls.revocation(leaf.sha256)
        assert found
        assert found.status == ("revoked" if leaf.serial in serials else "good"), found


@sites(*MODERN)
def test_a_modern_site_is_assessed(scenario: Scenario, seen: Mapping[str, Seen]) -> None:
    """Its silence is a pass of both checks, not a look that nobody took."""
    report = seen[scenario.name].report
    codes = ("tls.obsolete_protocol", "certificate.revoked")
    assert not [entry for entry in report.not_assessed if entry.code in codes]
