"""Hosts: the collector's document → one Host, and the cloud's packet filters (checklist steps 3-9, 14, 17)."""

from padlock.probes.host.document import UnreadableHost
from padlock.probes.host.reader import read

__all__ = ["UnreadableHost", "read"]
