"""blackbox_exporter as a peer: its configuration, its process, and the probes that Prometheus would ask it for."""

import asyncio
import contextlib
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlencode

import msgspec
import yaml

from tests.bench.delay import ROOT
from tests.bench.lab import BenchLab
from tests.bench.peers_station import Done
from tests.lab import names
from tests.lab.network import CHECKER
from tests.lab.scenarios import Scenario
from tests.lab.scenarios._scenario import NAMESERVERS, WEB, WEB_6
from tests.lab.servers import end

PORT = 9115
PROBE_SECONDS = 20
AT_ONCE = 400
"""Probes asked for at the same time: with fewer fifty sites take longer, and with more no less."""
START_SECONDS = 10.0
FAMILIES: tuple[Literal["ip4", "ip6"], ...] = ("ip4", "ip6")

type Probe = tuple[str, str]
"""Module and target."""


def full(site: Scenario) -> list[Probe]:
    """Return 35 probes that look at what Padlock looks at.

    The addresses of both hosts and NS, CAA and SOA at the resolver, the addresses at both authoritative servers; at
    each host and family port 80, its way to a challenge, a path with a query in clear and over TLS, the front page,
    and the certificate over TLS 1.2.
    """
    hosts, servers = site.hosts, [NAMESERVERS[name] for name in ("ns1", "ns2")]
    asked = [(f"{host}_{rdtype}", names.RESOLVER) for host in hosts for rdtype in ("A", "AAAA")]
    asked += [(f"{site.apex}_{rdtype}", names.RESOLVER) for rdtype in ("NS", "CAA", "SOA")]
    asked += [(f"{site.apex}_{rdtype}", server) for rdtype in ("A", "AAAA") for server in servers]
    for host in hosts:
        page = "page" if host == site.hosts[0] else "moved"
        deep = "absent" if host == site.hosts[0] else "moved"
        for family in FAMILIES:
            asked += [
                (f"moved_{family}", f"http://{host}/"),
                (f"moved_{family}", f"http://{host}/.well-known/acme-challenge/probe"),
                (f"moved_{family}", f"http://{host}/padlock-probe/path?q=1"),
                (f"{page}_{family}", f"https://{host}/"),
                (f"{deep}_{family}", f"https://{host}/padlock-probe/path?q=1"),
                (f"tls12_{family}", f"{host}:443"),
            ]
    return asked


def everything(site: Scenario) -> list[Probe]:
    """Return 61 probes: all of Padlock's looks that the exporter can take; handshakes that must fail are not.

    Beside the 35 the addresses at three public resolvers, the health path and the way to a challenge over TLS at each
    host and family, and the default site of each address.
    """
    asked = full(site)
    asked += [(f"{host}_{t}", r) for r in names.PUBLIC_RESOLVERS for host in site.hosts for t in ("A", "AAAA")]
    for host in site.hosts:
        is_canonical = host == site.hosts[0]
        for family in FAMILIES:
            asked += [
                (f"moved_{family}", f"http://{host}/health"),
                (f"{'page' if is_canonical else 'moved'}_{family}", f"https://{host}/health"),
                (
                    f"{'absent' if is_canonical else 'moved'}_{family}",
                    f"https://{host}/.well-known/acme-challenge/probe",
                ),
            ]
    return [*asked, ("default_ip4", f"https://{WEB}/"), ("default_ip6", f"https://[{WEB_6}]/")]


def basic(site: Scenario) -> list[Probe]:
    """Return 15 probes: addresses, NS and CAA; port 80 and the front page of each host and family; a certificate."""
    asked = [(f"{host}_{rdtype}", names.RESOLVER) for host in site.hosts for rdtype in ("A", "AAAA")]
    asked += [(f"{site.apex}_{rdtype}", names.RESOLVER) for rdtype in ("NS", "CAA")]
    for host in site.hosts:
        page = "page" if host == site.hosts[0] else "moved"
        for family in FAMILIES:
            asked += [(f"moved_{family}", f"http://{host}/"), (f"{page}_{family}", f"https://{host}/")]
    return [*asked, ("tls12_ip4", f"{site.apex}:443")]


