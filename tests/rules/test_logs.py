"""logs.*: what the last lines say, quoted and never more than a notice."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from padlock.evidence import Evidence, LogTail
from padlock.probes.host import read

from tests.evidence_builder import NOW, fires, healthy, outcomes, report, silent, unassessed
from tests.host_builder import with_audit
from tests.probes.host.documents import document, sample, section

UPSTREAM, TLS, CERTBOT = "logs.upstream_errors", "logs.tls_errors", "logs.certbot_errors"
ERROR_LOG, ACCESS_LOG = "/var/log/nginx/error.log", "/var/log/nginx/access.log"
COLLECTED = Path(__file__).parents[1] / "host_collector" / "samples"
CERTBOT_LOG = "/var/log/letsencrypt/letsencrypt.log"
REFUSED = "connect() failed (111: Connection refused) while connecting to upstream"
OF_SITE = (
    ', client: 198.51.100.7, server: example.com, request: "GET / HTTP/1.1", upstream: "http://127.0.0.1:8000/", '
    'host: "example.com"'
)


def error(words: str, level: str = "error", days: float = 0.1) -> str:
    """Return a line of error.log, that many days old."""
    when = (NOW - timedelta(days=days)).strftime("%Y/%m/%d %H:%M:%S")
    return f"{when} [{level}] 812#812: *97 {words}"


def request(status: int, days: float = 0.1) -> str:
    """Return a line of access.log."""
    when = (NOW - timedelta(days=days)).strftime("%d/%b/%Y:%H:%M:%S +0000")
    return f'198.51.100.7 - - [{when}] "GET /a?*** HTTP/1.1" {status} 157 "-" "curl/8"'


def logs(*tails: LogTail) -> Evidence:
    """Return the site with these logs."""
    return with_audit(healthy(), logs=tails)


def errors(*lines: str) -> Evidence:
    """Return the site with this error.log."""
    return logs(LogTail("error", ERROR_LOG, lines))


def test_quiet_logs() -> None:
    """Nothing to say of requests that succeed."""
    seen = logs(
        LogTail("access", ACCESS_LOG, (request(200), request(301), request(404))), LogTail("error", ERROR_LOG)
    )
    silent("logs.upstream_errors", seen)
    silent("logs.tls_errors", seen)
    silent("logs.certbot_errors", seen)


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (REFUSED, "connection refused"),
        (
            "connect() to unix:/run/gunicorn.sock failed (2: No such file or directory) while connecting to upstream",
            "not there",
        ),
        (
            "connect() to unix:/run/gunicorn.sock failed (13: Permission denied) while connecting to upstream",
            "permissions",
        ),
        ("upstream timed out (110: Connection timed out) while reading response header from upstream", "timed out"),
        ("upstream prematurely closed connection while reading response header from upstream", "closed before"),
        (
            "recv() failed (104: Connection reset by peer) while reading response header from upstream",
            "closed before",
        ),
        ("no live upstreams while connecting to upstream", "no live upstreams"),
        ("upstream sent too big header while reading response header from upstream", "too big"),
    ],
)
def test_classes_of_upstream_errors(words: str, name: str) -> None:
    """Each class of nginx's words, with its count and the line itself."""
    found = fires("logs.upstream_errors", errors(*[error(words + OF_SITE)] * 3))
    assert found.severity == "notice"
    assert name in found.observed
    assert "x3" in found.observed
    assert words[:60] in found.observed


def test_statuses_of_the_access_log() -> None:
    """Every status is counted, once a request failed."""
    lines = (request(200), request(200), request(301), request(502))
    found = fires(UPSTREAM, logs(LogTail("access", ACCESS_LOG, lines)))
    assert "of the last 4 requests 200 x2, 301 x1, 502 x1" in found.observed


def test_the_most_frequent_first_and_the_newest_line() -> None:
    """Of many lines one is shown."""
    old, new = error(REFUSED + " one"), error(REFUSED + " two")
    found = fires(UPSTREAM, errors(error("no live upstreams while connecting to upstream"), old, new))
    assert "connection refused x2, no live upstreams x1" in found.observed
    assert "upstream two" in found.observed
    assert "upstream one" not in found.observed


