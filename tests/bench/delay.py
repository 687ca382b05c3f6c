"""Cables of a lab that take time: a TUN device on either side, and a process for each way that holds packets back.

The kernel of a small machine may have no netem. `python -m tests.bench.delay FROM TO SECONDS` moves packets from one
open device to the other, each so many seconds after it came, until it is told to end; it then prints one JSON line.
"""

import contextlib
import fcntl
import os
import select
import signal
import struct
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import msgspec

from tests.lab.network import CABLE, CABLE_6, CHECKER, SERVERS, Network

ROOT = Path(__file__).parents[2]
QUEUE = 10_000
"""Packets that a device holds for the relay: a burst of many sites must not be dropped."""
URGENCY = -15
"""The relay's niceness: it stands for wires, which do not wait for a busy processor."""
_TUNSETIFF = 0x400454CA
_IFF_TUN, _IFF_NO_PI = 0x0001, 0x1000
_PACKET = 2048
_AT_ONCE = 64
"""Packets that are taken in before it is looked which are due."""


class Carried(msgspec.Struct, frozen=True):
    """What one way of a cable carried."""

    packets: int
    dropped: int
    late_ms: float
    """By how much the mean packet was later than its delay."""
    latest_ms: float
    cpu_ms: float


class Cable(msgspec.Struct, frozen=True):
    """One cable."""

    name: str
    number: int
    round_trip_ms: int

    def addresses(self, side: str) -> tuple[str, str]:
        """Return the IPv4 and the IPv6 address of one end."""
        place = 1 if side == SERVERS else 2
        return f"45.83.{200 + self.number}.{place}", f"2a0f:5c40:{200 + self.number}::{place}"


class Cables(msgspec.Struct, frozen=True):
    """The cables of a lab, of which the checker's side uses one at a time."""

    network: Network
    laid: Mapping[int, Cable]
    """Round trip time, milliseconds → cable; the lab's own one, of 0, is not among them."""
    relays: list[subprocess.Popen[str]]

    def use(self, round_trip_ms: int) -> None:
        """Send everything from the checker's side over the cable of this round trip time."""
        cable = self.laid.get(round_trip_ms)
        ways = [f"via {CABLE}.1", f"via {CABLE_6}1"]
        if cable:
            ways = [f"dev {cable.name} src {address}" for address in cable.addresses(CHECKER)]
        for family, way in zip(("-4", "-6"), ways, strict=True):
            _ip(self.network, CHECKER, f"{family} route replace default {way}")

    def end(self) -> list[Carried]:
        """End the relays; return what each carried."""
        for relay in self.relays:
            relay.terminate()
        return [msgspec.json.decode(relay.communicate(timeout=10)[0], type=Carried) for relay in self.relays]


@contextlib.contextmanager
def cables(network: Network, round_trips_ms: Sequence[int]) -> Iterator[Cables]:
    """Lay a cable for each round trip time but 0; they are gone afterwards."""
    with contextlib.ExitStack() as stack:
        made = Cables(
            network, {ms: Cable(f"rtt{ms}", n, ms) for n, ms in enumerate(filter(None, round_trips_ms))}, []
        )
        for cable in made.laid.values():
            there, here = (_end_of(stack, network, cable, side) for side in (SERVERS, CHECKER))
            made.relays.extend(_relay(stack, *way, cable) for way in ((there, here), (here, there)))
        for side in (SERVERS, CHECKER):
            network.call(side, _forget_metrics)
        yield made


def _forget_metrics() -> None:
    """Have the kernel keep nothing of one connection for the next, which may take another cable."""
    Path("/proc/sys/net/ipv4/tcp_no_metrics_save").write_text("1")


def _end_of(stack: contextlib.ExitStack, network: Network, cable: Cable, side: str) -> int:
    """Make one end of a cable, and return the descriptor that its device lives with."""
    descriptor = network.call(side, partial(_device, cable.name))
    stack.callback(os.close, descriptor)
    _ip(network, side, f"link set {cable.name} up txqueuelen {QUEUE}")
    address, address_6 = cable.addresses(side)
    _ip(network, side, f"addr add {address}/24 dev {cable.name}")
    _ip(network, side, f"addr add {address_6}/64 dev {cable.name} nodad")
    return descriptor


def _device(name: str) -> int:
    """Open a new TUN device in the caller's network namespace."""
    descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(descriptor, _TUNSETIFF, struct.pack("16sH22x", name.encode(), _IFF_TUN | _IFF_NO_PI))
    return descriptor


def _ip(network: Network, side: str, words: str) -> None:
    subprocess.run([*network.within(side), "ip", *words.split()], check=True)


def _relay(stack: contextlib.ExitStack, origin: int, target: int, cable: Cable) -> subprocess.Popen[str]:
    """Start the process that carries one way; it ends with this one, however that ends."""
    seconds = cable.round_trip_ms / 2000
    command = [sys.executable, "-m", "tests.bench.delay", str(origin), str(target), str(seconds)]
    relay = subprocess.Popen(
        ["setpriv", "--pdeathsig", "TERM", *command],
        cwd=ROOT,
        pass_fds=(origin, target),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    stack.callback(relay.wait, 10)
    stack.callback(relay.terminate)
    return relay


def carry(origin: int, target: int, seconds: float) -> Carried:
    """Move packets from one device to the other, late by so many seconds, until SIGTERM."""
    ended = False

    def end(*_: object) -> None:
        nonlocal ended
        ended = True

    signal.signal(signal.SIGTERM, end)
    waiting: deque[tuple[float, bytes]] = deque()
    packets = dropped = 0
    late = latest = 0.0
    clock = time.monotonic
    while not ended:
        # select() alone waits for less than a millisecond; a signal is noticed within the half second.
        select.select([origin], [], [], max(0.0, waiting[0][0] - clock()) if waiting else 0.5)
        with contextlib.suppress(BlockingIOError):
            for _ in range(_AT_ONCE):
                waiting.append((clock() + seconds, os.read(origin, _PACKET)))
        while waiting and waiting[0][0] <= (now := clock()):
            due, packet = waiting.popleft()
            packets += 1
            late += now - due
            latest = max(latest, now - due)
            try:
                os.write(target, packet)
            except OSError:
                dropped += 1
    return Carried(
        packets, dropped, round(late / max(packets, 1) * 1000, 3), round(latest * 1000, 3), time.process_time() * 1000
    )


if __name__ == "__main__":
    os.setpriority(os.PRIO_PROCESS, 0, URGENCY)
    carried = carry(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))
    sys.stdout.write(msgspec.json.encode(carried).decode())
