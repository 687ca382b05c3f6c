"""Whether what nginx passes requests on to accepts connections on the machine (checklist's debugging section)."""

import re
import shlex
from collections.abc import Iterator, Mapping
from datetime import timedelta

from padlock.evidence import Evidence, Host, Upstream
from padlock.findings import Severity
from padlock.rules._machines import each, on, shell, unread
from padlock.rules._nginx import read
from padlock.rules._nginx_hosts import aside
from padlock.rules._passes import Pass, passes, target
from padlock.rules._rule import NotApplicable, Outcome, Problem, Unknown, rule
from padlock.rules._subjects import listed, quoted
from padlock.site import Site

_FRESH = timedelta(hours=1)
"""What a machine said that lately counts, though the front page works: it may be another part of the site."""
_UNIT = re.compile(r"[A-Za-z0-9][A-Za-z0-9:_.@-]*")
_GUNICORN = re.compile(r"gunicorn|:8000\Z")
_PHP = re.compile(r"php")


@rule(
    "upstream.unreachable",
    Severity.ERROR,
    step=13,
    reads="host",
    reachability=True,
    summary="an upstream does not accept connections",
    impact="nginx answers 502 Bad Gateway in place of what belongs there: the app, or a part of the site.",
    remediation="Start the program that nginx passes requests on to (`sudo systemctl list-units --failed`), or name "
    "in nginx where it listens: `sudo nginx -T | grep -n _pass`, `sudo ss -ltnpx`.",
    reference="checklist step 13 and its debugging section",
)
def unreachable(site: Site, evidence: Evidence) -> Iterator[Outcome]:
    """Find sockets and ports to which nginx passes the site's requests on, and which accept no connection.

    What serves the front page or the health path is the app; any other is a part of the site, and breaks no more.
    """
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
    if set_aside := aside(site, evidence, machine):
        yield set_aside
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
    # Where one of them is well, nobody knows which is the app.
    app = not any(upstream.accepts for upstream in known.values())
    everything = {site.name: tuple(Pass("", "/", (place,), app=app) for place in known)}
    if not machine.nginx or machine.nginx.configuration is None:
        return everything
    try:
        http = read(machine.nginx.configuration)
    except ValueError:
        return everything
    ports = [port for port in (site.http_port, site.ports.https) if port]
    paths = ("/", site.health.path) if site.health else ("/",)
    found = {host: passes(http, host, ports, paths) for host in evidence.hosts}
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
    app, aside_ = [way for way in dead if way.app], [way for way in dead if not way.app]
    open_ = [way for way in ways if True not in _states(way, known) and None in _states(way, known)]
    partly = [
        way for way in ways if True in _states(way, known) and any(_state(one, known) is False for one in way.targets)
    ]
    fresh = evidence.gathered_at - machine.collected_at < _FRESH
    if app and _answers(evidence):
        # A fallback (try_files, error_page) is not what the page came from.
        spared = [way for way in app if fresh and way.location.startswith("@")]
        app, aside_ = [way for way in app if way not in spared], aside_ + spared
        if app:
            reason = f"the app did not accept connections when {machine.name} was audited, and the site answers now"
            yield Unknown(on(host, machine), reason, partial=True)
        app = []
    if app:
        yield _problem(machine, host, app, known, None)
    elif any(way.app for way in open_) or (open_ and not aside_):
        places = listed((quoted(place) for way in open_ for place in _all(way)), 3)
        yield Unknown(on(host, machine), f"no connection to {places} could be tried there")
    elif partly and any(way.app for way in partly):
        yield _problem(machine, host, partly, known, Severity.WARNING)
    elif (aside_ or partly) and (fresh or not _answers(evidence)):
        severity = Severity.NOTICE if _sound(evidence) else Severity.WARNING
        yield _problem(machine, host, aside_ or partly, known, severity)
    elif aside_:
        yield Unknown(
            on(host, machine), f"{machine.name} was audited a while ago, and the site answers now", partial=True
        )


