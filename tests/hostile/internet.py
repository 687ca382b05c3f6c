"""The internet of the hostile lab: the lab's own servers for eight healthy sites, and a place for each hostile one.

It is the lab of tests/lab with fewer sites, so that it starts in a second, and with the zone `hostile.test`.
"""

import contextlib
import datetime as dt
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.serialization import Encoding

from tests.hostile.behaviour import Behaviour, Place
from tests.issuers import Issuer
from tests.lab import names, registry, servers, services, web
from tests.lab.network import CHECKER, SERVERS, Network, network
from tests.lab.pki import Pki
from tests.lab.scenarios import HEALTHY as HEALTHY_SCENARIOS
from tests.lab.scenarios import Scenario
from tests.lab.scenarios._scenario import NAMESERVERS, WEB, WEB_6

ZONE = "hostile.test"
NEIGHBOURS = (
    "shop.test",
    "www.shop-www.test",
    "dual-stack.test",
    "health-json.test",
    "expected.test",
    "wildcard-dns.test",
    "hsts.test",
    "provider.test",
)
"""The healthy sites that are looked at beside each hostile one."""
HEALTHY = tuple(scenario for scenario in HEALTHY_SCENARIOS if scenario.name in NEIGHBOURS)
PUBLIC_RESOLVERS = names.PUBLIC_RESOLVERS
RESOLVERS = (names.RESOLVER, *PUBLIC_RESOLVERS)
INTERNAL = {
    "internal": "10.1.2.3",
    "metadata": "169.254.169.254",
    "loopback": "127.0.0.1",
    "mapped": "::ffff:10.1.2.3",
    "elsewhere": WEB,
}
"""Labels of the zone → addresses that a redirect may lead to; `elsewhere` is no refused one."""
_SERVERS = ("ns1", "ns2")
_YEAR = dt.timedelta(days=365)


class Internet(msgspec.Struct, frozen=True):
    """A hostile lab that runs."""

    network: Network
    directory: Path
    pki: Issuer
    places: Mapping[str, Place]
    """Behaviour → where it lives."""

    @property
    def ca_file(self) -> Path:
        """Every authority that the checker trusts."""
        return self.directory / "trusted.pem"

    def within(self, side: str, *words: str) -> list[str]:
        """Return the words that run a command on a side."""
        return [*self.network.within(side), *words]


@contextlib.contextmanager
def running(behaviours: Sequence[Behaviour]) -> Iterator[Internet]:
    """Start the lab with a place for each behaviour, and end all of it."""
    now = dt.datetime.now(dt.UTC).replace(microsecond=0)
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="padlock-hostile-")))
        pki = _authority(now)
        places = {behaviour.name: _place(behaviour, n, pki, directory) for n, behaviour in enumerate(behaviours, 1)}
        own = {address for place in places.values() for address in (place.address, place.address6)}
        fixed = {names.ROOT_SERVER, *RESOLVERS, WEB, WEB_6, *(NAMESERVERS[name] for name in _SERVERS)}
        internet = Internet(stack.enter_context(network(fixed | own)), directory, pki, places)
        registered = (*HEALTHY, Scenario("", ZONE))
        sites = web.served(directory / "web", Pki(now), HEALTHY, registered)
        commands = {**_names(internet, behaviours), **sites}
        root = pki.certificate.public_bytes(Encoding.PEM)
        internet.ca_file.write_bytes(root + (directory / "web/certificates/root.pem").read_bytes())
        up = servers.serving(internet.within(SERVERS), directory, commands, lambda: _all_up(internet))
        stack.enter_context(up)
        yield internet


def _authority(now: dt.datetime) -> Issuer:
    """Return a root that lives now, whenever that is."""
    issuer = Issuer("Hostile Lab Root")
    issuer.certificate = issuer.sign(issuer.name, issuer.key, ca=True, since=now - 5 * _YEAR, until=now + 10 * _YEAR)
    return issuer


def _place(behaviour: Behaviour, number: int, pki: Issuer, directory: Path) -> Place:
    own = directory / "places" / behaviour.name
    own.mkdir(parents=True)
    return Place(f"{behaviour.name}.{ZONE}", f"45.83.100.{number}", f"2a0f:5c40:100::{number:x}", pki, own)


def _names(internet: Internet, behaviours: Sequence[Behaviour]) -> Mapping[str, list[str]]:
    """Write every zone, and return the command of each name server and of the resolver."""
    zones = {scenario.apex: _zone(scenario.records) for scenario in HEALTHY}
    zones |= {"hosting.test": _zone(f"web A {WEB}"), ZONE: _zone(_hostile(internet, behaviours))}
    root = "@ NS a.root-servers.net."
    address = f"a.root-servers.net. A {names.ROOT_SERVER}"
    top = {".": f"{_SOA}\n{root}\n{address}\ntest NS a.root-servers.net.", "test": f"{_SOA}\n{root}\n{_top(zones)}"}
    directory = internet.directory / "dns"
    knots = {f"knot-{name}": names.knot(directory / name, [NAMESERVERS[name]], zones) for name in _SERVERS}
    resolver = names.unbound(directory / "resolver", list(RESOLVERS))
    return {"knot-root": names.knot(directory / "root", [names.ROOT_SERVER], top), **knots, "unbound": resolver}


_SOA = "@ SOA ns1.dns.test. hostmaster.dns.test. 1 3600 600 86400 60"


def _zone(records: str) -> str:
    return "\n".join([_SOA, *(f"@ NS {name}.dns.test." for name in _SERVERS), records])


def _top(zones: Mapping[str, str]) -> str:
    delegated = [f"{apex}. NS {name}.dns.test." for apex in zones for name in _SERVERS]
    authority = [f"{name.removesuffix('.test')} A {WEB}" for name in ("r11.ca.test", *services.NAMES, registry.HOST)]
    return "\n".join([*(f"{name}.dns A {NAMESERVERS[name]}" for name in _SERVERS), *authority, *delegated])


def _hostile(internet: Internet, behaviours: Sequence[Behaviour]) -> str:
    """Return the records of the hostile zone: an address for each behaviour, or a zone of its own."""
    lines = [f"{label} {'AAAA' if ':' in address else 'A'} {address}" for label, address in INTERNAL.items()]
    for behaviour in behaviours:
        address = internet.places[behaviour.name].address
        if behaviour.zone is None:
            lines.append(f"{behaviour.name} A {address}")
        else:
            lines += [f"{behaviour.name} NS ns.{behaviour.name}", f"ns.{behaviour.name} A {address}"]
    return "\n".join(lines)


def _all_up(internet: Internet) -> bool:
    endpoints = [(address, 53) for address in (names.ROOT_SERVER, *RESOLVERS, *(NAMESERVERS[n] for n in _SERVERS))]
    endpoints += [(WEB, 443), (WEB_6, 443)]
    socket_made = (internet.directory / "web/gunicorn.sock").exists()
    return socket_made and internet.network.call(CHECKER, lambda: all(map(servers.answers, endpoints)))
