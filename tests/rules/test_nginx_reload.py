"""Cases of rules/nginx_reload.py."""

from datetime import timedelta
from typing import Any

from padlock.evidence import Evidence, Ran
from padlock.findings import Severity

from tests.evidence_builder import NOW, certificate, change, fires, healthy, report, silent, unassessed, with_leaf
from tests.host_builder import (
    NGINX_CONF,
    RELOAD,
    SITE,
    SITE_FILE,
    STARTED,
    certificate_file,
    host,
    nginx,
    site,
    with_audit,
    with_nginx,
)

HOUR = timedelta(hours=1)
NEWER = certificate(serial="0BEEF0", not_before=NOW - HOUR, not_after=NOW + timedelta(days=90))


def renewed(evidence: Evidence, **fields: Any) -> Evidence:
    """Return a machine whose certificate was renewed an hour ago."""
    defaults: dict[str, Any] = {"certificate": NEWER, "modified": NOW - HOUR, "key_modified": NOW - HOUR}
    return with_audit(evidence, certificates=(certificate_file(**{**defaults, **fields}),))


def changed(**times: Any) -> Evidence:
    """Return a machine whose site file changed then."""
    return with_nginx(healthy(), files={NGINX_CONF: STARTED - HOUR, **times})


def test_configuration_is_newer() -> None:
    """A file that changed after the workers started was not read; a reload is proposed."""
    evidence = changed(**{SITE_FILE: STARTED + HOUR})
    finding = fires("nginx.not_reloaded", evidence)
    assert (finding.subject, finding.severity) == ("example.com on web-1", Severity.ERROR)
    assert f'"{SITE_FILE}" changed at' in finding.observed
    assert finding.commands == (RELOAD,)
    assert [row.status for row in report(evidence).checklist if row.step == 6] == ["fail"]


def test_the_oldest_worker_counts() -> None:
    """A worker that died and was started again has the old configuration too: its master had it."""
    evidence = with_nginx(healthy(), files={SITE_FILE: STARTED + HOUR}, workers_started=(STARTED, STARTED + 2 * HOUR))
    assert fires("nginx.not_reloaded", evidence)


def test_reloaded() -> None:
    """Files older than the workers, by a second or two, or from a time to come, are no finding."""
    for when in (STARTED - HOUR, STARTED, STARTED + timedelta(seconds=4), NOW + timedelta(days=300)):
        silent("nginx.not_reloaded", changed(**{SITE_FILE: when}))
    later = with_nginx(healthy(), files={SITE_FILE: NOW - 2 * HOUR}, workers_started=(NOW - HOUR,))
    silent("nginx.not_reloaded", later)


def test_the_master_counts_where_no_worker_is_seen() -> None:
    """Without workers' times the master's is what is known; without any nothing is."""
    started = {"workers_started": (), "master_started": NOW - 2 * HOUR}
    assert fires("nginx.not_reloaded", with_nginx(healthy(), files={SITE_FILE: NOW - HOUR}, **started))
    assert "workers started" in unassessed(
        "nginx.not_reloaded", with_nginx(healthy(), workers_started=(), master_started=None)
    )
    assert "root" in unassessed("nginx.not_reloaded", with_audit(healthy(), root=False))


def test_a_stopped_nginx_is_not_to_be_reloaded() -> None:
    """An nginx that does not run reads everything when it starts."""
    silent("nginx.not_reloaded", with_nginx(healthy(), running=False, files={SITE_FILE: STARTED + HOUR}))


def test_certificate_is_newer() -> None:
    """A renewed certificate that is not served was not read, with both serials."""
    finding = fires("nginx.not_reloaded", renewed(healthy()))
    assert finding.subject == "example.com on web-1"
    assert "visitors get serial 04A1B2, the file has 0BEEF0" in finding.observed
    assert finding.commands == (RELOAD,)


def test_certificate_was_touched() -> None:
    """A certificate that is served was read, whenever its file changed."""
    silent("nginx.not_reloaded", renewed(healthy(), certificate=certificate()))
    silent("nginx.not_reloaded", renewed(with_leaf(healthy(), serial="BEEF0")))


