"""What calls of DynamoDB cost in its units, by the sizes of the items that they touch.

Sources: DynamoDB developer guide, "DynamoDB item sizes and formats" (sizes), "On-demand capacity mode" (units: a
write of 1 KB, twice that in a transaction; a strongly consistent read of 4 KB, half of that for one that is not),
"Using global secondary indexes" (what a change writes into an index). Lambda reads a table's stream free of charge.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

WRITE_OCTETS, READ_OCTETS = 1024, 4096
STORED_BESIDE = 100
"""Octets that storage is billed for each item beside its size."""

type Item = Mapping[str, Any]


def size(item: Item) -> int:
    """Return the octets of a marshalled item."""
    return sum(len(name.encode()) + _size(value) for name, value in item.items())


def _size(value: Mapping[str, Any]) -> int:
    ((kind, held),) = value.items()
    match kind:
        case "S":
            return len(held.encode())
        case "N":
            return _size_of_number(held)
        case "B":
            return len(held) * 3 // 4 if isinstance(held, str) else len(held)
        case "SS" | "NS" | "BS":
            return sum(_size({kind[0]: entry}) for entry in held)
        case "M":
            return 3 + sum(1 + len(name.encode()) + _size(entry) for name, entry in held.items())
        case "L":
            return 3 + sum(1 + _size(entry) for entry in held)
    return 1


def _size_of_number(text: str) -> int:
    digits = text.lstrip("-").replace(".", "").strip("0")
    return min(21, (len(digits) + 1) // 2 + 1 + text.startswith("-"))


def written(before: Item | None, after: Item | None) -> int:
    """Return the units of one write, by the larger of what was there and what is there then."""
    return max(1, math.ceil(max(size(before or {}), size(after or {})) / WRITE_OCTETS))


def read(octets: int, *, consistent: bool) -> float:
    """Return the units of one read; nothing that is there costs as much as the smallest item."""
    return max(1, math.ceil(octets / READ_OCTETS)) * (1.0 if consistent else 0.5)


class Index:
    """One global secondary index of a table, from the template's properties."""

    def __init__(self, table: Mapping[str, Any], index: Mapping[str, Any]) -> None:
        self.name: str = index["IndexName"]
        self._keys = [entry["AttributeName"] for entry in index["KeySchema"]]
        own = [entry["AttributeName"] for entry in table["KeySchema"]]
        self._projected = {*self._keys, *own, *index["Projection"].get("NonKeyAttributes", ())}

    def written(self, before: Item | None, after: Item | None) -> int:
        """Return the units of what a write of the table changes here."""
        old, new = self._entry(before), self._entry(after)
        if old == new:
            return 0
        if old and new and all(old[key] == new[key] for key in self._keys):
            return written(old, new)
        return sum(written(entry, None) for entry in (old, new) if entry)

    def _entry(self, item: Item | None) -> Item | None:
        if not item or any(key not in item for key in self._keys):
            return None
        return {name: value for name, value in item.items() if name in self._projected}


class Bill:
    """Calls and their units, by what they were for."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        """`service.Operation` → calls."""
        self.write_units: Counter[str] = Counter()
        """`PutItem RUN#` → units; indexes as `index failing`."""
        self.read_units: Counter[str] = Counter()
        self.written_octets: Counter[str] = Counter()
        self.stream_octets = 0

    def write(
        self, what: str, before: Item | None, after: Item | None, indexes: Sequence[Index], factor: int
    ) -> None:
        """Note one write; factor 2 in a transaction, whose indexes cost no more."""
        self.write_units[what] += factor * written(before, after)
        self.written_octets[what] += size(after or {})
        self.stream_octets += size(after or {})
        for index in indexes:
            if units := index.written(before, after):
                self.write_units[f"index {index.name}"] += units

    def read(self, what: str, octets: int, *, consistent: bool) -> None:
        """Note one read."""
        self.read_units[what] += read(octets, consistent=consistent)  # type: ignore[assignment]  # halves

    def plain(self) -> dict[str, Any]:
        """Return all of it as plain values."""
        return {
            "calls": dict(self.calls.most_common()),
            "write_units": dict(self.write_units.most_common()),
            "read_units": dict(self.read_units.most_common()),
            "written_octets": dict(self.written_octets.most_common()),
            "stream_octets": self.stream_octets,
        }
