"""Whether the app behind nginx is told who asked for what (checklist step 17: Host and X-Forwarded headers).

`proxy_set_header` is inherited all or none: one of a location's own drops all of the server block's.
"""

import ipaddress
import re
from collections.abc import Iterator
from itertools import islice

from padlock.evidence import Directive, Evidence
from padlock.findings import Severity
from padlock.rules._machines import on
from padlock.rules._nginx import Server, effective
from padlock.rules._nginx_answers import Proxied, proxied
from padlock.rules._nginx_edits import before, substituted, then_reload
from padlock.rules._nginx_hosts import PROXY_PARAMS, Configured, concerned, judge
from padlock.rules._rule import Outcome, Problem, rule
from padlock.rules._subjects import listed
from padlock.site import Site

HEADERS = {
    "Host": "$http_host",
    "X-Real-IP": "$remote_addr",
    "X-Forwarded-For": "$proxy_add_x_forwarded_for",
    "X-Forwarded-Proto": "$scheme",
}
"""What the checklist asks for, as Debian's proxy_params has it."""
MOST = 200
"""Places of one virtual server that are looked at; an app has a handful."""
UNTOLD = frozenset({"X-Real-IP"})
"""What an app does without that takes the address from X-Forwarded-For: Gunicorn's manual leaves it out."""
CHALLENGE = "/.well-known/"
_UPSTREAM = re.compile(r"https?://(\[[^\]]*\]|[^/:]*)")


@rule(
    "nginx.proxy_headers",
    Severity.WARNING,
    step=17,
    reads="host",
    summary="nginx drops headers for the app",
    impact="The app does not learn the visitor's host, address or scheme: it writes http:// links, redirects in "
    "circles, or takes every visitor for 127.0.0.1.",
    remediation="Put `include proxy_params;` into each location with `proxy_pass`, or the four `proxy_set_header` "
    "lines for Host, X-Real-IP, X-Forwarded-For and X-Forwarded-Proto; one line of a location's own drops all that "
    "it would inherit. Then `sudo nginx -t && sudo systemctl reload nginx`.",
    reference="checklist step 17; nginx, proxy_set_header",
)
def proxy_headers(site: Site, evidence: Evidence) -> Iterator[Outcome]:
    """Find `proxy_pass` to the app without the headers that it needs."""

    def ask(here: Configured) -> Iterator[Outcome]:
        told: set[Directive] = set()
        for host in concerned(site, evidence, here):
            found = [
                (each, lacking)
                for server, tls in _servers(site, evidence, here, host)
                for each in islice(proxied(server.levels), MOST)
                if each.directive not in told and _is_app(here, each) and (lacking := _lacking(each, tls=tls))
            ]
            if not found:
                continue
            told |= {each.directive for each, _ in found}
            texts = [f"{each.directive.place}: {listed(names)}" for each, names in found]
            observed = f"`proxy_pass` without `proxy_set_header`, at {listed(dict.fromkeys(texts), 5)}"
            lines = then_reload(here, [_given(here, each, names) for each, names in found])
            expected = f"{listed(HEADERS)} for the app"
            severity = Severity.NOTICE if all(UNTOLD.issuperset(names) for _, names in found) else None
            yield Problem(on(host, here.machine), observed, expected, severity, commands=lines)

    yield from judge(site, evidence, ask)


def _servers(site: Site, evidence: Evidence, here: Configured, host: str) -> Iterator[tuple[Server, bool]]:
    """Yield the blocks that answer the host as its own, and whether only over TLS; those with TLS first."""
    for port in filter(None, (site.ports.https, site.http_port)):
        for _, ways in here.ways(evidence, host, port):
            for socket, match in ways.items():
                if match.named or match.server.catches_all:
                    plain = any(not each.tls and match.server in each.servers for each in here.http.sockets)
                    yield match.server, socket.tls and not plain


def _is_app(here: Configured, found: Proxied) -> bool:
    """Whether a `proxy_pass` leads to an app near by: another site's address wants its own name as Host."""
    if any(path.startswith(CHALLENGE) for path in found.paths):
        return False
    # No visitor's request comes here: auth_request and X-Accel-Redirect do.
    if any("internal" in level.named for level in found.levels):
        return False
    match = _UPSTREAM.match(found.directive.args[0])
    if not match or "$" in match[1]:
        return False
    name = match[1].strip("[]")
    if name in ("unix", "localhost") or name in here.groups:
        return True
    try:
        return ipaddress.ip_address(name).is_private
    except ValueError:
        return False


def _lacking(found: Proxied, *, tls: bool) -> tuple[str, ...]:
    """Return the headers that the app does not get, or not with the visitor's own value."""
    if any(each.args[0].endswith(PROXY_PARAMS) for each in effective(found.levels, "include") if each.args):
        return ()  # it is not in the configuration, and is known
    sent = {each.args[0].lower(): each.args[-1] for each in _sent(found)}
    wrong = {"", "$proxy_host"}
    # ProxyFix(x_host=1) takes it in the place of Host, as Flask's manual has it.
    forwarded = sent.get("x-forwarded-host", "") not in wrong
    return tuple(
        name
        for name in HEADERS
        if ((value := sent.get(name.lower(), "")) in wrong and not (name == "Host" and forwarded))
        or (tls and name == "X-Forwarded-Proto" and value == "http")
    )


def _sent(found: Proxied) -> list[Directive]:
    return [each for each in effective(found.levels, "proxy_set_header") if len(each.args) == 2]


def _given(here: Configured, found: Proxied, names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the lines that add headers where those in force stand, or before `proxy_pass` where none are."""
    sent = _sent(found)
    wrong = {each.args[0].lower(): each for each in sent}
    mended = [
        substituted(
            here,
            wrong[name.lower()],
            rf"\bproxy_set_header[[:space:]][[:space:]]*{wrong[name.lower()].args[0]}[[:space:]][^;]*;",
            f"proxy_set_header {name} {HEADERS[name]};",
            among=sent,
        )
        for name in names
        if name.lower() in wrong
    ]
    added = [f"proxy_set_header {name} {HEADERS[name]};" for name in names if name.lower() not in wrong]
    if added:
        mended.append(before(here, sent[0] if sent else found.directive, " ".join(added), sent))
    return tuple(line for edit in mended for line in edit) if () not in mended else ()
