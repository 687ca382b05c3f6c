"""Where this process connects to, what it sends to, and which names it has the system look up, as Python tells it.

    with watched() as sockets:
        handler(event)
    assert ("192.0.2.1", 443) not in sockets.reached

An audit hook (PEP 578) hears of it whichever library does it, and cannot be taken away again: it is set once, and
quiet while nobody watches. Threads that were there before, and those that socketserver starts for a request, belong
to the test's own servers and are left out.
"""

import contextlib
import functools
import socket
import sys
import threading
from collections.abc import Collection, Iterator
from typing import Any

CONNECTING = ("socket.connect", "socket.sendto", "socket.sendmsg")
LOOKING_UP = ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr", "socket.getnameinfo")
_OF_A_SERVER = "(process_request_thread)"
"""Ends the name of a thread that socketserver.ThreadingMixIn starts."""

type Place = tuple[str, int]
"""Address and port."""


class Sockets:
    """What was done with sockets while it was watched."""

    def __init__(self, others: Collection[int]) -> None:
        """Take the threads that are left out, by their identifiers."""
        self._others = frozenset(others)
        self.connected: set[Place] = set()
        """Over TCP."""
        self.named: set[Place] = set()
        """Datagram sockets' peers; connecting such a socket sends nothing yet."""
        self.looked_up: set[str] = set()
        """Names or addresses that the system's own resolver was asked for."""

    @property
    def reached(self) -> set[Place]:
        """Everything that was connected or sent to."""
        return self.connected | self.named

    def hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Note an event."""
        if threading.get_ident() in self._others or threading.current_thread().name.endswith(_OF_A_SERVER):
            return
        if event in LOOKING_UP:
            self.looked_up.add(str(arguments[0]))
            return
        used, to = arguments[0], arguments[1]
        if used.family in (socket.AF_INET, socket.AF_INET6) and to is not None:
            (self.connected if used.type == socket.SOCK_STREAM else self.named).add((str(to[0]), int(to[1])))


_watching: list[Sockets] = []


@contextlib.contextmanager
def watched() -> Iterator[Sockets]:
    """Watch what this thread, and all that start from now on, do with sockets."""
    _set_hook()
    here = threading.get_ident()
    sockets = Sockets([thread.ident for thread in threading.enumerate() if thread.ident not in (None, here)])
    _watching.append(sockets)
    try:
        yield sockets
    finally:
        _watching.remove(sockets)


@functools.cache
def _set_hook() -> None:
    sys.addaudithook(_hook)


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if _watching and event in (*CONNECTING, *LOOKING_UP):
        for sockets in _watching:
            sockets.hear(event, arguments)
