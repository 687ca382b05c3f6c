"""Published addresses: declared ones, public ones, and IPv6 that works."""

from collections.abc import Sequence

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
    silent,
    unassessed,
    with_address,
    with_host,
    with_zone,
)

APEX, WWW, STALE = "example.com", "www.example.com", "93.184.216.200"
TARGET = "lb.example.net"


def declared(*addresses: str, target: Sequence[str] = ()) -> ev.Evidence:
    """Return a healthy site with declared addresses, and the addresses that its declared target has."""
    evidence = healthy({"name": APEX, "hosts": [APEX, WWW], "addresses": list(addresses)})
    assert evidence.dns
    looks = {name: lookup(name, "A", *target) for name in addresses if name == TARGET}
    return change(evidence, dns=change(evidence.dns, targets=looks))


def publishing(evidence: ev.Evidence, *addresses: str, cnames: tuple[str, ...] = ()) -> ev.Evidence:
    """Return the evidence with the apex's A records replaced."""
    return with_host(evidence, APEX, a=lookup(APEX, "A", *addresses, cnames=cnames))


def test_unexpected_address_beside_the_right_one() -> None:
    """One right address does not excuse a stale one: sets are compared, and only the stale one is named as odd."""
    finding = fires("dns.unexpected_address", publishing(declared(ADDRESS), ADDRESS, STALE))
    assert (finding.severity, finding.subject) == (Severity.ERROR, APEX)
    assert finding.observed == f"publishes {STALE} beside {ADDRESS}"


def test_unexpected_address_is_one_finding() -> None:
    """A wrong address in the right one's place is not told a second time as a missing one."""
    evidence = publishing(declared(ADDRESS), STALE)
    fires("dns.unexpected_address", evidence)
    assert "dns.missing_address" not in codes(evidence)


@pytest.mark.parametrize(
    "addresses", [[ADDRESS], ["93.184.215.0/24"], ["93.184.0.0/16", "2606:2800::/32"], [ADDRESS, TARGET]]
)
def test_expected_addresses(addresses: list[str]) -> None:
    """A declared address, a range around it, and a target that the host follows are right."""
    silent("dns.unexpected_address", declared(*addresses))


def test_unexpected_ipv6_address() -> None:
    """An AAAA record beside a declaration of IPv4 only is as odd as any other."""
    assert ADDRESS_6 in fires("dns.unexpected_address", with_address(declared(ADDRESS))).observed


def test_followed_target_may_rotate() -> None:
    """A host whose aliases lead through the declared target is right, whatever addresses stand at the end."""
    evidence = with_host(declared(TARGET, target=["18.1.1.1"]), WWW, a=lookup(WWW, "A", STALE, cnames=(TARGET,)))
    silent("dns.unexpected_address", with_host(evidence, APEX, a=lookup(APEX, "A", "18.1.1.9")))


def test_flattened_target_elsewhere_is_a_warning() -> None:
    """A flattened alias with values far from the target's may be another region: a warning, no error."""
    evidence = declared(TARGET, target=["18.1.1.1"])
    assert fires("dns.unexpected_address", evidence).severity is Severity.WARNING


def test_target_that_cannot_be_looked_up() -> None:
    """Without the target's addresses there is nothing to compare with."""
    assert TARGET in unassessed("dns.unexpected_address", declared(TARGET))


def test_nothing_declared() -> None:
    """Without declared addresses any address is fine."""
    silent("dns.unexpected_address", publishing(healthy(), STALE))
    silent("dns.missing_address", publishing(healthy(), STALE))


def test_missing_address() -> None:
    """A declared address that a host does not publish is named, for each host."""
    finding = fires("dns.missing_address", with_address(declared(ADDRESS, ADDRESS_6)))
    assert (finding.subject, finding.expected) == (WWW, f"{ADDRESS_6} as well")


def test_no_missing_address() -> None:
    """Every declared address is published, in whatever spelling; a range need not be filled."""
    both = with_address(with_address(declared(ADDRESS, ADDRESS_6)), host=WWW)
    silent("dns.missing_address", both)
    spelled = with_host(both, APEX, aaaa=lookup(APEX, "AAAA", ADDRESS_6.upper()))
    silent("dns.missing_address", spelled)
    silent("dns.missing_address", declared(ADDRESS, "93.184.216.0/24"))


@pytest.mark.parametrize(("records", "fields"), [((), {"status": "servfail"}), (("2606:2800::9",), {"count": 100})])
def test_missing_address_unknown(records: tuple[str, ...], fields: dict[str, object]) -> None:
    """A failed AAAA lookup, or more records than are kept, does not show that an address is missing."""
    evidence = declared(ADDRESS, ADDRESS_6, "2606:2800::/64")
    for host in (APEX, WWW):
        evidence = with_host(evidence, host, aaaa=lookup(host, "AAAA", *records, **fields))
    assert ADDRESS_6 in unassessed("dns.missing_address", evidence)


