"""Cases of rules/nginx_names.py."""

from datetime import timedelta
from pathlib import Path

import pytest
from padlock.evidence import Ran
from padlock.findings import Severity
from padlock.probes.host.nginx_config import parse
from padlock.rules.nginx_names import next_to

from tests.evidence_builder import (
    ADDRESS_6,
    NOW,
    change,
    fires,
    healthy,
    lookup,
    report,
    silent,
    unassessed,
    with_address,
    with_exchange,
    with_host,
)
from tests.host_builder import SITE, configuration, dump, host, nginx, site, with_audit, with_nginx
from tests.mended_nginx import audited, laid, mends
from tests.real_nginx import needed

PLAIN = "server { listen 80; server_name example.com; return 301 https://$host$request_uri; }\n"
TLS = "listen 443 ssl; ssl_certificate %certificate%; ssl_certificate_key %key%;"
SHOP = (
    PLAIN + f"server {{\n{TLS}\nserver_name example.com;\nlocation / {{ proxy_pass http://unix:/run/a.sock; }}\n}}\n"
)
OTHER = f"server {{ listen 80 default_server; {TLS} server_name other.test; root /srv/other; }}\n"
CATCH_ALL = "server { listen 80 default_server; server_name _; root /var/www/html; }\n"


def test_missing_where_another_site_answers() -> None:
    """A host that falls to another site's block is a finding, with the block's place and the ports."""
    both = site(
        SITE, other="server { listen 80 default_server; listen 443 ssl default_server; server_name other.test; }"
    )
    silent("nginx.server_name_missing", with_nginx(healthy(), configuration=both))
    alone = site(SITE.replace("www.example.com", "ww.example.com").replace("listen [::]", "#"), aaa=OTHER)
    finding = fires("nginx.server_name_missing", with_nginx(healthy(), configuration=alone))
    assert finding.subject == "www.example.com on web-1"
    assert finding.severity is Severity.ERROR
    assert "port 80 and port 443" in finding.observed
    assert "/etc/nginx/sites-enabled/aaa:1 (other.test), is another site's" in finding.observed


def test_missing_in_the_siblings_block() -> None:
    """A host that its sibling's block serves by accident is a warning."""
    alone = site(SITE.replace("example.com www.example.com", "example.com"))
    finding = fires("nginx.server_name_missing", with_nginx(healthy(), configuration=alone))
    assert (finding.subject, finding.severity) == ("www.example.com on web-1", Severity.WARNING)
    assert "is that of example.com" in finding.observed


@pytest.mark.parametrize(
    "names", ["example.com www.example.com", ".example.com", "example.com *.example.com", "~^(www\\.)?example\\.com$"]
)
def test_named_one_way_or_another(names: str) -> None:
    """Exact names, wildcards and regular expressions name a host."""
    text = SITE.replace("example.com www.example.com", names)
    silent("nginx.server_name_missing", with_nginx(healthy(), configuration=site(text, aaa=OTHER)))


def test_unclear_names_are_no_finding() -> None:
    """Where a regular expression cannot be tried, a name is not called missing."""
    text = SITE.replace("example.com www.example.com", "~^(?!api)example")
    silent("nginx.server_name_missing", with_nginx(healthy(), configuration=site(text, aaa=OTHER)))


@pytest.mark.parametrize(
    "rules",
    [
        "return 301 https://$host$request_uri;",
        "return 301 https://example.com$request_uri;",
        "location / { proxy_pass http://unix:/run/gunicorn.sock; }",
        "root /var/www/html;",
        "access_by_lua_block { ngx.exit(403) }",
    ],
)
def test_a_default_server_meant_for_all(rules: str) -> None:
    """A site that lives in a default server of no name is well: it may be meant so."""
    tls = f"server {{ listen 443 ssl default_server; server_name _; {rules} }}"
    text = f"server {{ listen 80 default_server; {rules} }} {tls}"
    silent("nginx.server_name_missing", with_nginx(healthy(), configuration=site(text)))


