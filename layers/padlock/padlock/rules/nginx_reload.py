"""Whether nginx runs with what is on disk (checklist step 6): files newer than its workers, an older certificate.

Workers are started anew by every reload; the master process, and the time at which it started, stay.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from padlock.evidence import Certificate, CertificateFile, Evidence, organisation
from padlock.findings import Severity
from padlock.rules._lineages import number
from padlock.rules._machines import on, reload_nginx, unread
from padlock.rules._nginx_hosts import Configured, concerned, judge
from padlock.rules._rule import NotApplicable, Outcome, Problem, Unknown, rule
from padlock.rules._served import covers, served
from padlock.rules._subjects import listed, moment, quoted
from padlock.rules.nginx_certificates import presented
from padlock.site import Site

GRACE = timedelta(seconds=5)
"""A worker's start is known to a second or two, and a reload follows the change of a file."""
_REISSUE = (
    "Do not reload nginx yet: the certificate on its disk does not cover {}, which the one that it still serves "
    "does. `sudo certbot certificates` shows the names; issue it with all of them again (`sudo certbot certonly "
    "--cert-name NAME -d ...` with a `-d` for each), then `sudo nginx -t && sudo systemctl reload nginx`."
)


@rule(
    "nginx.not_reloaded",
    Severity.ERROR,
    step=6,
    reads="host",
    summary="nginx was not reloaded",
    impact="nginx runs with what it read before: changes do nothing, and a renewed certificate is not served, until "
    "the old one expires.",
    remediation="`sudo nginx -t && sudo systemctl reload nginx`. So that each renewal does it: `sudo certbot "
    "reconfigure --cert-name NAME --deploy-hook 'systemctl reload nginx'`, or a script in "
    "/etc/letsencrypt/renewal-hooks/deploy.",
    reference="checklist step 6; nginx, Controlling nginx",
)
def not_reloaded(site: Site, evidence: Evidence) -> Iterator[Outcome]:
    """Find workers that are older than what they should have read."""

    def ask(here: Configured) -> Iterator[Outcome]:
        machine, nginx = here.machine, here.nginx
        if nginx.running is False:
            yield NotApplicable(f"nginx does not run on {machine.name}")
            return
        started = min(nginx.workers_started, default=nginx.master_started)
        if why := unread(machine, "nginx_processes", "nginx_files"):
            yield Unknown(on(site.name, machine), why)
        elif started is None:
            yield Unknown(on(site.name, machine), "when nginx's workers started could not be seen")
        else:
            yield from _older(site, evidence, here, started)

    yield from judge(site, evidence, ask)


def _older(site: Site, evidence: Evidence, here: Configured, started: datetime) -> Iterator[Outcome]:
    lines = (reload_nginx(here.machine),) if here.nginx.test.status == 0 else ()
    lost = [host for host in concerned(site, evidence, here) if _would_lose(site, evidence, here, host)]
    if lost:
        lines = ()
    changed = {file: when for file, when in here.nginx.files.items() if _since(here, when, started)}
    found: dict[str, list[str]] = {}
    if changed:
        names = sorted(changed, key=lambda file: changed[file], reverse=True)
        newest = f"{listed(map(quoted, names), 3)} changed at {moment(changed[names[0]])}"
        found[site.name] = [f"{newest}, the workers started at {moment(started)}"]
    doubts: dict[str, str] = {}
    for host in concerned(site, evidence, here):
        files = [file for pair in presented(site, evidence, here, host) if (file := here.file(pair))]
        if text := _renewed(evidence, here, host, files, started):
            found.setdefault(host, []).append(text)
        elif not changed and (text := _old_served(evidence, host, files)):
            doubts[host] = text
    expected = "workers that started after the last change"
    fix = _REISSUE.format(listed(lost)) if lost else ""
    for host, texts in found.items():
        yield Problem(on(host, here.machine), "; ".join(texts), expected, remediation=fix, commands=lines)
    for host, text in doubts.items():
        yield Problem(on(host, here.machine), text, expected, Severity.WARNING, remediation=fix, commands=lines)


def _would_lose(site: Site, evidence: Evidence, here: Configured, host: str) -> bool:
    """Whether visitors get a certificate that has the host now, and the files on disk have it no more."""
    pairs = presented(site, evidence, here, host)
    disk = [file.certificate for pair in pairs if (file := here.file(pair)) and file.certificate]
    looks = served(evidence, host)
    covered = bool(looks) and all(covers(item.leaf, host) for item in looks)
    return covered and bool(disk) and not any(covers(leaf, host) for leaf in disk)


def _since(here: Configured, when: datetime | None, started: datetime) -> bool:
    """Whether a file changed after the workers started; a time to come says nothing."""
    return when is not None and started + GRACE < when <= here.machine.collected_at + GRACE


def _renewed(evidence: Evidence, here: Configured, host: str, files: list[CertificateFile], started: datetime) -> str:
    """Return that a certificate's file changed after the workers started, unless its certificate is served."""
    serials = {number(item.leaf.serial) for item in served(evidence, host)}
    for file in files:
        times = [when for when in (file.modified, file.key_modified) if when and _since(here, when, started)]
        loaded = file.certificate is not None and number(file.certificate.serial) in serials
        if times and not loaded:
            return (
                f"{quoted(file.path)} changed at {moment(max(times))}, the workers started at {moment(started)}"
                + _instead(file.certificate, evidence, host)
            )
    return ""


def _instead(disk: Certificate | None, evidence: Evidence, host: str) -> str:
    shown = [item.leaf.serial for item in served(evidence, host)]
    return f"; visitors get serial {shown[0]}, the file has {disk.serial}" if shown and disk else ""


def _old_served(evidence: Evidence, host: str, files: list[CertificateFile]) -> str:
    """Return that visitors get an older certificate of the same kind than the file has.

    The times of the files speak against it: they may have been kept by a copy, or a proxy serves its own.
    """
    disk = [file.certificate for file in files if file.certificate]
    looks = [item.leaf for item in served(evidence, host)]
    if len(evidence.host or ()) != 1 or not disk or not looks:
        return ""
    for leaf in looks:
        for known in disk:
            if number(known.serial) == number(leaf.serial):
                return ""
            same = organisation(known.issuer) == organisation(leaf.issuer) and known.dns_names == leaf.dns_names
            if not (same and known.not_before and leaf.not_before and leaf.not_before < known.not_before):
                return ""
    return (
        f"visitors get serial {looks[0].serial} of {moment(looks[0].not_before)}, nginx's file has "
        f"{disk[0].serial} of {moment(disk[0].not_before)}"
        if looks[0].not_before and disk[0].not_before
        else ""
    )
