"""Security groups and network ACLs, in the shapes of EC2's answers."""

from typing import Any

import pytest
from padlock.probes.host.cloud import filters_of

WEB = ("80/tcp IPv4", "443/tcp IPv4", "80/tcp IPv6", "443/tcp IPv6")
ANY: dict[str, Any] = {"IpRanges": [{"CidrIp": "0.0.0.0/0"}], "Ipv6Ranges": [{"CidrIpv6": "::/0"}]}


def permission(first: int, last: int, protocol: str = "tcp", **sources: Any) -> dict[str, Any]:
    """Return an inbound rule as DescribeSecurityGroups has it."""
    empty: dict[str, Any] = {"IpRanges": [], "Ipv6Ranges": [], "PrefixListIds": [], "UserIdGroupPairs": []}
    return {"IpProtocol": protocol, "FromPort": first, "ToPort": last, **empty, **sources}


def group(name: str, *permissions: dict[str, Any]) -> dict[str, Any]:
    """Return a security group, with the outbound rule that each has at first."""
    out = {"IpProtocol": "-1", **ANY, "PrefixListIds": [], "UserIdGroupPairs": []}
    return {"GroupId": name, "GroupName": name, "IpPermissions": list(permissions), "IpPermissionsEgress": [out]}


def entry(number: int, action: str = "allow", *, egress: bool = False, **fields: Any) -> dict[str, Any]:
    """Return a rule as DescribeNetworkAcls has it, by default for everything."""
    network = {} if "Ipv6CidrBlock" in fields else {"CidrBlock": "0.0.0.0/0"}
    return {"Egress": egress, "Protocol": "-1", "RuleAction": action, "RuleNumber": number, **network, **fields}


def acl(*entries: dict[str, Any]) -> dict[str, Any]:
    """Return a network ACL; every one ends with the rule that denies the rest."""
    last = [
        entry(32767, "deny", egress=way, **network)
        for way in (True, False)
        for network in ({}, {"Ipv6CidrBlock": "::/0"})
    ]
    return {"NetworkAclId": "acl-0a1", "IsDefault": False, "Entries": [*entries, *last]}


def tcp(first: int, last: int) -> dict[str, Any]:
    """Return an ACL rule's protocol and ports."""
    return {"Protocol": "6", "PortRange": {"From": first, "To": last}}


OPEN = (entry(100), entry(100, egress=True))


@pytest.mark.parametrize(
    ("groups", "blocked", "restricted"),
    [
        ([group("sg-1", permission(80, 80, **ANY), permission(443, 443, **ANY))], (), ()),
        ([group("sg-1", permission(80, 80, **ANY)), group("sg-2", permission(443, 443, **ANY))], (), ()),
        ([group("sg-1", {"IpProtocol": "-1", **ANY})], (), ()),
        ([group("sg-1", permission(0, 65535, **ANY))], (), ()),
        ([group("sg-1", permission(22, 22, **ANY))], WEB, ()),
        ([group("sg-1")], WEB, ()),
        ([group("sg-1", permission(80, 443, "udp", **ANY))], WEB, ()),
        ([group("sg-1", permission(-1, -1, "icmp", **ANY))], WEB, ()),
        ([group("sg-1", permission(80, 443, IpRanges=[{"CidrIp": "0.0.0.0/0"}]))], WEB[2:], ()),
        (
            [group("sg-1", permission(80, 443, IpRanges=[{"CidrIp": "0.0.0.0/1"}, {"CidrIp": "128.0.0.0/1"}]))],
            WEB[2:],
            (),
        ),
        ([group("sg-1", permission(80, 443, IpRanges=[{"CidrIp": "203.0.113.0/24"}]))], WEB[2:], WEB[:2]),
        ([group("sg-1", permission(80, 443, UserIdGroupPairs=[{"GroupId": "sg-9", "UserId": "1"}]))], (), WEB),
        ([group("sg-1", permission(80, 443, PrefixListIds=[{"PrefixListId": "pl-1"}]))], (), WEB),
    ],
)
def test_security_groups(groups: list[dict[str, Any]], blocked: tuple[str, ...], restricted: tuple[str, ...]) -> None:
    """All groups of an instance add up; a rule for a balancer's group or one network is none for everybody."""
    (found,) = filters_of(groups, [])
    assert (found.kind, set(found.blocked), set(found.restricted)) == (
        "security group",
        set(blocked),
        set(restricted),
    )
    assert set(found.allowed) == set(WEB) - {*blocked, *restricted}


def test_security_groups_are_named() -> None:
    """With what is missing, for a person who opens the port."""
    (found,) = filters_of([group("sg-1"), group("sg-2")], [])
    assert found.name == "sg-1, sg-2"
    assert found.detail["443/tcp IPv4"] == "no inbound rule of sg-1, sg-2 lets it in"


@pytest.mark.parametrize(
    ("entries", "blocked"),
    [
        ((*OPEN, entry(101, Ipv6CidrBlock="::/0"), entry(101, egress=True, Ipv6CidrBlock="::/0")), ()),
        (OPEN, WEB[2:]),
        ((*OPEN, entry(90, "deny", **tcp(443, 443))), (WEB[1], *WEB[2:])),
        ((*OPEN, entry(110, "deny", **tcp(443, 443))), WEB[2:]),
        ((*OPEN, entry(90, "deny", CidrBlock="198.51.100.0/24")), WEB[2:]),
        (
            (entry(100, **tcp(80, 80)), entry(101, **tcp(443, 443)), entry(100, egress=True, **tcp(1024, 65535))),
            WEB[2:],
        ),
        ((entry(100, **tcp(80, 443)), entry(100, egress=True, **tcp(32768, 65535))), WEB[2:]),
        ((entry(100), entry(100, egress=True, **tcp(80, 443))), WEB),
        ((entry(100, **tcp(22, 22)), entry(100, egress=True)), WEB),
        ((entry(100),), WEB),
        ((), WEB),
    ],
)
def test_network_acls(entries: tuple[dict[str, Any], ...], blocked: tuple[str, ...]) -> None:
    """The lowest number that matches decides, in each direction; the answers need the clients' ports."""
    (found,) = filters_of([], [acl(*entries)])
    assert (found.kind, found.name) == ("network acl", "acl-0a1")
    assert set(found.blocked) == set(blocked)
    assert set(found.allowed) == set(WEB) - set(blocked)


def test_answers_to_some_ports_only() -> None:
    """A client may take any high port: where only some may be answered, nothing is concluded."""
    (found,) = filters_of([], [acl(entry(100), entry(100, egress=True, **tcp(49152, 65535)))], ipv6=False)
    assert (found.blocked, found.allowed) == ((), ())


def test_an_acl_names_the_rule() -> None:
    """By its number, or `*` as the console has it, and its direction."""
    (found,) = filters_of([], [acl(entry(100, **tcp(22, 443)))], ipv6=False)
    assert found.detail["443/tcp IPv4"] == "outbound rule *: deny 0.0.0.0/0"


def test_an_instance_without_ipv6() -> None:
    """What it has no address for is not judged."""
    group_filter, acl_filter = filters_of([group("sg-1")], [acl()], ipv6=False)
    assert group_filter.blocked == acl_filter.blocked == WEB[:2]


def test_nothing_to_judge() -> None:
    """A machine without groups and ACLs has no filter of the cloud's."""
    assert filters_of([], []) == ()
