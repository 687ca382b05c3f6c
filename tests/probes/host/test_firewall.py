"""What the real ufw, iptables and nft print → which ports visitors reach; test_kernel.py asks the kernel itself."""

from collections.abc import Mapping
from typing import Any

import pytest
from padlock.evidence import Filter
from padlock.probes.host import read

from tests.probes.host.documents import document, sample, section

WEB_4 = ("80/tcp IPv4", "443/tcp IPv4")
WEB_6 = ("80/tcp IPv6", "443/tcp IPv6")
ALL = (*WEB_4, *WEB_6)
MISSING = tuple(section(name, status=127) for name in ("ufw", "nftables", "iptables", "ip6tables"))


def filters(*sections: Mapping[str, Any], **fields: Any) -> dict[str, Filter] | None:
    """Return what is read of these sections, by kind."""
    found = read(document(*sections, **fields)).filters
    return None if found is None else {each.kind: each for each in found}


def one(*sections: Mapping[str, Any]) -> Filter:
    """Return the only firewall that is read of these sections."""
    found = filters(*sections)
    assert found
    assert len(found) == 1
    return next(iter(found.values()))


def tables(name: str) -> Filter:
    """Return what a sample's iptables and ip6tables do."""
    saved, saved_6 = sample(f"iptables-{name}.txt"), sample(f"ip6tables-{name}.txt")
    return one(section("iptables", saved), section("ip6tables", saved_6))


def shown(found: Filter) -> tuple[set[str], set[str], set[str]]:
    """Return what is blocked, allowed, and open for some."""
    return set(found.blocked), set(found.allowed), set(found.restricted)


@pytest.mark.parametrize(
    ("name", "blocked", "allowed", "restricted"),
    [
        ("inactive", (), ALL, ()),
        ("web", (), ALL, ()),
        ("ssh-only", ALL, (), ()),
        ("limited-to-sources", ("443/tcp IPv6",), ("80/tcp IPv4", "80/tcp IPv6"), ("443/tcp IPv4",)),
        ("order", ("80/tcp IPv4", "80/tcp IPv6"), ("443/tcp IPv4", "443/tcp IPv6"), ()),
        ("interface", (), ("80/tcp IPv4", "80/tcp IPv6"), ()),
        ("default-allow", ("443/tcp IPv4", "443/tcp IPv6"), ("80/tcp IPv4", "80/tcp IPv6"), ()),
    ],
)
def test_ufw(name: str, blocked: tuple[str, ...], allowed: tuple[str, ...], restricted: tuple[str, ...]) -> None:
    """The first rule for a port counts; a rule for one source or one interface is none for everybody."""
    found = one(section("ufw", sample(f"ufw-{name}.txt")))
    assert shown(found) == (set(blocked), set(allowed), set(restricted))
    assert found.active is (name != "inactive")
    assert set(found.detail) == {*blocked, *restricted}


def test_ufw_names_the_rule_or_the_default() -> None:
    """What decides is quoted as ufw shows it."""
    assert one(section("ufw", sample("ufw-order.txt"))).detail["80/tcp IPv4"] == "80/tcp REJECT IN Anywhere (log)"
    assert "default is deny" in one(section("ufw", sample("ufw-ssh-only.txt"))).detail["443/tcp IPv4"]


@pytest.mark.parametrize(
    ("line", "blocked"),
    [
        ("443/tcp                    ALLOW IN    2001:db8:1:2:3:4:5:6", True),
        ("443/tcp                    ALLOW IN    Anywhere (v6)", True),
        ("443/udp                    ALLOW IN    Anywhere", True),
        ("443                        ALLOW IN    Anywhere", False),
        ("400:500,600/tcp            ALLOW IN    Anywhere                   # web (v6) too", False),
        ("Anywhere                   ALLOW IN    Anywhere", False),
        ("Anywhere on lo             ALLOW IN    Anywhere", True),
        ("Anywhere                   ALLOW IN    53/udp", True),
        ("443                        ALLOW OUT   Anywhere", True),
        ("443                        ALLOW FWD   Anywhere", True),
    ],
)
def test_ufw_lines(line: str, blocked: bool) -> None:
    """Lines that let visitors in over IPv4, and those that only look so."""
    found = one(section("ufw", sample("ufw-ssh-only.txt") + line + "\n"))
    assert ("443/tcp IPv4" in found.blocked) is blocked


@pytest.mark.parametrize("line", ["192.0.2.5 443/tcp          ALLOW IN    Anywhere", "443  ALLOW IN  1024:65535/tcp"])
def test_ufw_lines_that_depend_on_more(line: str) -> None:
    """A rule for one address of the host may be the one that visitors use: neither blocked nor allowed."""
    found = one(section("ufw", sample("ufw-ssh-only.txt") + line + "\n"))
    assert "443/tcp IPv4" not in {*found.blocked, *found.allowed}


