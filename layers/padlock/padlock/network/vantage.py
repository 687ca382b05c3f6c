"""Where the checker looks from: its resolvers, trust anchors and what the operator allows."""

import ipaddress
from collections.abc import Mapping, Sequence

import msgspec

from padlock.network.limits import SITE_SECONDS

type Endpoint = tuple[str, int]
"""Address and port."""

PUBLIC_RESOLVERS: tuple[Endpoint, ...] = (("1.1.1.1", 53), ("8.8.8.8", 53), ("9.9.9.9", 53))


class Vantage(msgspec.Struct, frozen=True):
    """One vantage point; the operator's, not the site's."""

    resolvers: tuple[Endpoint, ...] = ()
    """Recursive resolvers, tried in order; empty: those of /etc/resolv.conf."""
    public_resolvers: tuple[Endpoint, ...] = PUBLIC_RESOLVERS
    nameserver_port: int = 53
    """Port of authoritative servers; another one only in tests."""
    networks: tuple[str, ...] = ()
    """CIDR ranges beyond the public ones that sites may declare."""
    ca_file: str = ""
    """PEM file of trust anchors beside the public roots; empty: none."""
    services: Mapping[str, str] = {}
    """Service (`rdap`, `ari`, `ct`) → base URL that is asked in place of the public one, on any port. `crl`: the
    place of lists that certificates name."""
    deadline: float = SITE_SECONDS
    """Seconds of wall clock for one site."""
    region: str = "local"


def from_environment(environment: Mapping[str, str]) -> Vantage:
    """Return the vantage point of a deployed function, as its stack's parameters set it; ValueError for a wrong one.

    Where the operator names resolvers of their own, public ones are not asked unless they are named too: such names
    need not exist outside.
    """
    resolvers = tuple(endpoint(text) for text in _listed(environment.get("RESOLVERS", "")))
    search = environment.get("CT_SEARCH_URL", "").strip()
    return Vantage(
        resolvers=resolvers,
        public_resolvers=_public(environment.get("PUBLIC_RESOLVERS", "").strip(), resolvers),
        networks=tuple(str(ipaddress.ip_network(text)) for text in _listed(environment.get("ALLOWED_NETWORKS", ""))),
        services={"ct": search} if search else {},
        region=environment.get("AWS_REGION", "local"),
    )


def _public(text: str, resolvers: tuple[Endpoint, ...]) -> tuple[Endpoint, ...]:
    if text.lower() == "none":
        return ()
    return tuple(endpoint(entry) for entry in _listed(text)) or public_beside(resolvers)


def public_beside(resolvers: Sequence[Endpoint]) -> tuple[Endpoint, ...]:
    """Return the public resolvers that are asked where none are named."""
    return () if resolvers else PUBLIC_RESOLVERS


def endpoint(text: str) -> Endpoint:
    """Read `IP`, `IP:PORT` or `[IPv6]:PORT`; ValueError where it is none."""
    address, port = text, "53"
    if text.startswith("[") and "]" in text:
        address, _, rest = text[1:].partition("]")
        port = rest.removeprefix(":") or port
    elif text.count(":") == 1:
        address, _, port = text.partition(":")
    if not port.isdecimal() or not 1 <= int(port) <= 65535:
        raise ValueError(f"{text!r} has no port from 1 to 65535; write 192.0.2.1, 192.0.2.1:5353 or [2001:db8::1]:53")
    return str(ipaddress.ip_address(address)), int(port)


def _listed(text: str) -> list[str]:
    return [entry.strip() for entry in text.split(",") if entry.strip()]
