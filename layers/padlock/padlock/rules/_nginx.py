"""nginx's configuration as nginx means it: virtual servers, the sockets that they share, inherited directives.

Sources: nginx's ngx_http_core_module (listen), ngx_http.c (ngx_http_add_listen, ngx_http_add_addresses).
"""

import ipaddress
import posixpath
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Literal

import msgspec

from padlock.evidence import Directive

type Family = Literal["IPv4", "IPv6"]
FAMILIES: tuple[Family, ...] = ("IPv4", "IPv6")
LARGEST = 200_000
"""Names on all sockets together; a server with a thousand sites has some 8,000."""
RANGE = 20
"""Ports of a range that are looked at: a site is on one."""


class Listen(msgspec.Struct, frozen=True):
    """One `listen` of a virtual server."""

    address: str
    """`*`, `::`, an address, a host name, or `unix:` with a path."""
    port: int
    """0 for a unix socket."""
    options: frozenset[str]
    """Such as ssl, default_server, http2, proxy_protocol, ipv6only=off."""
    directive: Directive | None
    """None: the block has no `listen`, which is port 80."""


class Level(msgspec.Struct, frozen=True, dict=True, eq=False):
    """What stands directly between one pair of braces."""

    directives: tuple[Directive, ...]

    @cached_property
    def named(self) -> dict[str, tuple[Directive, ...]]:
        """Name → the directives of it, in their order."""
        found: dict[str, list[Directive]] = {}
        for each in self.directives:
            found.setdefault(each.name, []).append(each)
        return {name: tuple(each) for name, each in found.items()}


type Levels = tuple[Level, ...]
"""Of `http`, of a virtual server, and of each location within it, the innermost last."""


class Server(msgspec.Struct, frozen=True, dict=True, eq=False):
    """One virtual server: a `server` block, with what it inherits."""

    directive: Directive
    levels: Levels
    """Of `http`, and of the block itself."""

    @cached_property
    def listens(self) -> tuple[Listen, ...]:
        """Its sockets; those that cannot be read are left out."""
        stated = [each for each in self.directive.all("listen") if each.args]
        read = [listen for each in stated for listen in _listens(each)]
        return tuple(read) if stated else (Listen("*", 80, frozenset(), None),)

    @cached_property
    def names(self) -> tuple[tuple[str, Directive], ...]:
        """Its names in lower case, each with the directive that states it, in their order."""
        stated = self.directive.all("server_name")
        return tuple((arg if arg.startswith("~") else arg.lower(), each) for each in stated for arg in each.args)

    @property
    def catches_all(self) -> bool:
        """Whether it is of no site in particular: it has no name that a visitor could type."""
        return all(name in ("", "_", "localhost", "default") or name.startswith("-") for name, _ in self.names)

    def effective(self, name: str) -> tuple[Directive, ...]:
        """Return the directives of this name that hold in the block."""
        return effective(self.levels, name)


class Socket(msgspec.Struct, frozen=True, dict=True):
    """One address and port, and the virtual servers that share it, in their order."""

    address: str
    port: int
    members: tuple[tuple[Server, Listen], ...]

    @cached_property
    def servers(self) -> tuple[Server, ...]:
        """The virtual servers on it, in their order."""
        return tuple(server for server, _ in self.members)

    @cached_property
    def options(self) -> frozenset[str]:
        """What any `listen` of it says: nginx takes them together."""
        return frozenset(option for _, listen in self.members for option in listen.options)

    @cached_property
    def default(self) -> Server:
        """The virtual server for names that none has."""
        marked = (server for server, listen in self.members if listen.options & {"default_server", "default"})
        return next(marked, self.members[0][0])

    @cached_property
    def tls(self) -> bool:
        """Whether TLS is spoken on it; `ssl on` is how it was said before nginx 1.15."""
        return "ssl" in self.options or any(each.args == ("on",) for each in self.default.effective("ssl"))

    @property
    def families(self) -> tuple[Family, ...]:
        """Which kinds of visitors come to it; none to a unix socket or a loopback address."""
        if self.address == "*":
            return ("IPv4",)
        if self.address == "::":
            return ("IPv6", "IPv4") if "ipv6only=off" in self.options else ("IPv6",)
        try:
            known = ipaddress.ip_address(self.address)
        except ValueError:
            return ()
        return () if known.is_loopback else ("IPv4" if known.version == 4 else "IPv6",)

    def __str__(self) -> str:
        """Return it as a person would write it."""
        address = f"[{self.address}]" if ":" in self.address else self.address
        return f"{address}:{self.port}"


