"""Which addresses may be connected to."""

import datetime as dt
import ipaddress
import random
import re
from pathlib import Path

import pytest
from padlock.network import addresses
from padlock.network.addresses import allowed_networks, refusal

REFUSED = {
    # IANA's IPv4 special-purpose registry
    "0.0.0.0": "This host on this network",  # noqa: S104
    "0.1.2.3": "This network",
    "10.0.0.1": "Private-Use",
    "100.64.0.1": "Shared Address Space",
    "100.127.255.255": "Shared Address Space",
    "127.0.0.1": "Loopback",
    "127.255.255.254": "Loopback",
    "169.254.169.254": "Link Local",
    "172.16.0.1": "Private-Use",
    "172.31.255.255": "Private-Use",
    "192.0.0.1": "IPv4 Service Continuity Prefix",
    "192.0.0.170": "NAT64/DNS64 Discovery",
    "192.0.0.171": "NAT64/DNS64 Discovery",
    "192.0.0.9": "Port Control Protocol Anycast",
    "192.0.0.200": "IETF Protocol Assignments",
    "192.0.2.1": "Documentation (TEST-NET-1)",
    "192.31.196.1": "AS112-v4",
    "192.52.193.1": "AMT",
    "192.88.99.1": "Deprecated (6to4 Relay Anycast)",
    "192.168.1.1": "Private-Use",
    "192.175.48.1": "Direct Delegation AS112 Service",
    "198.18.0.1": "Benchmarking",
    "198.19.255.255": "Benchmarking",
    "198.51.100.1": "Documentation (TEST-NET-2)",
    "203.0.113.1": "Documentation (TEST-NET-3)",
    "240.0.0.1": "Reserved",
    "255.255.255.255": "Limited Broadcast",
    # in neither registry
    "224.0.0.1": "Multicast",
    "239.255.255.250": "Multicast",
    "168.63.129.16": "Azure Platform Address",
    # IANA's IPv6 special-purpose registry
    "::1": "Loopback Address",
    "::": "Unspecified Address",
    "::ffff:127.0.0.1": "IPv4-mapped Address",
    "::ffff:93.184.215.14": "IPv4-mapped Address",
    "64:ff9b::a9fe:a9fe": "IPv4-IPv6 Translat.",
    "64:ff9b:1::1": "IPv4-IPv6 Translat.",
    "100::1": "Discard-Only Address Block",
    "2001::1": "TEREDO",
    "2001:1::1": "Port Control Protocol Anycast",
    "2001:2::1": "Benchmarking",
    "2001:1ff::1": "IETF Protocol Assignments",
    "2001:db8::1": "Documentation",
    "2002:7f00:1::1": "6to4",
    "2620:4f:8000::1": "Direct Delegation AS112 Service",
    "3fff::1": "Documentation",
    "5f00::1": "Segment Routing (SRv6) SIDs",
    "fc00::1": "Unique-Local",
    "fd00:ec2::254": "Unique-Local",
    "fe80::1": "Link-Local Unicast",
    # outside the range of global unicast
    "::7f00:1": "outside 2000::/3",
    "::ffff:0:127.0.0.1": "outside 2000::/3",
    "fec0::1": "outside 2000::/3",
    "1fff::1": "outside 2000::/3",
    "4000::1": "outside 2000::/3",
    "ff02::1": "Multicast",
    "ff0e::1": "Multicast",
    # no address at all, or one that only means something on one link
    "fe80::1%eth0": "zone id",
    "2606:4700::1%0": "zone id",
    "127.1": "not an address",
    "0x7f000001": "not an address",
    "2130706433": "not an address",
    "0177.0.0.1": "not an address",
    "127.0.0.1 ": "not an address",
    "[::1]": "not an address",
    "localhost": "not an address",
    "": "not an address",
}
PUBLIC = (
    "1.1.1.1", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0",
    "169.253.255.255", "172.15.255.255", "172.32.0.0", "192.0.1.0", "192.167.255.255", "198.17.255.255",
    "198.20.0.0", "223.255.255.255", "168.63.129.15", "2000::1", "2001:200::1", "2001:4860:4860::8888", "2003::1",
    "2606:4700::1111", "2a00:1450::1", "3ffe:ffff::1", "3fff:1000::1",
)  # fmt: skip
NEVER = (
    "169.254.169.254", "169.254.170.2", "169.254.170.23", "168.63.129.16", "100.100.100.200", "192.0.0.192",
    "fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254", "::ffff:169.254.169.254", "::ffff:0:169.254.169.254",
    "::169.254.169.254", "64:ff9b::169.254.169.254", "64:ff9b:1::169.254.169.254", "2002:a9fe:a9fe::1",
    "2001:0:a9fe:a9fe::1", "fe80::1", "fe80::1%eth0", "0.0.0.0", "::",  # noqa: S104
)  # fmt: skip


@pytest.mark.parametrize(("address", "block"), REFUSED.items())
def test_refuses_each_special_block_by_its_name(address: str, block: str) -> None:
    """An address that no public web site has is refused, and the narrowest block that holds it is named."""
    assert refusal(address) == block


@pytest.mark.parametrize("address", PUBLIC)
def test_opens_public_addresses(address: str) -> None:
    """Addresses right beside the special blocks are not refused."""
    assert refusal(address) == ""