def test_another_certificate_is_none_of_the_hosts() -> None:
    """A renewed certificate of another site is not looked at."""
    text = SITE + "server { listen 443 ssl; server_name a.test; ssl_certificate /a; ssl_certificate_key /b; }"
    other = certificate_file(path="/a", key_path="/b", certificate=NEWER, modified=NOW - HOUR)
    evidence = with_audit(healthy(), nginx=nginx(configuration=site(text)), certificates=(certificate_file(), other))
    silent("nginx.not_reloaded", evidence)


def test_an_older_certificate_is_served() -> None:
    """Where the times speak against it, an older certificate than the file's is only a warning."""
    finding = fires("nginx.not_reloaded", renewed(healthy(), modified=STARTED - HOUR, key_modified=STARTED - HOUR))
    assert finding.severity is Severity.WARNING
    assert "04A1B2" in finding.observed


def test_a_proxys_own_certificate() -> None:
    """A certificate of another issuer, for other names, or of another machine says nothing of this nginx."""
    old = {"modified": STARTED - HOUR, "key_modified": STARTED - HOUR}
    silent("nginx.not_reloaded", renewed(with_leaf(healthy(), issuer="CN=WE1,O=Google Trust Services,C=US"), **old))
    silent(
        "nginx.not_reloaded",
        renewed(with_leaf(healthy(), dns_names=("example.com", "*.example.com", "www.example.com")), **old),
    )
    silent("nginx.not_reloaded", renewed(with_leaf(healthy(), not_before=NOW), **old))
    first = host(certificates=(certificate_file(certificate=NEWER, **old),))
    silent("nginx.not_reloaded", change(healthy(), host=(first, host(name="web-2"))))


def test_configuration_and_certificate_are_one_finding() -> None:
    """What is told of one subject is one finding."""
    evidence = with_audit(
        healthy(),
        nginx=nginx(files={SITE_FILE: STARTED + HOUR}),
        certificates=(certificate_file(certificate=NEWER, modified=NOW - HOUR),),
    )
    subjects = [finding.subject for finding in report(evidence).findings if finding.code == "nginx.not_reloaded"]
    assert sorted(subjects) == ["example.com on web-1", "www.example.com on web-1"]


def test_no_lines_while_it_is_invalid() -> None:
    """Nginx takes no reload while its configuration is invalid, so that none is proposed."""
    broken = with_nginx(healthy(), files={SITE_FILE: STARTED + HOUR}, test=Ran("nginx -t", 1, "[emerg] no"))
    assert fires("nginx.not_reloaded", broken).commands == ()


def test_a_reload_that_would_lose_a_name_is_not_proposed() -> None:
    """Where the new certificate has fewer names than the served one, a reload breaks the others: it says so."""
    fewer = change(NEWER, dns_names=("example.com",), dns_name_count=1)
    finding = fires("nginx.not_reloaded", renewed(healthy(), certificate=fewer))
    assert finding.commands == ()
    assert "Do not reload nginx yet" in finding.remediation
    assert "does not cover www.example.com" in finding.remediation
    assert fires("nginx.not_reloaded", renewed(healthy())).commands == (RELOAD,)


def test_an_expired_certificate_that_was_renewed_is_a_matter_of_the_reload() -> None:
    """What visitors get has expired, the file is new: the cause is the reload, which explains the expiry."""
    expired = with_leaf(healthy(), not_before=NOW - 100 * 24 * HOUR, not_after=NOW - 10 * 24 * HOUR)
    (cause,) = report(renewed(expired)).causes
    assert (cause.code, cause.confidence, cause.commands) == ("cause.not_reloaded", "certain", (RELOAD,))
    assert "certificate.expired" in cause.explains


def test_a_changed_file_explains_no_expired_certificate() -> None:
    """A configuration that waits for its reload, whatever its file is called, is not why a certificate expired."""
    expired = with_leaf(healthy(), not_before=NOW - 100 * 24 * HOUR, not_after=NOW - 10 * 24 * HOUR)
    files = {NGINX_CONF: STARTED - HOUR, "/etc/nginx/conf.d/certificate.conf": STARTED + HOUR}
    held = (certificate_file(certificate=certificate(not_after=NOW - 10 * 24 * HOUR)),)
    found = report(with_audit(expired, certificates=held, nginx=nginx(files=files)))
    assert [one.code for one in found.causes] == ["cause.not_reloaded", "cause.renewal_broken"]
    assert "certificate.expired" not in found.causes[0].explains