@pytest.mark.parametrize(
    ("name", "blocked", "allowed", "restricted"),
    [
        ("empty", (), ALL, ()),
        ("multiport", (), ALL, ()),
        ("fail2ban", ("443/tcp IPv4",), ("80/tcp IPv4", *WEB_6), ()),
        ("docker", (), ("80/tcp IPv4", *WEB_6), ()),
        ("sources", ("80/tcp IPv6",), (), WEB_4),
        ("ufw-web", (), ALL, ()),
        ("ufw-ssh-only", ALL, (), ()),
    ],
)
def test_iptables(name: str, blocked: tuple[str, ...], allowed: tuple[str, ...], restricted: tuple[str, ...]) -> None:
    """Policies, jumps, port lists, states, and bans of single addresses; Docker's port goes past INPUT."""
    found = tables(name)
    assert shown(found) == (set(blocked), set(allowed), set(restricted))
    assert found.active is (name != "empty")


def test_iptables_names_the_rule() -> None:
    """The rule that decides, and the chain in which one that lets visitors in would stand before it."""
    found = tables("fail2ban")
    assert found.detail["443/tcp IPv4"] == "-p tcp -m tcp --dport 443 -j REJECT --reject-with tcp-reset"
    assert found.chains == {"443/tcp IPv4": "INPUT"}


RULES = (
    ("-p tcp -m tcp --dport 443 -j DROP", "blocked"),
    ("-p tcp -m tcp ! --dport 22 -j DROP", "blocked"),
    ("-p tcp -m multiport --dports 22,440:450 -j REJECT", "blocked"),
    ("! -p udp -j DROP", "blocked"),
    ("-p tcp -m conntrack --ctstate INVALID,NEW -j DROP", "blocked"),
    ("-p tcp -m state ! --state RELATED,ESTABLISHED -j DROP", "blocked"),
    ("-p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN -j DROP", "blocked"),
    ("! -i lo -j DROP", "blocked"),
    ('-m comment --comment "-j ACCEPT" -j DROP', "blocked"),
    ("-p tcp -m set --match-set banned src -j DROP", "allowed"),
    ("-s 203.0.113.0/24 -j DROP", "allowed"),
    ("-p tcp -m connlimit --connlimit-above 20 --connlimit-mask 32 --connlimit-saddr -j REJECT", "allowed"),
    (
        "-p tcp -m recent --update --seconds 60 --hitcount 10 --name x --mask 255.255.255.255 --rsource -j DROP",
        "allowed",
    ),
    ("-p tcp -m tcp ! --tcp-flags FIN,SYN,RST,ACK SYN -m conntrack --ctstate NEW -j DROP", "allowed"),
    ("-p tcp -m tcp --tcp-flags FIN,SYN FIN,SYN -j DROP", "allowed"),
    ("-p tcp -m tcp --sport 0:1023 -j DROP", "allowed"),
    ("-i lo -j DROP", "allowed"),
    ("-i docker0 -p tcp --dport 443 -j DROP", "allowed"),
    ("-m addrtype --dst-type BROADCAST -j DROP", "allowed"),
    ("-d 224.0.0.0/4 -j DROP", "allowed"),
    ('-j LOG --log-prefix "a DROP "', "allowed"),
    ("-p tcp -m geoip ! --source-country SE,NO -j DROP", "restricted"),
    ("-p tcp -m set ! --match-set cloud src -j DROP", "restricted"),
    ("! -s 10.0.0.0/8 -p tcp -m tcp --dport 443 -j DROP", "restricted"),
    ("-i eth0 -p tcp -m tcp --dport 443 -j DROP", ""),
    ("-d 192.0.2.5/32 -p tcp -m tcp --dport 443 -j DROP", ""),
    ("-m mark --mark 0x1 -j DROP", ""),
    ("-m time --timestart 01:00:00 --timestop 02:00:00 --kerneltz -j DROP", ""),
    ("-m statistic --mode random --probability 0.5 -j DROP", ""),
    ('-p tcp -m string --string "x y" --algo bm --to 65535 -j DROP', ""),
    ("-s 0.0.0.0/1 -j DROP", ""),
    ("-p tcp -m tcp --dport 443 -j NFQUEUE --queue-num 1", ""),
    ("-p tcp -m tcp --dport 443 -j gone", ""),
    ("-p tcp -m tcp --dport 443 -j loop", ""),
)
"""A rule before a policy that accepts → what it does to visitors of port 443; empty: that cannot be told."""


@pytest.mark.parametrize(("rule", "expected"), RULES)
def test_iptables_rules(rule: str, expected: str) -> None:
    """One rule before a policy that accepts: what it does to a visitor from anywhere, or that it cannot be told."""
    saved = f"*filter\n:INPUT ACCEPT [0:0]\n:loop - [0:0]\n-A INPUT {rule}\n-A loop -j loop\nCOMMIT\n"
    found = one(section("iptables", saved))
    states = {name for name in ("blocked", "allowed", "restricted") if "443/tcp IPv4" in getattr(found, name)}
    assert states == ({expected} if expected else set())
    assert not {*WEB_6} & {*found.blocked, *found.allowed, *found.restricted}


