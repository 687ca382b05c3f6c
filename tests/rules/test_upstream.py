"""upstream.unreachable: what nginx passes the site's requests on to accepts connections."""

from datetime import timedelta
from typing import Any

import pytest
from padlock.evidence import Evidence, Ran, Upstream
from padlock.findings import Severity
from padlock.site import Health

from tests.evidence_builder import NOW, change, fires, healthy, outcomes, report, silent, unassessed, with_exchange
from tests.host_builder import SITE, SOCKET, nginx, site, with_audit

CODE = "upstream.unreachable"
MISSING = Upstream(SOCKET, accepts=False, detail="no such file")
GROUP = """
upstream app {
    server 127.0.0.1:8001;
    server 127.0.0.1:8002 max_fails=3;
    server unix:/run/spare.sock backup;
    server 127.0.0.1:9 down;
}
"""


def broken(external: Evidence | None = None) -> Evidence:
    """Return the site whose pages all answer 502."""
    seen = external or healthy()
    for host in ("example.com", "www.example.com"):
        seen = with_exchange(seen, f"https://{host}/", status=502, headers=())
    return seen


def audited(*upstreams: Upstream, text: str = SITE, external: Evidence | None = None, **fields: Any) -> Evidence:
    """Return the site that answers 502, whose nginx has this configuration and these upstreams."""
    return with_audit(external or broken(), nginx=nginx(configuration=site(text)), upstreams=upstreams, **fields)


def passing(to: str, before: str = "", directive: str = "proxy_pass") -> str:
    """Return the healthy site's configuration with its requests passed on to another place."""
    return before + SITE.replace("proxy_pass http://unix:/run/gunicorn.sock", f"{directive} {to}")


def test_an_app_that_accepts() -> None:
    """Nothing to say of a healthy machine."""
    silent("upstream.unreachable", with_audit(healthy()))


def test_the_socket_is_gone() -> None:
    """The socket, why, and where nginx names it; Gunicorn's own unit is started again."""
    found = fires("upstream.unreachable", audited(MISSING))
    assert found.subject == "example.com on web-1"
    assert '"unix:/run/gunicorn.sock" (no such file)' in found.observed
    assert "/etc/nginx/sites-enabled/shop:" in found.observed
    assert found.commands == ("systemctl restart gunicorn",)


@pytest.mark.parametrize(
    ("target", "detail", "commands"),
    [
        ("unix:/run/gunicorn/app.sock", "refused", 1),
        ("unix:/run/shop/gunicorn.sock", "refused", 0),
        ("unix:/run/shop.sock", "refused", 0),
        ("127.0.0.1:8000", "refused", 0),
        ("unix:/run/gunicorn.sock", "permission denied", 0),
    ],
)
def test_units_that_are_not_known(target: str, detail: str, commands: int) -> None:
    """No command guesses a unit's name, nor restarts an app whose socket nginx may not use."""
    to = f"http://{target}"
    found = fires(CODE, audited(Upstream(target, accepts=False, detail=detail), text=passing(to)))
    assert len(found.commands) == commands
    assert ("UMask" in found.remediation) is (detail == "permission denied")


def test_a_unit_that_names_the_socket() -> None:
    """It is started again under its own name; a name that is none makes no command."""
    text = passing("http://unix:/run/shop/app.sock")
    dead = Upstream("unix:/run/shop/app.sock", accepts=False, detail="refused", unit="shop@1.service")
    assert fires(CODE, audited(dead, text=text)).commands == ("systemctl restart shop@1",)
    assert fires(CODE, audited(change(dead, unit="-x; reboot"), text=text)).commands == ()


def test_without_systemd() -> None:
    """Where there is no systemctl, none is proposed."""
    sections = {"nginx_service": Ran("systemctl is-active nginx", 127)}
    assert fires(CODE, audited(MISSING, sections=sections)).commands == ()


