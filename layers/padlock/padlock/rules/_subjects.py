"""Subjects of findings, and the words that all rules share: which address is odd, why nothing was seen, dates.

A fault that all addresses of a host share is one finding about the host; a fault of some of them names each odd one
as `host at address`. Subjects stay the same from run to run.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from typing import Literal

from padlock.evidence import Evidence, HostDns, PortState
from padlock.findings import Severity
from padlock.rules._once import once
from padlock.rules._rule import Problem, Unknown

type Scheme = Literal["https", "http"]
SCHEMES: tuple[Scheme, ...] = ("https", "http")

SHOWN = 20
"""Items of a list that a text names; the rest is counted."""


def listed(items: Iterable[str], limit: int = SHOWN, last: str = "and") -> str:
    """Return `a, b and c`, at most `limit` items and then how many more there are; `or` for alternatives."""
    names = list(items)
    if len(names) > limit:
        return f"{', '.join(names[:limit])} {last} {len(names) - limit} more"
    return f" {last} ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def quoted(text: str, limit: int = 120) -> str:
    """Return text from outside in quotes, on one line and short."""
    shown = " ".join(text.split())
    return f'"{shown if len(shown) <= limit else shown[: limit - 3] + "..."}"'


def moment(when: datetime) -> str:
    """Return a date and time in UTC, to the minute."""
    return when.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def span(time: timedelta) -> str:
    """Return a length of time in its largest sensible unit, rounded down: `3 days`, `1 hour`."""
    seconds = int(abs(time).total_seconds())
    for size, unit in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= 2 * size or (unit != "day" and seconds >= size):
            count = seconds // size
            return f"{count} {unit}{'' if count == 1 else 's'}"
    return "less than a minute"


def place(host: str, address: str) -> str:
    """Return the subject of one address of a host."""
    return f"{host} at {address}"


def spread(host: str, faults: Mapping[str, Problem], looked: Collection[str]) -> Iterator[Problem]:
    """Yield one finding about the host if all addresses looked at have a fault, otherwise one for each odd address.

    `faults` is address → problem; the problems' subjects are ignored.
    """
    if not faults:
        return
    if not set(looked) <= set(faults):
        for address, fault in faults.items():
            yield _about(fault, place(host, address), fault.observed, fault.severity)
        return
    texts: dict[str, list[str]] = {}
    for address, fault in faults.items():
        texts.setdefault(fault.observed, []).append(address)
    observed = "; ".join(f"{text} (at {listed(addresses)})" for text, addresses in texts.items())
    own = [fault.severity for fault in faults.values()]
    # None stands for the rule's own severity, which is the worst that its cases have.
    worst = None if None in own else min((s for s in own if s), key=lambda s: s.rank)
    leading = next(fault for fault in faults.values() if fault.severity == worst)
    yield _about(leading, host, observed, worst)


def _about(fault: Problem, subject: str, observed: str, severity: Severity | None) -> Problem:
    return Problem(subject, observed, fault.expected, severity, fault.remediation, fault.commands)


@once
def resolved(evidence: Evidence, host: str) -> HostDns | None:
    """Return what DNS says of a host, if anything was gathered of it."""
    return evidence.dns.host(host) if evidence.dns else None


@once
def unseen(evidence: Evidence, host: str) -> str:
    """Return why no address of a host can be looked at; empty where one can."""
    dns = resolved(evidence, host)
    if dns is None:
        return "it was not looked up" if evidence.dns else ""
    if not dns.addresses:
        return "it does not resolve"
    if set(dns.addresses) <= set(dns.refused):
        return "it resolves only to addresses that may not be connected to"
    return ""


@once
def ports(evidence: Evidence, host: str, scheme: Scheme) -> tuple[PortState, ...]:
    """Return the states of a host's port, one per address."""
    return tuple(state for state in evidence.ports or () if state.host == host and state.scheme == scheme)


def opened(evidence: Evidence, state: PortState) -> bool:
    """Whether the same port of the same address opened for another of the site's hosts.

    A port belongs to the address, not to a host: a server that refused some of our connections takes only so many.
    """
    place = state.address, state.port
    return any((other.address, other.port) == place and other.failure is None for other in evidence.ports or ())


def _deaf(evidence: Evidence, state: PortState) -> bool:
    """Whether nothing at all comes back to this vantage point over IPv6, so that a silent port says nothing.

    A route may lead nowhere: then the zone's name servers are silent over IPv6 too. Those in the site's own network
    do not count, as they share its fate.
    """
    if ":" not in state.address or not state.failure or state.failure.kind not in ("timeout", "unreachable"):
        return False
    if any(":" in other.address and other.failure is None for other in evidence.ports or ()):
        return False
    answers = [answer for zone in (evidence.dns.zones if evidence.dns else ()) for answer in zone.answers]
    elsewhere = [answer for answer in answers if ":" in answer.address and not _near(answer.address, state.address)]
    asked = {answer.address: answer.a.status for answer in elsewhere if answer.a.status != "not_asked"}
    return len(asked) > 1 and set(asked.values()) == {"timeout"}


def _near(address: str, other: str) -> bool:
    """Whether two IPv6 addresses lie in one network of the usual size of a site, /48."""
    return ip_address(address) in ip_network(f"{other}/48", strict=False)


def closed(evidence: Evidence, state: PortState) -> bool:
    """Whether a port is known to be closed; what was seen once is known only where a packet said so."""
    failure = state.failure
    if failure is None or failure.is_ours or opened(evidence, state) or _deaf(evidence, state):
        return False
    return state.confirmed or failure.kind == "refused"


def unsure(evidence: Evidence, state: PortState) -> str:
    """Return why a port's state is not known; empty where it is known to be open or closed."""
    if state.failure is None or closed(evidence, state):
        return ""
    if state.failure.is_ours:
        return state.failure.words
    if _deaf(evidence, state):
        return f"{state.failure.words}; name servers with IPv6 do not answer from here either"
    also = "the same port opened for another host" if opened(evidence, state) else "seen once only"
    return f"{state.failure.words}; {also}"


def broken_ipv6(evidence: Evidence, host: str) -> tuple[PortState, ...]:
    """Return the IPv6 ports that are closed while the same port is open over IPv4."""
    found: list[PortState] = []
    for scheme in SCHEMES:
        states = ports(evidence, host, scheme)
        if any(":" not in state.address and state.failure is None for state in states):
            found += [state for state in states if ":" in state.address and closed(evidence, state)]
    return tuple(found)


def not_seen(host: str, reasons: Mapping[str, str], looked: Collection[str]) -> Iterator[Unknown]:
    """Yield why addresses (address → reason) were not seen: one for the host if none was looked at."""
    if not reasons:
        return
    if not looked:
        yield Unknown(host, "; ".join(dict.fromkeys(reasons.values())))
        return
    for address, reason in reasons.items():
        yield Unknown(place(host, address), reason, partial=True)
