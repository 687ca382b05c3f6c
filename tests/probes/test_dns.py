"""What DNS says of a site's hosts, seen through real servers on loopback."""

import itertools
import time
from collections import Counter

import dns.message
import msgspec
import pytest
from padlock import evidence as ev
from padlock.network import dns as network_dns
from padlock.network.dns import Resolver
from padlock.network.vantage import Vantage
from padlock.probes import dns as padlock_dns
from padlock.probes import nameservers
from padlock.probes.dns import resolve_host, resolver_of, sibling_of

from tests.dns_server import Answer, not_authoritative, rcode, recursive, serve, silent, when, zone
from tests.dns_world import COM, DATA, DELEGATED, DELEGATION, NAME, NS1, NS2, PARENT, WWW, world


@pytest.fixture(autouse=True)
def _short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait less for silence and for the second look than in the field, so that the tests are quick."""
    monkeypatch.setattr(network_dns, "DNS_SECONDS", 0.3)
    monkeypatch.setattr(nameservers, "SECOND_LOOK_SECONDS", 0.05)


def told(zone: ev.Zone, host: str = NAME) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Return server address → (status, addresses) for a host."""
    return {answer.address: (answer.a.status, answer.a.records) for answer in zone.answers if answer.host == host}


async def test_host_is_resolved_and_vetted() -> None:
    """Every published address is kept; those that nothing may be sent to are named with their block."""
    data = recursive((NAME, "@ A 93.184.215.14", "@ A 10.0.0.1", "@ AAAA ::ffff:127.0.0.1", "@ AAAA 2606:2800::1"))
    async with world(data) as seen:
        host = await resolve_host(seen.resolver, NAME)
    assert host.addresses == ("10.0.0.1", "93.184.215.14", "::ffff:127.0.0.1", "2606:2800::1")
    assert host.refused == {"10.0.0.1": "Private-Use", "::ffff:127.0.0.1": "IPv4-mapped Address"}


async def test_allowed_network_is_not_refused() -> None:
    """An address inside a network in force can be probed."""
    async with world(recursive((NAME, "@ A 10.0.0.1", "@ A 169.254.169.254"))) as seen:
        host = await resolve_host(seen.resolver, NAME, allowed=("10.0.0.0/8", "169.254.0.0/16"))
    assert host.refused == {"169.254.169.254": "Link Local"}


async def test_servfail_of_one_family_leaves_the_other() -> None:
    """A host whose AAAA lookup fails still has its IPv4 addresses, and the failure stays visible."""
    data = when(lambda _, rdtype: rdtype == "AAAA", rcode("SERVFAIL"), recursive((NAME, *DATA)))
    async with world(data) as seen:
        host = await resolve_host(seen.resolver, NAME)
    assert (host.a.status, host.a.records, host.aaaa.status) == ("ok", ("192.0.2.1",), "servfail")


@pytest.mark.parametrize(
    ("name", "sibling"),
    [(NAME, WWW), (WWW, NAME), ("www.com", "www.www.com"), ("wwwx.test", "www.wwwx.test")],
)
def test_sibling_is_the_other_of_www_and_bare(name: str, sibling: str) -> None:
    """The sibling adds or removes www, and never leaves a top-level domain alone."""
    assert sibling_of(name) == sibling


async def test_declared_hosts_have_no_sibling() -> None:
    """Where hosts are declared exactly those are looked up, in order."""
    async with world(recursive((NAME, *DATA))) as seen:
        hosts = await seen.siblings({"name": NAME, "hosts": ["a.example.com", NAME]})
    assert [(host.host, host.derived, host.exists) for host in hosts] == [
        ("a.example.com", False, False),
        (NAME, False, True),
    ]


@pytest.mark.parametrize("name", [NAME, WWW])
async def test_sibling_is_found(name: str) -> None:
    """The www host of an apex, and the apex of a www host, are derived."""
    async with world(recursive((NAME, *DATA))) as seen:
        first, second = await seen.siblings(name)
    assert (first.host, first.derived, first.exists) == (name, False, True)
    assert (second.derived, second.exists) == (True, True)


