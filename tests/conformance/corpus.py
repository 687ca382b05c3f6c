"""The corpus at work: each case on an address of its own, in a network namespace that ends with this process."""

import contextlib
import datetime as dt
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec

from tests.conformance.authority import FILES_HOST, Authorities
from tests.conformance.case import CONTENT, Case
from tests.lab.network import CHECKER, SERVERS, Network, can_make_namespaces, network

TOOLS = ("ip", "nsenter", "nginx", "openssl", "gnutls-serv")
_START_SECONDS = 15.0
_SHARED = "45.83.20.1"
"""The authority's files, and what mixed content loads."""
_FIRST_GNUTLS_PORT = 4431
_ROOT = Path(__file__).parents[2]
_SYSTEM_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
_HEAD = """
user root; worker_processes 2; pid nginx.pid; error_log error.log warn; daemon off;
events { worker_connections 4096; }
http {
    types { text/html html; text/css css; application/javascript js; image/png png; }
    default_type text/html; access_log off; server_tokens off; server_names_hash_bucket_size 128;
    client_body_temp_path tmp_body; proxy_temp_path tmp_proxy; fastcgi_temp_path tmp_fastcgi;
    uwsgi_temp_path tmp_uwsgi; scgi_temp_path tmp_scgi; ssl_session_cache off;
"""


class Corpus(msgspec.Struct, frozen=True):
    """The running corpus."""

    network: Network
    directory: Path
    addresses: dict[str, str]
    """Host → address."""
    ports: dict[str, int]
    """Host → port of HTTPS."""

    @property
    def ca_file(self) -> Path:
        """The trust anchor of its good certificates."""
        return self.directory / "root.pem"

    def call[T](self, function: Callable[[], T]) -> T:
        """Call a function on the visitors' side."""
        return self.network.call(CHECKER, function)


def missing(*more: str) -> str:
    """Return what this machine lacks; empty: nothing."""
    if not hasattr(os, "setns") or os.geteuid() != 0 or not can_make_namespaces():
        return "it needs root on Linux, and leave to make network namespaces"
    absent = [tool for tool in (*TOOLS, *more) if not shutil.which(tool, path=_SYSTEM_PATH)]
    return f"it lacks {', '.join(absent)} (as root on Debian: local/install-lab conformance)" if absent else ""


@contextlib.contextmanager
def running(cases: Sequence[Case]) -> Iterator[Corpus]:
    """Serve cases until the block ends."""
    addresses = {case.host: f"45.83.20.{number}" for number, case in enumerate(cases, 2)}
    addresses |= {FILES_HOST: _SHARED, CONTENT.removeprefix("http://"): _SHARED}
    own = (case.host for case in cases if case.server == "gnutls")
    ports = {host: _FIRST_GNUTLS_PORT + number for number, host in enumerate(own)}
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="padlock-corpus-")))
        _write(directory, cases, addresses)
        made = stack.enter_context(network(set(addresses.values())))
        corpus = Corpus(made, directory, addresses, ports)
        commands = [["nginx", "-p", str(directory), "-c", "nginx.conf"]]
        commands += [_command(corpus, case) for case in cases if case.server != "nginx"]
        started = [stack.enter_context(_process(corpus, words)) for words in commands]
        _await(corpus, cases, started)
        yield corpus


def _write(directory: Path, cases: Sequence[Case], addresses: dict[str, str]) -> None:
    authorities = Authorities(dt.datetime.now(dt.UTC))
    for case in cases:
        authorities.write(directory, case.name, case.leaf, case.host)
        page = directory / "pages" / case.name / "index.html"
        page.parent.mkdir(parents=True)
        title = f"<!doctype html><meta charset=utf-8><title>{case.name}</title>"
        page.write_text(f"{title}{case.head}<h1>Welcome to {case.name}</h1>{case.page}")
    authorities.write_files(directory)
    for name in ("shared", "parameters"):
        (directory / name).mkdir()
    (directory / "shared/mixed.js").write_text("document.title = 'changed'")
    (directory / "shared/mixed.css").write_text("h1 { color: red }")
    for bits, options in (
        ("1024", "dhparam -dsaparam 1024"),
        ("2048", "genpkey -genparam -algorithm DH -pkeyopt group:ffdhe2048"),
    ):
        done = subprocess.run(f"openssl {options}".split(), check=True, capture_output=True)
        (directory / f"parameters/dh{bits}.pem").write_bytes(done.stdout)
    (directory / "nginx.conf").write_text(_configuration(directory, cases, addresses))


