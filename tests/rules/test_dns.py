"""Names: each code fires on its fault, and stays silent on what merely looks like it."""

from typing import Any

import pytest
from padlock import evidence as ev
from padlock.findings import Severity

from tests.evidence_builder import (
    ADDRESS,
    change,
    codes,
    fires,
    healthy,
    host_dns,
    lookup,
    outcomes,
    report,
    silent,
    unassessed,
    with_host,
    with_zone,
)

APEX, WWW = "example.com", "www.example.com"


def failing(host: str, status: ev.Rcode, evidence: ev.Evidence | None = None, **fields: Any) -> ev.Evidence:
    """Return the evidence with a host whose lookups end in a status."""
    a, aaaa = (lookup(host, rdtype, status=status, **fields) for rdtype in ("A", "AAAA"))
    return with_host(evidence or healthy({"name": APEX, "hosts": [APEX, WWW]}), host, a=a, aaaa=aaaa)


def elsewhere(evidence: ev.Evidence, status: ev.Rcode) -> ev.Evidence:
    """Return the evidence with every public resolver and no name server saying the same."""
    assert evidence.dns
    public = tuple(
        change(p, a=lookup(p.host, "A", status=status), aaaa=lookup(p.host, "AAAA", status=status))
        for p in evidence.dns.public
    )
    return change(evidence, dns=change(evidence.dns, public=public, zones=()))


@pytest.mark.parametrize(
    ("status", "fields", "said"),
    [
        ("nxdomain", {}, "NXDOMAIN"),
        ("nodata", {}, "no address record"),
        (
            "servfail",
            {"extended_error": "6 DNSSEC Bogus"},
            "SERVFAIL, the resolver got no usable answer from the name",
        ),
        ("servfail", {"extended_error": "6 DNSSEC Bogus"}, "(extended DNS error 6 DNSSEC Bogus)"),
        ("truncated", {}, "TCP on port 53"),
        ("loop", {"cnames": ("a.example.net", WWW)}, f"circle: {WWW} -> a.example.net -> {WWW}"),
    ],
)
def test_unresolvable_names_how(status: ev.Rcode, fields: dict[str, Any], said: str) -> None:
    """A declared host without an address is an error that says which kind of answer came."""
    evidence = elsewhere(failing(WWW, status, **fields), status)
    finding = fires("dns.unresolvable", evidence)
    assert finding.severity is Severity.ERROR
    assert finding.subject == WWW
    assert said in finding.observed


def test_a_resolver_that_refuses_is_told_apart_from_a_silent_one() -> None:
    """Behind a time-out may be a closed port, and people are told which it was."""
    for detail in ("nothing listens at 192.0.2.53 port 53", "no answer in 2.5 s"):
        evidence = elsewhere(failing(WWW, "timeout", detail=detail), "timeout")
        assert fires("dns.unresolvable", evidence).observed == detail
        found = failing(WWW, "timeout", detail=detail)
        assert f"finds no address ({detail})" in fires("dns.resolvers_disagree", found).observed


def test_unresolvable_tells_the_families_apart() -> None:
    """No A record and a failing AAAA lookup are named one by one."""
    evidence = with_host(
        elsewhere(failing(WWW, "nodata"), "servfail"), WWW, aaaa=lookup(WWW, "AAAA", status="servfail")
    )
    assert fires("dns.unresolvable", evidence).observed.startswith(
        "A: the name exists, but has no address record; AAAA"
    )


def test_unresolvable_by_time_out_while_dns_works() -> None:
    """Silence for this name alone, from a resolver that answers other questions, is the site's fault."""
    fires("dns.unresolvable", elsewhere(failing(WWW, "timeout"), "timeout"))


@pytest.mark.parametrize("host", [APEX, WWW])
def test_resolvable(host: str) -> None:
    """A host with an address of either family resolves, though the other family fails."""
    silent("dns.unresolvable", healthy())
    silent("dns.unresolvable", with_host(healthy(), host, aaaa=lookup(host, "AAAA", status="servfail")))


def test_unresolvable_is_unknown_without_any_dns() -> None:
    """Where no DNS server answers anything, this vantage point's network may be down."""
    evidence = failing(APEX, "timeout", elsewhere(failing(WWW, "timeout"), "timeout"))
    dark = change(evidence, ports=(), tls=ev.Tls((), {}), http=ev.Http(()))
    assert "no DNS server answered" in unassessed("dns.unresolvable", dark)
    assert report(dark).status == "inconclusive"


