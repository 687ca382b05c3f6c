"""certbot's certificates on a machine, and whether a host's certificate is certbot's affair there at all.

Behind a load balancer, or with a certificate bought by hand, nothing is wrong where certbot has none.
"""

import posixpath
import re
from collections.abc import Iterator

from padlock.evidence import Certificate, CertificateFile, Evidence, Host, Lineage, organisation
from padlock.rules._challenge_places import expected_name
from padlock.rules._machines import machines, unread
from padlock.rules._rule import Unknown
from padlock.rules._served import Served, covers, fits, served
from padlock.rules._subjects import quoted

BY_HTTP = frozenset({"nginx", "webroot", "standalone", "apache"})
"""Authenticators that answer the authority's challenge on port 80 (HTTP-01)."""
LETSENCRYPT = "/etc/letsencrypt/"


def number(serial: str) -> int:
    """Return a serial number whatever its zeros and case; 0 where it is none."""
    try:
        return int(serial, 16)
    except ValueError:
        return 0


def lineages(machine: Host) -> tuple[Lineage, ...]:
    """Return what is known of certbot's certificates on a machine."""
    return (machine.certbot.lineages if machine.certbot else None) or ()


def of_host(machine: Host, host: str) -> tuple[Lineage, ...]:
    """Return certbot's certificates that have a host's name."""
    return tuple(line for line in lineages(machine) if any(fits(name.lower(), host) for name in _names(line)))


def _names(line: Lineage) -> tuple[str, ...]:
    """Return a certificate's names; where certbot cannot read its configuration, it is called by its first."""
    return line.names or (re.sub(r"-\d{4}$", "", line.name),)


def files_of_host(machine: Host, host: str) -> Iterator[tuple[CertificateFile, Certificate]]:
    """Yield the certificate files on a machine that have a host's name, with their leaf."""
    for file in machine.certificates or ():
        if file.certificate and covers(file.certificate, host):
            yield file, file.certificate


def is_certbots(machine: Host, file: CertificateFile) -> bool:
    """Whether a file is one of certbot's, by where it lies, where its link leads, or by its serial number."""
    if any(_below(path) for path in (file.path, file.real_path)):
        return True
    serial = number(file.certificate.serial) if file.certificate else 0
    return bool(serial) and any(number(line.serial) == serial for line in lineages(machine))


def _below(path: str) -> bool:
    return posixpath.normpath(path).startswith(LETSENCRYPT)


def lost(machine: Host, host: str) -> str:
    """Return the name of certbot's certificate whose files nginx names for a host and that are gone; empty: none.

    nginx serves it from memory until it is started anew, so that visitors still get what the disk has no more.
    """
    gone = [file.path for file in machine.certificates or () if file.fault == "missing" and _below(file.path)]
    name = expected_name(machine, [host]) if gone else ""
    return name if name and any(path.startswith(f"{LETSENCRYPT}live/{name}/") for path in gone) else ""


def left_over(machine: Host, name: str) -> str:
    """Return a file that lies where certbot would put a new certificate of this name; empty: none is known."""
    places = tuple(f"{LETSENCRYPT}{place}/{name}/" for place in ("live", "archive"))
    for file in machine.certificates or ():
        there = [file.real_path, "" if file.fault == "missing" else file.path]
        there += ["" if file.key_fault == "missing" else file.key_path]
        if found := next((path for path in there if path.startswith(places)), ""):
            return found
    return ""


def other_certificate(evidence: Evidence, machine: Host, host: str) -> str:
    """Return which certificate a host has that certbot on this machine did not get; empty: none that is good.

    It is what visitors get, or what lies there in a file of somebody else's.
    """
    seen = served(evidence, host)
    if seen and all(_good(item, host) for item in seen) and not lost(machine, host):
        ours = {number(line.serial) for line in of_host(machine, host)}
        issuers = {
            organisation(leaf.issuer) for file, leaf in files_of_host(machine, host) if is_certbots(machine, file)
        }
        foreign = [item.leaf for item in seen if number(item.leaf.serial) not in ours]
        if len(foreign) == len(seen) and not {organisation(leaf.issuer) for leaf in foreign} & issuers:
            return f"visitors of {host} get a certificate that certbot on {machine.name} does not have"
    for file, leaf in files_of_host(machine, host):
        good = leaf.not_after and leaf.not_after > evidence.gathered_at and leaf.issuer != leaf.subject
        if good and not file.key_fault and file.key_matches is not False and not is_certbots(machine, file):
            return f"{quoted(file.path)} on {machine.name} has {host}, and is not certbot's"
    return ""


def _good(item: Served, host: str) -> bool:
    return covers(item.leaf, host) and item.verification is not None and item.verification.status == "trusted"


def renewed_by(evidence: Evidence, host: str) -> frozenset[str]:
    """Return the authenticators by which certbot renews a host's certificate on the audited machines."""
    return frozenset(
        line.authenticator
        for machine in (machines(evidence) if evidence.host else ())
        if not isinstance(machine, Unknown) and not unread(machine, "certbot_list", "certbot_renewal_conf")
        if not other_certificate(evidence, machine, host)
        for line in of_host(machine, host)
    )
