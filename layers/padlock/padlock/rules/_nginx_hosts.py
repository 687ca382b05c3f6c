"""The site's hosts as the nginx of a machine answers them: its sockets, its virtual servers, its certificates.

A host that another audited machine names, and this one does not, is not this one's to answer.
"""

import posixpath
from collections.abc import Callable, Iterator
from functools import cached_property

import msgspec

from padlock.evidence import CertificateFile, Directive, Evidence, Host, Nginx
from padlock.rules._answers import look
from padlock.rules._default_pages import default_page
from padlock.rules._lineages import of_host
from padlock.rules._machines import each, machines, on, unread
from padlock.rules._nginx import FAMILIES, Family, Http, Server, Socket, read, walk
from padlock.rules._nginx_names import Match, Matcher
from padlock.rules._rule import NotApplicable, Outcome, Unknown
from padlock.rules._subjects import listed, resolved
from padlock.site import Site

MOST_SOCKETS = 64
"""Sockets of one port that are looked at; beyond them nothing is said."""


PROXY_PARAMS = "proxy_params"
"""Debian's file with the four headers for an app."""
HARMLESS = frozenset(
    {
        "mime.types",
        "fastcgi_params",
        "fastcgi.conf",
        "uwsgi_params",
        "scgi_params",
        "options-ssl-nginx.conf",
        PROXY_PARAMS,
    }
)
"""Files of nginx's and certbot's packages that say nothing of names, sockets, certificates or redirects."""
GATHERED = frozenset({"conf.d", "sites-enabled", "default.d", "snippets", "modules-enabled"})
"""Directories whose files the collector always takes."""


class Pair(msgspec.Struct, frozen=True):
    """One ssl_certificate and its ssl_certificate_key."""

    certificate: Directive
    key: Directive | None


class Configured(msgspec.Struct, frozen=True, dict=True):
    """One machine's nginx and its configuration."""

    machine: Host
    nginx: Nginx
    http: Http

    @cached_property
    def matchers(self) -> dict[tuple[str, int], Matcher]:
        """Address and port → how names are looked up there."""
        return {(socket.address, socket.port): Matcher(socket) for socket in self.http.sockets}

    @cached_property
    def lines(self) -> dict[tuple[str, int], set[Directive]]:
        """File and line → the directives that begin there."""
        found: dict[tuple[str, int], set[Directive]] = {}
        for directive in walk(self.http.directives):
            bare = msgspec.structs.replace(directive, block=None)
            found.setdefault((directive.file, directive.line), set()).add(bare)
        return found

    @cached_property
    def groups(self) -> frozenset[str]:
        """The names of all `upstream` blocks."""
        blocks = (each for http in self.http.directives if http.name == "http" for each in http.all("upstream"))
        return frozenset(name for each in blocks for name in each.args[:1])

    def matched(self, socket: Socket, host: str) -> Match | None:
        """Return which virtual server of a socket answers a host; None: unsure."""
        return self.matchers[socket.address, socket.port].match(host)

    def names(self, host: str) -> bool:
        """Whether any socket has a virtual server for the host by its name, or may have one."""
        found = (self.matched(socket, host) for socket in self.http.sockets)
        return any(match is None or match.named for match in found)

    def ways(self, evidence: Evidence, host: str, port: int) -> Iterator[tuple[Family, dict[Socket, Match]]]:
        """Yield, of each kind of address that the host has, the sockets of a port and what answers the host there.

        Where one of them is not sure, nothing is yielded of that kind.
        """
        for family in families(evidence, host):
            dns = resolved(evidence, host)
            sockets = self.http.reached(port, family, dns.addresses if dns else ())
            found = {socket: self.matched(socket, host) for socket in sockets[:MOST_SOCKETS]}
            sure = {socket: match for socket, match in found.items() if match}
            if sure and len(sure) == len(sockets):
                yield family, sure

    def pairs(self, socket: Socket, match: Match) -> tuple[Pair, ...]:
        """Return the certificates that a virtual server presents; without its own it has the default server's."""
        for server in (match.server, socket.default):
            certificates = server.effective("ssl_certificate")
            keys = server.effective("ssl_certificate_key")
            if certificates:
                return tuple(
                    Pair(certificate, keys[index] if index < len(keys) else None)
                    for index, certificate in enumerate(certificates)
                    if len(certificate.args) == 1
                )
        return ()

    def file(self, pair: Pair) -> CertificateFile | None:
        """Return what is known of a certificate's files; None: nothing, or its path is made up for each request."""
        path = self.http.path(pair.certificate.args[0])
        key = self.http.path(pair.key.args[0]) if pair.key and pair.key.args else ""
        known = [file for file in self.machine.certificates or () if self.http.path(file.path) == path]
        exact = [file for file in known if self.http.path(file.key_path) == key]
        return next(iter(exact or known), None)


def families(evidence: Evidence, host: str) -> tuple[Family, ...]:
    """Return the kinds of addresses that a host has; IPv4 where that is not known."""
    dns = resolved(evidence, host)
    addresses = dns.addresses if dns else ()
    found = tuple(family for family in FAMILIES if any((":" in each) is (family == "IPv6") for each in addresses))
    return found or ("IPv4",)


