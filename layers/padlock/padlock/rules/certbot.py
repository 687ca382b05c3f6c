"""Whether certbot has a valid certificate for every host of the site (checklist step 8: `certbot certificates`).

A host whose visitors get a good certificate of somebody else's is none of certbot's affairs.
"""

from collections import Counter
from collections.abc import Iterator

from padlock.evidence import CertificateFile, Evidence, Host, Lineage
from padlock.findings import Severity
from padlock.rules._challenge_places import expected_name, webroot
from padlock.rules._lineages import LETSENCRYPT, files_of_host, left_over, lineages, of_host, other_certificate
from padlock.rules._machines import each, hook, machines, on, reload_nginx, shell, unread
from padlock.rules._renewed_files import late
from padlock.rules._rule import NotApplicable, Outcome, Problem, Unknown, rule
from padlock.rules._subjects import listed, moment, quoted
from padlock.site import Site

_QUIET = ("--non-interactive",)


def _concerned(evidence: Evidence, machine: Host) -> dict[str, str]:
    """Return host → which certificate it has without certbot's doing; empty: certbot should have one."""
    others = [one for one in machines(evidence) if not isinstance(one, Unknown) and one is not machine]
    found = {host: other_certificate(evidence, machine, host) for host in evidence.hosts}
    for host in evidence.hosts:
        has = next((other.name for other in others if of_host(other, host)), "")
        if has and not found[host] and not of_host(machine, host):
            found[host] = f"certbot on {has} has a certificate for {host}"
    return found


def _names(hosts: tuple[str, ...] | list[str]) -> tuple[str, ...]:
    return tuple(word for host in hosts for word in ("-d", host))


@rule(
    "certbot.missing",
    Severity.ERROR,
    step=8,
    reads="host",
    summary="certbot has no certificate",
    impact="HTTPS needs a certificate for the site's names; without one browsers refuse the site, and without "
    "certbot nobody renews it.",
    remediation="`sudo apt install certbot python3-certbot-nginx` if certbot is not there, then "
    "`sudo certbot --nginx -d {host}` with a `-d` for each further name; it asks for a mail address and for consent "
    "to the authority's terms, and writes the certificate's paths into nginx's server block. Look at it with "
    "`sudo certbot certificates`.",
    reference="checklist step 8",
)
def missing(site: Site, evidence: Evidence) -> Iterator[Outcome]:
    """Find machines that serve the site, and on which neither certbot nor anybody else has a certificate for it."""
    yield from each(evidence, lambda machine: _missing(site, evidence, machine))


def _missing(site: Site, evidence: Evidence, machine: Host) -> Iterator[Outcome]:
    if why := unread(machine, "certbot_list"):
        yield Unknown(on(site.name, machine), why)
        return
    concerned = _concerned(evidence, machine)
    hosts = [host for host, why in concerned.items() if not why]
    if not hosts:
        yield NotApplicable(next(iter(concerned.values()), "the site has no host"))
        return
    if machine.certbot is None:
        yield from _without_certbot(evidence, machine, hosts)
        return
    if machine.certbot.lineages is None:
        yield Unknown(on(site.name, machine), _no_list(machine))
        return
    if any(of_host(machine, host) for host in hosts):
        return
    if why := unread(machine, "certificates"):  # one that somebody else got may be among those not seen
        yield Unknown(on(site.name, machine), why)
        return
    observed = f"`certbot certificates` has none for {listed(hosts)}"
    if known := [line.name for line in lineages(machine)]:
        observed += f"; it has {listed((quoted(name) for name in known), 5)}"
    yield Problem(
        on(hosts[0], machine),
        observed,
        f"a certificate for {listed(hosts)}",
        remediation=_anew(machine, hosts),
        commands=_issued(machine, hosts),
    )


