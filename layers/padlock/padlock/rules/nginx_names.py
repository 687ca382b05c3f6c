"""Whether nginx has a virtual server for each declared host, and only one (checklist step 4: `server_name`).

A default server that is of no site in particular may be meant for the host; one that serves, or sends visitors to,
somebody else's site is not.
"""

import posixpath
from collections.abc import Iterator, Mapping

import msgspec

from padlock.evidence import Directive, Evidence
from padlock.findings import Severity
from padlock.rules._answers import host_of, look, split
from padlock.rules._default_pages import default_page
from padlock.rules._machines import on, reload_nginx, shell
from padlock.rules._nginx import Family, Server, Socket, read
from padlock.rules._nginx_answers import Answer, answer
from padlock.rules._nginx_edits import HOST, substituted, then_reload
from padlock.rules._nginx_hosts import Configured, block_names, concerned, judge
from padlock.rules._nginx_names import Conflict, Match, Matcher
from padlock.rules._rule import Outcome, Problem, rule
from padlock.rules._served import covers
from padlock.rules._subjects import listed, quoted
from padlock.site import Site

ENABLED, DISABLED = "sites-enabled", "sites-disabled"


class Missing(msgspec.Struct, frozen=True):
    """One port on which a host falls to a default server that is not its own."""

    port: int
    family: Family
    socket: Socket
    server: Server
    does: str
    severity: Severity | None


@rule(
    "nginx.server_name_missing",
    Severity.ERROR,
    step=4,
    reads="host",
    summary="nginx lacks the host's name",
    impact="nginx answers the host with its default server: another site, a welcome page, or a refusal.",
    remediation="Add {host} to `server_name` in the site's server block for that port, then `sudo nginx -t && "
    "sudo systemctl reload nginx`. A file in sites-available counts only once it is linked into sites-enabled.",
    reference="checklist step 4; nginx, Server names",
)
def server_name_missing(site: Site, evidence: Evidence) -> Iterator[Outcome]:
    """Find hosts that no server block has on a port where the site answers."""

    def ask(here: Configured) -> Iterator[Outcome]:
        for host in concerned(site, evidence, here):
            found = list(_missing(site, evidence, here, host))
            if not found:
                continue
            first = found[0]
            ports = listed(dict.fromkeys(f"port {each.port}{_over(each)}" for each in found))
            observed = (
                f"no server block on {ports} has {host} in its `server_name`; the default server there, at "
                f"{block_names(first.server)}, {first.does}"
            )
            severity = None if any(each.severity is None for each in found) else first.severity
            lines = then_reload(here, [line for each in found for line in _added(site, evidence, here, host, each)])
            yield Problem(on(host, here.machine), observed, f"`server_name` with {host}", severity, commands=lines)

    yield from judge(site, evidence, ask)


def _over(missing: Missing) -> str:
    return " (IPv6)" if missing.family == "IPv6" else ""


def _missing(site: Site, evidence: Evidence, here: Configured, host: str) -> Iterator[Missing]:
    for port in filter(None, (site.http_port, site.ports.https)):
        for family, ways in here.ways(evidence, host, port):
            if any(match.named for match in ways.values()):
                continue
            socket, match = next(iter(ways.items()))
            wrong = _wrong(evidence, here, host, socket, match)
            if wrong:
                yield Missing(port, family, socket, match.server, *wrong)


def _wrong(
    evidence: Evidence, here: Configured, host: str, socket: Socket, match: Match
) -> tuple[str, Severity | None] | None:
    """Return what a default server does that cannot be meant for the host, and how bad that is."""
    server = match.server
    got = answer(server, host, "/", tls=socket.tls, port=socket.port)
    if got.kind == "unknown":
        return None
    if got.kind in ("https", "http"):
        leads = host_of(got.target)
        if leads == host and not server.catches_all and _circles(server, host, got.target, socket):
            return f"sends visitors to {quoted(leads)} again, in a loop", None
        if not leads or "$" in got.target.split("/")[2] or leads in evidence.hosts:
            return None
        return f"sends visitors to {quoted(leads)}", None
    if socket.tls and any(each.args == ("on",) for each in server.effective("ssl_reject_handshake")):
        return "refuses the handshake", None
    if got.kind == "refused":
        return (
            f"refuses it (`{got.decided.name} {' '.join(got.decided.args)}`)" if got.decided else "refuses it",
            None,
        )
    if not server.catches_all:
        ours = [name for name, _ in server.names if name in evidence.hosts]
        # That it is the site's own block is an accident of its order.
        return (f"is that of {ours[0]}", Severity.WARNING) if ours else ("is another site's", None)
    pages = {page for each in look(evidence, host).seen.values() if (page := default_page(each))}
    if pages:
        return f"shows {listed(sorted(pages))}", None
    if any(here.names(other) for other in evidence.hosts):
        return "is of no site in particular, while other hosts of the site have their own block", None
    return None


