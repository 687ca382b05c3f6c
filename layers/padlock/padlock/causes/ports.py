"""Causes between the network and nginx: a firewall in the way, or nothing that listens (checklist step 3)."""

from collections.abc import Iterator
from typing import Literal

from padlock.causes._clues import Clues, cause, hosts
from padlock.findings import Cause

_CLOSED = ("port.https_closed", "port.http_closed")


def nginx_down(clues: Clues) -> Iterator[Cause]:
    """Look for an nginx that does not run, as the host itself says."""
    seen = clues.errors("nginx.inactive")
    if not seen:
        return
    broken = clues.errors("nginx.invalid")
    # A refusal comes from the machine; what gets no answer at all is a firewall's.
    refused = [f for f in clues.any(*_CLOSED) if "no answer" not in f.observed and "firewall" not in f.observed]
    shown = [*refused, *clues.errors("renewal.challenge_unreachable", "upstream.unreachable")]
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
    closed = [f for f in clues.any(*_CLOSED) if not f.observed.startswith("the port opens")]
    rules = clues.errors("firewall.blocked")
    seen = [*closed, *rules]
    if not closed and not rules:
        return
    # A firewall drops packets without an answer; a refusal comes from the machine, where nothing listens.
    dropped = bool(rules) or any("no answer" in f.observed or "firewall" in f.observed for f in closed)
    if not rules and not dropped and clues.errors("nginx.no_https_listener", "nginx.server_name_missing"):
        return  # the host says why nothing listens
    shown = clues.errors("renewal.challenge_unreachable")
    clues.take([*seen, *shown])
    confidence: Literal["likely", "possible"] = "likely" if dropped else "possible"
    yield cause(
        "cause.port_blocked",
        seen,
        f"A firewall in front of {hosts(seen)} keeps visitors away from the port."
        if dropped
        else f"Nothing listens on the port of {hosts(seen)}, or a firewall rejects it. nginx may be stopped.",
        "`sudo ufw status` and `sudo ufw allow 'Nginx Full'`; the provider's firewall or security group must let TCP "
        "80 and 443 in over IPv4 and IPv6. Then `sudo systemctl status nginx` and `sudo ss -ltnp '( sport = :80 or "
        "sport = :443 )'`.",
        shown=shown,
        confidence=confidence,
    )
