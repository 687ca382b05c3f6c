"""HSTS: the header's grammar, its intent, and that HTTPS is stable first."""

from datetime import timedelta

import pytest
from padlock import evidence as ev
from padlock.findings import Severity
from padlock.rules._hsts_header import InvalidPolicy, Policy, parse

from tests.evidence_builder import (
    ADDRESS_6,
    NOW,
    chain,
    codes,
    fires,
    healthy,
    report,
    silent,
    unassessed,
    with_address,
    with_chains,
    with_exchange,
    with_leaf,
    with_port,
    with_trust,
)

HTTP, HTTPS, WWW = "http://example.com/", "https://example.com/", "https://www.example.com/"
YEAR = "max-age=31536000"
ALL = f"{YEAR}; includeSubDomains; preload"
REQUIRED = {"name": "example.com", "hsts": "required"}
OFF = {"name": "example.com", "hsts": "off"}


def sending(*values: str, evidence: ev.Evidence | None = None, at: tuple[str, ...] = (HTTPS, WWW)) -> ev.Evidence:
    """Return the evidence with these HSTS headers beside what is sent."""
    seen = evidence or healthy()
    for url in at:
        moved = (("location", HTTPS),) if url == WWW else ()
        headers = (*moved, *(("strict-transport-security", value) for value in values))
        seen = with_exchange(seen, url, headers=headers)
    return seen


@pytest.mark.parametrize(
    ("value", "policy"),
    [
        ("max-age=31536000", Policy(31536000, False, False)),
        ('Max-Age="300" ;; INCLUDESUBDOMAINS', Policy(300, True, False)),
        ("includeSubDomains; max-age = 0", Policy(0, True, False)),
        ('max-age=1; preload; unknown; other=2; x="a;b\\""', Policy(1, False, True)),
        (" \tmax-age=5;", Policy(5, False, False)),
    ],
)
def test_grammar(value: str, policy: Policy) -> None:
    """Case and order are free, values may be quoted, unknown directives are ignored (RFC 6797 section 6.1)."""
    assert parse(value) == policy


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("", "missing"),
        ("includeSubDomains", "missing"),
        ("max-age", "no value"),
        ("max-age=", "grammar"),
        ("max-age=1y", "not a number"),
        ("max-age=-1", "not a number"),
        ("max-age=٣", "grammar"),
        ("max-age=1; MAX-AGE=1", "twice"),
        ("max-age=1; includeSubDomains=true", "has a value"),
        ("max-age=1, max-age=2", "grammar"),
        ('max-age="1', "grammar"),
        ("max-age=1 includeSubDomains", "grammar"),
        ("max-age:1", "grammar"),
    ],
)
def test_grammar_refuses(value: str, why: str) -> None:
    """What browsers ignore is refused with the reason."""
    with pytest.raises(InvalidPolicy, match=why):
        parse(value)


def test_grammar_is_linear() -> None:
    """A hostile header of the longest kept length takes no time."""
    with pytest.raises(InvalidPolicy):
        parse('max-age="' + '\\"' * 1020)


def test_missing() -> None:
    """No header is a notice, a warning where it is declared required, and nothing where it is declared off."""
    assert fires("hsts.missing", healthy()).severity is Severity.NOTICE
    assert fires("hsts.missing", healthy(REQUIRED)).severity is Severity.WARNING
    silent("hsts.missing", healthy(OFF))
    silent("hsts.missing", sending(YEAR))


def test_missing_under_the_parents_policy() -> None:
    """A www host that leads to an apex with includeSubDomains is covered, and not by a policy for the apex alone."""
    silent("hsts.missing", sending(f"{YEAR}; includeSubDomains", at=(HTTPS,)))
    assert fires("hsts.missing", sending(YEAR, at=(HTTPS,))).subject == "www.example.com"


def test_missing_at_one_address() -> None:
    """The address that leaves the header out is named."""
    seen = sending(YEAR, evidence=with_address(healthy()))
    seen = with_exchange(seen, HTTPS, address=ADDRESS_6, headers=())
    assert fires("hsts.missing", seen).subject == f"example.com at {ADDRESS_6}"


@pytest.mark.parametrize("status", [403, 404, 429, 500, 502])
def test_error_pages_lack_the_header(status: int) -> None:
    """Nginx leaves the header out of error pages: their answer says nothing."""
    seen = with_exchange(sending(YEAR), HTTPS, status=status, headers=())
    unassessed("hsts.missing", seen)


@pytest.mark.parametrize("value", ["max-age=1y", "includeSubDomains", "max-age=1; max-age=2"])
def test_invalid(value: str) -> None:
    """A header that browsers ignore is a warning, and no other HSTS finding."""
    assert fires("hsts.invalid", sending(value)).severity is Severity.WARNING
    assert {code for code in codes(sending(value)) if code.startswith("hsts")} == {"hsts.invalid"}
    silent("hsts.invalid", sending('INCLUDESUBDOMAINS ; max-age="31536000"'))
    silent("hsts.invalid", healthy())


