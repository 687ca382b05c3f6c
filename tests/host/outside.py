"""What lies outside the host: DNS from the root down, and an ACME server (pebble) that asks the host over port 80."""

import contextlib
import datetime as dt
import json
import os
import shutil
import signal
import ssl
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives import serialization

from tests.lab import names
from tests.lab.network import CABLE, CHECKER, SERVERS, Network
from tests.lab.pki import Leaf, Pki

SITE = "shop.test"
HOST, HOST_6 = f"{CABLE}.1", "2a0f:5c40::1"
"""The host's addresses."""
OTHER, OTHER_6 = f"{CABLE}.2", "2a0f:5c40::2"
"""Somebody else's, on the outside."""
AUTHORITIES = ("acme-v02.api.letsencrypt.org", "acme-staging-v02.api.letsencrypt.org")
"""Where certbot asks for certificates, and where its dry run does."""
NAMESERVERS = {"ns1": "45.83.53.1", "ns2": "45.83.53.2"}
RECORDS = f"@ 0 A {HOST}\n@ 0 AAAA {HOST_6}\nwww 0 A {HOST}\nwww 0 AAAA {HOST_6}"
LIFETIME = dt.timedelta(days=90)
START_SECONDS = 15.0
_SOA = "@ SOA ns1.dns.test. hostmaster.dns.test. 1 3600 600 86400 0"


class Outside(msgspec.Struct, frozen=True):
    """The servers of the outside, running."""

    network: Network
    directory: Path
    pki: Pki
    servers: Mapping[str, subprocess.Popen[bytes]]

    @property
    def ca_file(self) -> Path:
        """Trust anchors of every certificate in this world."""
        return self.directory / "trusted.pem"

    def publish(self, records: str) -> None:
        """Replace the site's records, on every name server."""
        for server in NAMESERVERS:
            zone = self.directory / server / "zones" / f"{SITE}.zone"
            zone.write_text(f"$ORIGIN {SITE}.\n$TTL 300\n{_zone(records)}\n")
            self.servers[server].send_signal(signal.SIGHUP)
        wanted = {line.split()[-1] for line in records.splitlines() if line.startswith("@ ")}
        _wait("the new records", lambda: set(self._dig(SITE)) == wanted)

    def _dig(self, name: str) -> list[str]:
        """Return the addresses that the resolver gives; nothing where it does not answer."""
        asked = f"dig +short +time=1 +tries=1 @{names.RESOLVER} {name} A {name} AAAA"
        return self.run(*asked.split()).split()

    def run(self, *words: str) -> str:
        """Return what a command prints on the outside."""
        done = subprocess.run(
            [*self.network.within(CHECKER), *words], capture_output=True, text=True, check=False, timeout=20
        )
        return done.stdout


@contextlib.contextmanager
def outside(network: Network, directory: Path, now: dt.datetime) -> Iterator[Outside]:
    """Start every server of the outside, and end them."""
    pki = Pki(now)
    _addresses(network)
    commands = {**_dns(directory), "pebble": _pebble(directory, pki), "nginx": _elsewhere(directory, pki)}
    with contextlib.ExitStack() as stack:
        servers = {
            name: stack.enter_context(_server(network, directory / f"{name}.log", words))
            for name, words in commands.items()
        }
        made = Outside(network, directory, pki, servers)
        _wait("the resolver", lambda: HOST in made._dig(SITE))
        made.ca_file.write_text(_root(pki) + _wait("pebble", lambda: network.call(CHECKER, _pebble_root)))
        yield made


def _addresses(network: Network) -> None:
    """Give the outside its addresses, and the host its way there."""
    ours = (names.ROOT_SERVER, names.RESOLVER, *names.PUBLIC_RESOLVERS, *NAMESERVERS.values())
    lines = "\n".join(f"addr add {address} dev lo" for address in ours)
    _ip(network, CHECKER, lines)
    _ip(network, SERVERS, f"route replace default via {OTHER}")


