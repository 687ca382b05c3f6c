"""Cases of rules/nginx_proxy.py."""

from pathlib import Path

import pytest
from padlock.evidence import Directive, Ran
from padlock.findings import Severity

from tests.evidence_builder import fires, healthy, report, silent, unassessed
from tests.host_builder import configuration, site, with_nginx
from tests.mended_nginx import mends
from tests.real_nginx import needed

APP = "proxy_pass http://unix:/run/gunicorn.sock;"
HEADERS = (
    "proxy_set_header Host $host; proxy_set_header X-Real-IP $remote_addr; proxy_set_header X-Forwarded-For "
    "$proxy_add_x_forwarded_for; proxy_set_header X-Forwarded-Proto $scheme;"
)
GUNICORN = (
    "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_set_header X-Forwarded-Proto $scheme; "
    "proxy_set_header Host $http_host;"
)
"""As Gunicorn's manual has it."""
FLASK = (
    "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_set_header X-Forwarded-Proto $scheme; "
    "proxy_set_header X-Forwarded-Host $host; proxy_set_header X-Forwarded-Prefix /;"
)
"""As Flask's manual has it."""
ALL = "Host, X-Real-IP, X-Forwarded-For and X-Forwarded-Proto"
HEAD = "server {\n listen 443 ssl;\n server_name example.com www.example.com;\n ssl_certificate %certificate%;\n"
HEAD += " ssl_certificate_key %key%;\n"


def secure(rules: str, before: str = "") -> tuple[Directive, ...]:
    """Return a configuration with these rules in the block for HTTPS."""
    return site(f"{before}{HEAD}{rules}\n}}\n")


@pytest.mark.parametrize(
    ("rules", "lacking"),
    [
        (f"location / {{ {APP} }}", ALL),
        (
            f"location / {{ proxy_set_header Host $host; {APP} }}",
            "X-Real-IP, X-Forwarded-For and X-Forwarded-Proto",
        ),
        (f"{HEADERS} location / {{ proxy_set_header Upgrade $http_upgrade; {APP} }}", ALL),
        (f"location / {{ {HEADERS.replace('$scheme', 'http')} {APP} }}", ": X-Forwarded-Proto"),
        (f"location / {{ {HEADERS.replace('$host', '$proxy_host')} {APP} }}", ": Host"),
        (f"location / {{ {GUNICORN.replace('$scheme', chr(34) * 2)} {APP} }}", ": X-Real-IP and X-Forwarded-Proto"),
        (
            f"location / {{ {HEADERS} location /api {{ proxy_set_header Host $host; {APP} }} {APP} }}",
            "X-Real-IP",
        ),
        (f"location / {{ if ($args) {{ {APP} }} }}", ALL),
        ("location / { proxy_pass http://127.0.0.1:8000; }", ALL),
        ("location / { proxy_pass http://[::1]:8000/; }", ALL),
        ("location / { proxy_pass http://localhost:8000; }", ALL),
        ("location / { proxy_pass http://10.0.0.7:8000; }", ALL),
    ],
)
def test_missing(rules: str, lacking: str) -> None:
    """A `proxy_pass` to the app without one of the headers is a warning at its line."""
    evidence = with_nginx(healthy(), configuration=secure(rules))
    finding = fires("nginx.proxy_headers", evidence)
    assert (finding.subject, finding.severity) == ("example.com on web-1", Severity.WARNING)
    assert "/etc/nginx/sites-enabled/shop:6" in finding.observed
    assert lacking in finding.observed
    assert [row.status for row in report(evidence).checklist if row.step == 17] == ["fail"]


def test_a_group_of_servers() -> None:
    """An `upstream` by its name is the app too."""
    group = "upstream app { server unix:/run/gunicorn.sock; }\n"
    assert fires(
        "nginx.proxy_headers",
        with_nginx(healthy(), configuration=secure("location / { proxy_pass http://app; }", group)),
    )


