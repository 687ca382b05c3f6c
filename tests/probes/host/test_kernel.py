"""The kernel is the judge: each sample's rules are loaded for real, and visitors try the ports that were foretold."""

import json
import socket
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from padlock.evidence import Filter
from padlock.probes.host import read

from tests.lab.network import CHECKER, SERVERS, Network, can_make_namespaces, network
from tests.probes.host.capture import IPTABLES, NFTABLES, UFW, ufw_script
from tests.probes.host.documents import document, section
from tests.probes.host.test_firewall import RULES

ADDRESSES = {4: "45.83.1.1", 6: "2a0f:5c40:1::1"}
ENTRIES = [(version, port) for version in ADDRESSES for port in (80, 443)]
SECONDS = 0.5

pytestmark = pytest.mark.lab


def run(wires: Network, script: str) -> str:
    """Run a script on the servers' side; return what it prints."""
    words = [*wires.within(SERVERS), "bash", "-ec", script]
    return subprocess.run(words, capture_output=True, text=True, timeout=20, check=True).stdout


def listening() -> list[socket.socket]:
    """Return sockets that listen on both ports, for both families."""
    sockets = []
    for port in (80, 443):
        opened = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=512)
        sockets.append(opened)
    return sockets


def connects(version: int, port: int) -> bool:
    """Return whether a visitor's connection opens."""
    try:
        socket.create_connection((ADDRESSES[version], port), timeout=SECONDS).close()
    except OSError:
        return False
    return True


@pytest.fixture(scope="module")
def wires() -> Iterator[Network]:
    """Make a host that listens on both ports, and a visitor beside it."""
    if not can_make_namespaces():
        pytest.skip("needs root and network namespaces")
    with network(ADDRESSES.values()) as made:
        _introduce(made)
        servers = made.call(SERVERS, listening)
        yield made
        for server in servers:
            server.close()


def _introduce(made: Network) -> None:
    """Tell each side the other's hardware address: rules that forget ICMPv6 keep neighbours from asking."""
    ends = {SERVERS: "2a0f:5c40::2", CHECKER: "2a0f:5c40::1"}
    show = ["ip", "-j", "link", "show", "dev", "cable"]
    shown = {side: subprocess.check_output([*made.within(side), *show]) for side in ends}
    for side, other in ((SERVERS, CHECKER), (CHECKER, SERVERS)):
        hardware = json.loads(shown[other])[0]["address"]
        words = f"ip neigh replace {ends[side]} lladdr {hardware} dev cable nud permanent".split()
        subprocess.run([*made.within(side), *words], check=True)


CLEAN = "nft flush ruleset"


def tried() -> list[bool]:
    """Return whether a visitor's connection opens, for each port and family; all are tried at once."""
    with ThreadPoolExecutor(len(ENTRIES)) as pool:
        return list(pool.map(lambda entry: connects(*entry), ENTRIES))


def agree(wires: Network, found: Filter) -> None:
    """Compare what was foretold with what happens: an allowed port opens, a blocked one does not."""
    for (version, port), opens in zip(ENTRIES, wires.call(CHECKER, tried), strict=True):
        entry = f"{port}/tcp IPv{version}"
        assert not (opens and entry in found.blocked), f"{entry} opens: {found.detail[entry]}"
        assert not (not opens and entry in found.allowed), f"{entry} does not open"
        assert not (opens and entry in found.restricted), f"{entry} opens for a visitor from anywhere"


@pytest.mark.parametrize("name", NFTABLES)
def test_nftables(wires: Network, name: str) -> None:
    """What `nft -j list ruleset` is taken to say is what the kernel does."""
    printed = run(wires, f"{CLEAN}; nft -f - <<'END'\n{NFTABLES[name]}\nEND\nnft -j list ruleset")
    (found,) = read(document(section("nftables", printed))).filters or ()
    agree(wires, found)


@pytest.mark.parametrize("name", IPTABLES)
def test_iptables(wires: Network, name: str) -> None:
    """What iptables-save and ip6tables-save are taken to say is what the kernel does."""
    run(wires, f"{CLEAN}; {IPTABLES[name]}")
    saved = [section(tool, run(wires, f"{tool}-save")) for tool in ("iptables", "ip6tables")]
    (found,) = read(document(*saved)).filters or ()
    agree(wires, found)


def test_each_rule(wires: Network) -> None:
    """What single rules are taken to do is what they do; some need a module or a set that is not here."""
    loaded = 0
    for rule, _ in RULES:
        try:
            run(wires, f"{CLEAN}; iptables -A INPUT {rule}")
        except subprocess.CalledProcessError:
            continue
        loaded += 1
        (found,) = read(document(section("iptables", run(wires, "iptables-save")))).filters or ()
        agree(wires, found)
    assert loaded >= 20


