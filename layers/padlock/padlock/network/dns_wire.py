"""The sections of a DNS message, read without trust (RFC 1035 section 4.1, EDNS RFC 6891).

dnspython's reader expands and hashes every name of every type: 60 KB that mean harm keep it busy for a minute, and
the whole process with it. Here a name that others point to is read once, what nobody asked about stays octets, and
64 KB of anything take milliseconds.
"""

import struct

import msgspec

type Labels = tuple[bytes, ...]
"""A name in lower case, the root's empty label left out."""

IN = 1
A, NS, CNAME, SOA, AAAA, OPT = 1, 2, 5, 6, 28, 41
HEADER = 12
_POINTER = 0xC0
_LONGEST_LABEL = 63
_LONGEST_NAME = 255
"""Octets with the lengths of its labels and the root's."""
_MOST_POINTERS = 64
"""Behind one another in one name; who writes messages needs one, or one for each label."""
_OPCODE = 0x7800
_ADDRESSES = {A: 4, AAAA: 16}


class Record(msgspec.Struct, frozen=True):
    """One record of class IN; its data stand from `start` to `end` of the message."""

    owner: Labels
    rdtype: int
    ttl: int
    start: int
    end: int


class Message(msgspec.Struct, frozen=True):
    """One message, as far as it is of use here."""

    wire: bytes
    flags: int
    """With the RCODE's lower four bits; the others are the OPT record's."""
    rcode: int
    answer: list[Record]
    authority: list[Record]
    additional: list[Record]
    """Without the OPT record."""
    options: list[tuple[int, bytes]]
    """(code, data) of the OPT record's options."""
    names: "Names"

    def data(self, record: Record) -> bytes:
        """Return a record's data as sent, an address's checked for its size."""
        size = _ADDRESSES.get(record.rdtype, record.end - record.start)
        if record.end - record.start != size:
            raise ValueError(f"an address of {record.end - record.start} octets")
        return self.wire[record.start : record.end]

    def target(self, record: Record) -> Labels:
        """Return the name that an NS or CNAME record leads to."""
        labels, end = self.names.read(record.start)
        if end != record.end:
            raise ValueError("a record whose name has another length than its data")
        return labels

    def minimum(self, record: Record) -> int:
        """Return the last field of an SOA record, the time to keep a denial; seconds."""
        _, at = self.names.read(record.start)
        _, at = self.names.read(at)
        if at + 20 != record.end:
            raise ValueError("an SOA record of a wrong length")
        return int.from_bytes(self.wire[at + 16 : at + 20])


class Names:
    """The names of one message; what pointers lead to is read once."""

    def __init__(self, wire: bytes, known: dict[int, Labels]) -> None:
        self._wire = wire
        self._known = known
        """Octet → the name that begins there."""

    def read(self, start: int) -> tuple[Labels, int]:
        """Return the name that begins at an octet, and the octet behind it; ValueError where none does."""
        return self._read(start, _MOST_POINTERS)

    def _read(self, start: int, pointers: int) -> tuple[Labels, int]:
        wire = self._wire
        labels: list[bytes] = []
        at = start
        while at < len(wire):
            size = wire[at]
            at += 1
            if size >= _POINTER:
                target = self._target(at - 1, start)
                if not labels and target in self._known:
                    return self._known[target], at + 1
                return self._joined(labels, target, pointers), at + 1
            if size == 0:
                return self._joined(labels, None, pointers), at
            if size > _LONGEST_LABEL or len(labels) > _LONGEST_NAME // 2:
                raise ValueError("octets that are no name")
            labels.append(wire[at : at + size].lower())
            at += size
        raise ValueError("a name that breaks off")

    def _target(self, at: int, start: int) -> int:
        target = int.from_bytes(self._wire[at : at + 2]) & 0x3FFF
        if target >= start or at + 2 > len(self._wire):
            raise ValueError("a compression pointer that does not lead backwards")
        return target

    def _joined(self, labels: list[bytes], target: int | None, pointers: int) -> Labels:
        """Return labels with what a pointer behind them leads to."""
        if target is not None and target not in self._known:
            if pointers == 0:
                raise ValueError("a name of too many compression pointers")
            self._known[target], _ = self._read(target, pointers - 1)
        name = (*labels, *(self._known[target] if target is not None else ()))
        if sum(map(len, name)) + len(name) + 1 > _LONGEST_NAME:
            raise ValueError(f"a name of more than {_LONGEST_NAME} octets")
        return name


def parse(wire: bytes, asked: Labels | None = None) -> Message:
    """Read a message; ValueError or struct.error where it breaks its grammar.

    `asked` is the name of its question, where that is known to stand there without pointers.
    """
    _, flags, questions, *counts = struct.unpack_from("!6H", wire)
    if flags & _OPCODE or questions > 1:
        raise ValueError("it is no answer to one question")
    names = Names(wire, {} if asked is None else {HEADER: asked})
    at = HEADER
    if questions:
        _, at = names.read(at) if asked is None else (asked, at + sum(map(len, asked)) + len(asked) + 1)
        at += 4
    sections: list[list[Record]] = []
    found: list[tuple[int, list[tuple[int, bytes]]]] = []
    for count in counts:
        section: list[Record] = []
        for _ in range(count):
            owner, at = names.read(at)
            rdtype, rdclass, ttl, size = struct.unpack_from("!2HIH", wire, at)
            start, at = at + 10, at + 10 + size
            if at > len(wire):
                raise ValueError("a record that breaks off")
            if rdtype == OPT and len(sections) == 2:
                found.append((ttl >> 24, _options(wire[start:at])))
            elif rdclass == IN:  # in others an A record is no address
                section.append(Record(owner, rdtype, ttl if ttl < 2**31 else 0, start, at))
        sections.append(section)
    if len(found) > 1:
        raise ValueError("more than one OPT record")
    extended, options = found[0] if found else (0, [])
    answer, authority, additional = sections
    return Message(wire, flags, flags & 0xF | extended << 4, answer, authority, additional, options, names)


def _options(data: bytes) -> list[tuple[int, bytes]]:
    """Return the options of an OPT record."""
    options: list[tuple[int, bytes]] = []
    at = 0
    while at < len(data):
        code, size = struct.unpack_from("!2H", data, at)
        options.append((code, data[at + 4 : at + 4 + size]))
        at += 4 + size
    return options
