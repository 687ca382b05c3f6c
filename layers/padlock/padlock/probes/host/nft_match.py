"""One condition of nft's JSON → whether a visitor's first packet meets it. What is not known may or may not hold.

Source: libnftables-json(5).
"""

import operator
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from padlock.probes.host.packets import (
    Looks,
    Match,
    Packet,
    destination,
    interface,
    ports,
    source,
    source_ports,
)

_ORDERED: Mapping[str, Callable[[int, int], bool]] = {
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
}
_NEUTRAL = frozenset(
    ("counter", "log", "comment", "mangle", "notrack", "ct helper", "ct timeout", "secmark", "flow", "dup")
)
"""Statements that leave the packet on its way."""
_FLAGS = 32
"""Names and groups of names in one list of TCP's eight flags; nft writes twice as many as there are flags."""
_PROTOCOLS = ("tcp", 6)
_OTHERS = ("udp", "icmp", "icmpv6", "sctp", "dccp", "udplite", "esp", "ah", "comp", "igmp", "gre", "arp")


type _Asked = tuple[str, str, int]


class Sets(msgspec.Struct):
    """The named sets and maps of one table, and what was looked at of them."""

    looks: Looks
    named: dict[str, list[Any]] = {}
    answers: dict[_Asked, Match] = {}
    """Name of a set, field, the packet's IP version or port → whether the field is in it: it is gone through once."""


def met(left: Any, op: str, right: Any, packet: Packet, sets: Sets) -> Match:
    """Return whether a comparison holds for the packet; sets are those of its table. TooMuch: see Looks."""
    if _absent(left, packet):
        return Match.NO  # a condition on what the packet does not have fails, whichever way it is asked
    if op in _ORDERED:
        return _ordered(left, op, right, packet)
    if op not in ("==", "!=", "in", "!"):
        return Match.MAYBE
    found = _flags(left, op, right)
    if found is None:
        found = _in_named(left, right[1:], packet, sets) if _is_name(right) else _in(left, right, packet, sets.looks)
    return found.negated() if op in ("!=", "!") else found


def condition(statement: Mapping[str, Any]) -> Match:
    """Return whether a statement that is no comparison lets the packet go on along its rule."""
    match statement:
        case {"limit": {"inv": True}} | {"ct count": {"inv": True}} | {"quota": _}:
            return Match.MAYBE if "quota" in statement else Match.NO
        case {"limit": _} | {"ct count": _}:
            return Match.YES
        case {"meter": {"stmt": {"meter": _} | {"set": _}}}:
            return Match.MAYBE
        case {"meter": {"stmt": dict(inner)}}:
            return condition(inner)
        case {"set": {"stmt": list(inner)}}:
            several = [each for each in inner if isinstance(each, dict)]
            nested = any(each.keys() & {"meter", "set"} for each in several)
            return Match.MAYBE if nested else min(map(condition, several), default=Match.YES)
        case {"set": _} | {"map": _}:
            return Match.YES
        case {"xt": {"type": "match", "name": "comment"}} | {"xt": {"type": "target", "name": "LOG"}}:
            return Match.YES
    return Match.YES if statement.keys() <= _NEUTRAL else Match.MAYBE


def element(value: Any) -> Any:
    """Return the value of a set's element, which may carry a timeout or a comment."""
    match value:
        case {"elem": {"val": inner}}:
            return inner
    return value


def _is_name(right: Any) -> bool:
    return isinstance(right, str) and right.startswith("@")


def _in_named(left: Any, name: str, packet: Packet, sets: Sets) -> Match:
    """Return whether a field of the packet is in a named set, of which many rules may ask the same."""
    if name not in sets.named:
        return Match.MAYBE
    match left:
        case {"payload": {"protocol": "ip" | "ip6", "field": ("saddr" | "daddr") as field}}:
            asked: _Asked = (name, field, packet.version)
        case {"payload": {"protocol": "tcp" | "th", "field": ("sport" | "dport") as field}}:
            asked = (name, field, packet.port)
        case _:
            return _in(left, sets.named[name], packet, sets.looks)
    if asked not in sets.answers:
        sets.answers[asked] = _in(left, sets.named[name], packet, sets.looks)
    return sets.answers[asked]


def _in(left: Any, right: Any, packet: Packet, looks: Looks) -> Match:
    """Return whether a field of the packet is a value, or one of several."""
    match right:
        case {"set": list(values)}:
            pass
        case list(values):
            pass
        case _:
            values = [right]
    found = Match.NO
    for value in values:
        looks.take()
        found = max(found, _equal(left, element(value), packet))
        if found is Match.YES:
            break
    return found