@pytest.mark.parametrize(
    ("to", "directive", "target"),
    [
        ("http://unix:/run/app.sock:/prefix/", "proxy_pass", "unix:/run/app.sock"),
        ("http://127.0.0.1:8000/path", "proxy_pass", "127.0.0.1:8000"),
        ("http://LOCALHOST", "proxy_pass", "localhost:80"),
        ("unix:/run/uwsgi.sock", "uwsgi_pass", "unix:/run/uwsgi.sock"),
        ("127.0.0.1:9000", "fastcgi_pass", "127.0.0.1:9000"),
        ("grpc://[::1]:50051", "grpc_pass", "[::1]:50051"),
        ("https://127.0.0.1", "proxy_pass", "127.0.0.1:443"),
    ],
)
def test_spellings_of_targets(to: str, directive: str, target: str) -> None:
    """Each directive's way to name a place leads to what was tried."""
    text = passing(to, directive=directive)
    fires(CODE, audited(Upstream(target, accepts=False), text=text))
    silent(CODE, audited(Upstream(target, accepts=True), text=text))


def test_another_sites_upstream() -> None:
    """What the site's own server blocks do not use is another site's, whether it works or not."""
    other = "server { listen 80; server_name blog.example; location / { proxy_pass http://127.0.0.1:7000; } }"
    dead = Upstream("127.0.0.1:7000", accepts=False, detail="refused")
    silent(CODE, audited(Upstream(SOCKET, accepts=True), dead, text=SITE + other))


def test_only_another_sites_upstreams() -> None:
    """A site of files has none."""
    text = SITE.replace("proxy_pass http://unix:/run/gunicorn.sock", "root /var/www/html")
    assert outcomes(CODE, audited(MISSING, text=text)) == []


def test_the_configuration_is_not_known() -> None:
    """Then every place that nginx passes requests on to counts."""
    seen = with_audit(broken(), nginx=nginx(configuration=None), upstreams=(MISSING,))
    assert fires(CODE, seen).subject == "example.com on web-1"


def members(*accepting: bool | None) -> tuple[Upstream, ...]:
    """Return the group's two servers and its spare, each accepting or not."""
    names = ("127.0.0.1:8001", "127.0.0.1:8002", "unix:/run/spare.sock")
    return tuple(Upstream(name, accepts) for name, accepts in zip(names, accepting, strict=True))


@pytest.mark.parametrize(
    ("accepting", "severity"),
    [
        ((True, True, True), ""),
        ((True, True, False), ""),
        ((True, False, True), "warning"),
        ((False, False, True), "warning"),
        ((False, False, False), "error"),
    ],
    ids=["all", "spare is down", "one is down", "spare alone", "none"],
)
def test_groups(accepting: tuple[bool, ...], severity: str) -> None:
    """One that accepts is enough; a spare alone is a warning; a server marked down is not missed."""
    seen = audited(*members(*accepting), text=passing("http://app", GROUP))
    if severity:
        assert fires(CODE, seen).severity == severity
    else:
        silent(CODE, seen)


def test_places_elsewhere_and_variables() -> None:
    """A place on another machine was not tried, and one that a variable names cannot be."""
    for to in ("http://10.0.0.9:8000", "http://$backend"):
        assert outcomes(CODE, audited(MISSING, text=passing(to))) == []


def test_the_site_answers_now() -> None:
    """An app that is started anew while the audit runs is well when its page comes."""
    assert "answers now" in unassessed(CODE, audited(MISSING, external=healthy()))


def beside(location: str) -> str:
    """Return the healthy site's configuration with one more location beside the app's."""
    return SITE.replace("location / {\n        include", f"{location}\n    location / {{\n        include")


def test_another_part_of_the_site_is_down() -> None:
    """A page from elsewhere says nothing of the part behind the dead socket, for an hour; then nothing is known."""
    text = beside("location /api/ { proxy_pass http://127.0.0.1:8009; }")
    states = (Upstream(SOCKET, accepts=True), Upstream("127.0.0.1:8009", accepts=False, detail="refused"))
    fires(CODE, audited(*states, text=text, external=healthy()))
    old = {"collected_at": NOW - timedelta(hours=2)}
    assert "answers now" in unassessed(CODE, audited(*states, text=text, external=healthy(), **old))


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"upstreams": None}, "could not be seen"),
        ({"upstreams": (Upstream(SOCKET),)}, "could be tried"),
        ({"nginx": nginx(running=False)}, "does not run"),
        ({"nginx": nginx(running=None)}, "could not be seen"),
        ({"sections": {"upstreams": Ran("connect", 124)}}, "ran out"),
        ({"root": False}, "root"),
        ({"fault": "gone"}, "gone"),
    ],
    ids=["not gathered", "not tried", "nginx is down", "nginx is not seen", "timeout", "not root", "failed"],
)
def test_it_could_not_be_tried(fields: dict[str, Any], reason: str) -> None:
    """Not known is not dead."""
    assert reason in unassessed(CODE, with_audit(broken(), **fields))


