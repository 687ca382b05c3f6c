"""No refused address is sent a packet, by whatever way a site tries, and each way does lead there once allowed."""

import contextlib
import datetime as dt
import ipaddress
import json
import shutil
import socket
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from local.aws import EmbeddedAws
from local.pump import Pump
from tests.hostile.canary import servers, ways
from tests.hostile.canary.listeners import PORTS, Canaries, Touch, hold_every_refused_block
from tests.lab.network import CABLE, CHECKER, SERVERS, Network, can_make_namespaces, network
from tests.socket_watch import Sockets, watched

pytestmark = pytest.mark.lab
EVERYTHING = ["0.0.0.0/0", "::/0"]
HEARD = (
    *("169.254.169.254", "169.254.170.2", "168.63.129.16", "fd00:ec2::254", "127.0.0.1", "10.0.0.1", "172.16.0.1"),
    *("192.168.0.1", "100.64.0.1", "100.100.100.200", "192.0.0.192", "192.0.2.1", "198.18.0.1", "240.0.0.1"),
    *("64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2002:a9fe:a9fe::1", "2001:0:a9fe:a9fe::1", "::ffff:0:a9fe:a9fe"),
    *(
        "::169.254.169.254",
        "::1",
        "fd20:ce::254",
        "fec0::1",
        "100::1",
        "2001:db8::1",
        "3fff::1",
        "5f00::1",
        "4000::1",
    ),
)
"""Addresses of every kind; a connection to one is accepted there."""
OTHERS = tuple(port for port in PORTS if port != 443)
ALIASES = {"::ffff:10.0.0.1": "10.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104
"""What a socket may be told, and where the kernel then connects to."""


class Ground(NamedTuple):
    """Where the tests take place."""

    network: Network
    aws: EmbeddedAws
    directory: Path


class Seen(NamedTuple):
    """What became of one invocation of the check function with every site."""

    answer: Any
    touched: list[Touch]
    packets: int
    """To refused addresses, whatever the port."""
    sockets: Sockets
    reports: dict[str, dict[str, Any]]

    @property
    def ways(self) -> set[str]:
        """The ways whose canaries were touched."""
        return {ways.way_of(touch.address) for touch in self.touched} & {*ways.LEADS, *ways.NOWHERE}


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """Make both namespaces, with AWS on the servers' side, and hold every refused block on the checker's."""
    if not (shutil.which("ip") and shutil.which("nsenter") and can_make_namespaces()):
        pytest.skip("the canaries need root on Linux with ip and nsenter, for network namespaces")
    with network(servers.ADDRESSES) as made:
        hold_every_refused_block(made)
        aws = made.call(SERVERS, lambda: EmbeddedAws(f"{CABLE}.1").__enter__())
        try:
            yield Ground(made, aws, tmp_path_factory.mktemp("canary"))
        finally:
            aws.__exit__(None, None, None)


@pytest.fixture(scope="module")
def refused(ground: Ground) -> Seen:
    """Check every site; each opens every network, and the operator none."""
    return look(ground, operator="", site=EVERYTHING)


@pytest.fixture(scope="module")
def allowed(ground: Ground) -> Seen:
    """Check every site; each opens every network but one that opens none, and so does the operator."""
    return look(ground, operator=",".join(EVERYTHING), site=EVERYTHING)


def look(ground: Ground, operator: str, site: list[str]) -> Seen:
    """Invoke the check function with one batch of all sites, in a stack of its own."""
    ground.network.call(SERVERS, ground.aws.deploy)
    world = servers.World(ground.network, ground.directory)
    # Of its own: a process reads a file of anchors once.
    anchors = ground.directory / f"{uuid.uuid4().hex}.pem"
    anchors.write_text(world.anchors)
    declared = servers.declarations(site)
    slot = f"{dt.datetime.now(dt.UTC):%Y-%m-%dT%H:%M:%SZ}"
    attributes = {"ApproximateReceiveCount": "1"}
    records = [
        {"messageId": str(declaration["name"]), "eventSource": "aws:sqs", "body": body, "attributes": attributes}
        for declaration in declared
        for body in [json.dumps({"site": declaration, "slot": slot})]
    ]
    names = [str(declaration["name"]) for declaration in declared]
    environment = {
        "RESOLVERS": servers.RESOLVER,
        "PUBLIC_RESOLVERS": servers.PUBLIC,
        "ALLOWED_NETWORKS": operator,
        "CT_SEARCH_URL": f"http://{ways.inside('log-search')}/",
        "SITES": ",".join(names),
        "POWERTOOLS_METRICS_DISABLED": "true",
        "SECOND_LOOK_PAUSE": "0",
    }

    def invoke() -> Seen:
        pump = Pump(ground.aws, environment)
        app: Any = pump.modules["check"]
        app.here = msgspec.structs.replace(app.here, ca_file=str(anchors))
        with Canaries().listening() as canaries, watched() as sockets:
            answer = pump.invoke("check", {"Records": records})
            packets = canaries.packets
        reports = {name: app.results.state(name)["report"] for name in names}
        return Seen(answer, canaries.touched, packets, sockets, reports)

    with world.serving():
        return ground.network.call(CHECKER, invoke)


def test_canaries_hear(ground: Ground) -> None:
    """An ordinary socket that does connect to a refused address is heard, on each port and over UDP."""

    def send() -> list[Touch]:
        with Canaries().listening() as canaries:
            for place in [*((address, 443) for address in (*HEARD, *ALIASES)), *(("127.0.0.1", p) for p in OTHERS)]:
                # They reset what they accept, which a client may be told at once.
                with contextlib.suppress(ConnectionResetError):
                    socket.create_connection(place, timeout=5).close()
            for address in ("169.254.169.254", "fd00:ec2::254"):
                family = socket.AF_INET6 if ":" in address else socket.AF_INET
                with socket.socket(family, socket.SOCK_DGRAM) as datagram:
                    datagram.settimeout(5)
                    datagram.connect((address, 53))
                    datagram.send(b"\x12\x34" + bytes(10))
                    assert datagram.recv(512) == b"\x12\x34\x80\x05" + bytes(8)
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(("10.9.8.7", 8080), timeout=5)
            before = canaries.packets
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(("10.9.8.7", 8080), timeout=5)
            assert canaries.packets > before, "a port without a listener is noticed as well"
        return canaries.touched

    touched = ground.network.call(CHECKER, send)
    wanted = [Touch(ALIASES.get(address, address), 443, "tcp") for address in (*HEARD, *ALIASES)]
    wanted += [Touch("127.0.0.1", port, "tcp") for port in OTHERS]
    wanted += [Touch(address, 53, "udp") for address in ("169.254.169.254", "fd00:ec2::254")]
    assert sorted(touched) == sorted(wanted)


def test_no_canary_is_touched(refused: Seen) -> None:
    """What a site declares alone opens nothing: no listener hears a connection or a question, and no packet comes."""
    assert refused.answer == {"batchItemFailures": []}
    assert refused.touched == []
    assert refused.packets == 0


def test_every_socket_goes_to_a_public_address(ground: Ground, refused: Seen) -> None:
    """Python itself tells of no other place than the sites' public servers, their name servers, and AWS."""
    aws = (ground.aws._server.host, ground.aws._server.port)
    assert aws in refused.sockets.connected, "the watch sees what the whole function does"
    public = {(address, port) for address in (servers.WEB, servers.PLAIN) for port in (80, 443)}
    resolving = {
        (address, 53) for address in (servers.RESOLVER, servers.AUTHORITATIVE, servers.PUBLIC, servers.PARENT)
    }
    # A datagram socket that is connected and never written to tells whether there is a route.
    unsent = {("192.0.2.1", 443), ("2001:db8::1", 443)}
    assert refused.sockets.connected <= public | resolving | {aws}
    assert refused.sockets.named <= resolving | unsent
    assert refused.sockets.looked_up <= {aws[0]}, "no name is looked up by the system"


def test_every_way_leads_there_once_allowed(allowed: Seen) -> None:
    """Each way is really tried: its canary hears once both allow it; that of what is never followed does not."""
    assert allowed.answer == {"batchItemFailures": []}
    assert {*ways.LEADS} - allowed.ways == set()
    assert allowed.ways & {*ways.NOWHERE} == set()


def test_nobody_allows_metadata_services(allowed: Seen) -> None:
    """However wide the networks are that site and operator allow, these addresses are never connected to."""
    never = {ipaddress.ip_address(address) for address in (*ways.NEVER_4, *ways.NEVER_6)}
    reached = {ipaddress.ip_address(address.partition("%")[0]) for address, _ in allowed.sockets.reached}
    assert reached & {ipaddress.ip_address(ways.own(way)) for way in ways.LEADS}
    assert not reached & never
    assert not {ipaddress.ip_address(touch.address) for touch in allowed.touched} & never


@pytest.mark.parametrize("address", [*ways.PRIVATE_4, *ways.PRIVATE_6])
def test_private_addresses_need_both(allowed: Seen, address: str) -> None:
    """Each private address of a site, of either family, is looked at once both allow it, so that it could be had."""
    assert Touch(address, 443, "tcp") in allowed.touched


def test_port_of_the_runtime_api(allowed: Seen) -> None:
    """The counter-proof holds for it as well: only what both allow reaches it."""
    assert Touch("127.0.0.1", 9001, "tcp") in allowed.touched
    assert Touch(ways.own("ports"), 22, "tcp") in allowed.touched


def test_reports_tell_what_was_refused(refused: Seen, allowed: Seen) -> None:
    """Owners hear why: of addresses in DNS, and of redirects."""
    alone = ways.inside("undeclared")
    assert f"dns.reserved_address {alone}" in refused.reports[alone]["findings"]
    assert f"dns.reserved_address {alone}" in allowed.reports[alone]["findings"]
    told = {finding for report in refused.reports.values() for finding in report["findings"]}
    for name in ("moved.test", "secure.test", "0.spelled.test", "13.spelled.test"):
        assert f"redirect.refused {name}" in told