def test_duplicate() -> None:
    """Several headers warn where they differ and are a notice where they do not; the first one counts."""
    assert fires("hsts.duplicate", sending(YEAR, "max-age=0")).severity is Severity.WARNING
    assert fires("hsts.duplicate", sending(YEAR, YEAR)).severity is Severity.NOTICE
    silent("hsts.disabled", sending(YEAR, "max-age=0"))
    silent("hsts.duplicate", sending(YEAR))


def test_disabled() -> None:
    """max-age=0 switches HSTS off: a notice, a warning where it is required, and no short lifetime beside it."""
    assert fires("hsts.disabled", sending("max-age=0")).severity is Severity.NOTICE
    assert fires("hsts.disabled", sending("max-age=0", evidence=healthy(REQUIRED))).severity is Severity.WARNING
    silent("hsts.disabled", sending("max-age=0", evidence=healthy(OFF)))
    silent("hsts.disabled", sending(YEAR))
    silent("hsts.short", sending("max-age=0"))


def test_short() -> None:
    """A max-age under the site's threshold is a notice."""
    assert fires("hsts.short", sending("max-age=300")).severity is Severity.NOTICE
    assert fires("hsts.short", sending("max-age=300", evidence=healthy(REQUIRED))).severity is Severity.WARNING
    silent("hsts.short", sending("max-age=15552000"))
    moved = healthy({"name": "example.com", "thresholds": {"hsts_max_age": 300}})
    silent("hsts.short", sending("max-age=300", evidence=moved))


def test_over_http() -> None:
    """The header over plain HTTP is ignored by browsers, and worth a notice."""
    seen = with_exchange(healthy(), HTTP, headers=(("location", HTTPS), ("strict-transport-security", YEAR)))
    assert fires("hsts.over_http", seen).subject == "example.com"
    silent("hsts.over_http", sending(YEAR))


@pytest.mark.parametrize("value", ["max-age=300; includeSubDomains; preload", f"{YEAR}; preload"])
def test_preload_unready(value: str) -> None:
    """`preload` needs a year and all subdomains; without `preload` nothing is asked."""
    assert fires("hsts.preload_unready", sending(value)).severity is Severity.NOTICE
    silent("hsts.preload_unready", sending(ALL))
    silent("hsts.preload_unready", sending("max-age=300"))


def test_preload_is_the_domains_own() -> None:
    """The list takes the domain itself: www alone does not count, and http:// must upgrade on the same host."""
    assert "example.com, sends no preload" in fires("hsts.preload_unready", sending(ALL, at=(WWW,))).observed
    seen = with_chains(sending(ALL), chain(HTTP, (HTTP, 301, WWW), (WWW, 200, None)))
    assert "before https://example.com" in fires("hsts.preload_unready", seen).observed


@pytest.mark.parametrize(
    "broken",
    [
        with_leaf(healthy(), not_after=NOW - timedelta(days=1)),
        with_leaf(healthy(), dns_names=("example.com",), dns_name_count=1),
        with_trust(healthy(), "self_signed"),
        with_trust(healthy(), "incomplete"),
        with_port(healthy(), "https", "timeout"),
    ],
    ids=["expired", "www not covered", "untrusted", "incomplete", "port closed"],
)
def test_premature(broken: ev.Evidence) -> None:
    """HSTS while browsers refuse one host's HTTPS is one warning for the site; max-age=0 is the cure."""
    finding = fires("hsts.premature", sending(YEAR, evidence=broken))
    assert finding.severity is Severity.WARNING
    assert "www.example.com" in finding.observed
    assert codes(sending(YEAR, evidence=broken)).count("hsts.premature") == 1
    assert "hsts.premature" not in codes(sending("max-age=0", evidence=broken))
    assert "hsts.premature" not in codes(broken)


def test_stable_https_may_send_hsts() -> None:
    """With HTTPS in order the header is right; a certificate that is due for renewal changes nothing."""
    silent("hsts.premature", sending(YEAR))
    silent("hsts.premature", with_leaf(sending(YEAR), not_after=NOW + timedelta(days=20)))


@pytest.mark.parametrize("disable", ["certificate.untrusted", "certificate", "certificate.*"])
def test_switched_off_faults_do_not_make_hsts_premature(disable: str) -> None:
    """What the owner does not want to hear of does not come back through another code."""
    declared = {"name": "example.com", "disable": [disable]}
    silent("hsts.premature", with_trust(sending(YEAR, evidence=healthy(declared)), "unknown_issuer"))
    fires("hsts.premature", with_trust(sending(YEAR), "unknown_issuer"))


def test_unseen_hosts_are_not_assessed() -> None:
    """Without an answer over HTTPS no HSTS rule passes."""
    seen = with_exchange(sending(YEAR), HTTPS, status=None, failure=ev.Failure("timeout", "headers"))
    for name in ("missing", "invalid", "duplicate", "disabled", "short", "preload_unready", "premature"):
        assert "do not come in time" in unassessed(f"hsts.{name}", seen)


def test_off_leaves_step_15_to_the_rest() -> None:
    """A site without HSTS by declaration passes step 15 with nothing to report."""
    judged = report(healthy(OFF))
    assert not [finding for finding in judged.findings if finding.code.startswith("hsts")]
    assert next(row for row in judged.checklist if row.step == 15).status == "pass"
