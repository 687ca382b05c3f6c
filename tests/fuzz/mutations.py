"""Changes to an input that keep most of it: what finds a parser's edges without knowing its grammar."""

import random
from collections.abc import Callable, Sequence

_EDGES = (0, 1, 0x09, 0x0A, 0x0D, 0x20, 0x22, 0x27, 0x28, 0x2F, 0x30, 0x3B, 0x3C, 0x3E, 0x5C, 0x7F, 0x80, 0xC0, 0xFF)
"""Octets at which parsers decide something."""
_MOST_CHANGES = 6

type Change = Callable[[random.Random, bytes, Sequence[bytes], int], bytes]


def mutated(chance: random.Random, known: Sequence[bytes], largest: int) -> bytes:
    """Return one of the known inputs, changed in one to six places, at most `largest` octets of it."""
    data = chance.choice(known)[:largest]
    for _ in range(chance.randint(1, _MOST_CHANGES)):
        changed: bytes = chance.choice(_CHANGES)(chance, data, known, largest)
        data = changed[:largest]
    return data


def repeated(chance: random.Random, data: bytes, _known: Sequence[bytes], largest: int) -> bytes:
    """Write one part many times over: what is not linear in its input's size shows only so."""
    begin, end = _part(chance, data, 24)
    part = data[begin:end] or bytes([chance.choice(_EDGES)])
    room = max(1, (largest - len(data)) // len(part))
    times = min(room, 1 << chance.randint(1, 16))
    return data[:end] + part * times + data[end:]


def _octet(chance: random.Random, data: bytes, _known: Sequence[bytes], _largest: int) -> bytes:
    at = chance.randrange(len(data) + 1)
    value = chance.choice(_EDGES) if chance.random() < 0.7 else chance.randrange(256)
    return data[:at] + bytes([value]) + data[at + 1 :]


def _bit(chance: random.Random, data: bytes, _known: Sequence[bytes], _largest: int) -> bytes:
    if not data:
        return b"\0"
    at = chance.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :]


def _without(chance: random.Random, data: bytes, _known: Sequence[bytes], _largest: int) -> bytes:
    begin, end = _part(chance, data, 64)
    return data[:begin] + data[end:]


def _cut(chance: random.Random, data: bytes, _known: Sequence[bytes], _largest: int) -> bytes:
    return data[: chance.randrange(len(data) + 1)]


def _moved(chance: random.Random, data: bytes, _known: Sequence[bytes], _largest: int) -> bytes:
    begin, end = _part(chance, data, 64)
    at = chance.randrange(len(data) + 1)
    return data[:at] + data[begin:end] + data[at:]


def _crossed(chance: random.Random, data: bytes, known: Sequence[bytes], largest: int) -> bytes:
    other = chance.choice(known)[:largest]
    begin, end = _part(chance, other, 256)
    at = chance.randrange(len(data) + 1)
    return data[:at] + other[begin:end] + data[at + chance.randrange(2) * (end - begin) :]


def _number(chance: random.Random, data: bytes, _known: Sequence[bytes], _largest: int) -> bytes:
    """Write another number in the place of some, in digits or in octets."""
    begin, end = _part(chance, data, 4)
    size = max(1, end - begin)
    edge = chance.choice((0, 1, (1 << 8 * size) - 1, 1 << 8 * size - 1))
    digits = b"9" * (1 << chance.randint(0, 13)) if chance.random() < 0.3 else str(edge).encode()
    return data[:begin] + (edge.to_bytes(size) if chance.random() < 0.5 else digits) + data[end:]


def _part(chance: random.Random, data: bytes, longest: int) -> tuple[int, int]:
    begin = chance.randrange(len(data) + 1)
    return begin, min(len(data), begin + chance.randint(1, longest))


_CHANGES: tuple[Change, ...] = (_octet, _octet, _bit, _without, _cut, _moved, repeated, _crossed, _number)