@pytest.mark.parametrize(
    "rules",
    [
        f"location / {{ {HEADERS} {APP} }}",
        f"{HEADERS} location / {{ {APP} }}",
        f"location / {{ include proxy_params; {APP} }}",
        f"location / {{ {HEADERS.lower().replace('proxy_set_header host', 'proxy_set_header HOST')} {APP} }}",
        f"location / {{ {HEADERS} location /api {{ {APP} }} }}",
        f"location / {{ {HEADERS.replace('$scheme', '$http_x_forwarded_proto')} {APP} }}",
        "location /.well-known/acme-challenge/ { proxy_pass http://127.0.0.1:8888; }",
        f"location = /auth {{ internal; proxy_set_header X-Original-URI $request_uri; {APP} }}",
        f"location /files {{ internal; if ($args) {{ {APP} }} }}",
        f"location / {{ {FLASK} proxy_set_header X-Real-IP $remote_addr; {APP} }}",
        "location /media { proxy_pass https://bucket.storage.example; }",
        "location / { proxy_pass $backend; }",
        "location / { uwsgi_pass unix:/run/app.sock; }",
        "root /srv/shop;",
    ],
)
def test_passed_on(rules: str) -> None:
    """Headers of the location's own, inherited or included are passed on; other sites' servers want their own."""
    silent("nginx.proxy_headers", with_nginx(healthy(), configuration=secure(rules)))


@pytest.mark.parametrize(
    "headers", [GUNICORN, FLASK, HEADERS.replace("$remote_addr", '""')], ids=["Gunicorn", "Flask", "empty"]
)
def test_without_the_visitors_address_alone(headers: str) -> None:
    """Only X-Real-IP missing is a notice, which fails no step: the manuals of Gunicorn and Flask leave it out."""
    evidence = with_nginx(healthy(), configuration=secure(f"location / {{ {headers} {APP} }}"))
    finding = fires("nginx.proxy_headers", evidence)
    assert (finding.severity, "Host" in finding.observed) == (Severity.NOTICE, False)
    assert [row.status for row in report(evidence).checklist if row.step == 17] == ["pass"]


def test_a_forwarded_host_that_is_the_upstreams() -> None:
    """X-Forwarded-Host with the upstream's own name is no substitute for Host."""
    rules = f"location / {{ {FLASK.replace('$host', '$proxy_host')} {APP} }}"
    finding = fires("nginx.proxy_headers", with_nginx(healthy(), configuration=secure(rules)))
    assert (finding.severity, ": Host and X-Real-IP" in finding.observed) == (Severity.WARNING, True)


def test_another_sites_block() -> None:
    """What another site passes on is its own matter."""
    other = f"server {{ listen 443 ssl; server_name other.test; location / {{ {APP} }} }}\n"
    silent(
        "nginx.proxy_headers", with_nginx(healthy(), configuration=secure(f"location / {{ {HEADERS} {APP} }}", other))
    )


def test_debians_file_is_known() -> None:
    """Where the configuration is invalid, Debian's file of headers is not gathered, and known all the same."""
    text = f"http {{ {HEAD} location / {{ include proxy_params; {APP} }} }} }}"
    broken = Ran("nginx -t", 1, "[emerg] no")
    silent("nginx.proxy_headers", with_nginx(healthy(), configuration=configuration(text), test=broken))


def test_unread() -> None:
    """Without a configuration nothing is known of headers."""
    assert unassessed("nginx.proxy_headers", with_nginx(healthy(), configuration=None))


@needed
@pytest.mark.parametrize(
    "rules",
    [
        f" location / {{\n  {APP}\n }}",
        f" location / {{ {APP} }}",
        f" proxy_set_header Host $host;\n location / {{ {APP} }}\n location /api {{ {APP} }}",
        f" {HEADERS}\n location /ws {{\n proxy_set_header Upgrade $http_upgrade;\n {APP} }}\n location / {{ {APP} }}",
        f" location / {{\n {HEADERS.replace('$scheme', 'http').replace('; ', ';{}').format(*' ' * 3)}\n {APP} }}",
        " proxy_set_header Host $proxy_host;\n location / { proxy_pass http://127.0.0.1:8000; }",
    ],
    ids=["own lines", "one line", "inherited", "replaced", "wrong scheme on a line of four", "wrong host"],
)
def test_the_lines_pass_headers_on(tmp_path: Path, rules: str) -> None:
    """After the proposed lines nginx is valid and every `proxy_pass` has all headers."""
    mends(tmp_path, "nginx.proxy_headers", {"shop": f"{HEAD}{rules}\n}}\n"})
