"""Whether a machine's firewalls let visitors in on the site's ports (checklist step 3: `sudo ufw status`).

What is open from outside is not blocked, whatever a firewall on the way says: a load balancer may stand in front, and
a group that lets in nobody but it is as it should be.
"""

import re
import shlex
from collections.abc import Iterable, Iterator

import msgspec

from padlock.evidence import Evidence, Filter, Host
from padlock.findings import Severity
from padlock.rules._machines import each, on, unread
from padlock.rules._rule import NotApplicable, Outcome, Problem, Unknown, rule
from padlock.rules._subjects import closed, listed, quoted, resolved
from padlock.site import Site

_READ = (80, 443)
"""Ports of which the collector tells."""
_CHAIN = re.compile(r"(?:ip|ip6|inet) [A-Za-z0-9_.-]+ [A-Za-z0-9_.-]+")
_IPTABLES_CHAIN = re.compile(r"[A-Z]+")
_AFTER = (
    "Then `sudo ss -ltnp '( sport = :80 or sport = :443 )'` shows what listens, and `curl -I https://{host}` whether "
    "it is open."
)


class Entry(msgspec.Struct, frozen=True):
    """One port of one kind of addresses."""

    port: int
    version: int
    """4 or 6."""

    @property
    def name(self) -> str:
        """As filters name it."""
        return f"{self.port}/tcp IPv{self.version}"


class Block(msgspec.Struct, frozen=True):
    """One port that one firewall keeps closed."""

    entry: Entry
    filter: Filter


@rule(
    "firewall.blocked",
    Severity.ERROR,
    step=3,
    reads="host",
    summary="firewall blocks the site's ports",
    impact="Visitors' connections time out although nginx runs; without port 80 certificates cannot be renewed by "
    "HTTP-01 either.",
    remediation="`sudo ufw allow 80/tcp && sudo ufw allow 443/tcp` (or `sudo ufw allow 'Nginx Full'`), and TCP 80 "
    "and 443 from 0.0.0.0/0 and ::/0 in the provider's firewall or security group. " + _AFTER,
    reference="checklist step 3",
)
def blocked(site: Site, evidence: Evidence) -> Iterator[Outcome]:
    """Find firewalls of the machines that are closed for ports which visitors need."""
    entries = _wanted(site, evidence)
    if not entries:
        yield NotApplicable("the site's ports are neither 80 nor 443")
        return
    yield from each(evidence, lambda machine: _judged(site, evidence, machine, entries))


def _wanted(site: Site, evidence: Evidence) -> list[Entry]:
    ports = [port for port in (site.http_port, site.ports.https) if port in _READ]
    published = [dns.addresses for host in evidence.hosts if (dns := resolved(evidence, host))]
    versions = [4, *([6] if any(":" in address for addresses in published for address in addresses) else [])]
    return [Entry(port, version) for port in sorted(port for port in ports if port) for version in versions]


def _judged(site: Site, evidence: Evidence, machine: Host, entries: list[Entry]) -> Iterator[Outcome]:
    subject = on(site.name, machine)
    if machine.filters is None:
        yield Unknown(subject, unread(machine) or "its firewalls could not be read")
        return
    active = [one for one in machine.filters if one.active]
    asked = [entry for entry in entries if False not in _closed(evidence, entry)]
    blocks = [Block(entry, one) for entry in asked for one in _deciding(evidence, active, entry)]
    if blocks:
        yield _problem(evidence, machine, blocks)
    elif why := unread(machine, "ufw", "nftables", "iptables", "ip6tables"):
        yield Unknown(subject, why)
    elif untold := [
        f"{_title(one)} ({entry.name}{f': {quoted(reason)}' if (reason := one.detail.get(entry.name)) else ''})"
        for entry in asked
        for one in active
        if entry.name not in one.blocked and entry.name not in one.allowed
    ]:
        yield Unknown(subject, f"whether it lets every visitor in is not known: {listed(untold, 4)}", partial=True)


def _closed(evidence: Evidence, entry: Entry) -> set[bool]:
    """Return of the addresses of that kind whether the port is closed, as seen from outside; empty: nobody knows."""
    states = [
        state
        for state in evidence.ports or ()
        if (state.port, ":" in state.address) == (entry.port, entry.version == 6)
    ]
    return {bool(state.failure) for state in states if state.failure is None or closed(evidence, state)}


def _deciding(evidence: Evidence, filters: Iterable[Filter], entry: Entry) -> list[Filter]:
    """Return the firewalls that keep an entry closed; what ufw does shows again in the rules below it.

    One that is open for some sources only may be meant so: it counts where the port is known to be closed.
    """
    seen_closed = True in _closed(evidence, entry)
    found = [one for one in filters if entry.name in one.blocked or (seen_closed and entry.name in one.restricted)]
    if any(one.kind == "ufw" for one in found):
        return [one for one in found if one.kind not in ("nftables", "iptables")]
    return found


