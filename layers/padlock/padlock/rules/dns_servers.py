"""Rules over who answers: authoritative servers and public resolvers (checklist step 1 and its debugging section)."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Literal

from padlock.evidence import Evidence, HostDns, Lookup, NameserverAnswer, PublicResolver, Zone
from padlock.findings import Severity
from padlock.rules._rule import Outcome, Problem, Unknown, rule
from padlock.rules._subjects import listed, not_seen, spread
from padlock.rules.dns import ABSENT, ended_in, judged, zones
from padlock.rules.dns_addresses import contradicting
from padlock.site import Site

type View = tuple[str, ...]
"""What one server says of a host and type: its addresses, or `CNAME target`; empty: it has none."""
type Kind = Literal["A", "AAAA"]

KINDS: tuple[Kind, ...] = ("A", "AAAA")
LONG_TTL = 300
"""Seconds; who resolves an alias for itself gives its answers a shorter life, seldom this, never a longer one."""


def _views(answers: Sequence[NameserverAnswer], host: str, kind: Kind) -> dict[str, View]:
    """Return server → view, of the servers that answer for the zone.

    A host's own alias counts, not the addresses that came along: following it is each server's choice. Where only
    some servers show the alias the rest flatten it, and their addresses are compared instead. A server without
    authority is lame, not of another opinion.
    """
    asked = [
        (f"{answer.nameserver} ({answer.address})", answer.a if kind == "A" else answer.aaaa)
        for answer in answers
        if answer.host == host
    ]
    said = [(who, look) for who, look in asked if look.authoritative and look.status in ("ok", *ABSENT)]
    flattened = any(not look.cnames for _, look in said) and all(look.records for _, look in said)
    return {
        who: (f"CNAME {look.cnames[0]}",) if look.cnames and not flattened else tuple(sorted(look.records))
        for who, look in said
    }


def _differ(views: Mapping[str, View]) -> bool:
    return len(set(views.values())) > 1


@rule(
    "dns.nameservers_disagree",
    Severity.ERROR,
    step=(1, 2),
    reads="dns",
    reachability=True,
    summary="name servers disagree",
    impact="Visitors reach one server or another by chance, depending on which name server their resolver asked.",
    remediation="Compare `dig {host} A {host} AAAA +norecurse @SERVER` and `dig {host} SOA +norecurse @SERVER` for "
    "each name server, and bring the odd one up to date (zone transfer, serial); or remove it from the delegation at "
    "the registrar.",
    reference="checklist steps 1 and 2; RFC 1034 section 4.3.5",
)
def nameservers_disagree(site: Site, evidence: Evidence) -> Iterator[Outcome]:
    """Compare the authoritative servers' records, as sets.

    What agrees on the second look was propagation, and is a notice. So are answers that differ on purpose: of a
    weighted or rotating pool, or of an alias at the apex that each server resolves for itself; and those of which
    that cannot be told from an old copy of the zone. An address that the site does not declare excuses nothing.
    """
    for zone in zones(evidence):
        for host in zone.hosts:
            problem = _disagreement(site, evidence, zone, host)
            if problem:
                yield problem
        if not any(_views(zone.answers, host, "A") for host in zone.hosts):
            reason = zone.failure or "none of its name servers answered from here"
            yield Unknown(_named(zone), reason, partial=_resolves(evidence, zone))
    held = {host for zone in zones(evidence) for host in zone.hosts}
    for other in judged(evidence):
        if other.host not in held:
            yield Unknown(other.host, "its name servers were not asked", partial=other.exists)


def _named(zone: Zone) -> str:
    """Return the subject of a zone; its apex is empty where nothing told it."""
    return zone.apex or zone.hosts[0]


def _resolves(evidence: Evidence, zone: Zone) -> bool:
    """Whether the resolver finds a host of the zone, so that its servers work for visitors at least."""
    return any(host.exists for host in judged(evidence) if host.host in zone.hosts)


def _disagreement(site: Site, evidence: Evidence, zone: Zone, host: str) -> Problem | None:
    first = {kind: _views(zone.answers, host, kind) for kind in KINDS}
    odd = [kind for kind in KINDS if _differ(first[kind])]
    if not odd:
        return None
    second = {kind: _views(zone.second_look, host, kind) for kind in KINDS}
    still = [kind for kind in odd if _differ(second[kind])]
    observed = "; ".join(_told(kind, (second if still else first)[kind]) for kind in still or odd)
    expected = "the same records from every name server"
    if not still:
        healed = "; they agree on a second look" if zone.second_look else "; seen once only"
        return Problem(host, observed + healed, expected, Severity.NOTICE)
    if stray := _stray(site, evidence, host, [second[kind] for kind in still]):
        told = f"{listed(stray, 4)} {'is' if len(stray) == 1 else 'are'} not declared"
        return Problem(host, f"{observed}; {told}{_versions(zone)}", expected)
    if purpose := _on_purpose(evidence, zone, host) or _flattened(zone, host, {kind: second[kind] for kind in still}):
        return Problem(host, f"{observed}; {purpose}", expected, Severity.NOTICE)
    return Problem(host, observed + _versions(zone), expected)


def _stray(site: Site, evidence: Evidence, host: str, odd: Sequence[Mapping[str, View]]) -> list[str]:
    """Return what some servers give and the site's declaration does not have."""
    known = evidence.dns.host(host) if evidence.dns else None
    given = {address for views in odd for view in views.values() if _are_addresses(view) for address in view}
    return contradicting(site, evidence, known, sorted(given)) if known else []


