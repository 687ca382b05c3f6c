"""The seed's eight breakages, each in two disguises or more: how the host is broken, and what Padlock makes of it."""

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from tests.host.host import Host
from tests.host.machine import SITE_FILE
from tests.host.outside import HOST, HOST_6, OTHER, OTHER_6, SITE
from tests.lab.pki import Leaf

WWW = f"www.{SITE}"
RELOAD = "systemctl reload nginx"
CERTBOT = "certbot certonly --webroot -w /var/www/html --non-interactive --force-renewal"
ADDRESSES = {"addresses": [HOST, HOST_6]}


class Breakage(msgspec.Struct, frozen=True):
    """One way to break a healthy host."""

    name: str
    cause: str
    lines: tuple[str, ...] = ()
    """Shell lines that break it."""
    steps: Callable[[Host], None] | None = None
    """What shell lines cannot do; done first."""
    records: str = ""
    """What DNS says instead."""
    heals: bool = True
    """The proposed commands heal it; otherwise there are none, and the remediation tells what to do."""
    confidence: str = "certain"
    declare: Mapping[str, Any] = {}
    dry_run: bool = False


def page(content: str, before: str = "") -> Callable[[Host], None]:
    """Return what makes the app answer with another page."""

    def steps(host: Host) -> None:
        text = host.machine.read("/srv/shop/shop.py").replace("<h1>", f"{content}<h1>")
        host.machine.write(
            "/srv/shop/shop.py", text.replace('@application.get("/")', before + '@application.get("/")')
        )
        host.machine.must("systemctl restart shop")

    return steps


def certificate(age: float, left: float) -> Callable[[Host], None]:
    """Return what lets certbot's and nginx's certificate be of another age."""

    def steps(host: Host) -> None:
        with tempfile.TemporaryDirectory() as directory:
            host.outside.pki.write(Path(directory), "old", Leaf(age=age, left=left, issuer="acme"), [SITE, WWW])
            chain, key = (Path(directory, f"old.{kind}").read_text() for kind in ("pem", "key"))
        leaf, mark, issuer = chain.partition("-----END CERTIFICATE-----\n")
        parts = {"fullchain": chain, "cert": leaf + mark, "chain": issuer, "privkey": key}
        for part, text in parts.items():
            host.machine.write(f"/etc/letsencrypt/archive/{SITE}/{part}1.pem", text)
        host.machine.must(RELOAD)

    return steps


FORCE_HTTPS = """
@application.before_request
def force_https():
    if not request.is_secure:
        return __import__("flask").redirect(request.url.replace("http://", "https://", 1), 301)


"""
CATCH_ALL = (
    "openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=default -days 3650 -keyout /etc/ssl/default.key "
    "-out /etc/ssl/default.pem 2>/dev/null",
    "echo 'server { listen 443 ssl default_server; listen [::]:443 ssl default_server; server_name _; "
    "ssl_certificate /etc/ssl/default.pem; ssl_certificate_key /etc/ssl/default.key; return 404; }' "
    ">/etc/nginx/conf.d/catch-all.conf",
)
"""A default server as many have it: everything unknown gets a self-made certificate and 404."""

