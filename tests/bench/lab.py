"""The lab of the comparison: fifty healthy sites in a small internet, behind cables of a chosen round trip time.

Its parts are those of tests/lab. Every site has an apex and www, each with an IPv4 and an IPv6 address; it answers
from one nginx with Gunicorn and Flask behind it, its zone lies on two authoritative servers, and one resolver serves
the checker. Its certificate is of an authority with renewal information, a list of revocations and a log, and the
registry knows its domain: everything that a check may ask for is there.
"""

import contextlib
import datetime as dt
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec
from padlock.network.vantage import Vantage

from tests.bench.delay import Cables, cables
from tests.lab import names, registry, servers, services, web
from tests.lab.network import CHECKER, SERVERS, Network, network
from tests.lab.pki import Leaf, Pki
from tests.lab.scenarios import Scenario
from tests.lab.scenarios._scenario import NAMESERVERS, PROXY, UPGRADE, WEB, WEB_6, Block

NAME_SERVERS = ("ns1", "ns2")
RESOLVERS = (names.RESOLVER, *names.PUBLIC_RESOLVERS)
PATH_BEYOND = "/usr/sbin:/sbin:/usr/lib/nagios/plugins"
"""Where Debian has what is no command for everybody."""
_SOA = "@ SOA ns1.dns.test. hostmaster.dns.test. 1 3600 600 86400 60"
_BOTH = f"@ A {WEB}\n@ AAAA {WEB_6}\nwww A {WEB}\nwww AAAA {WEB_6}"


class BenchLab(msgspec.Struct, frozen=True):
    """The lab while it runs."""

    network: Network
    cables: Cables
    directory: Path
    sites: tuple[Scenario, ...]
    round_trips_ms: Sequence[int]

    @property
    def ca_file(self) -> Path:
        """The trust anchor of the sites."""
        return self.directory / "web/certificates/root.pem"

    @property
    def vantage(self) -> Vantage:
        """The checker's vantage point."""
        return Vantage(
            resolvers=((names.RESOLVER, 53),),
            ca_file=str(self.ca_file),
            services={"ari": services.DIRECTORY, "ct": services.SEARCH, "rdap": registry.URL},
            region="lab",
        )

    @property
    def environment(self) -> dict[str, str]:
        """The environment in which curl, OpenSSL and Go trust the lab."""
        path = f"{os.environ.get('PATH', '')}:{PATH_BEYOND}"
        return {**os.environ, "CURL_CA_BUNDLE": str(self.ca_file), "SSL_CERT_FILE": str(self.ca_file), "PATH": path}

    def command(self, *words: str) -> list[str]:
        """Return the words that become a process of the checker's side: with its resolver, without a parent more."""
        mount = 'mount --bind "$0" /etc/resolv.conf && exec "$@"'
        within = [*self.network.within(CHECKER), "setpriv", "--pdeathsig", "TERM", "unshare", "--mount"]
        return [*within, "sh", "-c", mount, str(self.directory / "resolv.conf"), *words]


def site(number: int) -> Scenario:
    """Return a healthy site with both address families, of the authority that has services."""
    name = f"site{number:03}.test"
    moved = f"return 301 https://{name}$request_uri;"
    return Scenario(
        "",
        name,
        records=f'{_BOTH}\n@ CAA 0 issue "letsencrypt.org"',
        declare={"health": "/health", "addresses": [WEB, WEB_6], "canonical": name},
        more_blocks=(
            Block(f"{name} www.{name}", UPGRADE, 80, WEB_6),
            Block(name, PROXY, 443, WEB_6),
            Block(f"www.{name}", moved, 443, WEB_6),
        ),
        leaves={"": Leaf(issuer="acme")},
    )


def declaration(scenario: Scenario) -> dict[str, object]:
    """Return what a site's owner declares."""
    return {"name": scenario.name, **scenario.declare}


@contextlib.contextmanager
def running(number: int, round_trips_ms: Sequence[int]) -> Iterator[BenchLab]:
    """Start the lab with so many sites, and end all of it; RuntimeError where it does not start."""
    sites = tuple(map(site, range(1, number + 1)))
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="padlock-bench-")))
        addresses = {names.ROOT_SERVER, *RESOLVERS, WEB, WEB_6, *(NAMESERVERS[name] for name in NAME_SERVERS)}
        laid = stack.enter_context(network(addresses))
        lab = BenchLab(laid, stack.enter_context(cables(laid, round_trips_ms)), directory, sites, round_trips_ms)
        (directory / "resolv.conf").write_text(f"nameserver {names.RESOLVER}\noptions timeout:5 attempts:2\n")
        now = dt.datetime.now(dt.UTC).replace(microsecond=0)
        commands = {
            **_name_servers(directory / "dns", sites),
            **web.served(directory / "web", Pki(now), sites, sites),
        }
        stack.enter_context(servers.serving(laid.within(SERVERS), directory, commands, lambda: _all_up(lab)))
        yield lab


def _name_servers(directory: Path, sites: Sequence[Scenario]) -> Mapping[str, list[str]]:
    zones = {scenario.apex: _zone(scenario.records) for scenario in sites}
    hosting = [f"{name}.dns A {NAMESERVERS[name]}" for name in NAME_SERVERS]
    asked = ("r11.ca.test", *services.NAMES, registry.HOST)
    authority = [f"{name.removesuffix('.test')} A {WEB}" for name in asked]
    delegated = [f"{apex}. NS {name}.dns.test." for apex in zones for name in NAME_SERVERS]
    above = f"{_SOA}\n@ NS a.root-servers.net."
    root = f"{above}\na.root-servers.net. A {names.ROOT_SERVER}\ntest NS a.root-servers.net."
    top = "\n".join([above, *hosting, *authority, *delegated])
    return {
        "knot-root": names.knot(directory / "root", [names.ROOT_SERVER], {".": root, "test": top}),
        **{f"knot-{name}": names.knot(directory / name, [NAMESERVERS[name]], zones) for name in NAME_SERVERS},
        "unbound": names.unbound(directory / "resolver", list(RESOLVERS)),
    }


def _zone(records: str) -> str:
    return "\n".join([_SOA, *(f"@ NS {name}.dns.test." for name in NAME_SERVERS), records])


def _all_up(lab: BenchLab) -> bool:
    """Whether every server answers over every cable."""
    endpoints = [(address, 53) for address in (*RESOLVERS, *(NAMESERVERS[name] for name in NAME_SERVERS))]
    endpoints += [(WEB, 443), (WEB_6, 443)]
    for round_trip in (0, *lab.cables.laid):
        lab.cables.use(round_trip)
        if not lab.network.call(CHECKER, lambda: all(map(servers.answers, endpoints))):
            return False
    return (lab.directory / "web/gunicorn.sock").exists()
