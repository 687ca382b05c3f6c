"""Whether nginx runs, and whether its configuration is valid (checklist step 5 and its debugging: `nginx -t`).

What nginx only warns of is a notice: it works until a later version refuses it.
"""

import re
from collections.abc import Iterator

from padlock.evidence import TIMED_OUT, Evidence, Host, Nginx
from padlock.findings import Severity
from padlock.rules._machines import each, on, unread
from padlock.rules._nginx import Server, walk
from padlock.rules._nginx_edits import substituted, then_reload
from padlock.rules._nginx_hosts import MOST_SOCKETS, Configured, answered, aside, configured, judge, takers
from padlock.rules._rule import NotApplicable, Outcome, Problem, Unknown, rule
from padlock.rules._subjects import listed, quoted
from padlock.site import Site

HTTP2_DIRECTIVE = (1, 25, 1)
"""The version from which on `http2 on;` is known and `listen … http2` is deprecated."""
_EMERGENCY = re.compile(r"\[emerg\](?: \d+#\d+:)? (?P<text>[^\n]{1,2000})")


@rule(
    "nginx.invalid",
    Severity.ERROR,
    step=5,
    reads="host",
    summary="nginx configuration is invalid",
    impact="nginx keeps its old configuration as long as it runs: no change is taken, a renewed certificate neither, "
    "and after the next restart of the machine the site is down.",
    remediation="Mend the file and line that `sudo nginx -t` names, until it says `test is successful`; then "
    "`sudo systemctl reload nginx`.",
    reference="checklist step 5",
)
def invalid(site: Site, evidence: Evidence) -> Iterator[Outcome]:
    """Find machines whose nginx refuses its configuration."""

    def ask(machine: Host) -> Iterator[Outcome]:
        subject = on(site.name, machine)
        if machine.nginx is None:
            yield NotApplicable(f"nginx is not installed on {machine.name}")
            return
        if set_aside := aside(site, evidence, machine):
            yield set_aside
            return
        test = machine.nginx.test
        if why := unread(machine, "nginx_test") or _untested(machine):
            yield Unknown(subject, why)
        elif test.status != 0:
            found = _EMERGENCY.findall(test.output)
            said = quoted(found[-1] if found else test.output or "no word of why", 400)
            yield Problem(
                subject, f"`nginx -t` fails: {said}", "`test is successful`", commands=_mended(site, machine)
            )

    yield from each(evidence, ask)


def _untested(machine: Host) -> str:
    test = machine.nginx.test if machine.nginx else None
    if test and test.missing:
        return "`nginx -t` could not be run there: it was not found"
    return "the time for `nginx -t` ran out there" if test and test.status == TIMED_OUT else ""


def _mended(site: Site, machine: Host) -> tuple[str, ...]:
    """Return how lines are mended that only a newer nginx takes: `http2 on;`, without which all else works."""
    found = _EMERGENCY.findall(machine.nginx.test.output) if machine.nginx else []
    here = configured(site, machine)
    if not found or not found[-1].startswith('unknown directive "http2"') or not isinstance(here, Configured):
        return ()
    flags = [each for each in walk(here.http.directives) if each.name == "http2" and each.block is None]
    pattern = r"\bhttp2[[:space:]][[:space:]]*[onf]*[[:space:]]*;"
    return then_reload(here, [substituted(here, flag, pattern, "") for flag in flags], invalid=True)


