"""`nft -j list ruleset` → what becomes of a visitor's first packet (checklist step 3).

Source: libnftables-json(5); nft(8) for the hooks' order.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from padlock.network.failure import printable
from padlock.probes.host.nft_match import Sets, condition, element, met
from padlock.probes.host.packets import LARGEST, Chain, Fate, Looks, Match, Packet, Step, fate

_RULES = 20_000
_HOOKS = {"ingress": 0, "prerouting": 1, "input": 2}
_FAMILIES = {"ip": (4,), "ip6": (6,), "inet": (4, 6), "netdev": (4, 6)}
_FINAL = {
    "accept": "accept",
    "drop": "drop",
    "reject": "reject",
    "return": "return",
    "continue": "",
    "queue": "unclear",
}
_FINAL |= dict.fromkeys(("dnat", "redirect", "tproxy", "fwd"), "translate") | {"synproxy": "unclear"}
_COMPATIBLE = ("filter", "mangle", "nat", "raw", "security")
"""Tables that iptables keeps in nftables: iptables-save tells them better."""
_SHOWN = 8
"""Looks that one rule takes which is written out for a person."""

type _Key = tuple[str, str, str]
type _Rule = Mapping[str, Any]


class Ruleset(msgspec.Struct):
    """What nft listed: each object under family, table and name."""

    looks: Looks
    chains: dict[_Key, _Rule] = {}
    rules: dict[_Key, list[Any]] = {}
    tables: dict[tuple[str, str], Sets] = {}
    """Of a family and a table: its sets and maps."""
    dormant: set[tuple[str, str]] = set()

    def bases(self, version: int) -> list[_Key]:
        """Return the chains that a packet to this host meets first, in their order."""
        found = [
            (_HOOKS[chain["hook"]], _priority(chain), key) for key, chain in self.chains.items() if _is_base(chain)
        ]
        kept = [place for place in found if version in _FAMILIES[place[2][0]] and place[2][:2] not in self.dormant]
        return [key for _, _, key in sorted(kept)]

    @property
    def active(self) -> bool:
        """Whether anything is there that could stop a packet on its way in."""
        bases = {key for version in (4, 6) for key in self.bases(version)}
        return any(self.rules.get(key) or self.chains[key].get("policy") == "drop" for key in bases)


def parse(listed: str, kept_by_iptables: Mapping[str, Collection[str]], looks: Looks) -> Ruleset | None:
    """Return the rule set, without tables that iptables keeps there (family → tables); None where it is none."""
    line = next((line for line in listed.split("\n") if line.startswith("{")), "")
    if not line or len(listed) > LARGEST:
        return Ruleset(looks) if not listed.strip() else None
    try:
        objects = msgspec.json.decode(line)["nftables"]
    except (msgspec.MsgspecError, RecursionError, KeyError, TypeError):
        return None
    if not isinstance(objects, list) or len(objects) > _RULES:
        return None
    ruleset = Ruleset(looks)
    for kind, body in (pair for entry in objects if isinstance(entry, dict) for pair in entry.items()):
        if isinstance(body, dict) and not _elsewhere(kind, body, kept_by_iptables):
            _add(ruleset, kind, body)
    return ruleset


def fates(ruleset: Ruleset, packet: Packet) -> list[Fate]:
    """Return what each base chain does with a packet, in the order in which it passes them; TooMuch: see Looks."""
    return [_fate(ruleset, key, packet) for key in ruleset.bases(packet.version)]


def _elsewhere(kind: str, body: Mapping[str, Any], kept_by_iptables: Mapping[str, Collection[str]]) -> bool:
    family, table = _text(body.get("family")), _text(body.get("name" if kind == "table" else "table"))
    return table in _COMPATIBLE and table in kept_by_iptables.get(family, ())


def _add(ruleset: Ruleset, kind: str, body: Mapping[str, Any]) -> None:
    family, table, name = (_text(body.get(field)) for field in ("family", "table", "name"))
    match kind, body:
        case "table", {"flags": flags} if "dormant" in (flags if isinstance(flags, list) else [flags]):
            ruleset.dormant.add((family, name))
        case "chain", _:
            ruleset.chains[family, table, name] = body
        case "rule", {"chain": str(chain), "expr": list(expressions)}:
            ruleset.rules.setdefault((family, table, chain), []).append(expressions)
        case (("set" | "map"), _):
            elements = body.get("elem", [])
            sets = ruleset.tables.setdefault((family, table), Sets(ruleset.looks))
            sets.named[name] = elements if isinstance(elements, list) else []


def _is_base(chain: Mapping[str, Any]) -> bool:
    return _text(chain.get("hook")) in _HOOKS and _text(chain.get("family")) in _FAMILIES


def _priority(chain: Mapping[str, Any]) -> int:
    priority = chain.get("prio")
    return priority if isinstance(priority, int) else 0


def _fate(ruleset: Ruleset, base: _Key, packet: Packet) -> Fate:
    family, table, _ = base

    def find(name: str) -> Chain | None:
        key = (family, table, name)
        if key not in ruleset.chains:
            return None
        policy = "drop" if ruleset.chains[key].get("policy") == "drop" else "accept"
        return Chain(_steps(ruleset, key, packet), policy, printable(" ".join(key)))

    ruleset.looks.take(_SHOWN)
    found = fate(find(base[2]) or Chain(()), find)
    chain = ruleset.chains[base]
    if chain.get("hook") == "ingress":  # of one device, which may not be the visitors'
        found = Fate({"accept": "", **found.verdicts}, found.few)
    return found if chain.get("hook") == "input" else msgspec.structs.replace(found, chain="")


def _steps(ruleset: Ruleset, key: _Key, packet: Packet) -> tuple[Step, ...]:
    """Return what a chain's rules are for a packet, but those that repeat an earlier one in vain."""
    sets = ruleset.tables.get(key[:2]) or Sets(ruleset.looks)
    steps: dict[tuple[Match, str], Step] = {}
    ruleset.looks.take()
    for expressions in ruleset.rules.get(key, ()):
        for way in _ways(expressions, packet, sets):
            if way[0] is not Match.NO and way[1] and way not in steps:
                ruleset.looks.take(_SHOWN)
                steps[way] = Step(*way, printable(f"{' '.join(key)}: {_shown(expressions)}", 300))
    return tuple(steps.values())


