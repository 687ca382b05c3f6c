"""Sites where another server, or a broken app, answers (checklist steps 4, 12 and 13)."""

from tests.lab.pki import Leaf
from tests.lab.scenarios._scenario import PROXY, UPGRADE, WEB, Block, Scenario, own

WELCOME = "root /usr/share/nginx/html;"

SCENARIOS = (
    Scenario(
        "server.default_site",
        "welcome.test",
        proofs=(("curl -s https://welcome.test/", "Welcome to nginx"),),
        page=WELCOME,
    ),
    Scenario(
        "server.default_site",
        "forgotten.test",
        first="certificate.name_mismatch",
        proofs=(("curl -sk https://forgotten.test/", "Welcome to nginx"),),
        blocks=(),
        also=("certificate.untrusted", "redirect.missing", "redirect.partial", "canonical.split"),
    ),
    Scenario(
        "server.unexpected_content",
        "other-app.test",
        proofs=(("curl -s https://other-app.test/", "Under construction"),),
        declare={"expect": {"contains": "Welcome to the shop"}},
        app="construction",
    ),
    Scenario(
        "server.unexpected_content",
        "other-title.test",
        proofs=(("curl -s https://other-title.test/", "<title>Soon</title>"),),
        declare={"expect": {"title": "Shop", "status": 200}},
        app="construction",
    ),
    Scenario(
        "server.addresses_disagree",
        "two-servers.test",
        own(30),
        proofs=(
            ("dig +short two-servers.test", own(30)),
            (f"curl -sI --resolve two-servers.test:443:{own(30)} https://two-servers.test/", "HTTP/2 404"),
        ),
        records=f"@ A {WEB}\n@ A {own(30)}\nwww A {WEB}",
        more_blocks=(
            Block("two-servers.test", UPGRADE, 80, own(30)),
            Block("two-servers.test", "return 404;", 443, own(30)),
        ),
    ),
    Scenario(
        "server.addresses_disagree",
        "half-renewed.test",
        own(31),
        first="certificate.expired",
        proofs=(
            (
                f"openssl s_client -connect {own(31)}:443 -servername half-renewed.test </dev/null 2>&1",
                "certificate has expired",
            ),
        ),
        records=f"@ A {WEB}\n@ A {own(31)}\nwww A {WEB}",
        more_blocks=(
            Block("half-renewed.test", UPGRADE, 80, own(31)),
            Block("half-renewed.test", PROXY, 443, own(31), leaves=("old",)),
        ),
        leaves={"": Leaf(), "old": Leaf(age=93, left=-3)},
    ),
    Scenario(
        "app.unhealthy",
        "unhealthy.test",
        "404",
        proofs=(("curl -sI https://unhealthy.test/healthz", "HTTP/2 404"),),
        declare={"health": "/healthz"},
    ),
    Scenario(
        "app.unhealthy",
        "degraded.test",
        "database",
        proofs=(("curl -s https://degraded.test/health", '"database": *"down"'),),
        declare={"health": {"path": "/health", "json": {"database": "up"}}},
        app="degraded",
    ),
    Scenario(
        "app.bad_gateway",
        "gunicorn-down.test",
        "502",
        proofs=(("curl -sI https://gunicorn-down.test/", "HTTP/2 502"),),
        declare={"health": "/health"},
        page=PROXY.replace("gunicorn.sock", "stopped.sock"),
    ),
    Scenario(
        "app.error",
        "flask-500.test",
        "500",
        proofs=(("curl -sI https://flask-500.test/", "HTTP/2 500"),),
        app="failing",
    ),
    Scenario(
        "app.error",
        "flask-500-health.test",
        "500",
        proofs=(
            ("curl -sI https://flask-500-health.test/", "HTTP/2 500"),
            ("curl -sI https://flask-500-health.test/health", "HTTP/2 200"),
        ),
        declare={"health": "/health"},
        app="failing",
    ),
)
