"""Rules over the published addresses: the declared ones, public and working (checklist steps 1 and 2)."""

import functools
import ipaddress
from collections.abc import Iterator, Sequence

from padlock.evidence import Evidence, HostDns
from padlock.findings import Severity
from padlock.rules._rule import NotApplicable, Outcome, Problem, Unknown, rule
from padlock.rules._subjects import SCHEMES, broken_ipv6, listed, place, ports, unsure
from padlock.rules.dns import ABSENT, aliases, ended_in, judged
from padlock.site import Site


def _is_address(entry: str) -> bool:
    return ":" in entry or entry.replace(".", "").isdigit()


def _names(site: Site) -> list[str]:
    """Return the declared CNAME targets."""
    return [entry for entry in site.addresses if "/" not in entry and not _is_address(entry)]


def _plain(site: Site) -> list[str]:
    """Return the declared addresses and ranges."""
    return [entry for entry in site.addresses if "/" in entry or _is_address(entry)]


def _within(address: str, networks: list[str]) -> bool:
    """Whether an address lies in one of these addresses or ranges."""
    number = _address(address)
    ranges = [_range(network) for network in networks]
    return any(number in network for network in ranges if network.version == number.version)


@functools.lru_cache(maxsize=256)
def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    return ipaddress.ip_address(text)


