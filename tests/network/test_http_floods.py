"""What would cost the HTTP client more than its size: lines without end, many large bodies, a banner that is held."""

import asyncio
import contextlib
import time

import pytest
from padlock.network import limits
from padlock.network.connection import connect
from padlock.network.http import BROKEN_HEAD, Response, get

from tests.servers import LOOPBACK, Script, forever, listen, reply, sends

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n"


async def ask(script: Script, turns: asyncio.Semaphore | None = None) -> Response:
    """Return what the client makes of a server's behaviour."""
    async with listen(script) as port:
        with contextlib.closing(await connect("127.0.0.1", port, LOOPBACK)) as connection:
            return await get(connection, "example.com", "/", turns=turns)


def failed(response: Response) -> tuple[str, str]:
    """Return kind and detail of a response's failure."""
    assert response.failure, "it did not fail"
    return response.failure.kind, response.failure.detail


@pytest.mark.parametrize("lines", [limits.HEADER_LINES + 1, 50_000])
async def test_a_head_of_too_many_lines_is_refused_before_it_is_parsed(lines: int) -> None:
    """Fifty thousand headers of a few octets take their parser half a second; the status is kept."""
    began = time.process_time()
    seen = await ask(sends(OK + b"A:b\r\n" * lines + b"Content-Length: 0\r\n\r\n"))
    assert (seen.status, failed(seen)) == (200, ("protocol_error", f"{BROKEN_HEAD}more than 1,000 lines of headers"))
    assert len(seen.headers) <= limits.HEADER_LINES
    assert time.process_time() - began < 2


async def test_a_head_of_many_lines_is_read() -> None:
    """Nine hundred headers are many, and no fault."""
    seen = await ask(sends(OK + b"A: b\r\n" * 900 + b"Content-Length: 0\r\n\r\n"))
    assert (seen.status, seen.failure, len(seen.headers)) == (200, None, 901)


async def test_lines_of_a_body_are_none_of_its_head() -> None:
    """A page of short lines comes with its head, or in many chunks."""
    page = b"x\n" * 20_000
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(page), page) for _ in range(3)) + b"0\r\n\r\n"
    whole = await ask(sends(reply(200, page)))
    chunked = await ask(sends(CHUNKED + chunks))
    assert (whole.body, whole.failure) == (page, None)
    assert (chunked.body, chunked.failure) == (page * 3, None)


async def test_trailers_without_end_are_refused() -> None:
    """They end by their number of lines; the body before them is kept."""
    seen = await ask(forever(CHUNKED + b"5\r\nhello\r\n0\r\n", b"T: x\r\n" * 1_000))
    assert (seen.status, seen.body, failed(seen)[0]) == (200, b"hello", "protocol_error")


@pytest.mark.parametrize(
    ("banner", "detail"),
    [
        (b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n", "not HTTP: SSH-2.0-OpenSSH_9.2p1 Debian-2"),
        (b"220 mail.example ESMTP\r\n", "not HTTP: 220 mail.example ESMTP"),
        (b"\x15\x03\x01\0\2\2\x46", "tls record: "),
    ],
)
async def test_a_banner_is_named_although_the_server_waits(banner: bytes, detail: str) -> None:
    """What can be no head of HTTP, whatever follows, is told at once: h11 alone would wait for the rest of it."""
    began = time.perf_counter()
    seen = await ask(sends(banner, read=False, hold=True))
    assert failed(seen)[0] == "protocol_error"
    assert failed(seen)[1].startswith(detail)
    assert time.perf_counter() - began < limits.HEADERS_SECONDS


@pytest.mark.parametrize(
    ("octets", "status"),
    [
        (HINTS + OK + b"A: b\rc: d\r\n\r\n", 200),
        (HINTS * (limits.INFORMATIONAL_RESPONSES + 1), None),
        (HINTS + b"HTTP/1.1 abc\r\n\r\n", None),
    ],
)
async def test_the_status_of_a_broken_head_is_the_final_one(octets: bytes, status: int | None) -> None:
    """An informational response before it is no answer."""
    seen = await ask(sends(octets))
    assert (seen.status, failed(seen)[0]) == (status, "protocol_error")


async def test_large_bodies_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """One is read while others wait, which is none of the server's time; small ones wait for nobody."""
    monkeypatch.setattr(limits, "BODY_SECONDS", 1.0)
    turns = asyncio.Semaphore(1)
    dripping = forever(OK + b"\r\n" + b"x" * (limits.BODY_ALONE + 1), b"x", 0.1)
    large = sends(reply(200, b"y" * 500_000))
    small = sends(reply(200, b"z" * 1_000))
    first = asyncio.create_task(ask(dripping, turns))
    for _ in range(1_000):
        if turns.locked():
            break
        await asyncio.sleep(0.01)
    ended: list[str] = []

    async def end(name: str, script: Script) -> Response:
        seen = await ask(script, turns)
        ended.append(name)
        return seen

    big, little = await asyncio.gather(end("large", large), end("small", small))
    assert failed(await first) == ("timeout", "body")
    assert (len(big.body), big.failure, len(little.body)) == (500_000, None, 1_000)
    assert ended == ["small", "large"]
    assert not turns.locked()
