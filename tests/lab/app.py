"""The Flask apps behind Gunicorn's socket, healthy and broken, chosen by the Host header."""

import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from flask import Flask, Response, make_response, redirect, request, session, url_for
from werkzeug.debug import DebuggedApplication
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


def _to_apex() -> AnyResponse | None:
    """Redirect www to the apex, where no nginx does."""
    host = request.host.removeprefix("www.")
    return redirect(f"https://{host}{request.full_path.rstrip('?')}", 301) if host != request.host else None


def _names_itself() -> Flask:
    """Return an app that writes its own address where shops do: the canonical link, the Open Graph URL."""

    def page() -> Answer:
        own = url_for("shop", _external=True)
        return (
            f'<!doctype html><title>Shop</title><link rel="canonical" href="{own}">'
            f'<meta property="og:url" content="{own}"><h1>Welcome</h1>'
        )

    app = _app(page=page)
    app.add_url_rule("/shop", "shop", page)
    return app


def _login_first() -> Flask:
    """Return an app that sends visitors to its login, by an absolute URL."""
    app = _app(page=lambda: redirect(url_for("login", _external=True)))
    app.add_url_rule("/login", "login", lambda: "<!doctype html><title>Login</title>Please log in")
    return app


def _with_session(*, secure: bool) -> Flask:
    """Return an app with Flask's session; the secure one also deletes an old session and keeps a language."""

    def page() -> Answer:
        session["visitor"] = "somebody"
        answer = make_response(_shop())
        if secure:
            answer.delete_cookie("old_session")
            answer.set_cookie("lang", "de")
        return answer

    app = _app(page=page)
    app.secret_key = app.name
    app.config["SESSION_COOKIE_SECURE"] = secure
    return app


def _slow() -> Answer:
    time.sleep(0.6)
    return _shop()


def _only_page() -> Flask:
    app = Flask(__name__)
    app.add_url_rule("/", "page", _shop)
    return app


def _debugged() -> Flask:
    """Return an app that fails under Werkzeug's debugger, as `debug=True` behind a proxy does."""
    app = _app(page=_failing)
    app.config["PROPAGATE_EXCEPTIONS"] = True
    app.wsgi_app = DebuggedApplication(app.wsgi_app, evalex=False)  # type: ignore[method-assign]
    return app


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
    "names_itself": _behind_proxy(_names_itself()),
    "login_first": _behind_proxy(_login_first()),
    "open_cookie": _behind_proxy(_with_session(secure=False)),
    "secure_cookie": _behind_proxy(_with_session(secure=True)),
    "slow": _behind_proxy(_app(page=_slow)),
    "no_health": _behind_proxy(_only_page()),
    "debugged": _behind_proxy(_debugged()),
}
DEVELOPED = _app(page=_shop)
"""What runs on the development server itself, without nginx."""
DEVELOPED.before_request(_to_apex)
_BY_HOST = {host: APPS[scenario.app] for scenario in ALL for host in scenario.hosts}


def application(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
    """Answer with the app of the host that was asked for, or of X-Lab-App where nginx names it."""
    named = APPS.get(environ.get("HTTP_X_LAB_APP", ""))
    app: WSGIApplication = named or _BY_HOST.get(environ.get("HTTP_HOST", "").split(":")[0], APPS["shop"])
    return app(environ, start_response)