@pytest.mark.parametrize(
    ("lines", "exists"),
    [
        (("shop A 192.0.2.1",), False),
        (("shop A 192.0.2.1", "*.shop A 192.0.2.1"), False),
        (("shop A 192.0.2.1", "*.shop CNAME shop", "other A 192.0.2.1"), False),
        (("shop CNAME cdn.test.", "*.shop A 192.0.2.1"), False),
        (("shop A 192.0.2.1", "*.shop A 192.0.2.1", "www.shop A 192.0.2.2"), True),
        (("shop A 192.0.2.1", "www.shop A 192.0.2.1"), True),
    ],
)
async def test_wildcard_makes_no_host_below_a_subdomain(lines: tuple[str, ...], exists: bool) -> None:
    """A www sibling of a subdomain that only a wildcard answers for is not one of the site's hosts."""
    async with world(recursive((NAME, *DATA, *lines))) as seen:
        _, sibling = await seen.siblings("shop.example.com")
    assert sibling.exists is exists
    if not exists and len(lines) > 1:
        assert "wildcard" in sibling.a.detail


async def test_wildcard_makes_the_www_host_of_an_apex() -> None:
    """Visitors reach www through the wildcard of an apex: it is a host."""
    async with world(recursive((NAME, "@ NS ns1", "@ A 192.0.2.1", "* A 192.0.2.1"))) as seen:
        _, sibling = await seen.siblings()
    assert (sibling.host, sibling.exists) == (WWW, True)


@pytest.mark.parametrize(
    ("lines", "exists"),
    [
        (("* A 192.0.2.1",), False),
        (("www.shop A 192.0.2.1", "shop A 192.0.2.1"), True),
        (("shop A 192.0.2.1", "*.shop A 192.0.2.1"), True),
    ],
)
async def test_bare_sibling_behind_a_wildcard(lines: tuple[str, ...], exists: bool) -> None:
    """Of www.shop, the sibling shop is a host only where it was published, not by a wildcard above both."""
    async with world(recursive((NAME, "@ NS ns1", *lines))) as seen:
        _, sibling = await seen.siblings("www.shop.example.com")
    assert (sibling.host, sibling.exists) == ("shop.example.com", exists)


async def test_failing_sibling_is_not_absent() -> None:
    """SERVFAIL of the sibling is kept as what it is."""
    data = when(lambda name, _: name == WWW, rcode("SERVFAIL"), recursive((NAME, *DATA)))
    async with world(data) as seen:
        _, sibling = await seen.siblings()
    assert (sibling.exists, sibling.a.status) == (False, "servfail")


async def test_healthy_zone_is_asked_server_by_server() -> None:
    """Each address of each authoritative server is asked for each host, without recursion, and agrees."""
    async with world(recursive((NAME, *DATA)), {NS1: zone(NAME, *DATA), NS2: zone(NAME, *DATA)}) as seen:
        found = await seen.zone()
        assert {entry for entry in seen.servers[NS1].asked if entry[0] == WWW} == {
            (WWW, "A", "udp"),
            (WWW, "AAAA", "udp"),
        }
    assert (found.apex, found.hosts, found.failure) == (NAME, (NAME, WWW), "")
    assert found.nameservers == ("ns1.example.com", "ns2.example.com")
    assert len(found.answers) == 4
    assert all(answer.a.authoritative and answer.a.records == ("192.0.2.1",) for answer in found.answers)
    assert all(answer.aaaa.status == "nodata" for answer in found.answers)
    assert (found.second_look, found.apex_cname, found.cname_with_other_data) == ((), "", {})


async def test_hosts_of_two_zones_make_two_zones() -> None:
    """A delegated subdomain is asked at its own servers."""
    shop = ("shop.example.com", "@ NS ns", f"ns A {NS2}", "@ A 192.0.2.7")
    servers = {NS1: zone(NAME, "@ NS ns1", f"ns1 A {NS1}", "@ A 192.0.2.1"), NS2: zone(*shop)}
    async with world(recursive((NAME, "@ NS ns1", f"ns1 A {NS1}", "@ A 192.0.2.1"), shop), servers) as seen:
        _, (zones, *_) = await seen.look({"name": NAME, "hosts": [NAME, "shop.example.com"]})
    assert [(entry.apex, entry.hosts) for entry in zones] == [
        (NAME, (NAME,)),
        ("shop.example.com", ("shop.example.com",)),
    ]
    assert told(zones[1], "shop.example.com") == {NS2: ("ok", ("192.0.2.7",))}


