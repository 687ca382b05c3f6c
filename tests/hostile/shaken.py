"""What a check saw of a hostile site's TLS, in short words."""

from collections.abc import Callable

from padlock.evidence import Certificate, Handshake
from padlock.findings import Severity

from tests.hostile.behaviour import Outcome
from tests.hostile.seeing import Seen, exchange, failed


def main(outcome: Outcome) -> Handshake:
    """Return the handshake that a visitor's browser makes."""
    assert outcome.evidence.tls
    return next(outcome.evidence.tls.named())


def leaf(outcome: Outcome) -> Certificate:
    """Return the certificate that a visitor's browser gets."""
    assert outcome.evidence.tls
    found = outcome.evidence.tls.leaf(main(outcome))
    assert found
    return found


def shaken(outcome: Outcome) -> str:
    """Say how the handshake or else the page went, and what is held against the site's TLS."""
    look = main(outcome)
    how = failed(look.failure) if look.failure else str(exchange(outcome).status)
    held = {
        f"{each.code} ({each.severity})"
        for each in outcome.report.findings
        if each.code.startswith(("certificate.", "tls.", "port.")) and each.severity != Severity.NOTICE
    }
    held |= {each.code for each in outcome.report.findings if each.code == "tls.client_certificate_required"}
    told = [how, *(["confirmed"] if look.confirmed else []), *sorted(held), outcome.evidence.incomplete]
    return ", ".join(filter(None, told))


def beside(more: Callable[[Outcome], str]) -> Seen:
    """Say that, and something more."""
    return lambda outcome: f"{shaken(outcome)}; {more(outcome)}"
