"""The installed nginx on loopback addresses, to ask what its own answer to a configuration is.

    with running(tmp_path, "server { listen 127.0.0.1:{port}; return 200 a; }") as nginx:
        assert nginx.ask("example.com").body == "a"
        http = read(nginx.configuration())

The text stands within `http`; `{port}` is one free port of all loopback addresses.
"""

import http.client
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
from padlock.evidence import Directive
from padlock.probes.host.nginx_config import parse

NGINX = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin")
needed = pytest.mark.skipif(NGINX is None, reason="needs nginx")
MAIN = """
pid {directory}/nginx.pid;
error_log {directory}/error.log notice;
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    include {directory}/site;
}}
"""


class Reply(NamedTuple):
    """What nginx answered."""

    status: int
    body: str
    location: str


class RealNginx:
    """A running nginx."""

    def __init__(self, directory: Path, port: int) -> None:
        self.directory = directory
        self.port = port

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run nginx's own command on the configuration."""
        assert NGINX
        settings = ["-p", f"{self.directory}/", "-c", "nginx.conf", "-e", "stderr"]
        return subprocess.run([NGINX, *settings, *words], capture_output=True, text=True, timeout=30, check=False)

    def configuration(self) -> tuple[Directive, ...]:
        """Return what is read of its `nginx -T`."""
        return parse(self.run("-T").stdout)

    def warnings(self) -> str:
        """Return what `nginx -t` says."""
        return self.run("-t").stderr

    def ask(self, host: str, path: str = "/", address: str = "127.0.0.1", port: int = 0) -> Reply:
        """Ask for a path under a host's name, in clear."""
        connection = http.client.HTTPConnection(address, port or self.port, timeout=10)
        try:
            connection.request("GET", path, headers={"Host": host})
            reply = connection.getresponse()
            return Reply(reply.status, reply.read().decode(), reply.headers.get("Location", ""))
        finally:
            connection.close()

    def leaf(self, host: str, address: str = "127.0.0.1") -> bytes:
        """Return the certificate, in DER form, that a visitor of a host is given."""
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        with (
            socket.create_connection((address, self.port), timeout=10) as raw,
            context.wrap_socket(raw, server_hostname=host) as wrapped,
        ):
            return wrapped.getpeercert(binary_form=True) or b""


def free_port() -> int:
    """Return a port that is free on every loopback address."""
    with socket.create_server(("", 0)) as found:
        port: int = found.getsockname()[1]
        return port


@contextmanager
def running(directory: Path, text: str, files: Mapping[str, str] | None = None) -> Iterator[RealNginx]:
    """Run nginx with this text within `http`, and more files by their name in its directory."""
    nginx = RealNginx(directory, free_port())
    (directory / "nginx.conf").write_text(MAIN.format(directory=directory))
    for name, content in {"site": text, **(files or {})}.items():
        (directory / name).parent.mkdir(exist_ok=True)
        (directory / name).write_text(content.replace("{port}", str(nginx.port)))
    tested = nginx.run("-t")
    assert tested.returncode == 0, tested.stderr
    assert NGINX
    process = subprocess.Popen(
        [NGINX, "-p", f"{directory}/", "-c", "nginx.conf", "-e", str(directory / "start.log"), "-g", "daemon off;"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 20
        while not (directory / "nginx.pid").exists() or not (directory / "nginx.pid").read_text().strip():
            assert process.poll() is None, (directory / "start.log").read_text()
            assert time.monotonic() < deadline, "nginx did not start"
            time.sleep(0.02)
        yield nginx
    finally:
        process.terminate()
        process.wait(timeout=20)
