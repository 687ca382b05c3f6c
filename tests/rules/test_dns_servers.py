"""Authoritative servers and public resolvers: real disagreement, and what only looks like it."""

from typing import Any

import pytest
from padlock import evidence as ev
from padlock.findings import Severity

from tests.evidence_builder import (
    ADDRESS,
    ADDRESS_6,
    change,
    codes,
    fires,
    healthy,
    lookup,
    report,
    silent,
    unassessed,
    with_address,
    with_host,
    with_zone,
)

APEX, WWW, STALE = "example.com", "www.example.com", "93.184.216.200"
NS1, NS2 = "ns1.example.net", "ns2.example.net"


def answers(
    server: str, *, host: str = "", family: str = "A", evidence: ev.Evidence | None = None, **fields: Any
) -> tuple[ev.NameserverAnswer, ...]:
    """Return the zone's answers with one server's lookups changed, of one host or all; family "" changes both."""
    made = evidence or healthy()
    assert made.dns

    def changed(look: ev.Lookup) -> ev.Lookup:
        return change(look, **fields) if family in ("", look.rdtype) else look

    return tuple(
        change(each, a=changed(each.a), aaaa=changed(each.aaaa))
        if each.nameserver == server and host in ("", each.host)
        else each
        for each in made.dns.zones[0].answers
    )


STALE_RECORD: dict[str, Any] = {"records": (STALE,), "status": "ok"}


def test_nameservers_disagree() -> None:
    """What still differs on a second look is an error that names the servers and the odd address."""
    odd = answers(NS2, host=APEX, **STALE_RECORD)
    finding = fires("dns.nameservers_disagree", with_zone(healthy(), answers=odd, second_look=odd))
    assert (finding.severity, finding.subject) == (Severity.ERROR, APEX)
    assert f"{NS2} (198.41.0.5) says A {STALE}" in finding.observed


def test_nameservers_disagree_about_existence() -> None:
    """A server that does not know a host that the other one serves disagrees."""
    odd = answers(NS2, host=WWW, family="", records=(), status="nxdomain")
    finding = fires("dns.nameservers_disagree", with_zone(healthy(), answers=odd, second_look=odd))
    assert f"{NS2} (198.41.0.5) says A no record" in finding.observed


def test_nameservers_healed() -> None:
    """What agrees on the second look was propagation: a notice."""
    evidence = with_zone(healthy(), answers=answers(NS2, **STALE_RECORD), second_look=answers(NS2))
    assert fires("dns.nameservers_disagree", evidence).severity is Severity.NOTICE


def test_nameservers_that_rotate() -> None:
    """Servers that deal out a pool change their own answers between two looks: a notice."""
    first, second = answers(NS2, **STALE_RECORD), answers(NS1, **STALE_RECORD)
    evidence = with_zone(healthy(), answers=first, second_look=second)
    assert fires("dns.nameservers_disagree", evidence).severity is Severity.NOTICE


def test_nameservers_with_a_weighted_pool() -> None:
    """Two servers that repeat themselves once by chance: one round of the second look gives them away."""
    odd = answers(NS2, **STALE_RECORD)
    evidence = with_zone(healthy(), answers=odd, second_look=(*odd, *answers(NS1, **STALE_RECORD), *odd))
    finding = fires("dns.nameservers_disagree", evidence)
    assert finding.severity is Severity.NOTICE
    assert "change from query to query" in finding.observed


def test_nameservers_that_flatten_an_alias_for_themselves() -> None:
    """A TTL that counts down comes from a cache of each server's own: an ALIAS record, not a stale zone."""
    first = answers(NS2, **STALE_RECORD, ttl=60)
    second = answers(NS2, **STALE_RECORD, ttl=58)
    evidence = with_zone(healthy(), answers=first, second_look=second)
    finding = fires("dns.nameservers_disagree", evidence)
    assert finding.severity is Severity.NOTICE
    assert "count down" in finding.observed


def test_nameservers_of_a_pool_that_public_resolvers_know_too() -> None:
    """Where public resolvers find addresses that no server gave, answers differ on purpose; otherwise they do not."""
    odd = answers(NS2, host=APEX, **STALE_RECORD)
    evidence = with_zone(healthy(), answers=odd, second_look=odd)
    other = public("8.8.8.8", evidence, a=lookup(APEX, "A", "93.184.217.9"))
    assert fires("dns.nameservers_disagree", other).severity is Severity.NOTICE
    stale = public("8.8.8.8", evidence, a=lookup(APEX, "A", STALE))
    assert fires("dns.nameservers_disagree", stale).severity is Severity.ERROR