def test_old_lines_and_other_sites_lines() -> None:
    """What is over, and what another site on the machine logs, is left out."""
    silent(UPSTREAM, errors(error(REFUSED + OF_SITE, days=5)))
    silent(UPSTREAM, logs(LogTail("access", ACCESS_LOG, (request(502, days=9),))))
    silent(UPSTREAM, errors(error(REFUSED + OF_SITE.replace("example.com", "blog.example"))))
    fires(UPSTREAM, errors(error(REFUSED + OF_SITE.replace('host: "example.com"', 'host: "www.example.com:443"'))))


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (
            'cannot load certificate "/etc/letsencrypt/live/x/fullchain.pem": BIO_new_file() failed',
            "certificate cannot",
        ),
        ('cannot load certificate key "/etc/ssl/x.key": PEM_read_bio_PrivateKey() failed', "key cannot be loaded"),
        ('SSL_CTX_use_PrivateKey("/etc/ssl/x.key") failed (SSL: error:05800074::key values mismatch)', "key cannot"),
        (
            'no "ssl_certificate" is defined in server listening on SSL port while SSL handshaking',
            "no certificate for",
        ),
        ('conflicting server name "example.com" on 0.0.0.0:443, ignored', "duplicate server_name"),
    ],
)
def test_classes_of_tls_errors(words: str, name: str) -> None:
    """What the server itself gets wrong."""
    assert name in fires("logs.tls_errors", errors(error(words, "emerg"))).observed


def test_scanners_are_no_tls_errors() -> None:
    """Every server on the Internet has these."""
    noise = "SSL_do_handshake() failed (SSL: error:0A0000C1:SSL routines::no shared cipher) while SSL handshaking"
    silent(TLS, errors(error(noise + ", client: 198.51.100.9, server: 0.0.0.0:443", "crit")))


def certbot_log(*words: str) -> Evidence:
    """Return the site with this letsencrypt.log."""
    when = NOW.strftime("%Y-%m-%d %H:%M:%S")
    lines = tuple(f"{when},123:ERROR:certbot._internal.log:{each}" for each in words)
    return logs(LogTail("certbot", CERTBOT_LOG, lines))


def test_certbots_errors() -> None:
    """Failed challenges, classified and quoted; another site's are left out."""
    found = fires("logs.certbot_errors", certbot_log("Challenge failed for domain www.example.com"))
    assert "challenge failed x1" in found.observed
    assert '"/var/log/letsencrypt/letsencrypt.log"' in found.observed
    fires(CERTBOT, certbot_log("PermissionError: [Errno 13] Permission denied: '/var/lib/letsencrypt'"))
    silent(CERTBOT, certbot_log("Challenge failed for domain blog.example"))
    silent(CERTBOT, certbot_log("Failed to renew certificate blog with error: Some challenges have failed."))
    fires(CERTBOT, certbot_log("Failed to renew certificate example.com with error: x"))


def test_a_real_log_of_a_renewal_that_failed() -> None:
    """What certbot wrote of names that the authority did not reach: its details are the example."""
    whole = document(section("log_certbot", sample("letsencrypt.log"), command=f"tail -n 200 {CERTBOT_LOG}"))
    machine = read(whole)
    assert machine.logs
    found = fires(CERTBOT, with_audit(healthy(), logs=machine.logs, collected_at=NOW))
    assert "challenge failed x" in found.observed
    assert "connection refused" in found.observed


def test_a_real_log_of_a_renewal_that_succeeded() -> None:
    """All that certbot notes for debugging is no error."""
    machine = read((COLLECTED / "healthy.json").read_bytes())
    assert machine.logs
    tails = [log for log in machine.logs if log.kind == "certbot"]
    assert len(tails[0].lines) > 50
    silent(CERTBOT, with_audit(healthy(), logs=tuple(tails)))


def test_hostile_lines() -> None:
    """A line is quoted on one line, short, and never makes more than a notice."""
    evil = error(REFUSED + " <script>\n\x1b[31m" + "A" * 100_000)
    found = fires(UPSTREAM, errors(*[evil] * 200))
    assert len(found.observed) < 700
    assert "\n" not in found.observed
    assert not [f for f in report(errors(evil)).findings if f.code.startswith("logs.") and f.severity != "notice"]


@pytest.mark.parametrize("line", ["", "[99/Foo/2026:99:99:99 +0000]", "2026/99/99 99:99:99 [error]", "\x00" * 50])
def test_lines_that_are_none(line: str) -> None:
    """They are passed over."""
    silent(UPSTREAM, errors(line, line))


def test_logs_that_could_not_be_read() -> None:
    """Told for each; a log of another kind is judged all the same."""
    unread = LogTail("error", ERROR_LOG, fault="Permission denied")
    assert "Permission denied" in unassessed(TLS, logs(unread))
    both = logs(unread, LogTail("access", ACCESS_LOG, (request(502),)))
    assert "502 x1" in fires(UPSTREAM, both).observed
    for code in (UPSTREAM, TLS, CERTBOT):
        assert "could not be read" in unassessed(code, with_audit(healthy(), logs=None))
        assert "5 days old" in unassessed(code, with_audit(healthy(), collected_at=NOW - timedelta(days=5)))


def test_without_certbot() -> None:
    """There is no log of it to read."""
    fields: dict[str, Any] = {"certbot": None, "logs": (LogTail("certbot", CERTBOT_LOG, fault="No such file"),)}
    assert outcomes(CERTBOT, with_audit(healthy(), **fields)) == []
