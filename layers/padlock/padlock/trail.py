"""What a request met on its way, in a few words for each stage: for whoever draws the way, beside the judgement."""

from collections.abc import Iterable, Iterator, Mapping

from padlock.evidence import Chain, Evidence, Exchange, HostDns

MOST = 4
"""Lines of one stage."""
PLACES = 2
"""Hosts or addresses that a line names, where others met something else."""

type Seen = Iterable[tuple[str, str]]
"""(what was met, where)."""


def of(evidence: Evidence) -> Mapping[str, tuple[str, ...]]:
    """Return stage → what was met there; a stage of which nothing was gathered is left out.

    The stages are DNS, Address, Port, TLS, Redirects and App. The texts are partly the site's own.
    """
    told = {
        "DNS": _together(_names(evidence)),
        "Address": _together(_addresses(evidence)),
        "Port": (*_together(_ports(evidence, "https")), *_together(_ports(evidence, "http"))),
        "TLS": _together(_handshakes(evidence)),
        "Redirects": _together(_redirects(evidence)),
        "App": _together(_answers(evidence)),
    }
    return {stage: lines for stage, lines in told.items() if lines}


def _together(seen: Seen) -> tuple[str, ...]:
    """Return lines, each with where it was met unless all met the same."""
    places: dict[str, list[str]] = {}
    for met, where in seen:
        if where not in places.setdefault(met, []):
            places[met].append(where)
    if len(places) == 1:
        return tuple(places)
    lines = [f"{_listed(where)}: {met}" if any(where) else met for met, where in places.items()]
    return (*lines[:MOST], f"and {len(lines) - MOST} more") if len(lines) > MOST else tuple(lines)


def _listed(places: list[str]) -> str:
    more = len(places) - PLACES
    return ", ".join(places[:PLACES]) + (f" and {more} more" if more > 0 else "")


def _looked_up(evidence: Evidence) -> Iterator[HostDns]:
    judged = set(evidence.hosts)
    return (host for host in (evidence.dns.hosts if evidence.dns else ()) if host.host in judged)


def _names(evidence: Evidence) -> Iterator[tuple[str, str]]:
    for host in _looked_up(evidence):
        alias = f"alias of {host.a.cnames[-1]}, " if host.a.cnames else ""
        number = len(host.addresses)
        answer = f"{number} address{'' if number == 1 else 'es'}" if number else f"no address: {host.a.status}"
        yield alias + answer, host.host


def _addresses(evidence: Evidence) -> Iterator[tuple[str, str]]:
    for host in _looked_up(evidence):
        for address in host.addresses:
            block = host.refused.get(address)
            yield f"{address}, not asked: {block}" if block else address, ""


def _ports(evidence: Evidence, scheme: str) -> Iterator[tuple[str, str]]:
    for state in evidence.ports or ():
        if state.scheme == scheme:
            yield f"port {state.port}: {state.failure.words if state.failure else 'opens'}", state.address


def _handshakes(evidence: Evidence) -> Iterator[tuple[str, str]]:
    for handshake in evidence.tls.named() if evidence.tls else ():
        spoken = " and ".join(part for part in (handshake.protocol.replace("TLSv", "TLS "), handshake.alpn) if part)
        yield handshake.failure.words if handshake.failure else spoken, handshake.host


def _redirects(evidence: Evidence) -> Iterator[tuple[str, str]]:
    """Yield where plain HTTP leads; a chain of which nothing answered says what its port says."""
    for chain in evidence.http.chains if evidence.http else ():
        if chain.purpose == "front" and chain.start.startswith("http:") and chain.hops and chain.hops[0].status:
            yield _way(chain), chain.start.removeprefix("http://").rstrip("/")


def _way(chain: Chain) -> str:
    """Return a chain as its statuses and where it ends."""
    statuses = " → ".join(str(hop.status or "no answer") for hop in chain.hops)
    to = f" at {chain.final_url}" if len(chain.hops) > 1 else ""
    end = {"answer": "", "failure": ""}.get(chain.end, f", {chain.end.replace('_', ' ')}")
    return f"HTTP gives {statuses}{to}{end}"


def _answers(evidence: Evidence) -> Iterator[tuple[str, str]]:
    """Yield what HTTPS answers; where the port is closed, that says it."""
    closed = {
        (state.host, state.address) for state in evidence.ports or () if state.failure and state.scheme == "https"
    }
    for exchange in evidence.http.of("front") if evidence.http else ():
        if (exchange.host, exchange.address) not in closed:
            yield _answer(exchange), exchange.host


def _answer(exchange: Exchange) -> str:
    if exchange.failure:
        return exchange.failure.words
    return f"{exchange.status}" + (f', "{exchange.title}"' if exchange.title else "")