def _on_purpose(evidence: Evidence, zone: Zone, host: str) -> str:
    """Return the sign that the servers make their answers anew for each query; empty where there is none."""
    looks: dict[tuple[str, str], list[Lookup]] = {}
    for answer in (*zone.answers, *zone.second_look):
        for look in (answer.a, answer.aaaa) if answer.host == host else ():
            if look.authoritative and look.status in ("ok", *ABSENT):
                looks.setdefault((answer.address, look.rdtype), []).append(look)
    if any(len({look.cnames[:1] or look.records for look in same}) > 1 for same in looks.values()):
        return "the answers change from query to query"
    # A zone's own data has a TTL that stands still; one that counts down comes out of a cache.
    if any(len({look.ttl for look in same if look.records and not look.cnames}) > 1 for same in looks.values()):
        return "their TTLs count down, as where each server resolves an alias for itself"
    given = {look.records for same in looks.values() for look in same}
    public = [answer for answer in evidence.dns.public if answer.host == host] if evidence.dns else []
    found = [look.records for answer in public for look in (answer.a, answer.aaaa) if look.status == "ok"]
    strange = [records for records in found if records and records not in given]
    return f"public resolvers find others again, {listed(strange[0], 4)}" if strange else ""


def _flattened(zone: Zone, host: str, odd: Mapping[Kind, Mapping[str, View]]) -> str:
    """Return the sign that each server resolves an alias at the apex (ALIAS, ANAME) for itself; empty: there is none.

    That need not show in two looks, as each gives what it found for minutes. The other explanation is an old copy of
    the zone: it has another serial, unless who writes the zone by hand forgot to raise it, is either the old one or
    the new one, and has addresses in common with the other if it has several: all of them, where one more was added
    or taken out. Its records live as long as somebody wrote, and what is found for minutes as long as that.
    """
    groups = [set(views.values()) for views in odd.values()]
    if host != zone.apex or not all(_are_addresses(view) for group in groups for view in group):
        return ""
    ttl = _longest_ttl(zone, host, odd)
    if ttl > LONG_TTL or any(set(one) < set(other) for group in groups for one in group for other in group):
        return ""
    alias = "as where each resolves an alias for itself"
    if all(len(group) > 2 for group in groups):
        return f"the answers are of more than two kinds, {alias}"
    if all(len(view) > 1 for group in groups for view in group) and all(_disjoint(group) for group in groups):
        return f"each gives several addresses of its own, {alias}"
    by_hand = any(f".{name}".endswith(f".{zone.apex}") for name in zone.nameservers)
    # One version with a TTL that people type: whose serial nobody raised looks the same.
    if ttl < LONG_TTL and _is_one_version(zone) and not by_hand:
        return f"all have the same version of the zone (serial {next(iter(zone.serials.values()))}), {alias}"
    return ""


def _longest_ttl(zone: Zone, host: str, kinds: Collection[str]) -> int:
    """Return the longest that one of the differing answers may be kept."""
    looks = [
        look
        for answer in zone.second_look
        if answer.host == host
        for look in (answer.a, answer.aaaa)
        if look.rdtype in kinds and look.authoritative and look.records
    ]
    return max((look.ttl or 0 for look in looks), default=0)


def _are_addresses(view: View) -> bool:
    return bool(view) and not view[0].startswith("CNAME ")


def _disjoint(views: Iterable[View]) -> bool:
    given = [address for view in views for address in view]
    return len(set(given)) == len(given)


def _is_one_version(zone: Zone) -> bool:
    """Whether every server that holds the zone has the same serial."""
    holding = {answer.address for answer in zone.second_look if answer.a.authoritative or answer.aaaa.authoritative}
    return holding <= set(zone.serials) and len(set(zone.serials.values())) == 1


