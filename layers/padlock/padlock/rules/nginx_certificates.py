"""Whether nginx's certificate paths are current (checklist step 9): certbot's links in live/, and what they lead to.

Renewal writes a new numbered file into archive/ and turns the link in live/ to it; whoever names the numbered file,
or a copy, stays with the old certificate.
"""

import posixpath
import re
from collections.abc import Iterator

import msgspec

from padlock.evidence import Certificate, CertificateFile, Evidence, Lineage, organisation
from padlock.findings import Severity
from padlock.rules._lineages import lost, number, of_host
from padlock.rules._machines import on, unread
from padlock.rules._nginx import Socket
from padlock.rules._nginx_answers import answer
from padlock.rules._nginx_edits import PATH, argument, then_reload
from padlock.rules._nginx_hosts import Configured, Pair, concerned, judge, known_lineage
from padlock.rules._nginx_names import Match
from padlock.rules._rule import Outcome, Problem, Unknown, rule
from padlock.rules._served import covers, fits
from padlock.rules._subjects import listed, moment, quoted
from padlock.rules.certificate import renewal_due
from padlock.site import Site

ARCHIVE, LIVE = "/etc/letsencrypt/archive/", "/etc/letsencrypt/live/"
FAULTS = {
    "missing": "does not exist",
    "unreadable": "cannot be read",
    "malformed": "is no certificate in PEM form",
}
KEY_FAULTS = {**FAULTS, "malformed": "is no private key in PEM form"}
_MADE_UP = re.compile(r"\$|\A(data|engine|store):")
"""Paths that are made up for each request, or lie in no file."""
_NONE = (
    "certbot has no valid certificate for {host} that nginx could name. nginx may still serve the one that is gone "
    "from memory: do not restart it. Bring /etc/letsencrypt back from a backup, or have the certificate issued "
    "anew, until `sudo certbot certificates` shows it; then `sudo nginx -t && sudo systemctl reload nginx`."
)


class Fault(msgspec.Struct, frozen=True):
    """What is wrong with one pair of paths."""

    text: str
    expected: str = "certbot's links in /etc/letsencrypt/live"
    severity: Severity | None = None


@rule(
    "nginx.certificate_path",
    Severity.ERROR,
    step=9,
    reads="host",
    summary="nginx's certificate path is wrong",
    impact="nginx does not start with it, serves another site's certificate, or stays with an old one that no "
    "renewal reaches.",
    remediation="Name certbot's links: `ssl_certificate /etc/letsencrypt/live/NAME/fullchain.pem;` and "
    "`ssl_certificate_key /etc/letsencrypt/live/NAME/privkey.pem;`, with the NAME that `sudo certbot certificates` "
    "shows for {host}. Then `sudo nginx -t && sudo systemctl reload nginx`.",
    reference="checklist step 9; certbot, Where are my certificates?",
)
def certificate_path(site: Site, evidence: Evidence) -> Iterator[Outcome]:
    """Find paths in nginx that do not lead to certbot's current certificate of the host, or to no pair at all."""

    def ask(here: Configured) -> Iterator[Outcome]:
        if why := unread(here.machine, "certificates"):
            yield Unknown(on(site.name, here.machine), why)
            return
        for host in concerned(site, evidence, here):
            yield from _judged(site, evidence, here, host)

    yield from judge(site, evidence, ask)


def _judged(site: Site, evidence: Evidence, here: Configured, host: str) -> Iterator[Outcome]:
    subject = on(host, here.machine)
    for pair in presented(site, evidence, here, host):
        file = here.file(pair)
        if _MADE_UP.search(pair.certificate.args[0]) or (pair.key and _MADE_UP.search("".join(pair.key.args))):
            continue
        if file is None:
            path = quoted(here.http.path(pair.certificate.args[0]))
            yield Unknown(subject, f"nothing was gathered of {path}", partial=here.machine.certificates is not None)
            continue
        if fault := _fault(evidence, here, host, file):
            lines = _pointed(evidence, here, host, pair, file)
            observed = f"{fault.text}, at {pair.certificate.place}"
            kept = any(line.valid for line in of_host(here.machine, host))
            remedy = _NONE if file.fault == "missing" and not kept and lost(here.machine, host) else ""
            yield Problem(subject, observed, fault.expected, fault.severity, remedy, lines)
            return


def presented(site: Site, evidence: Evidence, here: Configured, host: str) -> Iterator[Pair]:
    """Yield the certificates that nginx presents to the host's visitors, each once."""
    seen: set[Pair] = set()
    for _, ways in here.ways(evidence, host, site.ports.https):
        for socket, match in ways.items():
            if socket.tls and (match.named or _takes_in(match, host, socket)):
                for pair in here.pairs(socket, match):
                    if pair not in seen:
                        seen.add(pair)
                        yield pair


