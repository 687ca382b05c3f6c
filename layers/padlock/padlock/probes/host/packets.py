"""What a list of firewall rules does with a visitor's first packet, as far as that can be told.

The packet: TCP, a SYN, of no connection yet, from an address anywhere in the Internet, to port 80 or 443 of the host.
What depends on more than that (the interface, a mark, the clock) may or may not match, and both ways are followed.
"""

import ipaddress
from collections.abc import Callable, Iterable, Mapping
from enum import IntEnum
from typing import Literal

import msgspec

from padlock.evidence.host import Filter
from padlock.network.failure import printable

PORTS = (80, 443)
LARGEST = 500_000
"""Characters of one firewall's listing; the collector cuts each at 400,000 octets."""
LOOKS = 80_000
"""Rules, conditions and elements of sets that are looked at for one host: 0.4 s at most. A set of 10,000 addresses
takes a quarter of them, and 500 rules a tenth."""
ENDLESS = "there is too much in its rules and sets to follow"
DEPTH = 32
"""Of jumps; the kernel allows 16."""
EPHEMERAL = (32_768, 60_999)
"""Source ports that every usual client takes some of."""
_NOT_VISITORS = {
    version: [(int(block[0]), int(block[-1])) for block in map(ipaddress.ip_network, blocks)]
    for version, blocks in {
        4: ("127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4"),
        6: ("::1/128", "fe80::/10", "ff00::/8"),
    }.items()
}
"""IP version → first and last addresses, as numbers, of blocks that no visitor comes from."""
_WIDE = {4: 8, 6: 16}
"""A shorter prefix than this is too much of the Internet to be called some addresses."""
_INNER = (
    "lo",
    "docker",
    "br-",
    "veth",
    "virbr",
    "cni",
    "flannel",
    "cali",
    "tailscale",
    "wg",
    "tun",
    "tap",
    "lxc",
    "lxd",
)
"""Interfaces by which no visitor comes begin so."""


class Packet(msgspec.Struct, frozen=True):
    """A visitor's first packet."""

    port: int
    version: Literal[4, 6]

    def __str__(self) -> str:
        """Return it as the evidence names it: `443/tcp IPv4`."""
        return f"{self.port}/tcp IPv{self.version}"


class TooMuch(Exception):
    """What a host's firewalls hold would take too long to follow."""


class Looks(msgspec.Struct):
    """What may still be looked at of a host's firewalls, whatever refers to whatever in them."""

    left: int = LOOKS

    def take(self, number: int = 1) -> None:
        """Look at so many things more; TooMuch where that are too many."""
        self.left -= number
        if self.left < 0:
            raise TooMuch


PACKETS = tuple(Packet(port, version) for version in (4, 6) for port in PORTS)


class Match(IntEnum):
    """Whether a rule matches the packet. Of several conditions the least holds."""

    NO = 0
    FEW = 1
    """For some sources only, thus not for one from anywhere."""
    MAYBE = 2
    MOST = 3
    """For all but some sources."""
    YES = 4

    def negated(self) -> "Match":
        """Return what the opposite condition gives."""
        return Match(4 - self)


class Step(msgspec.Struct, frozen=True):
    """One rule, as it is for one packet."""

    match: Match
    verdict: str
    """accept, drop, reject, return, unclear, translate (it goes elsewhere), `jump CHAIN`, `goto CHAIN` or empty."""
    text: str = ""


class Chain(msgspec.Struct, frozen=True):
    """Rules for one packet; those of a base chain end with its policy."""

    steps: tuple[Step, ...]
    policy: str = ""
    name: str = ""
    """As the chain's tool takes it: `inet filter input`."""


class Fate(msgspec.Struct, frozen=True):
    """What may become of the packet."""

    verdicts: Mapping[str, str] = {}
    """Each verdict that is possible → the rule that gives it."""
    few: str = ""
    """The rule that lets some sources through where others are not; empty: none."""

    chain: str = ""
    """The base chain, as its tool takes it; empty: it has no place for a rule that lets visitors in."""

    @property
    def why(self) -> str:
        """What gives the verdicts."""
        return "; ".join(dict.fromkeys(self.verdicts.values()))

    @property
    def blocked(self) -> bool:
        """Nothing else than being dropped or rejected is possible."""
        return bool(self.verdicts) and self.verdicts.keys() <= {"drop", "reject"}

    @property
    def accepted(self) -> bool:
        """Nothing else than being accepted is possible."""
        return self.verdicts.keys() == {"accept"}


type Find = Callable[[str], Chain | None]


def followed(follow: Callable[[Packet], list[Fate]], packet: Packet) -> list[Fate]:
    """Return what becomes of a packet; that it cannot be told where following it would take too long."""
    try:
        return follow(packet)
    except TooMuch:
        return [Fate({"unclear": ENDLESS})]


def fate(base: Chain, find: Find) -> Fate:
    """Follow the packet through a base chain and the chains that it jumps to; each chain is walked once."""
    walked: dict[str, Fate] = {}
    found = _walk(base, find, walked, 0)
    verdicts = dict(found.verdicts)
    for end in ("return", "end"):
        if end in verdicts:
            del verdicts[end]
            verdicts.setdefault(base.policy or "accept", f"policy {base.policy or 'accept'} of {base.name}")
    return Fate(verdicts, found.few, base.name)


