"""DNSSEC: the code fires where validation is what fails, and only there."""

from typing import Any

import pytest
from padlock import evidence as ev
from padlock.findings import Severity

from tests.evidence_builder import ADDRESS, change, fires, healthy, lookup, outcomes, silent, unassessed, with_host

APEX = "example.com"
BOGUS = {"status": "servfail", "extended_error": "6 DNSSEC Bogus"}


def failing(unchecked: ev.Lookup | None, **fields: Any) -> ev.Evidence:
    """Return the evidence with an apex that ends in SERVFAIL, and what comes without validation."""
    a, aaaa = (lookup(APEX, rdtype, **{**BOGUS, **fields}) for rdtype in ("A", "AAAA"))
    return with_host(healthy({"name": APEX, "hosts": [APEX]}), APEX, a=a, aaaa=aaaa, unchecked=unchecked)


def at_public(resolver: str, unchecked: ev.Lookup | None, **fields: Any) -> ev.Evidence:
    """Return the evidence with one public resolver that ends in SERVFAIL."""
    evidence = healthy()
    assert evidence.dns
    failed = {"a": lookup(APEX, "A", **{**BOGUS, **fields}), "unchecked": unchecked}
    public = tuple(
        change(p, **failed) if (p.resolver, p.host) == (resolver, APEX) else p for p in evidence.dns.public
    )
    return change(evidence, dns=change(evidence.dns, public=public))


def test_answer_without_validation_is_bogus() -> None:
    """SERVFAIL that turns into addresses once checking is disabled names the resolver's own error and the answer."""
    finding = fires("dns.dnssec_bogus", failing(lookup(APEX, "A", ADDRESS)))
    assert (finding.subject, finding.severity) == (APEX, Severity.ERROR)
    assert '"6 DNSSEC Bogus"' in finding.observed
    assert f"with checking disabled {ADDRESS}" in finding.observed


def test_denial_without_validation_is_bogus() -> None:
    """A proof of absence that does not validate breaks the name as well."""
    assert "NODATA" in fires("dns.dnssec_bogus", failing(lookup(APEX, "AAAA"))).observed


def test_resolver_without_error_details() -> None:
    """A resolver that sends no extended error is believed all the same."""
    fires("dns.dnssec_bogus", failing(lookup(APEX, "A", ADDRESS), extended_error=""))


def test_only_public_resolvers_validate() -> None:
    """A resolver that does not validate hides the fault from itself, not from the visitors of others."""
    finding = fires("dns.dnssec_bogus", at_public("8.8.8.8", lookup(APEX, "A", ADDRESS)))
    assert finding.observed.startswith("8.8.8.8: SERVFAIL for A")


def test_servfail_that_stays() -> None:
    """SERVFAIL with and without validation is broken DNS, not broken DNSSEC."""
    silent("dns.dnssec_bogus", failing(lookup(APEX, "A", status="servfail")))


@pytest.mark.parametrize("error", ["22 No Reachable Authority", "23 Network Error", "18 Prohibited", "15 Blocked"])
def test_servfail_for_another_reason(error: str) -> None:
    """An extended error that is not about validation is believed, even where a cache answers without it."""
    silent("dns.dnssec_bogus", failing(lookup(APEX, "A", ADDRESS), extended_error=error))
    silent("dns.dnssec_bogus", at_public("9.9.9.9", lookup(APEX, "A", ADDRESS), extended_error=error))


@pytest.mark.parametrize("unchecked", [None, lookup(APEX, "A", status="timeout")], ids=["once", "silent"])
def test_servfail_that_could_not_be_looked_into(unchecked: ev.Lookup | None) -> None:
    """What failed once only, or got no second answer, is neither bogus nor valid."""
    assert "SERVFAIL" in unassessed("dns.dnssec_bogus", failing(unchecked))


def test_silent_resolver() -> None:
    """Where nobody answers nothing is known of validation."""
    assert "no resolver answered" in unassessed(
        "dns.dnssec_bogus", failing(None, status="timeout", extended_error="")
    )


@pytest.mark.parametrize(("records", "fires_too"), [((ADDRESS,), True), ((), False)], ids=["exists", "denied"])
def test_sibling_that_nobody_declared(records: tuple[str, ...], fires_too: bool) -> None:
    """A derived www counts where it exists; a denial of it that does not validate breaks nothing."""
    www = f"www.{APEX}"
    failed = {rdtype.lower(): lookup(www, rdtype, **BOGUS) for rdtype in ("A", "AAAA")}
    evidence = with_host(healthy(), www, **failed, unchecked=lookup(www, "A", *records))
    found = [outcome.subject for outcome in outcomes("dns.dnssec_bogus", evidence)]
    assert found == ([www] if fires_too else [])


def test_healthy_zone() -> None:
    """Names that resolve are left alone."""
    silent("dns.dnssec_bogus", healthy())
