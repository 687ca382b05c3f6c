"""`ufw status verbose` → what becomes of a visitor's first packet (checklist step 3).

The first rule that matches counts. Source: ufw(8); ufw's get_status() in backend_iptables.py.
"""

import re
from collections.abc import Iterable

import msgspec

from padlock.evidence.host import Filter
from padlock.probes.host.packets import (
    PACKETS,
    Chain,
    Fate,
    Looks,
    Match,
    Packet,
    Step,
    conjunction,
    fate,
    followed,
    interface,
    judged,
    ports,
    source,
)

_ACTION = re.compile(r"\s(ALLOW|DENY|REJECT|LIMIT) IN\s")
_NOTE = re.compile(r"\([^()]*\)")
_POLICY = re.compile(r"^Default: (allow|deny|reject) \(incoming\)", re.MULTILINE)
_VERDICTS = {"ALLOW": "accept", "LIMIT": "accept", "DENY": "drop", "REJECT": "reject"}
_POLICIES = {"allow": "accept", "deny": "drop", "reject": "reject"}
_PORTS = re.compile(r"(\d{1,5}(?::\d{1,5})?(?:,\d{1,5}(?::\d{1,5})?)*)(?:/(\w{1,12}))?", re.ASCII)

_ADDRESS_6 = re.compile(r"(?=.*:.*:)[\da-fA-F:.]+(?:/\d{1,3}|/[a-z]+)?")
"""Ports have one colon at most, between two commas."""


class _Rule(msgspec.Struct, frozen=True):
    """One line of the status."""

    target: str
    action: str
    origin: str

    @property
    def text(self) -> str:
        """Return it as ufw shows it, without the columns."""
        return " ".join(f"{self.target} {self.action} IN {self.origin}"[:600].split())


def read(status: str, looks: Looks) -> Filter | None:
    """Return what ufw does; None where this is not its status."""
    if re.search(r"^Status: inactive\b", status, re.MULTILINE):
        return Filter("ufw", active=False, allowed=tuple(map(str, PACKETS)))
    default = _POLICY.search(status)
    if default is None or not re.search(r"^Status: active\b", status, re.MULTILINE):
        return None
    rules = [rule for line in status.split("\n") if (rule := _rule(line.strip("\r")))]
    ways = {packet: followed(lambda one: [_fate(rules, default[1], one, looks)], packet) for packet in PACKETS}
    return judged("ufw", ways, active=True)


def _rule(line: str) -> _Rule | None:
    action = None if line[:1].isspace() else _ACTION.search(line)
    if action is None:
        return None
    return _Rule(line[: action.start()].rstrip(), action[1], line[action.end() :].strip())


def _fate(rules: Iterable[_Rule], policy: str, packet: Packet, looks: Looks) -> Fate:
    steps = [_step(rule, packet, looks) for rule in rules]
    default = f"no rule lets it in, and the default is {policy} (incoming)"
    return fate(Chain((*steps, Step(Match.YES, _POLICIES[policy], default))), lambda _: None)


def _step(rule: _Rule, packet: Packet, looks: Looks) -> Step:
    """Return what one line is for a packet; `(v6)` in both columns marks those of IPv6."""
    target, origin = rule.target, rule.origin.partition(" # ")[0]
    columns = f"{target} {origin}"
    looks.take(len(columns.split()) + columns.count(","))
    six = any(word == "(v6)" or _ADDRESS_6.fullmatch(word) for word in columns.split())
    if packet.version != (6 if six or "(v6))" in target else 4):
        return Step(Match.NO, "")
    where, _, device = target.replace("(v6)", "").partition(" on ")
    words = _NOTE.sub("", where).split()
    sources = _NOTE.sub("", origin).split()
    conditions = [_aimed(word, packet) for word in words]
    conditions += [_from(word, packet) for word in sources]
    conditions += [interface(device.strip())] if device.strip() else []
    return Step(conjunction(conditions), _VERDICTS[rule.action], rule.text)


def _aimed(word: str, packet: Packet) -> Match:
    """Return whether a word of the first column is met: a port, an address of the host, or anywhere."""
    if word == "Anywhere":
        return Match.YES
    listed = _PORTS.fullmatch(word)
    if listed is None:
        if "/" in word and not re.fullmatch(r"[\d.]+/\d+|[\da-fA-F:]+/\d+", word):
            return _protocol(word.rpartition("/")[2])
        return Match.MAYBE
    if listed[2] not in (None, "tcp"):
        return Match.NO
    bounds = [part.partition(":") for part in listed[1].split(",")]
    return max(ports(int(first), int(last or first), packet) for first, _, last in bounds)


def _from(word: str, packet: Packet) -> Match:
    """Return whether a word of the last column is met: an address, `Anywhere`, `53/udp`, `10.0.0.1/ah`."""
    if word in ("Anywhere", "Anywhere/tcp", "on"):
        return Match.YES
    address, _, suffix = word.rpartition("/")
    if suffix.isalpha():
        if suffix != "tcp":
            return Match.NO
        word = address
    if re.fullmatch(r"[\d:,]+", word) and not _ADDRESS_6.fullmatch(word):
        return Match.MAYBE
    return source(word, packet)


def _protocol(name: str) -> Match:
    return Match.MAYBE if name == "tcp" else Match.NO
