"""What the registry of a domain says of it (RDAP, RFC 9083)."""

from datetime import datetime

import msgspec


class Registration(msgspec.Struct, frozen=True):
    """The registration of one domain, or why it is not known."""

    domain: str
    """The registrable domain, A-labels: the part that somebody registered."""
    hosts: tuple[str, ...]
    """The site's hosts in it."""
    expires: datetime | None = None
    """UTC; None: the registry does not say."""
    status: tuple[str, ...] = ()
    """In RDAP's words, lower case: `active`, `client hold`..."""
    registrar: str = ""
    registry: str = ""
    """Base URL of the RDAP service that was asked."""
    asked_at: datetime | None = None
    """UTC; earlier than the run where the answer was kept."""
    unregistered: str = ""
    """Why nobody registers this name, so that there is nothing to ask; empty: somebody does."""
    failure: str = ""
    """Why the registry's answer is not known; empty: it is."""
