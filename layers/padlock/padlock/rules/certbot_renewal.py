"""Whether certbot renews by itself: something runs it, and a dry run succeeds (checklist step 14).

Both prove the step; what a certificate's age says from outside is the business of renewal.overdue.
"""

import re
from collections.abc import Collection, Iterator
from datetime import timedelta

from padlock.evidence import TIMED_OUT, Certbot, Evidence, Host, Lineage, RenewalTest, RenewalTimer
from padlock.findings import Severity
from padlock.rules._challenge_errors import likely
from padlock.rules._lineages import lineages, lost, of_host, other_certificate
from padlock.rules._machines import each, on, reload_nginx, shell, unread
from padlock.rules._rule import NotApplicable, Outcome, Problem, Unknown, rule
from padlock.rules._subjects import listed, quoted
from padlock.site import Site

_DUE = timedelta(days=30)
"""Before the expiry, when certbot renews by default."""
_CRON = 'echo "23 3,15 * * * root $(command -v certbot) renew --quiet" > /etc/cron.d/certbot-renew'
_NO_CRON = (
    "No cron daemon runs there, so that an entry of cron's does nothing: `sudo systemctl enable --now cron` (`sudo "
    "apt install cron` where it is not installed; `crond` with Red Hat), and an entry: `echo '23 3,15 * * * root "
    "certbot renew --quiet' | sudo tee /etc/cron.d/certbot-renew`. Or a systemd timer: `systemctl list-timers --all "
    "| grep certbot`, `sudo systemctl enable --now certbot.timer`."
)


def _certificates(evidence: Evidence, machine: Host) -> dict[str, tuple[Lineage, ...]]:
    """Return host of the site → certbot's certificates for it; hosts with somebody else's are left out."""
    found = {
        host: of_host(machine, host) for host in evidence.hosts if not other_certificate(evidence, machine, host)
    }
    return {host: lines for host, lines in found.items() if lines}


def _renewing(evidence: Evidence, machine: Host) -> Certbot | NotApplicable:
    """Return the certbot that renews the site's certificate, or may: its certificates may not be known."""
    if machine.certbot is None:
        return NotApplicable(f"certbot is not installed on {machine.name}")
    if machine.certbot.lineages is not None and not _certificates(evidence, machine):
        return NotApplicable(f"certbot on {machine.name} renews no certificate of the site's")
    return machine.certbot


@rule(
    "certbot.no_timer",
    Severity.ERROR,
    step=14,
    reads="host",
    summary="nothing runs certbot renew",
    impact="The certificate works until it expires, and then browsers refuse the site: nobody renews it.",
    remediation="`systemctl list-timers --all | grep certbot`; switch the timer on: `sudo systemctl enable --now "
    "certbot.timer` (with snap: `snap.certbot.renew.timer`). A certbot that came with pip has none: `echo '23 3,15 * "
    "* * root certbot renew --quiet' | sudo tee /etc/cron.d/certbot-renew`. If a script of your own runs "
    'it under another name, declare `"disable": ["certbot.no_timer"]`.',
    reference="checklist step 14",
)
def no_timer(site: Site, evidence: Evidence) -> Iterator[Outcome]:
    """Find machines on which certbot has the site's certificates, and neither a timer nor cron runs it."""
    yield from each(evidence, lambda machine: _untimed(site, evidence, machine))


def _untimed(site: Site, evidence: Evidence, machine: Host) -> Iterator[Outcome]:
    subject = on(site.name, machine)
    if why := unread(machine, "certbot_timers"):
        yield Unknown(subject, why)
        return
    certbot = _renewing(evidence, machine)
    if isinstance(certbot, NotApplicable):
        gone = [host for host in evidence.hosts if lost(machine, host)]
        yield Unknown(subject, f"certbot has no certificate for {listed(gone)} to renew") if gone else certbot
        return
    timers = certbot.timers
    if timers is not None and any(timer.active for timer in timers):
        return
    if timers is None:
        yield Unknown(subject, "neither systemd nor cron could be asked what runs certbot")
    elif certbot.lineages is None:
        yield Unknown(
            subject, "nothing runs certbot there, and whether it has a certificate of the site's is not known"
        )
    else:
        woken = _woken(timers, certbot.cron_runs)
        yield Problem(
            subject,
            _resting(timers, certbot.cron_runs),
            "a timer or a cron entry that runs it",
            remediation="" if woken or certbot.cron_runs is not False else _NO_CRON,
            commands=(*woken, *_caught_up(evidence, machine)) if woken else (),
        )


def _resting(timers: tuple[RenewalTimer, ...], cron_runs: bool | None) -> str:
    asleep = "; no cron daemon runs there" if cron_runs is False else ""
    if not timers:
        return f"neither a systemd timer nor a cron entry runs certbot{asleep}"
    shown = (f"{timer.name} ({quoted(timer.detail, 80)})" if timer.detail else timer.name for timer in timers)
    entries = any(timer.kind == "cron" for timer in timers)
    return f"nothing active runs certbot: {listed(shown, 5)}{asleep if entries else ''}"


