"""The registration of domains: each code fires on its fault, and stays silent on what merely looks like it."""

from datetime import timedelta

import pytest
from padlock.assess import assess
from padlock.findings import Severity

from tests.evidence_builder import (
    NOW,
    change,
    fires,
    healthy,
    outcomes,
    registration,
    silent,
    unassessed,
    with_registration,
)


@pytest.mark.parametrize(
    ("left", "severity", "said"),
    [
        (timedelta(days=30), Severity.WARNING, "expires on 2026-12-20 12:00 UTC, in 30 days"),
        (timedelta(days=7, seconds=1), Severity.WARNING, "in 7 days"),
        (timedelta(days=7), Severity.ERROR, "in 7 days"),
        (timedelta(hours=5), Severity.ERROR, "in 5 hours"),
        (timedelta(days=-3), Severity.ERROR, "expired on 2026-11-17 12:00 UTC, 3 days ago"),
    ],
)
def test_expiring_by_the_time_left(left: timedelta, severity: Severity, said: str) -> None:
    """A domain that ends within 30 days is a warning, an error in the last week and after, with its registrar."""
    finding = fires("registration.expiring", with_registration(healthy(), expires=NOW + left))
    assert (finding.subject, finding.severity) == ("example.com", severity)
    assert said in finding.observed
    assert '(registrar "Example Registrar, Inc.")' in finding.observed


def test_far_expiry_is_fine() -> None:
    """A domain with more than 30 days left is left alone."""
    silent("registration.expiring", with_registration(healthy(), expires=NOW + timedelta(days=30, seconds=1)))


def test_registry_without_dates() -> None:
    """A registry that keeps the expiry to itself leaves it unknown, and its status is judged all the same."""
    evidence = with_registration(healthy(), expires=None)
    assert "does not say when" in unassessed("registration.expiring", evidence)
    silent("registration.on_hold", evidence)


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ("client hold", "client hold: its registrar"),
        ("clientHold", "client hold: its registrar"),
        ("server hold", "server hold: its registry"),
        ("redemption period", "redemption period"),
        ("pending delete", "pending delete"),
        ("pending_restore", "pending restore"),
    ],
)
def test_on_hold_in_every_spelling(status: str, said: str) -> None:
    """Whatever takes a domain out of DNS is an error, as RDAP and as EPP spell it."""
    finding = fires("registration.on_hold", with_registration(healthy(), status=("active", status)))
    assert finding.severity is Severity.ERROR
    assert said in finding.observed


@pytest.mark.parametrize(
    "status",
    [
        "client transfer prohibited",
        "server delete prohibited",
        "auto renew period",
        "pending transfer",
        "pending update",
        "locked",
    ],
)
def test_locks_are_no_hold(status: str) -> None:
    """Locks against transfer and deletion are protection, and work under way is no hold."""
    silent("registration.on_hold", with_registration(healthy(), status=(status,)))


@pytest.mark.parametrize("code", ["registration.expiring", "registration.on_hold"])
def test_registry_that_says_nothing(code: str) -> None:
    """A registry without RDAP, or one that does not answer, is neither pass nor fail."""
    evidence = with_registration(
        healthy(), failure="the registry of .de has no RDAP service", expires=None, status=()
    )
    assert unassessed(code, evidence) == "the registry of .de has no RDAP service"


def test_names_that_nobody_registers() -> None:
    """Where there is nobody to ask, nothing is found, and nothing is left unknown."""
    evidence = with_registration(healthy(), unregistered="nobody registers names like shop.test", expires=None)
    assert outcomes("registration.expiring", evidence) == []
    judged = assess(evidence)
    assert [entry for entry in judged.not_assessed if entry.code.startswith("registration.")] == []


def test_each_domain_is_judged() -> None:
    """A second domain of the site has its own finding."""
    other = change(registration(expires=NOW + timedelta(days=2)), domain="example.net")
    evidence = change(healthy(), registration=(registration(), other))
    assert fires("registration.expiring", evidence).subject == "example.net"
