"""CAA: the code fires where an authority would have to refuse, and stays silent where it would not."""

import csv
from pathlib import Path
from typing import Any

import pytest
from padlock import evidence as ev
from padlock.assess import assess
from padlock.findings import Severity
from padlock.rules import caa as rule

from tests.evidence_builder import (
    caa,
    change,
    codes,
    fires,
    healthy,
    outcomes,
    silent,
    unassessed,
    with_caa,
    with_leaf,
    with_trust,
)

APEX, WWW = "example.com", "www.example.com"
CODE = "dns.caa_forbids_issuer"


def records(*entries: tuple[str, str], name: str = APEX, critical: bool = False, **fields: Any) -> ev.CaaSet:
    """Return a set of (property, value) pairs."""
    return ev.CaaSet(name, tuple(ev.CaaRecord(tag, value, critical) for tag, value in entries), **fields)


def judged(*sets: ev.CaaSet, **leaf: Any) -> ev.Evidence:
    """Return the evidence of a site with these sets; by default its certificate is from Let's Encrypt."""
    evidence = with_caa(healthy(), caa(APEX), *sets)
    return with_leaf(evidence, **leaf) if leaf else evidence


def test_other_issuer_only() -> None:
    """A set that names another authority alone forbids the renewal, for every host that climbs up to it."""
    evidence = judged(records(("issue", "digicert.com")))
    finding = fires("dns.caa_forbids_issuer", evidence)
    assert finding.severity is Severity.ERROR
    assert 'the CAA records at example.com are issue "digicert.com"' in finding.observed
    assert "from Let's Encrypt, known to CAA as letsencrypt.org" in finding.observed
    assert 'issue "letsencrypt.org"' in finding.expected
    assert [outcome.subject for outcome in outcomes(CODE, evidence)] == [APEX, WWW]


@pytest.mark.parametrize(
    "entries",
    [
        [("issue", "letsencrypt.org")],
        [("issue", " LetsEncrypt.org ")],
        [("issue", "digicert.com"), ("issue", "letsencrypt.org")],
        [("issue", "letsencrypt.org; validationmethods=dns-01; accounturi=https://acme.example/acct/1")],
        [("iodef", "mailto:security@example.com")],
        [("issuewild", ";")],
        [("issue", "letsencrypt.org"), ("issuewild", "digicert.com")],
        [],
    ],
    ids=["own", "spelling", "two", "parameters", "iodef only", "issuewild only", "issuewild beside", "none"],
)
def test_issuer_is_allowed(entries: list[tuple[str, str]]) -> None:
    """The issuer may stand among others and carry parameters; what restricts wildcards leaves other names alone."""
    silent("dns.caa_forbids_issuer", judged(records(*entries)))


@pytest.mark.parametrize("value", [";", "", " ; policy=ev", "%%%%%"])
def test_nobody_may_issue(value: str) -> None:
    """An empty or unreadable issuer forbids every authority, whoever it is."""
    fires(CODE, judged(records(("issue", value)), issuer="CN=Nobody Knows,O=Nobody Knows"))


def test_nearest_set_counts() -> None:
    """A set at the host hides the one above it, either way."""
    allowed = judged(records(("issue", "digicert.com"), name="com"), records(("issue", "letsencrypt.org")))
    silent(CODE, allowed)
    forbidden = judged(records(("issue", ";"), name=WWW), records(("issue", "letsencrypt.org")))
    assert [outcome.subject for outcome in outcomes(CODE, forbidden)] == [WWW]


def test_set_of_an_alias() -> None:
    """Records at the end of a CNAME are the host's, and the finding says where they stand."""
    evidence = judged(records(("issue", "pki.goog"), name=WWW, alias="web.hosting.example"))
    assert "www.example.com (an alias of web.hosting.example)" in fires(CODE, evidence).observed


def test_wildcard_goes_by_issuewild() -> None:
    """For a wildcard the set is that of the name above, and issuewild stands in the place of issue."""
    names = {"dns_names": ("*.example.com", APEX)}
    restricted = records(("issue", "letsencrypt.org"), ("issuewild", "digicert.com"))
    evidence = judged(restricted, **names)
    finding = fires(CODE, evidence)
    assert finding.subject == WWW
    assert "the certificate for *.example.com is from Let's Encrypt" in finding.observed
    assert [outcome.subject for outcome in outcomes(CODE, evidence)] == [WWW]
    silent(CODE, judged(records(("issue", "letsencrypt.org")), **names))
    silent(CODE, judged(records(("issue", ";"), ("issuewild", "letsencrypt.org"), name=WWW), **names))


def test_critical_property() -> None:
    """A critical property that no authority knows forbids all of them; without the flag it is passed over."""
    unknown = [("issue", "letsencrypt.org"), ("future", "x")]
    assert 'critical property "future"' in fires(CODE, judged(records(*unknown, critical=True))).observed
    silent(CODE, judged(records(*unknown)))
    silent(CODE, judged(records(("issue", "letsencrypt.org"), ("iodef", "mailto:a@b.c"), critical=True)))


def test_unknown_issuer_is_not_assessed() -> None:
    """An authority that the table lacks may accept an identifier that only it knows."""
    evidence = judged(records(("issue", "ca.example")), issuer="CN=G1,O=Brand New CA")
    assert "Brand New CA, whose CAA identifiers are not in Padlock's table" in unassessed(CODE, evidence)
    silent(CODE, judged(issuer="CN=G1,O=Brand New CA"))


