"""Firewalls with much in them: real ones are judged, and what would take minutes is not known after half a second."""

import json
import time
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from padlock.evidence import Filter
from padlock.probes.host import read
from padlock.probes.host.packets import ENDLESS

from tests.probes.host.documents import document, section

PLACE: Mapping[str, Any] = {"family": "inet", "table": "f"}
PORT = {"payload": {"protocol": "tcp", "field": "dport"}}
SOURCE = {"payload": {"protocol": "ip", "field": "saddr"}}
MARK = {"meta": {"key": "mark"}}
DROP: Mapping[str, Any] = {"drop": None}
ACCEPT: Mapping[str, Any] = {"accept": None}
ENTRIES = {f"{port}/tcp IPv{version}" for port in (80, 443) for version in (4, 6)}
SAVED = "*filter\n:INPUT {policy} [0:0]\n"
UFW = "Status: active\nDefault: {policy} (incoming)\n"
SECONDS = 1.0
"""Of processor time: twice what is meant, for machines that are busy."""


def chain(name: str = "input", policy: str = "accept", **fields: Any) -> dict[str, Any]:
    """Return a base chain."""
    return {"chain": {**PLACE, "name": name, "hook": "input", "prio": 0, "policy": policy, **fields}}


def rule(*expressions: Mapping[str, Any], of: str = "input") -> dict[str, Any]:
    """Return a rule of a chain."""
    return {"rule": {**PLACE, "chain": of, "expr": list(expressions)}}


def equal(left: Mapping[str, Any], right: Any) -> dict[str, Any]:
    """Return a comparison."""
    return {"match": {"op": "==", "left": left, "right": right}}


def named(kind: str, elements: list[Any]) -> dict[str, Any]:
    """Return the set or map that rules name `@x`."""
    return {kind: {**PLACE, "name": "x", "elem": elements}}


def addresses(number: int) -> Iterator[str]:
    """Yield addresses of visitors."""
    return (f"{1 + n % 100}.{n // 100 % 250}.{n // 25_000}.7" for n in range(number))


def nft(*objects: Any) -> dict[str, Any]:
    """Return the section of a rule set."""
    return section("nftables", json.dumps({"nftables": objects}, separators=(",", ":")))


def judged(*sections: Mapping[str, Any]) -> dict[str, Filter]:
    """Return what is read of these sections, by kind, once it was read in time."""
    whole = document(*sections)
    began = time.process_time()
    found = read(whole).filters or ()
    assert time.process_time() - began < SECONDS
    return {each.kind: each for each in found}


BANNED = list(addresses(10_000))
OTHERS = [rule(equal(SOURCE, "@x"), equal(PORT, port), DROP) for port in range(1, 401)]


@pytest.mark.parametrize(
    ("last", "blocked"),
    [((), set()), ((rule(equal(PORT, 443), DROP),), {"443/tcp IPv4", "443/tcp IPv6"})],
)
def test_a_set_of_ten_thousand_addresses(last: tuple[Any, ...], blocked: set[str]) -> None:
    """Hundreds of rules that ask a large set are followed to their end, which decides."""
    bans = [rule(equal(SOURCE, "@x"), DROP) for _ in range(100)]
    found = judged(nft(chain(), named("set", BANNED), *bans, *OTHERS, *last))["nftables"]
    assert (set(found.blocked), set(found.allowed)) == (blocked, ENTRIES - blocked)


def test_networks_of_a_country() -> None:
    """So are prefixes and ranges: only those in the set are let in."""
    networks: list[dict[str, Any]] = [{"prefix": {"addr": address, "len": 24}} for address in addresses(4_000)]
    networks += [{"range": [address, address]} for address in addresses(2_000)]
    found = judged(nft(chain(policy="drop"), named("set", networks), rule(equal(SOURCE, "@x"), ACCEPT)))["nftables"]
    assert set(found.restricted) == {"80/tcp IPv4", "443/tcp IPv4"}
    assert set(found.blocked) == {"80/tcp IPv6", "443/tcp IPv6"}


def test_five_thousand_bans_in_rules() -> None:
    """Without sets each ban is a rule, in iptables and in ufw."""
    saved = SAVED.format(policy="ACCEPT") + "".join(f"-A INPUT -s {each}/32 -j REJECT\n" for each in addresses(5_000))
    banned = "".join(f"Anywhere  DENY IN  {each}  # by Fail2Ban, sshd\n" for each in addresses(5_000))
    status = UFW.format(policy="deny") + banned + "80,443/tcp  ALLOW IN  Anywhere\n"
    found = judged(section("iptables", saved), section("ufw", status))
    assert set(found["iptables"].allowed) == set(found["ufw"].allowed) == {"80/tcp IPv4", "443/tcp IPv4"}
    assert set(found["ufw"].blocked) == {"80/tcp IPv6", "443/tcp IPv6"}


PORTS = [[port, DROP] for port in range(10_000, 16_000)]


@pytest.mark.parametrize(
    "objects",
    [
        (named("map", [*PORTS, [443, DROP]]), rule({"vmap": {"key": PORT, "data": "@x"}})),
        (named("set", [*range(500, 25_500), 443]), rule(equal(PORT, "@x"), DROP)),
        (rule(*[{"counter": None}] * 5_000, equal(PORT, 443), DROP),),
    ],
    ids=["map", "set", "rule"],
)
def test_the_last_of_many_counts(objects: tuple[Any, ...]) -> None:
    """What stands behind thousands of others decides as much as the first."""
    found = judged(nft(chain(), *objects))["nftables"]
    assert set(found.blocked) == {"443/tcp IPv4", "443/tcp IPv6"}