@pytest.mark.parametrize(
    ("second", "status", "authoritative"),
    [
        (rcode("REFUSED"), "refused", False),
        (rcode("SERVFAIL"), "servfail", False),
        (silent, "timeout", False),
        (not_authoritative(zone(NAME, *DATA)), "ok", False),
        (zone("com", "example NS elsewhere.test."), "nodata", False),
    ],
)
async def test_lame_server_is_seen(second: Answer, status: str, authoritative: bool) -> None:
    """A delegated server that refuses, fails, is silent, refers elsewhere or is not authoritative shows as such."""
    async with world(recursive((NAME, *DATA)), {NS1: zone(NAME, *DATA), NS2: second}) as seen:
        found = await seen.zone()
    lame = next(answer for answer in found.answers if answer.address == NS2)
    assert (lame.a.status, lame.a.authoritative) == (status, authoritative)
    assert told(found)[NS1] == ("ok", ("192.0.2.1",))
    assert found.second_look == ()


async def test_server_name_without_address_is_seen() -> None:
    """A delegation to a name that does not exist is lame by its name, and nothing is asked."""
    data = ("@ NS ns1", "@ NS gone", f"ns1 A {NS1}", "@ A 192.0.2.1")
    async with world(recursive((NAME, *data)), {NS1: zone(NAME, *data)}) as seen:
        found = await seen.zone()
    assert told(found)[""] == ("nxdomain", ())
    assert {answer.nameserver for answer in found.answers if not answer.address} == {"gone.example.com"}


async def test_nothing_is_sent_to_a_server_that_was_not_vetted() -> None:
    """A name server at an internal address is not asked, and the evidence says that it was not."""
    async with world(recursive((NAME, *DATA)), {NS1: zone(NAME, *DATA), NS2: zone(NAME, *DATA)}, allowed=()) as seen:
        found = await seen.zone()
        assert [server.asked for server in seen.servers.values()] == [[], []]
    assert {answer.a.status for answer in found.answers} == {"not_asked"}
    assert {answer.a.detail for answer in found.answers} == {"not vetted: Loopback"}
    assert "none of the zone's servers can be asked" in found.failure


async def test_servers_that_disagree_are_asked_twice() -> None:
    """Differing addresses lead to a second look at all servers, which shows them again."""
    other = zone(NAME, *DELEGATED, "@ A 192.0.2.1", "@ A 192.0.2.99", "www A 192.0.2.1")
    async with world(recursive((NAME, *DATA)), {NS1: zone(NAME, *DATA), NS2: other}) as seen:
        found = await seen.zone()
    assert told(found) == {NS1: ("ok", ("192.0.2.1",)), NS2: ("ok", ("192.0.2.1", "192.0.2.99"))}
    assert {(a.address, a.a.records) for a in found.second_look if a.host == NAME} == {
        (NS1, ("192.0.2.1",)),
        (NS2, ("192.0.2.1", "192.0.2.99")),
    }


def copy(serial: str, address: str) -> Answer:
    """Return a server's copy of the zone."""
    soa = f"@ SOA ns1 admin {serial} 3600 600 86400 60"
    return zone(NAME, soa, *DELEGATED, f"@ A {address}", "www A 192.0.2.1", soa=False)


async def test_servers_that_disagree_tell_their_version_of_the_zone() -> None:
    """The serial of each server's copy shows which one is old; a server that does not tell has none."""
    mute = when(lambda _, rdtype: rdtype == "SOA", rcode("REFUSED"), copy("8", "192.0.2.2"))
    for second, expected in ((copy("4294967295", "192.0.2.2"), {NS1: 7, NS2: 4294967295}), (mute, {NS1: 7})):
        async with world(recursive((NAME, *DATA)), {NS1: copy("7", "192.0.2.1"), NS2: second}) as seen:
            assert (await seen.zone()).serials == expected


