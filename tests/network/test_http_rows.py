"""Requests sent at once over one connection: each answer is read as if it had been asked for alone."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from padlock.network import limits
from padlock.network.connection import connect
from padlock.network.http import Response, Row

from tests.servers import LOOPBACK, Authority, Script, forever, listen, pages, reply, sends, silence

PATHS = ("/", "/2", "/3")
OK = b"HTTP/1.1 200 OK\r\n"


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HEADERS_SECONDS", "ROW_SECONDS", "BODY_SECONDS"):
        monkeypatch.setattr(limits, name, 0.5)


@contextlib.asynccontextmanager
async def asked(script: Script, *paths: str, tls: bool = False) -> AsyncIterator[Row]:
    """Yield requests for these paths to a server."""
    authority = Authority()
    async with listen(script, tls=authority.context() if tls else None) as port:
        with contextlib.closing(await connect("127.0.0.1", port, LOOPBACK)) as connection:
            if tls:
                await connection.start_tls("example.com")
            yield Row(connection, [("example.com", path, ()) for path in paths or PATHS])


async def answers(script: Script, *paths: str, tls: bool = False, most: int = limits.BODY_BYTES) -> list[Response]:
    """Return what the client makes of the answers, as long as there may be another one."""
    got: list[Response] = []
    async with asked(script, *paths, tls=tls) as row:
        while row.is_open and len(got) < len(paths or PATHS):
            got.append(await row.answer(most))
    return got


def failures(got: list[Response]) -> list[str]:
    """Return how each answer failed; empty where it did not."""
    return [response.failure.kind if response.failure else "" for response in got]


@pytest.mark.parametrize("tls", [False, True])
async def test_answers_come_in_the_order_of_the_requests(tls: bool) -> None:
    """All are sent before the first answer, and each keeps its status, headers and body."""
    log: list[str] = []
    site = {"/": reply(200, "one", ("X-A", "1")), "/2": reply(301, "", ("Location", "/")), "/3": reply(404, "three")}

    async def last_first(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        log.extend([(await reader.readuntil(b"\r\n\r\n")).split(b" ")[1].decode() for _ in PATHS])
        writer.write(b"".join(site[path] for path in PATHS))

    got = await answers(last_first, tls=tls)
    assert log == list(PATHS)
    assert [(r.status, r.body, r.failure) for r in got] == [
        (200, b"one", None),
        (301, b"", None),
        (404, b"three", None),
    ]
    assert (got[0].all("x-a"), got[1].all("location")) == (("1",), ("/",))


@pytest.mark.parametrize("size", [1, 2, 3, 7, 40, 41, 100])
async def test_answers_cut_anywhere(size: int) -> None:
    """Where one answer ends and how packets are cut have nothing to do with each other."""
    chunked = OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\ntwo\r\n0\r\nX-T: 1\r\n\r\n"
    octets = reply(200, "one") + chunked + b"HTTP/1.1 100 Continue\r\n\r\n" + reply(204, length=False)
    parts = [octets[at : at + size] for at in range(0, len(octets), size)]
    got = await answers(sends(*parts, hold=True))
    assert [(r.status, r.body, r.failure) for r in got] == [
        (200, b"one", None),
        (200, b"two", None),
        (204, b"", None),
    ]
    assert got[-1].reusable


@pytest.mark.parametrize(
    "first",
    [reply(200, "one", ("Connection", "close")), b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\none", OK + b"\r\none"],
    ids=["close", "HTTP/1.0", "until the end"],
)
async def test_a_server_may_end_it_after_any_answer(first: bytes) -> None:
    """Then nothing more is read, whatever stands there."""
    got = await answers(sends(first))
    assert [(r.status, r.body, r.reusable) for r in got] == [(200, b"one", False)]


@pytest.mark.parametrize(
    ("after", "kind"),
    [
        (b"", "closed"),
        (OK, "protocol_error"),
        (OK + b"Content-Length: 9\r\n\r\nhalf", "incomplete_body"),
        (b"<p>more of it</p>\n", "protocol_error"),
        (b"\r\n" + reply(200, "two"), "protocol_error"),
        (OK + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "protocol_error"),
    ],
    ids=["nothing", "half a head", "half a body", "more than said", "an empty line", "two lengths"],
)
async def test_a_later_answer_that_is_none(after: bytes, kind: str) -> None:
    """The one before it stands; nothing is read behind it."""
    got = await answers(sends(reply(200, "one") + after))
    assert failures(got) == ["", kind]
    assert got[0].body == b"one"


async def test_a_server_that_reads_only_the_first_request() -> None:
    """The second answer is not waited for as long as a first one may take."""
    got = await answers(sends(reply(200, "one"), hold=True))
    assert failures(got) == ["", "timeout"]


async def test_a_server_that_answers_nothing() -> None:
    """One failure, and no waiting for the others."""
    assert failures(await answers(silence)) == ["timeout"]


@pytest.mark.parametrize("lines", [limits.HEADER_LINES + 100, 20 * limits.HEADER_LINES])
async def test_a_later_head_has_the_same_limits(lines: int) -> None:
    """It is refused before it is parsed, and takes nothing from the answer before it."""
    got = await answers(sends(reply(200, "one") + OK + b"A: b\r\n" * lines + b"\r\n"))
    assert failures(got) == ["", "protocol_error"]


async def test_informational_responses_without_end() -> None:
    """They are counted for each answer."""
    one = b"HTTP/1.1 100 Continue\r\n\r\n"
    few, many = one * limits.INFORMATIONAL_RESPONSES, one * (limits.INFORMATIONAL_RESPONSES + 1)
    got = await answers(sends(few + reply(200, "one") + few + reply(200, "two") + many + reply(200, "three")))
    assert failures(got) == ["", "", "protocol_error"]


@pytest.mark.parametrize(("beyond", "statuses"), [(0, [200]), (500, [200]), (2000, [200, 404])])
async def test_a_long_body_is_passed_over(beyond: int, statuses: list[int]) -> None:
    """As far as it is worth it: what is kept does not grow."""
    site = pages({"/": reply(200, "x" * 1500)})
    got: list[Response] = []
    async with asked(site, "/", "/2") as row:
        while row.is_open and len(got) < 2:
            got.append(await row.answer(100, beyond=beyond))
    assert [response.status for response in got] == statuses
    assert (got[0].body, got[0].truncated, got[0].failure) == (b"x" * 100, True, None)


async def test_a_body_without_end_ends_the_row() -> None:
    """It is cut as one that was asked for alone."""
    got = await answers(forever(OK + b"Content-Length: 1000000000\r\n\r\n", b"x" * 65_536))
    assert [(r.truncated, len(r.body), r.failure) for r in got] == [(True, limits.BODY_BYTES, None)]


async def test_more_answers_than_requests() -> None:
    """What comes behind the last one is there to be seen, and no answer to a later request."""
    async with asked(sends(reply(200, "one") * 3, hold=True), "/", "/2") as row:
        got = [await row.answer() for _ in range(2)]
        assert row.received == reply(200, "one")
    assert [response.body for response in got] == [b"one", b"one"]
    assert not got[-1].reusable


async def test_an_answer_is_not_blamed_for_those_before_it() -> None:
    """Its times begin where the answer before it ended."""

    async def slow_at_first(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.3)
        writer.write(reply(200, "one") + reply(200, "two"))
        await asyncio.sleep(0.2)
        writer.write(reply(200, "three"))
        await reader.read(-1)

    one, two, three = await answers(slow_at_first)
    assert one.first_byte >= 0.3
    assert 0 < two.first_byte <= two.seconds < 0.3
    assert 0.1 < three.first_byte <= three.seconds


async def test_a_location_in_a_body_is_no_header() -> None:
    """A line feed that follows it there says nothing about the head; nor does one in the next answer's head."""
    text = "moved\nLocation: /elsewhere\n"
    first = reply(302, text, ("Location", "/there"))
    got = await answers(sends(first + reply(302, text, ("Location", "/2")) + reply(200), hold=True))
    assert [response.all("location") for response in got] == [("/there",), ("/2",), ()]
    cut = OK.replace(b"200", b"302") + b"Location: /x\nContent-Length: 0\r\n\r\n"
    got = await answers(sends(first + cut + first, hold=True))
    assert [response.all("location") for response in got] == [("/there",), ("/x\n",), ("/there",)]


@pytest.mark.parametrize("path", ["/a b", "/ü", "/a\r\nX: y", ""])
async def test_what_would_break_a_request_is_not_sent(path: str) -> None:
    """It is a failure, and nothing of the row is sent."""
    log: list[str] = []
    got = await answers(pages({}, log), "/", path)
    assert failures(got) == ["protocol_error"]
    assert log == []
