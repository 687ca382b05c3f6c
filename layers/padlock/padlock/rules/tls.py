"""Rules over the TLS handshake itself (checklist steps 4 and 10; RFC 8446)."""

from collections.abc import Iterator, Mapping

from padlock.evidence import Evidence, Failure, Handshake
from padlock.findings import Severity
from padlock.rules._rule import Outcome, Problem, Unknown, rule
from padlock.rules._served import without_certificate
from padlock.rules._subjects import listed, not_seen, ports, spread, unseen
from padlock.rules._versions import NAMES, accepted, only_obsolete
from padlock.site import Site

_SIGNS_OF_OTHERS = ("malformed certificate", "excessive message size")
"""Handshakes that broke over a certificate: certificate.malformed and certificate.too_large tell."""
_ALERTS: Mapping[str, str] = {
    "unrecognized_name": "the server knows no site of that name",
    "handshake_failure": "no common version, cipher or certificate",
    "protocol_version": "no common version of TLS",
    "insufficient_security": "the server wants stronger ciphers",
    "internal_error": "the server has a fault of its own, often a certificate or key that it cannot read",
    "access_denied": "the server, or a firewall before it, turns this client away",
}
_FOR_BROWSERS = (
    "`ssl_protocols TLSv1.2 TLSv1.3;` and `ssl_ciphers ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384;` in the server block of {host} and in the default "
    "server's, without an `ssl_ecdh_curve`; the certificate's key on P-256 (`sudo certbot --nginx --force-renewal "
    "--key-type ecdsa --elliptic-curve secp256r1 -d {host}`); then `sudo nginx -t && sudo systemctl reload nginx`."
)
_FACTS = ("alert", "tls")
"""Kinds of failure that a server states; silence and resets need a second look."""


def _tried(evidence: Evidence, host: str) -> list[Handshake]:
    return [look for look in evidence.tls.named() if look.host == host] if evidence.tls else []


def _failed(looks: list[Handshake]) -> dict[str, Handshake]:
    """Return address → the failed handshake, of the addresses where none worked."""
    worked = {look.address for look in looks if look.failure is None}
    return {look.address: look for look in looks if look.failure and look.address not in worked}


@rule(
    "tls.handshake_failed",
    Severity.ERROR,
    step=10,
    reads="tls",
    reachability=True,
    summary="TLS handshake fails",
    impact="Browsers report that a secure connection cannot be made; no page is shown.",
    remediation="`openssl s_client -connect {host}:443 -servername {host} </dev/null` shows it; on the server "
    "`sudo nginx -t`, `sudo tail -n 50 /var/log/nginx/error.log`, and in the server block of {host} both "
    "`ssl_certificate` lines and `ssl_protocols TLSv1.2 TLSv1.3;`.",
    reference="checklist step 10; RFC 8446 section 6.2",
)
def handshake_failed(site: Site, evidence: Evidence) -> Iterator[Outcome]:
    """Find addresses whose open HTTPS port completes no handshake; what others tell is theirs."""
    for host in evidence.hosts:
        looks = _tried(evidence, host)
        failed = _failed(looks)
        faults = {address: _fault(look, look.failure) for address, look in failed.items() if _counts(evidence, look)}
        faults |= {look.address: _none_for_browsers(evidence, look) for look in looks if look.browsers}
        fine = [look.address for look in looks if look.failure is None and look.address not in faults]
        told = [
            address
            for address, look in failed.items()
            if look.failure and _told_elsewhere(evidence, look, look.failure)
        ]
        looked = [*fine, *faults, *told]
        reasons = {
            address: why for address, why in without_certificate(evidence, host).items() if address not in looked
        }
        if not looked:
            yield Unknown(host, unseen(evidence, host) or "; ".join(dict.fromkeys(reasons.values())) or "not tried")
        else:
            yield from not_seen(host, reasons, looked)
        yield from spread(host, faults, [*fine, *faults, *told])


def _told_elsewhere(evidence: Evidence, look: Handshake, failure: Failure) -> bool:
    """Whether another code tells of this failure."""
    broken = any(sign in failure.detail for sign in _SIGNS_OF_OTHERS)
    return look.client_certificate or broken or failure.kind == "not_tls" or only_obsolete(evidence, look)


def _counts(evidence: Evidence, look: Handshake) -> bool:
    """Whether a failed handshake is a fault of the site's TLS, seen well enough."""
    failure = look.failure
    if (
        failure is None
        or failure.is_ours
        or _told_elsewhere(evidence, look, failure)
        or failure.kind in ("refused", "unreachable")
    ):
        return False
    states = [state for state in ports(evidence, look.host, "https") if state.address == look.address]
    if any(state.failure for state in states) or failure.detail == "connect":
        return False
    return failure.kind in _FACTS or look.confirmed


def _none_for_browsers(evidence: Evidence, look: Handshake) -> Problem:
    """Return the fault of an address that other programs reach, and browsers do not."""
    leaf = evidence.tls.leaf(look) if evidence.tls else None
    key = f" and a key of {leaf.curve or leaf.key}" if leaf else ""
    observed = f"browsers meet {look.browsers}; others agree on {look.protocol} with {look.cipher}{key}"
    return Problem("", observed, "TLS 1.3, or TLS 1.2 with ECDHE and AES-GCM", remediation=_FOR_BROWSERS)


def _fault(look: Handshake, failure: Failure | None) -> Problem:
    kind, detail = (failure.kind, failure.detail) if failure else ("", "")
    if kind == "alert":
        meaning = f": {_ALERTS[detail]}" if detail in _ALERTS else ""
        observed = f"the server ends the handshake with the alert {detail}{meaning}"
    elif kind == "timeout":
        observed = "the port opens, then nothing answers the ClientHello"
    elif kind in ("reset", "closed"):
        observed = f"the connection is {kind} during the handshake"
    else:
        observed = f"the handshake fails: {failure.words}" if failure else "the handshake fails"
    return Problem("", observed, f"a TLS handshake for {look.host} on port {look.port}")


