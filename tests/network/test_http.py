"""The HTTP client: whatever a server does becomes one bounded response, in time."""

import asyncio
import contextlib
import importlib.metadata
import socket
import time
import zlib

import pytest
from padlock.evidence import Exchange, Failure
from padlock.network import http, limits
from padlock.network.connection import connect
from padlock.network.http import Response, get
from padlock.rules._answers import broken_head

from tests.servers import (
    LOOPBACK,
    Authority,
    Request,
    Script,
    closes,
    forever,
    listen,
    pages,
    redirect,
    reply,
    resets,
    sends,
    silence,
)

OK = b"HTTP/1.1 200 OK\r\n"


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HEADERS_SECONDS", "BODY_SECONDS"):
        monkeypatch.setattr(limits, name, 0.5)


async def ask(script: Script, path: str = "/") -> Response:
    """Return what the client makes of a server's behaviour."""
    async with listen(script) as port:
        with contextlib.closing(await connect("127.0.0.1", port, LOOPBACK)) as connection:
            return await get(connection, "example.com", path)


def failed(response: Response) -> tuple[str, str]:
    """Return kind and detail of a response's failure."""
    assert response.failure, "it did not fail"
    return response.failure.kind, response.failure.detail


async def test_the_user_agent_names_the_installed_version() -> None:
    """Servers' logs show which Padlock it was."""
    assert f"Padlock/{importlib.metadata.version('padlock')}" == http.USER_AGENT


async def test_a_request_carries_what_a_browser_sends_and_asks_for_no_coding() -> None:
    """Host, User-Agent and Accept are there, and nothing compressed is asked for."""
    asked: list[Request] = []

    def page(request: Request) -> bytes:
        asked.append(request)
        return reply()

    await ask(pages(page), "/path?q=1")
    assert (asked[0].host, asked[0].path) == ("example.com", "/path?q=1")
    assert asked[0].headers["accept-encoding"] == "identity"
    assert asked[0].headers["user-agent"] == http.USER_AGENT


async def test_a_plain_answer_is_read_whole() -> None:
    """Status, headers in order and in lower case, body, and that the connection lives on."""
    seen = await ask(pages({"/": reply(200, "hello", ("X-A", "1"), ("X-A", "2"))}))
    assert (seen.status, seen.body, seen.failure, seen.truncated) == (200, b"hello", None, False)
    assert seen.all("x-a") == ("1", "2")
    assert seen.reusable
    assert 0 < seen.first_byte <= seen.seconds


async def test_a_kept_connection_carries_the_next_request() -> None:
    """Two requests, one connection."""
    async with listen(pages({"/": reply(200, "one"), "/2": reply(200, "two")})) as port:
        with contextlib.closing(await connect("127.0.0.1", port, LOOPBACK)) as connection:
            bodies = [(await get(connection, "example.com", path)).body for path in ("/", "/2")]
    assert bodies == [b"one", b"two"]


@pytest.mark.parametrize("head", [b"HTTP/1.0 200 OK\r\n\r\n", OK + b"Connection: close\r\n\r\n"])
async def test_a_body_until_the_end_of_the_connection(head: bytes) -> None:
    """HTTP/1.0 and close-delimited bodies are whole, and the connection is done with."""
    seen = await ask(sends(head + b"hello"))
    assert (seen.body, seen.failure, seen.reusable) == (b"hello", None, False)


async def test_tls_without_close_notify_ends_a_body() -> None:
    """Servers that just close TCP under TLS are common; the body counts."""
    async with listen(sends(OK + b"\r\nhello"), tls=Authority().context()) as port:
        with contextlib.closing(await connect("127.0.0.1", port, LOOPBACK)) as connection:
            await connection.start_tls("example.com")
            seen = await get(connection, "example.com", "/")
    assert (seen.body, seen.failure) == (b"hello", None)