def configuration(sites: Sequence[Scenario]) -> dict[str, Any]:
    """Return the modules: those of HTTP and TLS for each family, and one for each question to DNS."""
    modules: dict[str, Any] = {}
    for family in FAMILIES:
        way = {"preferred_ip_protocol": family, "ip_protocol_fallback": False}
        for name, statuses, secure in (("page", [200], True), ("moved", [301], False), ("absent", [404], True)):
            http = {**way, "valid_status_codes": statuses, "follow_redirects": False, "fail_if_not_ssl": secure}
            modules[f"{name}_{family}"] = {"prober": "http", "http": http}
        strange = {**way, "valid_status_codes": [200], "tls_config": {"insecure_skip_verify": True}}
        modules[f"default_{family}"] = {"prober": "http", "http": strange}
        tcp = {**way, "tls": True, "tls_config": {"min_version": "TLS12", "max_version": "TLS12"}}
        modules[f"tls12_{family}"] = {"prober": "tcp", "tcp": tcp}
    for site in sites:
        for host, rdtype, answer in _questions(site):
            dns = {
                "query_name": host,
                "query_type": rdtype,
                "transport_protocol": "udp",
                "preferred_ip_protocol": "ip4",
                "valid_rcodes": ["NOERROR"],
                "validate_answer_rrs": {"fail_if_not_matches_regexp": [answer]},
            }
            modules[f"{host}_{rdtype}"] = {"prober": "dns", "dns": dns}
    return {"modules": {name: {"timeout": f"{PROBE_SECONDS}s", **module} for name, module in modules.items()}}


def _questions(site: Scenario) -> list[tuple[str, str, str]]:
    """Return the questions to DNS about a site: name, type, and what an answer's record holds."""
    addresses = [(host, *pair) for host in site.hosts for pair in (("A", f"\t{WEB}$"), ("AAAA", f"\t{WEB_6}$"))]
    zone = (("NS", r"dns\.test\."), ("CAA", "letsencrypt.org"), ("SOA", "hostmaster"))
    return addresses + [(site.apex, *pair) for pair in zone]


class Blackbox(msgspec.Struct, frozen=True):
    """A running exporter."""

    lab: BenchLab
    process: subprocess.Popen[bytes]

    def probe(self, probes: Sequence[Probe]) -> Done:
        """Ask for probes, so many at once, as a Prometheus that keeps its connections; return what they took."""
        cpu, wall = self._cpu(), time.perf_counter()
        wrong = self.lab.network.call(CHECKER, lambda: asyncio.run(_ask_all(probes)))
        return Done((time.perf_counter() - wall) * 1000, (self._cpu() - cpu) * 1000, wrong)

    def _cpu(self) -> float:
        """Return the processor's seconds of the exporter's process, all of its threads."""
        return time.clock_gettime(~self.process.pid << 3 | 2)  # as clock_getcpuclockid(3) makes its number


@contextlib.contextmanager
def running(lab: BenchLab) -> Iterator[Blackbox]:
    """Start the exporter on the checker's side with the modules for every site, and end it."""
    file = lab.directory / "blackbox.yml"
    file.write_text(yaml.safe_dump(configuration(lab.sites)))
    log = lab.directory / "blackbox.log"
    words = ["prometheus-blackbox-exporter", f"--config.file={file}", f"--web.listen-address=127.0.0.1:{PORT}"]
    with log.open("wb") as output:
        process = subprocess.Popen(
            lab.command(*words, "--log.level=warn"),
            cwd=ROOT,
            env=lab.environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        try:
            _await(lab, process, log)
            yield Blackbox(lab, process)
        finally:
            end(process)


def _await(lab: BenchLab, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not lab.network.call(CHECKER, _listens):
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"blackbox_exporter did not start: {log.read_text(errors='replace')[-2000:]}")
        time.sleep(0.05)


def _listens() -> bool:
    async def knock() -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", PORT)
        writer.close()

    try:
        asyncio.run(knock())
    except OSError:
        return False
    return True


async def _ask_all(probes: Sequence[Probe]) -> list[str]:
    waiting = list(reversed(probes))
    workers = (_worker(waiting) for _ in range(min(AT_ONCE, len(probes))))
    return [fault for faults in await asyncio.gather(*workers) for fault in faults]


async def _worker(waiting: list[Probe]) -> list[str]:
    """Ask for one probe after the other over one connection; return those that did not succeed."""
    wrong: list[str] = []
    reader, writer = await asyncio.open_connection("127.0.0.1", PORT)
    try:
        while waiting:
            module, target = waiting.pop()
            query = urlencode({"module": module, "target": target})
            writer.write(f"GET /probe?{query} HTTP/1.1\r\nHost: blackbox\r\n\r\n".encode())
            body = await _body(reader)
            if b"\nprobe_success 1\n" not in body:
                wrong.append(f"{module} of {target} did not succeed: {body[-200:]!r}")
    finally:
        writer.close()
    return wrong


async def _body(reader: asyncio.StreamReader) -> bytes:
    """Read one answer, which has a length or comes in chunks."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    _, found, rest = head.partition(b"content-length:")
    if found:
        return await reader.readexactly(int(rest.split(b"\r\n")[0]))
    body = b""
    while size := int(await reader.readline(), 16):
        body += (await reader.readexactly(size + 2))[:-2]
    await reader.readline()
    return body
