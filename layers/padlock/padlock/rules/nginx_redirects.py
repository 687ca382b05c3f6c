"""Whether nginx listens for HTTPS, and sends plain HTTP there (checklist steps 4 and 7).

TLS may end in front of nginx, at a load balancer or CDN that redirects too: what visitors see decides.
"""

from collections.abc import Iterator

from padlock.evidence import Directive, Evidence
from padlock.findings import Severity
from padlock.rules._answers import REDIRECTS, asked, target
from padlock.rules._machines import on
from padlock.rules._nginx import Server, Socket
from padlock.rules._nginx_answers import Answer, answer
from padlock.rules._nginx_edits import PATH, REDIRECT, before, substituted, then_reload
from padlock.rules._nginx_hosts import Configured, block_names, concerned, judge, known_lineage
from padlock.rules._nginx_names import Match
from padlock.rules._rule import NotApplicable, Outcome, Problem, rule
from padlock.rules._subjects import ports
from padlock.site import Site

DEEP = "/padlock-probe/path"
UNNAMED = (
    "No server block that is enabled names {host}. Link the site's file: `sudo ln -s ../sites-available/FILE "
    "/etc/nginx/sites-enabled/` (`grep -l {host} /etc/nginx/sites-available/*` shows which), then `sudo nginx -t && "
    "sudo systemctl reload nginx`. It needs `listen 443 ssl;` with ssl_certificate and ssl_certificate_key; without "
    "them, `sudo certbot --nginx -d {host}` adds them."
)
"""Where the site's own file is not enabled, certbot would have no block to add HTTPS to."""


@rule(
    "nginx.no_https_listener",
    Severity.ERROR,
    step=(4, 7),
    reads="host",
    summary="nginx does not listen for HTTPS",
    impact="HTTPS does not answer, so that browsers show an error, and a redirect from HTTP leads nowhere.",
    remediation="`sudo certbot --nginx -d {host}` writes the server block for port 443; by hand: `listen 443 ssl;` "
    "and `listen [::]:443 ssl;` with ssl_certificate and ssl_certificate_key of /etc/letsencrypt/live. Then "
    "`sudo nginx -t && sudo systemctl reload nginx`.",
    reference="checklist step 4",
)
def no_https_listener(site: Site, evidence: Evidence) -> Iterator[Outcome]:
    """Find hosts for which nginx has no socket with TLS, while nothing else ends TLS for them."""
    port = site.ports.https

    def ask(here: Configured) -> Iterator[Outcome]:
        if any(each.port == port and each.process != "nginx" for each in here.machine.listeners or ()):
            return
        for host in concerned(site, evidence, here):
            sockets = [socket for _, ways in here.ways(evidence, host, port) for socket in ways]
            unsure = any(socket.port == port for socket in here.http.sockets) and not sockets
            if unsure or any(socket.tls for socket in sockets) or _secured(evidence, host):
                continue
            if not sockets and not _answered(site, evidence, here, host):
                continue
            observed = f"no `listen` of nginx is for port {port}"
            if sockets:
                observed = f"`listen` for port {port} has no `ssl`, at {block_names(sockets[0].servers[0])}"
            # Where nobody saw the port fail, TLS may end in front of this machine.
            severity = None if _failed(evidence, host) else Severity.WARNING
            lines = _listening(site, evidence, here, host, sockets)
            fix = "" if here.names(host) else UNNAMED.format(host=host)
            expected = f"`listen {port} ssl`"
            yield Problem(on(host, here.machine), observed, expected, severity, remediation=fix, commands=lines)

    yield from judge(site, evidence, ask)


def _secured(evidence: Evidence, host: str) -> bool:
    """Whether visitors of the host reach a server that speaks TLS."""
    looks = evidence.tls.named() if evidence.tls else iter(())
    return any(look.host == host and (look.chain or not look.failure) for look in looks)


def _failed(evidence: Evidence, host: str) -> bool:
    looks = [look for look in (evidence.tls.named() if evidence.tls else ()) if look.host == host]
    states = ports(evidence, host, "https")
    return any(look.failure for look in looks) or any(state.failure and not state.failure.is_ours for state in states)


def _answered(site: Site, evidence: Evidence, here: Configured, host: str) -> list[Server]:
    """Return the blocks that answer the host over plain HTTP as its own."""
    ways = here.ways(evidence, host, site.http_port) if site.http_port else iter(())
    return [match.server for _, found in ways for match in found.values() if match.named or match.server.catches_all]


