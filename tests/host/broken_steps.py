"""Each step of the checklist, and how it goes wrong on a real host or in the DNS around it."""

from collections.abc import Mapping
from typing import Any

import msgspec

from tests.host.machine import SITE_FILE
from tests.host.outside import HOST, HOST_6, OTHER, OTHER_6

LIVE = "/etc/letsencrypt/live/shop.test"
APP = "http://unix:/run/shop/gunicorn.sock"
RELOAD = "systemctl reload nginx"
APP_BLOCK = "/server_name shop.test;/,/^}/"
"""In the site's file, the lines from the app's own name to the end of its block."""
WWW_BLOCK = "/server_name www.shop.test;/,/^}/"
HSTS = 'add_header Strict-Transport-Security "max-age=31536000; includeSubDomains" always;'
OLD_SITE = (
    "server { listen 443 ssl; listen [::]:443 ssl; server_name shop.test; "
    f"ssl_certificate {LIVE}/fullchain.pem; ssl_certificate_key {LIVE}/privkey.pem; "
    'default_type text/html; return 200 "<title>Old shop</title>"; }'
)


class Broken(msgspec.Struct, frozen=True):
    """One fault, and the steps that fail by it alone."""

    steps: tuple[int, ...]
    fault: str
    """In words."""
    codes: frozenset[str]
    """What fails them, all of it."""
    commands: tuple[str, ...] = ()
    """Lines of shell that break the host."""
    records: str = ""
    """The site's records, where they are at fault."""
    declared: Mapping[str, Any] = {}
    """What the owner declares beyond the usual."""
    unseen: frozenset[int] = frozenset()
    """Steps that nobody can tell of while the fault lasts."""
    heals: bool = False
    """The proposed commands are run; those of what has a cause among the eight are run in test_causes.py."""


def edit(*changes: str) -> str:
    """Return the line that makes these changes of sed's in the site's file."""
    return " ".join(["sed -i", *(f"-e '{change}'" for change in changes), SITE_FILE])


def page(body: str) -> tuple[str, str]:
    """Return the lines that make this the app's front page."""
    return f"sed -i 's|<h1>.*</h1>|{body}|' /srv/shop/shop.py", "systemctl restart shop"


BROKEN = (
    Broken(
        (1,),
        "the name leads to somebody else's server",
        frozenset({"dns.unexpected_address"}),
        records=f"@ 0 A {OTHER}\n@ 0 AAAA {OTHER_6}\nwww 0 A {HOST}\nwww 0 AAAA {HOST_6}",
        declared={"addresses": [HOST, HOST_6]},
    ),
    Broken(
        (2,),
        "www is an alias of a name that is gone",
        frozenset({"dns.dangling_cname"}),
        records=f"@ 0 A {HOST}\n@ 0 AAAA {HOST_6}\nwww 0 CNAME old",
        unseen=frozenset({3, 7, 10, 11, 12, 13, 14, 15, 17}),
    ),
    Broken(
        (3,),
        "the firewall lets port 80 in, and not 443",
        frozenset({"port.https_closed", "firewall.blocked"}),
        (
            "nft 'add table inet filter; add chain inet filter input { type filter hook input priority 0; }; "
            "add rule inet filter input tcp dport 443 reject with tcp reset'",
        ),
        unseen=frozenset({7, 11, 12, 13, 14, 15, 16, 17}),
    ),
    Broken(
        (4,),
        "the app's HTTPS block has another name",
        frozenset({"nginx.server_name_missing"}),
        (edit(f"{APP_BLOCK}s/server_name shop.test;/server_name shop.example;/"), RELOAD),
    ),
    Broken((5,), "a semicolon is missing", frozenset({"nginx.invalid"}), (edit("s/listen 80;/listen 80/"),)),
    Broken(
        (6,),
        "the configuration was changed, and not loaded",
        frozenset({"nginx.not_reloaded"}),
        ("sleep 5.2", edit("$ a # changed")),
    ),
    Broken(
        (7,),
        "the HTTP block serves the app",
        frozenset({"redirect.missing", "nginx.no_redirect"}),
        (
            edit(f"s|return 301 https://$host.*|include proxy_params; proxy_pass {APP}; }}|"),
            RELOAD,
        ),
        heals=True,
    ),
    Broken(
        (8,),
        "the certificate is for one of the two names",
        frozenset({"certificate.name_mismatch", "certbot.names"}),
        (
            "certbot certonly --non-interactive --webroot --webroot-path /var/www/html --cert-name shop.test "
            "-d shop.test --renew-with-new-domains",
            RELOAD,
        ),
    ),
    Broken(
        (9,),
        "nginx names the numbered files, which no renewal touches",
        frozenset({"nginx.certificate_path"}),
        (edit(r"s|live/shop.test/\([a-z]*\).pem|archive/shop.test/\11.pem|"), RELOAD),
    ),
    Broken(
        (10,),
        "nginx speaks plain HTTP on port 443",
        frozenset({"port.not_tls"}),
        (edit("s/443 ssl http2;/443;/"), RELOAD),
        unseen=frozenset({11, 12, 13, 14, 15, 16, 17}),
        heals=True,
    ),
    Broken(
        (11,),
        "HTTPS redirects back to HTTP",
        frozenset({"redirect.loop"}),
        (edit(f"{APP_BLOCK}s|proxy_pass .*|return 301 http://$host$request_uri;|"), RELOAD),
        unseen=frozenset({12, 13, 16, 17}),
    ),
    Broken(
        (12,),
        "a forgotten site of the same name comes first",
        frozenset({"server.default_site", "server.unexpected_content"}),
        (f"echo '{OLD_SITE}' >/etc/nginx/sites-enabled/old", RELOAD),
        declared={"expect": {"title": "Shop"}},
    ),
    Broken(
        (13, 18),
        "the app is down",
        frozenset({"app.bad_gateway", "upstream.unreachable"}),
        ("systemctl stop shop",),
        unseen=frozenset({12, 15, 16}),
    ),
    Broken(
        (14,),
        "certbot's timer is off",
        frozenset({"certbot.no_timer"}),
        ("systemctl disable --now certbot.timer",),
    ),
    Broken(
        (15,),
        "HSTS for every subdomain, while www's certificate is not accepted",
        frozenset({"hsts.premature"}),
        (edit(f"{APP_BLOCK}s|location / {{|{HSTS} &|", f"{WWW_BLOCK}s/fullchain.pem/cert.pem/"), RELOAD),
    ),
    Broken(
        (16,),
        "the page loads a script and an image in clear",
        frozenset({"content.mixed_active", "content.mixed_passive"}),
        page("<script src=http://shop.test/a.js></script><img src=http://shop.test/a.png>"),
    ),
    Broken(
        (17,),
        "the app gets no forwarded headers, and calls itself by what it sees",
        frozenset({"nginx.proxy_headers", "proxy.host_lost"}),
        (edit("/include proxy_params/d"), RELOAD, *page("<link rel=canonical href={request.url_root}>")),
        heals=True,
    ),
)
