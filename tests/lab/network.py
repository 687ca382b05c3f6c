"""Two network namespaces joined by a veth pair: the servers' side and the checker's side.

They have no names and no files: they end with the process that made them, however it ends.
"""

import contextlib
import os
import subprocess
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

import msgspec

SERVERS, CHECKER = "servers", "checker"
CABLE = "45.83.0"
CABLE_6 = "2a0f:5c40::"
BLACKHOLES = ("45.83.66.0/24", "2a0f:5c40:66::/48")
"""Ranges that the servers' side swallows without an answer, as a firewall that drops."""
SETTINGS = {
    "net.ipv4.ip_forward": "1",
    "net.ipv6.conf.all.forwarding": "1",
    # The kernel sends one "unreachable" a second to each peer, and the checker asks a hundred sites at once.
    "net.ipv4.icmp_ratelimit": "0",
    "net.ipv6.icmp.ratelimit": "0",
}


class Network(msgspec.Struct, frozen=True):
    """The two namespaces, as open descriptors of this process."""

    descriptors: Mapping[str, int]

    def within(self, side: str) -> list[str]:
        """Return the words that run a command in one side's namespace."""
        return ["nsenter", f"--net={self.path(side)}"]

    def path(self, side: str) -> str:
        """Return the path by which other processes find a side's namespace."""
        return f"/proc/{os.getpid()}/fd/{self.descriptors[side]}"

    def call[T](self, side: str, function: Callable[[], T]) -> T:
        """Call a function in a thread that lives in one side's namespace, as do the threads that it starts."""

        def entered() -> T:
            os.setns(self.descriptors[side], os.CLONE_NEWNET)
            return function()

        return _in_thread(entered)


@contextlib.contextmanager
def network(addresses: Iterable[str]) -> Iterator[Network]:
    """Make both namespaces, with these addresses on the servers' side."""
    made = Network({side: _in_thread(_new_namespace) for side in (SERVERS, CHECKER)})
    try:
        _lay_cable(made)
        _configure(made, SERVERS, _servers_side(addresses))
        _configure(made, CHECKER, _checkers_side())
        made.call(SERVERS, _apply_settings)
        yield made
    finally:
        for descriptor in made.descriptors.values():
            os.close(descriptor)


def can_make_namespaces() -> bool:
    """Return whether this process may: root within a container often may not."""
    try:
        os.close(_in_thread(_new_namespace))
    except OSError:
        return False
    return True


def _new_namespace() -> int:
    os.unshare(os.CLONE_NEWNET)
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY)


def _in_thread[T](function: Callable[[], T]) -> T:
    """Call a function in a thread of its own: a namespace is a property of one thread."""
    result: list[T] = []
    failure: list[BaseException] = []

    def work() -> None:
        try:
            result.append(function())
        except BaseException as error:  # noqa: BLE001 — handed to the caller's thread
            failure.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    if failure:
        raise failure[0]
    return result[0]


def _lay_cable(network: Network) -> None:
    subprocess.run(
        [
            *network.within(SERVERS),
            *f"ip link add cable type veth peer name cable netns {network.path(CHECKER)}".split(),
        ],
        check=True,
    )


def _servers_side(addresses: Iterable[str]) -> list[str]:
    return [
        "link set lo up",
        "link set cable up",
        f"addr add {CABLE}.1/24 dev cable",
        f"addr add {CABLE_6}1/64 dev cable nodad",
        *(f"addr add {address} dev lo{' nodad' if ':' in address else ''}" for address in sorted(addresses)),
        *(f"{_family(block)} route add blackhole {block}" for block in BLACKHOLES),
        "route add unreachable default",
        "-6 route add unreachable default metric 1",
    ]


def _checkers_side() -> list[str]:
    return [
        "link set lo up",
        "link set cable up",
        f"addr add {CABLE}.2/24 dev cable",
        f"addr add {CABLE_6}2/64 dev cable nodad",
        f"route add default via {CABLE}.1",
        f"-6 route add default via {CABLE_6}1",
    ]


def _family(block: str) -> str:
    return "-6" if ":" in block else "-4"


def _configure(network: Network, side: str, lines: list[str]) -> None:
    for family in ("-4", "-6"):
        batch = [line.removeprefix(family + " ") for line in lines if _is_of(line, family)]
        subprocess.run(
            [*network.within(side), "ip", family, "-batch", "-"], input="\n".join(batch), text=True, check=True
        )


def _is_of(line: str, family: str) -> bool:
    """Return whether a line of an `ip` batch belongs to this family: a batch has one for all of its lines."""
    is_6 = ":" in line or line.startswith("-6")
    return is_6 if family == "-6" else not is_6


def _apply_settings() -> None:
    for name, value in SETTINGS.items():
        Path("/proc/sys", *name.split(".")).write_text(value)