MAP = {"vmap": {"key": PORT, "data": "@x"}}
PAIR = {"concat": [SOURCE, PORT]}
UNCLEAR = equal(MARK, 1)
ENDLESS_SECTIONS = {
    "maps": (nft(chain(), named("map", PORTS), rule(*[MAP] * 100)),),
    "maps in rules": (nft(chain(), named("map", PORTS), *[rule(MAP)] * 1_000),),
    "pairs": (
        nft(chain(), named("set", [{"concat": [each, 1]} for each in BANNED]), *[rule(equal(PAIR, "@x"), DROP)] * 50),
    ),
    "chains": (
        nft(
            *(chain(f"c{number}") for number in range(1_000)),
            *(rule({"jump": {"target": "all"}}, of=f"c{number}") for number in range(1_000)),
            {"chain": {**PLACE, "name": "all"}},
            *[rule(UNCLEAR, DROP, of="all")] * 1_000,
        ),
    ),
    "maps behind conditions": (nft(chain(), named("map", PORTS), rule(*[UNCLEAR] * 1_000, *[MAP] * 1_000)),),
    "iptables": tuple(
        section(name, SAVED.format(policy="ACCEPT") + ("-A INPUT " + "-i e " * 99 + "-j DROP\n") * 900)
        for name in ("iptables", "ip6tables")
    ),
    "iptables' ports": tuple(
        section(name, SAVED.format(policy="DROP") + f"-A INPUT -p tcp --dports {'1,' * 1_900}2 -j ACCEPT\n" * 100)
        for name in ("iptables", "ip6tables")
    ),
    "ufw": (
        section("ufw", UFW.format(policy="deny") + ("1 " * 90 + " ALLOW IN  " + "1.2.3.4 " * 28 + "\n") * 1_000),
    ),
    "too large": (section("ufw", UFW.format(policy="deny") + "\n" * 500_000),),
}


@pytest.mark.parametrize("kind", ENDLESS_SECTIONS)
def test_what_takes_too_long_is_not_known(kind: str) -> None:
    """However few octets say it: in half a second it is neither blocked nor allowed, and the reason is told."""
    for found in judged(*ENDLESS_SECTIONS[kind]).values():
        assert found.active
        assert (found.blocked, found.allowed, found.restricted) == ((), (), ())
        assert found.detail == ({} if kind == "too large" else dict.fromkeys(ENTRIES, ENDLESS))


def test_all_of_them_together_take_no_longer() -> None:
    """What one firewall takes the next does not have."""
    parts = ("ufw", "iptables", "chains")
    found = judged(*(each for part in parts for each in ENDLESS_SECTIONS[part]))
    assert {each.kind for each in found.values()} == {"ufw", "iptables", "nftables"}
    assert not any(each.blocked or each.allowed for each in found.values())


def test_ufw_before_rules_that_take_too_long() -> None:
    """Docker's rules may be among them, which hand a packet on before ufw sees it: nothing is blocked for sure."""
    found = judged(section("ufw", UFW.format(policy="deny")), *ENDLESS_SECTIONS["iptables"])
    assert not found["ufw"].blocked


@pytest.mark.parametrize(
    "line",
    [f"-A INPUT {'-m tcp ' * 120}-p tcp --dport 443 -j DROP", f"-A INPUT -i {'x' * 5_000} -j DROP", "\n" * 500_000],
)
def test_iptables_rules_that_are_not_kept(line: str) -> None:
    """A rule that is too long to be kept, or a listing: what it does is not known, and not that it does nothing."""
    found = judged(section("iptables", SAVED.format(policy="ACCEPT") + line))["iptables"]
    assert found.active
    assert (found.blocked, found.allowed) == ((), ())
    assert found.detail["443/tcp IPv4"] == ENDLESS


def test_ufw_rule_with_a_long_comment() -> None:
    """A comment makes no rule another one, whatever its length."""
    found = judged(section("ufw", f"{UFW.format(policy='deny')}443/tcp  ALLOW IN  Anywhere  # {'x ' * 1_000}\n"))[
        "ufw"
    ]
    assert "443/tcp IPv4" in found.allowed


@pytest.mark.parametrize(
    ("begin", "end"),
    [
        ('{"match":{"op":"==","left":{"payload":{"protocol":"tcp","field":"dport"}},"right":', "}}"),
        ('{"match":{"op":"==","left":{"payload":{"protocol":"tcp","field":"flags"}},"right":', "}}"),
        ('{"match":{"op":"==","left":{"meta":{"key":"mark"}},"right":{"range":[1,', "]}}}"),
        ("", ""),
    ],
)
@pytest.mark.parametrize(
    ("opened", "closed"),
    [("[", "]"), ('{"set":[', "]}"), ('{"|":[', "]}"), ('{"meter":{"stmt":', "}}"), ('{"set":{"stmt":[', "]}}")],
)
def test_deep_rules(begin: str, end: str, opened: str, closed: str) -> None:
    """What is nested thousands of times is read as well."""
    deep = f'{begin}{opened * 3_000}{{"limit":1}}{closed * 3_000}{end}'
    objects = (
        f'{{"nftables":[{json.dumps(chain())},{json.dumps(rule()).replace("[]", f"[{deep},{json.dumps(DROP)}]")}]}}'
    )
    assert judged(section("nftables", objects))