@pytest.mark.parametrize(
    ("issuer", "identifier"),
    [
        ("CN=WE1,O=Google Trust Services,C=US", "pki.goog"),
        ("CN=GTS CA 1P5,O=Google Trust Services LLC,C=US", "pki.goog"),
        ("CN=RapidSSL TLS RSA CA G1,OU=www.digicert.com,O=DigiCert Inc,C=US", "digicert.com"),
        ("CN=Thawte TLS RSA CA G1,O=DigiCert\\, Inc.,C=US", "thawte.com"),
        ("CN=Go Daddy Secure Certificate Authority - G2,O=GoDaddy.com\\, Inc.,C=US", "godaddy.com"),
        ("CN=ZeroSSL ECC Domain Secure Site CA,O=ZeroSSL,C=AT", "sectigo.com"),
        ("CN=ZeroSSL RSA DV SSL CA 2,O=ZeroSSL GmbH,C=AT", "entrust.net"),
        ("CN=Gandi RSA Domain Validation Secure Server CA 3,O=Gandi SAS,C=FR", "sectigo.com"),
        ("CN=InCommon RSA Server CA 2,O=Internet2,C=US", "sectigo.com"),
        ("CN=cPanel ECC Domain Validation Secure Server CA 3,O=cPanel\\, LLC,C=US", "comodoca.com"),
        ("CN=SSL.com TLS Issuing RSA CA R1,O=SSL Corporation,C=US", "ssl.com"),
        ("CN=Cloudflare TLS Issuing ECC CA 1,O=CLOUDFLARE\\, INC.,C=US", "ssl.com"),
        ("CN=HARICA DV TLS RSA,O=Hellenic Academic and Research Institutions CA,C=GR", "harica.gr"),
        ("CN=D-TRUST BR CA 1-20-2 2021,O=D-Trust GmbH,C=DE", "dtrust.de"),
        ("CN=TWCA Secure SSL Certification Authority,O=TAIWAN-CA,C=TW", "twca.com.tw"),
        (
            "CN=Trustwave Organization Validation SHA256 CA\\, Level 1,O=Trustwave Holdings\\, Inc.,C=US",
            "trustwave.com",
        ),
        ("CN=Microsoft Azure RSA TLS Issuing CA 03,O=Microsoft Corporation,C=US", "digicert.com"),
        ("CN=Amazon RSA 2048 M03,O=Amazon,C=US", "aws.amazon.com"),
        ("CN=Amazon RSA 2048 M03,O=Amazon,C=US", "amazontrust.com"),
        ("CN=Cloudflare Inc ECC CA-3,O=Cloudflare\\, Inc.,C=US", "digicert.com"),
        ("CN=E7,O=Let's Encrypt,C=US", "letsencrypt.org"),
    ],
)
def test_issuers_by_organisation(issuer: str, identifier: str) -> None:
    """Authorities are known by their organisation, in each legal form, with the identifiers of their brands."""
    silent(CODE, judged(records(("issue", identifier)), issuer=issuer))
    fires(CODE, judged(records(("issue", "not-theirs.example")), issuer=issuer))


@pytest.mark.parametrize(
    ("issuer", "value", "wanted"),
    [
        ("CN=ZeroSSL ECC Domain Secure Site CA,O=ZeroSSL,C=AT", "zerossl.com", "sectigo.com"),
        ("CN=WE1,O=Google Trust Services,C=US", "google.com", "pki.goog"),
        ("CN=E7,O=Let's Encrypt,C=US", "letsencrypt.com", "letsencrypt.org"),
    ],
)
def test_names_that_look_like_an_authority_are_none(issuer: str, value: str, wanted: str) -> None:
    """What an owner takes for the authority's identifier forbids it; the finding says the right one."""
    finding = fires(CODE, judged(records(("issue", value)), issuer=issuer))
    assert f'issue "{wanted}"' in finding.expected


def test_lookup_that_failed() -> None:
    """SERVFAIL on the way up is unknown: an authority does not issue then either, but it may pass."""
    evidence = judged(caa(WWW, failure="its CAA lookup ended in servfail"))
    assert "records at www.example.com are not known: its CAA lookup ended in servfail" in unassessed(CODE, evidence)


def test_public_authorities_only() -> None:
    """CAA binds no private authority, and a self-signed certificate has none that could be judged."""
    restricted = records(("issue", "digicert.com"))
    private = with_trust(judged(restricted), "trusted", private=True)
    assert outcomes(CODE, private) == []
    assert CODE not in codes(private)
    assert "no public authority" in unassessed(CODE, with_trust(judged(restricted), "self_signed"))


def test_no_certificate() -> None:
    """Without a certificate a restriction cannot be judged; where there is none, nobody is forbidden."""
    closed = change(healthy({"name": APEX, "hosts": [APEX]}), tls=ev.Tls((), {}))
    silent(CODE, with_caa(closed, caa(APEX)))
    assert "no certificate was seen" in unassessed(CODE, with_caa(closed, records(("issue", "digicert.com"))))


def test_step_of_the_checklist() -> None:
    """A forbidden renewal fails step 14."""
    row = next(row for row in assess(judged(records(("issue", ";")))).checklist if row.step == 14)
    assert (row.status, CODE in row.codes) == ("fail", True)


def test_table_is_readable() -> None:
    """Each organisation stands there once, as issuers' names give it, with its source and host names."""
    text = (Path(rule.__file__).parent / "caa-identifiers.csv").read_text()
    rows = list(csv.DictReader(text.splitlines()))
    names = [row["organisation"].casefold() for row in rows]
    assert sorted(set(names)) == sorted(names)
    for row in rows:
        escaped = row["organisation"].replace(",", "\\,")
        assert ev.organisation(f"CN=x,O={escaped},C=US") == row["organisation"]
        assert f"`{row['source']}`" in (rule.__doc__ or "")
        found = row["identifiers"].split()
        assert found
        assert len(set(found)) == len(found)
        assert all("." in name and name == name.lower() for name in found)