BREAKAGES = (
    Breakage(
        "the domain leads to another server",
        "cause.dns_wrong_server",
        records=f"@ 0 A {OTHER}\n@ 0 AAAA {OTHER_6}\nwww 0 A {OTHER}\nwww 0 AAAA {OTHER_6}",
        heals=False,
        confidence="likely",
        declare=ADDRESSES,
    ),
    Breakage(
        "AAAA was forgotten when the site moved",
        "cause.dns_wrong_server",
        records=f"@ 0 A {HOST}\n@ 0 AAAA {OTHER_6}\nwww 0 A {HOST}\nwww 0 AAAA {OTHER_6}",
        heals=False,
        confidence="likely",
        declare=ADDRESSES,
    ),
    Breakage(
        "the site is not enabled",
        "cause.server_name",
        (*CATCH_ALL, "rm /etc/nginx/sites-enabled/shop", RELOAD),
        heals=False,  # which of the files beside nginx's configuration is the site's, nginx does not tell
    ),
    Breakage(
        "the block for port 80 has another name",
        "cause.server_name",
        (
            "ln -s ../sites-available/default /etc/nginx/sites-enabled/default && mkdir -p /var/www/html",
            f"sed -i '/listen 80;/,/^}}/ s/server_name .*/server_name old.{SITE};/' {SITE_FILE}",
            RELOAD,
        ),
    ),
    Breakage(
        "the name is misspelt",
        "cause.server_name",
        (*CATCH_ALL, f"sed -i 's/server_name {SITE};/server_name shop.tset;/' {SITE_FILE}", RELOAD),
    ),
    Breakage(
        "the certificate lacks www",
        "cause.certificate_coverage",
        (f"{CERTBOT} --cert-name {SITE} --renew-with-new-domains -d {SITE}", RELOAD),
    ),
    Breakage(
        "the certificate lacks the apex",
        "cause.certificate_coverage",
        (f"{CERTBOT} --cert-name {SITE} --renew-with-new-domains -d {WWW}", RELOAD),
    ),
    Breakage(
        "ufw lets only 80 in",
        "cause.port_blocked",
        ("ufw allow 22/tcp && ufw allow 80/tcp && ufw --force enable",),
    ),
    Breakage(
        "nftables lets in what it knows",
        "cause.port_blocked",
        (
            "nft 'add table inet filter; add chain inet filter input { type filter hook input priority 0; }; "
            "add rule inet filter input ct state established,related accept; "
            "add rule inet filter input iif lo accept; "
            "add rule inet filter input meta l4proto { icmp, ipv6-icmp } accept; "
            "add rule inet filter input tcp dport { 22, 80 } accept; "
            "add rule inet filter input reject with icmpx type admin-prohibited'",
        ),
    ),
    Breakage(
        "iptables rejects 443",
        "cause.port_blocked",
        ("iptables -A INPUT -p tcp --dport 443 -j REJECT && ip6tables -A INPUT -p tcp --dport 443 -j REJECT",),
    ),
    Breakage(
        "the app forces HTTPS and never learns of it",
        "cause.redirect_loop",
        (f"sed -i 's/include proxy_params;/proxy_set_header Host $host;/' {SITE_FILE}", RELOAD),
        page("", FORCE_HTTPS),
    ),
    Breakage(
        "apex and www send visitors to each other",
        "cause.redirect_loop",
        (
            rf"sed -i '/server_name {SITE};/,/^}}/ s#location / {{#& return 301 https://{WWW}$request_uri;#' "
            f"{SITE_FILE}",
            RELOAD,
        ),
        heals=False,
        confidence="likely",
    ),
    Breakage(
        "an old copy of the site is still enabled",
        "cause.stale_nginx_config",
        (
            f"sed 's#location / {{#& return 404;#; s#proxy_pass.*##; s#include proxy_params;##' {SITE_FILE} "
            ">/etc/nginx/sites-enabled/00-shop.old",
            RELOAD,
        ),
    ),
    Breakage(
        "nginx reads a copy of the certificate that nobody renews",
        "cause.stale_nginx_config",
        (
            "mkdir /etc/nginx/ssl && cp -L /etc/letsencrypt/live/shop.test/*.pem /etc/nginx/ssl/",
            f"sed -i 's#/etc/letsencrypt/live/{SITE}/#/etc/nginx/ssl/#' {SITE_FILE}",
            f"{CERTBOT} --cert-name {SITE} -d {SITE} -d {WWW}",
            RELOAD,
        ),
        certificate(age=95, left=-5),
    ),
    Breakage(
        "the timer was switched off",
        "cause.renewal_broken",
        ("systemctl disable --now certbot.timer",),
        certificate(age=75, left=15),
    ),
    Breakage(
        "the certificate has expired, and no timer runs",
        "cause.renewal_broken",
        ("systemctl disable --now certbot.timer && rm /etc/systemd/padlock-wanted/certbot.timer -f",),
        certificate(age=93, left=-3),
    ),
    Breakage(
        "the challenge is asked of another directory",
        "cause.renewal_broken",
        (f"sed -i 's#/var/www/html#/var/www/old#' /etc/letsencrypt/renewal/{SITE}.conf && mkdir /var/www/old",),
        certificate(age=80, left=10),
        heals=False,
        dry_run=True,
    ),
    Breakage(
        "a script by http://",
        "cause.insecure_urls",
        steps=page(f"<script src='http://{SITE}/app.js'></script>"),
        heals=False,
        confidence="likely",
    ),
    Breakage(
        "a stylesheet and a frame by http://",
        "cause.insecure_urls",
        steps=page(f"<link rel='stylesheet' href='http://{WWW}/a.css'><iframe src='http://{WWW}/map'></iframe>"),
        heals=False,
        confidence="likely",
    ),
    Breakage(
        "renewed, and not reloaded",
        "cause.not_reloaded",
        (
            f"sed -i '/renew_hook/d' /etc/letsencrypt/renewal/{SITE}.conf",
            "certbot renew --force-renewal --quiet --no-random-sleep-on-renew",
        ),
    ),
)