@pytest.mark.parametrize("address", NEVER)
def test_nothing_opens_metadata_services(address: str) -> None:
    """No declaration, however wide, opens credentials of the machine, nor a form that a gateway turns into them."""
    widest = ("0.0.0.0/0", "::/0", "169.254.0.0/16", "fd00::/8", "::ffff:0:0/96", "64:ff9b::/96")
    assert refusal(address, widest) != ""


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("10.1.2.3", ("10.0.0.0/8",)),
        ("127.0.0.5", ("127.0.0.0/8",)),
        ("::1", ("::1/128",)),
        ("fd12:3456::1", ("10.0.0.0/8", "fd12:3456::/32")),
        ("198.18.0.7", ("198.18.0.0/24",)),
    ],
)
def test_an_allowed_network_opens_its_addresses(address: str, allowed: tuple[str, ...]) -> None:
    """A private site can be checked once its network is allowed."""
    assert refusal(address) != ""
    assert refusal(address, allowed) == ""


def test_an_allowed_network_opens_nothing_else() -> None:
    """Addresses beside an allowed network, and those of the other family, stay refused."""
    assert refusal("10.2.0.1", ("10.1.0.0/16",)) == "Private-Use"
    assert refusal("::1", ("127.0.0.0/8",)) == "Loopback Address"
    assert refusal("::ffff:10.1.0.1", ("10.1.0.0/16",)) == "IPv4-mapped Address"


@pytest.mark.parametrize(
    ("site", "operator", "in_force"),
    [
        (("10.1.0.0/16",), ("10.0.0.0/8",), ("10.1.0.0/16",)),
        (("10.0.0.0/8",), ("10.0.0.0/8",), ("10.0.0.0/8",)),
        (("10.0.0.0/8",), ("10.1.0.0/16",), ()),
        (("10.0.0.0/8",), (), ()),
        ((), ("10.0.0.0/8",), ()),
        (("fd00::/16", "10.0.0.0/16"), ("10.0.0.0/8", "192.168.0.0/16"), ("10.0.0.0/16",)),
        (("::/0",), ("0.0.0.0/0",), ()),
    ],
)
def test_a_network_needs_the_site_and_the_operator(
    site: tuple[str, ...], operator: tuple[str, ...], in_force: tuple[str, ...]
) -> None:
    """A site's network is in force only where it lies inside one that the operator allows."""
    assert allowed_networks(site, operator) == in_force


def test_every_block_of_both_registries_is_refused() -> None:
    """First and last address of each block in IANA's files are refused, the files being complete."""
    from padlock.network.addresses import _registry  # noqa: PLC0415

    blocks = [ipaddress.ip_network(block) for version in (4, 6) for block, _ in _registry(version)]
    assert len(blocks) == 51
    for block in blocks:
        assert refusal(str(block[0]))
        assert refusal(str(block[-1]))


PROMISED = (
    # hostile.md's own words
    *("224.0.0.0/4", "168.63.129.16/32", "2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20"),
    # every IPv6 address outside 2000::/3, among them all multicast, and what carries an IPv4 address
    *("::/3", "4000::/2", "8000::/1", "ff00::/8", "::/96", "::ffff:0:0/96", "::ffff:0:0:0/96", "64:ff9b::/96"),
    *("64:ff9b:1::/48", "2001::/32", "fec0::/10", "fe80::/10", "fc00::/7"),
    # metadata services, container credentials, and a function's runtime API
    *("169.254.0.0/16", "fd00:ec2::/32", "fd20:ce::254/128", "100.100.100.200/32", "192.0.0.192/32", "127.0.0.0/8"),
    *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "0.0.0.0/8", "198.18.0.0/15", "240.0.0.0/4"),
)
GLOBAL_TO_PYTHON = ("64:ff9b::a9fe:a9fe", "::ffff:0:127.0.0.1", "3fff::1", "fec0::1", "224.0.0.1", "ff0e::1")
"""What `is_global` of one version of Python or another lets through."""


@pytest.mark.parametrize("block", PROMISED)
def test_every_promised_block_is_refused(block: str) -> None:
    """The first and the last address of a block, and a few hundred between, are refused where nothing is allowed."""
    network = ipaddress.ip_network(block)
    chance = random.Random(block)  # noqa: S311 — the same addresses in every run
    between = [network[chance.randrange(network.num_addresses)] for _ in range(300)]
    let_through = [address for address in (network[0], network[-1], *between) if not refusal(str(address))]
    assert let_through == []


@pytest.mark.parametrize("address", GLOBAL_TO_PYTHON)
def test_what_is_globally_reachable_counts_for_nothing(address: str) -> None:
    """Neither Python's notion of global addresses nor the registries' column opens anything."""
    assert refusal(address) != ""


@pytest.mark.parametrize("address", ["2606:4700::1111", "2a00:1450::1", "fe80::1"])
@pytest.mark.parametrize("zone", ["eth0", "0", "lo", "%", "25eth0"])
def test_any_zone_id_is_refused(address: str, zone: str) -> None:
    """An address with a zone id is refused, however public it is, and whatever is allowed."""
    assert refusal(f"{address}%{zone}", ("::/0",)) in ("zone id", "not an address")


def test_registries_have_a_date_and_what_refreshes_them() -> None:
    """Both files are named by a command that fetches them, with the date of their state, and are whole."""
    told = addresses.__doc__ or ""
    dated = re.search(r"as of (\d{4}-\d\d-\d\d)", told)
    assert dated
    assert dt.date(2026, 1, 1) <= dt.date.fromisoformat(dated[1]) <= dt.datetime.now(dt.UTC).date()
    command = told.partition("To refresh them:")[2]
    (pattern,) = re.findall(r"curl \S+ (\S+)", command)
    root = Path(__file__).parents[2]
    for version in ("4", "6"):
        file = root / pattern.replace("$v", version)
        header, *rows = file.read_text(encoding="utf-8").splitlines()
        assert header.startswith("Address Block,Name,RFC,Allocation Date,Termination Date,Source,Destination,")
        assert f"iana-ipv{version}-special-registry/{file.name}" in command.replace("$v", version)
        assert len(rows) > 20
    assert "do curl -f" in command, "an error page must not take the place of a registry"