def test_nameservers_that_rotate_to_an_undeclared_address() -> None:
    """What the site declares is the measure, however the answers come about."""
    odd = answers(NS2, host=APEX, **STALE_RECORD)
    rotating = with_zone(healthy(), answers=odd, second_look=(*odd, *answers(NS1, host=APEX, **STALE_RECORD), *odd))
    declared = change(rotating, site=healthy({"name": APEX, "addresses": [ADDRESS]}).site)
    assert f"{STALE} is not declared" in fires("dns.nameservers_disagree", declared).observed
    meant = change(rotating, site=healthy({"name": APEX, "addresses": [ADDRESS, STALE]}).site)
    assert fires("dns.nameservers_disagree", meant).severity is Severity.NOTICE
    target = change(rotating, site=healthy({"name": APEX, "addresses": ["edge.example.net"]}).site)
    assert fires("dns.nameservers_disagree", target).severity is Severity.NOTICE


NS3, EDGES = "ns3.example.net", ("13.32.9.1", "13.32.9.2")
SAME, OLDER = {"198.41.0.4": 7, "198.41.0.5": 7}, {"198.41.0.4": 7, "198.41.0.5": 6}


def lasting(
    *records: tuple[str, ...],
    host: str = APEX,
    names: tuple[str, ...] = (NS1, NS2, NS3),
    ttls: tuple[int, ...] = (300, 300, 300),
    declared: tuple[str, ...] = (),
    **fields: Any,
) -> ev.Evidence:
    """Return the evidence of servers that keep to their own A records of a host, one tuple each, and nobody else."""
    said = tuple(
        ev.NameserverAnswer(
            name,
            f"198.41.0.{number}",
            host,
            lookup(host, "A", *addresses, authoritative=True, status="ok" if addresses else "nodata", ttl=ttl),
            lookup(host, "AAAA", authoritative=True, status="nodata"),
        )
        for number, (name, addresses, ttl) in enumerate(zip(names, records, ttls, strict=False), start=4)
    )
    site = healthy({"name": APEX, **({"addresses": list(declared)} if declared else {})})
    made = with_zone(site, answers=said, second_look=said, nameservers=names[: len(records)], **fields)
    assert made.dns
    return change(made, dns=change(made.dns, public=()))


@pytest.mark.parametrize(
    ("evidence", "told"),
    [
        (lasting((ADDRESS,), (STALE,), serials=SAME, ttls=(60, 60)), "the same version of the zone (serial 7)"),
        (
            lasting((ADDRESS, EDGES[0]), (ADDRESS, EDGES[1]), serials=SAME, ttls=(60, 60)),
            "the same version of the zone",
        ),
        (lasting((ADDRESS,), (STALE,), serials=SAME, ttls=(60, 60), declared=(ADDRESS, STALE)), "the same version"),
        (lasting((ADDRESS,), (STALE,), ("13.32.9.3",)), "more than two kinds"),
        (lasting((ADDRESS, STALE), EDGES, serials=OLDER), "several addresses of its own"),
    ],
    ids=["one version", "a pool in part", "declared", "three answers", "a pool each"],
)
def test_nameservers_that_flatten_an_alias_and_keep_to_it(evidence: ev.Evidence, told: str) -> None:
    """Where an alias at the apex, resolved by each server for itself, may explain the answers, they are a notice."""
    finding = fires("dns.nameservers_disagree", evidence)
    assert finding.severity is Severity.NOTICE
    assert told in finding.observed


