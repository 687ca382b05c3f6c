"""Which certificates a visitor of a host may be given, and whether they fit (RFC 9525, RFC 5280)."""

from collections.abc import Callable, Iterator, Mapping

import msgspec

from padlock.evidence import Certificate, Evidence, Handshake, Verification
from padlock.rules._once import once
from padlock.rules._rule import Problem, Unknown
from padlock.rules._subjects import not_seen, ports, resolved, spread, unseen


class Served(msgspec.Struct, frozen=True):
    """One certificate that one address gives to visitors of a host."""

    handshake: Handshake
    leaf: Certificate
    verification: Verification | None


@once
def served(evidence: Evidence, host: str) -> tuple[Served, ...]:
    """Return what every address serves under the host's name; two for one address that has RSA and ECDSA."""
    if evidence.tls is None:
        return ()
    found = [(look, evidence.tls.leaf(look)) for look in evidence.tls.named() if look.host == host]
    return tuple(Served(look, leaf, evidence.tls.verification(look.chain)) for look, leaf in found if leaf)


@once
def without_certificate(evidence: Evidence, host: str) -> Mapping[str, str]:
    """Return address → why no certificate was seen there."""
    dns = resolved(evidence, host)
    tried = [look for look in evidence.tls.named() if look.host == host] if evidence.tls else []
    states = {state.address: state for state in ports(evidence, host, "https")}
    seen = {item.handshake.address for item in served(evidence, host)}
    known = [*(dns.addresses if dns else ()), *states, *(look.address for look in tried)]
    reasons: dict[str, str] = {}
    for address in dict.fromkeys(known):
        if address in seen:
            continue
        failures = [look.failure for look in tried if look.address == address and look.failure]
        state = states.get(address)
        if state and state.failure:
            reasons[address] = f"port {state.port}: {state.failure.words}"
        elif failures:
            reasons[address] = f"the TLS handshake failed: {failures[0].words}"
        elif dns and address in dns.refused:
            reasons[address] = f"nothing was sent to {address} ({dns.refused[address]})"
        else:
            reasons[address] = "no TLS handshake was made"
    return reasons


def unseen_certificates(evidence: Evidence, host: str) -> Iterator[Unknown]:
    """Yield the addresses of a host whose certificate was not seen."""
    seen = {item.handshake.address for item in served(evidence, host)}
    if not seen:
        reasons = without_certificate(evidence, host)
        why = unseen(evidence, host) or "; ".join(dict.fromkeys(reasons.values()))
        yield Unknown(host, why or "no TLS handshake was made")
        return
    yield from not_seen(host, without_certificate(evidence, host), seen)


def judge(evidence: Evidence, fault: Callable[[Served], Problem | Unknown | None]) -> Iterator[Problem | Unknown]:
    """Apply one question to every served certificate; the answers' subjects are ignored."""
    for host in evidence.hosts:
        if without_certificate(evidence, host) or not served(evidence, host):
            yield from unseen_certificates(evidence, host)
        looked: list[str] = []
        faults: dict[str, Problem] = {}
        doubts: dict[str, str] = {}
        for item in served(evidence, host):
            address, answer = item.handshake.address, fault(item)
            if isinstance(answer, Unknown):
                doubts.setdefault(address, answer.reason)
                continue
            looked.append(address)
            if answer:
                faults.setdefault(address, answer)
        if doubts or faults:
            unclear = {address: why for address, why in doubts.items() if address not in faults}
            yield from not_seen(host, unclear, looked)
            yield from spread(host, faults, looked)


def covers(certificate: Certificate, host: str) -> bool:
    """Whether a name among the certificate's SANs fits a host given as A-labels (RFC 9525 section 6.3).

    The common name never counts, nor does an address. An escaped NUL makes a name that no host equals.
    """
    return any(fits(name.lower(), host) for name in certificate.dns_names)


def fits(name: str, host: str) -> bool:
    """Whether one name of a certificate, in lower case, is the host's or a wildcard for it."""
    name = name.removesuffix(".")  # absolute, which RFC 5280 forbids and browsers take
    if not name.startswith("*."):
        return name == host
    # A wildcard stands for the whole left-most label, and never directly below the root.
    suffix = name.removeprefix("*.")
    label, _, rest = host.partition(".")
    return bool(label) and rest == suffix and "." in suffix


def described(certificate: Certificate) -> str:
    """Return a certificate's subject and serial for a finding."""
    return f"{certificate.subject or 'a certificate without subject'} (serial {certificate.serial})"