def test_a_machine_without_nginx() -> None:
    """Nothing passes anything on there."""
    assert outcomes(CODE, change(with_audit(broken(), nginx=None))) == []


@pytest.mark.parametrize(
    ("location", "target", "fix"),
    [
        ("location /grafana/ { proxy_pass http://127.0.0.1:3000/; }", "127.0.0.1:3000", "remove the location"),
        ("location = /old.php { fastcgi_pass unix:/run/php.sock; }", "unix:/run/php.sock", "status 'php*-fpm'"),
        ("location /v1/ { proxy_pass http://127.0.0.1:8000; }", "127.0.0.1:8000", "status gunicorn"),
    ],
)
def test_a_side_location(location: str, target: str, fix: str) -> None:
    """A dead side location of a site that works is a notice with its target: no cause, and no failed step."""
    states = (Upstream(SOCKET, accepts=True), Upstream(target, accepts=False, detail="refused"))
    judged = report(audited(*states, text=beside(location), external=healthy()))
    found = [finding for finding in judged.findings if finding.code == CODE]
    assert {finding.severity for finding in found} == {Severity.NOTICE}
    assert all(location.split(" {", maxsplit=1)[0] in finding.observed for finding in found)
    assert all(target in finding.remediation and fix in finding.remediation for finding in found)
    assert ("gunicorn" in found[0].remediation) is ("8000" in target)
    assert judged.causes == ()
    assert {row.step: row.status for row in judged.checklist}[13] == "pass"


def test_a_side_location_of_a_broken_site() -> None:
    """Where pages fail for another reason, a dead side location is a warning at most, and no cause."""
    states = (Upstream(SOCKET, accepts=True), Upstream("127.0.0.1:3000", accepts=False))
    seen = audited(*states, text=beside("location /grafana/ { proxy_pass http://127.0.0.1:3000/; }"))
    assert fires(CODE, seen).severity is Severity.WARNING


def test_the_health_path_is_the_apps() -> None:
    """What serves the declared health path is the app as well, when that path fails."""
    text = beside("location /live { proxy_pass http://127.0.0.1:8009; }")
    states = (Upstream(SOCKET, accepts=True), Upstream("127.0.0.1:8009", accepts=False))
    seen = audited(*states, text=text)
    assert fires(CODE, seen).severity is Severity.WARNING
    declared = change(seen, site=change(seen.site, health=Health("/live")))
    assert fires(CODE, declared).severity is Severity.ERROR


def test_a_host_that_only_redirects() -> None:
    """A host whose requests are all redirected before any location has no app, dead or not."""
    text = beside("if ($host = www.example.com) { return 301 https://example.com$request_uri; }")
    found = [outcome.subject for outcome in outcomes(CODE, audited(MISSING, text=text))]
    assert found == ["example.com on web-1"]


def test_the_server_of_challenges() -> None:
    """The server of certbot's own runs only while it renews."""
    text = beside("location ^~ /.well-known/acme-challenge/ { proxy_pass http://127.0.0.1:8888; }")
    silent(CODE, audited(Upstream(SOCKET, accepts=True), Upstream("127.0.0.1:8888", accepts=False), text=text))


def test_a_socket_that_nginx_may_not_use() -> None:
    """The cause says so, with the finding's own fix, and no restart in the place of it."""
    seen = audited(Upstream(SOCKET, accepts=False, detail="permission denied for www-data"))
    (cause,) = [cause for cause in report(seen).causes if cause.code == "cause.upstream_down"]
    assert "may not open the socket" in cause.explanation
    assert "stopped" not in cause.explanation
    assert "namei -l /run/gunicorn.sock" in cause.remediation
    assert "systemctl restart" not in cause.remediation
    assert cause.commands == ()
