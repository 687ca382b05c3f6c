"""Where nginx passes the requests of a host on, `upstream` groups resolved, and which of it answers for the app.

Source: nginx's ngx_http_proxy_module, ngx_http_upstream_module, and ngx_http_core_module (try_files, error_page).
"""

import re
from collections.abc import Iterable, Iterator

import msgspec

from padlock.evidence import Directive
from padlock.rules._answers import host_of, path_of
from padlock.rules._nginx import FAMILIES, Http, Level, Levels, Server, Socket, effective, walk
from padlock.rules._nginx_answers import SCRIPTED, Answer, answer, locate
from padlock.rules._nginx_names import Matcher

PASSES = ("proxy_pass", "fastcgi_pass", "uwsgi_pass", "grpc_pass", "scgi_pass")
CHALLENGE = "/.well-known/acme-challenge"
MOST = 40
"""Paths and named locations that are followed from one path; nginx itself ends at ten redirects."""
_DEFAULT_PORTS = {"https": 443, "grpcs": 443}
_ODD = "/-/no/such/page"


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
    app: bool = True
    """The front page or the health path comes from there, as far as can be told; otherwise a side location's."""


def passes(http: Http, host: str, ports: Iterable[int], paths: Iterable[str] = ("/",)) -> tuple[Pass, ...]:
    """Return the passes of the virtual servers that answer a host on these ports, by name or by default.

    Those that serve one of the paths are the app's. certbot's own server of challenges runs only while it renews.
    """
    groups = {each.args[0]: each for each in _upstreams(http) if each.args}
    found: dict[int, Pass] = {}
    for server, socket in _servers(http, host, ports):
        if _redirects_all(server, host, socket):
            continue
        served = [_served(server, host, path, socket) for path in paths]
        for location, directive in _located("", server.directive.block or ()):
            made = None if CHALLENGE in location else _pass(location, directive, groups)
            if made:
                app = any(one is None or directive in one for one in served)
                before = found.get(id(directive))
                found[id(directive)] = msgspec.structs.replace(made, app=app or (before is not None and before.app))
    return tuple(found.values())


def _servers(http: Http, host: str, ports: Iterable[int]) -> Iterator[tuple[Server, Socket]]:
    sockets = {id(socket): socket for port in ports for family in FAMILIES for socket in http.reached(port, family)}
    seen: set[tuple[int, int, bool]] = set()
    for socket in sockets.values():
        match = Matcher(socket).match(host)
        if match and (one := (id(match.server), socket.port, socket.tls)) not in seen:
            seen.add(one)
            yield match.server, socket


def _redirects_all(server: Server, host: str, socket: Socket) -> bool:
    """Whether a virtual server turns away every request of a host before it looks for a location."""
    first, second = (_answer(server, host, path, socket) for path in ("/", _ODD))
    if first.decided is None or first.decided is not second.decided or first.decided.name != "return":
        return False
    outside = [each for each in server.levels[-1].directives if each.name != "location"]
    return any(each is first.decided for each in walk(outside))


def _answer(server: Server, host: str, path: str, socket: Socket) -> Answer:
    return answer(server, host, path, tls=socket.tls, port=socket.port)


def _served(server: Server, host: str, path: str, socket: Socket) -> list[Directive] | None:
    """Return the passes that answer a path of a host; None: that cannot be told."""
    given = _answer(server, host, path, socket)
    if given.kind == ("https" if socket.tls else "http") and host_of(given.target) == host:
        path = path_of(given.target).partition("?")[0]
    elif given.kind in ("https", "http", "refused"):
        return []
    return _from(server, path, {path})


def _from(server: Server, path: str, seen: set[str]) -> list[Directive] | None:
    found = locate(server.levels, path)
    return _within(server, found[0], path, seen) if found else None


def _within(server: Server, levels: Levels, path: str, seen: set[str]) -> list[Directive] | None:
    """Return the passes of the location that a path falls into, and of those that it hands the request to."""
    block = [each for each in levels[-1].directives if each.name != "location"]
    found = [directive for _, directive in _located("", block)]
    followed = [_follow(server, goal, seen) for goal in _goals(levels, path, bool(found))]
    for each in followed:
        found += each or []
    unsure = None in followed or any(
        each.name in ("rewrite", "if") or SCRIPTED.fullmatch(each.name) for each in block
    )
    return found if found or not unsure else None


def _goals(levels: Levels, path: str, found: bool) -> Iterator[str]:
    """Yield the paths and named locations that a location hands its requests to."""
    yield from (each.args[0] for each in effective(levels, "auth_request") if each.args and each.args[0] != "off")
    tried = [each for each in levels[-1].named.get("try_files", ()) if each.args]
    yield from (each.args[-1] for each in tried)
    if found:
        return
    if path.endswith("/") and all(any(word.endswith("/") for word in each.args[:-1]) for each in tried):
        yield from (f"{path}{name}" for each in effective(levels, "index") for name in each.args)
    for page in effective(levels, "error_page"):
        if {"403", "404", "405"} & set(page.args[:-1]):
            yield page.args[-1]
    for back in levels[-1].named.get("return", ()):
        yield back.args[-1]


def _follow(server: Server, goal: str, seen: set[str]) -> list[Directive] | None:
    if goal in seen or len(seen) >= MOST:
        return []
    seen.add(goal)
    if goal.startswith("@"):
        named = next((each for each in server.levels[-1].named.get("location", ()) if each.args == (goal,)), None)
        return _within(server, (*server.levels, Level(named.block or ())), goal, seen) if named else []
    path = re.split(r"[?$]", goal)[0]
    return _from(server, path, seen) if path.startswith("/") else []


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