async def test_servers_that_agree_are_not_asked_for_it() -> None:
    """A zone whose servers agree costs no further question."""
    async with world(recursive((NAME, *DATA)), {NS1: copy("7", "192.0.2.1"), NS2: copy("6", "192.0.2.1")}) as seen:
        assert (await seen.zone()).serials == {}
        assert "SOA" not in {rdtype for server in seen.servers.values() for _, rdtype, _ in server.asked}


async def test_slow_servers_are_not_asked_again_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second look that takes longer than the first one may is given up; the first one stands."""
    monkeypatch.setattr(nameservers, "SECOND_LOOK_SECONDS", 60)
    monkeypatch.setattr(nameservers, "DNS_ZONE_SECONDS", 1)
    data = recursive((NAME, *DATA))
    async with world(data, {NS1: copy("7", "192.0.2.1"), NS2: copy("8", "192.0.2.2")}) as seen:
        found = await seen.zone()
    assert told(found) == {NS1: ("ok", ("192.0.2.1",)), NS2: ("ok", ("192.0.2.2",))}
    assert (found.second_look, found.serials) == ((), {})


async def test_disagreement_that_heals_is_seen_to_heal() -> None:
    """A change that was only on its way has gone by the second look."""
    counter = itertools.count()
    old, new = zone(NAME, *DELEGATED, "@ A 192.0.2.1"), zone(NAME, *DELEGATED, "@ A 192.0.2.2")

    def late(query: dns.message.Message, transport: str) -> object:
        return (old if next(counter) < 2 else new)(query, transport)

    site = {"name": NAME, "hosts": [NAME]}
    async with world(recursive((NAME, *DELEGATED, "@ A 192.0.2.2")), {NS1: new, NS2: late}) as seen:  # type: ignore[dict-item]
        found = await seen.zone(site)
    assert told(found) == {NS1: ("ok", ("192.0.2.2",)), NS2: ("ok", ("192.0.2.1",))}
    assert {answer.a.records for answer in found.second_look} == {("192.0.2.2",)}


async def test_a_weighted_pool_gives_itself_away() -> None:
    """Two servers of a pool that answer alike twice by chance are asked until one of them says something else."""
    counter = itertools.count()
    left, right = zone(NAME, *DELEGATED, "@ A 192.0.2.1"), zone(NAME, *DELEGATED, "@ A 192.0.2.2")

    def weighted(query: dns.message.Message, transport: str) -> object:
        # Two questions a look: the first two looks show one address, the third the other, then the first again.
        return (left if 4 <= next(counter) < 6 else right)(query, transport)

    site = {"name": NAME, "hosts": [NAME]}
    data = recursive((NAME, *DELEGATED, "@ A 192.0.2.1"))
    async with world(data, {NS1: left, NS2: weighted}) as seen:  # type: ignore[dict-item]
        found = await seen.zone(site)
    assert len(found.second_look) == 2 * nameservers.SECOND_LOOK_ROUNDS
    assert {a.a.records for a in found.second_look if a.address == NS2} == {("192.0.2.1",), ("192.0.2.2",)}


async def test_silence_about_aaaa_does_not_hold_up_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a server never answers for AAAA, the IPv4 addresses are used after a short while."""
    monkeypatch.setattr(network_dns, "DNS_SECONDS", 2)
    monkeypatch.setattr(padlock_dns, "OTHER_FAMILY_SECONDS", 0.2)
    data = when(lambda _, rdtype: rdtype == "AAAA", silent, recursive((NAME, *DATA)))
    async with world(data) as seen:
        began = time.perf_counter()
        host = await resolve_host(seen.resolver, NAME)
        took = time.perf_counter() - began
    assert (host.a.records, host.aaaa.status) == (("192.0.2.1",), "timeout")
    assert took < 1


async def test_order_and_targets_data_are_no_disagreement() -> None:
    """Servers that list the same addresses in another order, or add the CNAME target's, agree."""
    one = zone(NAME, *DELEGATED, "@ A 192.0.2.1", "@ A 192.0.2.2", "www CNAME a", "a A 192.0.2.3")
    two = zone(NAME, *DELEGATED, "@ A 192.0.2.2", "@ A 192.0.2.1", "www CNAME a", "a A 192.0.2.4")
    data = recursive((NAME, *DELEGATED, "@ A 192.0.2.1", "www CNAME a", "a A 192.0.2.3"))
    async with world(data, {NS1: one, NS2: two}) as seen:
        assert (await seen.zone()).second_look == ()