def _versions(zone: Zone) -> str:
    """Say who has which version of the zone, where that is known."""
    names = {answer.address: f"{answer.nameserver} ({answer.address})" for answer in zone.answers}
    holders: dict[int, list[str]] = {}
    for address, serial in zone.serials.items():
        holders.setdefault(serial, []).append(names.get(address, address))
    if len(holders) > 1:
        return f"; the zone's serial is {listed(f'{serial} at {listed(who, 4)}' for serial, who in holders.items())}"
    if _is_one_version(zone):
        return f"; the zone's serial is {next(iter(holders))} at all of them: was it raised with the last change?"
    return ""


def _told(kind: Kind, views: Mapping[str, View]) -> str:
    """Say who is alone with which records, the smallest group first."""
    groups: dict[View, list[str]] = {}
    for who, view in views.items():
        groups.setdefault(view, []).append(who)
    ranked = sorted(groups.items(), key=lambda group: (len(group[1]), group[0]))
    return ", ".join(f"{listed(who, 4)} says {kind} {listed(view) or 'no record'}" for view, who in ranked)


_LAME: Mapping[str, str] = {
    "timeout": "does not answer",
    "refused": "refuses the zone (REFUSED)",
    "servfail": "cannot serve the zone (SERVFAIL)",
    "truncated": "truncates its answer, and TCP on port 53 does not work",
    "malformed": "sends an answer that cannot be parsed",
    "ok": "answers without authority",
    "nodata": "answers without authority",
    "nxdomain": "answers without authority",
    "loop": "answers with a circle of aliases",
    "no address": "has a name without an address",
}


@rule(
    "dns.lame_nameserver",
    Severity.WARNING,
    step=None,
    reads="dns",
    reachability=True,
    summary="name server does not serve zone",
    impact="Some look-ups are slow or fail, and the site depends on the servers that are left.",
    remediation="Repair that name server, or remove it from the delegation at the registrar and from the zone's NS "
    "records.",
    reference="RFC 9499 section 7 (lame delegation)",
)
def lame_nameserver(site: Site, evidence: Evidence) -> Iterator[Outcome]:
    """Find delegated servers that fail for every host of the zone.

    Where all servers of an address family time out while the hosts resolve, the way from here is what is blocked.
    """
    for zone in zones(evidence):
        working = _resolves(evidence, zone)
        if not zone.answers:
            yield Unknown(_named(zone), zone.failure or "its name servers were not asked", partial=working)
            continue
        states = _server_states(zone)
        blocked = _blocked_families(states, working=working)
        for nameserver in dict.fromkeys(name for name, _ in states):
            mine = {address: state for (name, address), state in states.items() if name == nameserver}
            reasons = {address: why for address, state in mine.items() if (why := _unasked(address, state, blocked))}
            faults = {
                address: _lame(zone, state) for address, state in mine.items() if state and address not in reasons
            }
            looked = [address for address in mine if address not in reasons]
            for unknown in not_seen(nameserver, reasons, looked):
                yield Unknown(unknown.subject, unknown.reason, partial=working)
            yield from spread(nameserver, faults, looked)
    if not zones(evidence):
        yield Unknown(site.name, "its name servers were not asked", partial=any(h.exists for h in judged(evidence)))


def _unasked(address: str, state: str, blocked: set[str]) -> str:
    """Return why nothing is known of one address of a name server."""
    if state == "not_asked":
        return "it was not asked: no route from here, or no address that may be asked"
    if state == "timeout" and _family(address) in blocked:
        return f"no name server of the zone answers from here over {_family(address)}"
    return ""


def _lame(zone: Zone, state: str) -> Problem:
    fix = (
        f"Ask it: `dig @{{host}} {zone.apex} SOA +norecurse`. Repair that name server, or remove it from the "
        f"delegation of {zone.apex} at the registrar and from the zone's NS records."
    )
    return Problem("", _LAME[state], f"authoritative answers for {zone.apex}", remediation=fix)


def _server_states(zone: Zone) -> dict[tuple[str, str], str]:
    """Return (name server, address) → the key of its fault in _LAME, `not_asked`, or empty where it is fine."""
    lookups: dict[tuple[str, str], list[Lookup]] = {}
    for answer in zone.answers:
        lookups.setdefault((answer.nameserver, answer.address), []).extend((answer.a, answer.aaaa))
    return {server: _state(server[1], seen) for server, seen in lookups.items()}


def _state(address: str, lookups: Sequence[Lookup]) -> str:
    asked = [look for look in lookups if look.status != "not_asked"]
    if not asked:
        return "not_asked"
    if not address:
        return "no address"
    if any(look.authoritative and look.status in ("ok", *ABSENT, "loop") for look in asked):
        return ""
    # A server that answers some questions is alive: its answer says more than its silence.
    return min((look.status for look in asked), key=lambda status: (status == "timeout", list(_LAME).index(status)))