def test_unresolvable_is_unknown_where_only_our_resolver_fails() -> None:
    """A SERVFAIL of our own resolver alone is no fault of the site; the disagreement is told."""
    evidence = failing(WWW, "servfail")
    assert "1.1.1.1" in unassessed("dns.unresolvable", evidence)
    fires("dns.resolvers_disagree", evidence)


def test_unresolvable_although_a_cache_remembers() -> None:
    """NXDOMAIN from an authoritative server counts, whatever public resolvers still have in their caches."""
    evidence = failing(WWW, "nxdomain")
    assert evidence.dns
    answers = tuple(
        change(a, a=lookup(a.host, "A", status="nxdomain", authoritative=True)) if a.host == WWW else a
        for a in evidence.dns.zones[0].answers
    )
    fires("dns.unresolvable", with_zone(evidence, answers=answers))


def test_a_dead_name_is_one_finding() -> None:
    """Everything behind a name that does not resolve is not assessed, and no second finding."""
    evidence = elsewhere(failing(APEX, "nxdomain", failing(WWW, "nxdomain")), "nxdomain")
    assert evidence.http
    dark = change(evidence, ports=(), tls=ev.Tls((), {}), http=ev.Http(()))
    assert set(codes(dark)) == {"dns.unresolvable"}
    judged = report(dark)
    assert "does not resolve" in next(e.reason for e in judged.not_assessed if e.code == "certificate.expired")


def test_cname_at_apex() -> None:
    """A real CNAME at the apex is an error; a provider's flattening shows addresses, however they rotate."""
    finding = fires("dns.cname_at_apex", with_zone(healthy(), apex_cname="shop.example.net"))
    assert (finding.subject, finding.observed) == (APEX, "a CNAME to shop.example.net beside SOA and NS")
    silent("dns.cname_at_apex", with_host(healthy(), APEX, a=lookup(APEX, "A", "93.184.215.99")))


def test_cname_and_other_data() -> None:
    """A CNAME beside other records is an error; at the apex that is told as cname_at_apex only."""
    beside = {WWW: ("TXT", "MX")}
    finding = fires("dns.cname_and_other_data", with_zone(healthy(), cname_with_other_data=beside))
    assert (finding.subject, finding.observed) == (WWW, "a CNAME beside TXT and MX")
    at_apex = {APEX: ("SOA", "NS")}
    silent(
        "dns.cname_and_other_data", with_zone(healthy(), apex_cname="shop.example.net", cname_with_other_data=at_apex)
    )


@pytest.mark.parametrize("code", ["dns.cname_at_apex", "dns.cname_and_other_data"])
def test_cname_rules_need_the_zone(code: str) -> None:
    """Without the authoritative servers' word these are not assessed."""
    assert "took longer" in unassessed(code, with_zone(healthy(), failure="its servers took longer than 10 s"))


def test_dangling_cname() -> None:
    """An alias whose target does not exist is told once, as dangling and not as unresolvable too."""
    evidence = failing(WWW, "nxdomain", cnames=("gone.example.net",))
    finding = fires("dns.dangling_cname", evidence)
    assert finding.severity is Severity.ERROR
    assert "gone.example.net" in finding.observed
    assert "dns.unresolvable" not in codes(evidence)


def test_dangling_cname_of_a_derived_sibling() -> None:
    """Of a www that nobody declared it is a warning, and then www is not reported as missing."""
    evidence = failing(WWW, "nxdomain", healthy(), cnames=("gone.example.net",))
    assert fires("dns.dangling_cname", evidence).severity is Severity.WARNING
    assert "dns.www_missing" not in codes(evidence)


@pytest.mark.parametrize("status", ["ok", "nodata", "nxdomain"])
def test_no_dangling_cname(status: ev.Rcode) -> None:
    """An alias that leads somewhere, one without data, and a name without alias do not dangle."""
    records = (ADDRESS,) if status == "ok" else ()
    aliased = lookup(WWW, "A", *records, cnames=() if status == "nxdomain" else (APEX,), status=status)
    silent("dns.dangling_cname", with_host(healthy(), WWW, a=aliased))


def test_dangling_cname_unknown_on_servfail() -> None:
    """A failed lookup says nothing about the alias's target."""
    assert "(SERVFAIL, the resolver got no usable answer" in unassessed(
        "dns.dangling_cname", failing(WWW, "servfail")
    )


