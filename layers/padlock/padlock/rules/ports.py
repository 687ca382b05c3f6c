"""Rules over the site's ports: open, and speaking what belongs there (checklist steps 3, 7 and 10)."""

from collections.abc import Iterator, Mapping

from msgspec.structs import replace

from padlock.evidence import Evidence, Exchange, Failure, Handshake, PortState
from padlock.findings import Severity
from padlock.rules._lineages import BY_HTTP, renewed_by
from padlock.rules._rule import NotApplicable, Outcome, Problem, Unknown, rule
from padlock.rules._subjects import (
    Scheme,
    broken_ipv6,
    closed,
    listed,
    not_seen,
    ports,
    quoted,
    resolved,
    spread,
    unseen,
    unsure,
)
from padlock.site import Site

_NOT_LISTENING = (
    "On the server: `sudo systemctl status nginx`, `sudo nginx -t && sudo systemctl restart nginx`, "
    "`sudo ss -ltnp 'sport = :443'`; nginx needs a server block for {host} with `listen 443 ssl;` and "
    "`listen [::]:443 ssl;`."
)
"""A refusal comes from the machine itself: a firewall rarely sends one."""


def _faults(evidence: Evidence, host: str, scheme: Scheme) -> tuple[dict[str, Problem], dict[str, str], list[str]]:
    """Return the host's closed ports by address, why others are not known, and the addresses that are.

    An IPv6 port that is closed while IPv4 works belongs to dns.ipv6_broken.
    """
    states = [state for state in ports(evidence, host, scheme) if state not in broken_ipv6(evidence, host)]
    reasons = {state.address: why for state in states if (why := unsure(evidence, state))}
    tried = {state.address for state in ports(evidence, host, scheme)}
    dns = resolved(evidence, host)
    refused = dns.refused if dns else {}
    for address in dns.addresses if dns else ():
        if address not in tried:
            reasons[address] = f"nothing was sent there ({refused[address]})" if address in refused else "not tried"
    faults = {
        state.address: _closed_port(state, state.failure)
        for state in states
        if state.failure and closed(evidence, state)
    }
    return faults, reasons, [state.address for state in states if state.address not in reasons]


def _closed_port(state: PortState, failure: Failure) -> Problem:
    observed, expected = f"port {state.port}: {failure.words}", f"port {state.port} open"
    fix = _NOT_LISTENING if failure.kind == "refused" and state.scheme == "https" else ""
    return Problem("", observed, expected, remediation=fix)


def _dead(evidence: Evidence, host: str) -> bool:
    """Whether nothing is open at the host, on either port: one fault, told by port.https_closed."""
    states = [*ports(evidence, host, "https"), *ports(evidence, host, "http")]
    return all(closed(evidence, state) for state in states)


@rule(
    "port.https_closed",
    Severity.ERROR,
    step=(3, 10),
    reads="ports",
    reachability=True,
    summary="HTTPS port closed",
    impact="Nobody reaches the site over HTTPS: browsers wait for a time-out or report a refused connection.",
    remediation="On the server: `sudo ufw status` (fix: `sudo ufw allow 'Nginx Full'`), "
    "`sudo ss -ltnp 'sport = :443'`, "
    "`sudo nginx -t && sudo systemctl restart nginx`; then the provider's firewall or security group: TCP 443 "
    "from everywhere, IPv4 and IPv6.",
    reference="checklist step 3",
)
def https_closed(site: Site, evidence: Evidence) -> Iterator[Outcome]:
    """Find addresses whose HTTPS port does not open."""
    for host in evidence.hosts:
        if why := unseen(evidence, host):
            yield Unknown(host, why)
            continue
        faults, reasons, looked = _faults(evidence, host, "https")
        yield from not_seen(host, reasons, looked)
        for problem in spread(host, faults, looked):
            also = "; plain HTTP does not answer either" if _both_closed(site, evidence, host) else ""
            yield Problem(problem.subject, problem.observed + also, problem.expected, None, problem.remediation)