def _states(way: Pass, known: Mapping[str, Upstream]) -> set[bool | None]:
    return {_state(place, known) for place in _all(way)}


def _state(place: str, known: Mapping[str, Upstream]) -> bool | None:
    return known[place].accepts if place in known else None


def _fronts(evidence: Evidence) -> list[int]:
    asked = [*evidence.http.of("front", "https"), *evidence.http.of("health", "https")] if evidence.http else []
    return [exchange.status or 0 for exchange in asked]


def _sound(evidence: Evidence) -> bool:
    """Whether no page that was asked for failed."""
    fronts = _fronts(evidence)
    return bool(fronts) and all(0 < status < 500 for status in fronts)


def _answers(evidence: Evidence) -> bool:
    """Whether the site answers, whatever a machine said: an audit is up to two days old, or met a restart."""
    # A redirect may be nginx's own; a page is the app's, or a file's.
    return _sound(evidence) and any(200 <= status < 300 for status in _fronts(evidence))


def _problem(
    machine: Host, host: str, ways: list[Pass], known: Mapping[str, Upstream], severity: Severity | None
) -> Problem:
    closed = {place: known[place] for way in ways for place in _all(way) if _state(place, known) is False}
    shown = (f"{quoted(one.target)} ({one.detail})" if one.detail else quoted(one.target) for one in closed.values())
    where = listed(dict.fromkeys(_where(way) for way in ways if way.place), 3)
    observed = f"no connection to {listed(shown, 5)}" + (f", named in {where}" if where else "")
    fixes = dict.fromkeys(_fix(one, place, ways) for place, one in closed.items())
    denied = any("denied" in one.detail for one in closed.values())
    return Problem(
        on(host, machine),
        observed,
        "a program that accepts connections there",
        severity,
        " ".join(list(fixes)[:3]),
        () if denied else _restart(machine, closed),
    )


def _where(way: Pass) -> str:
    return way.place if way.app else f"{way.place} (location {way.location})"


def _fix(one: Upstream, place: str, ways: list[Pass]) -> str:
    """Return what to do about one place, by its name: whose it is, is known of few."""
    app = any(way.app and place in _all(way) for way in ways)
    unit = one.unit.removesuffix(".service") if _UNIT.fullmatch(one.unit) else ""
    if "denied" in one.detail:
        path = shlex.quote(place.removeprefix("unix:")) if place.isprintable() else "PATH"
        owner = (
            "the pool of PHP-FPM needs `listen.owner = www-data` and `listen.group = www-data`"
            if _PHP.search(place)
            else f"the unit of its program{f', {unit},' if unit else ''} needs `Group=www-data` and `UMask=0007` (or "
            "`SocketUser=www-data` in its .socket unit)"
        )
        return (
            f"nginx's user may not use the socket {quoted(place)}: {owner}, and each folder above it `x` for that "
            f"user: `sudo namei -l {path}`. Then `sudo systemctl daemon-reload` and restart that program."
        )
    if not unit and (_GUNICORN.search(place) or (app and place.startswith("unix:") and not _PHP.search(place))):
        return (
            f"Nothing accepts connections at {quoted(place)}: `sudo systemctl status gunicorn` and `sudo journalctl "
            "-u gunicorn -n 50` show why it stopped (`systemctl list-units --type=service | grep -iE "
            "'gunicorn|uvicorn|uwsgi'` if the unit has another name); `sudo systemctl restart gunicorn`. Its "
            "`--bind` must be what `sudo nginx -T | grep -n _pass` names."
        )
    known = unit or ("'php*-fpm'" if _PHP.search(place) else "")
    if known:
        return (
            f"Nothing accepts connections at {quoted(place)}: `sudo systemctl status {known}` and `sudo journalctl "
            f"-u {known} -n 50` show why; `sudo systemctl restart {known}`."
        )
    unused = "" if app else ", or remove the location if it is not used any more"
    return (
        f"Nothing accepts connections at {quoted(place)}: start the program that belongs there (`sudo systemctl "
        f"list-units --failed`; `sudo ss -ltnpx` shows what listens where){unused}."
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
