"""Ordinary HTTP/1.1 answers that came whole, read at once; h11, which reads all others, would read them the same way.

Ordinary are ASCII heads in which every line ends in CRLF, with one Content-Length, for a connection that lives on.
Most answers are: nginx's own pages, redirects, what a health check says.
"""

import re

import msgspec

from padlock.network import limits

_BEGINNING = b"HTTP/1.1 "
_END = b"\r\n\r\n"
# Possessive: what a line cannot go on with is not tried again in another way.
_HEAD = re.compile(
    r"HTTP/1\.1 (?!204|304)([2-5][0-9]{2})(?: [\t -~]*+)?+\r\n"
    r"((?:[!#$%&'*+.^_`|~0-9A-Za-z-]++:[ \t]*+(?:[!-~]++(?:[ \t]++[!-~]++)*+)?+[ \t]*+\r\n)++)"
)
_LENGTH = re.compile(r"[0-9]{1,9}")


class PlainAnswer(msgspec.Struct, frozen=True, gc=False):
    """An answer that came whole."""

    status: int
    headers: tuple[tuple[str, str], ...]
    """Names in lower case; values as sent."""
    body: bytes
    rest: bytes
    """What came behind it."""


def read(received: bytes, most: int) -> PlainAnswer | None:
    """Return the answer at the beginning of what was received, with a body of at most so many octets.

    None where it is not whole yet, or not an ordinary one.
    """
    if not received.startswith(_BEGINNING):
        return None
    end = received.find(_END, 0, limits.HEADER_SPACES)
    if end < 0:
        return None
    head = _HEAD.fullmatch(received[: end + 2].decode("latin-1"))
    if head is None:
        return None
    lines = [line.partition(":") for line in head[2][:-2].split("\r\n")]
    headers = tuple([(name.lower(), value.strip(" \t")) for name, _, value in lines])
    length = _length(headers)
    start = end + len(_END)
    if length is None or length > most or start + length > len(received):
        return None
    return PlainAnswer(int(head[1]), headers, received[start : start + length], received[start + length :])


def _length(headers: tuple[tuple[str, str], ...]) -> int | None:
    """Return the length of the body; None where more than one Content-Length says how it ends, or what follows it."""
    length = None
    for name, value in headers:
        if name == "content-length":
            if length is not None or not _LENGTH.fullmatch(value):
                return None
            length = int(value)
        elif name == "transfer-encoding" or (name == "connection" and value.lower() != "keep-alive"):
            return None
    return length
