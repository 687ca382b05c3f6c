"""Where nginx passes the requests of a host on: proxy_pass and its siblings, `upstream` groups resolved.

Source: nginx's ngx_http_proxy_module and ngx_http_upstream_module.
"""

import re
from collections.abc import Iterable, Iterator

import msgspec

from padlock.evidence import Directive
from padlock.rules._nginx import FAMILIES, Http, Server, walk
from padlock.rules._nginx_names import Matcher

PASSES = ("proxy_pass", "fastcgi_pass", "uwsgi_pass", "grpc_pass", "scgi_pass")
_DEFAULT_PORTS = {"https": 443, "grpcs": 443}


class Pass(msgspec.Struct, frozen=True):
    """One directive that passes requests on."""

    place: str
    """File and line."""
    location: str
    """The arguments of the innermost location around it; empty: it stands in none."""
    targets: tuple[str, ...]
    """Where requests go; one of them is enough."""
    spare: tuple[str, ...] = ()
    """Where they go when none of the targets answers."""


def passes(http: Http, host: str, ports: Iterable[int]) -> tuple[Pass, ...]:
    """Return the passes of the virtual servers that answer a host on these ports, by name or by default."""
    groups = {each.args[0]: each for each in _upstreams(http) if each.args}
    found: dict[int, Pass] = {}
    for server in dict.fromkeys(_servers(http, host, ports)):
        for location, directive in _located("", server.directive.block or ()):
            made = _pass(location, directive, groups)
            if made:
                found.setdefault(id(directive), made)
    return tuple(found.values())


def _servers(http: Http, host: str, ports: Iterable[int]) -> Iterator[Server]:
    sockets = {id(socket): socket for port in ports for family in FAMILIES for socket in http.reached(port, family)}
    for socket in sockets.values():
        match = Matcher(socket).match(host)
        if match:
            yield match.server


def _upstreams(http: Http) -> Iterator[Directive]:
    return (each for each in walk(http.directives) if each.name == "upstream")


def _located(location: str, directives: Iterable[Directive]) -> Iterator[tuple[str, Directive]]:
    for each in directives:
        if each.name in PASSES and each.args:
            yield location, each
        yield from _located(" ".join(each.args) if each.name == "location" else location, each.block or ())


def _pass(location: str, directive: Directive, groups: dict[str, Directive]) -> Pass | None:
    """Return where a directive leads; None where a variable decides."""
    scheme, _, rest = directive.args[0].rpartition("://")
    if "$" in rest:
        return None
    group = groups.get(rest.partition("/")[0])
    if group is None:
        return Pass(directive.place, location, (target(rest, scheme),))
    members = [each for each in group.all("server") if each.args and "down" not in each.args[1:]]
    main = tuple(target(each.args[0], "") for each in members if "backup" not in each.args[1:])
    spare = tuple(target(each.args[0], "") for each in members if "backup" in each.args[1:])
    return Pass(directive.place, location, main or spare, spare if main else ())


def target(text: str, scheme: str = "") -> str:
    """Return one place as `unix:/path` or `host:port`, without the path that requests get there."""
    place = text.rpartition("://")[2]
    if place.startswith("unix:"):
        return "unix:" + place.removeprefix("unix:").partition(":")[0]
    place = place.partition("/")[0].lower()
    return place if re.search(r":\d+$", place) else f"{place}:{_DEFAULT_PORTS.get(scheme, 80)}"