def _ways(expressions: Sequence[Any], packet: Packet, sets: Sets) -> Iterator[tuple[Match, str]]:
    """Yield what one rule is for a packet: a match and a verdict, and such of each entry of a verdict map in it."""
    held, verdict = Match.YES, ""
    for expression in expressions:
        sets.looks.take()
        match expression:
            case {"vmap": {"key": left, "data": data}}:
                for value, reached in _entries(data, sets):
                    sets.looks.take()
                    yield min(held, met(left, "==", value, packet, sets)), _verdict(reached)
            case {"match": {"op": str(op), "left": left, "right": right}}:
                held = min(held, met(left, op, right, packet, sets))
            case dict():
                found = _verdict(expression)
                held = held if found else min(held, condition(expression))
                verdict = found or verdict
            case _:
                held = min(held, Match.MAYBE)
        if held is Match.NO:
            return
    yield held, verdict


def _entries(data: Any, sets: Sets) -> Iterator[tuple[Any, Mapping[str, Any]]]:
    """Yield value and verdict of each entry of a verdict map."""
    match data:
        case str(name):
            entries = sets.named.get(name.removeprefix("@"), [])
        case {"set": list(entries)}:
            pass
        case _:
            entries = []
    for entry in entries:
        match entry:
            case [value, dict(verdict)]:
                yield element(value), verdict


def _verdict(expression: Mapping[str, Any]) -> str:
    match expression:
        case {"jump": {"target": str(target)}}:
            return f"jump {target}"
        case {"goto": {"target": str(target)}}:
            return f"goto {target}"
        case {"xt": {"type": "target", "name": str(name)}}:
            return "translate" if name in ("DNAT", "REDIRECT", "TPROXY") else "" if name == "LOG" else "unclear"
    return next((_FINAL[name] for name in expression if name in _FINAL), "")


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _shown(expressions: Sequence[Any]) -> str:
    """Return a rule in few words, for a person: its matches' values and its verdict."""
    words = []
    for expression in expressions[:12]:
        match expression:
            case {
                "match": {
                    "left": {"payload": {"protocol": str(protocol), "field": str(field)}},
                    "op": str(op),
                    "right": right,
                }
            }:
                words.append(f"{protocol} {field} {'' if op == '==' else f'{op} '}{_value(right)}")
            case {
                "match": {
                    "left": ({"meta": {"key": str(field)}} | {"ct": {"key": str(field)}}),
                    "op": str(op),
                    "right": right,
                }
            }:
                words.append(f"{field} {'' if op in ('==', 'in') else f'{op} '}{_value(right)}")
            case {"jump": {"target": str(target)}} | {"goto": {"target": str(target)}}:
                words.append(f"{next(iter(expression))} {target}")
            case {"vmap": {"key": {"payload": {"protocol": str(protocol), "field": str(field)}}}}:
                words.append(f"{protocol} {field} vmap")
            case dict() if not expression.keys() & {"counter", "log"}:
                words += list(expression)[:1]
    return " ".join(words)[:250]


def _value(right: Any) -> str:
    match right:
        case {"set": list(values)}:
            return f"{{ {', '.join(_single(value) for value in values[:8])} }}"
        case list():
            return ",".join(_single(value) for value in right[:8])
    return _single(right)


def _single(value: Any) -> str:
    match value:
        case {"prefix": {"addr": str(address), "len": int(length)}}:
            return f"{address[:60]}/{length}"
        case {"range": [str() | int() as first, str() | int() as last]}:
            return f"{first}-{last}"[:120]
        case str() | int():
            return str(value)[:60]
    return "…"
