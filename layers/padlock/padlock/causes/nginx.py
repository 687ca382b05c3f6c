"""Causes in nginx's configuration: stale, not loaded, or without the name (checklist steps 4 to 6 and 9)."""

from collections.abc import Iterator, Sequence

from padlock.causes._clues import ANOTHER_SITE, CERTIFICATE, Clues, about, cause, hosts, refused
from padlock.findings import Cause, Finding

_STALE = ("nginx.conflicting_server_name", "nginx.certificate_path")
_LACKING = ("nginx.server_name_missing", "nginx.no_https_listener")
_UNHEARD = ("port.https_closed", "port.not_tls", "redirect.downgrade")
_WRONG_BLOCK = (*ANOTHER_SITE, *CERTIFICATE, "app.bad_gateway", "app.error", "app.unhealthy")


def stale_config(clues: Clues) -> Iterator[Cause]:
    """Look for a duplicate or forgotten site, or certificate paths that nobody renews."""
    seen = clues.any(*_STALE)
    if not seen:
        return
    # Where nginx -t fails for the files named there, that is the same fault.
    shown = [*about(clues.any(*_WRONG_BLOCK, "redirect.loop", "canonical.unexpected"), seen)]
    paths = clues.errors("nginx.certificate_path")
    down = clues.errors("nginx.inactive") if any(found.commands for found in paths) else []
    shown += clues.errors("nginx.invalid") if paths else []
    shown += about(clues.any("tls.handshake_failed"), [found for found in paths if "not the key" in found.observed])
    if down:
        shown += [*refused(clues), *clues.errors("renewal.challenge_unreachable", "upstream.unreachable")]
    clues.take([*seen, *down, *shown])
    duplicate = any(finding.code == "nginx.conflicting_server_name" for finding in seen)
    what = "two server blocks claim the name, and nginx ignores the later one" if duplicate else ""
    if any(finding.code == "nginx.certificate_path" for finding in seen):
        what += (", and " if what else "") + "its certificate paths are not the files that are renewed"
    yield cause(
        "cause.stale_nginx_config",
        [*seen, *down],
        f"An old or wrong configuration is active in nginx for {hosts(seen)}: {what}. "
        + ("nginx does not run." if down else "Requests meet the wrong site or the wrong certificate."),
        "\n".join(dict.fromkeys(finding.remediation for finding in seen)),
        shown=shown,
    )


def not_reloaded(clues: Clues) -> Iterator[Cause]:
    """Look for files that are newer than what nginx runs with."""
    seen = clues.any("nginx.not_reloaded")
    newer = clues.any("renewal.newer_certificate_not_served")
    if not seen and not newer:
        return
    # A name that the files lack is no matter of a reload.
    lacking = clues.errors("nginx.server_name_missing", "nginx.no_https_listener")
    brought = () if lacking else ANOTHER_SITE
    expired = CERTIFICATE if newer or any("visitors get serial" in finding.observed for finding in seen) else ()
    named = [finding for finding in clues.any(*brought, *expired) if finding not in newer]
    # nginx is one for all names of the site; a served certificate belongs to the names that meet it.
    shown = named if seen else about(named, newer)
    if clues.errors("nginx.not_reloaded") and not lacking:
        shown = [*shown, *refused(clues), *clues.any("port.not_tls")]
    clues.take([*seen, *newer, *shown])
    yield cause(
        "cause.not_reloaded",
        [*seen, *newer],
        f"nginx was not reloaded: the files for {hosts([*seen, *newer])} are newer than what it runs with, so that "
        "visitors still get the old ones."
        if seen
        else f"A newer certificate for {hosts(newer)} exists, but the old one is served. nginx was not reloaded "
        "after the renewal, or a proxy in front of it serves its own.",
        "`sudo nginx -t && sudo systemctl reload nginx`; so that each renewal does it, put that into an executable "
        "file under /etc/letsencrypt/renewal-hooks/deploy. Where a CDN or load balancer ends TLS, renew the "
        "certificate there.",
        shown=shown,
    )


def _lacks(seen: Sequence[Finding]) -> Iterator[str]:
    """Yield what nginx lacks, in words."""
    silent = [finding for finding in seen if finding.code == "nginx.no_https_listener"]
    unnamed = [finding for finding in seen if finding.code == "nginx.server_name_missing"]
    if silent:
        yield f"nginx does not speak HTTPS for {hosts(silent)}: no server block with the name has `listen 443 ssl;`."
    if unnamed:
        yield (
            f"On a port of the site no server block of nginx names {hosts(unnamed)}, so that its default server "
            "answers: another block, with its own certificate and its own pages."
        )
    elif not silent:
        yield (
            f"No server block of nginx names {hosts(seen)}, so the default server answers. It has its own "
            "certificate and its own pages."
        )


def server_name(clues: Clues) -> Iterator[Cause]:
    """Look for a name that no server block has."""
    lacking = clues.errors(*_LACKING)
    # The site's own block may answer by accident: a warning, unless visitors meet what it brings about.
    met = clues.errors(*ANOTHER_SITE, "canonical.unexpected")
    beside = [found for found in about(clues.any(*_LACKING), met) if found not in lacking]
    default = clues.errors("server.default_site")
    # Once the host has been asked, its word goes before what it looks like.
    default = about(default, [*lacking, *beside]) if lacking or beside else default
    seen = [*lacking, *beside, *default]
    if not seen:
        return
    shown = about(clues.any(*_WRONG_BLOCK, *_UNHEARD, "canonical.unexpected"), [*lacking, *default])
    shown += [found for found in about(met, beside) if found not in shown]
    shown += about(clues.any("redirect.loop"), [finding for finding in lacking if "in a loop" in finding.observed])
    shown = [finding for finding in shown if finding not in seen]
    clues.take([*seen, *shown])
    yield cause(
        "cause.server_name",
        seen,
        " ".join(_lacks(seen)),
        f"`sudo nginx -T | grep -n server_name` must show {hosts(seen)} in the block with `listen 443 ssl;`; link "
        "the site into /etc/nginx/sites-enabled if it is missing, then `sudo nginx -t && sudo "
        "systemctl reload nginx`.",
        shown=shown,
    )
