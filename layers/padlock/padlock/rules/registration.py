"""Rules over the registration of the site's domains (RDAP, RFC 9083; status values RFC 8056)."""

import re
from collections.abc import Iterator
from datetime import timedelta

from padlock.evidence import Evidence, Registration
from padlock.findings import Severity
from padlock.rules._rule import NotApplicable, Outcome, Problem, Unknown, rule
from padlock.rules._subjects import moment, quoted, span
from padlock.site import Site

WARNING, LAST = timedelta(days=30), timedelta(days=7)
HOLDS = {
    "clienthold": "client hold: its registrar took it out of DNS, for an unpaid bill or unconfirmed contact data",
    "serverhold": "server hold: its registry has taken it out of DNS, mostly for a dispute or abuse",
    "redemptionperiod": "redemption period: it expired and was deleted, its former holder can still restore it",
    "pendingrestore": "pending restore: it was deleted, and its restoration is under way",
    "pendingdelete": "pending delete: it is about to become free for anybody",
}
"""Status, without spaces → what it means."""


@rule(
    "registration.expiring",
    Severity.ERROR,
    step=None,
    reads="registration",
    summary="domain registration expires",
    impact="Once it has expired the registrar takes the domain out of DNS: the site, its mail and the renewal of its "
    "certificate stop, and later anybody can register it.",
    remediation="Renew the domain at its registrar, and see that automatic renewal is on and its means of payment "
    "valid; `whois {host}` shows who the registrar is.",
    reference="RFC 9083 section 4.5 (event `expiration`)",
)
def expiring(site: Site, evidence: Evidence) -> Iterator[Outcome]:
    """Report domains that expire in 30 days, as an error in the last 7 and after."""
    for found in evidence.registration or ():
        yield from _unknown(found)
        if found.unregistered or found.failure:
            continue
        if found.expires is None:
            yield Unknown(found.domain, "its registry does not say when it expires")
            continue
        left = found.expires - evidence.gathered_at
        if left > WARNING:
            continue
        at = f"{'expired' if left <= timedelta(0) else 'expires'} on {moment(found.expires)}"
        when = f"{span(left)} ago" if left <= timedelta(0) else f"in {span(left)}"
        severity = Severity.WARNING if left > LAST else None
        yield Problem(found.domain, f"it {at}, {when}{_by(found)}", "more than 30 days until then", severity)


@rule(
    "registration.on_hold",
    Severity.ERROR,
    step=None,
    reads="registration",
    summary="domain registration on hold",
    impact="The domain is not in DNS, or will not be for long: nobody can reach the site or send it mail.",
    remediation="Ask the registrar what the hold is for (`whois {host}` shows who it is): pay the renewal, confirm "
    "the contact data, or restore the domain; a hold of the registry's is lifted through the registrar too.",
    reference="RFC 8056 section 2; RFC 3915 section 3.1",
)
def on_hold(site: Site, evidence: Evidence) -> Iterator[Outcome]:
    """Report domains that registrar or registry keep out of DNS, or are about to delete."""
    for found in evidence.registration or ():
        yield from _unknown(found)
        # Registries write `client hold` as well as EPP's `clientHold`.
        states = dict.fromkeys(re.sub("[^a-z]", "", status.lower()) for status in found.status)
        holds = [HOLDS[state] for state in states if state in HOLDS]
        if holds and not found.failure:
            yield Problem(found.domain, f"its status is {'; '.join(holds)}{_by(found)}", "no hold")


def _unknown(found: Registration) -> Iterator[Outcome]:
    if found.unregistered:
        yield NotApplicable(found.unregistered)
    elif found.failure:
        yield Unknown(found.domain, found.failure)


def _by(found: Registration) -> str:
    return f" (registrar {quoted(found.registrar)})" if found.registrar else ""
