"""Recording what the audit is answered: by nginx, by the tests' DNS server, by captured registries, and by moto."""

import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import dns.message

from local.aws import EmbeddedAws
from tests import captured, dns_server
from tests.bench import count_site as site
from tests.bench.count_audit import SCENARIOS, Auditor, Scenario
from tests.bench.count_meter import Meter
from tests.bench.count_replay import Replay, Unplayable, Wire
from tests.real_nginx import NGINX, running
from tests.servers import reply

_EARLIER = tuple(Scenario("earlier", "healthy", slot, "ok") for slot in (1, 2))
"""Runs before the first that is recorded, so that it finds a site that is known and a cache that is filled."""

_CONFIGURATION = """
types { text/html html; text/css css; text/javascript js; image/png png; image/svg+xml svg; }
server_tokens off;
server {
    listen 127.0.0.1:{port} default_server;
    location / { return 301 https://$host:10443$request_uri; }
    location /.well-known/acme-challenge/ { root {folder}/challenges; }
}
server {
    listen 127.0.0.2:{port} default_server;
    return 404;
}
server {
    listen 127.0.0.2:{port};
    server_name www.shop.test;
    return 301 https://shop.test:10443$request_uri;
}
server {
    listen 127.0.0.2:{port};
    server_name shop.test;
    root {folder}/pages;
    add_header Strict-Transport-Security "max-age=31536000; includeSubDomains" always;
    add_header X-Content-Type-Options nosniff always;
    add_header Referrer-Policy strict-origin-when-cross-origin always;
    {app}
}
"""
_ALIVE = """location = /health { default_type application/json; return 200 '{"status": "ok"}'; }"""
_DEAD = "location / { proxy_pass http://127.0.0.1:9; }"
_ZONE = (
    "@ NS ns1.shop.test.",
    "@ NS ns2.shop.test.",
    "ns1 A {child}",
    "ns2 A {child}",
    "@ A {child}",
    "www CNAME shop.test.",
    "@ MX 10 mail.shop.test.",
    '@ CAA 0 issue "letsencrypt.org"',
)
_ABOVE = ("@ NS a.nic.test.", "a.nic A {parent}")


def missing() -> str:
    """Return what is lacking to record; empty: nothing."""
    return "" if NGINX else "recording needs nginx; on Debian, as root: local/install-lab"


def record(replay: Replay, folder: Path, wires: dict[str, Wire]) -> str:
    """Play every run against what answers for real, fill the scenarios' wires; return the table's name."""
    with EmbeddedAws() as aws:
        table = aws.physical["ResultsTable"]
        for scenario in (*_EARLIER, *SCENARIOS):
            # One that holds nothing in memory asks for all that is recorded.
            auditor = Auditor(replay, folder, table)
            wire = wires.setdefault(scenario.name, Wire())
            wire.dns.clear()
            wire.http.clear()
            with _nginx(_ALIVE if scenario.certificate == "healthy" else _DEAD) as place:
                replay.upstream = _Real(place, aws.endpoint).answer
                replay.begin(wire, scenario.certificate)
                ran = auditor.run(scenario, Meter())
                replay.upstream = None
            if ran.status != scenario.status:
                raise Unplayable(f"the run `{scenario.name}` ended as {ran.status}, not as {scenario.status}")
    return table


class _Real:
    """What is asked while recording."""

    def __init__(self, nginx_port: int, amazon: str) -> None:
        parts = urlsplit(amazon)
        self._places = {
            "http": ("127.0.0.1", nginx_port),
            "https": ("127.0.0.2", nginx_port),
            "dynamodb": (parts.hostname or "", parts.port or 0),
        }
        names = {"child": site.address(site.RECORDED), "parent": site.address(site.RECORDED, site.PARENT)}
        own, above = ([line.format(**names) for line in lines] for lines in (_ZONE, _ABOVE))
        everything = dns_server.recursive(
            (site.NAME, *own), ("test", *above), (site.SERVICE, f"@ A {names['child']}")
        )
        self._servers = {
            "resolver": everything,
            "public": everything,
            "authority": dns_server.zone(site.NAME, *own),
            "parent": dns_server.zone("test", *above, *_delegation(own)),
        }

    def answer(self, key: str, asked: bytes) -> bytes:
        """Return what a real server answers."""
        kind, place, *_ = key.split(" ")
        if kind == "dns":
            answered = self._servers[place](dns.message.from_wire(asked), "udp")
            assert isinstance(answered, dns.message.Message)
            return answered.to_wire()
        if kind == "services":
            return _service(key.split(" ")[2])
        answered = _asked(self._places[kind], asked)
        return _kept_open(answered) if kind == "dynamodb" else answered


