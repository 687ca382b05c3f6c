"""The demo's name server: answers for its own zones over UDP and TCP, as resolver and authoritative server in one."""

import socket
from collections.abc import Mapping, Sequence
from typing import Any

from dnslib import QTYPE, RCODE, RR, SOA, A, DNSRecord  # type: ignore[import-untyped]
from dnslib.server import DNSLogger, DNSServer  # type: ignore[import-untyped]

LOOPBACK = "127.0.0.1"
ATTEMPTS = 20
"""Tries to find one port that is free for UDP and TCP alike."""


class Zones:
    """Addresses of host names, each zone named by its last two labels."""

    def __init__(self, addresses: Mapping[str, Sequence[str]]) -> None:
        self._addresses = addresses
        self._apexes = {apex(host) for host in addresses}

    def resolve(self, request: DNSRecord, _handler: Any) -> DNSRecord:
        """Answer one question; the interface that dnslib's server calls."""
        reply = request.reply(ra=1, aa=1)
        host = str(request.q.qname).rstrip(".").lower()
        zone = apex(host)
        if zone not in self._apexes:
            reply.header.rcode = RCODE.NXDOMAIN
            return reply
        start = SOA(f"ns1.{zone}", f"hostmaster.{zone}", (1, 3600, 600, 86400, 60))
        if host == zone and request.q.qtype == QTYPE.SOA:
            reply.add_answer(RR(host, QTYPE.SOA, rdata=start, ttl=60))
        if request.q.qtype == QTYPE.A:
            for address in self._addresses.get(host, ()):
                reply.add_answer(RR(host, QTYPE.A, rdata=A(address), ttl=60))
        if not reply.rr:
            reply.header.rcode = RCODE.NOERROR if host in self._addresses or host == zone else RCODE.NXDOMAIN
            reply.add_auth(RR(zone, QTYPE.SOA, rdata=start, ttl=60))
        return reply


def apex(host: str) -> str:
    """Return the zone of a host: its last two labels."""
    return ".".join(host.split(".")[-2:])


def serve(zones: Zones) -> tuple[int, list[DNSServer]]:
    """Start serving on loopback in threads of this process; return the port and what to stop."""
    for _ in range(ATTEMPTS):
        quiet = DNSLogger(log="-request,-reply,-truncated,-error")
        datagrams = DNSServer(zones, LOOPBACK, 0, logger=quiet)
        port = datagrams.server.server_address[1]
        try:
            streams = DNSServer(zones, LOOPBACK, port, tcp=True, logger=quiet)
        except OSError:
            datagrams.server.server_close()
            continue
        for server in (datagrams, streams):
            server.start_thread()
        return port, [datagrams, streams]
    raise RuntimeError(f"no port of {LOOPBACK} is free for both UDP and TCP")


def stop(servers: Sequence[DNSServer]) -> None:
    """Stop serving and free the port."""
    for server in servers:
        server.stop()
        server.server.server_close()


def listener() -> socket.socket:
    """Return a TCP socket that listens on a free port of loopback."""
    sock = socket.create_server((LOOPBACK, 0), backlog=128)
    sock.set_inheritable(True)
    return sock
