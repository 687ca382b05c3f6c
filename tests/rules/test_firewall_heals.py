"""firewall.blocked on real firewalls, each in a network namespace of its own: what it proposes opens the port."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from padlock.evidence import Evidence
from padlock.probes.host import read

from tests.evidence_builder import fires, healthy, silent, with_address, with_port
from tests.host_builder import with_audit
from tests.probes.host.documents import document, section

TOOLS = ("unshare", "ufw", "nft", "iptables", "ip6tables", "iptables-save", "ip6tables-save")
DUMPS = {
    "ufw": "ufw status verbose",
    "nftables": "nft -j list ruleset",
    "iptables": "iptables-save",
    "ip6tables": "ip6tables-save",
}
MARK = "=-=-="
pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(os.geteuid() != 0, reason="firewalls need root"),
    pytest.mark.skipif(not all(map(shutil.which, TOOLS)), reason=f"needs {', '.join(TOOLS)}"),
]

ENABLE = "ufw --force enable"
OFFICE = "ufw allow from 203.0.113.0/24 to any port 443 proto tcp"
OFFICE_6 = "ufw allow from 2001:db8::/32 to any port 443 proto tcp"
BOTH = "for tool in iptables ip6tables; do"


def table(policy: str, rules: str) -> str:
    """Return a command that loads a table with one chain."""
    chain = f"chain input {{ type filter hook input priority 0; policy {policy};\n{rules}\n}}"
    return f"nft -f - <<'END'\ntable inet filter {{\n{chain}\n}}\nEND"


STATES = {
    "ufw without 443": f"ufw allow 22/tcp; ufw allow 80/tcp; {ENABLE}",
    "ufw with a rule against it": f"ufw allow 80/tcp; ufw deny 443/tcp; {ENABLE}",
    "ufw with a rule against both": f"ufw deny proto tcp from any to any port 80,443; {ENABLE}",
    "ufw with a rule in front": f"ufw deny proto tcp from any to any port 80,443; ufw allow 443/tcp; {ENABLE}",
    "ufw for an office": f"ufw allow 80/tcp; {OFFICE}; {OFFICE_6}; {ENABLE}",
    "nftables by policy": table("drop", "tcp dport { 22, 80 } accept"),
    "nftables by rule": table("accept", "tcp dport 443 reject with tcp reset"),
    "iptables by policy": f"{BOTH} $tool -A INPUT -p tcp --dport 80 -j ACCEPT; $tool -P INPUT DROP; done",
    "iptables by rule": f"{BOTH} $tool -A INPUT -p tcp --dport 443 -j REJECT; done",
}


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    """Return a copy of ufw's settings: the machine's own stay as they are."""
    shutil.copytree("/etc/ufw", tmp_path / "ufw")
    shutil.copy("/etc/default/ufw", tmp_path / "default")
    return tmp_path


def dumped(settings: Path, script: str) -> Evidence:
    """Return the site whose 443 is closed, on a machine with the firewalls that a script sets up in a namespace."""
    begin = f"mount --bind {settings}/ufw /etc/ufw && mount --bind {settings}/default /etc/default/ufw || exit 9\n"
    ends = "\n".join(f"echo {MARK}; {command} 2>/dev/null" for command in DUMPS.values())
    lines = f"{begin}ip link set lo up\nufw --force reset >/dev/null\n{script}\n{ends}\n"
    ran = subprocess.run(
        ["unshare", "--net", "--mount", "sh", "-c", lines],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    outputs = ran.stdout.split(MARK + "\n")[1:]
    assert len(outputs) == len(DUMPS), ran.stderr
    machine = read(document(*(section(*pair) for pair in zip(DUMPS, outputs, strict=True))))
    return with_audit(with_port(with_address(healthy()), "https", "timeout"), filters=machine.filters)


@pytest.mark.parametrize("state", STATES)
def test_the_commands_open_the_port(state: str, settings: Path) -> None:
    """The firewall is found to block; after its commands, run as they stand, it no longer does."""
    found = fires("firewall.blocked", dumped(settings, STATES[state]))
    assert all(f"443/tcp IPv{version}" in found.observed for version in (4, 6))
    assert found.commands
    healed = STATES[state] + "\n" + "\n".join(f"{command} >/dev/null" for command in found.commands)
    silent("firewall.blocked", dumped(settings, healed))


def test_a_firewall_that_lets_visitors_in(settings: Path) -> None:
    """The checklist's own setting of ufw has no finding."""
    silent("firewall.blocked", dumped(settings, "ufw allow 'Nginx Full'; ufw --force enable"))
