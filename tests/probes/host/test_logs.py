"""Logs: bounded lines, no credentials."""

import pytest
from padlock.evidence.host import LogTail
from padlock.probes.host import read

from tests.probes.host.documents import document, sample, section


def tail(output: str, status: int = 0) -> LogTail:
    """Return what is read of one log."""
    logs = read(document(section("log_error", output, status, "tail -n 200 /var/log/nginx/error.log"))).logs
    assert logs
    return logs[0]


def test_kinds_and_paths() -> None:
    """Each log under its path, several of one kind too."""
    paths = {"log_error": "/var/log/nginx/a b.log", "log_access": "/srv/access.log", "log_certbot": "/var/log/le.log"}
    sections = [section(name, "x\n", command=f"tail -n 200 {path}") for name, path in paths.items()]
    sections.append(section("log_error", "", 1, "tail -n 200 /srv/error.log"))
    logs = read(document(*sections)).logs
    assert logs
    assert [(log.kind, log.path) for log in logs] == [
        ("error", "/var/log/nginx/a b.log"),
        ("access", "/srv/access.log"),
        ("certbot", "/var/log/le.log"),
        ("error", "/srv/error.log"),
    ]


def test_no_log_was_looked_for() -> None:
    """None, not an empty tuple."""
    assert read(document()).logs is None


def test_a_log_that_cannot_be_read() -> None:
    """Its fault is told, and no line."""
    assert tail("no such file\n", 1) == LogTail("error", "/var/log/nginx/error.log", (), "no such file")


def test_a_real_log() -> None:
    """What certbot wrote of a failed renewal is there, the newest line last, without what it signed."""
    text = sample("letsencrypt.log")
    logs = read(document(section("log_certbot", text))).logs
    assert logs
    assert len(logs[0].lines) == 200
    assert logs[0].lines[-1] == text.rstrip().split("\n")[-1]
    assert any("urn:ietf:params:acme:error" in line for line in logs[0].lines)


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ('"GET /reset?token=s3cret&x=1 HTTP/1.1" 200', '"GET /reset?*** HTTP/1.1" 200'),
        ('"GET /reset?*** HTTP/1.1" 200', '"GET /reset?*** HTTP/1.1" 200'),
        ("Authorization: Bearer s3cret.s3cret", "Authorization: ***"),
        ("authorization: Basic s3cret=", "authorization: ***"),
        ('{"api_key": "s3cret"}', '{"api_key": "***"}'),
        ("Cookie: session=s3cret; b", "Cookie: ***; b"),
        ("upstream: https://bob:s3cret@10.0.0.1/x", "upstream: https://***@10.0.0.1/x"),
        ("password = s3cret", "password = ***"),
        ("connect() failed (111: Connection refused) while", "connect() failed (111: Connection refused) while"),
    ],
)
def test_credentials_are_removed(line: str, shown: str) -> None:
    """A second time, should the collector have missed one."""
    assert tail(line).lines == (shown,)


def test_lines_are_bounded_and_printable() -> None:
    """The newest 200, each of 1,000 characters at most, with control characters escaped."""
    found = tail("\n".join([f"{number}" for number in range(500)] + ["x" * 50_000, "\x1b[2J\u202e\ttab"]))
    assert len(found.lines) == 200
    assert all(len(line) <= 1_000 and line.isprintable() for line in found.lines)
    assert found.lines[-1] == "\\x1b[2J\\u202e tab"
