"""What renews certificates: timers, cron, hooks, and a dry run against a real authority."""

import pytest
from padlock.evidence.host import RenewalTest
from padlock.probes.host import read

from tests.probes.host.documents import document, sample, section

CONF = "/etc/letsencrypt/renewal/example.com.conf"
OTHER = "/etc/letsencrypt/renewal/mail.example.com.conf"
HOOK = "/etc/letsencrypt/renewal-hooks/deploy/reload\thook"
PRESENT = section("certbot_version", "certbot 2.1.0\n")


def dry_run(name: str, status: int) -> RenewalTest:
    """Return what is read of a sample's dry run."""
    found = read(document(PRESENT, section("certbot_dry_run", sample(name), status))).certbot
    assert found
    assert found.dry_run
    return found.dry_run


def test_success() -> None:
    """Every certificate would be renewed."""
    test = dry_run("certbot-dry-run-success.txt", 0)
    assert test.succeeded == tuple(
        f"/etc/letsencrypt/live/{name}/fullchain.pem" for name in ("example.com", "shop.example.org")
    )
    assert (test.failed, test.problems) == ((), ())


def test_failure() -> None:
    """The authority's own words for each name, not the summary that follows them."""
    test = dry_run("certbot-dry-run-failure.txt", 1)
    assert (test.succeeded, test.failed) == ((), ("/etc/letsencrypt/live/example.com/fullchain.pem",))
    assert [problem.split(": ")[:2] for problem in sorted(test.problems)] == [
        ["example.com", "connection"],
        ["www.example.com", "connection"],
    ]
    assert all(problem.endswith("connect: connection refused") for problem in test.problems)


def test_one_of_two_fails() -> None:
    """Which would be renewed and which not, with the status that the challenge got."""
    test = dry_run("certbot-dry-run-mixed.txt", 1)
    assert test.succeeded == ("/etc/letsencrypt/live/example.com/fullchain.pem",)
    assert test.failed == ("/etc/letsencrypt/live/shop.example.org/fullchain.pem",)
    assert len(test.problems) == 2
    assert all("unauthorized" in problem and problem.endswith("returned 404") for problem in test.problems)


def test_a_failure_without_a_challenge() -> None:
    """Certbot's own error stands where the authority said nothing."""
    output = "Failed to renew certificate example.com with error: The manual plugin is not working\nAsk for help\n"
    found = read(document(PRESENT, section("certbot_dry_run", output, 1))).certbot
    assert found
    assert found.dry_run
    assert found.dry_run.problems == ("example.com: The manual plugin is not working",)


def test_not_asked_for() -> None:
    """Without the section there is no result, which is no failure."""
    found = read(document(PRESENT)).certbot
    assert found
    assert found.dry_run is None


def timers(rows: str, status: int = 0) -> list[tuple[str, bool]] | None:
    """Return name and activity of each timer that is read."""
    found = read(document(PRESENT, section("certbot_timers", rows, status))).certbot
    assert found
    return None if found.timers is None else [(timer.name, timer.active) for timer in found.timers]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ("timer\tcertbot.timer\tactive\tenabled\tSun 2026-11-22\ncron-daemon\tstopped\n", [("certbot.timer", True)]),
        ("timer\tsnap.certbot.renew.timer\tinactive\tenabled\t\n", [("snap.certbot.renew.timer", False)]),
        ("timer\tcertbot.timer\tfailed\tdisabled\t\n", [("certbot.timer", False)]),
        ("cron\t/etc/crontab\t0 3 * * * root certbot renew\ncron-daemon\trunning\n", [("/etc/crontab", True)]),
        ("cron\t/etc/crontab\t0 3 * * * root certbot renew\ncron-daemon\tstopped\n", [("/etc/crontab", False)]),
        (
            "cron-inactive\t/etc/cron.d/certbot\t0 3 * * * root certbot renew\ncron-daemon\trunning\n",
            [("/etc/cron.d/certbot", False)],
        ),
        ("cron-daemon\trunning\n", []),
    ],
)
def test_what_runs_by_the_clock(rows: str, expected: list[tuple[str, bool]]) -> None:
    """A timer must be active, an entry in force and its daemon running."""
    assert timers(rows) == expected


@pytest.mark.parametrize(
    ("rows", "status", "runs"),
    [
        ("cron-daemon\trunning\n", 0, True),
        ("cron-daemon\tstopped\n", 0, False),
        ("cron-daemon\t?\n", 0, None),
        ("timer\tcertbot.timer\tactive\n", 0, None),
        ("cron-daemon\tstopped\n", 124, None),
    ],
)
def test_whether_cron_runs(rows: str, status: int, runs: bool | None) -> None:
    """It is known only where the collector says so."""
    found = read(document(PRESENT, section("certbot_timers", rows, status))).certbot
    assert found
    assert found.cron_runs is runs


def test_timers_that_could_not_be_asked() -> None:
    """Time that ran out is not "no timer"."""
    assert timers("", 124) is None


def reload_hook(rows: str, more: str = "") -> bool | None:
    """Return whether nginx is reloaded, by the renewals' settings."""
    found = read(document(PRESENT, section("certbot_renewal_conf", rows), section("certbot_timers", more))).certbot
    assert found
    return found.reload_hook


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (f"{CONF}\trenew_hook\tsystemctl reload nginx\n", True),
        (f"{CONF}\tinstaller\tnginx\n", True),
        (f"{CONF}\tpost_hook\tservice nginx reload\n", True),
        (f"{CONF}\tauthenticator\tnginx\n{CONF}\tinstaller\tNone\n", False),
        (f"{CONF}\tauthenticator\twebroot\n", False),
        (f"{CONF}\trenew_hook\t/usr/local/bin/after\n", None),
        (f"{CONF}\tinstaller\tnginx\n{OTHER}\tauthenticator\tdns-route53\n", None),
        (f"{CONF}\tauthenticator\twebroot\n{HOOK}\tdeploy: systemctl reload nginx\n", True),
        (f"{CONF}\tauthenticator\twebroot\n{HOOK}\tdeploy: \n", None),
        (f"{CONF}\trenew_hook\tsystemctl reload postfix\n", None),
        ("", None),
    ],
)
def test_whether_nginx_is_reloaded(rows: str, expected: bool | None) -> None:
    """Sure where every renewal does so or none has a hook; not known where a script may, or one of two does."""
    assert reload_hook(rows) is expected


def test_a_hook_of_the_cron_entry() -> None:
    """A hook on the command line of what runs certbot reloads nginx as well."""
    entry = "cron\t/etc/crontab\t0 3 * * * root certbot renew --deploy-hook 'systemctl reload nginx'\n"
    assert reload_hook(f"{CONF}\tauthenticator\twebroot\n", entry) is True
