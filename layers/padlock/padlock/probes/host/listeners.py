"""The sockets that listen on ports 80 and 443 (checklist step 3)."""

from padlock.evidence.host import Listener
from padlock.network.failure import printable
from padlock.probes.host.document import Document

_KEPT = 100
_PORTS = ("80", "443")


def listeners(document: Document) -> tuple[Listener, ...] | None:
    """Return the listening sockets; None where they could not be listed."""
    section = document.succeeded("listeners")
    if section is None:
        return None
    rows = [row for row in section.rows(2) if row[1] in _PORTS][:_KEPT]
    return tuple(Listener(printable(row[0], 80), int(row[1]), printable((*row, "")[2], 80)) for row in rows)
