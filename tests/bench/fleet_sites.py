"""Many healthy sites on loopback in a process of their own, each with its own name and certificate."""

import multiprocessing
import ssl
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from local.demo.authority import Authority
from local.demo.nameserver import LOOPBACK, Zones, serve, stop
from tests.loopback_site import PAGE

STOP_SECONDS = 10
HEALTH = "/health"
HEADERS = {"Strict-Transport-Security": "max-age=31536000"}


class Sites:
    """What a function has to know of them."""

    def __init__(self, pipe: Any, resolver: str, declarations: list[dict[str, Any]]) -> None:
        self._pipe = pipe
        self.resolver = resolver
        """As the environment variable RESOLVERS takes it."""
        self.declarations = declarations

    def answer(self, status: int) -> None:
        """Have the front pages of all sites answer with this status from now on."""
        self._pipe.send(status)
        if not self._pipe.poll(STOP_SECONDS):
            raise TimeoutError(f"the sites did not change within {STOP_SECONDS} s")
        self._pipe.recv()


@contextmanager
def serving(count: int) -> Iterator[Sites]:
    """Run so many sites."""
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(theirs, count), daemon=True)
    process.start()
    try:
        if not ours.poll(120):
            raise TimeoutError("the sites did not start within 120 s")
        yield Sites(ours, *ours.recv())
        ours.send(None)
        process.join(STOP_SECONDS)
    finally:
        if process.is_alive():
            process.kill()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 1024

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Stay quiet: probes that break off are what this server is for."""


def _serve(pipe: Any, count: int) -> None:
    names = [f"site{number:03}.example" for number in range(count)]
    authority = Authority("http://ca.example/issuer.der")
    status = [200]

    def page(path: str) -> tuple[int, dict[str, str], bytes] | None:
        return {"/": (status[0], HEADERS, PAGE), HEALTH: (status[0], HEADERS, b"ok")}.get(path)

    https = _Server((LOOPBACK, 0), _handler(lambda host, path: page(path) if host in names else None))
    https.socket = _context(authority, names).wrap_socket(
        https.socket, server_side=True, do_handshake_on_connect=False
    )
    port = https.server_address[1]
    http = _Server(
        (LOOPBACK, 0), _handler(lambda host, path: (301, {"Location": f"https://{host}:{port}{path}"}, b""))
    )
    for server in (https, http):
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    dns_port, nameservers = serve(Zones({name: [LOOPBACK] for name in names}))
    common = {
        "ports": {"http": http.server_address[1], "https": port},
        "networks": ["127.0.0.0/8"],
        "private_ca": authority.root_pem,
        "health": HEALTH,
    }
    pipe.send((f"{LOOPBACK}:{dns_port}", [{"name": name, "hosts": [name], **common} for name in names]))
    while (order := pipe.recv()) is not None:
        status[0] = order
        pipe.send("done")
    stop(nameservers)


def _context(authority: Authority, names: list[str]) -> ssl.SSLContext:
    """Return a context that shows each name its own certificate, and strangers the first."""
    contexts = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            contexts[name] = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            pem = Path(folder, name)
            pem.write_bytes(authority.issue([name]))
            contexts[name].load_cert_chain(pem)

    def choose(connection: ssl.SSLObject, name: str | None, _default: ssl.SSLContext) -> None:
        connection.context = contexts.get(name or "", first)

    first = contexts[names[0]]
    first.sni_callback = choose
    return first


def _handler(answer: Any) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        server_version, sys_version = "nginx", ""  # Python's own would count as a development server
        timeout = 30

        def do_GET(self) -> None:
            host = urlsplit(f"//{self.headers.get('Host', '')}").hostname or ""
            status, headers, body = answer(host, self.path) or (404, {}, b"no such page")
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 — the base class's name
            """Keep the output clean."""

    return Handler
