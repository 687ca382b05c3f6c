"""Certificates that were renewed on a machine's disk while visitors still get the old one (checklist FAQ).

nginx reads certificate files when it starts its workers. A file that is newer than they are is not served before a
reload; where they are newer, something in front of nginx serves a certificate of its own, and that is wrong only once
that one should have been renewed.
"""

from collections.abc import Container

import msgspec

from padlock.evidence import Certificate, CertificateFile, Evidence, Host, organisation
from padlock.rules._lineages import number
from padlock.rules._machines import machines, reload_nginx, unread
from padlock.rules._rule import Problem, Unknown
from padlock.rules._served import Served, covers
from padlock.rules._subjects import moment, quoted
from padlock.rules.certificate import renewal_due

_HOOK = (
    " For the next time: `sudo certbot renew --deploy-hook 'systemctl reload nginx' --dry-run`, and the same hook as "
    "a file in `/etc/letsencrypt/renewal-hooks/deploy/`."
)
_NOT_RELOADED = (
    "`sudo nginx -t && sudo systemctl reload nginx`, then compare the serial: `openssl s_client -connect {host}:443 "
    "-servername {host} </dev/null | openssl x509 -noout -serial -dates`." + _HOOK
)
_OTHER_FILE = (
    "`sudo nginx -T | grep -n ssl_certificate` names the files that nginx uses: name the newer one there, `sudo "
    "nginx -t && sudo systemctl reload nginx`. `sudo certbot certificates` shows which certificate is in which file; "
    "what nothing uses any more goes with `sudo certbot delete --cert-name NAME`."
)
_IN_FRONT = (
    "nginx has read the new file, so something in front of it (a load balancer, a CDN, another proxy) serves its "
    "own: upload or renew the certificate there. `dig +short {host}` shows where visitors arrive."
)


class OnDisk(msgspec.Struct, frozen=True):
    """One certificate file of one machine."""

    machine: Host
    file: CertificateFile
    leaf: Certificate


def holding(evidence: Evidence) -> tuple[OnDisk, ...]:
    """Return the certificate files of the machines that can be judged."""
    if evidence.host is None:
        return ()
    return tuple(
        OnDisk(machine, file, file.certificate)
        for machine in machines(evidence)
        if not isinstance(machine, Unknown) and not unread(machine, "certificates")
        for file in machine.certificates or ()
        if file.certificate
    )


def newer_on_disk(
    evidence: Evidence, found: tuple[OnDisk, ...], item: Served, known: Container[int]
) -> Problem | None:
    """Return what is wrong with one served certificate; `known` are the serials of all that are served."""
    newer = [one for one in found if number(one.leaf.serial) not in known and _replaces(evidence, one.leaf, item)]
    if not newer:
        return None
    best = max(newer, key=lambda one: (_unread(one), one.leaf.not_before))
    still = next((one for one in found if number(one.leaf.serial) == number(item.leaf.serial)), None)
    lines: tuple[str, ...] = ()
    if still is None and _unread(best):
        why, fix, lines = "; nginx has not read the file since", _NOT_RELOADED, (reload_nginx(best.machine),)
    elif not late(evidence, item.leaf):
        return None
    elif still:
        why, fix = f"; the served one lies in {quoted(still.file.path)}", _OTHER_FILE
    else:
        why, fix = "; it should have been renewed by now", _IN_FRONT if _read(best) else _NOT_RELOADED
    observed = f"serial {item.leaf.serial}{_since(item.leaf)} is served; {quoted(best.file.path)} on "
    observed += f"{best.machine.name} holds serial {best.leaf.serial}{_since(best.leaf)} of the same authority{why}"
    return Problem("", observed, f"serial {best.leaf.serial}", remediation=fix, commands=lines)


def _replaces(evidence: Evidence, leaf: Certificate, item: Served) -> bool:
    """Whether a certificate on disk is what should be served by now: newer, of the same issuer, for the same host."""
    old = item.leaf
    if not (leaf.not_before and leaf.not_after and old.not_before and old.not_after):
        return False
    if (leaf.not_before, leaf.not_after) <= (old.not_before, old.not_after):
        return False
    known = organisation(leaf.issuer) or leaf.issuer
    same = known == (organisation(old.issuer) or old.issuer)
    return same and leaf.not_after > evidence.gathered_at and covers(leaf, item.handshake.host)


def _unread(one: OnDisk) -> bool:
    """Whether a worker of nginx's is known to be older than the file."""
    nginx, changed = one.machine.nginx, one.file.modified
    return bool(nginx and nginx.running and changed and any(start < changed for start in nginx.workers_started))


def _read(one: OnDisk) -> bool:
    """Whether all workers of nginx's are known to be newer than the file."""
    nginx, changed = one.machine.nginx, one.file.modified
    return bool(nginx and nginx.workers_started and changed and min(nginx.workers_started) > changed)


def late(evidence: Evidence, leaf: Certificate) -> bool:
    """Whether a program that renews a certificate would have done so by now."""
    if leaf.not_before is None or leaf.not_after is None:
        return False
    return leaf.not_after - evidence.gathered_at < renewal_due(leaf.not_after - leaf.not_before)


def _since(leaf: Certificate) -> str:
    return f" of {moment(leaf.not_before)}" if leaf.not_before else ""
