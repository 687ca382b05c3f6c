"""Certificates that their issuer took back."""

from datetime import timedelta

import pytest
from padlock.evidence import Evidence, TrustStatus
from padlock.findings import Severity

from tests.evidence_builder import (
    INTERMEDIATE,
    NOW,
    fires,
    healthy,
    outcomes,
    report,
    revocation,
    silent,
    unassessed,
    with_leaf,
    with_revocation,
    with_trust,
)

TAKEN_BACK = revocation(status="revoked", revoked_at=NOW - timedelta(days=2), reason="keyCompromise")


def test_a_revoked_leaf_is_an_error() -> None:
    """It is named with its serial, when and why it was revoked, and which list says so; step 10 fails."""
    judged = report(with_revocation(healthy(), TAKEN_BACK))
    finding = fires("certificate.revoked", with_revocation(healthy(), TAKEN_BACK))
    assert finding.severity is Severity.ERROR
    assert finding.subject == "example.com"
    for part in ("04A1B2", "2026-11-18 12:00 UTC", "keyCompromise", "http://r11.c.lencr.org/42.crl"):
        assert part in finding.observed
    assert next(row.status for row in judged.checklist if row.step == 10) == "fail"


def test_a_revoked_leaf_without_a_reason() -> None:
    """Authorities need give no reason: nothing is made up."""
    observed = fires("certificate.revoked", with_revocation(healthy(), revocation(status="revoked"))).observed
    assert "reason" not in observed


def test_a_revoked_intermediate_is_an_error_too() -> None:
    """A leaf is no better than the authority above it."""
    above = revocation(INTERMEDIATE, status="revoked")
    assert "R11" in fires("certificate.revoked", with_revocation(healthy(), revocation(), above)).observed


def test_a_good_leaf_is_fine() -> None:
    """What the issuer's list does not name is not revoked; nothing need be known of its intermediate."""
    silent("certificate.revoked", healthy())
    silent(
        "certificate.revoked", with_revocation(healthy(), revocation(), revocation(INTERMEDIATE, status="unknown"))
    )


def test_a_short_lived_leaf_needs_no_list() -> None:
    """Certificates of some days are left to expire; a longer one without a list leaves it open."""
    unlisted = with_revocation(healthy(), revocation(status="unknown", url="", detail="no list is named"))
    short = {"not_before": NOW - timedelta(days=2), "not_after": NOW + timedelta(days=4), "crl_urls": ()}
    silent("certificate.revoked", with_leaf(unlisted, **short))
    assert "no list" in unassessed("certificate.revoked", with_leaf(unlisted, crl_urls=()))


@pytest.mark.parametrize(
    "evidence",
    [
        with_revocation(healthy()),
        with_revocation(healthy(), revocation(status="unknown", detail="the list could not be had: status 503")),
    ],
    ids=["not asked", "not had"],
)
def test_what_no_list_tells_is_not_assessed(evidence: Evidence) -> None:
    """It is neither pass nor fail, and whether HTTPS works is not left open by it."""
    assert "list" in unassessed("certificate.revoked", evidence)
    assert next(row.status for row in report(evidence).checklist if row.step == 10) == "pass"


@pytest.mark.parametrize("status", ["self_signed", "unknown_issuer", "expired"])
def test_the_list_of_an_untrusted_issuer_proves_nothing(status: TrustStatus) -> None:
    """Another code tells that the chain is not trusted; its issuer's word counts for nothing."""
    evidence = with_revocation(with_trust(healthy(), status), TAKEN_BACK)
    assert "not trusted" in unassessed("certificate.revoked", evidence)
    assert len(outcomes("certificate.revoked", evidence)) == 2
