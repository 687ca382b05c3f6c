"""Every tool of the comparison, ready to look at one site or at all of them."""

import contextlib
import os
import select
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from local.aws import EmbeddedAws
from tests.bench import compare_padlock, compare_stored, peers, peers_blackbox, peers_station
from tests.bench.compare_record import BASIC, BLACKBOX, EVERYTHING, FIRST, PADLOCK, STORED, Sample
from tests.bench.delay import ROOT
from tests.bench.lab import PATH_BEYOND, BenchLab, declaration
from tests.bench.peers_station import Done
from tests.lab import names
from tests.lab.network import CHECKER
from tests.lab.scenarios import Scenario
from tests.lab.servers import end

LIMIT_SECONDS = 900.0
"""For one order to one of the processes."""
TITLES = {
    PADLOCK: "Padlock, warm",
    FIRST: "Padlock, a site's first look",
    STORED: "Padlock, the check function with storage",
    BLACKBOX: "blackbox_exporter, 35 probes",
    EVERYTHING: "blackbox_exporter, 61 probes",
    BASIC: "blackbox_exporter, 15 probes",
    "seed": "the seed's commands in turn",
    "seed-parallel": "the seed's commands at once",
    "plugins": "monitoring-plugins in turn",
    "plugins-parallel": "monitoring-plugins at once",
    "sslyze": "sslyze --certinfo",
    "testssl": "testssl.sh -p -S -h",
}


class Tool(msgspec.Struct, frozen=True):
    """One tool."""

    name: str
    look: Callable[[Sequence[Scenario]], tuple[Sample, Sequence[str]]]
    """Looks at sites, all at the same time; returns what that took, and what did not succeed."""
    looks: int = 1
    """At one site in each round, each time at another."""
    one_site: bool = True
    all_sites: bool = True
    in_quick: bool = True
    """Its looks at all sites are part of a quick comparison."""

    @property
    def title(self) -> str:
        """Return what tables call it."""
        return TITLES[self.name]


class Station:
    """A process of the checker's side that carries out orders: one line of JSON each, and one for its answer."""

    def __init__(self, lab: BenchLab, module: str, environment: Mapping[str, str]) -> None:
        self._module = module
        self._log = lab.directory / f"{module}.log"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                lab.command(sys.executable, "-m", module),
                cwd=ROOT,
                env={**lab.environment, **environment, "PYTHONPATH": str(ROOT)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )

    def ask[T](self, order: msgspec.Struct, answer: type[T]) -> T:
        """Have an order carried out; RuntimeError where no answer comes."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(msgspec.json.encode(order) + b"\n")
        self.process.stdin.flush()
        ready, _, _ = select.select([self.process.stdout], [], [], LIMIT_SECONDS)
        line = self.process.stdout.readline() if ready else b""
        if not line:
            told = self._log.read_text(errors="replace")[-3000:]
            raise RuntimeError(f"{self._module} gave no answer within {LIMIT_SECONDS:g} s, or ended:\n{told}")
        return msgspec.json.decode(line, type=answer)


class Tools(msgspec.Struct, frozen=True):
    """The processes that the tools run in."""

    lab: BenchLab
    warm: Station
    stored: Station
    commands: Station
    blackbox: peers_blackbox.Blackbox

    def all(self) -> list[Tool]:
        """Return every tool."""
        return [
            Tool(PADLOCK, self._padlock, looks=3),
            Tool(FIRST, self._first, looks=3, in_quick=False),
            Tool(STORED, self._stored, one_site=False, in_quick=False),
            Tool(BLACKBOX, lambda sites: self._probes(sites, peers_blackbox.full), looks=3),
            Tool(EVERYTHING, lambda sites: self._probes(sites, peers_blackbox.everything), looks=3, in_quick=False),
            Tool(BASIC, lambda sites: self._probes(sites, peers_blackbox.basic), looks=3),
            Tool("seed", lambda sites: self._in_turn(sites, peers.seed), in_quick=False),
            Tool("seed-parallel", lambda sites: self._together(sites, peers.seed), all_sites=False),
            Tool("plugins", lambda sites: self._in_turn(sites, peers.plugins), in_quick=False),
            Tool("plugins-parallel", lambda sites: self._together(sites, peers.plugins), all_sites=False),
            Tool("sslyze", self._sslyze, in_quick=False),
            Tool("testssl", lambda sites: self._in_turn(sites, peers.testssl), all_sites=False),
        ]

    def profile(self, file: Path) -> None:
        """Write a profile of Padlock's look at all sites."""
        self.warm.ask(self._order(self.lab.sites, profile=str(file)), compare_padlock.Look)

    def _padlock(self, sites: Sequence[Scenario]) -> tuple[Sample, Sequence[str]]:
        return self._looked(self._order(sites))

    def _first(self, sites: Sequence[Scenario]) -> tuple[Sample, Sequence[str]]:
        return self._looked(self._order(sites, first=True))

    def _order(self, sites: Sequence[Scenario], *, first: bool = False, profile: str = "") -> compare_padlock.Order:
        return compare_padlock.Order(self.lab.vantage, [declaration(site) for site in sites], first, profile)

    def _looked(self, order: compare_padlock.Order) -> tuple[Sample, Sequence[str]]:
        seen = self.warm.ask(order, compare_padlock.Look)
        return Sample(seen.wall_ms, seen.cpu_ms, seen.peak_octets, seen.idle_octets, seen.judging_ms), seen.faults

    def _stored(self, sites: Sequence[Scenario]) -> tuple[Sample, Sequence[str]]:
        order = compare_stored.Order(self.lab.vantage, [declaration(site) for site in sites])
        seen = self.stored.ask(order, compare_stored.Stored)
        return Sample(seen.wall_ms, seen.cpu_ms, seen.peak_octets, seen.idle_octets, calls=seen.calls), seen.faults

    def _probes(
        self, sites: Sequence[Scenario], wanted: Callable[[Scenario], list[peers_blackbox.Probe]]
    ) -> tuple[Sample, Sequence[str]]:
        return _done(self.blackbox.probe([probe for site in sites for probe in wanted(site)]))

    def _in_turn(self, sites: Sequence[Scenario], commands: peers.Commands) -> tuple[Sample, Sequence[str]]:
        """Run each site's commands one after the other; with fewer sites at once all of them take longer."""
        sequences = [commands(site.apex, self.lab.ca_file) for site in sites]
        return _done(self.commands.ask(peers_station.Order(sequences, len(sites)), Done))

    def _together(self, sites: Sequence[Scenario], commands: peers.Commands) -> tuple[Sample, Sequence[str]]:
        single = [[command] for site in sites for command in commands(site.apex, self.lab.ca_file)]
        return _done(self.commands.ask(peers_station.Order(single, len(single)), Done))

    def _sslyze(self, sites: Sequence[Scenario]) -> tuple[Sample, Sequence[str]]:
        """Give all sites to one process, which looks at many of them at the same time by itself."""
        command = peers.sslyze([site.apex for site in sites], self.lab.ca_file)
        return _done(self.commands.ask(peers_station.Order([[command]], 1), Done))