async def test_forgotten_server_of_the_delegation_is_asked() -> None:
    """A server that only the zone above still names is asked too; its address comes with the referral."""
    own = ("@ NS ns1", f"ns1 A {NS1}", "@ A 192.0.2.1", "www A 192.0.2.1")
    servers = {PARENT: DELEGATION, NS1: zone(NAME, *own), NS2: rcode("REFUSED")}
    async with world(recursive((NAME, *own), COM), servers) as seen:
        found = await seen.zone()
    assert found.nameservers == ("ns1.example.com", "ns2.example.com")
    assert told(found) == {NS1: ("ok", ("192.0.2.1",)), NS2: ("refused", ())}


async def test_www_as_cname_belongs_to_its_own_zone() -> None:
    """A host that is a CNAME to another zone is asked at the servers of the zone that holds the CNAME."""
    own = (*DELEGATED, "@ A 192.0.2.1", "www CNAME cdn.test.")
    elsewhere = ("cdn.test", "@ NS ns.cdn.test.", "@ A 192.0.2.50")
    servers = {NS1: zone(NAME, *own), NS2: zone(NAME, *own)}
    async with world(recursive((NAME, *own), elsewhere), servers) as seen:
        found = await seen.zone()
    assert (found.apex, found.hosts, found.second_look) == (NAME, (NAME, WWW), ())
    assert {answer.a.cnames for answer in found.answers if answer.host == WWW} == {("cdn.test",)}
    assert found.cname_with_other_data == {}


async def test_cname_at_the_apex_is_found_below_the_resolver() -> None:
    """A CNAME at the apex hides the zone from the resolver; the delegation above still leads to the servers."""
    apex = (*DELEGATED, "@ CNAME cdn.test.", "www A 192.0.2.1")
    hiding = when(
        lambda name, rdtype: name == NAME and rdtype in ("NS", "SOA"),
        zone(NAME, "@ CNAME cdn.test."),
        zone(NAME, *apex),
    )
    answers = recursive((NAME, "@ CNAME cdn.test.", "www A 192.0.2.1", f"ns1 A {NS1}", f"ns2 A {NS2}"), COM)
    async with world(answers, {PARENT: DELEGATION, NS1: hiding, NS2: hiding}) as seen:
        found = await seen.zone({"name": NAME, "hosts": [NAME]})
    assert (found.apex, found.apex_cname) == (NAME, "cdn.test")
    assert found.nameservers == ("ns1.example.com", "ns2.example.com")


async def test_cname_beside_other_data_is_found() -> None:
    """Types that an authoritative server publishes beside a CNAME are named, at the apex too."""
    data = (*DELEGATED, "@ CNAME cdn.test.", "@ MX 10 mail", "www CNAME cdn.test.", "www TXT x")
    async with world(recursive((NAME, *data)), {NS1: zone(NAME, *data), NS2: zone(NAME, *data)}) as seen:
        found = await seen.zone({"name": NAME, "hosts": [NAME, WWW]})
        times = [Counter(server.asked) for server in seen.servers.values()]
    assert found.apex_cname == "cdn.test"
    assert found.cname_with_other_data == {NAME: ("MX", "NS", "SOA"), WWW: ("TXT",)}
    assert [max(each.values()) for each in times] == [1, 1], "no server is asked the same thing again"


async def test_flattened_apex_is_no_cname() -> None:
    """A provider that resolves an alias itself publishes plain addresses: nothing is wrong."""
    async with world(recursive((NAME, *DATA)), {NS1: zone(NAME, *DATA), NS2: zone(NAME, *DATA)}) as seen:
        found = await seen.zone()
    assert (found.apex_cname, found.cname_with_other_data) == ("", {})