def _issued(machine: Host, hosts: list[str]) -> tuple[str, ...]:
    """Return how a first certificate is got: by nginx's own web root where it has one, which takes no plugin.

    The authority's terms are the owner's to agree to: without an account certbot asks, so that it may not be quiet.
    """
    root, name = webroot(machine, hosts), expected_name(machine, hosts)
    if _taken(machine, hosts) or any(line.name == (name or hosts[0]) for line in lineages(machine)):
        return ()
    called = ("--cert-name", name) if name else ()
    if not (root and name):
        return shell(("certbot", "--nginx", *called, *_names(hosts)))
    how = ("certonly", "--webroot", "--webroot-path", root, "--deploy-hook", hook(machine))
    issue = shell(("certbot", *how, *called, *_names(hosts)))
    # In a directory of before certbot stops halfway, and leaves the name unusable.
    free = f"[ ! -e {LETSENCRYPT}archive/{name} ]"
    return (*(f"{free} && {line}" for line in issue), reload_nginx(machine)) if issue else ()


def _taken(machine: Host, hosts: list[str]) -> str:
    """Return a file that keeps certbot from giving a new certificate the name that it should have; empty: none."""
    return left_over(machine, expected_name(machine, hosts) or hosts[0])


def _anew(machine: Host, hosts: list[str]) -> str:
    """Return how a certificate is got beside the files of one that certbot no longer knows; empty: as usual."""
    file, name = _taken(machine, hosts), expected_name(machine, hosts) or hosts[0]
    if not file:
        return ""
    root = webroot(machine, hosts)
    how = ("certonly", "--webroot", "--webroot-path", root) if root else ("certonly", "--nginx")
    line = shell(("certbot", *how, "--cert-name", f"{name}-new", *_names(hosts)))
    lost = f"{LETSENCRYPT}renewal/{name}.conf"
    return (
        f"{quoted(file)} is of a certificate that certbot does not list, and it issues none of the same name beside "
        f"it. Bring {quoted(lost)} back from a backup and look with `sudo certbot certificates`; or get one of "
        f"another name{f': `sudo {line[0]}`' if line else ''}, have nginx name its files under "
        f"{quoted(f'{LETSENCRYPT}live/{name}-new/')}, then `sudo nginx -t && sudo systemctl reload nginx`."
    )


def _no_list(machine: Host) -> str:
    listing = machine.certbot.listing if machine.certbot else None
    said = f": {quoted(listing.output)}" if listing and listing.output else ""
    return f"`certbot certificates` gave no list that can be read{said}"


def _without_certbot(evidence: Evidence, machine: Host, hosts: list[str]) -> Iterator[Outcome]:
    """Judge a machine without certbot by the certificate that lies where certbot keeps them.

    Another client may write there, or certbot in a container; it shows once the certificate is not renewed.
    """
    lying = [(file, leaf) for host in hosts for file, leaf in files_of_host(machine, host)]
    if lying:
        file, leaf = max(lying, key=lambda pair: pair[1].not_after or evidence.gathered_at)
        overdue = late(evidence, leaf)
        yield Problem(
            on(hosts[0], machine),
            f"certbot is not installed; {_valid(file)}, and lies where certbot keeps its certificates",
            "certbot, or another program that renews it",
            None if overdue else Severity.NOTICE,
            "If nobody renews it: `sudo apt install certbot python3-certbot-nginx`, then `sudo certbot renew`, `sudo "
            f"nginx -t && sudo systemctl reload nginx`. Does `sudo certbot certificates` not list it: {again}"
            if (again := _anew(machine, hosts))
            else "",
            _installed(machine, hosts) if overdue else (),
        )
    elif machine.nginx is None:
        yield NotApplicable(f"neither nginx nor certbot is installed on {machine.name}")
    else:
        observed = f"certbot is not installed, and no file that nginx names is a certificate for {listed(hosts)}"
        lines = _installed(machine, hosts)
        yield Problem(on(hosts[0], machine), observed, f"a certificate for {listed(hosts)}", commands=lines)


