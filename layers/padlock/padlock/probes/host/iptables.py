"""`iptables-save` and `ip6tables-save` → what becomes of a visitor's first packet (checklist step 3).

Source: iptables-extensions(8); netfilter's order of the tables at prerouting and input.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from padlock.probes.host.packets import (
    ENDLESS,
    LARGEST,
    Chain,
    Fate,
    Looks,
    Match,
    Packet,
    Step,
    destination,
    disjunction,
    fate,
    interface,
    ports,
    source,
    source_ports,
)

_RULES = 20_000
_LINE = 4_000
_WORDS = 200
"""Of one rule."""
_WORD = re.compile(r'"(?:[^"\\]|\\.)*"|\S+')
_ORDER = (
    ("raw", "PREROUTING"),
    ("mangle", "PREROUTING"),
    ("nat", "PREROUTING"),
    ("mangle", "INPUT"),
    ("filter", "INPUT"),
    ("security", "INPUT"),
)
_FINAL = {"ACCEPT": "accept", "DROP": "drop", "REJECT": "reject", "RETURN": "return", "TARPIT": "drop"}
_FINAL |= dict.fromkeys(("DNAT", "REDIRECT", "NETMAP", "TPROXY"), "translate")
_PASSING = {
    *(
        "AUDIT",
        "CHECKSUM",
        "CLASSIFY",
        "CONNMARK",
        "CONNSECMARK",
        "CT",
        "DSCP",
        "ECN",
        "HL",
        "HMARK",
        "IDLETIMER",
        "LED",
    ),
    *("LOG", "MARK", "NFLOG", "NOTRACK", "RATEEST", "SECMARK", "SET", "TCPMSS", "TCPOPTSTRIP", "TEE", "TOS", "TRACE"),
    *("TTL", "ULOG"),
}
"""Targets after which the next rule is looked at."""
_PLAIN = {
    *(
        "addrtype",
        "comment",
        "conntrack",
        "connlimit",
        "geoip",
        "hashlimit",
        "iprange",
        "limit",
        "multiport",
        "pkttype",
    ),
    *("recent", "set", "state", "tcp"),
}
"""Modules of which every condition stands in the options; the mere name of another is a condition not known here."""
_OTHERS = {"udp", "icmp", "icmp6", "sctp", "dccp", "ah", "esp", "dst", "frag", "hbh", "ipv6header", "mh", "rt"}
"""Modules for packets of other protocols, or with headers that a visitor's first one does not have."""
_IGNORED = {"--comment": 1, "--limit": 1, "--limit-burst": 1, "--connlimit-mask": 1, "--set": 0, "--rsource": 0}
_IGNORED |= {"--rdest": 0, "--rttl": 0, "--name": 1, "--mask": 1, "--seconds": 1, "--hitcount": 1, "--reap": 0}
_IGNORED |= {"--connlimit-upto": 1, "--connlimit-saddr": 0, "--connlimit-daddr": 0, "--hashlimit-upto": 1}
_IGNORED |= {f"--hashlimit-{word}": 1 for word in ("name", "burst", "mode", "srcmask", "dstmask")}
_IGNORED |= {f"--hashlimit-htable-{word}": 1 for word in ("size", "max", "expire", "gcinterval")}
"""Options that the first packet of a visitor always meets → number of their values."""
_EXCESS = {"--update": 0, "--rcheck": 0, "--remove": 0, "--connlimit-above": 1, "--hashlimit-above": 1, "-f": 0}
"""Options that it never meets: they are for those who come too often, and for fragments."""


class Table(msgspec.Struct):
    """One table as it was saved."""

    policies: dict[str, str] = {}
    rules: dict[str, list[tuple[str, ...]]] = {}


class Tables(msgspec.Struct, frozen=True):
    """What one of the two commands saved."""

    version: Literal[4, 6]
    found: Mapping[str, Table]
    whole: bool
    """False: there were more rules, or longer ones, than are kept, and what they do cannot be told."""

    @property
    def active(self) -> bool:
        """Whether anything is there that could stop a packet on its way in."""
        chains = ((self.found[table], chain) for table, chain in _ORDER if table in self.found)
        return not self.whole or any(
            table.rules.get(chain) or table.policies.get(chain, "ACCEPT") != "ACCEPT" for table, chain in chains
        )


def parse(saved: str, version: Literal[4, 6]) -> Tables:
    """Return the tables of a save; lines that are none of it are left out."""
    tables: dict[str, Table] = {}
    if len(saved) > LARGEST:
        return Tables(version, tables, whole=False)
    table, count, whole = Table(), 0, True
    for line in saved.split("\n"):
        if line.startswith("*"):
            table = tables.setdefault(line[1:].strip(), Table())
        elif line.startswith(":"):
            name, _, rest = line[1:].partition(" ")
            table.policies[name] = rest.partition(" ")[0]
        elif line.startswith("-A "):
            count += 1
            whole = whole and count <= _RULES and len(line) <= _LINE
            words = _WORD.findall(line[:_LINE])[1:]
            whole = whole and len(words) <= _WORDS
            if words:
                table.rules.setdefault(words[0], []).append(tuple(words[1:]))
        if not whole:
            break
    return Tables(version, tables, whole)


