"""certbot.no_timer and certbot.dry_run_failed: what proves that certificates are renewed (checklist step 14)."""

from datetime import timedelta
from typing import Any

import pytest
from padlock.evidence import Evidence, Ran, RenewalTest, RenewalTimer
from padlock.probes.host import read
from padlock.rules._challenge_errors import likely

from tests.evidence_builder import (
    HOSTS,
    NOW,
    caa,
    change,
    fires,
    healthy,
    outcomes,
    report,
    silent,
    unassessed,
    with_caa,
    with_leaf,
)
from tests.host_builder import certbot, host, lineage, with_audit
from tests.probes.host.documents import document, sample, section

TIMER, DRY_RUN = "certbot.no_timer", "certbot.dry_run_failed"
UNIT = RenewalTimer("timer", "certbot.timer", active=False, detail="disabled, inactive")
CRON = RenewalTimer("cron", "/etc/cron.d/certbot", active=False, detail="0 */12 * * * root certbot -q renew")
TIMEOUT = (
    "www.example.com: connection: 203.0.113.7: Fetching http://www.example.com/.well-known/acme-challenge/x: "
    "Timeout during connect (likely firewall problem)"
)


def audited(**fields: Any) -> Evidence:
    """Return the site whose machine's certbot differs in these fields."""
    return with_audit(healthy(), certbot=certbot(**fields))


def dry_run(*problems: str, status: int = 1, output: str = "", **fields: Any) -> Evidence:
    """Return the site after a dry run that failed with these problems."""
    ran = Ran("certbot renew --dry-run", status, output)
    return audited(dry_run=RenewalTest(ran, problems=problems, **{"failed": ("example.com",), **fields}))


def step_14(evidence: Evidence) -> tuple[str, str]:
    """Return what the checklist says of renewal."""
    row = next(row for row in report(evidence).checklist if row.step == 14)
    return row.status, row.reason


def test_a_timer_proves_renewal() -> None:
    """A timer of any kind that is active is enough, with or without a dry run."""
    silent("certbot.no_timer", audited())
    assert step_14(audited()) == ("pass", "")
    silent(TIMER, audited(timers=(UNIT, change(CRON, active=True))))
    snap = RenewalTimer("timer", "snap.certbot.renew.timer", active=True)
    silent(TIMER, audited(timers=(snap,)))


@pytest.mark.parametrize(
    ("timers", "commands"),
    [
        ((UNIT, CRON), ("systemctl enable --now certbot.timer",)),
        (
            (change(UNIT, detail="masked, inactive"),),
            ("systemctl unmask certbot.timer", "systemctl enable --now certbot.timer"),
        ),
        ((change(UNIT, name="renew it.timer"), UNIT), ("systemctl enable --now certbot.timer",)),
        ((change(UNIT, name="my certs.timer"),), ("systemctl enable --now 'my certs.timer'",)),
        ((CRON,), ()),
    ],
    ids=["disabled", "masked", "two", "own", "cron is off"],
)
def test_nothing_active_runs_it(timers: tuple[RenewalTimer, ...], commands: tuple[str, ...]) -> None:
    """What is there and rests is named, and the timer is switched on."""
    found = fires("certbot.no_timer", audited(timers=timers))
    assert found.subject == "example.com on web-1"
    assert timers[0].name in found.observed
    assert found.commands == commands
    assert step_14(audited(timers=timers))[0] == "fail"


def test_nothing_runs_it_at_all() -> None:
    """As after an installation with pip: cron gets an entry."""
    found = fires(TIMER, audited(timers=()))
    assert "neither a systemd timer nor a cron entry" in found.observed
    assert found.commands[0].endswith("> /etc/cron.d/certbot-renew")


@pytest.mark.parametrize("timers", [(), (CRON,)], ids=["no entry", "an entry"])
def test_no_cron_daemon_runs(timers: tuple[RenewalTimer, ...]) -> None:
    """An entry of cron's heals nothing there: the daemon is named, and no command writes one."""
    found = fires(TIMER, audited(timers=timers, cron_runs=False))
    assert "no cron daemon runs there" in found.observed
    assert found.commands == ()
    assert "systemctl enable --now cron" in found.remediation
    assert "no cron daemon" not in fires(TIMER, audited(timers=timers, cron_runs=True)).observed


def test_a_timer_that_rests_beside_no_cron() -> None:
    """It needs no cron: it is switched on."""
    found = fires(TIMER, audited(timers=(UNIT,), cron_runs=False))
    assert found.commands == ("systemctl enable --now certbot.timer",)
    assert "cron" not in found.observed


