"""What the weekly digest tells of the fleet: what degrades, what is broken, and which certificates end soon."""

from datetime import datetime

import msgspec

SHOWN = 50
"""Entries of each list; the totals count all."""
AHEAD_DAYS = 21
"""A certificate that ends within these days is told of."""


class DigestSite(msgspec.Struct, frozen=True):
    """One site with something open."""

    site: str
    since: datetime
    """UTC; when it opened."""
    summary: str
    """The worst of it in one line."""


class DigestCertificate(msgspec.Struct, frozen=True):
    """One certificate that ends soon."""

    site: str
    host: str
    issuer: str
    """Distinguished name."""
    expires: datetime
    """UTC."""


class Digest(msgspec.Struct, frozen=True):
    """The fleet at one time, each list bounded to its first entries."""

    warnings: tuple[DigestSite, ...]
    """Sites with open warnings and no error, the longest open first."""
    failing: tuple[DigestSite, ...]
    """Sites with an open error, the longest failing first."""
    certificates: tuple[DigestCertificate, ...]
    """The next to expire first."""
    warnings_total: int
    failing_total: int
    certificates_total: int
    at: datetime
    """UTC; the time that the digest was asked for."""
    sites_total: int | None
    """Declared sites; None where no tick has counted them yet."""

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to tell."""
        return not (self.warnings_total or self.failing_total or self.certificates_total)