def _done(done: Done) -> tuple[Sample, Sequence[str]]:
    return Sample(done.wall_ms, done.cpu_ms), done.faults


@contextlib.contextmanager
def running(lab: BenchLab) -> Iterator[Tools]:
    """Start the processes on the checker's side, and an embedded AWS for the check function; end all of them."""
    lab.cables.use(0)
    with contextlib.ExitStack() as stack:
        aws = lab.network.call(CHECKER, EmbeddedAws)
        lab.network.call(CHECKER, aws.__enter__)
        stack.callback(aws.__exit__, None, None, None)
        function = {
            **aws.environment("CheckFunction"),
            "RESOLVERS": names.RESOLVER,
            "PUBLIC_RESOLVERS": ",".join(names.PUBLIC_RESOLVERS),
            "SITES": ",".join(site.name for site in lab.sites),
        }
        stations: list[Station] = []
        in_lambda = {"AWS_LAMBDA_RUNTIME_API": "127.0.0.1:1"}  # where the init of a function is another
        for module, environment in (
            (compare_padlock, in_lambda),
            (compare_stored, function | in_lambda),
            (peers_station, {}),
        ):
            stations.append(Station(lab, module.__name__, environment))
            stack.callback(end, stations[-1].process)
        warm, stored, commands = stations
        yield Tools(lab, warm, stored, commands, stack.enter_context(peers_blackbox.running(lab)))


def missing(*, quick: bool) -> str:
    """Return what this machine lacks of the peers; empty: nothing."""
    needed = ["prometheus-blackbox-exporter", "check_http", "check_dns", "check_dig", "nslookup"]
    path = f"{os.environ.get('PATH', '')}:{PATH_BEYOND}"
    absent = [name for name in needed + ([] if quick else ["testssl"]) if not shutil.which(name, path=path)]
    absent += [] if peers.SSLYZE.exists() else [".venv-bench with sslyze"]
    absent += [] if Path("/dev/net/tun").exists() else ["the device /dev/net/tun"]
    return f"it needs {', '.join(absent)}: run `make bench` as root on Debian" if absent else ""
