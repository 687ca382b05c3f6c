"""The collector's document → one Host (checklist steps 3-9, 14, 17). Reads no file and opens no connection."""

from padlock.evidence.host import Host
from padlock.network.failure import printable
from padlock.probes.host import certbot, certificates, firewall, listeners, logs, processes, upstreams
from padlock.probes.host.document import decode


def read(document: bytes | str, *, name: str = "") -> Host:
    """Return what the host says of itself, under this name or its own.

    UnreadableHost, a ValueError, where the document is none of the collector's. A section that failed or is odd is
    None or empty in the result; Host.sections tells why.
    """
    found = decode(document)
    return Host(
        name=printable(name or found.host, 100),
        collected_at=found.collected_at,
        system=printable(found.system, 100),
        root=found.uid == 0,
        sections={printable(section.name, 40): section.ran() for section in reversed(found.sections)},
        nginx=processes.nginx(found),
        certificates=certificates.files(found),
        certbot=certbot.certbot(found),
        filters=firewall.read(found),
        listeners=listeners.listeners(found),
        upstreams=upstreams.upstreams(found),
        logs=logs.tails(found),
    )