def _valid(file: CertificateFile) -> str:
    leaf = file.certificate
    until = moment(leaf.not_after) if leaf and leaf.not_after else "an unknown date"
    return f"{quoted(file.path)} is valid until {until}"


def _installed(machine: Host, hosts: list[str]) -> tuple[str, ...]:
    """Return how certbot comes onto a machine whose packages are known."""
    if not machine.system.startswith(("Debian", "Ubuntu")):
        return ()
    install = ("apt-get", "install", "--yes", "certbot", "python3-certbot-nginx")
    issue = _issued(machine, hosts)
    return (*shell(install), *issue) if issue else ()


@rule(
    "certbot.names",
    Severity.ERROR,
    step=8,
    reads="host",
    summary="certbot's certificate lacks a name",
    impact="Browsers warn visitors of the missing name, or get another site's certificate; renewing does not add it.",
    remediation="Have it issued anew with every name: `sudo certbot certificates` shows the certificate's name and "
    "its domains; `sudo certbot --nginx --cert-name NAME` with a `-d` for each of them and for {host}. The name must "
    "already resolve to this server.",
    reference="checklist step 8",
)
def names(site: Site, evidence: Evidence) -> Iterator[Outcome]:
    """Find hosts that no certificate of certbot's has, while it has one for another host of the site."""
    yield from each(evidence, lambda machine: _lacking(site, evidence, machine))


def _lacking(site: Site, evidence: Evidence, machine: Host) -> Iterator[Outcome]:
    hosts = _certbots_hosts(site, evidence, machine)
    if not isinstance(hosts, list):
        yield hosts
        return
    found = {host: of_host(machine, host) for host in hosts}
    lacking = [host for host in hosts if not found[host]]
    if not lacking or len(lacking) == len(hosts):
        return  # without any it is certbot.missing
    fitting = Counter(line.name for lines in found.values() for line in lines)
    best = max(
        (line for lines in found.values() for line in lines),
        key=lambda one: (bool(one.names), one.valid, fitting[one.name]),
    )
    if not best.names:
        for host in lacking:
            yield Unknown(on(host, machine), f"certbot cannot read {quoted(best.name)}: {quoted(best.verdict)}")
        return
    lines = _widened(machine, best, lacking)
    for host in lacking:
        observed = f"certbot's certificate {quoted(best.name)} is for {listed(best.names, 10)}"
        yield Problem(on(host, machine), observed, f"one that is for {host} too", commands=lines)


def _certbots_hosts(site: Site, evidence: Evidence, machine: Host) -> list[str] | Unknown | NotApplicable:
    """Return the hosts for which certbot should have a certificate on a machine that has certbot."""
    if why := unread(machine, "certbot_list"):
        return Unknown(on(site.name, machine), why)
    if machine.certbot is None:
        return NotApplicable(f"certbot is not installed on {machine.name}")
    if machine.certbot.lineages is None:
        return Unknown(on(site.name, machine), _no_list(machine))
    concerned = _concerned(evidence, machine)
    hosts = [host for host, why in concerned.items() if not why]
    return hosts or NotApplicable(next(iter(concerned.values()), "the site has no host"))


def _widened(machine: Host, line: Lineage, more: list[str]) -> tuple[str, ...]:
    """Return how a certificate is issued with more names, where the way of proof needs no secret and no port."""
    if any(name.startswith("*.") for name in line.names):
        return ()
    how: tuple[str, ...] = ()
    if line.authenticator == "nginx":
        how = ("--nginx",) if line.installer == "nginx" else ("certonly", "--nginx")
    elif line.authenticator == "webroot" and line.webroot:
        how = ("certonly", "--webroot", "--webroot-path", line.webroot)
    if not how:
        return ()
    wanted = _names([*line.names, *more])
    # certbot forgets the hook of before when it writes the renewal's configuration anew.
    after = ("--deploy-hook", hook(machine)) if "certonly" in how else ()
    issue = shell(("certbot", *how, *_QUIET, "--cert-name", line.name, "--renew-with-new-domains", *after, *wanted))
    return (*issue, reload_nginx(machine)) if issue else ()


