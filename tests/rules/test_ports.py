"""Ports: closed, or speaking what does not belong there."""

from typing import Any

import pytest
from padlock import evidence as ev
from padlock.findings import Severity

from tests.evidence_builder import (
    ADDRESS,
    change,
    codes,
    fires,
    healthy,
    report,
    silent,
    unassessed,
    with_address,
    with_exchange,
    with_handshakes,
    with_port,
)
from tests.host_builder import certbot, lineage, with_audit

SECOND = "93.184.215.77"


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("refused", "nothing listens"),
        ("timeout", "firewall drops"),
        ("reset", "reset while it opens"),
        ("unreachable", "cannot be reached"),
    ],
)
def test_https_closed_names_how(kind: ev.FailureKind, said: str) -> None:
    """Each way of being closed is named, with the address."""
    finding = fires("port.https_closed", with_port(healthy(), "https", kind))
    assert (finding.severity, finding.subject) == (Severity.ERROR, "example.com")
    assert said in finding.observed
    assert ADDRESS in finding.observed


def test_https_closed_of_one_address() -> None:
    """Of several addresses only the odd one is told, by its own subject."""
    two = with_address(healthy(), SECOND)
    states = tuple(
        change(s, failure=ev.Failure("refused")) if (s.address, s.scheme) == (SECOND, "https") else s
        for s in two.ports or ()
    )
    assert fires("port.https_closed", change(two, ports=states)).subject == f"example.com at {SECOND}"


def test_https_closed_is_one_finding() -> None:
    """A machine that is dead on both ports is one error for each host, and everything behind is not assessed."""
    dead = with_port(
        with_port(healthy({"name": "example.com", "hosts": ["example.com"]}), "https", "timeout"), "http", "timeout"
    )
    assert dead.dns
    dead = change(dead, dns=change(dead.dns, hosts=dead.dns.hosts[:1]), tls=ev.Tls((), {}), http=ev.Http(()))
    assert codes(dead) == ["port.https_closed"]
    assert "plain HTTP does not answer either" in fires("port.https_closed", dead).observed
    reasons = {entry.code: entry.reason for entry in report(dead).not_assessed}
    assert "firewall" in reasons["certificate.expired"]
    assert "firewall" in reasons["tls.handshake_failed"]


@pytest.mark.parametrize("kind", ["deadline", "internal"])
def test_https_not_assessed(kind: ev.FailureKind) -> None:
    """A fault of ours is no closed port."""
    unassessed("port.https_closed", with_port(healthy(), "https", kind))


def test_https_time_out_seen_once() -> None:
    """A single time-out may be the network's; a refusal is said by the machine itself and counts at once."""
    assert "once" in unassessed("port.https_closed", with_port(healthy(), "https", "timeout", confirmed=False))
    fires("port.https_closed", with_port(healthy(), "https", "refused", confirmed=False))


@pytest.mark.parametrize("kind", ["timeout", "reset", "refused"])
def test_https_closed_for_one_host_only(kind: ev.FailureKind) -> None:
    """A port belongs to its address: where it opened for another host, the server limits us, and is not closed."""
    evidence = healthy()
    states = tuple(
        change(state, failure=ev.Failure(kind), confirmed=True)
        if (state.host, state.scheme) == ("www.example.com", "https")
        else state
        for state in evidence.ports or ()
    )
    assert "opened for another host" in unassessed("port.https_closed", change(evidence, ports=states))


def test_https_open() -> None:
    """Open ports are fine, and another protocol behind one is not a closed port."""
    silent("port.https_closed", healthy())
    silent("port.https_closed", with_handshakes(healthy(), failure=ev.Failure("not_tls", "SSH-2.0-x"), chain=()))


def test_http_closed() -> None:
    """A closed port 80 is a warning where HTTPS works."""
    finding = fires("port.http_closed", with_port(healthy(), "http", "refused"))
    assert finding.severity is Severity.WARNING


@pytest.mark.parametrize("kind", ["closed", "reset"])
def test_http_that_hangs_up(kind: ev.FailureKind) -> None:
    """A port 80 that opens and then ends each connection serves visitors no better; a single time counts for none."""
    mute: dict[str, Any] = {"status": None, "headers": (), "failure": ev.Failure(kind, "headers")}
    seen = with_exchange(healthy(), "http://example.com/", **mute, confirmed=True)
    broken = {"closed": "the server closes the connection", "reset": "the connection is reset"}
    told = f"the port opens, but {broken[kind]} before the headers of the answer are complete"
    assert told in fires("port.http_closed", seen).observed
    silent("port.http_closed", with_exchange(healthy(), "http://example.com/", **mute))


