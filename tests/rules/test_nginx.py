"""Cases of rules/nginx.py."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
from padlock.evidence import Evidence, Listener, Ran, Upstream
from padlock.findings import Severity
from padlock.probes.host.nginx_config import parse

from tests.evidence_builder import HOSTS, change, fires, healthy, report, silent, unassessed, with_exchange
from tests.host_builder import SITE, certificate_file, host, nginx, site, with_audit, with_nginx
from tests.mended_nginx import audited, laid, taken
from tests.real_nginx import MAIN, RealNginx, needed

OK = "nginx: the configuration file /etc/nginx/nginx.conf syntax is ok\n"
HTTP2 = SITE.replace("443 ssl;", "443 ssl http2;").replace("    http2 on;\n", "")


def refused(text: str, **fields: Any) -> Evidence:
    """Return a machine whose `nginx -t` fails with this text."""
    return with_nginx(healthy(), test=Ran("nginx -t", 1, text), **fields)


def down() -> Evidence:
    """Return a site that answers nothing over HTTPS."""
    found = healthy()
    for name in HOSTS:
        found = with_exchange(found, f"https://{name}/", status=None)
    return found


def test_invalid() -> None:
    """What nginx refuses is quoted, with its file and line."""
    said = (
        "nginx: [warn] conflicting server name\n"
        'nginx: [emerg] unknown directive "servername" in /etc/nginx/sites-enabled/shop:3\n'
        "nginx: configuration file /etc/nginx/nginx.conf test failed\n"
    )
    finding = fires("nginx.invalid", refused(said))
    assert finding.subject == "example.com on web-1"
    assert 'unknown directive "servername" in /etc/nginx/sites-enabled/shop:3"' in finding.observed
    assert "conflicting" not in finding.observed
    assert [row.status for row in report(refused(said)).checklist if row.step == 5] == ["fail"]


def test_invalid_whatever_it_says() -> None:
    """A test that fails without a word, or with escapes and newlines, is one line of a bounded length."""
    for text in ("", "\x1b[31m\n" * 5000, "[emerg] " + "a" * 100_000):
        assert len(fires("nginx.invalid", refused(text)).observed) < 500


def test_valid_with_warnings() -> None:
    """Warnings do not make a configuration invalid."""
    silent(
        "nginx.invalid",
        with_nginx(healthy(), test=Ran("nginx -t", 0, "nginx: [warn] conflicting server name\n" + OK)),
    )


def test_not_tested() -> None:
    """Without root, nginx, or time, validity is unknown."""
    assert "root" in unassessed("nginx.invalid", with_audit(healthy(), root=False))
    assert "not found" in unassessed("nginx.invalid", with_nginx(healthy(), test=Ran("nginx -t", 127)))
    assert "ran out" in unassessed("nginx.invalid", with_nginx(healthy(), test=Ran("nginx -t", 124)))
    silent("nginx.invalid", with_audit(healthy(), nginx=None))


@needed
def test_the_lines_take_out_what_an_old_nginx_does_not_know(tmp_path: Path) -> None:
    """`http2 on;` before nginx 1.25.1 is taken out by the proposed lines, whatever else stands on its line."""
    if "unknown directive" not in probe(tmp_path):
        pytest.skip("this nginx knows `http2 on`")
    sites = {"shop": "server { listen 80; server_name example.com; }\n", "both": "server { listen 81; }\n"}
    laid(tmp_path, sites)
    (tmp_path / "sites-available" / "shop").write_text(
        "server {\n  listen 80;\n  http2 on;\n server_name example.com; }\n"
    )
    (tmp_path / "sites-available" / "both").write_text("server { listen 81; http2   on; server_name a.test; }\n")
    found = RealNginx(tmp_path, 0)
    failed = found.run("-t")
    shown = "".join(
        f"# configuration file {path}:\n{path.read_text()}\n"
        for path in (tmp_path / "nginx.conf", tmp_path / "site", *sorted((tmp_path / "sites-enabled").iterdir()))
    )
    evidence = refused(failed.stderr, configuration=parse(shown))
    lines = fires("nginx.invalid", evidence).commands
    subprocess.run(["bash", "-euc", "\n".join(lines[:-1])], check=True, timeout=30)
    taken(tmp_path)
    silent("nginx.invalid", audited(tmp_path, taken(tmp_path), None, {}))


def probe(directory: Path) -> str:
    """Return what the installed nginx says of `http2 on`."""
    place = directory / "probe"
    place.mkdir()
    (place / "site").write_text("server { listen 80; http2 on; }")
    (place / "nginx.conf").write_text(MAIN.format(directory=place))
    return RealNginx(place, 0).run("-t").stderr


def test_deprecated() -> None:
    """`listen … http2` of a host of the site is a notice where nginx has `http2 on`, with every place."""
    finding = fires("nginx.deprecated", with_nginx(healthy(), configuration=site(HTTP2), version="1.26.3"))
    assert finding.severity is Severity.NOTICE
    assert finding.observed == (
        "`listen … http2` at /etc/nginx/sites-enabled/shop:10 and /etc/nginx/sites-enabled/shop:11"
    )
    assert fires("nginx.deprecated", with_nginx(healthy(), configuration=site(SITE.replace("http2 on", "ssl on"))))


def test_not_deprecated() -> None:
    """It is how an older nginx has it, and that of a site which is not ours is none of our affair."""
    silent("nginx.deprecated", with_nginx(healthy(), configuration=site(HTTP2), version="1.22.1"))
    silent("nginx.deprecated", with_nginx(healthy(), configuration=site(HTTP2), version=""))
    silent(
        "nginx.deprecated", with_nginx(healthy(), configuration=site(HTTP2.replace("example.com", "a.test") + SITE))
    )
    silent("nginx.deprecated", with_nginx(healthy()))
    assert unassessed("nginx.deprecated", with_nginx(healthy(), configuration=None))


@needed
def test_the_lines_move_http2(tmp_path: Path) -> None:
    """The proposed lines give each block one `http2 on`, and leave other options of `listen`."""
    text = (
        "server {\n listen 80;\n listen 443 ssl http2 reuseport;\n server_name example.com www.example.com;\n"
        " ssl_certificate %certificate%; ssl_certificate_key %key%;\n}\n"
    )
    evidence = audited(tmp_path, laid(tmp_path, {"shop": text}), None, {"version": "1.26.3"})
    lines = fires("nginx.deprecated", evidence).commands
    subprocess.run(["bash", "-euc", "\n".join(lines[:-1] * 2)], check=True, timeout=30)
    text = (tmp_path / "sites-available" / "shop").read_text()
    assert " listen 443 ssl reuseport; http2 on;\n" in text


def test_inactive() -> None:
    """An nginx that does not run, of a site that does not answer, is started if its configuration is valid."""
    stopped = {"running": False, "workers_started": (), "master_started": None}
    finding = fires("nginx.inactive", with_audit(down(), nginx=nginx(**stopped), listeners=()))
    assert (finding.subject, finding.severity) == ("example.com on web-1", Severity.ERROR)
    assert finding.commands == ("nginx -t && systemctl start nginx",)
    broken = nginx(**stopped, test=Ran("nginx -t", 1, "[emerg] no"))
    assert fires("nginx.inactive", with_audit(down(), nginx=broken, listeners=())).commands == ()
    sections = {"nginx_service": Ran("systemctl is-active nginx", 127)}
    bare = with_audit(down(), nginx=nginx(**stopped), listeners=(), sections=sections)
    assert fires("nginx.inactive", bare).commands == ("nginx -t && nginx",)


def test_inactive_because_of_another_program() -> None:
    """The program that has nginx's port is named, and no line is proposed that cannot heal."""
    listeners = (Listener("::", 80, "apache2"),)
    finding = fires("nginx.inactive", with_audit(down(), nginx=nginx(running=False), listeners=listeners))
    assert "apache2 on port 80" in finding.observed
    assert finding.commands == ()


