"""What an address is asked at once: servers that cannot read it so, or mix it up, are found as well as any other."""

import asyncio
import contextlib
import json
import re
import socket
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator

import pytest
from padlock.assess import assess
from padlock.evidence import Evidence
from padlock.network import limits
from padlock.probes import http

from tests.servers import HOSTS, Script, free_port, redirect, reply, stage

HEALTH = {"path": "/health", "json": {"status": "ok"}}
PAGE, FINE, NOTHING = (
    reply(200, "<title>Shop</title>"),
    reply(200, json.dumps({"status": "ok"})),
    reply(404, "y" * 9000),
)

type Behaviour = Callable[[list[bytes], asyncio.StreamWriter], Awaitable[None]]
"""What a server does with several requests at once, given its answers to each."""


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HEADERS_SECONDS", "ROW_SECONDS", "BODY_SECONDS"):
        monkeypatch.setattr(limits, name, 0.5)
    monkeypatch.setattr(http, "ROW_SECONDS", 0.5)


def answer(target: str) -> bytes:
    """Return what the healthy app answers."""
    return {"/": PAGE, "/health": FINE}.get(target, NOTHING)


def shop(at_once: Behaviour | None = None, sizes: list[int] | None = None) -> Script:
    """Return a server of the app that answers one request well, and several at once as it is told."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while heads := await reader.read(65536):
            answers = [answer(target.decode()) for target in re.findall(rb"GET (\S+) HTTP", heads)]
            if sizes is not None and b".invalid" not in heads:
                sizes.append(len(answers))
            if len(answers) > 1 and at_once:
                await at_once(answers, writer)
                return
            writer.write(b"".join(answers))
            await writer.drain()

    return serve


def sent(*choose: Callable[[list[bytes]], bytes], linger: bool = True, hold: bool = False) -> Behaviour:
    """Return a server that sends a choice of its answers and closes, by a reset unless it lingers."""

    async def behave(answers: list[bytes], writer: asyncio.StreamWriter) -> None:
        for part in choose:
            writer.write(part(answers))
            await writer.drain()
        if hold:
            await asyncio.sleep(60)
        if not linger:
            raw = writer.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
            writer.transport.abort()

    return behave


def first(answers: list[bytes]) -> bytes:
    """Return the first answer."""
    return answers[0]


def closing(answers: list[bytes]) -> bytes:
    """Return the first answer, which says that it is the last."""
    return answers[0].replace(b"\r\n", b"\r\nConnection: close\r\n", 1)


def replaced(status: int, at: int = 1) -> Callable[[list[bytes]], bytes]:
    """Return all answers, from one on with another status."""
    return lambda answers: b"".join([*answers[:at], *[reply(status, "no") for _ in answers[at:]]])


MISREAD: dict[str, Behaviour] = {
    "closes": sent(first),
    "says that it closes": sent(closing),
    "resets": sent(first, linger=False),
    "resets within the first answer": sent(lambda answers: answers[0][:-9], linger=False),
    "resets at once": sent(linger=False),
    "closes within the second answer": sent(lambda answers: answers[0] + answers[1][:20]),
    "is silent": sent(first, hold=True),
    "is silent at once": sent(hold=True),
    "leaves one out": sent(lambda answers: answers[0] + b"".join(answers[2:]), hold=True),
    "leaves one out and closes": sent(lambda answers: answers[0] + b"".join(answers[2:])),
    "answers one twice": sent(lambda answers: answers[0] + b"".join(answers)),
    "says more than the length of one": sent(lambda answers: answers[0] + b"<p>\n" + b"".join(answers[1:])),
    "has an empty line between": sent(b"\r\n".join),
    "bad request": sent(replaced(400)),
    "bad request at once": sent(lambda _: reply(400, "bad")),
    "forbidden at once": sent(replaced(403, 0)),
    "forbidden": sent(replaced(403)),
    "method not allowed": sent(replaced(405)),
    "unavailable": sent(replaced(503)),
    "unavailable, the last": sent(replaced(503, 2)),
    "too many": sent(replaced(429)),
    "failing at once": sent(lambda _: reply(500, "bad")),
}


def told(seen: Evidence) -> object:
    """Return what findings rest on, as far as it does not differ from run to run."""
    assert seen.http
    assert seen.renewal
    exchanges = [
        (e.url.split(":")[0], e.purpose, e.status, e.failure, e.body_size, e.confirmed)
        for e in seen.http.exchanges
        if e.purpose != "random_host"
    ]
    ways = [
        (way.end, [hop.status for hop in way.hops], way.failure, way.confirmed) for way in seen.renewal.challenges
    ]
    chains = [(chain.purpose, chain.end, [hop.status for hop in chain.hops]) for chain in seen.http.chains]
    codes = {finding.code for finding in assess(seen).findings}
    return sorted(map(repr, exchanges)), ways, sorted(map(repr, chains)), codes, seen.incomplete


@pytest.fixture(scope="module", params=MISREAD)
def misread(request: pytest.FixtureRequest) -> Behaviour:
    """Return what a server does with requests at once."""
    return MISREAD[request.param]


async def test_no_server_is_blamed_for_how_it_was_asked(misread: Behaviour) -> None:
    """Whoever answers each request well is found as well as one that answers them all at once."""
    async with stage(shop(), shop(), health=HEALTH) as lab:
        well = told(await lab.gather())
    async with stage(shop(misread), shop(misread), health=HEALTH) as lab:
        seen = await lab.gather()
    assert told(seen) == well
    assert "app.unhealthy" not in {finding.code for finding in assess(seen).findings}
    assert seen.timings["total"] < 8


async def test_what_is_wrong_is_found_in_a_row_too() -> None:
    """A health path that fails alone fails in the row, and is confirmed by a second look."""

    async def sick(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while heads := await reader.read(65536):
            for target in re.findall(rb"GET (\S+) HTTP", heads):
                writer.write(reply(503, "sick") if target == b"/health" else answer(target.decode()))
            await writer.drain()

    async with stage(sick, sick, health=HEALTH) as lab:
        seen = await lab.gather()
    assert seen.http
    assert [(e.status, e.confirmed) for e in seen.http.of("health")] == [(503, True)]
    assert [(e.status, e.confirmed) for e in seen.http.of("front")] == [(200, False)]
    assert "app.bad_gateway" in {finding.code for finding in assess(seen).findings}


async def test_each_address_and_scheme_is_asked_once_over_one_connection() -> None:
    """All requests of a healthy site but those that follow from the deep path's answer."""
    secured: list[int] = []
    plain: list[int] = []
    async with stage(
        shop(sizes=secured), shop(sizes=plain), hosts=dict.fromkeys(HOSTS, ("127.0.0.1", "::1")), health=HEALTH
    ) as lab:
        seen = await lab.gather()
    assert not seen.incomplete
    assert plain == [4, 4, 4, 4]  # /, the deep path, health and challenge of two hosts at two addresses
    assert sorted(secured) == [1, 1, 3, 3, 4, 4]  # the deep path at one address, and there a debugger's file


