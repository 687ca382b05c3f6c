"""nginx as it is installed and runs: version, test, processes, configuration (checklist steps 4-6)."""

import re
from collections.abc import Mapping
from datetime import datetime

from padlock.evidence.host import Directive, Nginx, Ran
from padlock.network.failure import printable
from padlock.probes.host import nginx_config
from padlock.probes.host.document import Document, when

_TEST_KEPT = 4_000
_WORKERS = 256
_FILES = 500


def nginx(document: Document) -> Nginx | None:
    """Return the host's nginx; None where neither the command nor a process of it was found."""
    version, test = document.section("nginx_version"), document.section("nginx_test")
    started = _started(document)
    if not started and all(section is None or section.ran().missing for section in (version, test)):
        return None
    configuration, unread = _configuration(document)
    return Nginx(
        test=test.ran(_TEST_KEPT) if test else Ran("nginx -t", -1),
        version=_version(version.output) if version else "",
        running=_running(document, started),
        master_started=max((time for role, time in started if role == "master"), default=None),
        workers_started=tuple(sorted(time for role, time in started if role == "worker"))[:_WORKERS],
        configuration=configuration,
        unread=unread,
        files=_files(document),
    )


def _version(output: str) -> str:
    found = re.search(r"nginx version: [\w-]{1,30}/(\d[\w.-]{0,30})", output)
    return found[1] if found else ""


def _started(document: Document) -> list[tuple[str, datetime]]:
    """Return role and start of each process."""
    section = document.succeeded("nginx_processes")
    rows = section.rows(3) if section else ()
    return [(role, time) for role, _, start, *_ in rows if (time := when(start))]


def _running(document: Document, started: list[tuple[str, datetime]]) -> bool | None:
    """Return whether it runs; the service manager's word counts where no process can be seen."""
    if any(role == "master" for role, _ in started):
        return True
    service = document.section("nginx_service")
    state = service.output.strip() if service and not service.ran().missing else ""
    if state in ("active", "reloading"):
        return True
    return False if document.succeeded("nginx_processes") or state in ("inactive", "failed") else None


def _configuration(document: Document) -> tuple[tuple[Directive, ...] | None, str]:
    """Return the directives, and why they are missing or not all of them."""
    section = document.section("nginx_config")
    if section is None:
        return None, "the configuration was not collected"
    if not section.output.strip():
        return None, f"`nginx -T` gave nothing (status {section.ran().status})"
    unread = "the configuration is longer than what is collected" if section.cut else ""
    if not unread and section.status:
        unread = f"`nginx -T` failed (status {section.ran().status}); these are the files as they lie there"
    try:
        return nginx_config.parse(section.output), unread
    except ValueError as error:
        return None, printable(str(error), 500)


def _files(document: Document) -> Mapping[str, datetime]:
    """Return when each file, or the link to it, last changed."""
    section = document.succeeded("nginx_files")
    changed: dict[str, datetime] = {}
    for path, *times in section.rows(3) if section else ():
        known = [time for time in map(when, times[:2]) if time]
        if known and len(changed) < _FILES:
            changed[printable(path, 1_000)] = max(known)
    return changed
