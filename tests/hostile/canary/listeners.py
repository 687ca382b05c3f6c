"""Listeners on every refused address of a network namespace, and a count of whatever else is sent to one.

Each refused block becomes a local route: all of its addresses then belong to the namespace itself, one listener bound
to no address hears for them all, and whatever is sent to one, on any port, passes over `lo`. Nothing else does, so
that the packets of `lo` are those that must not be.
"""

import contextlib
import selectors
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from padlock.network import addresses

from tests.lab.network import CHECKER, Network

PORTS = (22, 53, 80, 443, 9001)
"""9001 is the runtime API's inside a Lambda function."""
BEYOND = ("::/3", "4000::/2", "8000::/1")
"""All of IPv6 outside 2000::/3."""
_NOT_HELD = ("127.0.0.0/8",)
"""Local already."""
_PKTINFO_4 = 8
"""IP_PKTINFO of <linux/in.h>, which Python does not name."""
_FREEBIND_6 = 78
"""IPV6_FREEBIND of <linux/in6.h>: to answer from an address that belongs to a route alone."""
_RESET_ON_CLOSE = b"\1\0\0\0\0\0\0\0"


class Touch(NamedTuple):
    """One connection, or one datagram, that a canary was sent."""

    address: str
    port: int
    transport: str


class Canaries:
    """The listeners of one namespace; use it in a thread that lives there."""

    def __init__(self) -> None:
        self.touched: list[Touch] = []
        self._before = self._packets()
        self._selector = selectors.DefaultSelector()
        self._wake, self._woken = socket.socketpair()
        self._selector.register(self._woken, selectors.EVENT_READ)
        for family in (socket.AF_INET, socket.AF_INET6):
            for port in PORTS:
                self._selector.register(_stream(family, port), selectors.EVENT_READ)
            self._selector.register(_datagram(family), selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._listen, name="canaries")

    @contextlib.contextmanager
    def listening(self) -> Iterator["Canaries"]:
        """Listen until the block ends."""
        self._thread.start()
        try:
            yield self
        finally:
            self._wake.send(b"\0")
            self._thread.join()
            for key in list(self._selector.get_map().values()):
                key.fileobj.close()  # type: ignore[union-attr]  # all of them are sockets
            self._wake.close()
            self._selector.close()

    @property
    def packets(self) -> int:
        """Packets that were sent to refused addresses, on whatever port, since the canaries are here."""
        return self._packets() - self._before

    def _packets(self) -> int:
        # Of this thread: that of the process is another namespace's.
        lines = Path("/proc/thread-self/net/dev").read_text().splitlines()
        lo = next(line for line in lines if line.strip().startswith("lo:"))
        return int(lo.split()[2])

    def _listen(self) -> None:
        # What came before the end is heard to its last: the end may be seen first.
        while canaries := self._heard():
            for heard in canaries:
                if heard.type == socket.SOCK_STREAM:
                    self._accept(heard)
                else:
                    self._receive(heard)

    def _heard(self) -> list[socket.socket]:
        """Return the canaries that somebody touches; none where all is heard and the end has come."""
        ready = [key.fileobj for key, _ in self._selector.select()]
        return [heard for heard in ready if isinstance(heard, socket.socket) and heard is not self._woken]

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            accepted, _ = listener.accept()
            with accepted:
                address, port = accepted.getsockname()[:2]
                self.touched.append(Touch(address, port, "tcp"))
                accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)

    def _receive(self, listener: socket.socket) -> None:
        """Note a question for DNS, and refuse it: who waited for an answer would only take longer."""
        with contextlib.suppress(OSError):
            wire, told, _, peer = listener.recvmsg(65535, 256)
            level, kind, data = told[0]
            is_6 = listener.family == socket.AF_INET6
            to = data[:16] if is_6 else data[8:12]
            self.touched.append(Touch(socket.inet_ntop(listener.family, to), 53, "udp"))
            refused = wire[:2] + bytes([wire[2] | 0x80, 0x05]) + wire[4:]
            # The answer has to come from where the question went.
            source = to + bytes(4) if is_6 else bytes(4) + to + bytes(4)
            listener.sendmsg([refused], [(level, kind, source)], 0, peer)


def hold_every_refused_block(network: Network) -> None:
    """Make the checker's namespace answer for every refused address that can be had there."""
    listed = [block for version in (4, 6) for block, _ in addresses._registry(version)]
    others = [block for block, _ in (*addresses.OTHER_BLOCKS, *addresses.NEVER_OPENED)]
    for family in ("-4", "-6"):
        blocks = [block for block in dict.fromkeys([*listed, *others, *BEYOND]) if (":" in block) == (family == "-6")]
        lines = [f"route add local {block} dev lo" for block in blocks if block not in _NOT_HELD]
        words = [*network.within(CHECKER), "ip", family, "-batch", "-"]
        subprocess.run(words, input="\n".join(lines), text=True, check=True)


def _stream(family: int, port: int) -> socket.socket:
    made = socket.socket(family, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    _only_its_family(made)
    made.bind(("", port))
    made.listen(512)
    return made


def _datagram(family: int) -> socket.socket:
    made = socket.socket(family, socket.SOCK_DGRAM)
    _only_its_family(made)
    if family == socket.AF_INET6:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        made.setsockopt(socket.IPPROTO_IPV6, _FREEBIND_6, 1)
    else:
        made.setsockopt(socket.IPPROTO_IP, _PKTINFO_4, 1)
    made.bind(("", 53))
    return made


def _only_its_family(made: socket.socket) -> None:
    if made.family == socket.AF_INET6:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
