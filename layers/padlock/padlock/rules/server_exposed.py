"""What must not face the Internet (checklist step 13): development servers, and pages made for the developer's eyes.

nginx replaces the Server header, so only what is visible is told. A debugger shows itself where something fails, and
answers for its own files whatever the app does; for these each host is asked once a day.
"""

import re
from collections.abc import Iterator, Mapping

from padlock.evidence import Evidence, Exchange
from padlock.findings import Severity
from padlock.rules._answers import look
from padlock.rules._rule import Outcome, Problem, rule
from padlock.rules._subjects import listed, not_seen, quoted
from padlock.site import Site

_SERVERS: Mapping[str, str] = {
    r"Werkzeug/": "Flask's development server",
    r"WSGIServer/.*CPython": "the development server of Django or wsgiref",
    r"SimpleHTTP/": "Python's http.server",
    r"BaseHTTP/": "Python's http.server",
    r"WEBrick/": "Ruby's development server WEBrick",
}
"""Beginnings of the Server header."""
_SCRIPT = r"<script[^>]{1,200}src=[\"'][^\"']{0,100}"
_ANY_SERVER = re.compile("|".join(_SERVERS))
_DEVELOPMENT: Mapping[str, tuple[str, str]] = {
    "/@vite/client": (r"[\"']", "Vite's development server"),
    "/webpack-dev-server.js": ("", "webpack's development server"),
    "/_next/static/development/": ("", "the development server of Next.js"),
    "/livereload.js?": (r"[^\"']{0,100}port=1313", "Hugo's development server"),
}
"""Scripts that a page has only while it is being developed: what its place holds, and what follows on that."""


@rule(
    "server.dev_server",
    Severity.WARNING,
    step=13,
    reads="http",
    summary="development server is public",
    impact="It is made for one developer: it fails under load, serves what it should not, and has known holes.",
    remediation="Run the app under a server for production behind nginx: for Flask `gunicorn --workers 3 --bind "
    "unix:/run/gunicorn.sock app:app` as a systemd service and `proxy_pass http://unix:/run/gunicorn.sock;`; for "
    "pages of Vite, webpack or Next.js build them (`npm run build`) and let nginx serve the result.",
    reference="checklist step 13; Flask, “Deploying to Production”",
)
def dev_server(site: Site, evidence: Evidence) -> Iterator[Outcome]:
    """Find development servers that show themselves to visitors."""
    for host in evidence.hosts:
        found = [told for exchange in _answers(evidence, host) if (told := _development(exchange))]
        if found:
            yield Problem(host, listed(dict.fromkeys(found)), "a server for production")
            continue
        looked = look(evidence, host)
        yield from not_seen(host, looked.missed, looked.seen)


def _development(exchange: Exchange) -> str:
    server = exchange.header("server") or ""
    if _ANY_SERVER.match(server):
        name = next(name for pattern, name in _SERVERS.items() if re.match(pattern, server))
        return f"{name} answers: Server: {quoted(server, 60)}"
    # PHP's is the only one that sends the request's Host back.
    if exchange.header("host") and (exchange.header("x-powered-by") or "").startswith("PHP/"):
        return "PHP's built-in server answers"
    for place, (rest, name) in _DEVELOPMENT.items() if exchange.purpose != "debugger" else ():
        # That the text is there at all is found twenty times sooner than that a script is.
        if place in exchange.body and re.search(_SCRIPT + re.escape(place) + rest, exchange.body):
            return f"{exchange.url} is served by {name}"
    return ""


_CONSOLE = "CONSOLE_MODE = true"
_DEBUGGERS: Mapping[str, str] = {
    r"CONSOLE_MODE = false,\s+EVALEX = ": "Werkzeug's debugger",
    r"<title>[^<]{0,2000}// Werkzeug Debugger</title>": "Werkzeug's debugger",
    r"seeing this error because you have <code>DEBUG = True</code>": "Django's debug page",
    r"<th[^<>]{0,40}>Django Version:</th>": "Django's debug page",
    r"<title>Action Controller: Exception caught</title>": "the debug page of Rails",
    r"window\.ignite\(|id=\"ignition\"": "Laravel's debug page",
}
"""What debug pages hold, in the first 16 KB; the texts are looked for only in answers that tell of an error."""


@rule(
    "server.debugger_exposed",
    Severity.ERROR,
    step=None,
    reads="http",
    summary="debugger is public",
    impact="Anyone can read source code, settings and secrets; with Werkzeug's console anyone who finds the PIN runs "
    "code on the server.",
    remediation="Switch debugging off now and restart the app: in Flask no `debug=True`, no `--debug` and no "
    "FLASK_DEBUG, with Gunicorn in place of `app.run()`; in Django `DEBUG = False` and ALLOWED_HOSTS; in Laravel "
    "`APP_DEBUG=false`. Then change the secrets that the pages may have shown: SECRET_KEY, database passwords, API "
    "keys.",
    reference="Werkzeug, “Debugging Applications”; Django, “Deployment checklist”; CWE-489",
)
def debugger_exposed(site: Site, evidence: Evidence) -> Iterator[Outcome]:
    """Find debug pages, and the files and console of Werkzeug's debugger."""
    for host in evidence.hosts:
        found = [told for exchange in _answers(evidence, host) if (told := _debugger(exchange))]
        if found:
            yield Problem(host, listed(dict.fromkeys(found)), "no debugger that visitors reach")
            continue
        looked = look(evidence, host)
        cut_off = [e for e in _made(evidence, host) if e.purpose in ("debugger", "deep") and e.status is None]
        missed = {**looked.missed, **{e.address: f"{e.url} gave no answer" for e in cut_off}}
        yield from not_seen(host, missed, [address for address in looked.seen if address not in missed])


def _debugger(exchange: Exchange) -> str:
    if exchange.purpose == "debugger" and exchange.status == 200:
        if _CONSOLE in exchange.body:
            return f"{exchange.url} is Werkzeug's console"
        kind = exchange.header("content-type") or ""
        if "javascript" in kind and "EVALEX" in exchange.body:
            return f"{exchange.url} is served: Werkzeug's debugger runs"
    if (exchange.status or 0) < 400:
        return ""
    for pattern, name in _DEBUGGERS.items():
        if re.search(pattern, exchange.body):
            return f"{exchange.url} answered {exchange.status} with {name}"
    return ""


def _answers(evidence: Evidence, host: str) -> Iterator[Exchange]:
    return (exchange for exchange in _made(evidence, host) if exchange.status is not None)


def _made(evidence: Evidence, host: str) -> Iterator[Exchange]:
    """Yield what a host was asked, over HTTP too: a server that is seen there is public as well."""
    for exchange in evidence.http.exchanges if evidence.http else ():
        if exchange.host == host and exchange.purpose not in ("random_host", "challenge"):
            yield exchange
