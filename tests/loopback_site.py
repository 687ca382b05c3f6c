"""One real site on loopback, with its name server: HTTPS from a CA of its own, plain HTTP that redirects to it."""

import ssl
import tempfile
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from local.demo.authority import Authority
from local.demo.nameserver import LOOPBACK, Zones, serve, stop

PAGE = b"<!doctype html><title>Shop</title><h1>Welcome to the shop</h1>"


class LoopbackSite:
    """`name` over HTTPS; `status` is what its front page answers, and may be changed at any time."""

    def __init__(self, name: str = "shop.example") -> None:
        self.name = name
        self.status = HTTPStatus.OK
        authority = Authority("http://ca.example/issuer.der")
        self._ca = authority.root_pem
        self._certificate = authority.issue([name])

    def __enter__(self) -> Self:
        self.dns_port, self._nameservers = serve(Zones({self.name: [LOOPBACK]}))
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        with tempfile.TemporaryDirectory() as folder:
            pem = Path(folder, "site.pem")
            pem.write_bytes(self._certificate)
            context.load_cert_chain(pem)
        self._https = _server(_handler(self._front))
        # The handshake belongs into the connection's own thread: a client that never finishes it must not block.
        self._https.socket = context.wrap_socket(self._https.socket, server_side=True, do_handshake_on_connect=False)
        self._http = _server(_handler(self._moved))
        self._threads = [
            threading.Thread(target=server.serve_forever, args=(0.02,)) for server in (self._https, self._http)
        ]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for server in (self._https, self._http):
            server.shutdown()
            server.server_close()
        for thread in self._threads:
            thread.join()
        stop(self._nameservers)

    @property
    def resolver(self) -> str:
        """The name server, as the environment variable RESOLVERS takes it."""
        return f"{LOOPBACK}:{self.dns_port}"

    @property
    def declaration(self) -> dict[str, Any]:
        """What the site's owner declares."""
        return {
            "name": self.name,
            "hosts": [self.name],
            "ports": {"http": self._http.server_address[1], "https": self._https.server_address[1]},
            "networks": ["127.0.0.0/8"],
            "private_ca": self._ca,
        }

    def _front(self, path: str, host: str) -> tuple[int, dict[str, str], bytes]:
        if host != self.name:
            return 404, {}, b"no such site"
        return (self.status, {}, PAGE) if path == "/" else (404, {}, b"no such page")

    def _moved(self, path: str, _host: str) -> tuple[int, dict[str, str], bytes]:
        return 301, {"Location": f"https://{self.name}:{self._https.server_address[1]}{path}"}, b""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Stay quiet: probes that break off are what this server is for."""


def _server(handler: type[BaseHTTPRequestHandler]) -> ThreadingHTTPServer:
    return _Server((LOOPBACK, 0), handler)


def _handler(answer: Any) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        server_version, sys_version = "nginx", ""  # Python's own would count as a development server
        timeout = 10

        def do_GET(self) -> None:
            host = urlsplit(f"//{self.headers.get('Host', '')}").hostname or ""
            status, headers, body = answer(self.path, host)
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 — the base class's name
            """Keep the tests' output clean."""

    return Handler