def _woken(timers: tuple[RenewalTimer, ...], cron_runs: bool | None) -> tuple[str, ...]:
    """Return how the timer that is there is switched on; without any timer or entry, how cron gets one."""
    units = [timer for timer in timers if timer.kind == "timer"]
    if not timers:
        return () if cron_runs is False else (_CRON,)
    if not units:
        return ()
    # A distribution's own unit comes before what somebody wrote beside it.
    unit = next((timer for timer in units if timer.name.startswith(("certbot", "snap.certbot"))), units[0])
    unmask = shell(("systemctl", "unmask", unit.name)) if "masked" in unit.detail else ()
    return (*unmask, *shell(("systemctl", "enable", "--now", unit.name)))


def _caught_up(evidence: Evidence, machine: Host) -> tuple[str, ...]:
    """Return how what became due meanwhile is renewed: a timer may wait for half a day, cron until the night."""
    test = machine.certbot.dry_run if machine.certbot else None
    due = {
        line.name
        for lines in _certificates(evidence, machine).values()
        for line in lines
        if line.not_after and line.not_after < evidence.gathered_at + _DUE
        if not (test and {line.name, line.path} & set(test.failed))
    }
    renew = [shell(("certbot", "renew", "--cert-name", name, "--no-random-sleep-on-renew")) for name in sorted(due)]
    lines = [line for shown in renew for line in shown]
    return (*lines, reload_nginx(machine)) if lines else ()


@rule(
    "certbot.dry_run_failed",
    Severity.ERROR,
    step=14,
    reads="host",
    summary="certbot's dry run fails",
    impact="Renewal is broken: nothing shows yet, but on the day of expiry browsers refuse the site.",
    remediation="`sudo certbot renew --dry-run` again, and `sudo tail -n 100 /var/log/letsencrypt/letsencrypt.log` "
    "for the whole story. Most often port 80 does not reach this server for one of the names, or nginx does not "
    "serve `/.well-known/acme-challenge/`.",
    reference="checklist step 14; RFC 8555 section 8.3",
)
def dry_run_failed(site: Site, evidence: Evidence) -> Iterator[Outcome]:
    """Find certificates of the site's whose renewal was tried without effect, and failed."""
    yield from each(evidence, lambda machine: _tried(site, evidence, machine))


def _tried(site: Site, evidence: Evidence, machine: Host) -> Iterator[Outcome]:
    if not machine.root:
        yield Unknown(on(site.name, machine), unread(machine))
        return
    certbot = _renewing(evidence, machine)
    if isinstance(certbot, NotApplicable):
        yield certbot
        return
    test = certbot.dry_run
    if test is None:
        yield NotApplicable("no dry run was asked for")
    elif test.ran.status != 0 or test.failed:
        yield from _failed(site, evidence, machine, test)


def _failed(site: Site, evidence: Evidence, machine: Host, test: RenewalTest) -> Iterator[Outcome]:
    if test.ran.status == TIMED_OUT:
        yield Unknown(on(site.name, machine), "the time for the dry run ran out there", partial=True)
        return
    said = test.problems or tuple(test.ran.output.splitlines()[-3:])
    known = likely(said)
    shown = "; ".join(quoted(line, 300) for line in said[:3]) or f"exit status {test.ran.status}"
    if known and not known.fix:
        yield Unknown(on(site.name, machine), f"{known.reason}: {shown}", partial=True)
        return
    if not test.failed and not known:
        yield Unknown(on(site.name, machine), f"the dry run ended without a verdict: {shown}", partial=True)
        return
    ours = _ours(evidence, machine, test)
    if ours is None:
        return
    why = f"; likely {known.reason}" if known else ""
    about = f" for {listed((quoted(name) for name in test.failed), 5)}" if test.failed else ""
    observed = f"the dry run fails{about}: {shown}{why}"
    yield Problem(
        on(ours, machine), observed, "a dry run that succeeds", remediation=_remedy(test, known.fix) if known else ""
    )


def _remedy(test: RenewalTest, fix: str) -> str:
    # The name goes into a command that people paste.
    plain = re.compile(r"(?:/[a-z/]+/live/)?([A-Za-z0-9][A-Za-z0-9.-]*)(?:/fullchain\.pem)?")
    names = [found[1] for one in test.failed if (found := plain.fullmatch(one))]
    return fix.replace("NAME", next(iter(names), "NAME"))


def _ours(evidence: Evidence, machine: Host, test: RenewalTest) -> str | None:
    """Return the host of the site that a failure is about; None: it is another site's on the same machine."""
    certificates = _certificates(evidence, machine)
    failing = [host for host, lines in certificates.items() if any(_among(line, test.failed) for line in lines)]
    known = lineages(machine)
    strange = [one for one in test.failed if not any(_among(line, (one,)) for line in known)]
    renewed = bool(certificates) and all(
        any(_among(line, test.succeeded) for line in found) for found in certificates.values()
    )
    if test.failed and not failing and (renewed or not strange):
        return None
    told = "\n".join(test.problems)
    named = [host for host in failing if re.search(rf"(?<![\w.-]){re.escape(host)}(?![\w-])", told)]
    return next(iter([*named, *failing, *certificates]), evidence.site.name)


def _among(line: Lineage, failed: Collection[str]) -> bool:
    return any(one in (line.name, line.path) or f"/live/{line.name}/" in one for one in failed)