@pytest.mark.parametrize(
    ("address", "block"),
    [("10.0.0.5", "Private-Use"), ("127.0.0.1", "Loopback"), ("100.64.0.1", "Shared Address Space")],
)
def test_reserved_address(address: str, block: str) -> None:
    """A special address is named with its block, and is not told as unexpected too."""
    evidence = publishing(with_host(declared(ADDRESS), APEX, refused={address: block}), ADDRESS, address)
    assert fires("dns.reserved_address", evidence).observed == f"publishes {address} ({block})"
    assert "dns.unexpected_address" not in codes(evidence)


def test_no_reserved_address() -> None:
    """Public addresses, and private ones that site and operator allow, are fine."""
    silent("dns.reserved_address", healthy())
    silent("dns.reserved_address", publishing(healthy({"name": APEX, "networks": ["10.0.0.0/8"]}), "10.0.0.5"))


def test_reserved_address_declared_but_not_allowed() -> None:
    """A private network that the site declares is no fault of the site: the operator has to allow it."""
    evidence = healthy({"name": APEX, "networks": ["10.0.0.0/8"]})
    private = publishing(with_host(evidence, APEX, refused={"10.0.0.5": "Private-Use"}), "10.0.0.5")
    assert "operator" in unassessed("dns.reserved_address", private)


def with_ipv6_ports(
    kind: ev.FailureKind, schemes: tuple[str, ...] = ("http", "https"), **fields: object
) -> ev.Evidence:
    """Return a site with IPv6 whose ports fail that way over IPv6 only."""
    evidence = with_address(healthy())
    failed = {"failure": ev.Failure(kind), "confirmed": True, **fields}
    states = tuple(
        change(s, **failed) if ":" in s.address and s.scheme in schemes else s for s in evidence.ports or ()
    )
    return change(evidence, ports=states)


@pytest.mark.parametrize(("kind", "said"), [("refused", "nothing listens"), ("timeout", "firewall")])
def test_ipv6_broken(kind: ev.FailureKind, said: str) -> None:
    """IPv6 that fails where IPv4 works is one error, and the port itself is not told as closed."""
    evidence = with_ipv6_ports(kind)
    finding = fires("dns.ipv6_broken", evidence)
    assert (finding.severity, finding.subject) == (Severity.ERROR, APEX)
    assert said in finding.observed
    assert not {"port.https_closed", "port.http_closed"} & set(codes(evidence))


def test_ipv6_broken_on_port_80_only() -> None:
    """Where only plain HTTP fails over IPv6, visitors of HTTPS are served: a warning."""
    assert fires("dns.ipv6_broken", with_ipv6_ports("refused", ("http",))).severity is Severity.WARNING


def test_ipv6_not_broken() -> None:
    """No IPv6 at all, and IPv6 that works, are fine; a machine that is dead on both is a closed port."""
    silent("dns.ipv6_broken", healthy())
    silent("dns.ipv6_broken", with_address(healthy()))
    dead = with_ipv6_ports("timeout")
    states = tuple(change(s, failure=ev.Failure("timeout"), confirmed=True) for s in dead.ports or ())
    silent("dns.ipv6_broken", change(dead, ports=states))
    fires("port.https_closed", change(dead, ports=states))


@pytest.mark.parametrize(
    ("kind", "confirmed", "said"), [("no_route", True, "no route"), ("timeout", False, "seen once only")]
)
def test_ipv6_not_assessed(kind: ev.FailureKind, *, confirmed: bool, said: str) -> None:
    """A vantage point without IPv6, and a single time-out, say nothing; the checklist's step stays closed."""
    evidence = with_ipv6_ports(kind, confirmed=confirmed)
    assert said in unassessed("dns.ipv6_broken", evidence)
    assert not {"port.https_closed", "port.http_closed"} & set(codes(evidence))


@pytest.mark.parametrize(("address", "deaf"), [("2001:503:ba3e::2:30", True), ("2606:2800:21f:1::53", False)])
def test_ipv6_of_a_vantage_point_that_hears_nothing(address: str, *, deaf: bool) -> None:
    """A route that leads nowhere: where name servers elsewhere are silent over IPv6 too, nothing is known.

    Name servers in the site's own network share its fate and prove nothing.
    """
    evidence = with_ipv6_ports("timeout")
    assert evidence.dns
    zone = evidence.dns.zones[0]
    silent_6 = tuple(
        change(answer, address=f"{address}{number}", a=change(answer.a, status="timeout", records=()))
        for number, answer in enumerate(zone.answers)
    )
    seen = with_zone(evidence, answers=(*zone.answers, *silent_6))
    if deaf:
        assert "from here either" in unassessed("dns.ipv6_broken", seen)
        assert not {"port.https_closed", "port.http_closed"} & set(codes(seen))
        return
    fires("dns.ipv6_broken", seen)