def _listening(site: Site, evidence: Evidence, here: Configured, host: str, sockets: list[Socket]) -> tuple[str, ...]:
    """Return how a certificate that is there comes into use: `ssl` where it is missing, or HTTPS beside HTTP.

    Only a block that states the host is changed: another one, the default server too, would be shown as the site.
    """
    ours = evidence.hosts
    bare = [
        listen.directive
        for socket in sockets
        for server, listen in socket.members
        if server.effective("ssl_certificate") and listen.directive and any(_states(server, each) for each in ours)
    ]
    if bare:
        pattern = r"\blisten\([^;]*\);"
        return then_reload(here, [substituted(here, each, pattern, r"listen\1 ssl;") for each in dict.fromkeys(bare)])
    server = next((each for each in _answered(site, evidence, here, host) if _states(each, host)), None)
    anchor = _anchor(server)
    wanted = [name for name in evidence.hosts if server and name in {stated for stated, _ in server.names}]
    lineage = known_lineage(here, wanted or [host])
    content = server is not None and answer(server, host, "/").kind == "content"
    if sockets or not server or not anchor or not lineage or not content or not all(map(PATH.fullmatch, lineage)):
        return ()
    v6 = any(listen.address == "::" for listen in server.listens)
    listens = f"listen {site.ports.https} ssl;" + (f" listen [::]:{site.ports.https} ssl;" if v6 else "")
    certificate = f"ssl_certificate {lineage[0]}; ssl_certificate_key {lineage[1]};"
    # A block without `listen` is on port 80, which ends with its first one.
    plain = "" if server.directive.block and any(server.directive.all("listen")) else "listen 80; "
    redirect = f"if ($scheme = http) {{ {REDIRECT} }}"
    return then_reload(here, [before(here, anchor, f"{plain}{listens} {certificate} {redirect}")])


def _states(server: Server, host: str) -> bool:
    """Whether a block's `server_name` has a host, by itself or by a wildcard before it."""
    parent = host.partition(".")[2]
    return any(name in (host, f".{host}", f".{parent}", f"*.{parent}") for name, _ in server.names)


def _anchor(server: Server | None) -> Directive | None:
    """Return the first directive of a block, if it stands in the block's own file."""
    first = next(iter(server.directive.block or ()), None) if server else None
    return first if first and server and first.file == server.directive.file else None


@rule(
    "nginx.no_redirect",
    Severity.ERROR,
    step=(7, 4),
    reads="host",
    summary="nginx does not redirect HTTP",
    impact="Visitors who type the name stay on plain HTTP: anyone on their way can read and change what they see.",
    remediation="Let the server block for port 80 do nothing but redirect: `server { listen 80; listen [::]:80; "
    "server_name {host}; return 301 https://$host$request_uri; }`, then `sudo nginx -t && "
    "sudo systemctl reload nginx`.",
    reference="checklist step 7",
)
def no_redirect(site: Site, evidence: Evidence) -> Iterator[Outcome]:
    """Find hosts whose server block for plain HTTP serves something else than a redirect."""
    port = site.http_port
    if port is None:
        yield NotApplicable("plain HTTP is closed on purpose")
        return

    def ask(here: Configured) -> Iterator[Outcome]:
        for host in concerned(site, evidence, here):
            yield from _plain(site, evidence, here, host, port)

    yield from judge(site, evidence, ask)


def _plain(site: Site, evidence: Evidence, here: Configured, host: str, port: int) -> Iterator[Problem]:
    for _, ways in here.ways(evidence, host, port):
        found = [_bad(evidence, host, socket, match) for socket, match in ways.items()]
        bad = next((each for each in found if each), None)
        if not bad or not all(found):
            continue
        server, path, got = bad
        how = (
            f"`{got.decided.name} {' '.join(got.decided.args)}` at {got.decided.place}"
            if got.decided
            else "its files"
        )
        verb = "serves" if got.kind == "content" else "refuses"
        observed = f"the server block for port {port} at {block_names(server)} {verb} {path} in clear: {how}"
        seen = [each for each in asked(evidence, host, "front", "http") if each.status is not None]
        lines = _redirected(site, evidence, here, host, server)
        severity = None if seen else Severity.WARNING
        yield Problem(on(host, here.machine), observed, f"`{REDIRECT}`", severity, commands=lines)
        return


def _bad(evidence: Evidence, host: str, socket: Socket, match: Match) -> tuple[Server, str, Answer] | None:
    """Return the first path that is not redirected, by nginx or by anybody before or behind it."""
    server = match.server
    if socket.tls or not (match.named or server.catches_all):
        return None
    for path in ("/", DEEP):
        got = answer(server, host, path, port=socket.port)
        if got.kind in ("content", "refused") and not _redirects(evidence, host, path):
            return server, path, got
    return None


def _redirects(evidence: Evidence, host: str, path: str) -> bool:
    """Whether visitors of a path are redirected to HTTPS, whoever does it."""
    answers = asked(evidence, host, "front" if path == "/" else "deep", "http")
    seen = [each for each in answers if each.status is not None]
    leads = [target(each.url, each.header("location")) for each in seen if each.status in REDIRECTS]
    return bool(seen) and len(leads) == len(seen) and all(each.startswith("https://") for each in leads)


def _redirected(site: Site, evidence: Evidence, here: Configured, host: str, server: Server) -> tuple[str, ...]:
    """Return how a block redirects, ACME's challenges aside, where HTTPS has a block of its own or is this one's."""
    sockets = [socket for _, ways in here.ways(evidence, host, site.ports.https) for socket in ways if socket.tls]
    anchor = _anchor(server)
    if not sockets or not anchor:
        return ()
    shared = any(server in socket.servers for socket in sockets)
    test = "$scheme = http" if shared else r'$request_uri !~ "^/[.]well-known/acme-challenge/"'
    return then_reload(here, [before(here, anchor, f"if ({test}) {{ {REDIRECT} }}")])