def configured(site: Site, machine: Host) -> Configured | Unknown | NotApplicable:
    """Return a machine's nginx, or why its configuration cannot be judged."""
    subject = on(site.name, machine)
    nginx = machine.nginx
    if nginx is None:
        return NotApplicable(f"nginx is not installed on {machine.name}")
    if why := unread(machine, "nginx_config"):
        return Unknown(subject, why)
    if nginx.configuration is None:
        return Unknown(subject, f"nginx's configuration was not read: {nginx.unread or 'there is none'}")
    if nginx.test.status != 0 and (lost := next(_lost(nginx.configuration), None)):
        return Unknown(subject, f"`nginx -t` fails, and what {lost.place} includes was not gathered")
    try:
        return Configured(machine, nginx, read(nginx.configuration))
    except ValueError as fault:
        return Unknown(subject, f"nginx's configuration was not read: {fault}")


def _lost(configuration: tuple[Directive, ...]) -> Iterator[Directive]:
    """Yield each `include` of files that may say what is asked here, and that are not in the configuration.

    A valid configuration has all that it includes; of one that is not valid the collector takes the usual files.
    """
    for directive in walk(configuration):
        if directive.name == "include" and directive.block is None and directive.args:
            folder, _, name = directive.args[0].rpartition("/")
            if name not in HARMLESS and posixpath.basename(folder) not in GATHERED:
                yield directive


def aside(site: Site, evidence: Evidence, machine: Host) -> Unknown | NotApplicable | None:
    """Return why a stopped nginx has no say, so that its files say nothing of the site; None: it has one."""
    if machine.nginx is None or machine.nginx.running is not False:
        return None
    others = takers(site, machine)
    # Of several machines one may be down while the others answer.
    fleet = any(each.nginx and each.nginx.running for each in evidence.host or ())
    if answered(evidence) and (others or not fleet):
        return NotApplicable(f"nginx on {machine.name} is not what serves the site")
    if others:
        subject = on(site.name, machine)
        return Unknown(subject, f"nginx does not run there, and in its place listens {listed(others, 3)}")
    return None


def takers(site: Site, machine: Host) -> list[str]:
    """Return the other programs that listen on the site's ports."""
    ports = (site.http_port, site.ports.https)
    others = [each for each in machine.listeners or () if each.port in ports and each.process != "nginx"]
    return list(dict.fromkeys(f"{each.process or 'another program'} on port {each.port}" for each in others))


def answered(evidence: Evidence) -> bool:
    """Whether the site answers visitors well."""
    for host in evidence.hosts:
        seen = look(evidence, host).seen.values()
        if any((answer.status or 500) < 500 and not default_page(answer) for answer in seen):
            return True
    return False


def judge(site: Site, evidence: Evidence, question: Callable[[Configured], Iterator[Outcome]]) -> Iterator[Outcome]:
    """Yield what a question yields of every machine whose configuration can be judged."""

    def ask(machine: Host) -> Iterator[Outcome]:
        here = aside(site, evidence, machine) or configured(site, machine)
        yield from question(here) if isinstance(here, Configured) else [here]

    yield from each(evidence, ask)


def concerned(site: Site, evidence: Evidence, here: Configured) -> list[str]:
    """Return the hosts that a machine has to answer."""
    named = [host for host in evidence.hosts if here.names(host)]
    if len(named) == len(evidence.hosts):
        return named
    others = [
        other
        for machine in machines(evidence)
        if isinstance(machine, Host) and machine.name != here.machine.name
        if isinstance(other := configured(site, machine), Configured)
    ]
    taken = {host for host in evidence.hosts if any(other.names(host) for other in others)}
    apart = {host for host in evidence.hosts if named and not any(_together(evidence, host, one) for one in named)}
    return [host for host in evidence.hosts if host in named or host not in taken | apart]


def _together(evidence: Evidence, host: str, other: str) -> bool:
    """Whether two hosts may live on one machine: they have an address in common, or one has none that is known."""
    mine, its = (set(found.addresses) if (found := resolved(evidence, one)) else set() for one in (host, other))
    return not mine or not its or not mine.isdisjoint(its)


def known_lineage(here: Configured, hosts: list[str]) -> tuple[str, str] | None:
    """Return certificate and key of certbot's valid certificate for these hosts, the longest valid one."""
    if not hosts:
        return None
    found = [line for line in of_host(here.machine, hosts[0]) if line.valid and line.path and line.key_path]
    found = [line for line in found if all(line in of_host(here.machine, host) for host in hosts)]
    faulty = {file.path for file in here.machine.certificates or () if file.fault or file.key_fault}
    sound = [line for line in found if line.path not in faulty]
    best = max(sound, key=lambda line: line.not_after.timestamp() if line.not_after else 0.0, default=None)
    return (best.path, best.key_path) if best else None


def block_names(server: Server) -> str:
    """Return a virtual server by its place and first names."""
    names = [name for name, _ in server.names][:3]
    return f"{server.directive.place} ({' '.join(names)})" if names else server.directive.place
