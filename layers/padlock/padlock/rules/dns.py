"""Rules over names: do the hosts resolve, are their aliases sound (checklist steps 1 and 2; RFC 1034, RFC 2181)."""

from collections.abc import Iterator

from padlock.evidence import Evidence, HostDns, Lookup, Zone
from padlock.findings import Severity
from padlock.rules._rule import NotApplicable, Outcome, Problem, Unknown, rule
from padlock.rules._subjects import listed
from padlock.site import Site

LONGEST_CHAIN = 8
"""Aliases in a row; resolvers commonly give up between 8 and 16 (unbound 11, BIND 16)."""

ABSENT = ("nxdomain", "nodata")
_WORDS = {
    "ok": "an answer",
    "nxdomain": "NXDOMAIN, the name does not exist",
    "nodata": "the name exists, but has no address record",
    "servfail": "SERVFAIL, the resolver got no usable answer from the name servers",
    "refused": "REFUSED",
    "timeout": "no answer in time",
    "truncated": "the answer is too long for UDP, and TCP on port 53 does not work",
    "loop": "the CNAME records lead in a circle",
    "malformed": "the answer cannot be parsed",
    "not_asked": "it was not asked",
}
_TELLING = (
    "loop",
    "nxdomain",
    "truncated",
    "servfail",
    "timeout",
    "refused",
    "malformed",
    "not_asked",
    "nodata",
    "ok",
)
"""Of two lookups of one name, the status that explains most comes first."""


def judged(evidence: Evidence) -> list[HostDns]:
    """Return what DNS says of the hosts that are judged; those that the deadline cut off were not asked."""
    found = [(name, evidence.dns.host(name) if evidence.dns else None) for name in evidence.hosts]
    return [host or HostDns(name, _not_asked(name, "A"), _not_asked(name, "AAAA")) for name, host in found]


def _not_asked(name: str, rdtype: str) -> Lookup:
    return Lookup(name, rdtype, "not_asked")


def zones(evidence: Evidence) -> tuple[Zone, ...]:
    """Return the zones that hold the hosts."""
    return evidence.dns.zones if evidence.dns else ()


def telling(host: HostDns) -> Lookup:
    """Return the lookup of A or AAAA that explains most."""
    return min(host.a, host.aaaa, key=lambda lookup: _TELLING.index(lookup.status))


def ended_in(lookup: Lookup) -> str:
    """Return what a lookup ended in, for people; behind a time-out may be a port that refuses the question."""
    return lookup.detail if lookup.status == "timeout" and lookup.detail else _WORDS[lookup.status]


def aliases(host: HostDns) -> tuple[str, ...]:
    """Return the targets of the host's CNAME chain."""
    return max(host.a.cnames, host.aaaa.cnames, key=len)


def _dangling(host: HostDns) -> str:
    """Return the last alias of a chain whose end does not exist."""
    ends = (lookup.cnames[-1] for lookup in (host.a, host.aaaa) if lookup.cnames and lookup.status == "nxdomain")
    return "" if host.exists else next(ends, "")


@rule(
    "dns.unresolvable",
    Severity.ERROR,
    step=1,
    reads="dns",
    reachability=True,
    summary="domain does not resolve",
    impact="Nobody finds the server: browsers say that the site's address could not be found.",
    remediation="See where it breaks with `dig +trace {host}`, then add an A record (and AAAA, if the server has "
    "IPv6) for {host} at the DNS provider.",
    reference="checklist step 1; RFC 2308",
)
def unresolvable(site: Site, evidence: Evidence) -> Iterator[Outcome]:
    """Judge declared hosts that have no address; a dangling alias has its own code."""
    for host in judged(evidence):
        if host.exists or _dangling(host):
            continue
        why = telling(host)
        doubt = _doubt(evidence, host, why)
        if doubt:
            yield Unknown(host.host, doubt)
            continue
        yield Problem(host.host, _failure(host, why), "an A or AAAA record", remediation=_dns_fix(why))


def _failure(host: HostDns, why: Lookup) -> str:
    way = aliases(host)
    extended = f" (extended DNS error {why.extended_error})" if why.extended_error else ""
    if why.status == "loop":
        return f"{_WORDS['loop']}: {' -> '.join([host.host, *way[:16]])}{extended}"
    alias = f"an alias of {way[-1]}: " if way else ""
    if why.status != "nxdomain" and host.a.status != host.aaaa.status:
        return f"{alias}A: {ended_in(host.a)}; AAAA: {ended_in(host.aaaa)}{extended}"
    return f"{alias}{ended_in(why)}{extended}"