def fates(tables: Tables, packet: Packet, looks: Looks) -> list[Fate]:
    """Return what each base chain does with a packet, in the order in which it passes them; TooMuch: see Looks."""
    if not tables.whole:
        return [Fate({"unclear": ENDLESS})]
    return [_fate(table, tables.found[table], name, packet, looks) for table, name in _ORDER if table in tables.found]


def _fate(table_name: str, table: Table, name: str, packet: Packet, looks: Looks) -> Fate:
    def find(chain: str) -> Chain | None:
        looks.take()
        if chain not in table.policies and chain not in table.rules:
            return None
        steps = tuple(_step(words, packet, table, looks) for words in table.rules.get(chain, ()))
        return Chain(steps, table.policies.get(chain, "ACCEPT").lower(), chain)

    found = fate(find(name) or Chain((), "accept", name), find)
    return found if table_name == "filter" else msgspec.structs.replace(found, chain="")


def _step(words: Sequence[str], packet: Packet, table: Table, looks: Looks) -> Step:
    """Return what one rule is for a packet."""
    held, verdict = Match.YES, ""
    rest = list(words)
    looks.take()
    while rest:
        negated = rest[0] == "!" and len(rest) > 1
        option = rest[1] if negated else rest[0]
        del rest[: 1 + negated]
        if option in ("-j", "-g"):
            verdict = _verdict(option, rest[0] if rest else "", table)
            break
        count = _count(option, rest)
        values = [word.strip('"') for word in rest[:count]]
        looks.take(1 + sum(value.count(",") for value in values))
        met = _met(option, values, packet)
        held = min(held, met.negated() if negated else met)
        if held is Match.NO:
            return Step(held, "")
        del rest[:count]
    return Step(held, verdict, " ".join(words))


def _verdict(option: str, target: str, table: Table) -> str:
    if target in table.policies and target not in _FINAL:
        return f"{'goto' if option == '-g' else 'jump'} {target}"
    return _FINAL.get(target, "" if target in _PASSING else "unclear")


def _count(option: str, rest: Sequence[str]) -> int:
    """Return how many of the words that follow belong to an option."""
    if option in _IGNORED:
        return _IGNORED[option]
    if option in _EXCESS:
        return _EXCESS[option]
    if option == "--syn":
        return 0
    if option in ("--tcp-flags", "--match-set"):
        return 2
    if option in _ONE or option == "-m":
        return 1
    return next((index for index, word in enumerate(rest) if word.startswith("-") or word == "!"), len(rest))


def _met(option: str, values: Sequence[str], packet: Packet) -> Match:
    """Return whether the packet meets one condition."""
    if option in _IGNORED or option == "--syn":
        return Match.YES
    if option in _EXCESS:
        return Match.NO
    value = values[0] if values else ""
    if option == "-m":
        return Match.YES if value in _PLAIN else Match.NO if value in _OTHERS else Match.MAYBE
    if option == "--tcp-flags" and len(values) == 2:
        return _flags(*values)
    if option == "--match-set" and len(values) == 2:
        return Match.FEW if values[1].startswith("src") else Match.MAYBE
    return _ONE[option](value, packet) if option in _ONE else Match.MAYBE


def _flags(mask: str, compared: str) -> Match:
    seen = {"SYN"} & (set(mask.split(",")) | ({"SYN"} if mask == "ALL" else set()))
    return Match.YES if seen == set(compared.split(",")) - {"NONE"} else Match.NO


def _protocol(value: str, _: Packet) -> Match:
    return Match.YES if value in ("tcp", "6", "all", "0") else Match.NO


def _ranges(value: str, packet: Packet) -> Match:
    return disjunction(_range(part, packet) for part in value.split(","))


def _range(part: str, packet: Packet) -> Match:
    bounds = _bounds(part)
    return ports(*bounds, packet) if bounds else Match.MAYBE


def _sources(value: str, _: Packet) -> Match:
    bounds = [_bounds(part) for part in value.split(",")]
    return disjunction(source_ports(*both) if both else Match.MAYBE for both in bounds)


def _bounds(part: str) -> tuple[int, int] | None:
    found = re.fullmatch(r"(\d{0,5})(:?)(\d{0,5})", part, re.ASCII)
    if found is None or not part.strip(":"):
        return None
    first = int(found[1] or 0)
    return first, int(found[3] or 65_535) if found[2] else first


def _state(value: str, _: Packet) -> Match:
    return Match.YES if "NEW" in value.split(",") else Match.NO


def _destination_type(value: str, _: Packet) -> Match:
    return Match.YES if value in ("LOCAL", "UNICAST") else Match.NO


def _source_type(value: str, _: Packet) -> Match:
    return Match.YES if value == "UNICAST" else Match.NO


def _packet_type(value: str, _: Packet) -> Match:
    return Match.YES if value == "unicast" else Match.NO


def _some(_: str, __: Packet) -> Match:
    return Match.FEW


_ONE = {
    "-p": _protocol,
    "-s": source,
    "-d": destination,
    "-i": lambda value, _: interface(value),
    "--dport": _ranges,
    "--dports": _ranges,
    "--ports": _ranges,
    "--sport": _sources,
    "--sports": _sources,
    "--ctstate": _state,
    "--state": _state,
    "--dst-type": _destination_type,
    "--src-type": _source_type,
    "--pkt-type": _packet_type,
    "--src-range": _some,
    "--src-cc": _some,
    "--source-country": _some,
}
"""Options of one value → what the packet is to them."""
