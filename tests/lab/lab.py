"""The running lab: both namespaces, every server, and ways to look at it from the checker's side."""

import contextlib
import datetime as dt
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from tests.lab import names, servers, web
from tests.lab.network import CHECKER, SERVERS, Network, can_make_namespaces, network
from tests.lab.pki import Pki

TOOLS = ("ip", "nsenter", "unshare", "setpriv", "mount", "nginx", "knotd", "unbound", "dig", "curl", "openssl")


class Lab(msgspec.Struct, frozen=True):
    """A lab that runs."""

    network: Network
    directory: Path
    now: dt.datetime
    """UTC; the moment on which its certificates' ages are built."""

    @property
    def certificates(self) -> Path:
        """Where the certificates are."""
        return self.directory / "web/certificates"

    @property
    def ca_file(self) -> Path:
        """The trust anchor of its good certificates."""
        return self.certificates / "root.pem"

    @property
    def environment(self) -> dict[str, str]:
        """The environment in which curl and OpenSSL trust the lab."""
        trust = {"CURL_CA_BUNDLE": str(self.ca_file), "SSL_CERT_FILE": str(self.ca_file)}
        return {**os.environ, **trust, "CERTIFICATES": str(self.certificates)}

    def command(self, *words: str) -> list[str]:
        """Return the words that run a command in the checker's namespace, with its resolver and trust anchor."""
        mount = 'mount --bind "$0" /etc/resolv.conf && exec "$@"'
        resolver = str(self.directory / "resolv.conf")
        return [*self.network.within(CHECKER), "unshare", "--mount", "sh", "-c", mount, resolver, *words]

    def run(self, command: str, seconds: float = 20) -> str:
        """Return what a shell command of the checker's side prints."""
        done = subprocess.run(
            self.command("bash", "-c", command),
            env=self.environment,
            text=True,
            errors="replace",
            capture_output=True,
            check=False,
            timeout=seconds,
        )
        return done.stdout + done.stderr

    def call[T](self, function: Callable[[], T]) -> T:
        """Call a function on the checker's side."""
        return self.network.call(CHECKER, function)


def missing() -> str:
    """Return what this machine lacks for the lab; empty: nothing."""
    if not hasattr(os, "setns") or os.geteuid() != 0:
        return "the lab needs root on Linux, for network namespaces"
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    absent = [tool for tool in TOOLS if not shutil.which(tool, path=path)]
    if absent:
        return f"the lab needs {', '.join(absent)}: run `make lab-tools`"
    return "" if can_make_namespaces() else "the lab needs the right to make network namespaces (CAP_SYS_ADMIN)"


@contextlib.contextmanager
def running() -> Iterator[Lab]:
    """Start the lab, and end all of it."""
    now = dt.datetime.now(dt.UTC).replace(microsecond=0)
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="padlock-lab-")))
        addresses = names.ADDRESSES | web.ADDRESSES
        lab = Lab(stack.enter_context(network(addresses)), directory, now)
        (directory / "resolv.conf").write_text(f"nameserver {names.RESOLVER}\noptions timeout:2 attempts:1\n")
        commands = {**names.write(directory / "dns"), **web.write(directory / "web", Pki(now))}
        within, settings = lab.network.within(SERVERS), str(servers.ROOT / "tests/lab/templates/openssl.cnf")
        up = servers.serving(within, directory, commands, lambda: _all_up(lab), OPENSSL_CONF=settings)
        stack.enter_context(up)
        yield lab


def _all_up(lab: Lab) -> bool:
    endpoints = [(address, 53) for address in names.ADDRESSES]
    endpoints += [(address.strip("[]"), 443) for address in web.SHARED]
    return (lab.directory / "web/gunicorn.sock").exists() and lab.call(lambda: all(map(servers.answers, endpoints)))
