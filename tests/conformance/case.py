"""What a case of the corpus is: one server configuration, what Padlock must say of it, and why others differ."""

from collections.abc import Mapping
from typing import Literal

import msgspec

from tests.conformance.authority import Leaf

type Opinion = Literal["accepts", "warns", "refuses"]
type Peer = Literal["chromium", "curl", "openssl", "testssl"]

DOMAIN = "badssl.test"
CONTENT = f"http://content.{DOMAIN}"
"""Where mixed content comes from; it is there, so that nothing is refused because it is missing."""
TO_HTTPS = "return 301 https://$host$request_uri;"
MODERN = "ssl_protocols TLSv1.2 TLSv1.3;"
PEERS: tuple[Peer, ...] = ("chromium", "curl", "openssl", "testssl")
_BLIND: tuple[Peer, ...] = ("openssl", "testssl")
"""Peers that see no page."""
_UNASKED: Mapping[str, tuple[Peer, ...]] = {
    "content": _BLIND,
    "upgrade": _BLIND,
    "http": _BLIND,
    "cipher": ("testssl",),
}


class Verdict(msgspec.Struct, frozen=True):
    """What one program makes of one server."""

    opinion: Opinion
    """`accepts`: a visitor gets the page; `warns`: gets it with a fault; `refuses`: does not get it."""
    why: str = ""


class Case(msgspec.Struct, frozen=True):
    """One server configuration; the default is a healthy site on nginx."""

    name: str
    section: str
    leaf: Leaf = Leaf()
    subdomain: str = ""
    """Labels before the domain; empty: the name."""
    fqdn: str = ""
    """The whole host, where it is none of the corpus' domain."""
    server: Literal["nginx", "openssl", "gnutls"] = "nginx"
    options: str = ""
    """Of `openssl s_server`, or gnutls-serv's priority string."""
    tls: str = MODERN
    """nginx directives of the HTTPS server block."""
    http2: bool = True
    head: str = ""
    """HTML behind the title."""
    page: str = ""
    """HTML of the body, behind its heading."""
    headers: Mapping[str, str] = {}
    http: str = TO_HTTPS
    """nginx directives of the plain server block; empty: its port is closed."""
    https: bool = True
    """Whether the HTTPS port is open."""
    start: Literal["https", "http"] = "https"
    """The scheme that a visitor begins with."""
    codes: tuple[str, ...] = ()
    """Every code that Padlock must find as a warning or an error, and no other."""
    unasked: tuple[Peer, ...] = ()
    """Peers that never come to an end with it, or to another one each time."""
    reasons: Mapping[str, str] = {}
    """Why a peer's opinion differs from Padlock's; one that differs no more is an error."""

    @property
    def host(self) -> str:
        """The host that a visitor asks for."""
        return self.fqdn or f"{self.subdomain or self.name}.{DOMAIN}"

    def peers(self) -> tuple[Peer, ...]:
        """Return who is asked: of pages only those that see them, of ciphers not testssl.sh, which takes minutes."""
        unasked = (*_UNASKED.get(self.section, ()), *self.unasked)
        return tuple(peer for peer in PEERS if peer not in unasked)
