"""Configurations that mean harm, or thousands of sites: all rules of nginx end within seconds, and none breaks."""

import time

import pytest
from padlock.rules import RULES

from tests.evidence_builder import healthy
from tests.host_builder import configuration, with_nginx

NAMES = "server_name example.com www.example.com;"
SOCKETS = "listen 80; listen 443 ssl http2;"
TO_APP = "location / { proxy_pass http://127.0.0.1; }"
SLOW = "(.{0,40}){9}"
CASES = {
    "servers": "".join(f"server {{ {SOCKETS} server_name h{i}.test; {TO_APP} }}" for i in range(5000)),
    "conflicts": f"server {{ {SOCKETS} {NAMES} }}" * 8000,
    "sockets": "server { " + "".join(f"listen 10.0.{i // 256}.{i % 256}:80;" for i in range(20000)) + NAMES + " }",
    "patterns": "".join(f"server {{ listen 80; server_name ~^.*a{i}.*x$; }}" for i in range(10000)),
    "headers": f"server {{ {SOCKETS} {NAMES} {'proxy_set_header a b;' * 20000} {TO_APP * 8000} }}",
    "conditions": f"server {{ {SOCKETS} {NAMES} {'if ($host ~ ^.*a.*b$) { return 403; }' * 15000} }}",
    "slow name": f"server {{ {SOCKETS} server_name ~^{'.?' * 98}Z$; {TO_APP} }}",
    "slow names": "".join(f'server {{ {SOCKETS} server_name "~{SLOW}x{i}"; }}' for i in range(5000)),
    "slow names apart": "".join(
        f'server {{ listen 10.0.{i // 256}.{i % 256}:80; server_name "~{SLOW}x{i}"; }}' for i in range(5000)
    ),
    "slow conditions": f"server {{ {SOCKETS} {NAMES} "
    + "".join(f'if ($host ~ "{SLOW}x{i}") {{ return 403; }}' for i in range(10000))
    + " }",
    "slow locations": f"server {{ {SOCKETS} {NAMES} "
    + "".join(f'location ~ "^(/?.?){{40}}x{i}" {{ return 403; }}' for i in range(10000))
    + " }",
    "slow rewrites": f"server {{ {SOCKETS} {NAMES} "
    + "".join(f'rewrite "{SLOW}x{i}" /;' for i in range(10000))
    + " }",
    "one line": f"server {{ {SOCKETS} {NAMES} {TO_APP * 15000} }}",
    "odd words": "server { listen ' '; listen [; listen [::1; listen 999999; server_name ''; return ''; if () {} "
    "location {} location = {} rewrite a; proxy_set_header; ssl_certificate; try_files; error_page; deny; }",
}


@pytest.mark.parametrize("text", CASES.values(), ids=list(CASES))
def test_hostile_configurations(text: str) -> None:
    """Whatever the configuration, judging it takes seconds at most and raises nothing."""
    evidence = with_nginx(healthy(), configuration=configuration(f"http {{ {text} }}"))
    started = time.process_time()
    for code, rule in RULES.items():
        if code.startswith("nginx."):
            list(rule.check(evidence.site, evidence))
    assert time.process_time() - started < 10
