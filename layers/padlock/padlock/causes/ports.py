"""Causes between the network and nginx: a firewall in the way, or nothing that listens (checklist step 3)."""

import re
from collections.abc import Iterator, Sequence
from typing import Literal

from padlock.causes._clues import CLOSED, Clues, cause, hosts, refused
from padlock.findings import Cause, Finding

_NOT_LISTENING = (
    "nginx.no_https_listener",
    "nginx.server_name_missing",
    "nginx.not_reloaded",
    "nginx.inactive",
)
"""Why nothing listens, in the host's words."""
_UNREACHED = re.compile(
    r": connection: |connection (?:refused|reset|timed out)|timeout|deadline exceeded", re.IGNORECASE
)
"""How the authority says that it met no open port."""


def _unreached(clues: Clues) -> list[Finding]:
    """Return the failed dry runs whose challenges met no open port."""
    return [f for f in clues.errors("certbot.dry_run_failed") if _UNREACHED.search(f.observed)]


def nginx_down(clues: Clues) -> Iterator[Cause]:
    """Look for an nginx that does not run, as the host itself says."""
    seen = clues.errors("nginx.inactive")
    if not seen or any(found.commands for found in clues.errors("nginx.certificate_path")):
        return  # started with wrong paths it would not serve either: they are mended first
    broken = clues.errors("nginx.invalid")
    shown = [
        *refused(clues),
        *clues.errors("renewal.challenge_unreachable", "upstream.unreachable"),
        *_unreached(clues),
    ]
    clues.take([*seen, *broken, *shown])
    why = "its configuration is invalid, so that it cannot start" if broken else "it was stopped or has crashed"
    yield cause(
        "cause.nginx_down",
        [*broken, *seen],
        f"nginx does not run on the server of {hosts(seen)}: {why}. Nobody answers visitors.",
        "`sudo nginx -t`, `sudo systemctl start nginx`, `sudo systemctl status nginx`; where it fails again: `sudo "
        "journalctl -u nginx -n 50`.",
        shown=shown,
    )


def blocked(clues: Clues) -> Iterator[Cause]:
    """Look for a port that lets nobody through."""
    # A port that opens and then hangs up is blocked by nobody.
    closed = [f for f in clues.any(*CLOSED) if not f.observed.startswith("the port opens")]
    rules = clues.errors("firewall.blocked")
    seen = [*closed, *rules]
    if not closed and not rules:
        return
    # A firewall drops packets without an answer; a refusal comes from the machine, where nothing listens.
    dropped = bool(rules) or any(f not in refused(clues) for f in closed)
    if not rules and not dropped and clues.errors(*_NOT_LISTENING):
        return  # the host says why nothing listens
    shown = [*_ipv6(clues, rules), *clues.errors("renewal.challenge_unreachable")]
    if any(f.code == "port.http_closed" or "80/tcp" in f.observed for f in seen):
        shown += _unreached(clues)
    clues.take([*seen, *shown])
    named = _met(seen, shown)
    confidence: Literal["likely", "possible"] = "likely" if dropped else "possible"
    yield cause(
        "cause.port_blocked",
        seen,
        f"A firewall in front of {hosts(named)} keeps visitors away from the port."
        if dropped
        else f"Nothing listens on the port of {hosts(named)} at the address that visitors use, or a firewall rejects "
        "it. nginx may be stopped, or listen on 127.0.0.1 alone.",
        "`sudo ufw status` and `sudo ufw allow 'Nginx Full'`; the provider's firewall or security group must let TCP "
        "80 and 443 in over IPv4 and IPv6. Then `sudo systemctl status nginx` and `sudo ss -ltnp '( sport = :80 or "
        "sport = :443 )'`."
        if dropped
        else "`sudo systemctl status nginx`, then `sudo ss -ltnp '( sport = :80 or sport = :443 )'`: nginx must "
        "listen on `0.0.0.0` and `[::]`, as with `listen 443 ssl;` and `listen [::]:443 ssl;`, and not on 127.0.0.1 "
        "alone. If it does, a firewall rejects visitors: `sudo ufw status`, `sudo nft list ruleset`.",
        shown=shown,
        confidence=confidence,
    )


def _ipv6(clues: Clues, rules: Sequence[Finding]) -> list[Finding]:
    """Return the IPv6 addresses that do not work, where a firewall is closed to IPv6."""
    return clues.any("dns.ipv6_broken") if any("IPv6" in f.observed for f in rules) else []


def _met(seen: Sequence[Finding], shown: Sequence[Finding]) -> Sequence[Finding]:
    """Return the findings of the hosts that visitors cannot reach; a firewall's own is about the whole machine."""
    met = [f for f in (*seen, *shown) if f.code in (*CLOSED, "dns.ipv6_broken")]
    return met or seen
