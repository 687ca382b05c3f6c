"""Which addresses may be connected to.

Refused is every block of IANA's two special-purpose registries (RFC 6890; "globally reachable" is ignored, as a
relay or an anycast service is never a web server), multicast, the cloud platforms' own addresses, and every IPv6
address outside the only range given out for global unicast, 2000::/3 (RFC 4291 section 2.4). Python's
`is_global` is not this list.

The registries are kept beside this file as IANA publishes them, as of 2026-07-18. To refresh them:

    for v in 4 6; do curl -fsSLo layers/padlock/padlock/network/iana-ipv$v-special-registry-1.csv \
      https://www.iana.org/assignments/iana-ipv$v-special-registry/iana-ipv$v-special-registry-1.csv; done
"""

import csv
import functools
import importlib.resources
import ipaddress
import os
from collections.abc import Iterator, Sequence

type Address = ipaddress.IPv4Address | ipaddress.IPv6Address
type Network = ipaddress.IPv4Network | ipaddress.IPv6Network
type Range = tuple[int, int, str]
"""First and last address, and the block's name."""

OTHER_BLOCKS = (
    ("224.0.0.0/4", "Multicast"),
    ("168.63.129.16/32", "Azure Platform Address"),
    ("ff00::/8", "Multicast"),
)
"""Refused, though in neither registry."""

NEVER_OPENED = (
    ("0.0.0.0/8", "This network"),  # Linux connects to itself
    ("169.254.0.0/16", "Link Local"),  # 169.254.169.254 and .170.2: instance metadata, container credentials
    ("168.63.129.16/32", "Azure Platform Address"),
    ("100.100.100.200/32", "Alibaba Cloud Metadata"),
    ("192.0.0.192/32", "Oracle Cloud Metadata"),
    ("fd00:ec2::/32", "AWS Instance Services"),  # ::254 metadata, ::23 pod credentials
    ("fd20:ce::254/128", "Google Cloud Metadata"),
    ("fe80::/10", "Link-Local Unicast"),
    # Forms that carry an IPv4 address: the kernel or a gateway would turn them into the ones above.
    ("::ffff:0:0/96", "IPv4-mapped Address"),
    ("::ffff:0:0:0/96", "IPv4-translated Address"),
    ("64:ff9b::/96", "IPv4-IPv6 Translat."),
    ("64:ff9b:1::/48", "IPv4-IPv6 Translat."),
    ("2001::/32", "TEREDO"),
    ("2002::/16", "6to4"),
)
"""Refused whatever a site and the operator declare."""

_FIRST_GLOBAL, _LAST_GLOBAL = (
    int(ipaddress.ip_address("2000::")),
    int(ipaddress.ip_address("3fff:" + "ffff:" * 6 + "ffff")),
)
_LAST_COMPATIBLE = 2**32 - 1
"""::/96, the IPv4-compatible addresses; of these only ::1 can be opened."""
_LONGEST = len("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255")
"""Characters of an address without a zone id; the answer for what is longer is not remembered."""


def refusal(address: str, allowed: Sequence[str] = ()) -> str:
    """Return "" if the address may be connected to, else the name of the block that forbids it.

    `allowed` are CIDR ranges, as `allowed_networks` returns them, that open more than the public addresses.
    """
    look_up = _refusal if len(address) <= _LONGEST else _refusal.__wrapped__
    return look_up(address, tuple(allowed))


@functools.lru_cache(maxsize=1024)
def _refusal(address: str, allowed: tuple[str, ...]) -> str:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return "not an address"
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.scope_id is not None:
        return "zone id"
    block = _block(parsed, _refused(parsed.version))
    if not block and parsed.version == 6 and not _FIRST_GLOBAL <= int(parsed) <= _LAST_GLOBAL:
        block = "outside 2000::/3"
    if not block or not allowed:
        return block
    return block if _is_never_opened(parsed) or not _inside(parsed, allowed) else ""


def is_runtime_api(address: str, port: int) -> bool:
    """Whether a vetted address and port are where Lambda hands a function its events; False outside Lambda.

    That is on loopback, which an operator may allow, and whoever asks it for an event takes it from the function.
    Where the variable has a name in place of an address, the port is closed on loopback.
    """
    host, _, number = os.environ.get("AWS_LAMBDA_RUNTIME_API", "").rpartition(":")
    if number != str(port):
        return False
    parsed = ipaddress.ip_address(address)
    return parsed.is_loopback or str(parsed) == host.strip("[]")


def allowed_networks(site: Sequence[str], operator: Sequence[str]) -> tuple[str, ...]:
    """Return the site's networks that lie inside one of the operator's: neither side opens a range alone."""
    ranges = [ipaddress.ip_network(text, strict=False) for text in operator]
    wanted = [ipaddress.ip_network(text, strict=False) for text in site]
    return tuple(str(network) for network in wanted if any(_is_subnet(network, outer) for outer in ranges))


def _block(address: Address, ranges: Sequence[Range]) -> str:
    value = int(address)
    return next((name for first, last, name in ranges if first <= value <= last), "")


def _is_never_opened(address: Address) -> bool:
    if address.version == 6 and int(address) <= _LAST_COMPATIBLE and int(address) != 1:
        return True
    return bool(_block(address, _never_opened(address.version)))


def _inside(address: Address, allowed: tuple[str, ...]) -> bool:
    return any(address in network for network in _networks(allowed))


def _is_subnet(inner: Network, outer: Network) -> bool:
    return inner.version == outer.version and inner.subnet_of(outer)  # type: ignore[arg-type]


@functools.lru_cache(maxsize=256)
def _networks(allowed: tuple[str, ...]) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(text, strict=False) for text in allowed)


@functools.cache
def _refused(version: int) -> tuple[Range, ...]:
    """Return the refused blocks, the most specific first, so that an address is given its narrowest name."""
    return _ranges(version, [*_registry(version), *OTHER_BLOCKS])


@functools.cache
def _never_opened(version: int) -> tuple[Range, ...]:
    return _ranges(version, NEVER_OPENED)


def _ranges(version: int, blocks: Sequence[tuple[str, str]]) -> tuple[Range, ...]:
    networks = [(ipaddress.ip_network(block), name) for block, name in blocks]
    ranges = [
        (int(network.network_address), int(network.broadcast_address), name)
        for network, name in networks
        if network.version == version
    ]
    return tuple(sorted(ranges, key=lambda entry: (entry[1] - entry[0], entry[0])))


def _registry(version: int) -> Iterator[tuple[str, str]]:
    """Yield the (block, name) pairs of one registry; a cell may hold two blocks, and marks of footnotes."""
    file = importlib.resources.files(__package__) / f"iana-ipv{version}-special-registry-1.csv"
    for row in csv.DictReader(file.read_text(encoding="utf-8").splitlines(keepends=True)):
        for block in row["Address Block"].split(","):
            yield block.split("[")[0].strip(), row["Name"].strip('"')