@pytest.mark.parametrize(
    ("evidence", "told"),
    [
        (
            lasting((ADDRESS,), (STALE,), serials=OLDER),
            f"the zone's serial is 7 at {NS1} (198.41.0.4) and 6 at {NS2} (198.41.0.5)",
        ),
        (lasting((ADDRESS,), (STALE,), serials={"198.41.0.4": 7}), STALE),
        (lasting((ADDRESS,), (ADDRESS,), (STALE,)), f"{NS3} (198.41.0.6) says A {STALE}"),
        (lasting((ADDRESS, STALE), (ADDRESS, EDGES[0])), EDGES[0]),
        (lasting((ADDRESS,), (), serials=SAME), "was it raised"),
        (lasting((ADDRESS,), (STALE,), names=("ns1.example.com", NS2), serials=SAME), "7 at all of them"),
        (lasting((ADDRESS,), (STALE,), host=WWW, serials=SAME), "was it raised"),
        (lasting((ADDRESS,), (STALE,), serials=SAME), "was it raised"),
        (lasting((ADDRESS,), (STALE,), serials=SAME, ttls=(60, 3600)), "was it raised"),
        (lasting((ADDRESS, STALE), EDGES, serials=SAME, ttls=(3600, 3600)), "was it raised"),
        (lasting((ADDRESS,), (ADDRESS, STALE), serials=SAME, ttls=(60, 60)), "was it raised"),
        (
            lasting((ADDRESS,), (STALE,), serials=SAME, ttls=(60, 60), declared=(ADDRESS,)),
            f"{STALE} is not declared; the zone's serial is 7 at all of them",
        ),
        (
            lasting((ADDRESS,), (STALE,), ("13.32.9.3",), ttls=(60, 60, 60), declared=("93.184.215.0/24",)),
            f"13.32.9.3 and {STALE} are not declared",
        ),
    ],
    ids=[
        "older copy",
        "version unknown",
        "one of three",
        "one changed",
        "no record",
        "zone by hand",
        "below the apex",
        "forgotten serial",
        "forgotten serial, other TTL",
        "long TTL",
        "one more",
        "undeclared",
        "undeclared pool",
    ],
)
def test_nameservers_with_an_old_copy_of_the_zone(evidence: ev.Evidence, told: str) -> None:
    """An older serial, or answers that no alias at the apex explains or excuses, are an error with the versions."""
    finding = fires("dns.nameservers_disagree", evidence)
    assert finding.severity is Severity.ERROR
    assert told in finding.observed


@pytest.mark.parametrize(
    "fields",
    [
        {"records": (STALE, ADDRESS), "count": 2, "ttl": 17},
        {"records": (ADDRESS, STALE), "count": 2},
    ],
)
def test_nameservers_agree(fields: dict[str, Any]) -> None:
    """Order and TTL do not count."""
    both = with_zone(healthy(), answers=answers(NS1, records=(ADDRESS, STALE), count=2))
    agreeing = answers(NS2, evidence=both, **fields)
    silent("dns.nameservers_disagree", with_zone(both, answers=agreeing, second_look=agreeing))


def test_nameservers_agree_about_an_alias() -> None:
    """One server follows the alias, the other leaves it to the resolver; or flattens it to the same addresses."""
    alias: dict[str, Any] = {"cnames": ("shop.example.net",), "records": (), "status": "ok"}
    left = with_zone(healthy(), answers=answers(NS1, host=WWW, family="", **alias))
    assert left.dns
    followed = answers(NS2, host=WWW, evidence=left, cnames=("shop.example.net",))
    followed = answers(NS2, host=WWW, family="AAAA", evidence=with_zone(left, answers=followed), **alias)
    silent("dns.nameservers_disagree", with_zone(left, answers=followed, second_look=followed))
    flattened = answers(NS1, host=WWW, cnames=("shop.example.net",))
    silent("dns.nameservers_disagree", with_zone(healthy(), answers=flattened, second_look=flattened))


@pytest.mark.parametrize("status", ["timeout", "servfail", "refused"])
def test_a_silent_server_does_not_disagree(status: ev.Rcode) -> None:
    """A server that gives no answer is of no other opinion."""
    odd = answers(NS2, family="", records=(), status=status, authoritative=False)
    silent("dns.nameservers_disagree", with_zone(healthy(), answers=odd))


def test_nameservers_not_asked() -> None:
    """Where no server answers from here the servers are not assessed; the name resolves, its records stay open."""
    evidence = with_zone(healthy(), answers=(), failure="no server of the zone is known")
    assert "no server" in unassessed("dns.nameservers_disagree", evidence)
    assert "no server" in unassessed("dns.lame_nameserver", evidence)
    assert [(row.status, row.reason) for row in report(evidence).checklist[:2]] == [
        ("pass", ""),
        ("unknown", "no server of the zone is known"),
    ]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"status": "refused"}, "REFUSED"),
        ({"status": "servfail"}, "SERVFAIL"),
        ({"status": "timeout"}, "does not answer"),
        ({"status": "ok", "records": (ADDRESS,)}, "without authority"),
        ({"status": "nodata"}, "without authority"),
    ],
)
def test_lame_nameserver(fields: dict[str, Any], said: str) -> None:
    """A delegated server that serves nothing of the zone is a warning that names it and what it does."""
    odd = answers(NS2, family="", **{"records": (), **fields, "authoritative": False})
    finding = fires("dns.lame_nameserver", with_zone(healthy(), answers=odd))
    assert (finding.severity, finding.subject) == (Severity.WARNING, NS2)
    assert said in finding.observed
    assert f"dig @{NS2} {APEX} SOA" in finding.remediation


