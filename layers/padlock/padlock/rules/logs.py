"""What the last lines of a machine's logs say: classes, counts and the newest example (checklist, debugging).

A log is evidence for a cause, never a verdict: nothing here is worse than a notice. Its lines are whoever's who sent
the request; they are quoted, and nothing in them is followed. Clients without a common cipher, scanners and aborted
handshakes fill every server's error log, so that only what the server itself gets wrong counts as a TLS error.
"""

from collections.abc import Iterator, Mapping

from padlock.evidence import Evidence, Host, LogTail
from padlock.findings import Severity
from padlock.rules._lineages import of_host
from padlock.rules._log_lines import Class, classified, is_of, known, recent, statuses
from padlock.rules._machines import each, on, unread
from padlock.rules._rule import NotApplicable, Outcome, Problem, Unknown, rule
from padlock.rules._subjects import listed, quoted
from padlock.site import Site

_UPSTREAM = known(
    {
        "the socket is not there": r"connect\(\) to unix:.{0,300} failed \(2: No such file",
        "the socket's permissions": r"connect\(\) .{0,300}failed \(13: Permission denied\)",
        "connection refused": r"connect\(\) .{0,300}failed \(111: Connection refused\)",
        "no live upstreams": r"no live upstreams while connecting",
        "timed out": r"upstream timed out|timed out \(110.{0,300}upstream",
        "closed before it answered": r"upstream prematurely closed|reset by peer\).{0,300} header from upstream",
        "headers too big": r"upstream sent too big header",
        "name not resolved": r"could not be resolved \(|host not found in upstream",
        "other": r"\[(?:error|crit|alert|emerg)\].{0,300}(?: to upstream| from upstream|upstream: )",
    }
)
_TLS = known(
    {
        "certificate cannot be loaded": r"cannot load certificate(?! key)",
        "key cannot be loaded": r"cannot load certificate key|key values mismatch",
        "no certificate for a listening socket": r'no "ssl_certificate" is defined',
        "duplicate server_name": r"conflicting server name",
        "TLS to the app": r"SSL_do_handshake\(\) failed.{0,300} to upstream|upstream SSL certificate",
    }
)
_CERTBOT = known(
    {
        "challenge failed": r"^\s{1,4}Detail: |challenge failed for domain",
        "rate limit": r"urn:ietf:params:acme:error:rateLimited|too many (?:certificates|failed authorizations)",
        "nginx's configuration": r"nginx plugin is not working|MisconfigurationError|Error while running nginx",
        "permissions": r"Permission ?denied|PermissionError|must be run as root",
        "the authority is not reached": r"requests\.exceptions\.|Max retries exceeded|NameResolutionError",
        "renewal failed": r"Failed to renew certificate|renewal failure\(s\)",
        "hook failed": r"hook .{0,300}(?:reported error code|returned error)",
    }
)
_FAILURES = ("502", "503", "504")
_LOGS = 4
"""Logs of one kind that are looked at."""


def _tails(site: Site, machine: Host, kind: str) -> tuple[list[LogTail], list[Unknown]]:
    """Return the logs of a kind that were read, and why others were not."""
    subject = on(site.name, machine)
    if machine.logs is None:
        return [], [Unknown(subject, unread(machine) or "its logs could not be read")]
    found = [log for log in machine.logs if log.kind == kind][:_LOGS]
    faults = [Unknown(subject, f"{quoted(log.path)}: {log.fault}", partial=True) for log in found if log.fault]
    return [log for log in found if not log.fault], faults


def _ours(evidence: Evidence, machine: Host) -> frozenset[str]:
    """Return what an error line may call the site: its hosts, and certbot's certificates for them."""
    certificates = (line.name for host in evidence.hosts for line in of_host(machine, host))
    return frozenset((*evidence.hosts, *certificates))


def _told(path: str, found: Mapping[str, list[str]]) -> str:
    """Return classes with their counts, and the newest line of the most frequent one."""
    counts = ", ".join(f"{name} x{len(lines)}" for name, lines in found.items())
    newest = next(iter(found.values()))[-1]
    return f"{quoted(path)}: {counts}; such as {quoted(newest, 300)}"


