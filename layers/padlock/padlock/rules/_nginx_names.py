"""Which virtual server answers a name: nginx's `server_name`, in its order.

Exact names first, then the longest leading wildcard (`*.example.com`, and `.example.com`, which is the name itself
too), the longest trailing one (`www.example.*`), the first regular expression; else the socket's default server.
Of a name that two servers of one socket state, the first counts: nginx warns and ignores the other.

Sources: https://nginx.org/en/docs/http/server_names.html; nginx's ngx_hash_add_key and ngx_http_server_names.
"""

from functools import cached_property

import msgspec

from padlock.evidence import Directive
from padlock.rules._nginx import Server, Socket
from padlock.rules._nginx_patterns import searches

MOST_REGEXES = 50


class Conflict(msgspec.Struct, frozen=True):
    """A name that a second virtual server of a socket states in vain."""

    name: str
    used: Directive
    """The `server_name` that counts."""
    ignored: Directive
    kept: Server
    lost: Server


class Names(msgspec.Struct, dict=True):
    """The names of one socket."""

    exact: dict[str, tuple[Server, Directive]] = {}
    reserved: dict[str, tuple[Server, Directive]] = {}
    """Exact names, and `.example.com` as `example.com`: what nginx compares an exact name with."""
    leading: dict[str, tuple[Server, Directive, bool]] = {}
    """Suffix → server, its directive, and whether the suffix itself is meant too."""
    trailing: dict[str, tuple[Server, Directive]] = {}
    patterns: list[tuple[str, Server]] = []
    conflicts: list[Conflict] = []
    variable: bool = False
    """One of the names is `$hostname`, the machine's own."""

    def add(self, name: str, server: Server, directive: Directive) -> None:
        """Take a name as nginx does: the first that states it counts."""
        if name.startswith("~"):
            self.patterns.append((name[1:], server))
            return
        if name == "$hostname":
            self.variable = True
            return
        taken = self._taken(name)
        if taken:
            self.conflicts.append(Conflict(name, taken[1], directive, taken[0], server))
        if name.startswith("."):
            self.reserved.setdefault(name[1:], (server, directive))
        if taken:
            return
        if name.startswith((".", "*.")):
            self.leading[name.removeprefix("*")[1:]] = server, directive, name.startswith(".")
        elif name.endswith(".*"):
            self.trailing[name[:-2]] = server, directive
        else:
            self.reserved[name] = self.exact[name] = server, directive

    def _taken(self, name: str) -> tuple[Server, Directive] | None:
        if name.startswith("*."):
            found = self.leading.get(name[2:])
        elif name.startswith("."):
            return self.reserved.get(name[1:]) or (found[:2] if (found := self.leading.get(name[1:])) else None)
        elif name.endswith(".*"):
            return self.trailing.get(name[:-2])
        else:
            return self.reserved.get(name)
        return found[:2] if found else None


class Match(msgspec.Struct, frozen=True):
    """The virtual server that answers a host."""

    server: Server
    named: bool
    """By one of its names; otherwise as the default server."""


class Matcher(msgspec.Struct, frozen=True, dict=True):
    """One socket, as it looks names up."""

    socket: Socket

    @cached_property
    def names(self) -> Names:
        """What its servers' names come to."""
        names = Names(exact={}, reserved={}, leading={}, trailing={}, patterns=[], conflicts=[])
        for server in self.socket.servers:
            for name, directive in server.names:
                names.add(name, server, directive)
        return names

    def match(self, host: str) -> Match | None:
        """Return which server answers a host; None: a name that cannot be judged from here may be its own."""
        names = self.names
        if found := names.exact.get(host):
            return Match(found[0], named=True)
        if names.variable:
            return None
        labels = host.split(".")
        for start in range(len(labels)):
            wild = names.leading.get(".".join(labels[start:]))
            if wild and (start or wild[2]):
                return Match(wild[0], named=True)
        for end in range(len(labels) - 1, 0, -1):
            if tail := names.trailing.get(".".join(labels[:end])):
                return Match(tail[0], named=True)
        for tried, (pattern, server) in enumerate(names.patterns):
            fits = searches(server.levels).search(pattern, host) if tried < MOST_REGEXES else None
            if fits is None:
                return None
            if fits:
                return Match(server, named=True)
        return Match(self.socket.default, named=False)
