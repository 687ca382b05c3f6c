"""Where the checker looks from: its resolvers, trust anchors and what the operator allows."""

import msgspec

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
    deadline: float = 30.0
    """Seconds of wall clock for one site."""
    region: str = "local"
