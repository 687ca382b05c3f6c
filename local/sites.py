"""The demo's sites on loopback: a healthy one and eight that are each broken in their own way.

They are served by a real name server and by Flask behind two real Gunicorn processes, one over TLS and one in clear,
on free ports of 127.0.0.1. Nothing needs root, and nothing outlives the `with` block.
"""

import http.client
import json
import os
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from local.demo.authority import Authority
from local.demo.nameserver import LOOPBACK, Zones, listener, serve, stop

ROOT = Path(__file__).resolve().parent.parent
STALE_ADDRESS = "127.0.0.2"
"""An address at which nothing answers, as that of a server which was moved away from."""
START_SECONDS = 20.0


class DemoSite(msgspec.Struct, frozen=True):
    """One site and the fault that it shows."""

    name: str
    story: str
    first_code: str
    """The finding that its report must begin with; empty: it is healthy."""
    declared: Mapping[str, Any] = {}
    """Keys of its declaration beyond name, ports, networks and private_ca."""


SITES: tuple[DemoSite, ...] = (
    DemoSite("healthy.example", "all is well", "", {"health": "/health", "canonical": "healthy.example"}),
    DemoSite("expired.example", "the certificate was not renewed", "certificate.expired"),
    DemoSite("nowww.example", "the certificate does not cover www", "certificate.name_mismatch"),
    DemoSite("chain.example", "the intermediate certificate is not sent", "certificate.incomplete_chain"),
    DemoSite("closed.example", "nothing listens on the HTTPS port", "port.https_closed"),
    DemoSite("loop.example", "the app sends HTTPS back to HTTP", "redirect.loop"),
    DemoSite("gateway.example", "nginx runs, Gunicorn behind it does not", "app.bad_gateway"),
    DemoSite("plain.example", "plain HTTP is served instead of redirected", "redirect.missing"),
    DemoSite(
        "stale.example",
        "the old server's address is still published",
        "dns.unexpected_address",
        {"addresses": [LOOPBACK]},
    ),
)


class DemoSites:
    """The running demo; a context manager."""

    def __init__(self) -> None:
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        """Start name server and web servers and wait until they answer."""
        try:
            self._start()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        """Stop everything and remove what was written."""
        self._stack.close()

    def _start(self) -> None:
        self._folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="padlock-demo-")))
        self._plain = self._stack.enter_context(listener())
        self._tls = self._stack.enter_context(listener())
        # Bound but not listening: connections are refused, and no other program can take the port.
        closed = self._stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
        closed.bind((LOOPBACK, 0))
        self.closed_port = int(closed.getsockname()[1])
        self.http_port = int(self._plain.getsockname()[1])
        self.https_port = int(self._tls.getsockname()[1])
        self._authority = Authority(f"http://www.chain.example:{self.http_port}/intermediate.der")
        self._issue()
        self.dns_port, servers = serve(Zones(_addresses()))
        self._stack.callback(stop, servers)
        started = [self._gunicorn("http", self._plain), self._gunicorn("https", self._tls)]
        blind = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        blind.check_hostname, blind.verify_mode = False, ssl.CERT_NONE
        _wait_for(started[0], http.client.HTTPConnection(LOOPBACK, self.http_port, timeout=2))
        _wait_for(started[1], http.client.HTTPSConnection(LOOPBACK, self.https_port, timeout=2, context=blind))

    @property
    def resolver(self) -> str:
        """Where the demo's names resolve, as `--resolver` and the stack's `Resolvers` take it."""
        return f"{LOOPBACK}:{self.dns_port}"

    def declarations(self) -> list[dict[str, Any]]:
        """Return the sites as their owner declares them."""
        return [self._declaration(site) for site in SITES]

    def write_site_file(self) -> Path:
        """Write the declarations as a site file for `padlock check --site-file`."""
        file = self._folder / "sites.json"
        file.write_text(json.dumps(self.declarations(), indent=2))
        return file

    def renew_certificate(self) -> None:
        """Heal expired.example."""
        self._put("expired.example.pem", self._authority.issue(_both("expired.example"), age=timedelta(hours=2)))

    def _declaration(self, site: DemoSite) -> dict[str, Any]:
        https = self.closed_port if site.name == "closed.example" else self.https_port
        return {
            "name": site.name,
            "ports": {"http": self.http_port, "https": https},
            "networks": ["127.0.0.0/8"],
            "private_ca": self._authority.root_pem,
            **site.declared,
        }

    def _issue(self) -> None:
        """Write a certificate for each site; a visitor without SNI gets the healthy one's."""
        self._put("intermediate.der", self._authority.intermediate_der)
        for site in SITES:
            match site.name:
                case "expired.example":
                    pem = self._authority.issue(_both(site.name), age=timedelta(days=93))
                case "nowww.example":
                    pem = self._authority.issue([site.name])
                case "chain.example":
                    pem = self._authority.issue(_both(site.name), chain=False)
                case _:
                    pem = self._authority.issue(_both(site.name))
            self._put(f"{site.name}.pem", pem)
            if not site.first_code:
                self._put("default.pem", pem)

    def _put(self, name: str, data: bytes) -> None:
        """Write a file at once, so that a server never reads half of it."""
        fresh = self._folder / f"{name}.new"
        fresh.write_bytes(data)
        fresh.replace(self._folder / name)

    def _gunicorn(self, scheme: str, sock: socket.socket) -> subprocess.Popen[bytes]:
        environment = {
            **os.environ,
            "DEMO_SCHEME": scheme,
            "DEMO_BIND": f"fd://{sock.fileno()}",
            "DEMO_FOLDER": str(self._folder),
            "DEMO_PARENT": str(os.getpid()),
            "DEMO_HTTP_PORT": str(self.http_port),
            "DEMO_HTTPS_PORT": str(self.https_port),
            "DEMO_CLOSED_PORT": str(self.closed_port),
            "DEMO_HOSTS": ",".join(_addresses()),
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "--config", "local/demo/gunicorn_conf.py"],
            cwd=ROOT,
            env=environment,
            pass_fds=[sock.fileno()],
            start_new_session=True,  # Ctrl-C is ours to handle; we end it by its id
        )
        self._stack.callback(_end, process)
        return process


def _both(name: str) -> list[str]:
    return [name, f"www.{name}"]


def _addresses() -> dict[str, Sequence[str]]:
    """Return what the name server publishes."""
    return {
        host: (LOOPBACK, STALE_ADDRESS) if site.name == "stale.example" else (LOOPBACK,)
        for site in SITES
        for host in _both(site.name)
    }


def _wait_for(process: subprocess.Popen[bytes], connection: http.client.HTTPConnection) -> None:
    """Wait until a web server answers; RuntimeError if it ends or takes too long."""
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        if process.poll() is not None:
            raise RuntimeError(f"a demo web server ended with status {process.returncode}; its message is above")
        try:
            connection.request("GET", "/")
            connection.getresponse().read()
        except (OSError, http.client.HTTPException):
            connection.close()
            time.sleep(0.05)
            continue
        connection.close()
        return
    raise RuntimeError(f"a demo web server did not answer on port {connection.port} within {START_SECONDS:.0f} s")


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a web server and its worker; Gunicorn passes the signal on."""
    process.terminate()
    try:
        process.wait(timeout=5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
