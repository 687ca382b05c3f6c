"""A healthy machine: nginx before Gunicorn on one host, with certbot's certificate; and verbs that change it."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from padlock import evidence as ev
from padlock.evidence import host as facts
from padlock.probes.host.nginx_config import parse

from tests.evidence_builder import HOSTS, NOW, certificate, change

NAME = "web-1"
NGINX_CONF = "/etc/nginx/nginx.conf"
SITE_FILE = "/etc/nginx/sites-enabled/shop"
LIVE = "/etc/letsencrypt/live/example.com"
CERTIFICATE = f"{LIVE}/fullchain.pem"
KEY = f"{LIVE}/privkey.pem"
EVERYWHERE = "0.0.0.0", "::"  # noqa: S104
RELOAD = "nginx -t && systemctl reload nginx"
SOCKET = "unix:/run/gunicorn.sock"
RENEWED = NOW - timedelta(days=10)
STARTED = NOW - timedelta(days=9)

MAIN = """
user www-data;
worker_processes auto;
events { worker_connections 768; }
http {
    sendfile on;
    include /etc/nginx/sites-enabled/*;
}
"""
SITE = """
server {
    listen 80;
    listen [::]:80;
    server_name example.com www.example.com;
    location /.well-known/acme-challenge/ { root /var/www/html; }
    location / { return 301 https://$host$request_uri; }
}
server {
    listen 443 ssl;
    listen [::]:443 ssl;
    http2 on;
    server_name example.com www.example.com;
    ssl_certificate /etc/letsencrypt/live/example.com/fullchain.pem;
    ssl_certificate_key /etc/letsencrypt/live/example.com/privkey.pem;
    location / {
        include proxy_params;
        proxy_pass http://unix:/run/gunicorn.sock;
    }
}
"""
PROXY_PARAMS = """
proxy_set_header Host $http_host;
proxy_set_header X-Real-IP $remote_addr;
proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
proxy_set_header X-Forwarded-Proto $scheme;
"""
SHIPPED = {NGINX_CONF: MAIN, "/etc/nginx/proxy_params": PROXY_PARAMS}
"""File → its text, as Debian's package has them."""


def dump(files: Mapping[str, str]) -> str:
    """Return the files as `nginx -T` prints them."""
    return "".join(f"# configuration file {file}:\n{text}\n" for file, text in files.items())


def configuration(text: str, file: str = NGINX_CONF) -> tuple[facts.Directive, ...]:
    """Return the directives of one file's text; it includes nothing."""
    return parse(dump({file: text}))


def site(text: str = SITE, **more: str) -> tuple[facts.Directive, ...]:
    """Return the directives of Debian's layout with this text in sites-enabled/shop, and more sites by their name."""
    sites = {SITE_FILE: text} | {f"/etc/nginx/sites-enabled/{name}": each for name, each in more.items()}
    return parse(dump(SHIPPED | sites))


def nginx(**fields: Any) -> facts.Nginx:
    """Return a running nginx that was reloaded after its last change."""
    defaults: dict[str, Any] = {
        "test": facts.Ran("nginx -t", 0, "nginx: configuration file /etc/nginx/nginx.conf test is successful"),
        "version": "1.26.3",
        "running": True,
        "master_started": NOW - timedelta(days=30),
        "workers_started": (STARTED, STARTED),
        "configuration": site(),
        "files": {file: NOW - timedelta(days=20) for file in (*SHIPPED, SITE_FILE)},
    }
    return facts.Nginx(**{**defaults, **fields})


def certificate_file(**fields: Any) -> facts.CertificateFile:
    """Return certbot's pair of files for both hosts, with the leaf that is served."""
    defaults: dict[str, Any] = {
        "path": CERTIFICATE,
        "key_path": KEY,
        "real_path": "/etc/letsencrypt/archive/example.com/fullchain3.pem",
        "modified": RENEWED,
        "key_modified": RENEWED,
        "key_matches": True,
        "certificate": certificate(),
    }
    return facts.CertificateFile(**{**defaults, **fields})


def lineage(**fields: Any) -> facts.Lineage:
    """Return certbot's certificate for both hosts."""
    defaults: dict[str, Any] = {
        "name": "example.com",
        "names": HOSTS,
        "path": CERTIFICATE,
        "key_path": KEY,
        "serial": "04A1B2",
        "not_after": NOW + timedelta(days=80),
        "valid": True,
        "verdict": "VALID: 80 days",
    }
    return facts.Lineage(**{**defaults, **fields})


def certbot(**fields: Any) -> facts.Certbot:
    """Return Debian's certbot with its timer, and a hook that reloads nginx."""
    defaults: dict[str, Any] = {
        "listing": facts.Ran("certbot certificates", 0),
        "version": "2.11.0",
        "lineages": (lineage(),),
        "timers": (facts.RenewalTimer("timer", "certbot.timer", active=True, detail="enabled, active"),),
        "reload_hook": True,
    }
    return facts.Certbot(**{**defaults, **fields})


def host(**fields: Any) -> facts.Host:
    """Return a healthy machine that fits evidence_builder.healthy(), audited a few minutes earlier."""
    defaults: dict[str, Any] = {
        "name": NAME,
        "collected_at": NOW - timedelta(minutes=5),
        "system": "Debian GNU/Linux 13 (trixie)",
        "nginx": nginx(),
        "certificates": (certificate_file(),),
        "certbot": certbot(),
        "filters": (facts.Filter("ufw", allowed=tuple(f"{port}/tcp IPv{v}" for port in (80, 443) for v in (4, 6))),),
        "listeners": tuple(facts.Listener(address, port, "nginx") for address in EVERYWHERE for port in (80, 443)),
        "upstreams": (facts.Upstream(SOCKET, accepts=True),),
        "logs": (
            facts.LogTail("error", "/var/log/nginx/error.log"),
            facts.LogTail("access", "/var/log/nginx/access.log"),
            facts.LogTail("certbot", "/var/log/letsencrypt/letsencrypt.log"),
        ),
    }
    return facts.Host(**{**defaults, **fields})


def with_audit(evidence: ev.Evidence, **fields: Any) -> ev.Evidence:
    """Return the evidence with a healthy machine's audit, but for these of its fields."""
    return change(evidence, host=(host(**fields),))


def with_nginx(evidence: ev.Evidence, **fields: Any) -> ev.Evidence:
    """Return the evidence with the audit of a machine whose nginx differs in these fields."""
    return with_audit(evidence, nginx=nginx(**fields))