def _delegation(own: list[str]) -> list[str]:
    """Return the zone's name servers as the zone above tells them."""
    told = [line.split(" ", 2) for line in own if " NS " in line or line.startswith("ns")]
    return [" ".join(["shop" if name == "@" else f"{name}.shop", *rest]) for name, *rest in told]


def _service(path: str) -> bytes:
    """Return what registry and authority say: captured answers with this site's name and dates."""
    base = f"https://{site.SERVICE}:{site.SERVICES}"
    if path.startswith("/rdap/"):
        named = {"EXAMPLE.COM": site.NAME.upper(), "2023-08-13T04:00:00Z": "2028-06-01T10:00:00Z"}
        return reply(200, captured.text("rdap-verisign.json", named), ("Content-Type", "application/rdap+json"))
    if path.startswith("/crl/"):
        return reply(200, site.revoked_list("root" if path.endswith("root") else "intermediate"))
    if path == "/directory":
        return reply(200, f'{{"renewalInfo": "{base}/renewal"}}', ("Content-Type", "application/json"))
    window = '{"suggestedWindow": {"start": "2027-01-10T00:00:00Z", "end": "2027-01-12T00:00:00Z"}}'
    return reply(200, window, ("Content-Type", "application/json"), ("Retry-After", "86400"))


def _asked(place: tuple[str, int], request: bytes) -> bytes:
    """Send a request as it came, and return the response as it comes."""
    received = bytearray()
    with socket.create_connection(place, timeout=30) as sock:
        sock.sendall(request)
        while not _is_whole(received) and (data := sock.recv(65_536)):
            received += data
    return bytes(received)


def _kept_open(response: bytes) -> bytes:
    """Return a response of moto's as AWS gives it: its connection stays open for the next request."""
    return response.replace(b"HTTP/1.0 ", b"HTTP/1.1 ", 1).replace(b"Connection: close\r\n", b"", 1)


def _is_whole(received: bytearray) -> bool:
    head, _, body = received.partition(b"\r\n\r\n")
    lengths = [line.split(b":")[1] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    return bool(lengths) and len(body) >= int(lengths[0])


@contextmanager
def _nginx(app: str) -> Iterator[int]:
    """Run nginx with the site's pages; yields its port, plain HTTP for both schemes."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        text = _CONFIGURATION.replace("{folder}", name).replace("{app}", app)
        with running(folder, text, {f"pages/{file}": content for file, content in _pages().items()}) as nginx:
            yield nginx.port


def _pages() -> dict[str, str]:
    """Return the site's files: a front page with sixty products, and what it names."""
    products = "\n".join(
        f'<article id="p{number}"><h2><a href="/products/{number}">Product {number}</a></h2>'
        f'<img src="/picture{number % 3}.svg" alt="" width="160" height="160">'
        f"<p>A thing of which {number} are left, sent within two days.</p></article>"
        for number in range(60)
    )
    head = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Shop</title>'
        f'<link rel="canonical" href="https://{site.NAME}:{site.HTTPS}/"><link rel="stylesheet" href="/style.css">'
        '<script src="/app.js" defer></script></head>'
    )
    picture = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"><rect width="1" height="1"/></svg>'
    return {
        "index.html": f"{head}<body><h1>Welcome to the shop</h1>\n{products}\n</body></html>\n",
        "style.css": "\n".join(f".c{n} {{ margin: {n}px; color: #{n:03d}; }}" for n in range(200))
        + "\nbody { background: url(/picture0.svg); }\n",
        "app.js": 'document.querySelectorAll("article").forEach(a => fetch("/stock?" + a.id));\n' * 20,
        **{f"picture{number}.svg": picture for number in range(3)},
    }