def test_a_default_server_that_refuses_or_sends_away() -> None:
    """A nameless default server that refuses, shows a welcome page or leads elsewhere is not meant."""
    for rules, said in (
        ("return 444;", "refuses it (`return 444`)"),
        ("return 301 https://other.test/;", 'sends visitors to "other.test"'),
    ):
        text = f"server {{ listen 80 default_server; server_name _; {rules} }}"
        assert said in fires("nginx.server_name_missing", with_nginx(healthy(), configuration=site(text))).observed
    rejecting = site("server { listen 443 ssl default_server; ssl_reject_handshake on; }")
    assert (
        "refuses the handshake"
        in fires("nginx.server_name_missing", with_nginx(healthy(), configuration=rejecting)).observed
    )
    welcome = with_exchange(healthy(), "https://example.com/", title="Welcome to nginx!")
    assert (
        "nginx's welcome page"
        in fires("nginx.server_name_missing", with_nginx(welcome, configuration=site(CATCH_ALL))).observed
    )


def test_a_forgotten_host() -> None:
    """Where one host has a block of its own, the other's falling to a nameless one is a finding."""
    text = CATCH_ALL + SITE.replace("example.com www.example.com", "example.com")
    finding = fires("nginx.server_name_missing", with_nginx(healthy(), configuration=site(text)))
    assert "other hosts of the site have their own block" in finding.observed


def test_ipv6_has_its_own_names() -> None:
    """A host with an AAAA record must be named on the IPv6 socket too; without one that socket does not count."""
    text = SITE.replace("listen [::]:443 ssl;", "") + OTHER.replace("listen 443", "listen [::]:443")
    silent("nginx.server_name_missing", with_nginx(healthy(), configuration=site(text)))
    finding = fires(
        "nginx.server_name_missing", with_nginx(with_address(healthy(), ADDRESS_6), configuration=site(text))
    )
    assert "port 443 (IPv6)" in finding.observed


def test_another_machine_has_the_host() -> None:
    """A host that another audited machine names is not missing on this one."""
    only = change(nginx(), configuration=site(SITE.replace("example.com www.example.com", "example.com") + OTHER))
    here = host(nginx=only)
    there = host(name="web-2")
    silent("nginx.server_name_missing", change(healthy(), host=(here, there)))
    fires("nginx.server_name_missing", change(healthy(), host=(here, change(here, name="web-2"))))


def test_a_host_that_lives_elsewhere() -> None:
    """A host whose addresses are others than those of the hosts named here need not be named."""
    text = SITE.replace("example.com www.example.com", "example.com") + OTHER
    moved = with_host(healthy(), "www.example.com", a=lookup("www.example.com", "A", "198.51.100.7"))
    silent("nginx.server_name_missing", with_nginx(moved, configuration=site(text)))


def test_behind_another_front() -> None:
    """An nginx that listens on loopback only, or on other ports, says nothing of the site's ports."""
    for listens in ("listen 127.0.0.1:80;", "listen 8080;", "listen unix:/run/nginx.sock;"):
        silent(
            "nginx.server_name_missing",
            with_nginx(healthy(), configuration=site(f"server {{ {listens} server_name other.test; }}")),
        )


def test_unread_configuration() -> None:
    """Without a configuration, or from an old audit, nothing is known."""
    assert "too large" in unassessed(
        "nginx.server_name_missing", with_nginx(healthy(), configuration=None, unread="it is too large")
    )
    assert "old" in unassessed(
        "nginx.server_name_missing", with_audit(healthy(), collected_at=NOW - timedelta(days=4))
    )
    assert "root" in unassessed("nginx.conflicting_server_name", with_audit(healthy(), root=False))
    many = configuration("http { server { " + "listen 80; " * 800 + f"server_name {'a ' * 800}; }} }}")
    assert "200,000" in unassessed("nginx.server_name_missing", with_nginx(healthy(), configuration=many))


