"""Cases of rules/nginx_redirects.py."""

from pathlib import Path

import pytest
from padlock import evidence as ev
from padlock.evidence import Evidence, Listener
from padlock.findings import Severity

from tests.evidence_builder import (
    HOSTS,
    change,
    fires,
    healthy,
    silent,
    unassessed,
    with_exchange,
    with_handshakes,
    with_port,
)
from tests.host_builder import SITE, nginx, site, with_audit, with_nginx
from tests.mended_nginx import mends
from tests.real_nginx import needed

APP = "location / { proxy_pass http://127.0.0.1:8000; }"
NAMES = "server_name example.com www.example.com;"
PAIR = "ssl_certificate %certificate%;\n ssl_certificate_key %key%;"
PLAIN = f"server {{\n  listen 80;\n  {NAMES}\n  {APP}\n}}\n"
SECURE = f"server {{\n listen 443 ssl;\n {NAMES}\n {PAIR}\n {APP}\n}}\n"


def in_clear(status: int = 200) -> Evidence:
    """Return a site that answers plain HTTP itself."""
    found = healthy()
    for host in HOSTS:
        found = with_exchange(found, f"http://{host}/", status=status, headers=())
        found = with_exchange(found, f"http://{host}/padlock-probe/path?q=1", status=status, headers=())
    return found


def closed() -> Evidence:
    """Return a site whose port for HTTPS is closed."""
    failed = with_port(healthy(), "https", "refused")
    return with_handshakes(failed, failure=ev.Failure("refused"), chain=())


def test_no_listener() -> None:
    """An nginx without port 443, of a host whose HTTPS does not answer, lacks its listener."""
    finding = fires("nginx.no_https_listener", with_nginx(closed(), configuration=site(PLAIN)))
    assert (finding.subject, finding.severity) == ("example.com on web-1", Severity.ERROR)
    assert "no `listen` of nginx is for port 443" in finding.observed


def test_listener_without_tls() -> None:
    """`listen 443` without `ssl` speaks plain HTTP there."""
    finding = fires(
        "nginx.no_https_listener", with_nginx(closed(), configuration=site(SITE.replace("443 ssl", "443")))
    )
    assert "has no `ssl`, at /etc/nginx/sites-enabled/shop:9" in finding.observed
    assert finding.commands[0] == (
        r"sed -i --follow-symlinks '10s|\blisten\([^;]*\);|listen\1 ssl;|' /etc/nginx/sites-enabled/shop"
    )


def test_unseen_https_is_a_warning() -> None:
    """Where nobody looked at port 443, TLS may end in front of the machine."""
    unseen = change(healthy(), tls=None, ports=None)
    assert (
        fires("nginx.no_https_listener", with_nginx(unseen, configuration=site(PLAIN))).severity is Severity.WARNING
    )


@pytest.mark.parametrize(
    "text",
    [SITE, SITE.replace("443 ssl", "443").replace("http2 on", "ssl on"), "server { listen 8080; " + NAMES + "}"],
)
def test_there_is_a_listener(text: str) -> None:
    """TLS by `listen … ssl` or the old `ssl on` is heard; an nginx behind another server needs neither."""
    silent("nginx.no_https_listener", with_nginx(closed(), configuration=site(text)))


def test_tls_ends_elsewhere() -> None:
    """Where visitors reach TLS, or another program has the port, nginx need not listen for it."""
    silent("nginx.no_https_listener", with_nginx(healthy(), configuration=site(PLAIN)))
    taken = (Listener("0.0.0.0", 443, "haproxy"),)  # noqa: S104
    silent("nginx.no_https_listener", with_audit(closed(), nginx=nginx(configuration=site(PLAIN)), listeners=taken))


@pytest.mark.parametrize("code", ["nginx.no_https_listener", "nginx.no_redirect"])
def test_unread(code: str) -> None:
    """Without a configuration nothing is known of listeners and redirects."""
    assert unassessed(code, with_nginx(in_clear(), configuration=None, unread="it was cut"))


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        (APP, "`proxy_pass http://127.0.0.1:8000` at /etc/nginx/sites-enabled/shop:4"),
        ("root /var/www/html;", "serves / in clear: `root /var/www/html`"),
        ("if ($host = other.test) { return 301 https://$host; } return 404;", "refuses / in clear: `return 404`"),
        ("location = / { return 301 https://$host; } " + APP, "serves /padlock-probe/path in clear"),
    ],
)
def test_no_redirect(rules: str, said: str) -> None:
    """A block for port 80 that serves or refuses a path in clear is a finding, with the line that does it."""
    evidence = with_nginx(in_clear(), configuration=site(PLAIN.replace(APP, rules) + SECURE))
    finding = fires("nginx.no_redirect", evidence)
    assert (finding.subject, finding.severity) == ("example.com on web-1", Severity.ERROR)
    assert said in finding.observed


