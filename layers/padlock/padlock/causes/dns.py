"""Causes in the domain's records (checklist steps 1 and 2)."""

from collections.abc import Iterator

from padlock.causes._clues import ANOTHER_SITE, CERTIFICATE, Clues, about, cause, first, hosts
from padlock.findings import Cause, Finding

_BROKEN = (
    "dns.unresolvable",
    "dns.dangling_cname",
    "dns.cname_at_apex",
    "dns.cname_and_other_data",
    "dns.nameservers_disagree",
)
_OWN_FIX = ("registration.on_hold", "dns.dnssec_bogus")
"""What the zone's records cannot mend; their findings say what can."""
_ELSEWHERE = ("dns.missing_address", *ANOTHER_SITE, *CERTIFICATE, "certificate.weak", "tls.handshake_failed")
"""What comes with a wrong address: the right one is missing, and another server answers in the site's place."""


def broken(clues: Clues) -> Iterator[Cause]:
    """Look for a name that resolves nowhere, or only for some."""
    seen = clues.errors(*_BROKEN, *_OWN_FIX)
    if not seen:
        return
    special = [finding for finding in seen if finding.code in _OWN_FIX]
    shown = about(clues.errors("renewal.challenge_unreachable"), seen)
    clues.take([*seen, *shown])
    if special:
        what = (
            "The registry keeps the domain of {} out of DNS."
            if any(finding.code == "registration.on_hold" for finding in special)
            else "The DNSSEC signatures of {} do not fit what the parent zone publishes, so resolvers that check "
            "them answer nothing."
        )
        fix = "\n".join(dict.fromkeys(finding.remediation for finding in special))
        yield cause("cause.dns_broken", seen, what.format(hosts(special)), fix, shown=shown)
        return
    yield cause(
        "cause.dns_broken",
        seen,
        f"The records of {hosts(seen)} are wrong where the domain is managed. Nothing after DNS can work, or only "
        "for some visitors, until they are right.",
        f"Correct the zone at the DNS provider, then compare: `dig +short {first(seen)}`, `dig @1.1.1.1 "
        f"{first(seen)}`, and each server that `dig +short NS {first(seen)}` names (for a subdomain, ask for NS of "
        "the domain).",
        shown=shown,
    )


def wrong_server(clues: Clues) -> Iterator[Cause]:
    """Look for names that lead to another machine than the declared one."""
    seen = clues.errors("dns.unexpected_address", "dns.reserved_address")
    if not seen:
        return
    shown = [f for f in about(clues.any(*_ELSEWHERE), seen) if _is_at(f, seen)]
    clues.take([*seen, *shown])
    yield cause(
        "cause.dns_wrong_server",
        seen,
        f"DNS leads visitors of {hosts(seen)} to an address that is not the declared server's. What answers there is "
        "an old server or a stranger's, whatever the right server does.",
        f"Set the A and AAAA records of {hosts(seen)} to the declared addresses, remove the stale ones, wait for "
        f"their TTL and look: `dig +short {first(seen)} A`, `dig +short {first(seen)} AAAA`.",
        shown=shown,
    )


def _is_at(finding: Finding, seen: list[Finding]) -> bool:
    """Return whether a finding is of one of the wrong addresses, or of no single one: the right one has its own."""
    _, at, address = finding.subject.partition(" at ")
    return not at or any(address.split(" ")[0] in wrong.observed for wrong in seen)