def _problem(evidence: Evidence, machine: Host, blocks: list[Block]) -> Problem:
    by_filter: dict[str, list[Block]] = {}
    for block in blocks:
        by_filter.setdefault(_title(block.filter), []).append(block)
    observed = "; ".join(f"{title} blocks {_reasons(found)}" for title, found in by_filter.items())
    entries = {block.entry for block in blocks}
    # Nobody saw from outside that IPv6 is closed, and an address of that kind may be a network's in front of it.
    only_ipv6 = all(entry.version == 6 and True not in _closed(evidence, entry) for entry in entries)
    lines = tuple(dict.fromkeys(line for found in by_filter.values() for line in _commands(found)))
    return Problem(
        on(evidence.site.name, machine),
        observed,
        f"{listed(f'{port}/tcp' for port in sorted({entry.port for entry in entries}))} open for everybody",
        Severity.WARNING if only_ipv6 else None,
        _remedy(blocks, lines),
        lines,
    )


def _title(one: Filter) -> str:
    return f"{one.kind} {one.name}" if one.name else one.kind


def _reasons(blocks: list[Block]) -> str:
    """Return what is blocked and by what, entries with the same reason together."""
    texts: dict[str, list[str]] = {}
    for block in blocks:
        texts.setdefault(block.filter.detail.get(block.entry.name, ""), []).append(block.entry.name)
    return ", ".join(listed(names) + (f" ({quoted(why)})" if why else "") for why, names in texts.items())


def _commands(blocks: list[Block]) -> Iterator[str]:
    """Yield the lines that open what one firewall of the machine itself blocks."""
    for block in blocks:
        port, one = block.entry.port, block.filter
        tool = "ip6tables" if block.entry.version == 6 else "iptables"
        chain = one.chains.get(block.entry.name, "")
        if one.kind == "ufw":
            yield f"ufw allow {port}/tcp"
            if not _by_default(one.detail.get(block.entry.name, "")):
                # `allow` turns a rule against this port around; one against more stands before it and still wins.
                yield f"ufw delete allow {port}/tcp"
                yield f"ufw prepend allow {port}/tcp"
        elif one.kind == "iptables" and _IPTABLES_CHAIN.fullmatch(chain):
            yield f"{tool} -I {chain} -p tcp --dport {port} -j ACCEPT"
        elif one.kind == "nftables" and "firewalld" in chain:
            yield f"firewall-cmd --permanent --add-port={port}/tcp"
            yield f"firewall-cmd --add-port={port}/tcp"
        elif one.kind == "nftables" and _CHAIN.fullmatch(chain):
            yield f"nft insert rule {chain} tcp dport {port} accept"


def _by_default(detail: str) -> bool:
    return not detail or "the default is" in detail


def _remedy(blocks: list[Block], lines: tuple[str, ...]) -> str:
    kinds = {block.filter.kind for block in blocks}
    parts = ["; ".join(f"`sudo {line}`" for line in lines) + "." if lines else ""]
    if kinds & {"nftables", "iptables"}:
        parts.append(
            "That lasts until the next restart: write the rule into `/etc/nftables.conf`, or `sudo "
            "netfilter-persistent save`; `sudo nft list ruleset` and `sudo iptables-save` show what is in force."
        )
    parts += [f"`{line}`." for line in dict.fromkeys(_cloud(block) for block in blocks) if line]
    if kinds & {"security group", "network acl"}:
        parts.append("Do visitors arrive through a load balancer, it is its group that must be open.")
    return " ".join(filter(None, [*parts, _AFTER]))


def _cloud(block: Block) -> str:
    """Return the AWS command that opens a group or list, for a person with credentials; empty: it is none."""
    one, port = block.filter, block.entry.port
    anywhere = "::/0" if block.entry.version == 6 else "0.0.0.0/0"
    name = next(iter(re.findall(r"[a-z]+-[0-9a-f]+", one.name)), "ID")
    if one.kind == "security group":
        ranges = (
            f"Ipv6Ranges=[{{CidrIpv6={anywhere}}}]"
            if block.entry.version == 6
            else f"IpRanges=[{{CidrIp={anywhere}}}]"
        )
        permission = shlex.quote(f"IpProtocol=tcp,FromPort={port},ToPort={port},{ranges}")
        return f"aws ec2 authorize-security-group-ingress --group-id {name} --ip-permissions {permission}"
    if one.kind == "network acl":
        block_option = "--ipv6-cidr-block" if block.entry.version == 6 else "--cidr-block"
        return (
            f"aws ec2 create-network-acl-entry --network-acl-id {name} --ingress --rule-number N --protocol tcp "
            f"--port-range From={port},To={port} {block_option} {anywhere} --rule-action allow"
        )
    return ""
