"""The servers that neither nginx nor knot can play: filtered ports, silence, resets, banners, impossible zones.

`python -m tests.lab.odd_servers DIRECTORY` runs all of them until it is ended.
"""

import asyncio
import contextlib
import ctypes
import functools
import socket
import ssl
import struct
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from werkzeug.debug import DebuggedApplication
from werkzeug.serving import BaseWSGIServer, make_server

from tests import dns_server, old_tls
from tests.dns_server import Answer, rcode, truncated, when, without_edns, zone
from tests.lab.app import DEVELOPED
from tests.lab.scenarios import ALL, Scenario, Service
from tests.lab.scenarios._scenario import NAMESERVERS

SSH_BANNER = b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n"
SO_ATTACH_FILTER = 26
DROP_EVERYTHING = struct.pack("HBBI", 0x06, 0, 0, 0)
"""One instruction of a classic socket filter: keep 0 octets of a packet."""


RENEGOTIATION_INFO = b"\x00\x05\xff\x01\x00\x01\x00"
"""The extension without which OpenSSL 3 breaks off (RFC 5746)."""


BEHAVIOURS: Mapping[str, Callable[[Answer], Answer]] = {
    "": lambda zone: zone,
    "servfail": lambda _: rcode("SERVFAIL"),
    "no_edns": lambda zone: without_edns(zone, formerr=True),
    "udp_only": lambda zone: when_tcp(rcode("REFUSED"), truncated(zone)),
}
"""What the nameserver does with a zone: keys of Scenario.dns."""


def when_tcp(then: Answer, otherwise: Answer) -> Answer:
    """Answer differently over TCP."""
    return lambda query, transport: (then if transport == "tcp" else otherwise)(query, transport)


def impossible_zones(scenarios: Iterable[Scenario]) -> Answer:
    """Return an authoritative server that publishes any records together, a CNAME beside other data included."""
    answer = rcode("REFUSED")
    for scenario in scenarios:
        data = zone(scenario.apex, "@ NS odd.dns.test.", *scenario.records.splitlines())
        answer = when(_within(scenario.apex), BEHAVIOURS[scenario.dns](data), answer)
    return answer


def _within(apex: str) -> Callable[[str, str], bool]:
    return lambda name, _rdtype: f".{name}".endswith(f".{apex}")


def filtered(service: Service) -> socket.socket:
    """Return a socket that listens and sees no packet: to a client, the port of a firewall that drops."""
    listener = socket.create_server((service.address, service.port))
    code = ctypes.create_string_buffer(DROP_EVERYTHING, len(DROP_EVERYTHING))
    program = struct.pack("HP", 1, ctypes.addressof(code))
    listener.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program)
    return listener


async def banner(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Greet as an SSH server does, before the client says anything."""
    writer.write(SSH_BANNER)
    await reader.read(1024)
    writer.close()


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Accept, read, and never answer."""
    while await reader.read(1024):
        pass
    writer.close()


async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Reset the connection once the ClientHello is there."""
    await reader.read(1024)
    connection: socket.socket = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.close()


async def broken_certificate(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer the ClientHello with TLS 1.2 and octets that are no certificate (RFC 5246 section 7.4.2)."""
    await reader.read(4096)
    junk = b"this is no certificate"
    entry = len(junk).to_bytes(3) + junk
    hello = _handshake(2, b"\x03\x03" + bytes(32) + b"\x00" + b"\xc0\x2b\x00" + RENEGOTIATION_INFO)
    writer.write(_record(hello + _handshake(11, len(entry).to_bytes(3) + entry) + _handshake(14, b"")))
    await reader.read(4096)
    writer.close()


def _handshake(kind: int, body: bytes) -> bytes:
    return bytes([kind]) + len(body).to_bytes(3) + body


def _record(payload: bytes) -> bytes:
    return b"\x16\x03\x03" + len(payload).to_bytes(2) + payload


def demand_certificates(listener: socket.socket, context: ssl.SSLContext) -> None:
    """Refuse every client without a certificate, by an alert that it is given the time to read."""
    while True:
        connection, _ = listener.accept()
        connection.settimeout(5)
        tls = context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=_refuse, args=(tls,), daemon=True).start()


def _refuse(tls: ssl.SSLSocket) -> None:
    with tls, contextlib.suppress(OSError):
        with contextlib.suppress(ssl.SSLError):
            tls.do_handshake()
        # Closed with the client's request unread, TCP would reset and the alert be lost.
        tls.shutdown(socket.SHUT_WR)
        while tls.recv(4096):
            pass


PLAIN = {"banner": banner, "silent": silent, "reset": reset, "broken_certificate": broken_certificate}
"""Servers that speak no TLS of their own."""


def development(service: Service, file: Path) -> BaseWSGIServer:
    """Start Werkzeug's development server, which should never face the Internet, with or without its debugger."""
    app = DebuggedApplication(DEVELOPED, evalex=True) if service.kind == "werkzeug_debugger" else DEVELOPED
    secured = (f"{file}.pem", f"{file}.key")
    server = make_server(service.address, service.port, app, threaded=True, ssl_context=secured)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


async def start(scenario: Scenario, service: Service, certificates: Path) -> object:
    """Start one server and return what keeps it alive."""
    if service.kind == "filtered":
        return filtered(service)
    if service.kind == "ssl3":
        leaf = (certificates / f"{scenario.file('')}.pem").read_text().partition(ssl.PEM_FOOTER)[0] + ssl.PEM_FOOTER
        ssl3 = functools.partial(old_tls.serve, version=0x0300, certificate=ssl.PEM_cert_to_DER_cert(leaf))
        return await asyncio.start_server(ssl3, service.address, service.port)
    if service.kind in ("werkzeug", "werkzeug_debugger"):
        return development(service, certificates / scenario.file(""))
    plain = PLAIN.get(service.kind)
    if plain:
        return await asyncio.start_server(plain, service.address, service.port)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    file = certificates / scenario.file("")
    context.load_cert_chain(f"{file}.pem", f"{file}.key")
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(certificates / "root.pem")
    listener = socket.create_server((service.address, service.port))
    threading.Thread(target=demand_certificates, args=(listener, context), daemon=True).start()
    return listener


async def serve(certificates: Path) -> None:
    """Start every server and wait for the end."""
    kept = [await start(scenario, service, certificates) for scenario in ALL for service in scenario.services]
    zones = impossible_zones(scenario for scenario in ALL if "odd" in scenario.nameservers)
    async with dns_server.serve(zones, NAMESERVERS["odd"], 53):
        await asyncio.Event().wait()
    del kept


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1])))