def _classes(
    site: Site, evidence: Evidence, machine: Host, kind: str, classes: tuple[Class, ...]
) -> Iterator[Unknown | str]:
    """Yield what each log of a kind shows of these classes, and why one was not read."""
    logs, faults = _tails(site, machine, kind)
    yield from faults
    ours = _ours(evidence, machine) if logs else frozenset()
    for log in logs:
        lines = [line for line in recent(log.lines, machine.collected_at) if is_of(line, ours)]
        if found := classified(lines, classes):
            yield _told(log.path, found)


def _notice(site: Site, machine: Host, seen: Iterator[Unknown | str], expected: str) -> Iterator[Outcome]:
    """Yield one finding about the machine from what its logs show."""
    said = list(seen)
    yield from (outcome for outcome in said if isinstance(outcome, Unknown))
    texts = [text for text in said if isinstance(text, str)]
    if texts:
        yield Problem(on(site.name, machine), listed(texts, 3), expected)


@rule(
    "logs.upstream_errors",
    Severity.NOTICE,
    step=None,
    reads="host",
    summary="nginx logs failures of the app",
    impact="Some visitors got an error page in place of the app's answer.",
    remediation="`sudo tail -n 100 /var/log/nginx/error.log` for the whole lines, `sudo journalctl -u gunicorn -n "
    "100` for the app's side: refused or no such file, it does not run; timed out, a request takes longer than "
    "`proxy_read_timeout` or Gunicorn's `--timeout`; closed before it answered, a worker was killed.",
    reference="checklist's debugging section",
)
def upstream_errors(site: Site, evidence: Evidence) -> Iterator[Outcome]:
    """Count failures of the app in error.log, and what visitors got in access.log."""

    def seen(machine: Host) -> Iterator[Unknown | str]:
        yield from _classes(site, evidence, machine, "error", _UPSTREAM)
        logs, faults = _tails(site, machine, "access")
        if machine.logs is not None:
            yield from faults
        for log in logs:
            counts = statuses(recent(log.lines, machine.collected_at))
            if any(status in counts for status in _FAILURES):
                shown = ", ".join(f"{status} x{count}" for status, count in counts.items())
                yield f"{quoted(log.path)}: of the last {sum(counts.values())} requests {shown}"

    yield from each(evidence, lambda machine: _notice(site, machine, seen(machine), "no failed request"))


@rule(
    "logs.tls_errors",
    Severity.NOTICE,
    step=None,
    reads="host",
    summary="nginx logs TLS errors",
    impact="nginx refused a new configuration or a certificate, and goes on with the old ones or does not start.",
    remediation="`sudo nginx -t` says whether it is still so; `sudo nginx -T | grep -nE "
    "'ssl_certificate|server_name'` shows the files and names that it uses.",
    reference="checklist's debugging section",
)
def tls_errors(site: Site, evidence: Evidence) -> Iterator[Outcome]:
    """Count what nginx says of certificates and names that it cannot use."""
    yield from each(
        evidence,
        lambda machine: _notice(
            site,
            machine,
            _classes(site, evidence, machine, "error", _TLS),
            "certificates and names that nginx can use",
        ),
    )


@rule(
    "logs.certbot_errors",
    Severity.NOTICE,
    step=None,
    reads="host",
    summary="certbot logs errors",
    impact="A renewal failed at least once; certbot tries again twice a day.",
    remediation="`sudo tail -n 100 /var/log/letsencrypt/letsencrypt.log` for the whole story, `sudo certbot renew "
    "--dry-run` for whether it is still so.",
    reference="checklist's debugging section",
)
def certbot_errors(site: Site, evidence: Evidence) -> Iterator[Outcome]:
    """Count failed challenges, refused permissions and other errors of certbot's last runs."""

    def of(machine: Host) -> Iterator[Outcome]:
        if machine.certbot is None:
            yield NotApplicable(f"certbot is not installed on {machine.name}")
            return
        seen = _classes(site, evidence, machine, "certbot", _CERTBOT)
        yield from _notice(site, machine, seen, "renewals that succeed")

    yield from each(evidence, of)