def test_inactive_among_several() -> None:
    """A machine whose nginx is down while another's answers is a warning."""
    machines = (host(nginx=nginx(running=False), listeners=()), host(name="web-2"))
    finding = fires("nginx.inactive", change(healthy(), host=machines))
    assert (finding.subject, finding.severity) == ("example.com on web-1", Severity.WARNING)


BROKEN = Ran("nginx -t", 1, "[emerg] no")
CADDY = (Listener("::", 443, "caddy"),)


@pytest.mark.parametrize("code", ["nginx.invalid", "nginx.certificate_path", "upstream.unreachable"])
def test_leftovers(code: str) -> None:
    """The files of an nginx that is stopped say nothing of a site that something else serves."""
    gone = {
        "certificates": (certificate_file(fault="missing", certificate=None),),
        "upstreams": (Upstream("unix:/run/gunicorn.sock", accepts=False),),
    }
    for listeners in (CADDY, ()):
        stopped = {"nginx": nginx(running=False, test=BROKEN), "listeners": listeners, **gone}
        silent(code, with_audit(healthy(), **stopped))
    taken = with_audit(down(), nginx=nginx(running=False, test=BROKEN), listeners=CADDY, **gone)
    assert "caddy on port 443" in unassessed(code, taken)


@pytest.mark.parametrize("code", ["nginx.invalid", "nginx.certificate_path"])
def test_stopped_and_needed(code: str) -> None:
    """Where nothing else listens and the site is down, a stopped nginx is judged by its files."""
    gone = (certificate_file(fault="missing", certificate=None),)
    stopped = nginx(running=False, test=BROKEN)
    fires(code, with_audit(down(), nginx=stopped, listeners=(), certificates=gone))
    fires(code, with_audit(healthy(), nginx=nginx(test=BROKEN), certificates=gone))


def test_not_inactive() -> None:
    """A running nginx, or a site that something else serves well, is no finding; what was not seen is unknown."""
    silent("nginx.inactive", with_nginx(down(), running=True))
    silent("nginx.inactive", with_nginx(healthy(), running=False))
    caddy = (Listener("::", 443, "caddy"),)
    unseen = with_audit(change(healthy(), http=None), nginx=nginx(running=False), listeners=caddy)
    assert "was not seen" in unassessed("nginx.inactive", unseen)
    assert "could not be seen" in unassessed("nginx.inactive", with_nginx(down(), running=None))
