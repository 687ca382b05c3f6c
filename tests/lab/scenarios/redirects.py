"""Sites that send visitors the wrong way, or in circles (checklist steps 7, 11 and 15)."""

from tests.lab.scenarios._scenario import PROXY, UPGRADE, Scenario


def _curl(url: str, text: str) -> tuple[str, str]:
    """Return the proof that curl sees this head at a URL."""
    return f"curl -sI '{url}'", text


def _hops(name: str, count: int) -> str:
    """Return locations that redirect / to /1, /1 to /2 and so on before the page."""
    starts = ("/", *(f"/{n}" for n in range(1, count)))
    steps = (f"location = {path} {{ return 301 https://{name}/{n}; }}" for n, path in enumerate(starts, 1))
    return " ".join((*steps, PROXY))


SCENARIOS = (
    Scenario(
        "redirect.missing",
        "no-redirect.test",
        proofs=(_curl("http://no-redirect.test/", "200 OK"),),
        http=PROXY,
    ),
    Scenario(
        "redirect.temporary",
        "temporary.test",
        "302",
        severity="warning",
        proofs=(_curl("http://temporary.test/", "302(.|\n)*Location: https://temporary.test/\\s"),),
        http="return 302 https://$host$request_uri;",
    ),
    Scenario(
        "redirect.partial",
        "partial.test",
        "in clear",
        proofs=(_curl("http://partial.test/", "301"), _curl("http://partial.test/health", "200 OK")),
        declare={"health": "/health"},
        http="location = / { return 301 https://$host/; } " + PROXY,
    ),
    Scenario(
        "redirect.partial",
        "partial-deep.test",
        proofs=(_curl("http://partial-deep.test/", "301"), _curl("http://partial-deep.test/x?y=1", "200 OK")),
        http="location = / { return 301 https://$host/; } " + PROXY,
        app="catch_all",
    ),
    Scenario(
        "redirect.loop",
        "loop-scheme.test",
        proofs=(_curl("https://loop-scheme.test/", "302(.|\n)*location: https://loop-scheme.test/\\s"),),
        page=PROXY.replace("include proxy_params", "proxy_set_header Host $http_host"),
        app="force_https",
    ),
    Scenario(
        "redirect.loop",
        "loop-flip.test",
        proofs=(_curl("https://loop-flip.test/", "301(.|\n)*location: http://loop-flip.test/\\s"),),
        page="return 301 http://$host$request_uri;",
        also=("redirect.downgrade",),
    ),
    Scenario(
        "redirect.loop",
        "loop-hosts.test",
        "www.loop-hosts.test",
        proofs=(
            _curl("https://loop-hosts.test/", "location: https://www.loop-hosts.test/\\s"),
            _curl("https://www.loop-hosts.test/", "location: https://loop-hosts.test/\\s"),
        ),
        app="force_www",
    ),
    Scenario(
        "redirect.too_long",
        "long-way.test",
        severity="warning",
        proofs=(("curl -sL -o /dev/null -w '%{num_redirects} %{http_code}' http://long-way.test/", "^5 200"),),
        page=_hops("long-way.test", 4),
        app="catch_all",
    ),
    Scenario(
        "redirect.too_long",
        "endless.test",
        proofs=(("curl -sL -o /dev/null -w '%{num_redirects} %{http_code}' http://endless.test/", "^13 200"),),
        page=_hops("endless.test", 12),
        app="catch_all",
    ),
    Scenario(
        "redirect.downgrade",
        "downgrade.test",
        "http://downgrade.test/shop",
        proofs=(
            _curl("https://downgrade.test/", "location: http://downgrade.test/shop\\s"),
            _curl("http://downgrade.test/shop", "200 OK"),
        ),
        http="location /shop { " + PROXY.removeprefix("location / { ") + " location / { " + UPGRADE + " }",
        page="location = / { return 302 http://downgrade.test/shop; } " + PROXY,
        also=("proxy.scheme_lost",),
        app="catch_all",
    ),
    Scenario(
        "redirect.malformed",
        "missing-slash.test",
        "missing-slash.testpadlock",
        proofs=(_curl("http://missing-slash.test/a", "Location: https://missing-slash.testa\\s"),),
        http="rewrite ^/(.*)$ https://missing-slash.test$1 permanent;",
    ),
    Scenario(
        "redirect.malformed",
        "wrong-port.test",
        "https://wrong-port.test:80/",
        proofs=(_curl("http://wrong-port.test/", "Location: https://wrong-port.test:80/"),),
        http="return 301 https://$host:$server_port$request_uri;",
    ),
    Scenario(
        "redirect.drops_path",
        "drops-path.test",
        severity="warning",
        proofs=(_curl("http://drops-path.test/a?b=c", "Location: https://drops-path.test/\\s"),),
        http="return 301 https://$host/;",
    ),
    Scenario(
        "redirect.refused",
        "internal.test",
        "10.0.0.5",
        proofs=(_curl("https://internal.test/", "location: https://10.0.0.5/"),),
        page="location = / { return 301 https://10.0.0.5/; } " + PROXY,
        also=("redirect.malformed", "canonical.unexpected", "proxy.host_lost"),
    ),
    Scenario(
        "redirect.refused",
        "other-port.test",
        "8443",
        proofs=(_curl("https://other-port.test/", "location: https://other-port.test:8443/"),),
        page="location = / { return 301 https://other-port.test:8443/; } " + PROXY,
        also=("redirect.malformed",),
    ),
    Scenario(
        "canonical.split",
        "split.test",
        severity="warning",
        proofs=(_curl("https://split.test/", "HTTP/2 200"), _curl("https://www.split.test/", "HTTP/2 200")),
        sibling=PROXY,
    ),
    Scenario(
        "canonical.unexpected",
        "wrong-canonical.test",
        "www.wrong-canonical.test",
        proofs=(_curl("https://wrong-canonical.test/", "location: https://www.wrong-canonical.test/"),),
        declare={"canonical": "wrong-canonical.test"},
        canonical="www",
    ),
    Scenario(
        "canonical.skips_upgrade",
        "skips.test",
        severity="notice",
        proofs=(_curl("http://skips.test/", "Location: https://www.skips.test/"),),
        canonical="www",
        http="return 301 https://www.skips.test$request_uri;",
    ),
    Scenario(
        "redirect.loop",
        "loop-self.test",
        proofs=(_curl("http://loop-self.test/", "Location: http://loop-self.test/\\s"),),
        http="return 301 http://$host$request_uri;",
        also=("redirect.missing",),
    ),
)