async def test_a_challenge_that_moves_to_the_other_host_is_asked_nowhere_twice() -> None:
    """Where the redirects of http://www lead was asked at the same time."""
    asked: Counter[str] = Counter()
    ports = free_port(), free_port()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        scheme = "https" if writer.get_extra_info("ssl_object") else "http"
        while heads := await reader.read(65536):
            for target, host in re.findall(r"GET (\S+) HTTP/1.1\r\nHost: ([\w.-]+)", heads.decode()):
                if "/acme-challenge/" in target:
                    asked[f"{scheme}://{host}{target}"] += 1
                moves = scheme == "http" or host != "example.com"
                writer.write(redirect(f"https://example.com:{ports[1]}{target}") if moves else answer(target))
            await writer.drain()

    hosts = dict.fromkeys(HOSTS, ("127.0.0.1",))
    async with stage(serve, serve, hosts=hosts, listen_on=ports) as lab:
        seen = await lab.gather()
        again = await lab.gather()
    assert seen.renewal
    assert again.renewal
    ways = {way.host: [hop.status for hop in way.hops] for way in seen.renewal.challenges}
    assert ways == {"example.com": [301, 404], "www.example.com": [301, 404]}
    assert len(asked) == 8
    assert set(asked.values()) == {1}
    # One token of a run, and another one in the next.
    tokens = [
        {way.url.rpartition("/")[2] for way in each.renewal.challenges} for each in (seen, again) if each.renewal
    ]
    assert [len(each) for each in tokens] == [1, 1]
    assert tokens[0] != tokens[1]


@contextlib.contextmanager
def reading_one(port: int) -> Iterator[None]:
    """Run a server that reads one request, answers and closes: what is unread makes it a reset."""

    def serve(connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                octet = connection.recv(1)
                if not octet:
                    return
                head += octet
            connection.sendall(answer(head.split(b" ")[1].decode()))

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", port)) as listener:
        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)


async def test_a_reset_for_unread_requests_is_no_fault() -> None:
    """As with servers of one request a connection whose first answer overtakes the second request."""
    ports = free_port(), free_port()
    with reading_one(ports[0]):
        async with stage(shop(), None, health=HEALTH, listen_on=ports) as lab:
            seen = await lab.gather()
    async with stage(shop(), shop(), health=HEALTH, listen_on=ports) as lab:
        assert told(seen) == told(await lab.gather())