def _both_closed(site: Site, evidence: Evidence, host: str) -> bool:
    return bool(site.http_port and ports(evidence, host, "http")) and _dead(evidence, host)


@rule(
    "port.http_closed",
    Severity.WARNING,
    step=3,
    reads="ports",
    reachability=True,
    summary="HTTP port closed",
    impact="Visitors who type the bare name, or follow an old link, get nothing; certificates that are renewed by "
    "HTTP-01 cannot be renewed.",
    remediation="`sudo ufw allow 'Nginx Full'`, TCP 80 in the provider's firewall or security group, and a server "
    "block with `listen 80; listen [::]:80; server_name {host}; return 301 https://$host$request_uri;`. If it is "
    'closed on purpose, declare `"ports": {"http": "closed"}`.',
    reference="checklist step 3; RFC 8555 section 8.3",
)
def http_closed(site: Site, evidence: Evidence) -> Iterator[Outcome]:
    """Find addresses whose HTTP port does not open, or hangs up on every request, while HTTPS works."""
    if site.http_port is None:
        yield NotApplicable("plain HTTP is closed on purpose")
        return
    for host in evidence.hosts:
        if why := unseen(evidence, host):
            yield Unknown(host, why)
            continue
        faults, reasons, looked = _faults(evidence, host, "http")
        yield from not_seen(host, reasons, looked)
        if faults and ports(evidence, host, "https") and _dead(evidence, host):
            yield Unknown(host, "the machine does not answer at all")
            continue
        faults |= _mute(evidence, host)
        yield from spread(host, _stopping_renewal(evidence, host, faults), looked)


def _stopping_renewal(evidence: Evidence, host: str, faults: dict[str, Problem]) -> dict[str, Problem]:
    """Return the faults as errors where certbot on the audited machine renews the certificate over this port.

    Nothing listens for `--standalone` between two renewals, so that only a firewall's silence speaks against it.
    """
    renewed = renewed_by(evidence, host) & BY_HTTP
    silent = any(state.failure and state.failure.kind == "timeout" for state in ports(evidence, host, "http"))
    if not renewed or (renewed == {"standalone"} and not silent):
        return faults
    how = f"; certbot renews the certificate over it ({listed(sorted(renewed))})"
    return {
        address: replace(fault, observed=fault.observed + how, severity=Severity.ERROR)
        for address, fault in faults.items()
    }


_UPGRADE = (
    "Something listens and hangs up, as nginx does with `return 444` or for a name that no server block has "
    "(`sudo nginx -T | grep -nE 'listen|server_name|444'`): `server { listen 80; listen [::]:80; server_name {host}; "
    "return 301 https://$host$request_uri; }`, then `sudo nginx -t && sudo systemctl reload nginx`."
)


def _mute(evidence: Evidence, host: str) -> dict[str, Problem]:
    """Return the addresses whose open HTTP port closes or resets each connection instead of answering."""
    fronts = [e for e in evidence.http.of("front", "http") if e.host == host] if evidence.http else []
    return {
        front.address: Problem(
            "", f"the port opens, but {front.failure.words}", "an answer over plain HTTP", remediation=_UPGRADE
        )
        for front in fronts
        if front.failure and front.confirmed and front.failure.kind in ("closed", "reset") and front.status is None
        if front.failure.detail == "headers"
    }


_BANNERS: Mapping[str, str] = {
    "HTTP/": "plain HTTP",
    "<": "plain HTTP",
    "SSH-": "SSH",
    "220": "SMTP or FTP",
    "* OK": "IMAP",
    "+OK": "POP3",
    "RFB ": "VNC",
}


def _spoken(banner: str) -> str:
    return next((name for start, name in _BANNERS.items() if banner.startswith(start)), "something other than TLS")


