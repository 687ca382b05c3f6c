"""`ufw status verbose` → what becomes of a visitor's first packet (checklist step 3).

The first rule that matches counts. Source: ufw(8); ufw's get_status() in backend_iptables.py.
"""

import re

from padlock.evidence.host import Filter
from padlock.probes.host.packets import (
    PACKETS,
    Chain,
    Fate,
    Match,
    Packet,
    Step,
    conjunction,
    fate,
    interface,
    judged,
    ports,
    source,
)

_RULES = 5_000
_LINE = 500
_RULE = re.compile(r"^(\S.{0,200}?)\s{1,40}(ALLOW|DENY|REJECT|LIMIT) IN\s{1,20}(\S.{0,250})$")
_POLICY = re.compile(r"^Default: (allow|deny|reject) \(incoming\)", re.MULTILINE)
_VERDICTS = {"ALLOW": "accept", "LIMIT": "accept", "DENY": "drop", "REJECT": "reject"}
_POLICIES = {"allow": "accept", "deny": "drop", "reject": "reject"}
_PORTS = re.compile(r"(\d{1,5}(?::\d{1,5})?(?:,\d{1,5}(?::\d{1,5})?)*)(?:/(\w{1,12}))?", re.ASCII)

_ADDRESS_6 = re.compile(r"(?=.*:.*:)[\da-fA-F:.]+(?:/\d{1,3}|/[a-z]+)?")
"""Ports have one colon at most, between two commas."""


def read(status: str) -> Filter | None:
    """Return what ufw does; None where this is not its status."""
    if re.search(r"^Status: inactive\b", status, re.MULTILINE):
        return Filter("ufw", active=False, allowed=tuple(map(str, PACKETS)))
    default = _POLICY.search(status)
    if default is None or not re.search(r"^Status: active\b", status, re.MULTILINE):
        return None
    lines = [line.rstrip() for line in status.split("\n")[:_RULES] if len(line) <= _LINE]
    return judged("ufw", {packet: [_fate(lines, default[1], packet)] for packet in PACKETS}, active=True)


def _fate(lines: list[str], policy: str, packet: Packet) -> Fate:
    rules = (_RULE.match(line) for line in lines)
    steps = [_step(rule[1], rule[2], rule[3], packet) for rule in rules if rule]
    default = f"no rule lets it in, and the default is {policy} (incoming)"
    return fate(Chain((*steps, Step(Match.YES, _POLICIES[policy], default))), lambda _: None)


def _step(target: str, action: str, origin: str, packet: Packet) -> Step:
    """Return what one line is for a packet; `(v6)` in both columns marks those of IPv6."""
    text = " ".join(f"{target} {action} IN {origin}".split())
    origin = origin.partition(" # ")[0]
    six = any(word == "(v6)" or _ADDRESS_6.fullmatch(word) for word in f"{target} {origin}".split())
    if packet.version != (6 if six or "(v6))" in target else 4):
        return Step(Match.NO, "")
    where, _, device = target.replace("(v6)", "").partition(" on ")
    words = re.sub(r"\(.*?\)", "", where).split()
    sources = re.sub(r"\(.*?\)", "", origin).split()
    conditions = [_aimed(word, packet) for word in words]
    conditions += [_from(word, packet) for word in sources]
    conditions += [interface(device.strip())] if device.strip() else []
    return Step(conjunction(conditions), _VERDICTS[action], text)


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
