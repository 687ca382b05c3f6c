"""The Flask apps behind Gunicorn's socket, healthy and broken, chosen by the Host header."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from flask import Flask, Response, redirect, request
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.wrappers import Response as AnyResponse

from tests.lab.scenarios import ALL

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

type Answer = AnyResponse | str | tuple[str, int]


def _healthy() -> Answer:
    return Response('{"database": "up"}', mimetype="application/json")


def _app(*, page: Callable[[], Answer], health: Callable[[], Answer] = _healthy) -> Flask:
    app = Flask(__name__)
    app.add_url_rule("/", "page", page)
    app.add_url_rule("/health", "health", health)
    return app


def _shop() -> Answer:
    return f"<!doctype html><title>Shop</title><h1>Welcome to the shop at {request.url_root}</h1>"


def _construction() -> Answer:
    return "<!doctype html><title>Soon</title><h1>Under construction</h1>"


def _failing() -> Answer:
    raise RuntimeError("the database is gone")


def _catch_all() -> Flask:
    app = Flask(__name__)
    app.add_url_rule("/", "page", _shop)
    app.add_url_rule("/<path:path>", "any", lambda **_: _shop())
    return app


def _force_https() -> Answer:
    """Redirect to HTTPS by what the app sees of the scheme, as Flask-Talisman and others do."""
    return _shop() if request.is_secure else redirect(request.url.replace("http://", "https://", 1))


def _force_www() -> Answer:
    return _shop() if request.host.startswith("www.") else redirect(f"https://www.{request.host}{request.path}", 301)


def _behind_proxy(app: Flask) -> Flask:
    """Trust nginx's X-Forwarded headers, as every app behind it must."""
    app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1, x_proto=1, x_host=1)  # type: ignore[method-assign]
    return app


APPS = {
    "shop": _behind_proxy(_app(page=_shop)),
    "construction": _behind_proxy(_app(page=_construction)),
    "degraded": _behind_proxy(
        _app(page=_shop, health=lambda: Response('{"database": "down"}', mimetype="application/json"))
    ),
    "failing": _behind_proxy(_app(page=_failing)),
    "catch_all": _behind_proxy(_catch_all()),
    "force_www": _behind_proxy(_app(page=_force_www)),
    "health_204": _behind_proxy(_app(page=_shop, health=lambda: ("", 204))),
    "health_301": _behind_proxy(_app(page=_shop, health=lambda: redirect("/", 301))),
    "force_https": _behind_proxy(_app(page=_force_https)),
}
_BY_HOST = {host: APPS[scenario.app] for scenario in ALL for host in scenario.hosts}


def application(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
    """Answer with the app of the host that was asked for."""
    app: WSGIApplication = _BY_HOST.get(environ.get("HTTP_HOST", "").split(":")[0], APPS["shop"])
    return app(environ, start_response)
