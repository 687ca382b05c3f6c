"""Reads the collector's document on its own terms, so that its tests do not lean on Padlock's reader."""

import base64
import gzip
import json
from typing import Any

import msgspec

SHELLS = ("dash", "busybox sh", "bash")


class Said(msgspec.Struct, frozen=True):
    """The collector's document."""

    whole: dict[str, Any]
    octets: bytes

    @property
    def names(self) -> list[str]:
        """Sections in their order."""
        return [section["name"] for section in self.whole["sections"]]

    def section(self, name: str) -> dict[str, Any]:
        """Return the first section of this name."""
        found: dict[str, Any] = next(section for section in self.whole["sections"] if section["name"] == name)
        return found

    def status(self, name: str) -> int:
        """Return a section's status."""
        return int(self.section(name)["status"])

    def output(self, name: str) -> bytes:
        """Return the octets of a section's output."""
        return str(self.section(name)["output"]).encode("latin-1")

    def rows(self, name: str) -> list[list[bytes]]:
        """Return a section's lines as fields."""
        lines = self.output(name).split(b"\n")
        return [[_unescaped(field) for field in line.split(b"\t")] for line in lines if line]

    @property
    def text(self) -> bytes:
        """Everything that it says, as octets, escapes undone."""
        outputs = (section["output"].encode("latin-1") for section in self.whole["sections"])
        return b"\n".join(outputs)


def understood(document: bytes) -> Said:
    """Read a document, plain or compressed; it must be ASCII and one line."""
    text = document.decode("ascii")
    assert text.endswith("\n")
    assert text.count("\n") == 1
    head, _, packed = text.partition(" gzip ")
    if head == "padlock-host/1":
        return Said(json.loads(gzip.decompress(base64.b64decode(packed))), document)
    return Said(json.loads(text), document)


def _unescaped(field: bytes) -> bytes:
    parts = field.split(b"\\\\")
    return b"\\".join(part.replace(b"\\t", b"\t").replace(b"\\n", b"\n") for part in parts)
