"""Apps that do not know where they live, that are slow, or that show what they should not (steps 13 and 17)."""

from tests.lab.scenarios._scenario import PROXY, UPGRADE, Block, Scenario, Service, both, own

_TO_APP = "location / { proxy_pass http://unix:gunicorn.sock; proxy_redirect off; proxy_set_header X-Lab-App %s; "
NO_SCHEME = _TO_APP + "proxy_set_header Host $http_host; }"
"""The location without X-Forwarded-Proto: the app takes every request for plain HTTP."""
NO_HOST = _TO_APP + "proxy_set_header X-Forwarded-Proto $scheme; }"
"""The location without Host: nginx sends the name in proxy_pass, which is localhost."""


def _development(code: str, name: str, number: int, kind: str, **fields: object) -> Scenario:
    """Return a site whose HTTPS is Werkzeug's own, at an address of its own; HTTP is nginx's."""
    return Scenario(
        code,
        name,
        records=both(own(number)),
        blocks=(Block(f"{name} www.{name}", UPGRADE, 80, own(number)),),
        services=(Service(kind, own(number)),),  # type: ignore[arg-type]
        **{"also": ("tls.no_http2",), **fields},  # type: ignore[arg-type]
    )


SCENARIOS = (
    Scenario(
        "proxy.scheme_lost",
        "scheme-lost.test",
        "http://scheme-lost.test/shop",
        proofs=(("curl -s https://scheme-lost.test/", 'rel="canonical" href="http://scheme-lost.test/shop"'),),
        page=NO_SCHEME % "names_itself",
    ),
    Scenario(
        "proxy.scheme_lost",
        "scheme-lost-login.test",
        "Location",
        first="redirect.downgrade",
        proofs=(
            ("curl -sI https://scheme-lost-login.test/", "location: http://scheme-lost-login.test/login\\s"),
            ("curl -sL https://scheme-lost-login.test/", "Please log in"),
        ),
        page=NO_SCHEME % "login_first",
        also=("redirect.too_long",),
    ),
    Scenario(
        "proxy.scheme_lost",
        "scheme-lost-cdn.test",
        "http://scheme-lost-cdn.test/shop",
        proofs=(("curl -si https://scheme-lost-cdn.test/", "cf-ray: (.|\n)*http://scheme-lost-cdn.test/shop"),),
        page="add_header CF-RAY 8e4b1c2d3e4f5a6b-FRA always; " + NO_SCHEME % "names_itself",
    ),
    Scenario(
        "proxy.host_lost",
        "host-lost.test",
        "https://localhost/shop",
        proofs=(("curl -s https://host-lost.test/", 'rel="canonical" href="https://localhost/shop"'),),
        page=NO_HOST % "names_itself",
    ),
    Scenario(
        "proxy.host_lost",
        "host-lost-login.test",
        "https://localhost/login",
        first="redirect.refused",
        proofs=(("curl -sI https://host-lost-login.test/", "location: https://localhost/login\\s"),),
        page=NO_HOST % "login_first",
        also=("redirect.malformed", "canonical.unexpected"),
    ),
    # Cloudflare's “Flexible” mode: it asks for plain HTTP, and the app behind redirects that.
    Scenario(
        "redirect.loop",
        "loop-cdn.test",
        "Cloudflare asks the server over plain HTTP",
        proofs=(("curl -sI https://loop-cdn.test/", "302(.|\n)*location: https://loop-cdn.test/\\s"),),
        page="add_header CF-RAY 8e4b1c2d3e4f5a6b-FRA always; " + NO_SCHEME % "force_https",
    ),
    Scenario(
        "proxy.insecure_cookie",
        "open-cookie.test",
        '"session" without Secure',
        severity="warning",
        proofs=(("curl -sI https://open-cookie.test/", "(?i)set-cookie: session=(?!.*Secure)"),),
        app="open_cookie",
    ),
    Scenario(
        "app.slow",
        "slow.test",
        "first byte 0.",
        severity="warning",
        proofs=(("curl -so /dev/null -w '%{time_starttransfer}' https://slow.test/", "^(0\\.[5-9]|[1-9])"),),
        declare={"slow": 0.3},
        app="slow",
    ),
    Scenario(
        "app.health_missing",
        "no-health.test",
        "/healthz",
        severity="notice",
        proofs=(("curl -sI https://no-health.test/health", "HTTP/2 404"),),
        app="no_health",
    ),
    Scenario(
        "app.health_missing",
        "single-page.test",
        severity="notice",
        proofs=(("curl -sI https://single-page.test/health", "HTTP/2 200"),),
        app="catch_all",
    ),
    _development(
        "server.dev_server",
        "dev-server.test",
        140,
        "werkzeug",
        severity="warning",
        proofs=(("curl -sI https://dev-server.test/", "Server: Werkzeug"),),
    ),
    _development(
        "server.debugger_exposed",
        "debugger.test",
        141,
        "werkzeug_debugger",
        proofs=(("curl -s 'https://debugger.test/?__debugger__=yes&cmd=resource&f=debugger.js'", "EVALEX"),),
        also=("server.dev_server", "tls.no_http2"),
    ),
    Scenario(
        "server.debugger_exposed",
        "debug-page.test",
        "Werkzeug's debugger",
        first="server.debugger_exposed",
        proofs=(("curl -s https://debug-page.test/", "Werkzeug Debugger"),),
        app="debugged",
        also=("app.error",),
    ),
)

HEALTHY = (
    Scenario(
        "",
        "names-itself.test",
        severity="",
        proofs=(("curl -s https://names-itself.test/", 'rel="canonical" href="https://names-itself.test/shop"'),),
        app="names_itself",
    ),
    Scenario(
        "",
        "login-first.test",
        severity="",
        proofs=(("curl -sL https://login-first.test/", "Please log in"),),
        app="login_first",
    ),
    Scenario(
        "",
        "secure-cookie.test",
        severity="",
        proofs=(
            ("curl -sI https://secure-cookie.test/", "(?i)set-cookie: session=.*Secure"),
            ("curl -sI https://secure-cookie.test/", "(?i)set-cookie: old_session=;"),
        ),
        app="secure_cookie",
    ),
    # Only what calls itself a browser is let in: the checker's first look goes in circles, visitors' do not.
    Scenario(
        "",
        "browsers-only.test",
        severity="",
        proofs=(
            ("curl -sI https://browsers-only.test/", "302(.|\n)*location: https://browsers-only.test/\\s"),
            ("curl -s -A Mozilla/5.0 https://browsers-only.test/", "Welcome to the shop"),
        ),
        page="location = / { if ($http_user_agent !~ Mozilla) { return 302 https://$host/; } "
        + PROXY.removeprefix("location / { ")
        + PROXY,
    ),
    # A challenge that browsers pass: nothing is found, and nothing is said to be well.
    Scenario(
        "",
        "challenge.test",
        severity="",
        proofs=(("curl -sI https://challenge.test/", "HTTP/2 403(.|\n)*cf-mitigated: challenge"),),
        page="location / { add_header CF-Mitigated challenge always; return 403; }",
    ),
)