async def test_cname_of_a_server_without_authority_does_not_count() -> None:
    """What a server says of a zone that it was never told of is no record of that zone."""
    stale = not_authoritative(zone(NAME, *DELEGATED, "@ CNAME cdn.test.", "www CNAME cdn.test.", "www TXT x"))
    async with world(recursive((NAME, *DATA)), {NS1: zone(NAME, *DATA), NS2: stale}) as seen:
        found = await seen.zone()
    assert (found.apex_cname, found.cname_with_other_data, found.second_look) == ("", {}, ())


async def test_broken_zone_is_found_through_its_delegation() -> None:
    """A zone that the resolver cannot resolve (SERVFAIL) is asked through the delegation's glue addresses."""
    failing = when(lambda name, _: name.endswith(NAME), rcode("SERVFAIL"), recursive(COM))
    servers = {PARENT: DELEGATION, NS1: rcode("REFUSED"), NS2: silent}
    async with world(failing, servers) as seen:
        found = await seen.zone({"name": NAME, "hosts": [NAME]})
    assert (found.apex, found.failure) == (NAME, "")
    assert told(found) == {NS1: ("refused", ()), NS2: ("timeout", ())}


async def test_unseen_delegation_is_no_zone() -> None:
    """Where neither the zone resolves nor the registry's server answers, its apex stays unknown."""
    failing = when(lambda name, _: name.endswith(NAME), rcode("SERVFAIL"), recursive(COM))
    async with world(failing, {PARENT: silent}) as seen:
        found = await seen.zone({"name": NAME, "hosts": [NAME]})
    assert (found.apex, found.nameservers, found.failure) == ("", (), "no name server of its zone could be found")


async def test_referral_upwards_is_no_delegation() -> None:
    """A server above that is itself lame, and refers back up, adds no servers to the zone."""
    servers = {PARENT: zone(".", "com NS x.test."), NS1: zone(NAME, *DATA)}
    async with world(recursive((NAME, *DATA), COM), servers) as seen:
        found = await seen.zone()
        assert (NAME, "NS", "udp") in seen.servers[PARENT].asked
    assert found.nameservers == ("ns1.example.com", "ns2.example.com")


async def test_name_that_nobody_registered_has_no_zone() -> None:
    """Where the registry denies the name, its servers are left alone."""
    async with world(recursive(COM), {PARENT: zone(*COM)}) as seen:
        found = await seen.zone({"name": NAME, "hosts": [NAME]})
        assert seen.servers[PARENT].asked == []
    assert (found.apex, found.hosts, found.answers) == ("", (NAME,), ())
    assert found.failure


async def test_absent_sibling_is_not_asked_for() -> None:
    """A derived sibling that does not exist costs no further questions."""
    data = (*DELEGATED, "@ A 192.0.2.1")
    servers = {NS1: zone(NAME, *data), NS2: zone(NAME, *data)}
    async with (
        serve(recursive((NAME, *data))) as public,
        world(recursive((NAME, *data)), servers, public=(public.endpoint,)) as seen,
    ):
        hosts, (zones, answers, *_) = await seen.look()
        others = [public, *seen.servers.values()]
        assert {name for server in others for name, *_ in server.asked} == {NAME}
        assert {rdtype for name, rdtype, _ in seen.resolving.asked if name == WWW} == {"A", "AAAA"}
    assert [host.exists for host in hosts] == [True, False]
    assert zones[0].hosts == (NAME,)
    assert [answer.host for answer in answers] == [NAME]


async def test_public_resolvers_are_compared() -> None:
    """Each public resolver's own answer for each host is kept, failures too."""
    async with (
        serve(recursive((NAME, "@ A 192.0.2.9"))) as one,
        serve(rcode("SERVFAIL", (6, ""))) as two,
        world(recursive((NAME, *DATA)), public=(one.endpoint, two.endpoint)) as seen,
    ):
        _, (_, public, *_) = await seen.look({"name": NAME, "hosts": [NAME]})
    assert [(entry.host, entry.a.status, entry.a.records) for entry in public] == [
        (NAME, "ok", ("192.0.2.9",)),
        (NAME, "servfail", ()),
    ]
    assert public[1].a.extended_error == "6 DNSSEC Bogus"


