"""firewall.blocked: firewalls that keep visitors out, and those that do no harm (checklist step 3)."""

from datetime import timedelta
from typing import Any

import pytest
from padlock import evidence as ev
from padlock.evidence import Evidence, Filter, Ran

from tests.evidence_builder import (
    ADDRESS_6,
    NOW,
    change,
    fires,
    healthy,
    outcomes,
    report,
    silent,
    unassessed,
    with_address,
    with_port,
)
from tests.host_builder import with_audit

BLOCKED = "firewall.blocked"
ALL = tuple(f"{port}/tcp IPv{version}" for port in (80, 443) for version in (4, 6))
DEFAULT = "no rule for port 443, and the default is deny (incoming)"


def blocking(kind: Any, *entries: str, why: str = "", chain: str = "", **fields: Any) -> Filter:
    """Return a firewall that blocks these entries and lets the others in."""
    return Filter(
        kind,
        blocked=entries,
        allowed=tuple(entry for entry in ALL if entry not in entries),
        detail=dict.fromkeys(entries, why) if why else {},
        chains=dict.fromkeys(entries, chain) if chain else {},
        **fields,
    )


def closed(*filters: Filter, scheme: str = "https", kind: ev.FailureKind = "timeout", **fields: Any) -> Evidence:
    """Return the site with these firewalls, of which one scheme's port is closed to visitors."""
    return with_audit(with_port(healthy(), scheme, kind), filters=filters, **fields)


def test_a_machine_that_lets_visitors_in() -> None:
    """Ufw with both ports allowed, no firewall, one that is switched off."""
    silent("firewall.blocked", with_audit(healthy()))
    silent(BLOCKED, with_audit(healthy(), filters=()))
    silent(BLOCKED, closed(Filter("ufw", active=False)))


def test_ufw_without_443() -> None:
    """The default is quoted, and one line opens both kinds of addresses."""
    found = fires("firewall.blocked", closed(blocking("ufw", "443/tcp IPv4", "443/tcp IPv6", why=DEFAULT)))
    assert found.subject == "example.com on web-1"
    assert found.observed == f'ufw blocks 443/tcp IPv4 ("{DEFAULT}")'
    assert found.commands == ("ufw allow 443/tcp",)
    assert "`sudo ufw allow 443/tcp`" in found.remediation
    assert found.severity == "error"


def test_ufw_with_a_rule_against_it() -> None:
    """A rule that stands before it would still win: the new one comes first."""
    found = fires(BLOCKED, closed(blocking("ufw", "443/tcp IPv4", why="80,443/tcp DENY IN Anywhere")))
    assert found.commands == ("ufw allow 443/tcp", "ufw delete allow 443/tcp", "ufw prepend allow 443/tcp")


def test_both_ports() -> None:
    """Each has its line, in order."""
    site = with_port(with_port(healthy(), "https", "timeout"), "http", "timeout")
    found = fires(BLOCKED, with_audit(site, filters=(blocking("ufw", *ALL, why=DEFAULT),)))
    assert found.commands == ("ufw allow 80/tcp", "ufw allow 443/tcp")
    assert found.expected == "80/tcp and 443/tcp open for everybody"


@pytest.mark.parametrize(
    ("filters", "commands"),
    [
        (
            [blocking("nftables", "443/tcp IPv4", chain="inet filter input")],
            ("nft insert rule inet filter input tcp dport 443 accept",),
        ),
        ([blocking("nftables", "443/tcp IPv4")], ()),
        ([blocking("nftables", "443/tcp IPv4", chain="inet filter input; reboot")], ()),
        (
            [blocking("nftables", "443/tcp IPv4", chain="inet firewalld filter_INPUT")],
            ("firewall-cmd --permanent --add-port=443/tcp", "firewall-cmd --add-port=443/tcp"),
        ),
        (
            [blocking("iptables", "443/tcp IPv4", chain="INPUT")],
            ("iptables -I INPUT -p tcp --dport 443 -j ACCEPT",),
        ),
        (
            [blocking("ufw", "443/tcp IPv4", why=DEFAULT), blocking("iptables", "443/tcp IPv4", chain="INPUT")],
            ("ufw allow 443/tcp",),
        ),
        (
            [
                blocking("iptables", "443/tcp IPv4", chain="INPUT"),
                blocking("nftables", "443/tcp IPv4", chain="inet own input"),
            ],
            (
                "iptables -I INPUT -p tcp --dport 443 -j ACCEPT",
                "nft insert rule inet own input tcp dport 443 accept",
            ),
        ),
    ],
    ids=["nftables", "several chains", "hostile", "firewalld", "iptables", "ufw and its rules", "two firewalls"],
)
def test_commands_of_each_firewall(filters: list[Filter], commands: tuple[str, ...]) -> None:
    """What opens the port on that machine; nothing where no single line does."""
    assert fires(BLOCKED, closed(*filters)).commands == commands


