"""Names whose DNS breaks, lies or floods (RFC 1034, RFC 1035, RFC 6891)."""

from collections.abc import Callable, Sequence

from padlock.evidence import HostDns, Zone
from padlock.findings import Severity
from padlock.network import limits

from tests.dns_server import Answer, forged_first, rcode, silent, truncated, when, without_edns
from tests.hostile.behaviour import Behaviour, Outcome, Place
from tests.hostile.dns_servers import (
    Twist,
    beside_alias,
    bomb,
    empty_but_of_others,
    endless_aliases,
    for_us,
    many_names,
    of_others,
    pointing_in_circles,
    record,
    records,
    served,
    with_records,
)
from tests.hostile.internet import ZONE
from tests.hostile.seeing import Seen, failed
from tests.lab.odd_servers import when_tcp

WEB = ("@ A {4}",)
NSEC, RRSIG, CAA = 47, 46, 257


def host(outcome: Outcome, label: str = "") -> HostDns:
    """Return what the resolver says of the site's host, or of one below it."""
    assert outcome.evidence.dns
    site = outcome.evidence.site.name
    found = outcome.evidence.dns.host(f"{label}.{site}" if label else site)
    assert found
    return found


def looked(label: str = "") -> Seen:
    """Say how the lookups of a host ended, how its page was answered, and what is held against its DNS."""

    def seen(outcome: Outcome) -> str:
        found = host(outcome, label)
        ways = [found.a.status] if found.a.status == found.aaaa.status else [found.a.status, found.aaaa.status]
        held = [
            f"{each.code} ({each.severity})"
            for each in outcome.report.findings
            if each.code.startswith("dns.") and each.severity != Severity.NOTICE
        ]
        return ", ".join(
            filter(None, ["/".join(ways), _page(outcome), *sorted(set(held)), outcome.evidence.incomplete])
        )

    return seen


def _page(outcome: Outcome) -> str:
    assert outcome.evidence.http
    front = next(outcome.evidence.http.of("front"), None)
    if front is None:
        return "no page"
    return failed(front.failure) if front.failure else str(front.status)


def beside(more: Callable[[Outcome], str], label: str = "") -> Seen:
    """Say that, and something more."""
    first = looked(label)
    return lambda outcome: f"{first(outcome)}; {more(outcome)}"


def zone(outcome: Outcome) -> Zone:
    """Return what was seen of the site's own zone."""
    assert outcome.evidence.dns
    return next(each for each in outcome.evidence.dns.zones if outcome.evidence.site.name in each.hosts)


def of_servers(outcome: Outcome) -> str:
    """Say what the authoritative servers answered themselves, for A records."""
    return ", ".join(sorted({each.a.status for each in zone(outcome).answers})) or zone(outcome).failure


def asked(outcome: Outcome) -> str:
    """Say how many addresses of name servers were asked, and how many were not."""
    answers = {each.address: each.a for each in zone(outcome).answers}
    done = sum(look.status != "not_asked" for look in answers.values())
    return f"{done} asked, {len(answers) - done} not"


def kept(outcome: Outcome) -> str:
    """Say how many addresses there were, were kept, and were used."""
    look = host(outcome).a
    used = {state.address for state in outcome.evidence.ports or ()}
    return f"{look.count} records, {len(look.records)} kept, {len(used)} used"


def refused(label: str) -> Callable[[Outcome], str]:
    """Return what says why nothing was sent to a host's addresses."""
    return lambda outcome: ", ".join(f"{address}: {why}" for address, why in host(outcome, label).refused.items())


def unresolvable(outcome: Outcome) -> str:
    """Say whether `www` counts as not resolving, however the resolver came to that."""
    found = {each.subject for each in outcome.report.findings if each.code == "dns.unresolvable"}
    is_found = found == {host(outcome, "www").host}
    return f"www {'does not resolve' if is_found else 'resolves'}, {_page(outcome)}"


def wildcard(outcome: Outcome) -> str:
    """Say whether a name that nobody published has an address."""
    assert outcome.evidence.dns
    return "any name exists" if any(outcome.evidence.dns.wildcard.values()) else "no wildcard"


def caa(outcome: Outcome) -> str:
    """Say what is known of the CAA records."""
    assert outcome.evidence.caa
    found = outcome.evidence.caa[outcome.evidence.site.name]
    return found.failure or f"{len(found.records)} CAA"


def plain(answer: Answer, _place: Place) -> Answer:
    """Answer as one should."""
    return answer