def test_other_tables_drop_as_well() -> None:
    """A drop in mangle stops a packet that filter accepts; INPUT of filter is then no place to open it."""
    mangle = "*mangle\n:INPUT ACCEPT [0:0]\n-A INPUT -p tcp --dport 443 -j DROP\nCOMMIT\n"
    saved = f"{mangle}*filter\n:INPUT ACCEPT [0:0]\nCOMMIT\n"
    found = one(section("iptables", saved))
    assert (found.blocked, found.allowed, found.chains) == (("443/tcp IPv4",), ("80/tcp IPv4",), {})


def test_unseen_legacy_tables() -> None:
    """What the other iptables holds may block; what this one blocks is blocked."""
    saved = "*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -p tcp --dport 443 -j DROP\nCOMMIT\n"
    warning = "# Warning: iptables-legacy tables present, use iptables-legacy-save to see them\n"
    found = one(section("iptables", saved + warning))
    assert (found.blocked, found.allowed) == (("443/tcp IPv4",), ())


@pytest.mark.parametrize(
    ("name", "blocked", "allowed", "restricted"),
    [
        ("empty", (), ALL, ()),
        ("web", (), ALL, ()),
        ("verdict-map", ("443/tcp IPv4", "443/tcp IPv6"), ("80/tcp IPv4", "80/tcp IPv6"), ()),
        ("priorities", ("443/tcp IPv4", "443/tcp IPv6"), ("80/tcp IPv4", "80/tcp IPv6"), ()),
        ("one-family", WEB_6, WEB_4, ()),
        ("sources", (), ("80/tcp IPv4", "80/tcp IPv6"), ("443/tcp IPv4", "443/tcp IPv6")),
        ("translated", (), (), ()),
    ],
)
def test_nftables(name: str, blocked: tuple[str, ...], allowed: tuple[str, ...], restricted: tuple[str, ...]) -> None:
    """Base chains by priority and family, verdict maps, sets, limits; a redirected port is not judged."""
    found = one(section("nftables", sample(f"nftables-{name}.json")))
    assert shown(found) == (set(blocked), set(allowed), set(restricted))
    assert found.active is (name != "empty")


def test_nftables_names_the_rule() -> None:
    """In few words, with the chain as nft takes it."""
    found = one(section("nftables", sample("nftables-priorities.json")))
    assert found.detail["443/tcp IPv4"] == "inet early input: tcp dport 443 reject"
    assert found.chains["443/tcp IPv4"] == "inet early input"
    assert (
        one(section("nftables", sample("nftables-one-family.json"))).detail["80/tcp IPv6"].startswith("policy drop")
    )


def test_rules_that_iptables_keeps_in_nftables_are_judged_once() -> None:
    """Two views of ufw's rules agree; nft's third one of the same says nothing of its own."""
    names = {"ufw": "ufw-ssh-only.txt", "nftables": "nftables-ufw-ssh-only.json"}
    names |= {"iptables": "iptables-ufw-ssh-only.txt", "ip6tables": "ip6tables-ufw-ssh-only.txt"}
    found = filters(*(section(name, sample(file)) for name, file in names.items()))
    assert found
    assert found["ufw"].blocked == found["iptables"].blocked == ALL
    assert not found["nftables"].active


def test_iptables_rules_in_nftables_alone() -> None:
    """Without iptables-save, what nft shows of them is not all that they say: nothing is concluded of its gaps."""
    found = one(section("nftables", sample("nftables-ufw-web.json")))
    assert not found.blocked


def test_docker_goes_past_ufw() -> None:
    """A published port never meets ufw's rules: neither its "blocked" nor its "allowed" holds."""
    found = filters(
        section("ufw", sample("ufw-ssh-only.txt")),
        section("iptables", sample("iptables-docker.txt")),
        section("ip6tables", sample("ip6tables-docker.txt")),
    )
    assert found
    assert found["ufw"].blocked == ("80/tcp IPv4", *WEB_6)


def test_no_firewall_at_all() -> None:
    """Amazon Linux has none of the tools: an empty tuple, which is not the same as "not known"."""
    assert filters(*MISSING) == {}
    assert filters() is None


@pytest.mark.parametrize(("status", "output"), [(1, "ERROR: You need to be root to run this script"), (124, "")])
def test_a_firewall_that_could_not_be_read(status: int, output: str) -> None:
    """Without root's rights, or when the time ran out, nothing is known."""
    assert filters(*(section(name, output, status) for name in ("ufw", "nftables", "iptables", "ip6tables"))) is None


@pytest.mark.parametrize("name", ["ufw", "nftables"])
def test_a_listing_that_was_cut(name: str) -> None:
    """Half a rule set decides nothing."""
    found = one(section(name, sample("ufw-ssh-only.txt"), cut=True))
    assert (found.active, found.blocked, found.allowed) == (True, (), ())
