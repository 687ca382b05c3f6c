"""Sites whose certificate is not renewed, or will not be (checklist steps 7 and 14)."""

from tests.lab.pki import Leaf
from tests.lab.scenarios._scenario import PROXY, UPGRADE, Scenario

_SHOP = f"location / {{ {UPGRADE} }}"


def _healthy(name: str, leaf: Leaf, **fields: object) -> Scenario:
    """Return a healthy site with this certificate."""
    proof = (f"curl -sSL http://{name}/", f"Welcome to the shop at https://{name}/")
    scenario = {"severity": "", "leaves": {"": leaf}, "proofs": (proof,), **fields}
    return Scenario("", name, **scenario)  # type: ignore[arg-type]


def _challenge(name: str, location: str, status: str, says: str, page: str = "") -> Scenario:
    """Return a site with this location of nginx on port 80, where curl sees this status for a challenge."""
    asked = f"curl -s -o /dev/null -w 'code %{{http_code}}' http://{name}/.well-known/acme-challenge/token || true"
    fields = {"page": f"{page} {PROXY}"} if page else {"http": f"{location} {_SHOP}"}
    return Scenario(
        "renewal.challenge_unreachable",
        name,
        says,
        proofs=((asked, f"code {status}"),),
        **fields,  # type: ignore[arg-type]
    )


SCENARIOS = (
    Scenario(
        "renewal.overdue",
        "overdue.test",
        "not renewed",
        proofs=(("openssl s_client -connect overdue.test:443 </dev/null 2>&1", "O ?= ?Let's Encrypt"),),
        leaves={"": Leaf(issuer="acme", age=66, left=24)},
        also=("certificate.expiring",),
    ),
    Scenario(
        "renewal.overdue",
        "overdue-six-days.test",
        "not renewed",
        proofs=(("openssl s_client -connect overdue-six-days.test:443 </dev/null 2>&1", "O ?= ?Let's Encrypt"),),
        leaves={"": Leaf(issuer="acme", age=5, left=1.6)},
        also=("certificate.expiring",),
    ),
    Scenario(
        "renewal.suggested_now",
        "suggested.test",
        "https://example.com/docs/ari",
        severity="warning",
        proofs=(("curl -s https://acme.ca.test/directory", "renewalInfo"),),
        leaves={"": Leaf(issuer="acme", wanted_now=True)},
    ),
    Scenario(
        "renewal.newer_certificate_not_served",
        "not-reloaded.test",
        "Let's Encrypt issued serial",
        proofs=(("curl -s 'https://logs.ca.test/search?q=not-reloaded.test'", "not-reloaded.test"),),
        leaves={"": Leaf(issuer="acme", age=40, left=50, renewed=5)},
    ),
    _challenge("acme-hidden.test", r"location ~ /\. { deny all; }", "403", "answers 403"),
    _challenge(
        "acme-password.test",
        'location ^~ /.well-known/ { auth_basic "private"; auth_basic_user_file /dev/null; root certificates; }',
        "401",
        "answers 401",
    ),
    _challenge("acme-303.test", "location /.well-known/ { return 303 https://$host$request_uri; }", "303", "303"),
    _challenge("acme-503.test", "location /.well-known/ { return 503; }", "503", "answers 503"),
    _challenge("acme-hangs-up.test", "location /.well-known/ { return 444; }", "000", "gives no answer"),
    _challenge(
        "acme-port.test", "location /.well-known/ { return 301 https://$host:8443$request_uri; }", "301", "8443"
    ),
    _challenge(
        "acme-welcome.test",
        "location /.well-known/ { default_type text/html; return 200 '<title>Welcome to nginx!</title>'; }",
        "200",
        "welcome page",
    ),
    # Plain HTTP leads to HTTPS, and the way ends there.
    _challenge("acme-behind-https.test", "", "301", "answers 403", page=r"location ~ /\. { deny all; }"),
)

FRESH = Leaf(issuer="acme")

HEALTHY = (
    _healthy("acme-issued.test", FRESH),
    # In the middle of the issuer's window: most clients renew today, some tomorrow.
    _healthy("acme-window.test", Leaf(issuer="acme", age=60, left=30)),
    _healthy("acme-six-days.test", Leaf(issuer="acme", age=3.2, left=3.4)),
    _healthy("acme-45-days.test", Leaf(issuer="acme", age=30, left=15)),
    _healthy(
        "acme-webroot.test",
        FRESH,
        http=f"location ^~ /.well-known/acme-challenge/ {{ root certificates; }} {_SHOP}",
    ),
    # Any path is the app's, over HTTPS: certbot's own location would stand before it.
    _healthy("acme-catch-all.test", FRESH, app="catch_all", also=("app.health_missing",)),
    # A wildcard is renewed over DNS, whatever stands at the place of challenges.
    _healthy(
        "acme-wildcard.test",
        Leaf(issuer="acme", names=("*.acme-wildcard.test", "acme-wildcard.test")),
        http=f"location /.well-known/ {{ return 403; }} {_SHOP}",
    ),
)