def test_cname_chain() -> None:
    """Nine aliases are too many, eight are not; a circle is unresolvable instead."""
    way = tuple(f"a{number}.example.net" for number in range(9))
    long, enough = (lookup(WWW, "A", ADDRESS, cnames=chain) for chain in (way, way[:8]))
    assert "9 aliases" in fires("dns.cname_chain", with_host(healthy(), WWW, a=long)).observed
    silent("dns.cname_chain", with_host(healthy(), WWW, a=enough))
    silent("dns.cname_chain", failing(WWW, "loop", cnames=way))


def without_www(status: ev.Rcode) -> ev.Evidence:
    """Return a site whose derived www does not resolve."""
    return failing(WWW, status, healthy())


@pytest.mark.parametrize("status", ["nxdomain", "nodata"])
def test_www_missing(status: ev.Rcode) -> None:
    """An apex without www is a notice, and the only one."""
    evidence = without_www(status)
    finding = fires("dns.www_missing", evidence)
    assert (finding.severity, finding.subject) == (Severity.NOTICE, WWW)
    assert "dns.unresolvable" not in codes(evidence)


def test_www_missing_stays_silent() -> None:
    """A www that exists, one that the declaration leaves out, and one below the apex are no finding."""
    silent("dns.www_missing", healthy())
    silent("dns.www_missing", healthy({"name": APEX, "hosts": [APEX]}))
    silent("dns.www_missing", with_zone(without_www("nxdomain"), apex="example.net"))


def test_www_missing_unknown_on_servfail() -> None:
    """SERVFAIL is not absence."""
    assert "(SERVFAIL, the resolver got no usable answer" in unassessed("dns.www_missing", without_www("servfail"))


def www_site(status: ev.Rcode) -> ev.Evidence:
    """Return a site declared by its www host, with an apex whose lookups end in a status."""
    evidence = healthy(WWW)
    assert evidence.dns
    records = (ADDRESS,) if status == "ok" else ()
    apex = ev.HostDns(APEX, lookup(APEX, "A", *records, status=status), lookup(APEX, "AAAA", status=status), True)
    return change(evidence, dns=change(evidence.dns, hosts=(host_dns(WWW, ADDRESS), apex)))


def test_apex_missing() -> None:
    """A www host whose apex has no address is a notice; SERVFAIL is not absence."""
    assert fires("dns.apex_missing", www_site("nodata")).subject == APEX
    silent("dns.apex_missing", www_site("ok"))
    silent("dns.apex_missing", healthy())
    assert "(SERVFAIL, the resolver got no usable answer" in unassessed("dns.apex_missing", www_site("servfail"))


def test_sibling_of_an_unknown_zone() -> None:
    """Where the zone's apex is not known, an absent www is not assessed."""
    assert "apex" in unassessed("dns.www_missing", with_zone(without_www("nxdomain"), apex=""))


def test_rules_say_nothing_of_what_is_fine() -> None:
    """On a healthy site no rule of this file has any problem."""
    assert outcomes("dns.unresolvable", healthy()) == []


def test_a_denial_in_no_zones_name_is_not_the_sites() -> None:
    """NXDOMAIN without an SOA while public resolvers are out of reach is a filter's or a walled garden's."""
    evidence = healthy()
    assert evidence.dns
    zone = ev.Zone("", ("example.com",), (), (), failure="no name server of its zone could be found")
    mute = tuple(
        change(each, a=lookup(each.host, "A", status="timeout"), aaaa=lookup(each.host, "AAAA", status="timeout"))
        for each in evidence.dns.public
    )
    evidence = change(evidence, dns=change(evidence.dns, zones=(zone,), public=mute))
    nothing = {"status": "nxdomain", "ttl": None}
    bare = with_host(
        evidence,
        "example.com",
        a=lookup("example.com", "A", **nothing),
        aaaa=lookup("example.com", "AAAA", **nothing),
    )
    assert "denies the name" in unassessed("dns.unresolvable", bare)
    assert bare.dns
    fires("dns.unresolvable", change(bare, dns=change(bare.dns, public=())))  # the operator's resolver is the truth
    proven = with_host(bare, "example.com", a=lookup("example.com", "A", status="nxdomain", ttl=900))
    fires("dns.unresolvable", proven)
