"""The shop: a Flask app as the checklist wants it behind nginx."""

from flask import Flask, request
from werkzeug.middleware.proxy_fix import ProxyFix

application = Flask(__name__)
application.wsgi_app = ProxyFix(application.wsgi_app, x_for=1, x_proto=1, x_host=1)  # type: ignore[method-assign]


@application.get("/")
def page() -> str:
    """Return the front page."""
    return f"<!doctype html><title>Shop</title><h1>Welcome to the shop at {request.url_root}</h1>"


@application.get("/health")
def health() -> dict[str, str]:
    """Return that all is well."""
    return {"status": "ok"}
