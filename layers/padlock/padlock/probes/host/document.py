"""The collector's document: one JSON object, plain or compressed, and its sections.

Whatever the host wrote is bounded and escaped here, before anything looks at it.
"""

import base64
import binascii
import re
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated

import msgspec

from padlock.evidence.host import Ran
from padlock.network.failure import printable

FORMAT = "padlock-host/1"
COMPRESSED = f"{FORMAT} gzip "
PLAIN_BYTES = 4_000_000
INFLATED_BYTES = 8_000_000
SECTIONS = 64
ROWS = 2_000
"""Kept of one section's lines of fields."""
_ESCAPES = {"\\t": "\t", "\\n": "\n", "\\\\": "\\"}


class UnreadableHost(ValueError):
    """The document is none of the collector's, or not all of it."""


class Section(msgspec.Struct, frozen=True):
    """What one command of the collector gave."""

    name: str
    command: str
    status: int
    cut: bool = False
    output: str = ""

    def ran(self, kept: int = 0) -> Ran:
        """Return it as evidence, with at most so many characters of its output."""
        output = text(self.output, kept) if kept else ""
        status = self.status if -1 <= self.status <= 255 else -1
        return Ran(printable(self.command, 300), status, output, self.cut or len(self.output) > kept > 0)

    def rows(self, fields: int) -> Iterator[list[str]]:
        """Yield the lines that have at least so many fields, each field unescaped."""
        for line in self.output.split("\n")[:ROWS]:
            row = [re.sub(r"\\[tn\\]", lambda found: _ESCAPES[found[0]], field) for field in line.split("\t")]
            if len(row) >= fields and any(row):
                yield row


class Document(msgspec.Struct, frozen=True):
    """The collector's document, its outputs decoded."""

    collected_at: datetime
    host: str
    system: str
    uid: int
    sections: tuple[Section, ...]

    def section(self, name: str) -> Section | None:
        """Return the first section of this name."""
        return next(self.all(name), None)

    def all(self, name: str) -> Iterator[Section]:
        """Yield the sections of this name."""
        return (section for section in self.sections if section.name == name)

    def succeeded(self, name: str) -> Section | None:
        """Return the first section of this name if its command succeeded."""
        return next((section for section in self.all(name) if section.status == 0), None)


class _Written(msgspec.Struct):
    format: str
    collected_at: float
    host: str
    system: str
    uid: int
    sections: Annotated[list[Section], msgspec.Meta(max_length=SECTIONS)]


def decode(document: bytes | str) -> Document:
    """Return the document; UnreadableHost where it is none, is too large or is cut off."""
    octets = document.encode("utf-8", "replace") if isinstance(document, str) else document
    if len(octets) > PLAIN_BYTES:
        raise UnreadableHost(f"the host's document has more than {PLAIN_BYTES} octets")
    octets = octets.strip()
    if octets.startswith(COMPRESSED.encode()):
        octets = _inflated(octets.removeprefix(COMPRESSED.encode()))
    try:
        written = msgspec.json.decode(octets, type=_Written)
        collected_at = datetime.fromtimestamp(written.collected_at, UTC)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise UnreadableHost(f"this is no document of the collector: {printable(str(error), 200)}") from error
    except (ValueError, OverflowError, OSError) as error:
        raise UnreadableHost("the document's collected_at is no point in time") from error
    if written.format != FORMAT:
        raise UnreadableHost(f"the document's format is {printable(written.format, 40)!r}, not {FORMAT!r}")
    sections = tuple(_decoded(section) for section in written.sections)
    uid = written.uid if 0 <= written.uid < 2**32 else -1
    return Document(collected_at, _octets(written.host), _octets(written.system), uid, sections)


def text(output: str, limit: int) -> str:
    """Return lines from outside, every character but the line ends printable, at most `limit` characters."""
    lines = (printable(line, limit) for line in output[:limit].expandtabs(1).split("\n"))
    return "\n".join(lines)[:limit].strip("\n")


def when(seconds: str) -> datetime | None:
    """Return the time of a field with the seconds since 1970; None where it is none."""
    if not re.fullmatch(r"\d{1,12}(\.\d{1,9})?", seconds):
        return None
    try:
        return datetime.fromtimestamp(float(seconds), UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _inflated(wrapped: bytes) -> bytes:
    try:
        packed = base64.b64decode(b"".join(wrapped.split()), validate=True)
        inflater = zlib.decompressobj(wbits=31)
        octets = inflater.decompress(packed, INFLATED_BYTES)
    except (binascii.Error, ValueError, zlib.error) as error:
        raise UnreadableHost(f"the compressed document cannot be read: {printable(str(error), 200)}") from error
    if inflater.unconsumed_tail:
        raise UnreadableHost(f"the document inflates to more than {INFLATED_BYTES} octets")
    if not inflater.eof:
        raise UnreadableHost("the compressed document is cut off")
    return octets


def _decoded(section: Section) -> Section:
    return msgspec.structs.replace(
        section, name=_octets(section.name), command=_octets(section.command), output=_octets(section.output)
    )


def _octets(written: str) -> str:
    """Undo the collector's writing of each octet that is not ASCII as one character."""
    return written.encode("latin-1", "replace").decode("utf-8", "replace")