def _takes_in(match: Match, host: str, socket: Socket) -> bool:
    """Return whether a default server is meant for the host, and does not just turn away what nobody names."""
    return match.server.catches_all and answer(match.server, host, "/", tls=True, port=socket.port).kind != "refused"


def _fault(evidence: Evidence, here: Configured, host: str, file: CertificateFile) -> Fault | None:
    if file.fault:
        return Fault(f"ssl_certificate {quoted(file.path)} {FAULTS[file.fault]}", "a certificate")
    if file.key_fault:
        return Fault(f"ssl_certificate_key {quoted(file.key_path)} {KEY_FAULTS[file.key_fault]}", "its private key")
    if file.key_matches is False:
        return Fault(f"{quoted(file.key_path)} is not the key of {quoted(file.path)}", "the certificate's own key")
    path = here.http.path(file.path)
    if path.startswith(ARCHIVE):
        return Fault(f"ssl_certificate names a numbered file, {quoted(path)}, that no renewal touches")
    if path.startswith(LIVE) and file.real_path == path:
        return Fault(f"{quoted(path)} is a file of its own where certbot keeps a link: no renewal reaches it")
    if path.startswith(LIVE) and posixpath.basename(path) == "cert.pem":
        return Fault(f"{quoted(path)} is the certificate without its chain", "fullchain.pem")
    return _other(evidence, here, host, path, file)


def _other(evidence: Evidence, here: Configured, host: str, path: str, file: CertificateFile) -> Fault | None:
    """Return what is wrong with a sound pair that is not certbot's for the host."""
    lines = [line for line in of_host(here.machine, host) if line.valid]
    leaf = file.certificate
    if not lines or leaf is None or any(path in (line.path, _sibling(line)) for line in lines):
        return None
    best = max(lines, key=lambda line: line.not_after or evidence.gathered_at)
    has = f"certbot has {quoted(best.name)} for {host}"
    if not covers(leaf, host):
        return Fault(f"{quoted(path)} is for {listed(leaf.dns_names, 5) or 'no name'}; {has}", quoted(best.path))
    if leaf.not_after and leaf.not_after <= evidence.gathered_at:
        return Fault(f"{quoted(path)} expired on {moment(leaf.not_after)}; {has}", quoted(best.path))
    if path.startswith(LIVE) or file.real_path.startswith(ARCHIVE):
        return None  # a second certificate of certbot's, still valid, or a link to one
    if number(leaf.serial) in {number(line.serial) for line in lines}:
        unhooked = here.machine.certbot is not None and here.machine.certbot.reload_hook is False
        text = f"{quoted(path)} is a copy of certbot's certificate, which no renewal changes"
        return Fault(text, severity=Severity.WARNING) if unhooked else None
    if _stale(evidence, leaf, best, file):
        return Fault(
            f"{quoted(path)} is an earlier certificate, due for renewal; {has}, a newer one", quoted(best.path)
        )
    return None


def _stale(evidence: Evidence, leaf: Certificate, line: Lineage, file: CertificateFile) -> bool:
    """Whether a certificate is one that certbot has renewed elsewhere since: a forgotten copy."""
    if leaf.not_before is None or leaf.not_after is None or line.not_after is None:
        return False
    late = leaf.not_after - evidence.gathered_at < renewal_due(leaf.not_after - leaf.not_before)
    acme = organisation(leaf.issuer) == "Let's Encrypt"
    return late and acme and leaf.not_after < line.not_after and set(leaf.dns_names) <= set(line.names)


def _sibling(line: Lineage) -> str:
    """Return the lineage's other file with a certificate in it."""
    return posixpath.join(posixpath.dirname(line.path), "cert.pem")


def _pointed(evidence: Evidence, here: Configured, host: str, pair: Pair, file: CertificateFile) -> tuple[str, ...]:
    """Return the lines that name certbot's links, where its certificate fits all blocks that share the directive."""
    users = [server for server in here.http.servers if pair.certificate in server.effective("ssl_certificate")]
    typed = [name for server in users for name, _ in server.names if "." in name[1:] and name[0] not in "~*.$"]
    hosts = list(dict.fromkeys([host, *(name for name in typed if name in evidence.hosts)]))
    lineage = known_lineage(here, hosts) or known_lineage(here, [host])
    current = here.http.path(pair.certificate.args[0]), here.http.path(pair.key.args[0]) if pair.key else ""
    if not lineage or lineage == current or not pair.key or not all(map(PATH.fullmatch, lineage)):
        return ()
    names = next((line.names for line in of_host(here.machine, host) if line.path == lineage[0]), ())
    if not all(any(fits(known.lower(), name) for known in names) for name in typed if name not in evidence.hosts):
        return ()
    edits = [
        argument(here, directive, path)
        for directive, path, old in zip((pair.certificate, pair.key), lineage, current, strict=True)
        if path != old
    ]
    blamed = any(path in here.nginx.test.output for path in (*pair.certificate.args, *pair.key.args, *current))
    return then_reload(here, edits, invalid=blamed)