def _circles(server: Server, host: str, target: str, socket: Socket) -> bool:
    """Whether a redirect leads to the same socket, and from there to the host once more."""
    parts = split(target)
    if parts is None or (parts.port or (443 if parts.scheme == "https" else 80)) != socket.port:
        return False
    again = answer(server, host, parts.path or "/", tls=socket.tls, port=socket.port)
    return _leads_back(again, host, tls=socket.tls) and parts.scheme == ("https" if socket.tls else "http")


def _added(site: Site, evidence: Evidence, here: Configured, host: str, missing: Missing) -> list[tuple[str, ...]]:
    """Return the edits that give the host's name to the block of its sibling, or whose certificate has it."""
    tls, port = missing.socket.tls, missing.port
    answers = (
        (each, answer(each, host, "/", tls=tls, port=port)) for each in _kin(evidence, here, host, missing.socket)
    )
    # A sibling's block that sends visitors to the host itself would then send them round in a loop.
    fit = (found for found in answers if not _leads_back(found[1], host, tls=tls))
    server, got = next(fit, (None, None))
    stated = next((directive for _, directive in server.names), None) if server else None
    if got is None or stated is None or not HOST.fullmatch(host):
        return [()]
    text = f"server_name {host}"
    if got.kind == "refused" and not tls:
        # certbot's blocks for port 80 redirect each name by an `if` of its own.
        text = f"if ($host = {host}) {{ return 301 https://$host$request_uri; }} {text}"
    elif tls and got.kind == "content" and site.canonical and host != site.canonical:
        text = f"if ($host = {host}) {{ return 301 https://{site.canonical}$request_uri; }} {text}"
    return [substituted(here, stated, r"\bserver_name\b", text, once=rf"[[:space:]]{host}[[:space:];]")]


def _leads_back(got: Answer, host: str, *, tls: bool) -> bool:
    return got.kind == ("https" if tls else "http") and host_of(got.target) == host


def _kin(evidence: Evidence, here: Configured, host: str, socket: Socket) -> Iterator[Server]:
    """Yield the blocks of a socket that are the site's: the one with the host misspelt, its sibling's, its hosts'.

    Who has the host in the certificate may be a stranger that shares it: only a name next to the host's, of which the
    certificate has nothing, is taken for its misspelling.
    """
    misspelt, named = _secured(evidence, here, host)
    wanted = [server for server in socket.servers if server in misspelt]
    yield from (server for server in wanted if any(next_to(name, host) for name, _ in server.names))
    sibling = host.removeprefix("www.") if host.startswith("www.") else f"www.{host}"
    for other in (sibling, *evidence.hosts):
        match = here.matched(socket, other) if other in evidence.hosts else None
        if match and match.named and match.server.names:
            yield match.server
    yield from wanted
    files = {server.directive.file for server in misspelt | named}
    for server in socket.servers:
        if not socket.tls and server.directive.file in files and not server.catches_all:
            yield server


def _secured(evidence: Evidence, here: Configured, host: str) -> tuple[set[Server], set[Server]]:
    """Return the blocks whose certificate has a host: those with a name of the site misspelt, and those with one."""
    misspelt: set[Server] = set()
    named: set[Server] = set()
    for each in here.http.sockets:
        for server in each.servers if each.tls else ():
            names = [name for name, _ in server.names]
            ours = any(name in evidence.hosts for name in names)
            alike = [name for name in names if any(next_to(name, other) for other in evidence.hosts)]
            if not ours and not alike:
                continue
            for pair in here.pairs(each, Match(server, named=True)):
                file = here.file(pair)
                if file is None or file.certificate is None or not covers(file.certificate, host):
                    continue
                if ours:
                    named.add(server)
                elif not any(covers(file.certificate, name) for name in alike):
                    misspelt.add(server)
    return misspelt, named


def next_to(name: str, host: str) -> bool:
    """Whether a name is another one by one slip: a letter too many, too few or wrong, or two that changed places."""
    if name == host or abs(len(name) - len(host)) > 1:
        return False
    start = len(posixpath.commonprefix((name, host)))
    end = len(posixpath.commonprefix((name[start:][::-1], host[start:][::-1])))
    mine, its = name[start : len(name) - end], host[start : len(host) - end]
    return (len(mine) <= 1 and len(its) <= 1) or (len(mine) == 2 and mine == its[::-1])