def _dns_fix(why: Lookup) -> str:
    """Return the fix where adding a record is none."""
    if why.status == "loop":
        return "Follow the aliases with `dig +trace CNAME {host}`, and point the last one at a name with A records."
    if why.status in ("servfail", "timeout"):
        return (
            "Ask the name servers themselves: `dig +trace {host}` and `delv {host}` (DNSSEC). A SERVFAIL or time-out "
            "comes from dead name servers, a wrong delegation at the registrar, or broken DNSSEC signatures."
        )
    if why.status == "truncated":
        return "Let TCP to port 53 of the name servers through (RFC 7766): `dig +tcp {host}` has to answer."
    return ""


def _doubt(evidence: Evidence, host: HostDns, why: Lookup) -> str:
    """Return why the missing answer may be our own resolver's fault; empty where it is not."""
    dns = evidence.dns
    if dns is None or why.status in ("loop", "truncated", "nodata"):
        return ""
    asked = [answer for answer in dns.public if answer.host == host.host]
    found = [answer.resolver for answer in asked if answer.a.records or answer.aaaa.records]
    failed = [answer for answer in asked if {answer.a.status, answer.aaaa.status} & {"servfail", "nxdomain"}]
    servers = [answer for zone in dns.zones for answer in zone.answers if answer.host == host.host]
    denied = any(answer.a.authoritative and answer.a.status == "nxdomain" for answer in servers)
    if len(found) > len(failed) and not denied:
        return f"the resolver of this vantage point fails ({ended_in(why)}), while {listed(found)} find addresses"
    if why.status == "nxdomain" and why.ttl is None and asked and not (found or failed or servers):
        # A true denial carries the SOA of the zone that denies (RFC 2308 section 3); filters and stubs leave it out.
        return "the resolver of this vantage point denies the name in no zone's name, and nobody else answers"
    if why.status in ("refused", "malformed", "not_asked"):
        return f"the resolver of this vantage point gives no usable answer ({ended_in(why)})"
    if why.status == "timeout" and not _anything_answered(evidence):
        return "no DNS server answered anything: the network of this vantage point may be down"
    return ""


def _anything_answered(evidence: Evidence) -> bool:
    dns = evidence.dns
    if dns is None:
        return False
    lookups = [lookup for host in dns.hosts for lookup in (host.a, host.aaaa)]
    lookups += [lookup for answer in dns.public for lookup in (answer.a, answer.aaaa)]
    silent = ("timeout", "not_asked")
    return any(zone.nameservers for zone in dns.zones) or any(look.status not in silent for look in lookups)


@rule(
    "dns.cname_at_apex",
    Severity.ERROR,
    step=2,
    reads="dns",
    summary="CNAME at the zone apex",
    impact="Resolvers may lose the zone's mail and name server records, so that the site and its mail fail for some.",
    remediation="Replace the CNAME of {host} by A and AAAA records, or by the provider's ALIAS/ANAME/flattening "
    "feature.",
    reference="RFC 1912 section 2.4; RFC 2181 section 10.1",
)
def cname_at_apex(site: Site, evidence: Evidence) -> Iterator[Outcome]:
    """Find a real CNAME beside SOA and NS; flattening publishes addresses and is fine."""
    yield from _unasked(evidence)
    for zone in zones(evidence):
        if zone.apex_cname:
            yield zone.apex, f"a CNAME to {zone.apex_cname} beside SOA and NS", "A and AAAA records at a zone's apex"


@rule(
    "dns.cname_and_other_data",
    Severity.ERROR,
    step=2,
    reads="dns",
    summary="CNAME beside other records",
    impact="What a resolver answers depends on what it saw first: the site works for some and not for others.",
    remediation="Keep either the CNAME or the other records of {host}; see them with `dig {host} CNAME`, "
    "`dig {host} A`, `dig {host} TXT` and `dig {host} MX`.",
    reference="RFC 1034 section 3.6.2; RFC 2181 section 10.1",
)
def cname_and_other_data(site: Site, evidence: Evidence) -> Iterator[Outcome]:
    """Find a CNAME that is not alone, below the apex."""
    yield from _unasked(evidence)
    for zone in zones(evidence):
        for host, types in zone.cname_with_other_data.items():
            if host != zone.apex or not zone.apex_cname:
                yield host, f"a CNAME beside {listed(types)}", "a CNAME alone, or no CNAME"


def _unasked(evidence: Evidence) -> Iterator[Unknown]:
    """Yield the hosts whose authoritative servers were not asked."""
    asked = {host for zone in zones(evidence) if not zone.failure for host in zone.hosts}
    reasons = {host: zone.failure for zone in zones(evidence) for host in zone.hosts if zone.failure}
    for host in judged(evidence):
        if host.host not in asked:
            reason = reasons.get(host.host) or "the authoritative servers were not asked"
            yield Unknown(host.host, reason)


