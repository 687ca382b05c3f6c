"""What audited machines answer: the collector's document, and the texts of programs in it."""

import base64
import gzip
import json
from collections.abc import Iterator
from pathlib import Path

from padlock.evidence import Host
from padlock.probes.host import UnreadableHost, read

from tests.evidence_builder import change
from tests.fuzz.judging import HEALTHY, judge
from tests.fuzz.target import Target
from tests.host_builder import SITE, dump
from tests.host_document import document, section

_SAMPLES = Path(__file__).parents[1] / "probes" / "host" / "samples"
_HEALTHY = Path(__file__).parents[1] / "host_collector" / "samples" / "healthy.json"
NAMES = (
    *("nginx_config", "nginx_version", "nginx_test", "nginx_processes", "nginx_service", "nginx_files"),
    *("certbot_list", "certbot_version", "certbot_dry_run", "certbot_timers", "certbot_renewal_conf"),
    *("certificates", "ufw", "nftables", "iptables", "ip6tables", "listeners", "upstreams"),
    *("log_error", "log_access", "log_certbot"),
)
"""Sections that are read; the first octet of an input says which one it is."""
_OF_FILES = {
    "certbot-dry-run": "certbot_dry_run",
    "certbot-renewal": "certbot_renewal_conf",
    "certbot-version": "certbot_version",
    "certbot": "certbot_list",
    "letsencrypt": "log_certbot",
    **{name: name for name in ("ip6tables", "iptables", "nftables", "ufw")},
}
"""How a sample's file begins → the section that it is of; the first that fits."""


def host_samples() -> Iterator[bytes]:
    """Yield whole documents, plain and compressed."""
    healthy = _HEALTHY.read_bytes()
    yield healthy
    yield b"padlock-host/1 gzip " + base64.encodebytes(gzip.compress(healthy))
    yield document().encode()
    yield document(section("nginx_config", dump({"/etc/nginx/nginx.conf": "events {}"})), uid=-1).encode()
    yield document(section("nftables", rule_set(maps=100, elements=5_000))).encode()
    yield document(section("nftables", rule_set(rules=30, maps=2, elements=200))).encode()
    yield document(collected_at=1e300).encode()
    yield document(collected_at=-62_135_596_800).encode()
    yield b"padlock-host/1 gzip " + base64.b64encode(gzip.compress(b" " * 20_000_000))
    yield b"[" * 3_000_000
    yield b'{"sections":' + b"[" * 3_000_000


def rule_set(rules: int = 1, maps: int = 1, elements: int = 1) -> str:
    """Return rules that each ask the same verdict map several times: short, and long to follow."""
    place = {"family": "inet", "table": "f"}
    listed = [[port, {"drop": None}] for port in range(10_000, 10_000 + elements)]
    asked = {"vmap": {"key": {"payload": {"protocol": "tcp", "field": "dport"}}, "data": "@ports"}}
    objects = [
        {"chain": {**place, "name": "input", "hook": "input", "prio": 0, "policy": "accept"}},
        {"map": {**place, "name": "ports", "type": "inet_service", "map": "verdict", "elem": listed}},
        *({"rule": {**place, "chain": "input", "expr": [asked] * maps}} for _ in range(rules)),
    ]
    return json.dumps({"nftables": objects})


def _host(data: bytes) -> None:
    try:
        found = read(data)
    except UnreadableHost:
        return
    judge(change(HEALTHY, host=(found,)))


def section_samples() -> Iterator[bytes]:
    """Yield what each program really prints, and the largest texts made to take long."""
    for kept in json.loads(_HEALTHY.read_bytes())["sections"]:
        if kept["name"] in NAMES:
            yield bytes([NAMES.index(kept["name"])]) + kept["output"].encode("latin-1", "replace")
    for file in sorted(_SAMPLES.iterdir()):
        name = next(section for begins, section in _OF_FILES.items() if file.name.startswith(begins))
        yield bytes([NAMES.index(name)]) + file.read_bytes()
    yield b"\0" + dump({"/etc/nginx/nginx.conf": "http { include s/*; }", "/etc/nginx/s/a": SITE}).encode()
    yield from _long()


def _long() -> Iterator[bytes]:
    head = b"# configuration file /etc/nginx/nginx.conf:\n"
    for part in (
        b"{",
        b"a{",
        b"}",
        b";",
        b"a;",
        b"a b c;",
        b"'",
        b"\\",
        b"#",
        b"${",
        b"server{listen 80;server_name a;}",
    ):
        yield b"\0" + head + part * (240_000 // len(part))
    stars = b"include " + b"*a" * 2_000 + b";"
    yield (
        b"\0" + head + stars + b"".join(b"\n# configuration file /a/%d%s:\nb;" % (n, b"a" * 80) for n in range(1_900))
    )
    for number in range(1, len(NAMES)):
        for part in (
            b"a\t",
            b"\n",
            b" ",
            b"-A INPUT -p tcp --dport 80 -j ACCEPT\n",
            b"\\",
            b"1 ",
            b"[",
            b"(",
            b"/",
            b"?",
        ):
            yield bytes([number]) + part * (60_000 // len(part))
    nftables = bytes([NAMES.index("nftables")])
    yield nftables + b'{"nftables":[' + b"[" * 90_000
    yield nftables + rule_set(maps=100, elements=5_000).encode()
    yield nftables + rule_set(rules=10, maps=4, elements=300).encode()
    for name in ("iptables", "ip6tables"):
        rules = b"-A INPUT " + b"-s 1.2.3.4 " * 90 + b"-j DROP\n"
        yield bytes([NAMES.index(name)]) + b"*filter\n:INPUT DROP [0:0]\n" + rules * 390
    lines = b"1 " * 90 + b" ALLOW IN  " + b"1.2.3.4 " * 28 + b"\n"
    yield bytes([NAMES.index("ufw")]) + b"Status: active\nDefault: deny (incoming)\n" + lines * 950


def _section(data: bytes) -> None:
    number = data[0] if data else 0
    name = NAMES[number % len(NAMES)]
    text = data[1:].decode("latin-1")
    status = int(number >= 128)
    found = read(document(section(name, text, status), section("nginx_version", "nginx version: nginx/1.22.1")))
    assert isinstance(found, Host)
    judge(change(HEALTHY, host=(found,)))


TARGETS = (
    Target("host", "the collector's document", _host, host_samples, 1_500, 32_768),
    Target("section", "what programs print: nginx, certbot, firewalls, logs", _section, section_samples, 250, 16_384),
)
