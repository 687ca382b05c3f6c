"""`--host-evidence`: what machines say of themselves, read from files of the collector's."""

import re
import sys
from collections.abc import Sequence
from pathlib import Path

from padlock.evidence import Host

COLLECTOR = Path(__file__).parents[1] / "host" / "collect.sh"
_BEGINNING = re.compile(rb'^[ \t]*(?:\{\s{0,9}"format"|padlock-host/1 gzip )', re.MULTILINE)


def read(document: bytes) -> Host:
    """Read the collector's document, after a login's greeting if there is one; ValueError says why it is none."""
    if not document.strip():
        raise ValueError("it is empty: see whether the collector, or the ssh that ran it, failed")
    from padlock.probes.host import read as read_host  # noqa: PLC0415 — parsers that other commands need not load

    found = _BEGINNING.search(document)
    return read_host(document[found.start() :] if found else document)


def load(files: Sequence[str]) -> tuple[tuple[Host, ...] | None, list[str]]:
    """Return the machines of the collector's documents, None without any, and a message for each unusable file."""
    machines: dict[str, Host] = {}
    faults: list[str] = []
    for file in files:
        try:
            machine = read(sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes())
        except OSError as error:
            faults.append(f"cannot read the host evidence {file}: {error.strerror or error}")
        except ValueError as error:
            faults.append(f"cannot use the host evidence {file}: {error}; write it with `padlock audit-host`")
        else:
            if machine.name in machines:
                faults.append(f"the host evidence {file} is of {machine.name}, of which another file is given too")
            machines[machine.name] = machine
    return tuple(machines.values()) or None, faults
