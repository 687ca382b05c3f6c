"""The demo's web application: one Flask app for all its sites, told apart by host name, each broken in its own way.

Gunicorn runs it twice, once over TLS and once in clear; `url_scheme` says which.
"""

import os
from pathlib import Path

from flask import Flask, Response, abort, redirect, request
from werkzeug.wrappers import Response as BaseResponse

HTTP_PORT = os.environ["DEMO_HTTP_PORT"]
HTTPS_PORT = os.environ["DEMO_HTTPS_PORT"]
CLOSED_PORT = os.environ["DEMO_CLOSED_PORT"]
FOLDER = Path(os.environ["DEMO_FOLDER"])
KNOWN = frozenset(os.environ["DEMO_HOSTS"].split(","))

app = Flask(__name__)


@app.route("/intermediate.der")
def intermediate() -> Response:
    """Serve what the certificates name as their issuer."""
    return Response((FOLDER / "intermediate.der").read_bytes(), content_type="application/pkix-cert")


@app.route("/", defaults={"path": ""})
@app.route("/<path:path>")
def page(path: str) -> BaseResponse:
    """Answer as this host does."""
    host = request.host.partition(":")[0]
    if host not in KNOWN:
        abort(404)
    site = host.removeprefix("www.")
    answer = over_tls(host, site, path) if request.is_secure else in_clear(host, site, path)
    if request.is_secure and site == "healthy.example":
        answer.headers["Strict-Transport-Security"] = "max-age=31536000"
    return answer


def in_clear(host: str, site: str, path: str) -> BaseResponse:
    """Answer on the plain port."""
    if site == "plain.example":
        return front(site, path)
    return moved(f"https://{host}:{CLOSED_PORT if site == 'closed.example' else HTTPS_PORT}")


def over_tls(host: str, site: str, path: str) -> BaseResponse:
    """Answer on the TLS port."""
    if host != site:
        return moved(f"https://{site}:{HTTPS_PORT}")
    if site == "loop.example":
        return moved(f"http://{site}:{HTTP_PORT}")
    if site == "gateway.example":
        return Response("<html><title>502 Bad Gateway</title><center><h1>502 Bad Gateway</h1></center></html>", 502)
    return front(site, path)


def moved(base: str) -> BaseResponse:
    """Redirect for good, keeping path and query."""
    query = f"?{request.query_string.decode()}" if request.query_string else ""
    return redirect(f"{base}{request.path}{query}", 301)


def front(site: str, path: str) -> Response:
    """Serve the few pages that a site has."""
    if path == "health":
        return Response('{"status": "ok"}', content_type="application/json")
    if path:
        return Response(f"<!doctype html><title>Not found</title><h1>{site} has no such page</h1>", 404)
    return Response(f"<!doctype html><title>{site}</title><h1>Welcome to {site}</h1>")