def _walk(chain: Chain, find: Find, walked: dict[str, Fate], depth: int) -> Fate:
    verdicts: dict[str, str] = {}
    few = ""
    for step in chain.steps:
        if step.match is Match.NO or not step.verdict:
            continue
        way, _, target = step.verdict.partition(" ")
        inner = _enter(target, find, walked, depth) if target else Fate({way: step.text})
        if step.match is Match.FEW:
            few = few or (step.text if "accept" in inner.verdicts else inner.few)
            continue
        few = few or inner.few
        if step.match is Match.MOST and "accept" not in inner.verdicts:
            few = few or step.text
        left = "end" in inner.verdicts or "return" in inner.verdicts
        for verdict, text in inner.verdicts.items():
            if not target or verdict not in ("end", "return"):
                verdicts.setdefault(verdict, text)
        if way == "goto" and left:
            verdicts.setdefault("end", step.text)
        if step.match is not Match.MAYBE and not (way == "jump" and left):
            return Fate(verdicts, few)
    return Fate({**verdicts, "end": ""}, few)


def _enter(target: str, find: Find, walked: dict[str, Fate], depth: int) -> Fate:
    if target not in walked:
        unclear = Fate({"unclear": target, "end": ""})
        walked[target] = unclear  # stands while the chain is walked: a loop ends here
        chain = find(target) if depth < DEPTH else None
        walked[target] = _walk(chain, find, walked, depth + 1) if chain else unclear
    return walked[target]


def conjunction(matches: Iterable[Match]) -> Match:
    """Return what all conditions together give."""
    return min(matches, default=Match.YES)


def disjunction(matches: Iterable[Match]) -> Match:
    """Return what any of the conditions gives."""
    return max(matches, default=Match.NO)


def source(written: str, packet: Packet) -> Match:
    """Return whether a visitor's address is in a network."""
    network = _network(written)
    if network is None:
        return Match.MAYBE
    if network.version != packet.version:
        return Match.NO
    if network.prefixlen == 0:
        return Match.YES
    first, last = int(network.network_address), int(network.broadcast_address)
    if any(begin <= first and last <= end for begin, end in _NOT_VISITORS[network.version]):
        return Match.NO
    return Match.MAYBE if network.prefixlen < _WIDE[network.version] else Match.FEW


def destination(written: str, packet: Packet) -> Match:
    """Return whether the host's public address is in a network; which addresses it has is not known."""
    network = _network(written)
    if network is None:
        return Match.MAYBE
    if network.version != packet.version:
        return Match.NO
    known = Match.YES if network.prefixlen == 0 else source(written, packet)
    return known if known in (Match.YES, Match.NO) else Match.MAYBE


def interface(name: str) -> Match:
    """Return whether a visitor comes in by an interface, `eth0` or with a pattern's end `eth+`, `eth*`."""
    return Match.NO if name.startswith(_INNER) else Match.YES if name in ("+", "*") else Match.MAYBE


def ports(first: int, last: int, packet: Packet) -> Match:
    """Return whether the packet goes to one of these ports."""
    return Match.YES if first <= packet.port <= last else Match.NO


def source_ports(first: int, last: int) -> Match:
    """Return whether the packet comes from one of these ports; a client takes a high one."""
    if first <= EPHEMERAL[0] and last >= EPHEMERAL[1]:
        return Match.YES
    return Match.NO if last < 1_024 else Match.MAYBE


type Kind = Literal["ufw", "nftables", "iptables", "security group", "network acl"]


def judged(kind: Kind, fates: Mapping[Packet, list[Fate]], active: bool) -> Filter:
    """Return the evidence of one firewall: the packet goes through all of its base chains."""
    blocked: dict[str, str] = {}
    restricted: dict[str, str] = {}
    untold: dict[str, str] = {}
    chains: dict[str, str] = {}
    allowed = []
    for packet, ways in fates.items():
        stopped = [way for way in ways if way.blocked]
        closed = [way for way in stopped if not way.few]
        if any("translate" in way.verdicts for way in ways):
            continue  # where it goes then, to a container or another port, other rules decide
        if len(stopped) == 1 and stopped[0].chain:
            chains[str(packet)] = stopped[0].chain
        if closed:
            blocked[str(packet)] = closed[0].why
        elif stopped:
            words = dict.fromkeys((stopped[0].few, stopped[0].why))
            restricted[str(packet)] = f"only for some sources: {'; '.join(words)}"
        elif all(way.accepted for way in ways):
            allowed.append(str(packet))
        elif nowhere := [way for way in ways if way.verdicts.keys() == {"unclear"}]:
            untold[str(packet)] = nowhere[0].why
    return Filter(
        kind=kind,
        active=active,
        blocked=tuple(blocked),
        allowed=tuple(allowed),
        detail={packet: printable(text, 500) for packet, text in (blocked | restricted | untold).items()},
        chains=chains,
        restricted=tuple(restricted),
    )


def _network(written: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    kind = ipaddress.IPv6Network if ":" in written else ipaddress.IPv4Network
    try:
        return kind(written, strict=False)
    except ValueError:
        return None
