"""EC2's security groups and network ACLs → what becomes of a visitor's first packet (checklist step 3).

Pure: what EC2's DescribeSecurityGroups and DescribeNetworkAcls answered comes in. Source: the EC2 API reference; the
VPC guide: the rules of all groups of an instance add up and know connections; an ACL's rules are taken by number, the
first that matches counts, and the answers need a rule of their own.
"""

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from padlock.evidence.host import Filter
from padlock.network.failure import printable
from padlock.probes.host.packets import (
    PACKETS,
    Chain,
    Fate,
    Kind,
    Match,
    Packet,
    Step,
    conjunction,
    fate,
    judged,
    ports,
    source,
    source_ports,
)

_TCP = ("-1", "6", "tcp")


def filters_of(
    groups: Sequence[Mapping[str, Any]], acls: Sequence[Mapping[str, Any]], *, ipv6: bool = True
) -> tuple[Filter, ...]:
    """Return one filter for all groups of an instance, and one for each ACL of its subnets.

    Groups and ACLs are as boto3 gives them; `ipv6`: the instance has an address of that family.
    """
    packets = [packet for packet in PACKETS if ipv6 or packet.version == 4]
    together = [_groups(groups, packets)] if groups else []
    return (*together, *(_acl(acl, packets) for acl in acls))


def _groups(groups: Sequence[Mapping[str, Any]], packets: Sequence[Packet]) -> Filter:
    names = ", ".join(str(group.get("GroupId", "")) for group in groups)
    closed = Step(Match.YES, "drop", f"no inbound rule of {names} lets it in")

    def chain(packet: Packet) -> Chain:
        permissions = (permission for group in groups for permission in group.get("IpPermissions", ()))
        return Chain((*(_permission(permission, packet) for permission in permissions), closed))

    return _filter("security group", names, {packet: [_fate(chain(packet))] for packet in packets})


def _permission(permission: Mapping[str, Any], packet: Packet) -> Step:
    """Return what an inbound rule is for a packet."""
    aimed = _protocol(permission.get("IpProtocol"))
    if permission.get("IpProtocol") != "-1" and aimed is Match.YES:
        aimed = ports(permission.get("FromPort", 0), permission.get("ToPort", 65_535), packet)
    sources = [*_ranges(permission, packet)]
    others = [str(pair.get("GroupId")) for pair in permission.get("UserIdGroupPairs", ())]
    others += [str(listed.get("PrefixListId")) for listed in permission.get("PrefixListIds", ())]
    met = max([*(source(network, packet) for network in sources), *(Match.FEW for _ in others)], default=Match.NO)
    return Step(conjunction([aimed, met]), "accept", f"from {', '.join([*sources, *others][:5])}")


def _ranges(permission: Mapping[str, Any], packet: Packet) -> Iterator[str]:
    """Yield the networks of one family, put together: two halves are the whole Internet."""
    if packet.version == 4:
        written = [str(entry.get("CidrIp")) for entry in permission.get("IpRanges", ())]
        yield from map(
            str, ipaddress.collapse_addresses(ipaddress.IPv4Network(each, strict=False) for each in written)
        )
    else:
        written = [str(entry.get("CidrIpv6")) for entry in permission.get("Ipv6Ranges", ())]
        yield from map(
            str, ipaddress.collapse_addresses(ipaddress.IPv6Network(each, strict=False) for each in written)
        )


def _acl(acl: Mapping[str, Any], packets: Sequence[Packet]) -> Filter:
    name = str(acl.get("NetworkAclId", ""))
    entries = sorted(acl.get("Entries", ()), key=lambda entry: int(entry["RuleNumber"]))

    def chain(packet: Packet, egress: bool) -> Chain:
        mine = (entry for entry in entries if bool(entry.get("Egress")) is egress)
        return Chain(tuple(_entry(entry, packet) for entry in mine), "drop", name)

    fates = {packet: [_fate(chain(packet, False)), _fate(chain(packet, True))] for packet in packets}
    return _filter("network acl", name, fates)


def _entry(entry: Mapping[str, Any], packet: Packet) -> Step:
    """Return what an ACL's rule is for a packet; an outbound one is asked of the answer to a client's port."""
    egress = bool(entry.get("Egress"))
    network = entry.get("CidrBlock" if packet.version == 4 else "Ipv6CidrBlock")
    conditions = [source(str(network), packet) if network else Match.NO, _protocol(entry.get("Protocol"))]
    if "PortRange" in entry and conditions[1] is Match.YES and entry.get("Protocol") != "-1":
        first, last = entry["PortRange"]["From"], entry["PortRange"]["To"]
        conditions.append(_answers(first, last) if egress else ports(first, last, packet))
    way, number = "outbound" if egress else "inbound", entry["RuleNumber"]
    shown = "*" if number == 32_767 else number  # as the console writes it: what no numbered rule matched
    verdict = "accept" if entry.get("RuleAction") == "allow" else "drop"
    return Step(conjunction(conditions), verdict, f"{way} rule {shown}: {entry.get('RuleAction')} {network}")


def _answers(first: int, last: int) -> Match:
    """Return whether the answers go to one of these ports."""
    return Match.NO if last < 1_024 else source_ports(first, last)


def _protocol(written: object) -> Match:
    return Match.YES if str(written) in _TCP else Match.NO


def _fate(chain: Chain) -> Fate:
    return fate(chain, lambda _: None)


def _filter(kind: Kind, name: str, fates: Mapping[Packet, list[Fate]]) -> Filter:
    found = judged(kind, fates, active=True)
    return msgspec.structs.replace(found, name=printable(name, 200), chains={})
