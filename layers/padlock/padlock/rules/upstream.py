"""Whether what nginx passes requests on to accepts connections on the machine (checklist's debugging section)."""

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta

from padlock.evidence import Evidence, Host, Upstream
from padlock.findings import Severity
from padlock.rules._machines import each, on, shell, unread
from padlock.rules._nginx import read
from padlock.rules._passes import Pass, passes, target
from padlock.rules._rule import NotApplicable, Outcome, Problem, Unknown, rule
from padlock.rules._subjects import listed, quoted
from padlock.site import Site

_FRESH = timedelta(hours=1)
"""What a machine said that lately counts, though the front page works: it may be another part of the site."""
_UNIT = re.compile(r"[A-Za-z0-9][A-Za-z0-9:_.@-]*")
_NO_ACCESS = (
    "nginx's user may not use the socket: the unit of the app needs `Group=www-data` and `UMask=0007` (or "
    "`SocketUser=www-data` in its .socket unit), and each folder above the socket `x` for that user: `sudo namei -l "
    "PATH`. Then `sudo systemctl daemon-reload` and restart the app."
)


@rule(
    "upstream.unreachable",
    Severity.ERROR,
    step=13,
    reads="host",
    summary="the app does not accept connections",
    impact="nginx answers 502 Bad Gateway in place of the app.",
    remediation="`sudo systemctl status gunicorn` and `sudo journalctl -u gunicorn -n 50` show why it stopped "
    "(`systemctl list-units --type=service | grep -iE 'gunicorn|uvicorn|uwsgi'` if the unit has another name); `sudo "
    "systemctl restart gunicorn`. Its `--bind` must be what `sudo nginx -T | grep -n _pass` names.",
    reference="checklist step 13 and its debugging section",
)
def unreachable(site: Site, evidence: Evidence) -> Iterator[Outcome]:
    """Find sockets and ports to which nginx passes the site's requests on, and which accept no connection."""
    yield from each(evidence, lambda machine: _judged(site, evidence, machine))


def _judged(site: Site, evidence: Evidence, machine: Host) -> Iterator[Outcome]:
    subject = on(site.name, machine)
    if why := unread(machine, "upstreams"):
        yield Unknown(subject, why)
        return
    if machine.nginx is None:
        yield NotApplicable(f"nginx is not installed on {machine.name}")
        return
    if machine.upstreams is None or machine.nginx.running is None:
        yield Unknown(subject, "whether nginx runs, or what it passes requests on to, could not be seen")
        return
    if not machine.nginx.running:
        yield Unknown(subject, "nginx does not run there")
        return
    known = {target(upstream.target): upstream for upstream in machine.upstreams}
    used = _used(site, evidence, machine, known)
    if not any(used.values()):
        yield NotApplicable("nginx passes none of the site's requests on to a place on the machine")
        return
    for host, ways in used.items():
        yield from _of_host(evidence, machine, host, ways, known)


def _used(
    site: Site, evidence: Evidence, machine: Host, known: Mapping[str, Upstream]
) -> dict[str, tuple[Pass, ...]]:
    """Return host → where its requests are passed on; where that is not known, every place is the site's."""
    everything = {site.name: tuple(Pass("", "/", (place,)) for place in known)}
    if not machine.nginx or machine.nginx.configuration is None:
        return everything
    try:
        http = read(machine.nginx.configuration)
    except ValueError:
        return everything
    ports = [port for port in (site.http_port, site.ports.https) if port]
    found = {host: passes(http, host, ports) for host in evidence.hosts}
    return {
        host: tuple(way for way in ways if any(place in known for place in _all(way))) for host, ways in found.items()
    }


def _all(way: Pass) -> tuple[str, ...]:
    return (*way.targets, *way.spare)


def _of_host(
    evidence: Evidence, machine: Host, host: str, ways: tuple[Pass, ...], known: Mapping[str, Upstream]
) -> Iterator[Outcome]:
    """Judge all ways of one host together: they are one finding."""
    dead = [way for way in ways if _states(way, known) == {False}]
    open_ = [way for way in ways if True not in _states(way, known) and None in _states(way, known)]
    partly = [
        way for way in ways if True in _states(way, known) and any(_state(one, known) is False for one in way.targets)
    ]
    if dead and (reason := _answers_now(evidence, machine, dead)):
        yield Unknown(on(host, machine), reason, partial=True)
        dead = []
    if dead:
        yield _problem(machine, host, dead, known, None)
    elif open_:
        places = listed((quoted(place) for way in open_ for place in _all(way)), 3)
        yield Unknown(on(host, machine), f"no connection to {places} could be tried there")
    elif partly:
        yield _problem(machine, host, partly, known, Severity.WARNING)


def _states(way: Pass, known: Mapping[str, Upstream]) -> set[bool | None]:
    return {_state(place, known) for place in _all(way)}


def _state(place: str, known: Mapping[str, Upstream]) -> bool | None:
    return known[place].accepts if place in known else None


def _answers_now(evidence: Evidence, machine: Host, dead: list[Pass]) -> str:
    """Return that the site answers since; empty where nothing speaks against what the machine said.

    An app that is started anew at the moment of the audit is well, and an audit is up to two days old.
    """
    fronts = [e.status or 0 for e in evidence.http.of("front", "https")] if evidence.http else []
    # A redirect may be nginx's own; a page is the app's, or a file's.
    if not any(200 <= status < 300 for status in fronts) or not all(0 < status < 500 for status in fronts):
        return ""
    elsewhere = all(way.location not in ("", "/") for way in dead)
    if elsewhere and evidence.gathered_at - machine.collected_at < _FRESH:
        return ""
    return f"the app did not accept connections when {machine.name} was audited, and the site answers now"


def _problem(
    machine: Host, host: str, ways: list[Pass], known: Mapping[str, Upstream], severity: Severity | None
) -> Problem:
    closed = {place: known[place] for way in ways for place in _all(way) if _state(place, known) is False}
    shown = (f"{quoted(one.target)} ({one.detail})" if one.detail else quoted(one.target) for one in closed.values())
    where = listed(dict.fromkeys(way.place for way in ways if way.place), 3)
    observed = f"no connection to {listed(shown, 5)}" + (f", named in {where}" if where else "")
    denied = all("denied" in one.detail for one in closed.values())
    return Problem(
        on(host, machine),
        observed,
        "a program that accepts connections there",
        severity,
        _NO_ACCESS if denied else "",
        () if denied else _restart(machine, closed),
    )


def _restart(machine: Host, closed: Mapping[str, Upstream]) -> tuple[str, ...]:
    """Return how the app is started again: by the unit that names the socket, or the one of Gunicorn's manual."""
    asked = machine.sections.get("nginx_service")
    units = [one.unit or _usual(place) for place, one in closed.items()]
    if (asked and asked.missing) or not all(_UNIT.fullmatch(unit) for unit in units):
        return ()
    return shell(*(("systemctl", "restart", unit.removesuffix(".service")) for unit in dict.fromkeys(units)))


def _usual(place: str) -> str:
    return "gunicorn" if place.startswith(("unix:/run/gunicorn.sock", "unix:/run/gunicorn/")) else ""