def test_an_invalid_configuration_that_lacks_a_file() -> None:
    """Of an invalid configuration the usual files are known; one that includes others says nothing of names."""
    failing = Ran("nginx -t", 1, "[emerg] no")
    text = "include mime.types; include conf.d/*.conf; include /etc/nginx/sites-enabled/*;"
    usual = parse(dump({"/etc/nginx/nginx.conf": f"http {{ {text} }}", "/etc/nginx/sites-enabled/a": OTHER}))
    assert fires("nginx.server_name_missing", with_nginx(healthy(), configuration=usual, test=failing))
    more = parse(dump({"/etc/nginx/nginx.conf": "http { include /srv/sites/*; }"}))
    reason = unassessed("nginx.server_name_missing", with_nginx(healthy(), configuration=more, test=failing))
    assert "what /etc/nginx/nginx.conf:1 includes was not gathered" in reason
    silent("nginx.server_name_missing", with_nginx(healthy(), configuration=more))


def test_no_nginx() -> None:
    """A machine without nginx is neither well nor ill."""
    evidence = with_audit(healthy(), nginx=None)
    silent("nginx.server_name_missing", evidence)
    assert [row.status for row in report(evidence).checklist if row.step == 6] == ["not applicable"]


@needed
def test_the_lines_add_the_name(tmp_path: Path) -> None:
    """The proposed lines put the name into its sibling's blocks, beside certbot's redirect of each name."""
    certbots = (
        "server {\n  if ($host = example.com) { return 301 https://$host$request_uri; }\n"
        "  listen 80;\n  server_name example.com;\n  return 404;\n}\n"
    )
    finding = mends(
        tmp_path, "nginx.server_name_missing", {"a-other": OTHER, "shop": certbots + SHOP.removeprefix(PLAIN)}
    )
    assert len(finding.commands) == 3
    text = (tmp_path / "sites-available" / "shop").read_text()
    assert "if ($host = www.example.com) { return 301 https://$host$request_uri; } server_name www" in text


@needed
def test_the_lines_find_the_block_by_its_certificate(tmp_path: Path) -> None:
    """Where no host is named, the block whose certificate has the host is the one."""
    wrong = SHOP.replace("server_name example.com", "server_name exmaple.com")
    finding = mends(tmp_path, "nginx.server_name_missing", {"shop": wrong})
    assert " '4{" in finding.commands[0], "not the block of port 80, which redirects whatever the name"


@needed
def test_the_lines_make_no_loop(tmp_path: Path) -> None:
    """A sibling's block that redirects to the host does not get its name: the misnamed block of its own does."""
    www = f"server {{\n{TLS}\nserver_name www.example.com;\nreturn 301 https://example.com$request_uri;\n}}\n"
    wrong = SHOP.removeprefix(PLAIN).replace("server_name example.com", "server_name exmaple.com")
    mends(tmp_path, "nginx.server_name_missing", {"shop": PLAIN + wrong + www})
    text = (tmp_path / "sites-available" / "shop").read_text()
    assert "server_name example.com exmaple.com;" in text
    assert "server_name www.example.com;" in text


def test_conflict() -> None:
    """Both places are named, with the socket; the block in sites-enabled whose name says so is put aside."""
    finding = fires(
        "nginx.conflicting_server_name", with_nginx(healthy(), configuration=site(SITE, **{"shop.bak": SITE}))
    )
    assert finding.subject == "example.com on web-1"
    assert "/etc/nginx/sites-enabled/shop:5, which counts" in finding.observed
    assert "/etc/nginx/sites-enabled/shop.bak:5" in finding.observed
    assert "*:80" in finding.observed
    enabled = "/etc/nginx/sites-enabled/shop.bak"
    assert finding.commands[1] == f"[ ! -e {enabled} ] || mv {enabled} /etc/nginx/sites-disabled/"


def test_no_conflict() -> None:
    """Other sockets, other names, one block with a name twice, and another site's names are none of ours."""
    for text in (
        SITE,
        SITE + "server { listen 10.0.0.1:80; listen 8080; server_name example.com; }",
        SITE.replace("example.com www.example.com", "example.com www.example.com example.com"),
        SITE + "server { listen 80; server_name other.test; } server { listen 80; server_name other.test; }",
        SITE + "server { listen 80; server_name *.example.com; }",
    ):
        silent("nginx.conflicting_server_name", with_nginx(healthy(), configuration=site(text)))


