"""Answers of real services, as they were captured; README.md beside this file says where each comes from.

    captured.text("rdap-verisign.json", {"EXAMPLE.COM": "SHOP.TEST", "2023-08-13": "2027-06-01"})

Tests put their own names and dates in the place of those that were captured, and change nothing else.
"""

from collections.abc import Mapping
from pathlib import Path

FOLDER = Path(__file__).parent


def text(name: str, replaced: Mapping[str, str] | None = None) -> str:
    """Return a captured answer with other names and dates; ValueError for one that does not stand in it."""
    found = (FOLDER / name).read_text(encoding="utf-8")
    for old, new in (replaced or {}).items():
        if old not in found:
            raise ValueError(f"{name} does not hold {old!r}")
        found = found.replace(old, new)
    return found
