"""Rules over DNSSEC: names that validating resolvers refuse to give out (RFC 4035)."""

import re
from collections.abc import Collection, Iterator

from padlock.evidence import Evidence, HostDns, Lookup
from padlock.findings import Severity
from padlock.rules._rule import Outcome, Problem, Unknown, rule
from padlock.rules._subjects import listed, quoted
from padlock.rules.dns import ended_in
from padlock.site import Site

DNSSEC_ERRORS = frozenset({0, 1, 2, 5, 6, 7, 8, 9, 10, 11, 12, 25, 27})
"""Extended DNS errors (RFC 8914) that are about validation, or about nothing in particular; the others are not."""
ANSWERED = ("ok", "nodata", "nxdomain")
SILENT = ("timeout", "not_asked", "malformed", "truncated", "refused")


@rule(
    "dns.dnssec_bogus",
    Severity.ERROR,
    step=None,
    reads="dns",
    reachability=True,
    summary="DNSSEC validation fails",
    impact="Visitors whose resolver validates, those of 1.1.1.1, 8.8.8.8, 9.9.9.9 and many providers among them, "
    "cannot find the site; certificate authorities refuse to issue for it.",
    remediation="Find the broken link with `delv {host}` or https://dnsviz.net: mostly the DS record at the "
    "registrar is that of a former DNS provider, or the zone's signatures have expired. Sign the zone "
    "anew and publish the DS record that its provider shows; where DNSSEC is not wanted, remove the DS record at the "
    "registrar first.",
    reference="RFC 4035 section 5; RFC 8914",
)
def bogus(site: Site, evidence: Evidence) -> Iterator[Outcome]:
    """Find SERVFAIL that turns into an answer once validation is switched off, at the resolver or at public ones."""
    for host in evidence.dns.hosts if evidence.dns else ():
        looks = _looks(evidence, host)
        # That a sibling which nobody declared is denied breaks nothing, however badly it is denied.
        answers = ("ok",) if host.derived else ANSWERED
        failing = {
            who: text for who, text in ((who, _bogus(look, again, answers)) for who, look, again in looks) if text
        }
        if failing:
            texts: dict[str, list[str]] = {}
            for who, text in failing.items():
                texts.setdefault(text, []).append(who)
            observed = "; ".join(f"{listed(who)}: {text}" for text, who in texts.items())
            yield Problem(host.host, observed, "an answer that validates, or an unsigned zone")
        elif not host.derived:
            yield from _unsure(host)


def _looks(evidence: Evidence, host: HostDns) -> Iterator[tuple[str, Lookup, Lookup | None]]:
    """Yield (resolver, the lookup that matters most, the same without validation) for each resolver."""
    public = evidence.dns.public if evidence.dns else ()
    yield "the resolver", _worst(host.a, host.aaaa), host.unchecked
    for other in public:
        if other.host == host.host:
            yield other.resolver, _worst(other.a, other.aaaa), other.unchecked


def _worst(a: Lookup, aaaa: Lookup) -> Lookup:
    return next((look for look in (a, aaaa) if look.status == "servfail"), a)


def _bogus(look: Lookup, unchecked: Lookup | None, answers: Collection[str]) -> str:
    """Return what a resolver said, where validation is what fails; empty where it is not."""
    if look.status != "servfail" or unchecked is None or unchecked.status not in answers:
        return ""
    code = re.match(r"\d+", look.extended_error)
    if code and int(code[0]) not in DNSSEC_ERRORS:
        return ""
    told = f" (extended DNS error {quoted(look.extended_error)})" if look.extended_error else ""
    answer = listed(unchecked.records, 4) or unchecked.status.upper()
    return f"SERVFAIL for {look.rdtype}{told}, and with checking disabled {answer}"


def _unsure(host: HostDns) -> Iterator[Unknown]:
    """Yield why it cannot be told whether validation fails."""
    look = _worst(host.a, host.aaaa)
    if look.status == "servfail" and (host.unchecked is None or host.unchecked.status in SILENT):
        why = f"says nothing with checking disabled ({ended_in(host.unchecked)})" if host.unchecked else "failed once"
        yield Unknown(host.host, f"the lookup that ended in SERVFAIL {why}")
    elif host.a.status in SILENT and host.aaaa.status in SILENT:
        yield Unknown(host.host, f"no resolver answered from here ({ended_in(host.a)})")