def test_security_group_and_network_acl() -> None:
    """They are opened with somebody's credentials, not on the machine: words, no commands."""
    filters = (
        blocking("security group", "443/tcp IPv4", name="sg-0a1b2c3d"),
        blocking("network acl", "443/tcp IPv4", name="acl-0a1b2c3d", why="rule 90 denies"),
    )
    found = fires(BLOCKED, closed(*filters))
    assert found.commands == ()
    assert "security group sg-0a1b2c3d blocks 443/tcp IPv4" in found.observed
    assert "authorize-security-group-ingress --group-id sg-0a1b2c3d" in found.remediation
    assert "create-network-acl-entry --network-acl-id acl-0a1b2c3d" in found.remediation


def test_open_from_outside() -> None:
    """A load balancer stands in front, and the machine's group lets in nobody else: as it should be."""
    group = blocking("security group", "80/tcp IPv4", "443/tcp IPv4", name="sg-1")
    silent(BLOCKED, with_audit(healthy(), filters=(group,)))


def test_port_80_closed_on_purpose() -> None:
    """The declaration says so; 443 is still asked for."""
    site = with_port(healthy({"name": "example.com", "ports": {"http": "closed"}}), "http", "timeout")
    silent(BLOCKED, with_audit(site, filters=(blocking("ufw", "80/tcp IPv4", "80/tcp IPv6", why=DEFAULT),)))
    both = with_port(site, "https", "timeout")
    assert fires(BLOCKED, with_audit(both, filters=(blocking("ufw", *ALL),))).commands == ("ufw allow 443/tcp",)


def test_other_ports() -> None:
    """Of 8080 and 8443 the collector tells nothing."""
    site = healthy({"name": "example.com", "ports": {"http": 8080, "https": 8443}})
    assert outcomes(BLOCKED, with_audit(site, filters=(blocking("ufw", *ALL),))) == []


def test_ipv6_counts_where_it_is_published() -> None:
    """Without AAAA nobody comes that way; with one it is a warning while nobody could look, then an error."""
    ufw = blocking("ufw", "80/tcp IPv6", "443/tcp IPv6", why="the default is deny (incoming)")
    silent(BLOCKED, with_audit(healthy(), filters=(ufw,)))
    published = with_address(healthy())
    silent(BLOCKED, with_audit(published, filters=(ufw,)))
    unseen = [change(s, failure=ev.Failure("no_route")) if ":" in s.address else s for s in published.ports or ()]
    assert fires(BLOCKED, with_audit(change(published, ports=tuple(unseen)), filters=(ufw,))).severity == "warning"
    failed = {"failure": ev.Failure("timeout"), "confirmed": True}
    dead = [change(s, **failed) if s.address == ADDRESS_6 else s for s in published.ports or ()]
    assert fires(BLOCKED, with_audit(change(published, ports=tuple(dead)), filters=(ufw,))).severity == "error"


def test_nobody_saw_the_port_from_outside() -> None:
    """Without a look from outside the machine's word is enough."""
    fires(BLOCKED, with_audit(change(healthy(), ports=()), filters=(blocking("ufw", "443/tcp IPv4"),)))


def test_open_for_some_sources_only() -> None:
    """An office or a network in front may be meant: it counts where visitors find the port closed."""
    some = Filter(
        "ufw", restricted=("443/tcp IPv4",), allowed=("80/tcp IPv4",), detail={"443/tcp IPv4": "only for x"}
    )
    assert '"only for x"' in fires(BLOCKED, closed(some)).observed
    silent(BLOCKED, with_audit(healthy(), filters=(some,)))
    assert "443/tcp IPv4" in unassessed(BLOCKED, with_audit(change(healthy(), ports=()), filters=(some,)))


def test_rules_that_could_not_be_understood() -> None:
    """Neither blocked nor allowed: not known, which leaves step 3 to what shows from outside."""
    seen = closed(Filter("nftables"))
    assert "nftables (443/tcp IPv4)" in unassessed(BLOCKED, seen)
    seen = closed(Filter("nftables", detail=dict.fromkeys(ALL, "too much")))
    assert 'nftables (443/tcp IPv4: "too much")' in unassessed(BLOCKED, seen)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"filters": None}, "could not be read"),
        ({"sections": {"nftables": Ran("nft list ruleset", 124)}}, "ran out"),
        ({"root": False, "filters": ()}, "root"),
        ({"fault": "gone"}, "gone"),
        ({"collected_at": NOW - timedelta(days=4)}, "4 days old"),
    ],
    ids=["none", "timeout", "not root", "failed", "stale"],
)
def test_the_firewalls_could_not_be_read(fields: dict[str, Any], reason: str) -> None:
    """What is open from outside still passes step 3."""
    seen = with_audit(healthy(), **fields)
    assert reason in unassessed(BLOCKED, seen)
    assert next(row for row in report(seen).checklist if row.step == 3).status == "pass"