class Http(msgspec.Struct, frozen=True, dict=True):
    """The `http` block: what nginx does with requests."""

    servers: tuple[Server, ...]
    directives: tuple[Directive, ...]
    """All of the configuration."""

    @cached_property
    def sockets(self) -> tuple[Socket, ...]:
        """Every TCP socket, in the order in which they are first named."""
        members: dict[tuple[str, int], list[tuple[Server, Listen]]] = {}
        for server in self.servers:
            for listen in server.listens:
                members.setdefault((listen.address, listen.port), []).append((server, listen))
        return tuple(Socket(*place, tuple(found)) for place, found in members.items() if place[1])

    @cached_property
    def prefix(self) -> str:
        """The directory from which relative paths count: that of the main file."""
        main = next((each.file for each in self.directives if each.name == "http"), "/etc/nginx/nginx.conf")
        return posixpath.dirname(main)

    def path(self, name: str) -> str:
        """Return a file's name as an absolute path."""
        return name if name.startswith("/") else f"{self.prefix}/{name}"

    def reached(self, port: int, family: Family, addresses: Iterable[str] = ()) -> tuple[Socket, ...]:
        """Return the sockets to which a visitor of a port may come.

        A socket of one of the host's public addresses takes all that come there. Otherwise the machine's own address
        may be any that a `listen` names, as behind address translation.
        """
        found = [socket for socket in self.sockets if socket.port == port and family in socket.families]
        exact = tuple(socket for socket in found if socket.address in addresses)
        return exact or tuple(found)


def read(configuration: tuple[Directive, ...]) -> Http:
    """Return what a configuration means for HTTP; ValueError says why that would take too long to find out."""
    servers = []
    work = 0
    for http in (each for each in configuration if each.name == "http"):
        outer = Level(http.block or ())
        for block in http.all("server"):
            server = Server(block, (outer, Level(block.block or ())))
            work += len(server.listens) * (1 + len(server.names))
            if work > LARGEST:
                raise ValueError(f"its virtual servers have more than {LARGEST:,} names and sockets")
            servers.append(server)
    return Http(tuple(servers), configuration)


def effective(levels: Levels, name: str) -> tuple[Directive, ...]:
    """Return the directives of a name at the innermost level that has any: there they replace all outer ones."""
    return next((found for level in reversed(levels) if (found := level.named.get(name, ()))), ())


def walk(directives: Iterable[Directive]) -> Iterator[Directive]:
    """Yield directives and all that stands between their braces, in the order of the files."""
    for each in directives:
        yield each
        yield from walk(each.block or ())


def _listens(directive: Directive) -> Iterator[Listen]:
    place, *options = directive.args
    if place.startswith("unix:"):
        yield Listen(place, 0, frozenset(options), directive)
        return
    if place.isdecimal() or ("-" in place and place.replace("-", "").isdecimal()):
        address, ports = "*", place
    elif place.startswith("["):
        address, _, ports = place[1:].partition("]")
        ports = ports.removeprefix(":")
    else:
        address, _, ports = place.partition(":")
    first, _, last = ports.partition("-")
    if not all(part.isdecimal() and len(part) <= 5 for part in (first or "80", last or "80")):
        return
    start = int(first or 80)
    for port in range(start, min(int(last or start), start + RANGE - 1) + 1):
        yield Listen(_address(address), port, frozenset(options), directive)


def _address(text: str) -> str:
    if text in ("", "*", "0.0.0.0"):  # noqa: S104 — the configuration's, nothing is bound
        return "*"
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return text.lower()