def test_redirects_are_found() -> None:
    """A redirect in the block, also beside ACME's location, or one that cannot be judged, is no finding."""
    for rules in (
        "return 301 https://$host$request_uri;",
        "location /.well-known/acme-challenge/ { root /a; } location / { return 301 https://$host$request_uri; }",
        "if ($scheme = http) { return 301 https://$host$request_uri; } " + APP,
        "if ($redirect) { return 301 https://$host; } " + APP,
    ):
        silent("nginx.no_redirect", with_nginx(in_clear(), configuration=site(PLAIN.replace(APP, rules) + SECURE)))


def test_somebody_else_redirects() -> None:
    """Where visitors are redirected, by the app or by a CDN in front, nginx need not do it."""
    silent("nginx.no_redirect", with_nginx(healthy(), configuration=site(PLAIN + SECURE)))


def test_unseen_redirect_is_a_warning() -> None:
    """Where nobody looked at port 80, a redirect may stand before nginx."""
    unseen = change(healthy(), http=None)
    assert (
        fires("nginx.no_redirect", with_nginx(unseen, configuration=site(PLAIN + SECURE))).severity
        is Severity.WARNING
    )


def test_http_closed_on_purpose() -> None:
    """A site that declares port 80 closed needs no redirect."""
    declared = healthy({"name": "example.com", "ports": {"http": "closed"}})
    silent("nginx.no_redirect", with_nginx(declared, configuration=site(PLAIN + SECURE)))


@needed
@pytest.mark.parametrize(
    "text",
    [
        PLAIN + SECURE,
        PLAIN.replace(APP, "root /var/www/html;\n location /.well-known/acme-challenge/ { root /srv; }") + SECURE,
        SECURE.replace("listen 443", "listen 80;\n listen 443"),
        "server { listen 80; " + NAMES + APP + " }\n" + SECURE,
    ],
    ids=["two blocks", "with ACME's location", "one block", "one line"],
)
def test_the_lines_redirect(tmp_path: Path, text: str) -> None:
    """After the proposed lines plain HTTP is redirected, ACME's challenges and HTTPS itself are not."""
    mends(tmp_path, "nginx.no_redirect", {"shop": text}, in_clear())


@needed
def test_the_lines_listen(tmp_path: Path) -> None:
    """With certbot's certificate at hand the block for port 80 takes HTTPS, and redirects to it, by the lines."""
    mends(tmp_path, "nginx.no_https_listener", {"shop": PLAIN}, closed())
    text = (tmp_path / "sites-available" / "shop").read_text()
    assert "listen 443 ssl; ssl_certificate " in text
    assert "listen [::]" not in text


@needed
def test_the_lines_add_ssl(tmp_path: Path) -> None:
    """A `listen 443` without `ssl` gets it."""
    mends(tmp_path, "nginx.no_https_listener", {"shop": PLAIN + SECURE.replace("443 ssl", "443")}, closed())


def test_no_lines_where_they_would_not_heal() -> None:
    """A redirect to HTTPS that nobody serves, and a block that only redirects, get no lines."""
    assert fires("nginx.no_redirect", with_nginx(in_clear(), configuration=site(PLAIN))).commands == ()
    only = PLAIN.replace(APP, "return 301 https://$host$request_uri;")
    assert fires("nginx.no_https_listener", with_nginx(closed(), configuration=site(only))).commands == ()


@pytest.mark.parametrize("name", ["_", "other.test"])
def test_a_block_that_does_not_name_the_host_is_left_alone(name: str) -> None:
    """Neither the default server nor a stranger's block gets `ssl` or a certificate for the host."""
    bare = SECURE.replace("443 ssl", "443 default_server").replace(NAMES, f"server_name {name};")
    finding = fires("nginx.no_https_listener", with_nginx(closed(), configuration=site(bare)))
    assert finding.commands == ()
    assert "/etc/nginx/sites-enabled/" in finding.remediation


def test_a_site_that_is_not_enabled() -> None:
    """Where the default server answers, its page is not published as the site: the site's file is to be linked."""
    default = "server { listen 80 default_server; server_name _; root /var/www/html; }\n"
    finding = fires("nginx.no_https_listener", with_nginx(closed(), configuration=site(default)))
    assert finding.commands == ()
    assert "sudo ln -s ../sites-available/FILE" in finding.remediation