@functools.lru_cache(maxsize=256)
def _range(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    return ipaddress.ip_network(text, strict=False)


def _follows_target(site: Site, host: HostDns) -> bool:
    """Whether the host's aliases lead through a declared CNAME target: then any address is right."""
    return bool(set(_names(site)) & {*aliases(host), host.host})


def _pool(site: Site, evidence: Evidence) -> list[str]:
    """Return ranges around the addresses that the declared CNAME targets have now.

    A provider that flattens an alias may show other values of a rotating pool than our resolver sees; neighbours of
    the seen ones (/24, /48) count as the same pool.
    """
    looks = [evidence.dns.targets.get(name) for name in _names(site)] if evidence.dns else []
    return [f"{value}/{48 if ':' in value else 24}" for look in looks if look for value in look.records]


def _undeclared(site: Site, evidence: Evidence, host: HostDns) -> list[str]:
    """Return the host's public addresses outside the declared set; special ones have their own code."""
    return _outside(site, evidence, host, [address for address in host.addresses if address not in host.refused])


def contradicting(site: Site, evidence: Evidence, host: HostDns, addresses: Sequence[str]) -> list[str]:
    """Return which addresses that somebody gives for a host are none of those that the site declares itself."""
    return _outside(site, evidence, host, addresses) if _plain(site) else []


def _outside(site: Site, evidence: Evidence, host: HostDns, addresses: Sequence[str]) -> list[str]:
    if _follows_target(site, host):
        return []
    right = [*_plain(site), *_pool(site, evidence)]
    # A target's IPv6 addresses are not looked up: nothing is known of them.
    silent_6 = bool(_names(site)) and not any(":" in entry for entry in right)
    return [address for address in addresses if not (silent_6 and ":" in address) and not _within(address, right)]


@rule(
    "dns.unexpected_address",
    Severity.ERROR,
    step=(1, 2),
    reads="dns",
    summary="DNS points to another address",
    impact="Some or all visitors reach another server: an old host, a wrong site or nothing at all.",
    remediation="Compare `dig +short {host} A {host} AAAA` with the server's public address in its provider's panel, "
    "and remove the stale record at the DNS provider; if the address is right, add it to the site's `addresses`.",
    reference="checklist steps 1 and 2",
)
def unexpected_address(site: Site, evidence: Evidence) -> Iterator[Outcome]:
    """Compare each host's addresses with the declared set; one right address does not excuse a wrong one."""
    if not site.addresses:
        yield NotApplicable("no addresses are declared")
        return
    for host in judged(evidence):
        if not host.exists:
            yield Unknown(host.host, "it does not resolve")
        elif not _plain(site) and not _pool(site, evidence) and not _follows_target(site, host):
            yield Unknown(host.host, f"the declared target {listed(_names(site))} has no addresses to compare with")
        elif wrong := _undeclared(site, evidence, host):
            yield _unexpected(site, host, wrong)


def _unexpected(site: Site, host: HostDns, wrong: list[str]) -> Problem:
    right = [address for address in host.addresses if address not in wrong]
    observed = f"publishes {listed(wrong)}" + (f" beside {listed(right)}" if right else "")
    # Another part of the world may be another pool of the target: not certain where only a target is declared.
    own = None if _plain(site) else Severity.WARNING
    return Problem(host.host, observed, f"exactly {listed(site.addresses)}", own)


@rule(
    "dns.missing_address",
    Severity.ERROR,
    step=1,
    reads="dns",
    summary="declared address not in DNS",
    impact="A server that should take visitors gets none: capacity, or one of IPv4 and IPv6, is lost.",
    remediation="Add the missing A or AAAA record for {host} at the DNS provider, or remove the address from the "
    "site's `addresses`.",
    reference="checklist step 1",
)
def missing_address(site: Site, evidence: Evidence) -> Iterator[Outcome]:
    """Find declared single addresses that are not published; a wrong one in its place is unexpected_address."""
    declared = [entry for entry in _plain(site) if "/" not in entry]
    if not declared:
        yield NotApplicable("no single addresses are declared")
        return
    for host in judged(evidence):
        if not host.exists:
            yield Unknown(host.host, "it does not resolve")
            continue
        if _follows_target(site, host) or _undeclared(site, evidence, host):
            continue
        absent = [address for address in declared if not _within(address, list(host.addresses))]
        hidden = [address for address in absent if _hidden(host, address)]
        if hidden:
            yield Unknown(host.host, f"whether {listed(hidden)} is published: the answer was not complete")
        elif absent:
            yield host.host, f"publishes only {listed(host.addresses)}", f"{listed(absent)} as well"


def _hidden(host: HostDns, address: str) -> bool:
    """Whether the lookup of that family failed, or kept only some of its records."""
    lookup = host.aaaa if ":" in address else host.a
    return lookup.count > len(lookup.records) or lookup.status not in ("ok", *ABSENT)


@rule(
    "dns.reserved_address",
    Severity.ERROR,
    step=1,
    reads="dns",
    summary="private address in public DNS",
    impact="Nobody reaches such an address from the Internet: browsers wait, or meet something in their own network.",
    remediation="Replace the record of {host} by the server's public address, as its provider's panel shows it. For "
    "an internal site, declare its range under `networks`.",
    reference="checklist step 1; IANA special-purpose address registries (RFC 6890)",
)
def reserved_address(site: Site, evidence: Evidence) -> Iterator[Outcome]:
    """Report published special-purpose addresses; nothing was sent to them."""
    for host in judged(evidence):
        if not host.exists:
            yield Unknown(host.host, "it does not resolve")
            continue
        meant = [address for address in host.refused if _within(address, [*site.networks, *_plain(site)])]
        if meant:
            reason = "is declared, but may be connected to only if `networks` and the operator of Padlock allow it"
            yield Unknown(host.host, f"{listed(meant)} {reason}")
        odd = [f"{address} ({block})" for address, block in host.refused.items() if address not in meant]
        if odd:
            yield host.host, f"publishes {listed(odd)}", "only public addresses"


@rule(
    "dns.ipv6_broken",
    Severity.ERROR,
    step=2,
    reads="ports",
    reachability=True,
    summary="IPv6 address does not work",
    impact="Visitors with IPv6 wait for a time-out before IPv4 is tried, or see an error; certificate renewal by "
    "HTTP-01 tries IPv6 first as well.",
    remediation="On the server: `ip -6 addr` (is the published address there?), `sudo ss -ltnp` (does nginx "
    "`listen [::]:443 ssl` and `listen [::]:80`?), `sudo ufw status`. Or delete the AAAA record of {host}.",
    reference="checklist step 2; RFC 8305",
)
def ipv6_broken(site: Site, evidence: Evidence) -> Iterator[Outcome]:
    """Find published IPv6 addresses that refuse what IPv4 accepts; port 80 alone is a warning."""
    for host in judged(evidence):
        states = broken_ipv6(evidence, host.host)
        if states:
            seen = [f"{s.address} port {s.port}: {s.failure.words}" for s in states if s.failure]
            own = Severity.WARNING if all(state.scheme == "http" for state in states) else None
            yield Problem(host.host, "; ".join(seen), "IPv6 that works like IPv4, or no AAAA record", own)
        if host.aaaa.status not in ("ok", *ABSENT):
            yield Unknown(
                host.host, f"the lookup of its AAAA records failed ({ended_in(host.aaaa)})", partial=host.exists
            )
        yield from _unseen_ipv6(evidence, host)


def _unseen_ipv6(evidence: Evidence, host: HostDns) -> Iterator[Unknown]:
    """Yield the IPv6 addresses that this vantage point cannot judge."""
    states = [state for scheme in SCHEMES for state in ports(evidence, host.host, scheme)]
    for address in host.aaaa.records:
        mine = [state for state in states if state.address == address]
        doubts = [why for state in mine if (why := unsure(evidence, state))]
        if doubts or not mine:
            block = host.refused.get(address)
            reason = (
                doubts[0] if doubts else f"nothing was sent there ({block})" if block else "no connection was tried"
            )
            yield Unknown(place(host.host, address), reason, partial=True)
