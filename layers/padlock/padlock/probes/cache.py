"""What outlives a run: answers of registries and authorities that are asked once a day rather than at every check."""

from datetime import datetime
from typing import Protocol


class Cache(Protocol):
    """A store of small answers; nothing is promised but that what comes back was put there and has not expired."""

    async def get(self, key: str, now: datetime) -> bytes | None:
        """Return what was kept under a key and has not expired at `now`."""

    async def put(self, key: str, value: bytes, expires: datetime) -> None:
        """Keep a value of at most 350 KB until it expires."""


class MemoryCache:
    """A cache for the life of a process."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[bytes, datetime]] = {}

    async def get(self, key: str, now: datetime) -> bytes | None:
        """Return what was kept under a key and has not expired at `now`."""
        value, expires = self._kept.get(key, (None, now))
        return value if expires > now else None

    async def put(self, key: str, value: bytes, expires: datetime) -> None:
        """Keep a value until it expires."""
        self._kept[key] = value, expires