def _absent(left: Any, packet: Packet) -> bool:
    """Return whether the packet has no such field: of the other IP version, of another protocol."""
    match left:
        case {"payload": {"protocol": "ip"}}:
            return packet.version == 6
        case {"payload": {"protocol": "ip6"}}:
            return packet.version == 4
        case {"payload": {"protocol": str(protocol)}}:
            return protocol in _OTHERS
    return False


def _equal(left: Any, value: Any, packet: Packet) -> Match:
    """Return whether a field of the packet is a value."""
    match left, value:
        case {"payload": {"protocol": "tcp" | "th", "field": "dport"}}, _:
            bounds = _bounds(value)
            return ports(*bounds, packet) if bounds else Match.MAYBE
        case {"payload": {"protocol": "tcp" | "th", "field": "sport"}}, _:
            bounds = _bounds(value)
            return source_ports(*bounds) if bounds else Match.MAYBE
        case {"payload": {"protocol": "ip" | "ip6", "field": "saddr"}}, _:
            return _address(value, packet, source)
        case {"payload": {"protocol": "ip" | "ip6", "field": "daddr"}}, _:
            return _address(value, packet, destination)
        case {"payload": {"field": "protocol" | "nexthdr"}}, (str() | int()):
            return _whether(value in _PROTOCOLS)
        case (({"meta": {"key": str(key)}} | {"ct": {"key": str(key)}}), (str() | int())):
            return _known(key, value, packet)
        case {"fib": {"result": str(result), "flags": [str(field), *_]}}, _:
            return _routed(result, field, value)
    return Match.MAYBE


def _known(key: str, value: str | int, packet: Packet) -> Match:
    """Return whether what the kernel knows of the packet (nft's meta and ct) is a value."""
    facts: Mapping[str, tuple[str | int, ...]] = {
        "l4proto": _PROTOCOLS,
        "nfproto": (f"ipv{packet.version}",),
        "protocol": ("ip" if packet.version == 4 else "ip6",),
        "pkttype": ("host", "unicast"),
        "state": ("new",),
        "direction": ("original",),
    }
    if key in facts:
        return _whether(value in facts[key])
    if key in ("iif", "iifname") and isinstance(value, str):
        return interface(value)
    return Match.NO if key == "status" and value in ("dnat", "snat", "assured", "seen-reply") else Match.MAYBE


def _routed(result: str, field: str, value: Any) -> Match:
    """Return whether the routing table says so of the packet's destination, or of the way back to its source."""
    match result, field, value:
        case "type", "daddr", str():
            return _whether(value == "local")
        case "type", "saddr", str():
            return _whether(value == "unicast")
        case "oif", "saddr", bool():
            return _whether(value)
    return Match.MAYBE


def _whether(fact: bool) -> Match:
    return Match.YES if fact else Match.NO


def _bounds(value: Any) -> tuple[int, int] | None:
    match value:
        case bool():
            return None
        case int(port):
            return port, port
        case {"range": [int(first), int(last)]}:
            return first, last
    return None


def _address(value: Any, packet: Packet, judge: Callable[[str, Packet], Match]) -> Match:
    match value:
        case str(address):
            return judge(address, packet)
        case {"prefix": {"addr": str(address), "len": int(length)}}:
            return judge(f"{address}/{length}", packet)
        case {"range": [str(first), str(last)]}:
            return min(judge(first, packet), judge(last, packet))
    return Match.MAYBE


def _ordered(left: Any, op: str, right: Any, packet: Packet) -> Match:
    match left, right:
        case {"payload": {"protocol": "tcp" | "th", "field": "dport"}}, int(port):
            return _whether(_ORDERED[op](packet.port, port))
    return Match.MAYBE


def _flags(left: Any, op: str, right: Any) -> Match | None:
    """Return whether the flags of the packet, of which only SYN is set, are those; None: it is not about flags."""
    match left:
        case {"payload": {"protocol": "tcp", "field": "flags"}}:
            wanted = _words(right)
            return _whether(wanted == {"syn"} or (op in ("in", "!") and "syn" in wanted))
        case {"&": [{"payload": {"protocol": "tcp", "field": "flags"}}, mask]}:
            return _whether(_words(right) == {"syn"} & _words(mask))
    return None


def _words(flags: Any) -> set[str]:
    """Return the names of flags, however they are put together; nothing for 0."""
    names, left = set(), [flags]
    for _ in range(_FLAGS):
        match left.pop() if left else None:
            case str(name):
                names.add(name)
            case list(several) | {"|": list(several)}:
                left += several[:_FLAGS]
    return names