def test_lame_nameserver_without_address() -> None:
    """A delegated server whose name has no address is lame."""
    gone = tuple(
        change(each, address="", a=lookup(each.host, "A", status="nxdomain"), aaaa=lookup(each.host, "AAAA"))
        if each.nameserver == NS2
        else each
        for each in answers(NS1)
    )
    assert "name without an address" in fires("dns.lame_nameserver", with_zone(healthy(), answers=gone)).observed


def test_not_lame() -> None:
    """Answers with authority, a proven absence too, and one failed question among others are fine."""
    silent("dns.lame_nameserver", healthy())
    silent("dns.lame_nameserver", with_zone(healthy(), answers=answers(NS2, status="nxdomain", records=())))
    silent("dns.lame_nameserver", with_zone(healthy(), answers=answers(NS2, host=WWW, status="timeout")))


def test_lame_not_assessed_where_the_way_is_blocked() -> None:
    """Where every server is silent while the hosts resolve, port 53 is blocked from here."""
    quiet = with_zone(healthy(), answers=answers(NS1, family="", status="timeout", authoritative=False))
    quiet = with_zone(quiet, answers=answers(NS2, family="", evidence=quiet, status="timeout", authoritative=False))
    assert "over IPv4" in unassessed("dns.lame_nameserver", quiet)


def test_lame_not_assessed_without_a_route() -> None:
    """A server that was not asked is not lame."""
    unasked = answers(NS2, family="", status="not_asked", records=(), authoritative=False)
    assert "not asked" in unassessed("dns.lame_nameserver", with_zone(healthy(), answers=unasked))


def public(resolver: str, evidence: ev.Evidence | None = None, **fields: Any) -> ev.Evidence:
    """Return the evidence with what a public resolver ("": each) says of every host; fields a and aaaa."""
    made = evidence or healthy()
    assert made.dns
    said = tuple(change(p, **fields) if resolver in ("", p.resolver) else p for p in made.dns.public)
    return change(made, dns=change(made.dns, public=said))


def neither(status: ev.Rcode, **fields: Any) -> dict[str, Any]:
    """Return failed lookups of both families."""
    return {kind.lower(): lookup(APEX, kind, status=status, **fields) for kind in ("A", "AAAA")}


@pytest.mark.parametrize("status", ["servfail", "nxdomain", "nodata"])
def test_resolvers_disagree(status: ev.Rcode) -> None:
    """One public resolver that finds nothing is a warning with the time that it lasts."""
    finding = fires("dns.resolvers_disagree", public("8.8.8.8", **neither(status, ttl=120)))
    assert finding.severity is Severity.WARNING
    assert f"8.8.8.8: {status.upper()} (for 120 s more)" in finding.observed


@pytest.mark.parametrize("code", ["FORMERR", "NOTIMP", "response code 42"])
def test_a_resolver_that_takes_the_question_amiss_says_nothing(code: str) -> None:
    """A middlebox in the way that does not understand the question is no resolver that cannot find the site."""
    silent("dns.resolvers_disagree", public("8.8.8.8", **neither("servfail", detail=code)))


def test_resolvers_disagree_because_one_blocks() -> None:
    """Quad9's NXDOMAIN may be its block list, and the finding says so."""
    assert "malicious" in fires("dns.resolvers_disagree", public("9.9.9.9", **neither("nxdomain"))).observed


def test_resolvers_with_other_addresses() -> None:
    """Other addresses alone are geographic DNS or a CDN: a notice."""
    evidence = public("1.1.1.1", a=lookup(APEX, "A", STALE))
    assert fires("dns.resolvers_disagree", evidence).severity is Severity.NOTICE


@pytest.mark.parametrize("status", ["timeout", "refused", "malformed", "not_asked"])
def test_resolvers_agree(status: ev.Rcode) -> None:
    """A public resolver that gives no answer says nothing, nor does a family that only one side could look up."""
    silent("dns.resolvers_disagree", public("1.1.1.1", **neither(status)))
    both = with_address(healthy())
    known = public("", both, aaaa=lookup(APEX, "AAAA", ADDRESS_6))
    known = with_host(known, WWW, aaaa=lookup(WWW, "AAAA", ADDRESS_6))
    silent("dns.resolvers_disagree", public("1.1.1.1", known, aaaa=lookup(APEX, "AAAA", status=status)))


def test_resolvers_not_assessed() -> None:
    """Where no public resolver answers, the network here blocks them: no finding."""
    evidence = public("", **neither("timeout"))
    assert "no public resolver answered" in unassessed("dns.resolvers_disagree", evidence)
    assert "dns.resolvers_disagree" not in codes(evidence)
