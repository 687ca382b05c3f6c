"""What nginx's configuration says of how certbot may get a certificate: the challenges' web root, the name expected.

Source: RFC 8555 section 8.3; certbot's webroot plugin, which writes below ROOT/.well-known/acme-challenge.
"""

import re

from padlock.evidence import Host
from padlock.rules._nginx import FAMILIES, Http, Level, Server, effective, read, walk
from padlock.rules._nginx_names import Matcher

_PATH = "/.well-known/acme-challenge/"
_LIVE = re.compile(r"/etc/letsencrypt/live/([A-Za-z0-9][A-Za-z0-9.-]*)/[a-z]+\.pem")


def webroot(machine: Host, hosts: list[str]) -> str:
    """Return the one directory from which port 80 serves the challenges of all these hosts; empty: none is known."""
    http = _http(machine)
    found = {_root(http, host) for host in hosts} if http else set()
    return found.pop() if len(found) == 1 else ""


def expected_name(machine: Host, hosts: list[str]) -> str:
    """Return the certificate of certbot's whose files nginx names for these hosts; empty: none, or several."""
    http = _http(machine)
    servers = [each for each in http.servers if {name for name, _ in each.names} & set(hosts)] if http else []
    paths = {each.args[0] for server in servers for each in server.effective("ssl_certificate") if each.args}
    names = {found[1] for path in paths if (found := _LIVE.fullmatch(path))}
    return names.pop() if len(names) == 1 else ""


def _http(machine: Host) -> Http | None:
    try:
        return read((machine.nginx.configuration if machine.nginx else None) or ())
    except ValueError:
        return None


def _root(http: Http, host: str) -> str:
    sockets = {id(socket): socket for family in FAMILIES for socket in http.reached(80, family)}
    matches = [Matcher(socket).match(host) for socket in sockets.values()]
    roots = {_served(match.server) if match else "" for match in matches}
    return roots.pop() if len(roots) == 1 else ""


def _served(server: Server) -> str:
    """Return the root of the location of challenges; one with an alias is not certbot's layout."""
    for each in walk(server.directive.block or ()):
        if each.name == "location" and each.args and each.block and _PATH.startswith(each.args[-1].rstrip("/") + "/"):
            if each.args[-1] == "/":
                continue
            roots = effective((*server.levels, Level(each.block)), "root")
            return roots[0].args[0] if roots and roots[0].args and roots[0].args[0].startswith("/") else ""
    return ""