async def test_informational_responses_are_passed_over() -> None:
    """103 Early Hints, then the answer (RFC 9110 section 15.2)."""
    seen = await ask(sends(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n" + reply(200, "page")))
    assert (seen.status, seen.body, seen.all("link")) == (200, b"page", ())


async def test_an_unknown_status_is_kept_as_it_is() -> None:
    """999 is no failure of HTTP's grammar."""
    assert (await ask(sends(reply(999, "denied")))).status == 999


@pytest.mark.parametrize(
    ("script", "kind", "detail"),
    [
        (silence, "timeout", "headers"),
        (sends(*[b"H", b"T", b"T", b"P"] * 20, pause=0.05), "timeout", "headers"),
        (sends(*[OK] + [b"X: y\r\n"] * 40, pause=0.05), "timeout", "headers"),
        (forever(b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0.06), "timeout", "headers"),
        (forever(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), "protocol_error", "more than 10 informational responses"),
        (resets, "reset", "headers"),
        (closes, "closed", "headers"),
        (forever(OK, b"X: " + b"y" * 65_000 + b"\r\n"), "protocol_error", ""),
        (forever(OK, b"X: y\r\n" * 10_000), "protocol_error", ""),
        (forever(b"", b"x" * 65_536), "protocol_error", "not HTTP: xxx"),
        (sends(b"SSH-2.0-OpenSSH_9.2p1\r\n"), "protocol_error", "not HTTP: SSH-2.0-OpenSSH_9.2p1"),
        (sends(b"ICY 200 OK\r\n\r\n"), "protocol_error", "not HTTP: ICY"),
        (sends(b"HTTP/1.1 abc OK\r\n\r\n"), "protocol_error", ""),
        (sends(b"HTTP/1.1 099 OK\r\n\r\n"), "protocol_error", ""),
        (sends(OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab"), "protocol_error", ""),
        (sends(OK + b"Content-Length: x\r\n\r\n"), "protocol_error", ""),
        (sends(OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n"), "protocol_error", ""),
        (sends(OK + b"A: b\rSet-Cookie: x=y\r\n\r\n"), "protocol_error", ""),
        (sends(b"\x15\x03\x01\0\2\2\x46"), "protocol_error", "tls record: \\x15\\x03\\x01"),
        (sends(OK[:-2]), "protocol_error", ""),
    ],
)
async def test_a_head_that_is_none_is_one_failure(script: Script, kind: str, detail: str) -> None:
    """Slow, endless, broken and missing heads each have their name, in bounded time."""
    began = time.perf_counter()
    seen = await ask(script)
    assert seen.status is None or seen.failure
    assert failed(seen)[0] == kind
    assert failed(seen)[1].startswith(detail)
    assert failed(seen)[1].isprintable()
    assert time.perf_counter() - began < 4


@pytest.mark.parametrize(
    ("script", "kind", "detail"),
    [
        (forever(OK + b"Content-Length: 999999\r\n\r\n", b"x", 0.05), "timeout", "body"),
        (forever(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n", 0.05), "timeout", "body"),
        (forever(OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"T: x\r\n", 0.05), "timeout", "body"),
        (sends(OK + b"Content-Length: 10\r\n\r\nhello"), "incomplete_body", ""),
        (sends(OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"), "incomplete_body", ""),
        (sends(OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n", hold=True), "protocol_error", ""),
        (sends(OK + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n"), "protocol_error", "both"),
    ],
)
async def test_a_broken_body_keeps_the_status(script: Script, kind: str, detail: str) -> None:
    """The head was good: its status stands beside the failure."""
    seen = await ask(script)
    assert seen.status == 200
    assert failed(seen)[0] == kind
    assert failed(seen)[1].startswith(detail)
    assert not seen.reusable


@pytest.mark.parametrize(
    "framing",
    [
        (b"Content-Length: 1000000000\r\n\r\n", b"x" * 65_536),
        (b"Transfer-Encoding: chunked\r\n\r\n", b"ffff\r\n" + b"x" * 65_535 + b"\r\n"),
        (b"\r\n", b"x" * 65_536),
    ],
)
async def test_a_huge_body_is_cut_and_is_no_failure(framing: tuple[bytes, bytes]) -> None:
    """A gigabyte is read up to the cap."""
    seen = await ask(forever(OK + framing[0], framing[1]))
    assert (seen.truncated, len(seen.body), seen.failure) == (True, limits.BODY_BYTES, None)


async def test_a_body_in_a_million_chunks_is_cut() -> None:
    """Chunks of one octet cost a thousand times their size; they end before the cap on octets does."""
    began = time.perf_counter()
    seen = await ask(forever(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n" * 1000))
    assert seen.truncated or failed(seen) == ("timeout", "body")
    assert time.perf_counter() - began < 3


async def test_a_fast_sender_leaves_the_loop_to_others() -> None:
    """Octets that wait already are read in turn with other tasks; else no deadline would hold against a flood."""
    turns = 0

    def pour(server: socket.socket) -> None:
        client, _ = server.accept()
        with client, contextlib.suppress(OSError):
            client.recv(65_536)
            client.sendall(OK + b"\r\n" + b"x" * 3_000_000)

    async def count() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    with socket.create_server(("127.0.0.1", 0)) as server:
        pouring = asyncio.create_task(asyncio.to_thread(pour, server))
        with contextlib.closing(await connect("127.0.0.1", server.getsockname()[1], LOOPBACK)) as connection:
            counting = asyncio.create_task(count())
            seen = await get(connection, "example.com", "/")
            counting.cancel()
        await pouring
    assert seen.truncated
    assert turns >= limits.BODY_BYTES // 65_536


async def test_a_gzip_body_that_nobody_asked_for_is_kept_as_sent() -> None:
    """The client undoes no coding: a bomb stays small."""
    bomb = zlib.compress(b"\0" * 10_000_000)
    seen = await ask(pages({"/": reply(200, bomb, ("Content-Encoding", "deflate"))}))
    assert (seen.body, seen.failure) == (bomb, None)


@pytest.mark.parametrize("octet", [b"\x00", b"\r", b"\x0b"])
async def test_control_characters_in_a_location_are_shown(octet: bytes) -> None:
    """h11 refuses such a head; its status and the Location are kept for the finding."""
    seen = await ask(sends(b"HTTP/1.1 301 Moved\r\nLocation: https://example.com/" + octet + b"x\r\n\r\n"))
    assert seen.status == 301
    assert seen.all("location") == (f"https://example.com/{octet.decode()}x",)
    assert failed(seen)[0] == "protocol_error"


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        (b"X Y: b\r\n", "illegal header line"),
        (b"no colon\r\n", "illegal header line"),
        (b"Content-Length: 1\r\nContent-Length: 2\r\n", "conflicting Content-Length"),
        (b"A: b\0c\r\n", "a NUL octet"),
    ],
)
async def test_of_a_broken_head_the_readable_headers_are_kept(lines: bytes, why: str) -> None:
    """Status and headers stand beside the failure, which says that it is the head's; nothing of the body does."""
    seen = await ask(sends(OK + b"Server: nginx\r\n" + lines + b"Strict-Transport-Security: a\r\n\r\nX-Body: b\r\n"))
    assert (seen.status, seen.body, seen.all("x-body")) == (200, b"", ())
    assert (seen.all("server"), seen.all("strict-transport-security")) == (("nginx",), ("a",))
    assert failed(seen)[1].startswith(http.BROKEN_HEAD + why)
    kept = Exchange("https://a/", "a", "192.0.2.1", "front", Failure("protocol_error", failed(seen)[1]), 200)
    assert broken_head(kept) == failed(seen)[1]


async def test_a_location_cut_by_a_line_feed_keeps_it() -> None:
    """What looks like a Location and a further header is a header injection where other lines end in CRLF."""
    seen = await ask(sends(b"HTTP/1.1 301 Moved\r\nLocation: https://a.example/\nX: y\r\nContent-Length: 0\r\n\r\n"))
    assert seen.all("location") == ("https://a.example/\n",)


async def test_a_server_that_ends_all_lines_with_line_feeds_is_fine() -> None:
    """Old CGI programs send bare LF throughout; browsers accept it."""
    seen = await ask(sends(b"HTTP/1.1 301 Moved\nLocation: https://a.example/\nContent-Length: 0\n\n"))
    assert (seen.status, seen.all("location"), seen.failure) == (301, ("https://a.example/",), None)


async def test_an_answer_sent_before_the_request_was_read_still_counts() -> None:
    """A server may refuse early and close."""
    seen = await ask(sends(reply(400, "no"), read=False))
    assert (seen.status, seen.body) == (400, b"no")


async def test_utf8_and_latin1_header_values_are_both_text() -> None:
    """Octets beyond ASCII are read as UTF-8 where they are, and as Latin-1 otherwise."""
    utf8, latin1 = "https://example.com/ü".encode(), "https://example.com/ü".encode("latin-1")
    for value in (utf8, latin1):
        seen = await ask(sends(redirect(value.decode("latin-1"))))
        assert seen.all("location") == ("https://example.com/ü",)