def _configuration(directory: Path, cases: Sequence[Case], addresses: dict[str, str]) -> str:
    shared = f"server {{ listen {_SHARED}:80; root shared; location /intermediate {{ root {directory}; }} }}"
    blocks = [block for case in cases for block in _blocks(case, addresses[case.host])]
    return "\n".join([_HEAD, shared, *blocks, "}"])


def _blocks(case: Case, address: str) -> Iterator[str]:
    root = f"pages/{case.name}"
    headers = " ".join(f'add_header {name} "{value}" always;' for name, value in case.headers.items())
    if case.https and case.server == "nginx":
        keys = f"ssl_certificate {case.name}.pem; ssl_certificate_key {case.name}.key;"
        listen = f"listen {address}:443 ssl{' http2' if case.http2 else ''};"
        yield f"server {{ {listen} server_name {case.host}; {keys} {case.tls} {headers} root {root}; }}"
    if case.http:
        plain = case.http.replace("{root}", root)
        yield f"server {{ listen {address}:80; server_name {case.host}; {plain} }}"


def _command(corpus: Corpus, case: Case) -> list[str]:
    files = {suffix: str(corpus.directory / f"{case.name}.{suffix}") for suffix in ("pem", "key")}
    if case.server == "gnutls":
        words = f"gnutls-serv --quiet --http --port {corpus.ports[case.host]} --priority {case.options}"
        return [*words.split(), "--x509certfile", files["pem"], "--x509keyfile", files["key"]]
    words = f"openssl s_server -quiet -www -accept {corpus.addresses[case.host]}:443 {case.options}"
    issuers = str(corpus.directory / f"{case.name}.issuers.pem")
    return [*words.split(), "-cert", files["pem"], "-cert_chain", issuers, "-key", files["key"]]


@contextlib.contextmanager
def _process(corpus: Corpus, words: Sequence[str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server on the servers' side until the block ends."""
    settings = str(_ROOT / "tests/lab/templates/openssl.cnf")
    environment = {**os.environ, "PATH": _SYSTEM_PATH, "OPENSSL_CONF": settings}
    with (corpus.directory / f"{Path(words[0]).name}.log").open("ab") as log:
        process = subprocess.Popen(
            [*corpus.network.within(SERVERS), *words],
            cwd=corpus.directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            # Ctrl-C in a terminal reaches the foreground group; the servers end when the corpus ends them.
            start_new_session=True,
        )
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(5)


def _await(corpus: Corpus, cases: Sequence[Case], servers: Sequence[subprocess.Popen[bytes]]) -> None:
    """Return once every port listens; RuntimeError with the logs if one does not."""
    wanted = {f"{corpus.addresses[case.host]}:443" for case in cases if case.server == "openssl"} | {f"{_SHARED}:80"}
    wanted |= {f":{port}" for port in corpus.ports.values()}
    deadline = time.monotonic() + _START_SECONDS
    while True:
        words = [*corpus.network.within(SERVERS), "ss", "-Hltn"]
        listening = subprocess.run(words, check=True, capture_output=True, text=True).stdout.split()
        if all(any(place.endswith(end) for place in listening) for end in wanted):
            return
        ended = [server.args for server in servers if server.poll() is not None]
        if ended or time.monotonic() > deadline:
            logs = "\n".join(path.read_text(errors="replace")[-2000:] for path in corpus.directory.glob("*.log"))
            raise RuntimeError(f"the corpus did not start; ended: {ended}\n{logs}")
        time.sleep(0.1)