@rule(
    "nginx.conflicting_server_name",
    Severity.WARNING,
    step=4,
    reads="host",
    summary="two nginx blocks claim one name",
    impact="nginx warns and ignores the later block: changes made there show nothing, and which one counts hangs on "
    "the order of file names.",
    remediation="Keep one of the two blocks. A stale site: remove its link from /etc/nginx/sites-enabled, then "
    "`sudo nginx -t && sudo systemctl reload nginx`.",
    reference="checklist step 4; nginx, ngx_http_server_names",
)
def conflicting_server_name(site: Site, evidence: Evidence) -> Iterator[Outcome]:
    """Find names of the site that two server blocks of one socket state."""

    def ask(here: Configured) -> Iterator[Outcome]:
        clashes: dict[str, dict[Conflict, list[Socket]]] = {}
        for matcher in here.matchers.values():
            for each in matcher.names.conflicts:
                host = _concerns(each.name, evidence)
                if host and each.kept is not each.lost:
                    clashes.setdefault(host, {}).setdefault(each, []).append(matcher.socket)
        for host, found in clashes.items():
            clash, sockets = next(iter(found.items()))
            places = listed(dict.fromkeys(str(socket) for each in found.values() for socket in each))
            observed = (
                f"{quoted(clash.name)} on {places or sockets[0]} stands at {clash.used.place}, which counts, and at "
                f"{listed(dict.fromkeys(each.ignored.place for each in found))}, which is ignored"
            )
            lines = _retired(here, list(found))
            yield Problem(on(host, here.machine), observed, "one server block for the name", commands=lines)

    yield from judge(site, evidence, ask)


def _concerns(name: str, evidence: Evidence) -> str:
    """Return the first host of the site that a name is meant for; empty where it is for none."""
    if name.startswith((".", "*.")):
        suffix = name.removeprefix("*")
        return next((h for h in evidence.hosts if h.endswith(suffix) or (name[0] == "." and h == name[1:])), "")
    if name.endswith(".*"):
        return next((h for h in evidence.hosts if h.startswith(name[:-1])), "")
    return name if name in evidence.hosts else ""


def _retired(here: Configured, clashes: list[Conflict]) -> tuple[str, ...]:
    """Return how the stale one of two files in sites-enabled is put aside, where it is known which that is.

    It is the one whose name says so, or which was last changed earlier; and all that it does the other does too.
    """
    pairs = {(each.kept.directive.file, each.lost.directive.file) for each in clashes}
    if len(pairs) != 1 or here.nginx.test.status != 0:
        return ()
    files = next(iter(pairs))
    stale = _stale(files, here.nginx.files)
    enabled = posixpath.dirname(stale)
    if not stale or posixpath.basename(enabled) != ENABLED or not _spare(here, stale):
        return ()
    # Beside sites-enabled a relative link leads where it led.
    disabled = posixpath.join(posixpath.dirname(enabled), DISABLED)
    made, moved, there = (
        shell(line) for line in (("mkdir", "-p", disabled), ("mv", stale, f"{disabled}/"), (stale,))
    )
    if not there:
        return ()
    # Two names may have the same stale file.
    return (*made, f"[ ! -e {there[0]} ] || {moved[0]}", reload_nginx(here.machine))


def _stale(files: tuple[str, str], changed: Mapping[str, object]) -> str:
    marks = ("old", "bak", "backup", "orig", "save", "copy", "dpkg", "disabled", "~")
    marked = [file for file in files if any(mark in posixpath.basename(file).lower() for mark in marks)]
    if files[0] == files[1] or len(marked) == 2:
        return ""
    if marked:
        return marked[0]
    times = sorted((str(changed.get(file, "")), file) for file in files)
    return times[0][1] if times[0][0] and times[0][0] != times[1][0] else ""


def _spare(here: Configured, file: str) -> bool:
    """Whether every name that a file's blocks state is another block's too, on each of their sockets."""
    rest = read(tuple(_without(here.http.directives, file)))
    kept = {(socket.address, socket.port): Matcher(socket) for socket in rest.sockets}
    for server in (each for each in here.http.servers if each.directive.file == file):
        for listen in server.listens:
            matcher = kept.get((listen.address, listen.port))
            found = [matcher.match(name) if matcher else None for name, _ in server.names]
            if not all(match and match.named for match in found) or not found:
                return False
    return True


def _without(directives: tuple[Directive, ...], file: str) -> Iterator[Directive]:
    for each in directives:
        if each.file != file:
            block = each.block if each.block is None else tuple(_without(each.block, file))
            yield msgspec.structs.replace(each, block=block)
