"""Which audited machines can be judged, why others cannot, and the subjects of what is found on them.

A machine that could not be audited, or whose word is old, is neither well nor broken; nor is one of whose commands
the time ran out. A finding's subject is `host on machine`: the declared host, or the site's name for the machine.
"""

import shlex
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta

from padlock.evidence import TIMED_OUT, Evidence, Host
from padlock.rules._rule import NotApplicable, Outcome, Unknown
from padlock.rules._subjects import span

STALE = timedelta(days=2)
"""An audit runs daily; of one that is older nobody knows whether it still holds."""
SKEW = timedelta(hours=1)
"""How far a machine's clock may be ahead; with more, nobody knows how old its word is."""
NOT_ROOT = "the collector did not run as root there, so that much of it could not be read"


def on(subject: str, machine: Host) -> str:
    """Return the subject of one host, or of the site by its name, on one machine."""
    return f"{subject} on {machine.name}"


def machines(evidence: Evidence) -> Iterator[Host | Unknown]:
    """Yield every machine that can be judged, and why another cannot, about the site on that machine."""
    audited = evidence.host or ()
    if not audited:
        yield Unknown(evidence.site.name, "none of its machines was audited", whole=True)
        return
    faults = [unusable(evidence, machine) for machine in audited]
    # Where no machine can be judged, nothing that was found on any of them may count as over.
    whole = all(faults)
    for machine, fault in zip(audited, faults, strict=True):
        yield Unknown(on(evidence.site.name, machine), fault, whole=whole) if fault else machine


def each(evidence: Evidence, judge: Callable[[Host], Iterable[Outcome]]) -> Iterator[Outcome]:
    """Yield what one question yields of every machine; it is not applicable only where no machine has a say."""
    absent: list[NotApplicable] = []
    said = False
    for machine in machines(evidence):
        outcomes = [machine] if isinstance(machine, Unknown) else list(judge(machine))
        absent += [outcome for outcome in outcomes if isinstance(outcome, NotApplicable)]
        rest = [outcome for outcome in outcomes if not isinstance(outcome, NotApplicable)]
        yield from rest
        said = said or bool(rest) or not outcomes
    if absent and not said:
        yield absent[0]


def unusable(evidence: Evidence, machine: Host) -> str:
    """Return why a machine's audit says nothing of today; empty where it can be judged."""
    if machine.fault:
        return f"the audit of {machine.name} failed: {machine.fault}"
    age = evidence.gathered_at - machine.collected_at
    if age > STALE:
        return f"the audit of {machine.name} is {span(age)} old"
    if -age > SKEW:
        return f"the clock of {machine.name} is {span(age)} ahead"
    return ""


def unread(machine: Host, *sections: str) -> str:
    """Return why what these sections of the collector say cannot be judged; empty where it can.

    A section that is not there is no reason: the facts that it would hold are None.
    """
    if not machine.root:
        return NOT_ROOT
    for section in sections:
        ran = machine.sections.get(section)
        if ran and ran.status == TIMED_OUT:
            return f"the time for `{ran.command}` ran out there"
        if ran and ran.cut:
            return f"`{ran.command}` had more output than is kept"
    return ""


def shell(*lines: tuple[str, ...]) -> tuple[str, ...]:
    """Return shell lines of these words, each quoted where the shell would read more into it.

    A name with control characters stands in no line: nobody sees what they paste.
    """
    if not all(word.isprintable() for line in lines for word in line):
        return ()
    return tuple(shlex.join(line) for line in lines)


def reload_nginx(machine: Host) -> str:
    """Return the line that makes nginx read its files anew, if they are valid; not every machine has systemd.

    An nginx that does not run is started, unless another program has taken its place.
    """
    stopped = machine.nginx is not None and machine.nginx.running is False
    if not stopped or any(each.process != "nginx" for each in machine.listeners or ()):
        return f"nginx -t && {hook(machine)}"
    plain = hook(machine).startswith("nginx")
    return f"nginx -t && {'{ nginx -s reload || nginx; }' if plain else 'systemctl reload-or-restart nginx'}"


def hook(machine: Host) -> str:
    """Return the command with which certbot has nginx reloaded after a renewal."""
    asked = machine.sections.get("nginx_service")
    return "nginx -s reload" if asked and asked.missing else "systemctl reload nginx"