@rule(
    "tls.obsolete_protocol",
    Severity.WARNING,
    step=10,
    reads="tls",
    summary="obsolete TLS version",
    impact="Attackers can bring old clients down to versions whose encryption is broken; card payments (PCI DSS) and "
    "many audits forbid them. Where nothing newer is offered, browsers refuse the site.",
    remediation="`ssl_protocols TLSv1.2 TLSv1.3;` in nginx's http block and in every server block that sets it (the "
    "default server's counts for all that share its address): `sudo grep -rn ssl_protocols /etc/nginx "
    "/etc/letsencrypt/options-ssl-nginx.conf`, then `sudo nginx -t && sudo systemctl reload nginx`.",
    reference="RFC 8996; RFC 7568; RFC 9325 section 3.1.1",
)
def obsolete_protocol(site: Site, evidence: Evidence) -> Iterator[Outcome]:
    """Find addresses that speak SSL 3.0, TLS 1.0 or TLS 1.1; an error where they speak nothing newer."""
    for host in evidence.hosts:
        tried = {look.address: look for look in _tried(evidence, host)}
        offers = [offer.address for offer in evidence.tls.obsolete if offer.host == host] if evidence.tls else []
        faults: dict[str, Problem] = {}
        reasons: dict[str, str] = {}
        looked: list[str] = []
        for address in dict.fromkeys([*tried, *offers]):
            found, why = accepted(evidence, host, address), _not_known(evidence, host, address)
            if found:
                faults[address] = _obsolete(found, tried.get(address), evidence)
            if found or not why:
                looked.append(address)
            else:
                reasons[address] = why
        if looked:
            yield from not_seen(host, reasons, looked)
        else:
            why = unseen(evidence, host) or "; ".join(dict.fromkeys(reasons.values())) or "nothing was offered to it"
            # That a firewall swallows old ClientHellos leaves no doubt that today's work.
            yield Unknown(host, why, partial=any(look.failure is None for look in tried.values()))
        yield from spread(host, faults, looked)


def _not_known(evidence: Evidence, host: str, address: str) -> str:
    """Return why it is not known of some version whether an address speaks it; empty where it is of all."""
    offers = [o for o in (evidence.tls.obsolete if evidence.tls else ()) if (o.host, o.address) == (host, address)]
    missing = {o.version: o.failure.words for o in offers if o.failure}
    missing |= {version: "it was not offered" for version in NAMES if version not in [o.version for o in offers]}
    grouped = {why: [NAMES[v] for v in NAMES if missing.get(v) == why] for why in missing.values()}
    return "; ".join(f"{listed(versions)}: {why}" for why, versions in grouped.items())


def _obsolete(found: Mapping[str, str], look: Handshake | None, evidence: Evidence) -> Problem:
    versions = listed(f"{NAMES[version]} ({suite})" if suite else NAMES[version] for version, suite in found.items())
    # A handshake that broke over the client's certificate had agreed on a version.
    if look and not look.client_certificate and only_obsolete(evidence, look):
        return Problem("", f"accepts {versions}, and nothing newer", "TLS 1.2 and TLS 1.3 only", Severity.ERROR)
    beside = f", beside {look.protocol}" if look and look.protocol else ""
    return Problem("", f"accepts {versions}{beside}", "TLS 1.2 and TLS 1.3 only")


@rule(
    "tls.client_certificate_required",
    Severity.NOTICE,
    step=10,
    reads="tls",
    summary="client certificate required",
    impact="Only visitors with a certificate of their own get in; what lies behind could not be checked.",
    remediation="If everybody is to get in, remove `ssl_verify_client` from the server block of {host}: "
    "`sudo nginx -T | grep -n ssl_verify_client`.",
    reference="RFC 8446 section 4.3.2",
)
def client_certificate_required(site: Site, evidence: Evidence) -> Iterator[Outcome]:
    """Report servers that demand a certificate; that is a choice, no fault."""
    for host in evidence.hosts:
        looks = _tried(evidence, host)
        demanding = {look.address for look in looks if look.client_certificate}
        looked = {look.address for look in looks if look.failure is None} | demanding
        if not looked:
            yield Unknown(host, unseen(evidence, host) or "no TLS handshake came so far")
        fault = Problem("", "a client certificate is demanded", "visitors without a certificate get in")
        yield from spread(host, dict.fromkeys(sorted(demanding), fault), looked)


@rule(
    "tls.no_http2",
    Severity.NOTICE,
    step=4,
    reads="tls",
    summary="no HTTP/2",
    impact="Pages with many files load more slowly.",
    remediation="`listen 443 ssl http2;` in the server block of {host} (nginx 1.25.1 and later: `http2 on;`), then "
    "`sudo nginx -t && sudo systemctl reload nginx`.",
    reference="checklist step 4; RFC 9113 section 3.2",
)
def no_http2(site: Site, evidence: Evidence) -> Iterator[Outcome]:
    """Find addresses where no handshake selects h2."""
    for host in evidence.hosts:
        done = [look for look in _tried(evidence, host) if look.failure is None and look.alpn]
        if not done:
            yield Unknown(host, unseen(evidence, host) or "no handshake that offers h2 succeeded")
        chosen: dict[str, set[str]] = {}
        for look in done:
            chosen.setdefault(look.address, set()).add(look.alpn)
        faults = {
            address: Problem("", f"a visitor that offers h2 gets {', '.join(sorted(seen))}", "h2")
            for address, seen in chosen.items()
            if "h2" not in seen
        }
        yield from spread(host, faults, chosen)
