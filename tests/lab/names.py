"""The lab's DNS: a root, a `test` zone that delegates every site, two authoritative servers, two resolvers."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from tests.lab import registry, services, signing
from tests.lab.rendering import render
from tests.lab.scenarios import ALL
from tests.lab.scenarios._scenario import NAMESERVERS, WEB, Scenario

ROOT_SERVER = "198.41.0.4"
"""Where the real a.root-servers.net is, too."""
RESOLVER = "45.83.53.53"
PUBLIC_RESOLVERS = ("1.1.1.1", "8.8.8.8", "9.9.9.9")
FILTERING_RESOLVER = "9.9.9.9"
FILTERED = ("filtered.test",)
"""Names that the filtering resolver denies, as 9.9.9.9 does with what it holds to be malicious."""
ADDRESSES = {ROOT_SERVER, RESOLVER, *PUBLIC_RESOLVERS, *(a for name, a in NAMESERVERS.items() if name != "dead")}
_SOA = "@ SOA ns1.dns.test. hostmaster.dns.test. 1 3600 600 86400 60"
_HOSTING = f"{_SOA}\n@ NS ns1.dns.test.\n@ NS ns2.dns.test.\nweb A {WEB}"


def write(directory: Path) -> Mapping[str, list[str]]:
    """Write every configuration and zone below a directory, and return each server's command."""
    sites = [scenario for scenario in ALL if set(scenario.nameservers) & {"ns1", "ns2", "ns3"}]
    first = {scenario.apex: _zone(scenario, scenario.records) for scenario in sites}
    second = {
        scenario.apex: _zone(scenario, scenario.records_2 or scenario.records)
        for scenario in sites
        if "ns2" in scenario.nameservers
    }
    return {
        "knot-root": knot(directory / "root", [ROOT_SERVER], {".": _root(), "test": _top_level()}),
        "knot-1": knot(directory / "ns1", [NAMESERVERS["ns1"]], {**first, "hosting.test": _HOSTING}),
        "knot-2": knot(
            directory / "ns2",
            [NAMESERVERS["ns2"], NAMESERVERS["ns3"]],
            {**second, "hosting.test": _HOSTING},
        ),
        "unbound": unbound(
            directory / "resolver", [RESOLVER, *(a for a in PUBLIC_RESOLVERS if a != FILTERING_RESOLVER)]
        ),
        "unbound-filtering": unbound(
            directory / "filtering",
            [FILTERING_RESOLVER],
            FILTERED,
            [f"{host}. 300 IN A {site.elsewhere}" for site in ALL if site.elsewhere for host in site.hosts],
        ),
    }


def _root() -> str:
    return f"{_SOA}\n@ NS a.root-servers.net.\na.root-servers.net. A {ROOT_SERVER}\ntest NS a.root-servers.net."


def _top_level() -> str:
    servers = [f"{name}.dns A {address}" for name, address in NAMESERVERS.items()]
    delegations = [f"{scenario.apex}. NS {server}.dns.test." for scenario in ALL for server in scenario.nameservers]
    authority = [f"{name.removesuffix('.test')} A {WEB}" for name in ("r11.ca.test", *services.NAMES, registry.HOST)]
    hosting = ["hosting NS ns1.dns.test.", "hosting NS ns2.dns.test."]
    return "\n".join([_SOA, "@ NS a.root-servers.net.", *authority, *servers, *hosting, *sorted(set(delegations))])


def _zone(scenario: Scenario, records: str) -> str:
    servers = "\n".join(f"@ NS {server}.dns.test." for server in scenario.nameservers)
    data = f"{_SOA}\n{servers}\n{records}"
    return signing.signed(scenario.apex, data, expired=scenario.signed == "expired") if scenario.signed else data


def knot(directory: Path, addresses: list[str], zones: Mapping[str, str]) -> list[str]:
    """Write an authoritative server's configuration and zones (name → data), and return its command."""
    (directory / "zones").mkdir(parents=True)
    for name, data in zones.items():
        origin = "." if name == "." else f"{name}."
        file = directory / "zones" / f"{'root' if name == '.' else name}.zone"
        file.write_text(f"$ORIGIN {origin}\n$TTL 300\n{data}\n")
    configuration = directory / "knot.conf"
    configuration.write_text(render("knot.conf.j2", directory=directory, addresses=addresses, zones=sorted(zones)))
    return ["knotd", "-c", str(configuration)]


def unbound(directory: Path, addresses: list[str], blocked: Iterable[str] = (), own: Iterable[str] = ()) -> list[str]:
    """Write a resolver's configuration, and return its command; it denies `blocked`, and has records of its `own`."""
    directory.mkdir(parents=True)
    (directory / "root.hints").write_text(f". NS a.root-servers.net.\na.root-servers.net. A {ROOT_SERVER}\n")
    configuration = directory / "unbound.conf"
    configuration.write_text(
        render(
            "unbound.conf.j2",
            directory=directory,
            addresses=addresses,
            blocked=list(blocked),
            own=list(own),
            anchors=[signing.anchor(scenario.apex) for scenario in ALL if scenario.signed],
        )
    )
    return ["unbound", "-d", "-c", str(configuration)]