@rule(
    "nginx.deprecated",
    Severity.NOTICE,
    step=5,
    reads="host",
    summary="nginx configuration is deprecated",
    impact="It works today, with a warning from `nginx -t`; a later nginx refuses it, and does not start after its "
    "upgrade.",
    remediation="Write `listen 443 ssl;` and, beside it in the server block, `http2 on;` in the place of "
    "`listen 443 ssl http2;`; write `listen 443 ssl;` in the place of `ssl on;`. Then `sudo nginx -t && "
    "sudo systemctl reload nginx`.",
    reference="nginx's ngx_http_v2_module and ngx_http_ssl_module",
)
def deprecated(site: Site, evidence: Evidence) -> Iterator[Outcome]:
    """Find `listen … http2` where the installed nginx has `http2 on;`, and `ssl on;`."""

    def ask(here: Configured) -> Iterator[Outcome]:
        ours = _serving(evidence, here)
        lines = [listen.directive for server in ours for listen in server.listens if "http2" in listen.options]
        known = version(here.nginx.version)
        places = [line.place for line in lines if line] if known and known >= HTTP2_DIRECTIVE else []
        old = [each.place for server in ours for each in server.effective("ssl") if each.args == ("on",)]
        subject = on(site.name, here.machine)
        found = [f"`listen … http2` at {listed(dict.fromkeys(places), 5)}"] if places else []
        found += [f"`ssl on` at {listed(dict.fromkeys(old), 5)}"] if old else []
        if found:
            edits = _modern(here) if places and not old else ()
            yield Problem(subject, "; ".join(found), "`listen 443 ssl;` and `http2 on;`", commands=edits)

    yield from judge(site, evidence, ask)


def _serving(evidence: Evidence, here: Configured) -> list[Server]:
    """Return the virtual servers that answer a host of the site by name."""
    found = [here.matched(socket, host) for socket in here.http.sockets[:MOST_SOCKETS] for host in evidence.hosts]
    return list(dict.fromkeys(match.server for match in found if match and match.named))


def _modern(here: Configured) -> tuple[str, ...]:
    """Return the lines that move HTTP/2 from every `listen` to its virtual server: nginx takes it per socket."""
    edits: list[tuple[str, ...]] = []
    for server in here.http.servers:
        lines = [listen.directive for listen in server.listens if "http2" in listen.options and listen.directive]
        flag = " http2 on;" if lines and not server.effective("http2") else ""
        for index, line in enumerate(dict.fromkeys(lines)):
            pattern = r"\b\(listen[^;]*\)[[:space:]]http2\([^;]*;\)"
            edits.append(substituted(here, line, pattern, rf"\1\2{'' if index else flag}"))
    return then_reload(here, edits)


def version(text: str) -> tuple[int, ...] | None:
    """Return an nginx version's numbers; None where it is none."""
    found = re.match(r"(\d{1,4})\.(\d{1,4})\.(\d{1,4})", text)
    return tuple(map(int, found.groups())) if found else None


@rule(
    "nginx.inactive",
    Severity.ERROR,
    step=None,
    reads="host",
    reachability=True,
    summary="nginx does not run",
    impact="Nothing answers on ports 80 and 443: the site is down.",
    remediation="`sudo nginx -t` first, then `sudo systemctl start nginx`; `sudo systemctl status nginx` and "
    "`sudo journalctl -u nginx` say why it stopped. If another program has the port (`sudo ss -ltnp`), stop it.",
    reference="checklist, debugging: nginx",
)
def inactive(site: Site, evidence: Evidence) -> Iterator[Outcome]:
    """Find machines whose nginx is down, unless another program serves the site there."""

    def ask(machine: Host) -> Iterator[Outcome]:
        subject = on(site.name, machine)
        nginx = machine.nginx
        if nginx is None:
            yield NotApplicable(f"nginx is not installed on {machine.name}")
        elif nginx.running is None:
            yield Unknown(subject, unread(machine, "nginx_processes") or "whether nginx runs could not be seen")
        elif not nginx.running:
            yield _down(site, evidence, machine, nginx)

    yield from each(evidence, ask)


def _down(site: Site, evidence: Evidence, machine: Host, nginx: Nginx) -> Outcome:
    others = takers(site, machine)
    subject = on(site.name, machine)
    observed = "nginx is installed and does not run"
    if others and evidence.http is None:
        return Unknown(subject, f"{observed}; whether another program serves the site there was not seen")
    set_aside = aside(site, evidence, machine)
    if isinstance(set_aside, NotApplicable):
        return set_aside
    severity = Severity.WARNING if answered(evidence) else None
    if others:
        return Problem(subject, f"{observed}; {listed(others)} listens there", "nginx on ports 80 and 443")
    asked = machine.sections.get("nginx_service")
    start = "nginx" if asked and asked.missing else "systemctl start nginx"
    lines = (f"nginx -t && {start}",) if nginx.test.status == 0 else ()
    return Problem(subject, observed, "a running nginx", severity, commands=lines)
