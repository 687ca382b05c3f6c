"""What a scenario is: a site of the lab, how it is broken, and what Padlock must say of it."""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from tests.lab.pki import Leaf

WEB = "45.83.1.1"
"""The address of the shared web server: most sites are server blocks here, beside a default server."""
WEB_6 = "2a0f:5c40:1::1"
DEAD, DEAD_6 = "45.83.66.1", "2a0f:5c40:66::1"
"""Nothing answers, not even an error: a firewall that drops everything."""
UNREACHABLE = "45.83.67.1"
"""The router answers `host unreachable`."""
NAMESERVERS: Mapping[str, str] = {
    "ns1": "45.83.53.1",
    "ns2": "45.83.53.2",
    "ns3": "45.83.53.3",  # the same server as ns2, for zones that it does not have
    "odd": "45.83.53.9",  # publishes what no real server would load
    "dead": "45.83.66.53",
}

PROXY = "location / { proxy_pass http://unix:gunicorn.sock; include proxy_params; proxy_redirect off; }"
"""The checklist's location: everything to Gunicorn's socket."""
UPGRADE = "return 301 https://$host$request_uri;"
"""The checklist's block for port 80."""

type ServiceKind = Literal[
    "filtered",
    "banner",
    "silent",
    "reset",
    "broken_certificate",
    "client_certificate",
    "ssl3",
    "werkzeug",
    "werkzeug_debugger",
]


class Block(msgspec.Struct, frozen=True):
    """One server block of nginx."""

    hosts: str
    body: str
    port: int = 443
    address: str = WEB
    listen: str = ""
    """Parameters of `listen`; empty: `ssl http2` on 443, none on 80."""
    leaves: tuple[str, ...] = ("",)
    """Keys of Scenario.leaves; two where RSA and ECDSA are both served."""

    @property
    def parameters(self) -> str:
        """What stands behind the address in `listen`."""
        return self.listen or ("ssl http2" if self.port == 443 else "")

    @property
    def tls(self) -> bool:
        """Whether the socket speaks TLS."""
        return "ssl" in self.parameters.split()


class Service(msgspec.Struct, frozen=True):
    """A server that nginx cannot play, at an address and port of its own."""

    kind: ServiceKind
    address: str
    port: int = 443


class Scenario(msgspec.Struct, frozen=True):
    """One site: by default healthy, at the shared address, behind nginx and Gunicorn, apex canonical."""

    code: str
    """The code that it shows; empty: a healthy site."""
    name: str
    says: str = ""
    """Text in the finding's subject or in what was observed."""
    first: str = ""
    """The code that must stand first; empty: `code`."""
    also: tuple[str, ...] = ()
    """Codes that may stand beside it."""
    severity: str = "error"
    proofs: tuple[tuple[str, str], ...] = ()
    """Commands of the checker's side, and what they must print (a regular expression)."""

    declare: Mapping[str, Any] = {}
    """What the owner declares beside the name."""
    records: str = f"@ A {WEB}\nwww A {WEB}"
    """The zone's data beside SOA and NS."""
    records_2: str = ""
    """What ns2 serves instead; empty: the same."""
    elsewhere: str = ""
    """Address that the filtering resolver gives for both hosts, as geographic DNS does; empty: those of the zone."""
    nameservers: tuple[str, ...] = ("ns1", "ns2")
    """Empty: the zone is not delegated, so the name does not exist."""
    dns: str = ""
    """What the `odd` server does with this zone: a key of tests.lab.odd_servers.BEHAVIOURS."""
    signed: Literal["", "valid", "expired"] = ""
    """Whether the zone is signed, which the resolvers insist on, and with what kind of signatures."""
    registered_days: float | None = 200
    """Days until the domain's registration ends; None: the registry knows nothing of it."""
    registration_status: tuple[str, ...] = ("active",)
    """In RDAP's words."""
    address: str = WEB
    http: str = UPGRADE
    """Body of the block for port 80, both hosts; empty: nothing listens there for them."""
    page: str = PROXY
    """Body of the canonical host's block for 443."""
    sibling: str = ""
    """Body of the other host's block; empty: it redirects to the canonical one."""
    canonical: Literal["apex", "www"] = "apex"
    blocks: tuple[Block, ...] | None = None
    """Server blocks in place of those that the fields above describe."""
    more_blocks: tuple[Block, ...] = ()
    leaves: Mapping[str, Leaf] = msgspec.field(default_factory=lambda: {"": Leaf()})
    services: tuple[Service, ...] = ()
    private_ca: bool = False
    """It declares the root of the authority `unknown` as its private CA."""
    app: str = "shop"
    """The Flask app behind Gunicorn: a key of tests.lab.app.APPS."""

    @property
    def apex(self) -> str:
        """The zone's name."""
        return self.name.removeprefix("www.")

    @property
    def hosts(self) -> tuple[str, str]:
        """The canonical host and its sibling."""
        pair = (self.apex, f"www.{self.apex}")
        return pair if self.canonical == "apex" else (pair[1], pair[0])

    @property
    def server_blocks(self) -> tuple[Block, ...]:
        """Every server block of nginx."""
        return (*(self._standard() if self.blocks is None else self.blocks), *self.more_blocks)

    def file(self, leaf: str) -> str:
        """Return the name of one of its certificates' files."""
        return f"{self.name}.{leaf}" if leaf else self.name

    def _standard(self) -> tuple[Block, ...]:
        canonical, sibling = self.hosts
        moved = self.sibling or f"return 301 https://{canonical}$request_uri;"
        plain = (Block(" ".join(self.hosts), self.http, 80, self.address),) if self.http else ()
        return (*plain, Block(canonical, self.page, 443, self.address), Block(sibling, moved, 443, self.address))


def own(number: int) -> str:
    """Return an address of a scenario's own; nothing listens there but what the scenario starts."""
    return f"45.83.2.{number}"


def own_6(number: int) -> str:
    """Return the like in IPv6."""
    return f"2a0f:5c40:2::{number:x}"


def both(address: str) -> str:
    """Return zone records that put apex and www at one address."""
    return f"@ A {address}\nwww A {address}"
