"""What `certbot renew --dry-run` stumbles over: words of certbot or the authority → the likely reason and its fix.

The words are those of Boulder's and Pebble's problem documents (RFC 8555 section 6.7) and of certbot's own messages.
The first entry that fits decides: the special ones stand before the general.
"""

import re
from collections.abc import Sequence

import msgspec

MOST, LONGEST = 20, 500
"""Problems that are looked at, and characters of each."""
_REDO = "then `sudo certbot renew --dry-run`"


class Likely(msgspec.Struct, frozen=True):
    """A likely reason and what to do."""

    words: str
    """A regular expression, tried without regard to case."""
    reason: str
    fix: str = ""
    """Empty: it says nothing of the site's renewal."""


_KNOWN = (
    Likely(
        r"rate.?limit|too many (?:\w+ )*(?:requests|certificates|failed)",
        "the authority limits how often it is asked",
    ),
    Likely(r"another instance of certbot", "certbot was running already"),
    Likely(
        r"could not bind (?:tcp )?port|problem binding to port|address already in use",
        "it is renewed with `--standalone`, which needs port 80 for itself, and nginx has it",
        "Let nginx answer the challenge: `sudo certbot reconfigure --cert-name NAME --nginx` (certbot 2.3 or later), "
        f"{_REDO}.",
    ),
    Likely(
        r"nginx plugin is not working|misconfigurationerror|error while running nginx",
        "certbot cannot use nginx's configuration, which is invalid",
        f"`sudo nginx -t` names file and line; {_REDO}.",
    ),
    Likely(
        r"plugin does not appear to be installed|plugin is not installed|requested (?:\S+ )?plugin",
        "the plugin by which it was issued is no longer installed beside this certbot",
        "Install it from the same source as certbot: `sudo apt install python3-certbot-nginx`, or with snap "
        f"`sudo snap install certbot-dns-…`; `sudo certbot plugins` lists what is there; {_REDO}.",
    ),
    Likely(
        r"manual plugin is not working|manual-auth-hook|authentication script must be provided",
        "it was issued by hand (`--manual`), and no program can repeat that",
        f"Have it issued by a plugin: `sudo certbot --nginx --cert-name NAME` with a `-d` for each name, {_REDO}.",
    ),
    Likely(
        r"caa record|prevents issuance|error:caa",
        "the CAA records of the domain do not permit this authority",
        f'`dig +short CAA {{host}}` and of the parent domains; add `0 issue "letsencrypt.org"`, {_REDO}.',
    ),
    Likely(
        r"nxdomain|no valid (?:a|ip)|servfail|dns problem|error:dns|no such host|could not resolve",
        "the name does not resolve for the authority",
        f"`dig +trace {{host}}`: publish an A record for it, or leave the name out: `sudo certbot --nginx "
        f"--cert-name NAME` with a `-d` for each name that stays; {_REDO}.",
    ),
    Likely(
        r"timeout during connect|likely firewall|i/o timeout|connection timed out|connection reset",
        "a firewall drops the authority's requests to port 80, or an address of the name is not this server's",
        "`sudo ufw status`, the provider's firewall and `dig +short A {host}`, `dig +short AAAA {host}`; open TCP "
        f"80: `sudo ufw allow 80/tcp`; {_REDO}.",
    ),
    Likely(
        r"redirect loop|too many redirects|stopped after \d+ redirects",
        "the challenge's path redirects in a loop",
        "`location ^~ /.well-known/acme-challenge/ { root /var/www/html; }` before the redirect in the block with "
        f"`listen 80`; {_REDO}.",
    ),
    Likely(
        r"connection refused",
        "nothing listens on port 80 at an address of the name",
        "`sudo ss -ltnp 'sport = :80'`, `sudo systemctl start nginx` and a server block with `listen 80; "
        f"listen [::]:80;`; `dig +short AAAA {{host}}` must not name another machine; {_REDO}.",
    ),
    Likely(
        r"(?:invalid response.*|returned )\b40[13]\b",
        "a rule of nginx's refuses the challenge's path",
        "`location ^~ /.well-known/acme-challenge/ { auth_basic off; allow all; root /var/www/html; }` in the block "
        f"with `listen 80`, before every `deny`; {_REDO}.",
    ),
    Likely(
        r"(?:invalid response.*|returned )\b404\b",
        "nginx does not serve the folder into which certbot writes the challenge",
        "The `webroot_path` in `sudo grep -r webroot /etc/letsencrypt/renewal/` must be the `root` of the location "
        f"`/.well-known/acme-challenge/` in the block with `listen 80`; {_REDO}.",
    ),
    Likely(
        r"(?:invalid response.*|returned )\b5\d\d\b|timeout after connect",
        "the challenge is passed on to the app, which does not answer",
        "`location ^~ /.well-known/acme-challenge/ { root /var/www/html; }` before the location with `proxy_pass`; "
        f"{_REDO}.",
    ),
    Likely(
        r"key authorization file|did not match this challenge|does not match|invalid response",
        "another server, or another server block, answers the challenge",
        "`dig +short A {host}` and `dig +short AAAA {host}` must name this server alone; `sudo nginx -T | grep -n "
        f"server_name` must have the name in the block with `listen 80`; {_REDO}.",
    ),
    Likely(
        r"permission denied|errno 13|read-only file system",
        "certbot may not write its own files or the webroot",
        f"`sudo ls -ld /etc/letsencrypt /var/lib/letsencrypt /var/log/letsencrypt` and the webroot; {_REDO}.",
    ),
    Likely(
        r"no space left",
        "the disk is full",
        f"`df -h /etc /var`; {_REDO}.",
    ),
    Likely(
        r"acme[a-z0-9.-]{0,40}letsencrypt\.org.{0,300}(?:max retries|failed to establish|timed out)|"
        r"httpsconnectionpool|requests\.exceptions|name resolution",
        "the machine does not reach the authority: outgoing HTTPS or its resolver does not work",
        f"`curl -I https://acme-v02.api.letsencrypt.org/directory`; allow outgoing TCP 443 and DNS; {_REDO}.",
    ),
    Likely(
        r"account.*(?:not found|does not exist)|accountdoesnotexist",
        "the authority does not know certbot's account any more",
        f"`sudo certbot register`, {_REDO}.",
    ),
)


def likely(problems: Sequence[str]) -> Likely | None:
    """Return the likely reason of a failed dry run; None: none is known."""
    text = "\n".join(line[:LONGEST] for line in problems[:MOST])
    return next((known for known in _KNOWN if re.search(known.words, text, re.IGNORECASE)), None)