def test_http_closed_on_purpose() -> None:
    """A declaration that plain HTTP is closed silences it."""
    silent("port.http_closed", healthy())
    silent(
        "port.http_closed",
        with_port(healthy({"name": "example.com", "ports": {"http": "closed"}}), "http", "refused"),
    )


def not_tls(banner: str) -> ev.Evidence:
    """Return a site whose HTTPS port answers with a banner."""
    return with_handshakes(healthy(), failure=ev.Failure("not_tls", banner), chain=(), alpn="")


@pytest.mark.parametrize(
    ("banner", "name"),
    [
        ("HTTP/1.1 400 Bad Request\\r\\nServer: nginx", "plain HTTP on port 443"),
        ("<html>", "plain HTTP on port 443"),
        ("SSH-2.0-OpenSSH_9.2p1 Debian-2", "SSH on port 443"),
        ("220 mail.example.com ESMTP Postfix", "SMTP or FTP on port 443"),
        ("\\x00\\x01", "something other than TLS on port 443"),
        ("", "something other than TLS on port 443"),
    ],
)
def test_not_tls_names_the_protocol(banner: str, name: str) -> None:
    """What answers instead of TLS is named by the first line of its banner, and is the only TLS finding."""
    evidence = not_tls(banner)
    finding = fires("port.not_tls", evidence)
    assert finding.observed.startswith(name)
    assert "Server:" not in finding.observed
    assert "tls.handshake_failed" not in codes(evidence)


def test_tls_is_tls() -> None:
    """A handshake that works, or fails by an alert, is TLS."""
    silent("port.not_tls", healthy())
    silent("port.not_tls", with_handshakes(healthy(), failure=ev.Failure("alert", "handshake_failure")))


def test_not_tls_not_assessed() -> None:
    """A port that stays silent says nothing about its protocol."""
    unassessed("port.not_tls", with_handshakes(healthy(), failure=ev.Failure("timeout", "tls"), chain=()))


def http_front(**fields: object) -> ev.Evidence:
    """Return a site whose plain HTTP front page answers otherwise."""
    evidence = healthy()
    assert evidence.http
    exchanges = tuple(
        change(e, **fields) if e.url.startswith("http:") and e.purpose == "front" else e
        for e in evidence.http.exchanges
    )
    return change(evidence, http=change(evidence.http, exchanges=exchanges))


@pytest.mark.parametrize(
    "fields",
    [
        {"failure": ev.Failure("protocol_error", "tls record: \\x15\\x03\\x03"), "status": None},
        {"status": 400, "body": "<center>The plain HTTP request was sent to HTTPS port</center>"},
        {"status": 400, "body": "Reason: You're speaking plain HTTP to an SSL-enabled server port.<br />"},
        {"status": 400, "body": "Client sent an HTTP request to an HTTPS server.\n"},
    ],
)
def test_tls_on_http(fields: dict[str, object]) -> None:
    """A TLS record or the page of nginx, Apache or Go that says so shows TLS on port 80."""
    assert fires("port.tls_on_http", http_front(**fields)).severity is Severity.ERROR


@pytest.mark.parametrize("fields", [{}, {"status": 400, "body": "Bad Request"}, {"status": 200, "body": "hello"}])
def test_no_tls_on_http(fields: dict[str, object]) -> None:
    """A redirect, another 400 and a page in clear are no TLS."""
    silent("port.tls_on_http", http_front(**fields))


def test_tls_on_http_not_assessed() -> None:
    """A port 80 that gives no answer is not assessed."""
    unassessed("port.tls_on_http", http_front(failure=ev.Failure("timeout", "headers"), status=None))


@pytest.mark.parametrize(
    ("authenticator", "kind", "severity"),
    [
        ("nginx", "refused", "error"),
        ("webroot", "timeout", "error"),
        ("standalone", "timeout", "error"),
        ("standalone", "refused", "warning"),
        ("dns-route53", "timeout", "warning"),
        ("", "timeout", "warning"),
    ],
)
def test_port_80_and_renewal(authenticator: str, kind: Any, severity: str) -> None:
    """It is an error where certbot renews over it; `--standalone` listens only while it renews."""
    seen = with_port(healthy(), "http", kind)
    audited = with_audit(seen, certbot=certbot(lineages=(lineage(authenticator=authenticator),)))
    found = fires("port.http_closed", audited)
    assert found.severity == severity
    assert ("certbot renews" in found.observed) is (severity == "error")
    stale = with_audit(seen, certbot=certbot(lineages=(lineage(authenticator=authenticator),)), fault="gone")
    assert fires("port.http_closed", stale).severity == "warning"
