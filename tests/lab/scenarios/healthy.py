"""Sites with nothing wrong: the twins of the broken ones, and the variants that must never raise an alarm."""

from typing import Any

from tests.lab.pki import Leaf
from tests.lab.scenarios._scenario import PROXY, UPGRADE, WEB, WEB_6, Block, Scenario, both, own

TESTNET = "198.18.0.1"
SIX_DAYS = Leaf(age=1, left=5.6)
_SIGNING = f"openssl s_client -tls1_2 -connect {WEB}:443 -servername"
_REFUSES_HEAD = "if ($request_method = HEAD) { return 405; } "


def _healthy(name: str, **fields: Any) -> Scenario:
    """Return a healthy site; `proofs` default to a page that curl gets with a certificate that it trusts."""
    canonical = name if fields.get("canonical") != "www" else "www." + name.removeprefix("www.")
    proof = (f"curl -sSL http://{name}/", f"Welcome to the shop at https://{canonical}/")
    return Scenario("", name, severity="", **{"proofs": (proof,), **fields})


def _own(name: str, number: int, **fields: Any) -> Scenario:
    """Return a healthy site on an address of its own."""
    return _healthy(name, records=both(own(number)), address=own(number), **fields)


SCENARIOS = (
    _healthy(
        "shop.test",
        records=f"{both(WEB)}\nintranet A {WEB}",
        declare={"health": "/health", "addresses": [WEB], "canonical": "shop.test"},
    ),
    _healthy("www.shop-www.test", canonical="www", declare={"canonical": "www.shop-www.test"}),
    _healthy("shop-www-by-apex.test", canonical="www", declare={"canonical": "www.shop-www-by-apex.test"}),
    _healthy(
        "dual-stack.test",
        records=f"@ A {WEB}\n@ AAAA {WEB_6}\nwww CNAME @",
        declare={"addresses": [WEB, WEB_6], "health": "/health"},
        more_blocks=(
            Block("dual-stack.test www.dual-stack.test", UPGRADE, 80, WEB_6),
            Block("dual-stack.test", PROXY, 443, WEB_6),
            Block("www.dual-stack.test", "return 301 https://dual-stack.test$request_uri;", 443, WEB_6),
        ),
        also=("dns.cname_chain",),
    ),
    _healthy("ipv4-only.test", declare={"addresses": [WEB]}),
    _healthy("no-www-declared.test", records=f"@ A {WEB}", declare={"hosts": ["no-www-declared.test"]}),
    _healthy("intranet.shop.test", nameservers=(), records="", declare={"hosts": ["intranet.shop.test"]}),
    _healthy(
        "ecdsa-only.test",
        proofs=(
            (f"{_SIGNING} ecdsa-only.test -sigalgs ECDSA+SHA256 </dev/null 2>&1", "Verify return code: 0"),
            (f"{_SIGNING} ecdsa-only.test -sigalgs RSA+SHA256 </dev/null 2>&1", "handshake failure"),
        ),
    ),
    _healthy("rsa.test", leaves={"": Leaf(key="rsa")}),
    _own(
        "rsa-and-ecdsa.test",
        40,
        blocks=(
            Block("rsa-and-ecdsa.test www.rsa-and-ecdsa.test", UPGRADE, 80, own(40)),
            Block("rsa-and-ecdsa.test", PROXY, 443, own(40), leaves=("ec", "rsa")),
            Block(
                "www.rsa-and-ecdsa.test",
                "return 301 https://rsa-and-ecdsa.test$request_uri;",
                443,
                own(40),
                leaves=("ec", "rsa"),
            ),
        ),
        leaves={"ec": Leaf(), "rsa": Leaf(key="rsa")},
    ),
    _own("tls13-only.test", 41, page="ssl_protocols TLSv1.3; " + PROXY),
    _own("tls12-only.test", 42, page="ssl_protocols TLSv1.2; " + PROXY),
    _healthy("permanent-308.test", http="return 308 https://$host$request_uri;"),
    _healthy(
        "temporary-declared.test",
        http="return 302 https://$host$request_uri;",
        declare={"redirect": "temporary"},
    ),
    _healthy("wildcard.test", leaves={"": Leaf(names=("*.wildcard.test", "wildcard.test"))}),
    _healthy("health-204.test", app="health_204", declare={"health": "/health"}),
    _healthy("health-301.test", app="health_301", declare={"health": "/health"}),
    _healthy("health-json.test", declare={"health": {"path": "/health", "json": {"database": "up"}}}),
    _healthy("expected.test", declare={"expect": {"contains": "Welcome to the shop", "title": "Shop"}}),
    _own(
        "only-site.test",
        43,
        blocks=(
            Block("_", UPGRADE, 80, own(43), listen="default_server"),
            Block("only-site.test", PROXY, 443, own(43), listen="ssl http2 default_server"),
            Block("www.only-site.test", "return 301 https://only-site.test$request_uri;", 443, own(43)),
        ),
        declare={"expect": {"contains": "Welcome to the shop"}},
    ),
    _own(
        "catches-all.test",
        44,
        blocks=(
            Block("_", UPGRADE, 80, own(44), listen="default_server"),
            Block("catches-all.test", PROXY, 443, own(44), listen="ssl http2 default_server"),
        ),
        declare={"hosts": ["catches-all.test"]},
    ),
    _healthy(
        "two-addresses.test",
        records=f"@ A {WEB}\n@ A {own(45)}\nwww A {own(45)}\nwww A {WEB}",
        more_blocks=(
            Block("two-addresses.test www.two-addresses.test", UPGRADE, 80, own(45)),
            Block("two-addresses.test", PROXY, 443, own(45)),
            Block("www.two-addresses.test", "return 301 https://two-addresses.test$request_uri;", 443, own(45)),
        ),
    ),
    _own(
        "closed-80.test",
        46,
        http="",
        declare={"ports": {"http": "closed"}},
        proofs=(("curl -s https://closed-80.test/", "Welcome"),),
    ),
    # A server without EDNS answers FORMERR, and is asked again without (RFC 6891 section 6.2.2).
    _healthy("no-edns.test", nameservers=("odd",), dns="no_edns"),
    # No default server for TLS: nothing is said to those who do not know a name.
    _own(
        "no-default.test",
        47,
        blocks=(
            Block("_", "ssl_reject_handshake on;", 443, own(47), listen="ssl http2 default_server", leaves=()),
            Block("no-default.test www.no-default.test", UPGRADE, 80, own(47)),
            Block("no-default.test", PROXY, 443, own(47)),
            Block("www.no-default.test", "return 301 https://no-default.test$request_uri;", 443, own(47)),
        ),
    ),
    # The default server hangs up on strangers, as nginx's 444 does.
    _own(
        "hangs-up.test",
        48,
        blocks=(
            Block("_", "return 444;", 443, own(48), listen="ssl http2 default_server"),
            Block("_", "return 444;", 80, own(48), listen="default_server"),
            Block("hangs-up.test www.hangs-up.test", UPGRADE, 80, own(48)),
            Block("hangs-up.test", PROXY, 443, own(48)),
            Block("www.hangs-up.test", "return 301 https://hangs-up.test$request_uri;", 443, own(48)),
        ),
    ),
    _healthy(
        "old-path.test", page="location = / { return 301 https://old-path.test/en/; } " + PROXY, app="catch_all"
    ),
    _healthy(
        "private-ca.test",
        leaves={"": Leaf(issuer="unknown")},
        private_ca=True,
        proofs=(("curl -sS --cacert $CERTIFICATES/private-root.pem https://private-ca.test/", "Welcome"),),
    ),
    _healthy("wildcard-dns.test", records=f"@ A {WEB}\n* A {WEB}"),
    # The www of a name below the apex exists by the wildcard alone, and nobody means it.
    _healthy(
        "app.wildcard-dns.test",
        nameservers=(),
        records="",
        blocks=(Block("app.wildcard-dns.test", UPGRADE, 80), Block("app.wildcard-dns.test", PROXY)),
        leaves={"": Leaf(names=("app.wildcard-dns.test",))},
    ),
    _healthy("cached.test", http="return 301 https://cached.test$request_uri;"),
    # Declared as its owner writes it.
    _healthy(
        "xn--bcher-kva.test",
        declare={"name": "bücher.test", "health": "/health"},
        proofs=(("curl -sSL http://xn--bcher-kva.test/", "Welcome to the shop at https://bücher.test/"),),
    ),
    _healthy(
        "head-refused.test",
        http=_REFUSES_HEAD + UPGRADE,
        page=_REFUSES_HEAD + PROXY,
        sibling=_REFUSES_HEAD + "return 301 https://head-refused.test$request_uri;",
        proofs=(
            (
                "curl -sI https://head-refused.test/; curl -sI http://www.head-refused.test/",
                "HTTP/2 405(.|\n)*1.1 405",
            ),
            ("curl -sSL http://head-refused.test/", "Welcome to the shop at https://head-refused.test/"),
        ),
    ),
    # Who asks through another resolver is sent to another machine, which serves the same.
    _healthy(
        "geographic.test",
        records=both(WEB),
        elsewhere=own(49),
        more_blocks=(
            Block("geographic.test www.geographic.test", UPGRADE, 80, own(49)),
            Block("geographic.test", PROXY, 443, own(49)),
            Block("www.geographic.test", "return 301 https://geographic.test$request_uri;", 443, own(49)),
        ),
        proofs=(
            ("dig +short @1.1.1.1 geographic.test", f"^{WEB}$"),
            ("dig +short @9.9.9.9 geographic.test; dig +short @9.9.9.9 www.geographic.test", f"^({own(49)}\n){{2}}$"),
            (
                f"curl -sS --resolve geographic.test:443:{own(49)} https://geographic.test/",
                "Welcome to the shop at https://geographic.test/",
            ),
        ),
        also=("dns.resolvers_disagree",),
    ),
    _healthy("cross-signed.test", leaves={"": Leaf(sent=("leaf", "issuer", "cross"))}),
    _healthy("six-days.test", leaves={"": SIX_DAYS}),
    _healthy(
        "thousand-names.test",
        leaves={
            "": Leaf(
                names=(
                    "thousand-names.test",
                    "www.thousand-names.test",
                    *(f"n{n}.thousand-names.test" for n in range(998)),
                )
            )
        },
    ),
    _healthy(
        "hsts.test",
        page="add_header Strict-Transport-Security 'MAX-AGE=\"63072000\" ; includeSubDomains;' always; " + PROXY,
        sibling=(
            "add_header Strict-Transport-Security 'max-age=63072000; includeSubDomains' always; "
            "return 301 https://hsts.test$request_uri;"
        ),
        declare={"hsts": "required"},
    ),
    _healthy(
        "acme.test", http="location /.well-known/acme-challenge/ { return 404; } location / { " + UPGRADE + " }"
    ),
    _healthy("provider.test", records="@ A 45.83.1.1\nwww CNAME web.hosting.test.", declare={"addresses": [WEB]}),
    _healthy(
        "private-network.test",
        records=both(TESTNET),
        address=TESTNET,
        declare={"networks": ["198.18.0.0/24"], "addresses": ["198.18.0.0/24"]},
    ),
)