async def test_unreachable_public_resolvers_cost_one_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no public resolver answers, everything else is there after one timeout."""
    monkeypatch.setattr(network_dns, "DNS_SECONDS", 0.8)
    async with serve(silent) as one, serve(silent, "127.0.0.2") as two:
        data = {NS1: zone(NAME, *DATA), NS2: zone(NAME, *DATA)}
        async with world(recursive((NAME, *DATA)), data, public=(one.endpoint, two.endpoint)) as seen:
            started = time.monotonic()
            _, (zones, public, *_) = await seen.look()
            assert time.monotonic() - started < 1.5
    assert {entry.a.status for entry in public} == {"timeout"}
    assert len(zones[0].answers) == 4


async def test_wildcard_is_seen() -> None:
    """The addresses of a random name beside the www host are kept under the site's name."""
    async with world(recursive((NAME, *DATA, "* A 192.0.2.77"))) as seen:
        for name in (NAME, WWW):
            _, (_, _, wildcard, _) = await seen.look(name)
            assert wildcard == {name: ("192.0.2.77",)}
    async with world(recursive((NAME, *DATA))) as seen:
        _, (_, _, wildcard, _) = await seen.look()
        assert wildcard == {NAME: ()}


async def test_declared_targets_are_resolved() -> None:
    """Declared CNAME targets are looked up in both families; addresses and ranges are not looked up."""
    lb = ("lb.test", "@ A 192.0.2.5", "@ AAAA 2001:db8::5", "v6 AAAA 2001:db8::6")
    declared = ["192.0.2.1", "10.0.0.0/8", "2001:db8::/32", "lb.test", "v6.lb.test", "gone.lb.test"]
    async with world(recursive((NAME, *DATA), lb)) as seen:
        _, (*_, targets) = await seen.look({"name": NAME, "addresses": declared})
    assert {name: (target.status, target.records) for name, target in targets.items()} == {
        "lb.test": ("ok", ("192.0.2.5", "2001:db8::5")),
        "v6.lb.test": ("ok", ("2001:db8::6",)),
        "gone.lb.test": ("nxdomain", ()),
    }


@pytest.mark.parametrize("resolver", [silent, rcode("REFUSED")])
async def test_dead_resolver_yields_evidence_in_time(resolver: Answer) -> None:
    """With a resolver that never answers, everything ends as observations within bounds."""
    started = time.monotonic()
    async with world(resolver) as seen:
        hosts, (zones, _, wildcard, _) = await seen.look()
    assert [host.exists for host in hosts] == [False, False]
    assert zones[0].failure
    assert wildcard == {NAME: ()}
    assert time.monotonic() - started < 3


async def test_dropped_questions_do_not_hold_up_the_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that drops questions for NS records delays no address lookup."""
    monkeypatch.setattr(network_dns, "DNS_SECONDS", 2.0)
    dropping = when(lambda _, rdtype: rdtype == "NS", silent, recursive((NAME, *DATA)))
    async with world(dropping) as seen:
        started = time.monotonic()
        hosts = await seen.siblings()
        assert time.monotonic() - started < 1.5
    assert all(host.exists for host in hosts)


async def test_evidence_survives_json() -> None:
    """What was seen is equal after a round trip through JSON."""
    data = (*DATA, "* A 192.0.2.77")
    async with serve(rcode("SERVFAIL", (6, "x"))) as public:
        servers = {NS1: zone(NAME, *data), NS2: rcode("REFUSED")}
        async with world(recursive((NAME, *data)), servers, public=(public.endpoint,)) as seen:
            hosts, (zones, public_answers, wildcard, targets) = await seen.look(
                {"name": NAME, "addresses": "lb.test"}
            )
    gathered = ev.Dns(hosts, zones, public_answers, wildcard, targets)
    assert msgspec.json.decode(msgspec.json.encode(gathered), type=ev.Dns) == gathered
    assert gathered.targets["lb.test"].status == "nxdomain"


def test_vantage_point_names_its_resolvers() -> None:
    """The operator's resolvers are used where given, the system's otherwise."""
    assert resolver_of(Vantage(resolvers=(("192.0.2.53", 5353),))).endpoints == (("192.0.2.53", 5353),)
    assert isinstance(resolver_of(Vantage()), Resolver)
    assert resolver_of(Vantage()).endpoints