@rule(
    "certbot.expired",
    Severity.ERROR,
    step=8,
    reads="host",
    summary="certbot calls its certificate invalid",
    impact="Browsers refuse the certificate as soon as it is served, if they do not already.",
    remediation="`sudo certbot renew --dry-run` shows why it was not renewed; then `sudo certbot renew` and "
    "`sudo systemctl reload nginx`. INVALID: TEST_CERT comes from an authority's staging server: have it issued anew "
    "without `--staging`, `sudo certbot --nginx --force-renewal -d {host}` with a `-d` for each name. A certificate "
    "that nothing uses any more: `sudo certbot delete --cert-name NAME`.",
    reference="checklist step 8",
)
def expired(site: Site, evidence: Evidence) -> Iterator[Outcome]:
    """Find hosts for which certbot has certificates, and none that is valid."""
    yield from each(evidence, lambda machine: _invalid(site, evidence, machine))


def _invalid(site: Site, evidence: Evidence, machine: Host) -> Iterator[Outcome]:
    hosts = _certbots_hosts(site, evidence, machine)
    if not isinstance(hosts, list):
        yield hosts
        return
    for host in hosts:
        found = of_host(machine, host)
        if not found or any(_lasting(evidence, line) for line in found):
            continue
        line = max(found, key=lambda one: one.not_after or evidence.gathered_at)
        verdict = quoted(line.verdict) if not line.valid and line.verdict else "expired since the audit"
        observed = f"certificate {quoted(line.name)}: {verdict}" + (
            f", until {moment(line.not_after)}" if line.not_after else ""
        )
        remedy = "" if line.names else _unreadable(machine, line)
        yield Problem(on(host, machine), observed, "VALID", remediation=remedy, commands=_renewed(machine, line))


def _unreadable(machine: Host, line: Lineage) -> str:
    """Return what helps where certbot cannot read a certificate's configuration, and so renews nothing."""
    files = " and ".join(
        quoted(f"{LETSENCRYPT}{place}") for place in (f"renewal/{line.name}.conf", f"live/{line.name}")
    )
    # Beside what is left certbot issues none of the name, and `certbot delete` fails on it halfway.
    left = left_over(machine, line.name)
    delete = shell(("certbot", "delete", "--cert-name", line.name))
    name = f"{line.name}-new" if left else line.name
    issue = shell(("certbot", "certonly", "--webroot", "-w", "WEBROOT", "--cert-name", name))
    how = "; ".join(f"`sudo {words}" for words in [*(f"{one}`" for one in delete if not left), *issue])
    return (
        f"Bring {files} back from a backup, until `sudo certbot certificates` shows the certificate again. Where "
        f"there is none, have it issued anew: {how} -d {{host}}` with a `-d` for each name and the directory from "
        "which nginx serves `/.well-known/acme-challenge/`. Do not restart nginx before: it may serve the "
        "certificate from memory. "
        + (f"Let nginx name the files under {quoted(f'{LETSENCRYPT}live/{name}/')}. " if left else "")
        + "Then `sudo nginx -t && sudo systemctl reload nginx`."
    )


def _lasting(evidence: Evidence, line: Lineage) -> bool:
    return line.valid and (line.not_after is None or line.not_after > evidence.gathered_at)


def _renewed(machine: Host, line: Lineage) -> tuple[str, ...]:
    """Return how an expired or revoked certificate is renewed, unless a dry run showed that it cannot be."""
    test = machine.certbot.dry_run if machine.certbot else None
    if not line.names or "TEST_CERT" in line.verdict or (test and {line.name, line.path} & set(test.failed)):
        return ()
    force = ("--force-renewal",) if "REVOKED" in line.verdict else ()
    renew = shell(("certbot", "renew", "--cert-name", line.name, "--no-random-sleep-on-renew", *force))
    return (*renew, reload_nginx(machine)) if renew else ()