def test_certbot_renews_nothing_of_the_site() -> None:
    """Then it needs no timer, and renewal is not certbot's to prove."""
    site = with_caa(healthy(), caa("example.com", "amazon.com"))
    elsewhere = with_leaf(site, issuer="CN=Amazon RSA 2048 M02,O=Amazon,C=US", serial="77")
    for fields in ({"certbot": None}, {"certbot": certbot(timers=(), lineages=())}):
        seen = with_audit(elsewhere, certificates=(), **fields)
        silent(TIMER, seen)
        silent(DRY_RUN, seen)
        assert step_14(seen)[0] == "not applicable"


def test_one_of_two_machines_renews() -> None:
    """That a second machine has no certbot does not undo the proof, nor hide that the first has no timer."""
    second = host(name="web-2", certbot=None, certificates=())
    assert step_14(change(healthy(), host=(host(), second)))[0] == "pass"
    first = host(certbot=certbot(timers=()))
    assert step_14(change(healthy(), host=(second, first)))[0] == "fail"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"certbot": certbot(timers=None)}, "neither systemd nor cron"),
        ({"certbot": certbot(timers=(), lineages=None)}, "not known"),
        ({"sections": {"certbot_timers": Ran("systemctl list-timers", 124)}}, "ran out"),
        ({"root": False}, "root"),
        ({"collected_at": NOW - timedelta(days=5)}, "5 days old"),
    ],
    ids=["nobody to ask", "no list", "timeout", "not root", "stale"],
)
def test_the_timers_could_not_be_seen(fields: dict[str, Any], reason: str) -> None:
    """Renewal is neither proven nor broken, and the checklist says why."""
    seen = with_audit(healthy(), **fields)
    assert reason in unassessed(TIMER, seen)
    status, why = step_14(seen)
    assert status == "unknown"
    assert reason in why


def test_a_dry_run_that_succeeds() -> None:
    """It says nothing, and together with a timer step 14 passes."""
    good = audited(dry_run=RenewalTest(Ran("certbot renew --dry-run", 0), succeeded=("example.com",)))
    silent("certbot.dry_run_failed", good)
    assert step_14(good) == ("pass", "")


def test_a_dry_run_that_fails() -> None:
    """The authority's words are quoted, the likely reason follows, the host that it is about is the subject."""
    found = fires("certbot.dry_run_failed", dry_run(TIMEOUT))
    assert found.subject == "www.example.com on web-1"
    assert "Timeout during connect" in found.observed
    assert "likely a firewall" in found.observed
    assert "`dig +short A www.example.com`" in found.remediation
    assert step_14(dry_run(TIMEOUT))[0] == "fail"


@pytest.mark.parametrize(
    ("sample_name", "status", "subject"),
    [("failure", 1, "example.com on web-1"), ("mixed", 1, ""), ("success", 0, "")],
)
def test_real_dry_runs(sample_name: str, status: int, subject: str) -> None:
    """What certbot printed against Pebble; in the mixed one another site's certificate failed."""
    output = sample(f"certbot-dry-run-{sample_name}.txt")
    whole = document(
        section("certbot_version", "certbot 2.1.0"),
        section("certbot_list", sample("certbot-valid.txt")),
        section("certbot_dry_run", output, status),
    )
    machine = read(whole)
    assert machine.certbot
    for lineages in (machine.certbot.lineages, (lineage(),)):
        seen = audited(lineages=lineages, dry_run=machine.certbot.dry_run)
        if subject:
            found = fires(DRY_RUN, seen)
            assert found.subject == subject
            assert "likely nothing listens on port 80" in found.observed
        else:
            silent(DRY_RUN, seen)


def test_by_path_or_name() -> None:
    """Certbot names what failed by its name or by its file."""
    fires(DRY_RUN, dry_run(TIMEOUT, failed=("/etc/letsencrypt/live/example.com/fullchain.pem",)))
    assert fires(DRY_RUN, dry_run("some words", failed=("unknown",))).subject == "example.com on web-1"


def test_another_sites_failure() -> None:
    """A certificate of another site on the same machine is its owner's."""
    blog = lineage(name="blog", names=("blog.example",), path="/etc/letsencrypt/live/blog/fullchain.pem")
    test = RenewalTest(Ran("certbot renew --dry-run", 1), failed=("blog",), problems=("blog.example: dns: NXDOMAIN",))
    silent(DRY_RUN, audited(lineages=(lineage(), blog), dry_run=test))


@pytest.mark.parametrize(
    ("problem", "reason"),
    [
        ("x: rateLimited: too many failed authorizations recently", "limits"),
        ("Another instance of Certbot is already running.", "running already"),
    ],
)
def test_a_dry_run_that_says_nothing_of_renewal(problem: str, reason: str) -> None:
    """Asking too often is no fault of the site's; the timer still proves the step."""
    assert reason in unassessed(DRY_RUN, dry_run(problem))
    assert step_14(dry_run(problem))[0] == "pass"