NFT_RULES = (
    ("tcp dport 443 drop", "blocked"),
    ("tcp dport { 22, 440-450 } reject", "blocked"),
    ("tcp dport != 22 drop", "blocked"),
    ("tcp dport >= 443 tcp dport < 444 drop", "blocked"),
    ("th dport 443 drop", "blocked"),
    ("meta l4proto { tcp, udp } drop", "blocked"),
    ("meta nfproto ipv4 meta l4proto tcp drop", "blocked"),
    ("ip protocol tcp drop", "blocked"),
    ("ct state new,untracked tcp dport 443 drop", "blocked"),
    ("ct state != { established, related } drop", "blocked"),
    ("ct state vmap { new : goto other, established : accept }", "blocked"),
    ("tcp flags & (fin|syn|rst|ack) == syn drop", "blocked"),
    ("tcp flags syn drop", "blocked"),
    ("tcp flags syn / fin,syn,rst,ack drop", "blocked"),
    ("fib daddr type local tcp dport 443 drop", "blocked"),
    ('iifname != "lo" drop', "blocked"),
    ("tcp sport 1024-65535 drop", "blocked"),
    ("meta pkttype host drop", "blocked"),
    ('ip saddr 0.0.0.0/0 counter log prefix "x " drop', "blocked"),
    ("jump other", "blocked"),
    ("tcp dport vmap { 80 : accept, 400-500 : jump other }", "blocked"),
    ("ip saddr 203.0.113.0/24 drop", "allowed"),
    ("ip saddr { 203.0.113.1, 198.51.100.7-198.51.100.9 } drop", "allowed"),
    ("ip6 saddr != 2001:db8::/32 drop", "allowed"),
    ("tcp dport 443 ct count over 500 reject", "allowed"),
    ("tcp dport 443 limit rate over 500/second drop", "allowed"),
    ("tcp dport 443 meter m { ip saddr limit rate over 500/second } drop", "allowed"),
    ("tcp flags & (fin|syn) == (fin|syn) drop", "allowed"),
    ("tcp flags & (fin|syn|rst|psh|ack|urg) == 0x0 drop", "allowed"),
    ("tcp flags ! fin,syn drop", "allowed"),
    ("ct state ! established,related drop", "blocked"),
    ("fib saddr type { broadcast, multicast } drop", "allowed"),
    ("ct status dnat drop", "allowed"),
    ("udp dport 443 drop", "allowed"),
    ("iif lo drop", "allowed"),
    ('jump leaves; drop comment "not reached by 443"', "blocked"),
    ("ip saddr != 203.0.113.0/24 tcp dport 443 drop", "restricted"),
    ('iifname "cab*" tcp dport 443 drop', ""),
    ("meta mark 0 drop", ""),
    ("ip ttl < 200 drop", ""),
    ("ip daddr 45.83.1.1 drop", ""),
    ("ip saddr . tcp dport { 45.83.0.2 . 443 } drop", ""),
)
"""A rule of nft before a policy that accepts → what it does to visitors of port 443 over IPv4."""


def test_each_nft_rule(wires: Network) -> None:
    """What single rules are taken to do is what they do, as this machine's nft writes them."""
    for rule, expected in NFT_RULES:
        lines = rule.replace("; ", "\n")
        chain = f"chain input {{ type filter hook input priority 0; policy accept;\n{lines}\n}}"
        table = f"table inet t {{ chain leaves {{ return; }}\nchain other {{ drop; }}\n{chain}\n}}"
        printed = run(wires, f"{CLEAN}; nft -f - <<'END'\n{table}\nEND\nnft -j list ruleset")
        (found,) = read(document(section("nftables", printed))).filters or ()
        states = [state for state in ("blocked", "allowed", "restricted") if "443/tcp IPv4" in getattr(found, state)]
        assert states == ([expected] if expected else []), rule
        agree(wires, found)


@pytest.mark.parametrize("name", UFW)
def test_ufw(wires: Network, name: str, tmp_path: Path) -> None:
    """What `ufw status verbose` is taken to say is what the kernel does, and so are the rules that it wrote."""
    script = tmp_path / "script"
    script.write_text(f"{CLEAN}; {ufw_script(UFW[name], str(tmp_path / 'ufw'))}")
    printed = run(wires, f"unshare -m bash {script}")
    saved = [section(tool, run(wires, f"{tool}-save")) for tool in ("iptables", "ip6tables")]
    filters = read(document(section("ufw", printed), *saved)).filters or ()
    assert {found.kind for found in filters} == {"ufw", "iptables"}
    for found in filters:
        agree(wires, found)