@rule(
    "port.not_tls",
    Severity.ERROR,
    step=(3, 10),
    reads="tls",
    summary="HTTPS port speaks no TLS",
    impact="Browsers report that the site sent an invalid response: no page is shown.",
    remediation="Write `listen 443 ssl;` and `listen [::]:443 ssl;` (with `ssl`) and the certificate's two lines "
    "into the server block of {host}, then `sudo nginx -t && sudo systemctl reload nginx`; "
    "`sudo ss -ltnp 'sport = :443'` shows which program listens.",
    reference="checklist steps 3 and 10; RFC 9110 section 4.2.2",
)
def not_tls(site: Site, evidence: Evidence) -> Iterator[Outcome]:
    """Find HTTPS ports where another protocol answers, and name it."""
    for host in evidence.hosts:
        tried = [handshake for handshake in evidence.tls.named() if handshake.host == host] if evidence.tls else []
        looked = [handshake.address for handshake in tried if _answered(handshake)]
        if not looked:
            yield Unknown(host, unseen(evidence, host) or "no TLS handshake came to an answer")
        faults = {handshake.address: _other_protocol(handshake) for handshake in tried if _speaks_other(handshake)}
        yield from spread(host, faults, looked)


def _answered(handshake: Handshake) -> bool:
    return handshake.failure is None or handshake.failure.kind in ("alert", "not_tls", "tls")


def _speaks_other(handshake: Handshake) -> bool:
    return handshake.failure is not None and handshake.failure.kind == "not_tls"


def _other_protocol(handshake: Handshake) -> Problem:
    banner = handshake.failure.detail if handshake.failure else ""
    line = banner.split("\\r")[0].split("\\n")[0]  # line ends are escaped in evidence
    shown = f": {quoted(line, 80)}" if line else ""
    return Problem("", f"{_spoken(banner)} on port {handshake.port}{shown}", "TLS")


_TO_A_TLS_PORT = (
    "The plain HTTP request was sent to HTTPS port",  # nginx, status 497 shown as 400
    "speaking plain HTTP to an SSL-enabled server port",  # Apache
    "Client sent an HTTP request to an HTTPS server",  # Go
    "This combination of host and port requires TLS",  # Tomcat
)
"""What servers answer to plain HTTP on a TLS port."""


@rule(
    "port.tls_on_http",
    Severity.ERROR,
    step=(3, 7),
    reads="http",
    summary="HTTP port speaks TLS",
    impact="Visitors who type the bare name see an error page instead of being led to HTTPS.",
    remediation="Remove `ssl` from the `listen 80` lines of {host} (`sudo nginx -T | grep -n listen`), then "
    "`sudo nginx -t && sudo systemctl reload nginx`.",
    reference="checklist steps 3 and 7; RFC 9110 section 4.2.1",
)
def tls_on_http(site: Site, evidence: Evidence) -> Iterator[Outcome]:
    """Find plain HTTP ports that want TLS."""
    if site.http_port is None:
        yield NotApplicable("plain HTTP is closed on purpose")
        return
    for host in evidence.hosts:
        fronts = [e for e in evidence.http.of("front", "http") if e.host == host] if evidence.http else []
        faults = {front.address: Problem("", text, "plain HTTP") for front in fronts if (text := wants_tls(front))}
        looked = [front.address for front in fronts if front.failure is None or front.address in faults]
        if not looked:
            yield Unknown(host, unseen(evidence, host) or "no answer over plain HTTP")
        yield from spread(host, faults, looked)


def wants_tls(front: Exchange) -> str:
    """Return the sign that a port wants TLS, if there is one."""
    if front.failure and front.failure.kind == "protocol_error" and front.failure.detail.startswith("tls record"):
        return "a TLS record answers a plain HTTP request"
    if front.failure is None and front.status == 400:
        said = next((text for text in _TO_A_TLS_PORT if text in front.body), "")
        return f"status 400, {quoted(said)}" if said else ""
    return ""