def _ip(network: Network, side: str, lines: str) -> None:
    subprocess.run([*network.within(side), "ip", "-batch", "-"], input=lines, text=True, check=True)


def _dns(directory: Path) -> Mapping[str, list[str]]:
    servers = "\n".join(f"{name}.dns A {address}" for name, address in NAMESERVERS.items())
    authority = "\n".join(f"{name}. A {OTHER}" for name in AUTHORITIES)
    delegations = "\n".join(f"{SITE}. NS {name}.dns.test." for name in NAMESERVERS)
    root = f"{_SOA}\n@ NS a.root-servers.net.\na.root-servers.net. A {names.ROOT_SERVER}"
    delegated = f"{root}\ntest NS a.root-servers.net.\nletsencrypt.org NS a.root-servers.net."
    top = f"{_SOA}\n@ NS a.root-servers.net.\n{servers}\n{delegations}"
    issuer = f"{_SOA}\n@ NS a.root-servers.net.\n{authority}"
    first = {".": delegated, "test": top, "letsencrypt.org": issuer}
    return {
        "root": names.knot(directory / "root", [names.ROOT_SERVER], first),
        **{
            name: names.knot(directory / name, [address], {SITE: _zone(RECORDS)})
            for name, address in NAMESERVERS.items()
        },
        "unbound": names.unbound(directory / "unbound", [names.RESOLVER, *names.PUBLIC_RESOLVERS]),
    }


def _zone(records: str) -> str:
    servers = "\n".join(f"@ NS {name}.dns.test." for name in NAMESERVERS)
    return f"{_SOA}\n{servers}\n{records}"


def _pebble(directory: Path, pki: Pki) -> list[str]:
    """Write the ACME server's configuration and its own certificate, and return its command."""
    pki.write(directory, "acme", Leaf(), AUTHORITIES)
    configuration = {
        "listenAddress": f"{OTHER}:14000",
        "managementListenAddress": f"{OTHER}:15000",
        "certificate": str(directory / "acme.pem"),
        "privateKey": str(directory / "acme.key"),
        "httpPort": 80,
        "tlsPort": 443,
        "ocspResponderURL": "",
        "certificateValidityPeriod": int(LIFETIME.total_seconds()),
    }
    file = directory / "pebble.json"
    file.write_text(json.dumps({"pebble": configuration}))
    return ["pebble", "-config", str(file), "-dnsserver", f"{names.RESOLVER}:53"]


def _elsewhere(directory: Path, pki: Pki) -> list[str]:
    pki.write(directory, "elsewhere", Leaf(), ["elsewhere.test"])
    shutil.copy(Path(__file__).parent / "templates/outside.conf", directory)
    return ["nginx", "-p", str(directory), "-c", "outside.conf"]


def _root(pki: Pki) -> str:
    return ssl.DER_cert_to_PEM_cert(pki.authorities["root"].certificate.public_bytes(serialization.Encoding.DER))


def _pebble_root() -> str:
    """Return the ACME server's own root, which it makes anew at each start; empty: it is not up yet."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with urllib.request.urlopen(f"https://{OTHER}:15000/roots/0", timeout=2, context=context) as answer:
            return str(answer.read().decode())
    except OSError:
        return ""


@contextlib.contextmanager
def _server(network: Network, log: Path, command: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server on the outside; it also ends with this process, however that ends."""
    quick = {"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0", "PEBBLE_AUTHZREUSE": "0"}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*network.within(CHECKER), "setpriv", "--pdeathsig", "TERM", *command],
            env={**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin", **quick},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait(5)


def _wait[T](what: str, ready: Callable[[], T]) -> T:
    """Return what is ready; RuntimeError if it is not in time."""
    deadline = time.monotonic() + START_SECONDS
    while not (found := ready()):
        if time.monotonic() > deadline:
            raise RuntimeError(f"{what} did not come within {START_SECONDS:g} seconds")
        time.sleep(0.05)
    return found
