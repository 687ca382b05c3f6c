"""Answers that are read at once: whatever is taken for an ordinary one, h11 reads the same."""

import random
import re

import h11
import pytest
from padlock.network import limits
from padlock.network.plain_answer import PlainAnswer, read

HEAD = (
    b"HTTP/1.1 301 Moved Permanently\r\nServer: nginx\r\nDate: Sun, 22 Nov 2026 02:00:00 GMT\r\n"
    b"Content-Type: text/html\r\nContent-Length: 5\r\nConnection: keep-alive\r\nLocation: https://shop.test/?a=b\r\n"
)
WHOLE = HEAD + b"\r\nhelloHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
PIECES = (
    *(
        b"\r",
        b"\n",
        b"\r\n",
        b"\r\n\r\n",
        b"\n\n",
        b" ",
        b"\t",
        b"\0",
        b":",
        b",",
        b"\xe9",
        b"\xa0",
        b"\x0b",
        b"\x0c",
        b"\x1c",
    ),
    *(b"0", b"5", b"6", b"5, 5", b"+5", b"204", b"304", b"101", b"HTTP/1.0", b"close", b"Close, x", b"upgrade"),
    *(b"Content-Length: 5\r\n", b"Content-Length: 6\r\n", b"content-length:4\r\n", b"Content-Length\r\n", b"X:\r\n"),
    *(
        b"Transfer-Encoding: chunked\r\n",
        b"Connection: close\r\n",
        b" folded\r\n",
        b"X : y\r\n",
        b"X:  a  b \t\r\n",
        b": x\r\n",
    ),
)


def by_h11(received: bytes) -> PlainAnswer:
    """Read an answer to its end as all others are read; an error where it has none."""
    parser = h11.Connection(h11.CLIENT, max_incomplete_event_size=limits.HEADER_BYTES)
    parser.send(h11.Request(method="GET", target="/", headers=[("Host", "shop.test")]))
    parser.send(h11.EndOfMessage())
    parser.receive_data(received)
    head = parser.next_event()
    assert isinstance(head, h11.Response)
    body = b""
    while isinstance(event := parser.next_event(), h11.Data):
        body += event.data
    assert isinstance(event, h11.EndOfMessage)
    assert parser.our_state is parser.their_state is h11.DONE
    headers = tuple((name.decode("ascii"), value.decode("ascii")) for name, value in head.headers)
    return PlainAnswer(head.status_code, headers, body, parser.trailing_data[0])


def mutated(chance: random.Random) -> bytes:
    """Return the answer with a few pieces put in, taken out or put in the place of others."""
    octets = WHOLE
    lines = [found.end() for found in re.finditer(rb"\r\n", HEAD)]
    for _ in range(chance.randint(1, 3)):
        at = chance.choice([chance.randrange(len(octets)), *lines])
        octets = octets[:at] + chance.choice((b"", *PIECES)) + octets[at + chance.choice((0, 0, 1, 2)) :]
    return octets


def test_an_ordinary_answer_is_read() -> None:
    """Status, headers, body, and what came behind it."""
    answer = read(WHOLE, 5)
    assert answer == by_h11(WHOLE)
    assert answer is not None
    assert (answer.status, answer.body, answer.headers[0]) == (301, b"hello", ("server", "nginx"))
    assert answer.rest == WHOLE[len(HEAD) + 7 :]


def test_what_is_taken_for_ordinary_is_read_as_h11_reads_it() -> None:
    """Of thousands of answers that are nearly ordinary."""
    chance = random.Random(7)  # noqa: S311 — the same answers each time
    taken = 0
    for _ in range(20_000):
        octets = mutated(chance)
        answer = read(octets, limits.BODY_BYTES)
        if answer is not None:
            taken += 1
            assert answer == by_h11(octets), octets
    assert taken > 2_000


@pytest.mark.parametrize(
    "octets",
    [
        WHOLE[: len(HEAD) + 6],
        WHOLE[: len(HEAD)],
        b"",
        WHOLE.replace(b"HTTP/1.1 301", b"HTTP/1.0 301"),
        WHOLE.replace(b" 301 ", b" 204 "),
        WHOLE.replace(b" 301 ", b" 304 "),
        WHOLE.replace(b" 301 ", b" 103 "),
        WHOLE.replace(b"keep-alive", b"close"),
        WHOLE.replace(b"keep-alive", b"keep-alive, close"),
        WHOLE.replace(b"Content-Length: 5\r\n", b""),
        WHOLE.replace(b"Content-Length: 5\r\n", b"Content-Length: 5\r\nContent-Length: 5\r\n"),
        WHOLE.replace(b"Content-Length: 5\r\n", b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"),
        WHOLE.replace(b"Content-Length: 5\r\n", b"Content-Length: 5, 5\r\n"),
        WHOLE.replace(b"Content-Length: 5\r\n", b"Content-Length: 5\n"),
        WHOLE.replace(b"nginx", b"ngi\rnx"),
        WHOLE.replace(b"nginx", b"ngi\r\n nx"),
        WHOLE.replace(b"nginx", b"\xc3\xa9"),
        WHOLE.replace(b"nginx", b"a\x01b"),
        WHOLE.replace(b"Server:", b"Server :"),
        WHOLE.replace(b"nginx", b"n" * limits.HEADER_SPACES),
    ],
)
def test_every_other_answer_is_left_to_h11(octets: bytes) -> None:
    """It knows what is wrong with them, or waits for the rest."""
    assert read(octets, limits.BODY_BYTES) is None


def test_a_longer_body_is_left_to_h11() -> None:
    """There the body is cut."""
    assert read(WHOLE, 4) is None


def test_thousands_of_spaces_before_what_ends_the_line_are_left_to_h11() -> None:
    """Neither in a value nor behind it."""
    spaces = b"HTTP/1.1 200 OK\r\nX:" + b" " * (limits.HEADER_SPACES - 64) + b"\x01\r\n\r\n"
    assert read(spaces, 0) is None
    assert read(spaces.replace(b"\x01", b"a" + b" " * 20 + b"b\x01"), 0) is None