def test_a_stale_file_that_does_more_is_kept() -> None:
    """A file that also serves what no other does is not put aside, nor one of two that differ in nothing known."""
    more = SITE + "server { listen 80; server_name api.example.com; }"
    assert (
        fires("nginx.conflicting_server_name", with_nginx(healthy(), configuration=site(SITE, old=more))).commands
        == ()
    )
    assert (
        fires(
            "nginx.conflicting_server_name", with_nginx(healthy(), configuration=site(SITE, twin=SITE), files={})
        ).commands
        == ()
    )


def test_the_earlier_file_is_the_stale_one() -> None:
    """Where no name tells, the file that was changed first is stale, although nginx counts it."""
    enabled = "/etc/nginx/sites-enabled/"
    files = {f"{enabled}shop": NOW, f"{enabled}example": NOW - timedelta(days=300)}
    finding = fires(
        "nginx.conflicting_server_name", with_nginx(healthy(), configuration=site(SITE, example=SITE), files=files)
    )
    assert finding.commands[1].endswith(f"|| mv {enabled}example /etc/nginx/sites-disabled/")


@needed
def test_the_lines_end_the_conflict(tmp_path: Path) -> None:
    """After the proposed lines nginx has one block for the name, and the link lies in sites-disabled."""
    mends(tmp_path, "nginx.conflicting_server_name", {"old-shop": SHOP, "shop": SHOP})
    assert (tmp_path / "sites-disabled" / "old-shop").read_text() == (tmp_path / "sites-available/shop").read_text()


@needed
def test_a_loop_of_the_siblings_block(tmp_path: Path) -> None:
    """Where www's block is the default and leads to the misspelt host, visitors circle; the lines mend its block."""
    www = f"server {{\n{TLS}\nserver_name www.example.com;\nreturn 301 https://example.com$request_uri;\n}}\n"
    wrong = SHOP.removeprefix(PLAIN).replace("server_name example.com", "server_name example.cm")
    finding = mends(tmp_path, "nginx.server_name_missing", {"shop": PLAIN + www + wrong})
    assert 'sends visitors to "example.com" again, in a loop' in finding.observed
    assert "server_name example.com example.cm;" in (tmp_path / "sites-available" / "shop").read_text()


def test_a_redirect_that_ends_is_no_loop() -> None:
    """A sibling's block that leads to another port, or to a page that it serves, is no loop."""
    for rule in (
        "return 301 https://example.com:8443$request_uri;",
        "location = / { return 301 https://example.com/shop/; } location / { proxy_pass http://unix:/run/a.sock; }",
    ):
        www = f"server {{ listen 443 ssl; server_name www.example.com; {rule} }}"
        silent("nginx.server_name_missing", with_nginx(healthy(), configuration=site(PLAIN + www)))


@needed
def test_the_lines_send_the_host_to_the_canonical_one(tmp_path: Path) -> None:
    """A host that is not the declared canonical one is sent there by the block that gets its name."""
    declared = healthy({"name": "example.com", "canonical": "example.com"})
    mends(tmp_path, "nginx.server_name_missing", {"shop": SHOP}, declared)
    text = (tmp_path / "sites-available" / "shop").read_text()
    assert "if ($host = www.example.com) { return 301 https://example.com$request_uri; } server_name www" in text


@needed
def test_a_stranger_with_the_same_certificate(tmp_path: Path) -> None:
    """A block with other names gets no name of the site, though its certificate has the site's hosts."""
    stranger = SHOP.removeprefix(PLAIN).replace("server_name example.com", "server_name other.test")
    ill = audited(tmp_path, laid(tmp_path, {"other": stranger}), None, {})
    assert fires("nginx.server_name_missing", ill).commands == ()


@pytest.mark.parametrize("name", ["exmaple.com", "exampl.com", "example.comm", "exarnple.com", "exbmple.com"])
def test_one_slip(name: str) -> None:
    """One letter too many, too few, wrong or out of place is a slip; two are another name."""
    assert next_to(name, "example.com") is (name != "exarnple.com")
    assert not next_to("example.com", "example.com")