@rule(
    "dns.dangling_cname",
    Severity.ERROR,
    step=(2, 1),
    reads="dns",
    summary="alias to a missing name",
    impact="The host does not resolve; and whoever can register the target's name takes the host over.",
    remediation="Point the CNAME of {host} at a name that exists, or delete it: `dig {host} CNAME`.",
    reference="checklist step 2; RFC 1034 section 3.6.2",
)
def dangling_cname(site: Site, evidence: Evidence) -> Iterator[Outcome]:
    """Find aliases whose target does not exist; of a sibling that nobody declared it is a warning."""
    for host in evidence.dns.hosts if evidence.dns else ():
        target = _dangling(host)
        if target and (not host.derived or _is_apex(evidence, site.name)):
            own = Severity.WARNING if host.derived else None
            yield Problem(
                host.host, f"an alias of {target}, which does not exist (NXDOMAIN)", "a target that exists", own
            )
        elif not host.derived and not host.exists and telling(host).status not in ABSENT:
            yield Unknown(host.host, f"it does not resolve ({ended_in(telling(host))})")


@rule(
    "dns.cname_chain",
    Severity.WARNING,
    step=2,
    reads="dns",
    summary="long chain of aliases",
    impact="Each alias costs visitors time, and some resolvers give up on long chains.",
    remediation="Point the CNAME of {host} straight at the last name: `dig {host} A`.",
    reference="RFC 1034 section 3.6.2",
)
def cname_chain(site: Site, evidence: Evidence) -> Iterator[Outcome]:
    """Count aliases; a circle is dns.unresolvable."""
    for host in judged(evidence):
        way = aliases(host)
        if not host.exists and not way:
            yield Unknown(host.host, "it does not resolve")
        elif len(way) > LONGEST_CHAIN and telling(host).status != "loop":
            shown = " -> ".join([host.host, *way[:16]])
            yield host.host, f"{len(way)} aliases in a row: {shown}", f"at most {LONGEST_CHAIN}"


def _is_apex(evidence: Evidence, name: str) -> bool:
    return any(zone.apex == name for zone in zones(evidence))


def _resolves(evidence: Evidence, site: Site) -> bool:
    return any(host.exists for host in judged(evidence) if host.host == site.name)


def _sibling(site: Site, evidence: Evidence, apex: str, sibling: str) -> Iterator[Outcome]:
    """Judge an undeclared sibling of a zone's apex; a failed lookup is no absence."""
    host = evidence.dns.host(sibling) if evidence.dns else None
    if site.hosts:
        yield NotApplicable("the hosts are declared")
    elif host is None:
        yield Unknown(sibling, "it was not looked up")
    elif host.exists or _dangling(host):
        return
    elif any(zone.apex and site.name in zone.hosts for zone in zones(evidence)) and not _is_apex(evidence, apex):
        yield NotApplicable(f"{apex} is not the apex of its zone")
    elif host.a.status not in ABSENT or host.aaaa.status not in ABSENT:
        yield Unknown(sibling, f"its lookup failed ({ended_in(telling(host))})", _resolves(evidence, site))
    elif not _is_apex(evidence, apex):
        yield Unknown(sibling, f"whether {apex} is the apex of its zone is not known", _resolves(evidence, site))
    else:
        yield sibling, _WORDS[host.a.status], f"a record that leads to {site.name}, or `hosts` declared without it"


@rule(
    "dns.www_missing",
    Severity.NOTICE,
    step=1,
    reads="dns",
    summary="no www host",
    impact="Visitors who type www in front of the name find nothing.",
    remediation="Add a CNAME from {host} to the apex, take it into the certificate "
    "(`sudo certbot --nginx --expand`) and into nginx's server_name; or declare `hosts` without it.",
    reference="checklist step 1",
)
def www_missing(site: Site, evidence: Evidence) -> Iterator[Outcome]:
    """Judge the www host of an apex that is declared alone."""
    if site.name.startswith("www."):
        yield NotApplicable("the site is declared by its www host")
        return
    yield from _sibling(site, evidence, site.name, f"www.{site.name}")


@rule(
    "dns.apex_missing",
    Severity.NOTICE,
    step=1,
    reads="dns",
    summary="apex has no address",
    impact="Visitors who type the bare domain find nothing.",
    remediation="Add an A record (and AAAA) for {host}, take it into the certificate "
    "(`sudo certbot --nginx --expand`) and redirect it; or declare `hosts` without it.",
    reference="checklist step 1",
)
def apex_missing(site: Site, evidence: Evidence) -> Iterator[Outcome]:
    """Judge the apex of a www host that is declared alone."""
    if not site.name.startswith("www."):
        yield NotApplicable("the site is not declared by its www host")
        return
    apex = site.name.removeprefix("www.")
    yield from _sibling(site, evidence, apex, apex)