def _family(address: str) -> str:
    return "IPv6" if ":" in address else "IPv4"


def _blocked_families(states: Mapping[tuple[str, str], str], *, working: bool) -> set[str]:
    """Return the families in which every server is silent, although the zone works."""
    families: dict[str, set[str]] = {}
    for (_, address), state in states.items():
        if address and state != "not_asked":
            families.setdefault(_family(address), set()).add(state)
    alive = working or "" in states.values()
    return {family for family, seen in families.items() if alive and seen == {"timeout"}}


_BLOCKER = "9.9.9.9"
"""Quad9 answers NXDOMAIN for names that it holds for malicious."""


@rule(
    "dns.resolvers_disagree",
    Severity.WARNING,
    step=None,
    reads="dns",
    reachability=True,
    summary="public resolvers disagree",
    impact="Visitors who use such a resolver cannot find the site, or meet other addresses than the rest.",
    remediation="Ask each resolver, as in `dig @1.1.1.1 {host}`; after a change wait for the TTL; a lasting SERVFAIL "
    "means broken DNSSEC (`delv {host}`) or an unreachable name server.",
    reference="checklist, debugging section: dig @1.1.1.1",
)
def resolvers_disagree(site: Site, evidence: Evidence) -> Iterator[Outcome]:
    """Compare the system's resolver with public ones. Other addresses alone are geographic DNS or a CDN."""
    for host in judged(evidence):
        public = [answer for answer in evidence.dns.public if answer.host == host.host] if evidence.dns else []
        telling = [answer for answer in public if _finds(answer) or _failure(answer)]
        if not telling:
            reason = "no public resolver answered from here" if public else "no public resolver was asked"
            yield Unknown(host.host, reason, partial=host.exists)
        elif host.exists:
            yield from _against_system(host, telling)
        elif any(_finds(answer) for answer in telling):
            found = [f"{answer.resolver} finds {listed(_finds(answer))}" for answer in telling if _finds(answer)]
            observed = f"{'; '.join(found)}, but this vantage point's resolver finds no address ({ended_in(host.a)})"
            yield host.host, observed, "the same answer everywhere"


_NOT_UNDERSTOOD = ("FORMERR", "NOTIMP", "BADVERS", "response code")
"""What a middlebox in the way answers that takes the question amiss; a resolver's own failure is SERVFAIL."""


def _finds(answer: PublicResolver) -> tuple[str, ...]:
    return answer.a.records + answer.aaaa.records


def _failure(answer: PublicResolver) -> Lookup | None:
    """Return the lookup that says that there is no address; silence, refusal and broken answers say nothing."""
    if _finds(answer):
        return None
    for status in ("nxdomain", "servfail", "loop"):
        for look in (answer.a, answer.aaaa):
            if look.status == status and not look.detail.startswith(_NOT_UNDERSTOOD):
                return look
    return answer.a if answer.a.status == answer.aaaa.status == "nodata" else None


def _against_system(host: HostDns, answers: Sequence[PublicResolver]) -> Iterator[Outcome]:
    here = f"this vantage point finds {listed(host.addresses)}"
    failures = [f"{answer.resolver}: {_described(answer, look)}" for answer in answers if (look := _failure(answer))]
    if failures:
        yield host.host, f"{'; '.join(failures)}; {here}", "the same answer everywhere"
        return
    other = [f"{answer.resolver} finds {listed(_finds(answer))}" for answer in answers if _other(answer, host)]
    if other:
        expected = "the same addresses, unless DNS is geographic on purpose"
        yield Problem(host.host, f"{'; '.join(other)}; {here}", expected, Severity.NOTICE)


def _other(answer: PublicResolver, host: HostDns) -> bool:
    """Whether a family that both resolvers looked up has other addresses."""
    pairs = ((answer.a, host.a), (answer.aaaa, host.aaaa))
    sure = ("ok", *ABSENT)
    return any(
        theirs.status in sure and mine.status in sure and set(theirs.records) != set(mine.records)
        for theirs, mine in pairs
    )


def _described(answer: PublicResolver, look: Lookup) -> str:
    notes = [f"extended DNS error {look.extended_error}"] if look.extended_error else []
    notes += [f"for {look.ttl} s more"] if look.ttl is not None else []
    notes += (
        ["it blocks names held for malicious"] if answer.resolver == _BLOCKER and look.status == "nxdomain" else []
    )
    return f"{look.status.upper()}{f' ({listed(notes)})' if notes else ''}"
