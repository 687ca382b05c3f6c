"""Development servers and debuggers that face the Internet."""

from typing import Any

import pytest
from padlock import evidence as ev
from padlock.findings import Severity

from tests.evidence_builder import codes, fires, healthy, silent, unassessed, with_exchange

HTTPS, HTTP = "https://example.com/", "http://example.com/"
DEEP = "https://example.com/padlock-probe/path?q=1"
RESOURCE = "https://example.com/?__debugger__=yes&cmd=resource&f=debugger.js"
CONSOLE = "https://example.com/console"
SCRIPT = {"status": 200, "headers": (("content-type", "text/javascript; charset=utf-8"),)}
WERKZEUG = "<title>RuntimeError: gone // Werkzeug Debugger</title><script>var CONSOLE_MODE = false,\n EVALEX = true,"
DJANGO = (
    "<p>You\u2019re seeing this error because you have <code>DEBUG = True</code> in your Django settings file.</p>"
)


@pytest.mark.parametrize(
    ("server", "name"),
    [
        ("Werkzeug/3.1.9 Python/3.13.9", "Flask"),
        ("WSGIServer/0.2 CPython/3.12.3", "Django"),
        ("SimpleHTTP/0.6 Python/3.13.9", "http.server"),
        ("WEBrick/1.8.1 (Ruby/3.2.2/2023-03-30)", "WEBrick"),
    ],
)
def test_dev_server(server: str, name: str) -> None:
    """The Server header names it, over HTTPS or HTTP."""
    for url in (HTTPS, HTTP):
        finding = fires("server.dev_server", with_exchange(healthy(), url, headers=(("server", server),)))
        assert finding.severity is Severity.WARNING
        assert finding.subject == "example.com"
        assert name in finding.observed
        assert server in finding.observed


@pytest.mark.parametrize(
    "server",
    ["nginx", "gunicorn", "uvicorn", "Python/3.13 aiohttp/3.11", "Apache", "nginx Werkzeug/3", "Werkzeugkiste"],
)
def test_servers_for_production(server: str) -> None:
    """What people run in production is none."""
    silent("server.dev_server", with_exchange(healthy(), HTTPS, headers=(("server", server),)))


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ('<script type="module" src="/@vite/client"></script>', "Vite"),
        ('<script src="http://localhost:8080/webpack-dev-server.js"></script>', "webpack"),
        ('<script src="/_next/static/development/_buildManifest.js"></script>', "Next.js"),
        ('<script src="/livereload.js?mindelay=10&amp;v=2&amp;port=1313&amp;path=livereload"></script>', "Hugo"),
    ],
)
def test_dev_server_of_a_front_end(body: str, name: str) -> None:
    """A page's scripts tell that it is being developed; a text about them does not."""
    assert name in fires("server.dev_server", with_exchange(healthy(), HTTPS, body=body)).observed
    silent("server.dev_server", with_exchange(healthy(), HTTPS, body=body.replace("<", "&lt;")))


def test_php_dev_server() -> None:
    """PHP's built-in server sends the Host back; PHP behind a real server does not."""
    php = ("x-powered-by", "PHP/8.4.1")
    both = with_exchange(healthy(), HTTPS, headers=(("host", "example.com"), php))
    assert "PHP" in fires("server.dev_server", both).observed
    silent("server.dev_server", with_exchange(healthy(), HTTPS, headers=(php,)))


@pytest.mark.parametrize(
    ("url", "answer", "told"),
    [
        (RESOURCE, {**SCRIPT, "body": "docReady(() => {\n  if (!EVALEX_TRUSTED) {"}, "debugger runs"),
        (CONSOLE, {"status": 200, "body": "var CONSOLE_MODE = true,"}, "Werkzeug's console"),
        (HTTPS, {"status": 500, "body": WERKZEUG}, "Werkzeug's debugger"),
        (DEEP, {"status": 404, "body": DJANGO}, "Django"),
        (HTTPS, {"status": 500, "body": '<th scope="row">Django Version:</th>'}, "Django"),
        (HTTPS, {"status": 500, "body": "<title>Action Controller: Exception caught</title>"}, "Rails"),
        (HTTPS, {"status": 500, "body": "<script>window.ignite({})</script>"}, "Laravel"),
    ],
)
def test_debugger(url: str, answer: dict[str, Any], told: str) -> None:
    """A debug page, or the debugger's own files, wherever the app shows them."""
    finding = fires("server.debugger_exposed", with_exchange(healthy(), url, **answer))
    assert finding.severity is Severity.ERROR
    assert told in finding.observed
    assert url in finding.observed


@pytest.mark.parametrize(
    ("url", "answer"),
    [
        (HTTPS, {"body": DJANGO + WERKZEUG}),
        (CONSOLE, {"status": 200, "body": "<title>Console</title>The console of our games"}),
        (RESOURCE, {"status": 200, "body": "<title>Shop</title>EVALEX", "headers": (("content-type", "text/html"),)}),
        (RESOURCE, {**SCRIPT, "body": "let shop = 1;"}),
        (CONSOLE, {"status": 400, "body": "Bad Request"}),
        (HTTPS, {"status": 500, "body": "Internal Server Error", "confirmed": True}),
    ],
)
def test_no_debugger(url: str, answer: dict[str, Any]) -> None:
    """A page about debuggers, an app that answers every path, a console of its own and a plain error are none."""
    silent("server.debugger_exposed", with_exchange(healthy(), url, **answer))


def test_what_was_not_seen_may_be_exposed() -> None:
    """A host that gave no answer, or was not asked in time, is not cleared."""
    cut_off: dict[str, Any] = {"status": None, "failure": ev.Failure("deadline")}
    assert RESOURCE in unassessed("server.debugger_exposed", with_exchange(healthy(), RESOURCE, **cut_off))
    gone = with_exchange(healthy(), HTTPS, **cut_off)
    unassessed("server.dev_server", gone)
    unassessed("server.debugger_exposed", gone)
    assert "server.debugger_exposed" not in codes(gone)