@pytest.mark.parametrize("fields", [{"status": 124}, {"failed": (), "output": "Killed"}], ids=["timeout", "killed"])
def test_a_dry_run_without_a_verdict(fields: dict[str, Any]) -> None:
    """One that was cut off found nothing out."""
    unassessed(DRY_RUN, dry_run(**fields))


def test_no_dry_run() -> None:
    """It is made only when it is asked for."""
    assert outcomes(DRY_RUN, audited()) == []
    assert "root" in unassessed(DRY_RUN, with_audit(healthy(), root=False))


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("Could not bind TCP port 80 because it is already in use by another process on this system", "--standalone"),
        ("The nginx plugin is not working; there may be problems with your existing configuration.", "is invalid"),
        ("The requested dns-route53 plugin does not appear to be installed", "no longer installed"),
        (
            "The manual plugin is not working; An authentication script must be provided with --manual-auth-hook",
            "by hand",
        ),
        ("CAA record for example.com prevents issuance", "CAA"),
        (
            "DNS problem: NXDOMAIN looking up A for www.example.com - check that a DNS record exists",
            "does not resolve",
        ),
        ("no valid A records found for example.com; no valid AAAA records found for example.com", "does not resolve"),
        ("Fetching http://example.com/.well-known/acme-challenge/x: Connection refused", "nothing listens"),
        ('Get "http://example.com/…": dial tcp 10.0.0.1:80: connect: connection refused', "nothing listens"),
        ("Fetching https://example.com/: Redirect loop detected", "in a loop"),
        (
            'connection: Get "http://example.com/.well-known/acme-challenge/x": stopped after 10 redirects',
            "in a loop",
        ),
        ('Get "http://example.com:80/…": could not resolve URL "http://example.com:80/…"', "does not resolve"),
        ("203.0.113.7: Invalid response from http://example.com/.well-known/acme-challenge/x: 403", "refuses"),
        ("203.0.113.7: Invalid response from http://example.com/.well-known/acme-challenge/x: 404", "does not serve"),
        (
            "Non-200 status code from HTTP: http://example.com:80/.well-known/acme-challenge/x returned 404",
            "not serve",
        ),
        (
            "203.0.113.7: Invalid response from http://example.com/.well-known/acme-challenge/x: 502",
            "passed on to the app",
        ),
        (
            'Invalid response from http://example.com/.well-known/acme-challenge/x: "<!doctype html>…"',
            "another server",
        ),
        ("The key authorization file from the server did not match this challenge", "another server"),
        ("[Errno 13] Permission denied: '/var/www/html/.well-known'", "may not write"),
        (
            "HTTPSConnectionPool(host='acme-v02.api.letsencrypt.org', port=443): Max retries exceeded",
            "does not reach",
        ),
    ],
)
def test_likely_reasons(words: str, reason: str) -> None:
    """Words of Let's Encrypt, Pebble and certbot, each with its reason and a fix."""
    found = likely([words])
    assert found
    assert reason in found.reason
    assert "certbot" in found.fix


def test_words_that_nobody_knows() -> None:
    """They are quoted without a guess, and hostile ones are short and on one line."""
    assert likely(["the moon is wrong"]) is None
    found = fires(DRY_RUN, dry_run("the moon\nis wrong " + "x" * 5000))
    assert "likely" not in found.observed
    assert "\n" not in found.observed
    assert len(found.observed) < 500


def test_the_name_in_a_command() -> None:
    """A plain name is filled in; any other stays the word NAME, as people paste it."""
    words = "Could not bind TCP port 80"
    assert "--cert-name example.com --nginx" in fires(DRY_RUN, dry_run(words)).remediation
    strange = change(lineage(), name="a;b", names=HOSTS)
    test = RenewalTest(Ran("certbot renew --dry-run", 1), failed=("a;b",), problems=(words,))
    assert "--cert-name NAME" in fires(DRY_RUN, audited(lineages=(strange,), dry_run=test)).remediation


def test_what_became_due_is_renewed_at_once() -> None:
    """Beside the timer, a certificate that is due is renewed, unless the dry run showed that it cannot be."""
    due = lineage(not_after=NOW + timedelta(days=10), verdict="VALID: 10 days")
    renew = "certbot renew --cert-name example.com --no-random-sleep-on-renew"
    commands = fires(TIMER, audited(timers=(UNIT,), lineages=(due,))).commands
    assert commands[:2] == ("systemctl enable --now certbot.timer", renew)
    assert "reload nginx" in commands[2]
    assert renew not in fires(TIMER, audited(timers=(UNIT,))).commands
    failed = RenewalTest(Ran("certbot renew --dry-run", 1), failed=("example.com",))
    assert renew not in fires(TIMER, audited(timers=(UNIT,), lineages=(due,), dry_run=failed)).commands