def _named(
    name: str,
    promise: str,
    expected: str,
    seen: Seen,
    twist: Twist = plain,
    *,
    lines: Sequence[str] = WEB,
    hosts: Sequence[str] = (),
    tcp: bool = True,
    other: Answer | None = None,
    seconds: float = 0.0,
    flood: bool = False,
    slow: bool = False,
) -> Behaviour:
    """Return a healthy site with a zone of its own, and what is wrong with it; `hosts` are labels below its name."""
    data = records(*lines)
    whole = f"{name}.{ZONE}"
    declared = {"hosts": [whole, *(f"{label}.{whole}" for label in hosts)]}
    serve = served(data, twist, tcp=tcp, other=other, seconds=seconds, flood=flood)
    return Behaviour(name, promise, serve, expected, seen, declared, data, slow)


WAYS = (
    _named(
        "dns-truncated",
        "TC without TCP → its own observation",
        "servfail, no page, dns.lame_nameserver (warning), dns.unresolvable (error); truncated",
        beside(of_servers),
        lambda answer, _: truncated(answer),
        tcp=False,
    ),
    _named(
        "dns-truncated-refused",
        "TC without TCP → its own observation",
        "servfail, no page, dns.lame_nameserver (warning), dns.unresolvable (error); refused",
        beside(of_servers),
        lambda answer, _: when_tcp(rcode("REFUSED"), truncated(answer)),
    ),
    _named(
        "dns-alias-loop",
        "CNAME loop → its own observation",
        "loop, 200, dns.unresolvable (error)",
        looked("www"),
        lines=(*WEB, "www CNAME back", "back CNAME www"),
        hosts=("www",),
    ),
    _named(
        "dns-aliases-endless",
        "CNAME loop → its own observation",
        "www does not resolve, 200",
        unresolvable,
        lambda answer, _: endless_aliases(answer),
        hosts=("www",),
    ),
    _named(
        "dns-alias-dangling",
        "dangling CNAME → its own observation",
        "nxdomain, 200, dns.dangling_cname (error)",
        looked("www"),
        lines=(*WEB, "www CNAME gone"),
        hosts=("www",),
    ),
    _named(
        "dns-alias-internal",
        "CNAME to an internal host → nothing is sent there",
        "ok/nodata, 200, dns.reserved_address (error); 169.254.169.254: Link Local",
        beside(refused("www"), "www"),
        lines=(*WEB, f"www CNAME metadata.{ZONE}."),
        hosts=("www",),
    ),
    _named(
        "dns-alias-loopback",
        "CNAME to an internal host → nothing is sent there",
        "ok/nodata, 200, dns.reserved_address (error); 127.0.0.1: Loopback",
        beside(refused("www"), "www"),
        lines=(*WEB, f"www CNAME loopback.{ZONE}."),
        hosts=("www",),
    ),
    _named(
        "dns-1000-addresses",
        f"1,000 A records → {limits.ADDRESSES_PER_HOST} used",
        "ok/nodata, 200; 1001 records, 64 kept, 16 used",
        beside(kept),
        lines=(*WEB, *(f"@ A 45.83.{200 + number // 250}.{number % 250 + 1}" for number in range(1000))),
        slow=True,
    ),
    _named(
        "dns-servfail-for-aaaa",
        "SERVFAIL on AAAA only → its own observation",
        "ok/servfail, 200; ok",
        beside(of_servers),
        lambda answer, _: when(lambda _name, rdtype: rdtype == "AAAA", rcode("SERVFAIL"), answer),
    ),
    _named(
        "dns-lame",
        "lame delegation → its own observation",
        "servfail, no page, dns.lame_nameserver (warning), dns.unresolvable (error); refused",
        beside(of_servers),
        lambda _answer, _place: rcode("REFUSED"),
    ),
    _named(
        "dns-lame-half",
        "lame delegation → its own observation",
        "ok/nodata, 200, dns.lame_nameserver (warning); ok, refused",
        beside(of_servers),
        lines=(*WEB, "@ NS ns2", "ns2 AAAA {6}"),
        other=rcode("REFUSED"),
    ),
    _named(
        "dns-wildcard",
        "wildcard DNS → its own observation",
        "ok/nodata, 200; any name exists",
        beside(wildcard),
        lines=(*WEB, "* A {4}"),
    ),
    _named(
        "dns-slow",
        "slow servers → its own observation",
        "ok/nodata, 200; ok",
        beside(of_servers),
        seconds=0.7,
    ),
    _named(
        "dns-too-slow",
        "slow servers → its own observation",
        "timeout, no page, dns.lame_nameserver (warning), dns.unresolvable (error); timeout",
        beside(of_servers),
        seconds=3.0,
        slow=True,
    ),
    _named(
        "dns-silent",
        "slow servers → its own observation",
        "timeout, no page, dns.lame_nameserver (warning), dns.unresolvable (error); timeout",
        beside(of_servers),
        lambda _answer, _place: silent,
        slow=True,
    ),
    _named(
        "dns-wrong-id",
        "wrong id → its own observation",
        "ok/nodata, 200; ok",
        beside(of_servers),
        lambda answer, _: for_us(forged_first(answer), answer),
    ),
    _named(
        "dns-wrong-id-only",
        "wrong id → its own observation",
        "ok/nodata, 200; timeout",
        beside(of_servers),
        lambda answer, _: for_us(forged_first(answer, and_then=False), answer),
        slow=True,
    ),
    _named(
        "dns-flood",
        "wrong id → its own observation",
        "ok/nodata, 200; timeout",
        beside(of_servers),
        flood=True,
        slow=True,
    ),
    _named(
        "dns-edns-formerr",
        "EDNS FORMERR → retried plain",
        "ok/nodata, 200; ok",
        beside(of_servers),
        lambda answer, _: without_edns(answer, formerr=True),
    ),
    _named(
        "dns-edns-dropped",
        "EDNS dropped → retried plain",
        "ok/nodata, 200; ok",
        beside(of_servers),
        lambda answer, _: for_us(without_edns(answer, formerr=False), answer),
    ),
)
LIES = (
    _named(
        "dns-of-others",
        "answers with records of other names → believed of none",
        "ok/nodata, 200; ok",
        beside(of_servers),
        lambda answer, _: of_others(answer),
    ),
    _named(
        "dns-only-of-others",
        "answers with records of other names → believed of none",
        "ok/nodata, 200; nodata",
        beside(of_servers),
        lambda answer, _: for_us(empty_but_of_others, answer),
    ),
    _named(
        "dns-servers-internal",
        "nameserver addresses that are internal → nothing is sent there",
        "ok/nodata, 200; 1 asked, 6 not",
        beside(asked),
        lines=(
            *WEB,
            *(f"@ NS ns{number}" for number in range(2, 8)),
            *("ns2 A 169.254.169.254", "ns3 A 10.0.0.53", "ns4 A 127.0.0.1", "ns5 AAAA fd00:ec2::254"),
            *("ns6 AAAA ::ffff:10.1.2.3", "ns7 AAAA 64:ff9b::a01:203"),
        ),
    ),
    _named(
        "dns-1000-servers",
        f"addresses used are capped → {limits.NAMESERVERS} servers are asked",
        "ok/nodata, 200; 16 asked, 0 not",
        beside(asked),
        lines=(
            *WEB,
            *(f"@ NS n{number}" for number in range(300)),
            *(f"n{number} A 45.83.{200 + number // 250}.{number % 250 + 1}" for number in range(300)),
        ),
        slow=True,
    ),
    _named(
        "dns-txt-huge",
        "TXT with megabytes → bounded",
        "ok/nodata, 200, dns.cname_and_other_data (error); ok",
        beside(of_servers, "www"),
        lambda answer, _: for_us(beside_alias(answer), answer),
        lines=(*WEB, "www CNAME @"),
        hosts=("www",),
    ),
    _named(
        "dns-caa-huge",
        "CAA with megabytes → bounded",
        "ok/nodata, 200; its CAA records cannot be read, or are too many",
        beside(caa),
        lines=(*WEB, *(f'@ CAA 0 issue "{"x" * 250}{number}"' for number in range(200))),
    ),
    _named(
        "dns-rubbish",
        "RRSIG/NSEC rubbish → its own observation",
        "ok/nodata, 200; ok",
        beside(of_servers),
        lambda answer, _: for_us(
            with_records(answer, record(RRSIG, b"\xff" * 40), record(NSEC, b"\xff" * 40), record(NSEC, b"")), answer
        ),
    ),
    _named(
        "dns-pointer-loops",
        "compression-pointer loops → malformed",
        "ok/nodata, 200, dns.lame_nameserver (warning); malformed",
        beside(of_servers),
        lambda answer, _: for_us(pointing_in_circles, answer),
    ),
    _named(
        "dns-name-bomb",
        "every remote behaviour → one bounded observation within the deadline",
        "ok/nodata, 200; nodata",
        beside(of_servers),
        lambda answer, _: for_us(bomb, answer),
    ),
    _named(
        "dns-name-bomb-aliases",
        "every remote behaviour → one bounded observation within the deadline",
        "ok/nodata, 200, dns.cname_at_apex (error); nodata",
        beside(of_servers),
        lambda answer, _: for_us(many_names(5), answer),
    ),
)

BEHAVIOURS: tuple[Behaviour, ...] = (*WAYS, *LIES)
