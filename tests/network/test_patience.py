"""What a peer is given in time, with real sockets and a process that really stands still."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

import pytest
from padlock.network.dns import ask
from padlock.network.dns_message import Question
from padlock.network.limits import DNS_SECONDS
from padlock.network.patience import Patience

from tests import dns_server

SHORT = 0.2
"""Seconds given to a peer."""
LONG = 3 * SHORT
"""Seconds for which the process stands still."""


@contextlib.asynccontextmanager
async def peer(answers: bool) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Yield a connection to a server that sends back each line, or stays silent."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while answers and (line := await reader.readline()):
            writer.write(line)
        await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        try:
            yield reader, writer
        finally:
            writer.close()


async def said(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, line: bytes) -> bytes:
    """Send a line and return the one that comes back."""
    writer.write(line)
    return await reader.readline()


def stand_still(seconds: float) -> None:
    """Keep the loop from doing anything, as soon as what is done now waits for the first time."""
    asyncio.get_running_loop().call_soon(time.sleep, seconds)


async def test_answer_that_came_meanwhile_is_heard() -> None:
    """The process stands still for longer than the peer is given; its answer waits in the socket."""
    async with peer(answers=True) as (reader, writer):
        stand_still(LONG)
        async with Patience(SHORT):
            assert await said(reader, writer, b"one\n") == b"one\n"


async def test_peer_may_answer_again_after_it() -> None:
    """An exchange of several messages goes on after the pause."""
    async with peer(answers=True) as (reader, writer):
        stand_still(LONG)
        async with Patience(SHORT):
            for line in (b"one\n", b"two\n", b"three\n"):
                assert await said(reader, writer, line) == line
                await asyncio.sleep(0.01)


async def test_silence_ends() -> None:
    """A peer that says nothing is waited for as long as was said, and no shorter."""
    async with peer(answers=False) as (reader, writer):
        began = time.monotonic()
        with pytest.raises(TimeoutError):
            async with Patience(SHORT):
                await said(reader, writer, b"one\n")
        assert time.monotonic() - began >= SHORT


async def test_silence_ends_however_often_the_process_stands_still() -> None:
    """Pauses are made up for once; a process that never catches up waits for nobody for ever."""

    async def stand_still_for_ever() -> None:
        while True:
            await asyncio.sleep(0)
            time.sleep(SHORT)  # noqa: ASYNC251 — to hold up the loop is the test
            pauses.append(SHORT)

    pauses: list[float] = []
    async with peer(answers=False) as (reader, writer):
        busy = asyncio.create_task(stand_still_for_ever())
        with pytest.raises(TimeoutError):
            async with Patience(SHORT):
                await said(reader, writer, b"one\n")
        busy.cancel()
    assert len(pauses) <= 8, "twice the peer's time, each rounded up, and the turns that end it"


async def test_each_of_many_has_its_own_time() -> None:
    """Those that begin one after the other end so, whichever of them has left meanwhile."""
    over: list[int] = []

    async def wait(number: int) -> float:
        began = time.monotonic()
        try:
            async with Patience(SHORT):
                await asyncio.sleep(0 if number in (0, 3) else 60)
        except TimeoutError:
            over.append(number)
        return time.monotonic() - began

    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
        waiting = []
        for number in range(6):
            waiting.append(tasks.create_task(wait(number)))
            await asyncio.sleep(SHORT / 10)
    assert over == [1, 2, 4, 5]
    assert all(task.result() >= SHORT for number, task in enumerate(waiting) if number in over)


async def test_one_that_ended_may_be_followed_by_another() -> None:
    """Nobody waits any more when the time of the first is over; those after it are still given an end."""
    for _ in range(3):
        async with Patience(SHORT):
            await asyncio.sleep(0)
        await asyncio.sleep(1.5 * SHORT)
        with pytest.raises(TimeoutError):
            async with Patience(SHORT):
                await asyncio.sleep(60)


async def test_threads_do_not_end_each_other_s() -> None:
    """Each thread has a loop of its own, and time-outs of its own in it."""

    async def wait() -> int:
        ended = 0
        for number in range(6):
            with contextlib.suppress(TimeoutError):
                async with Patience(SHORT / 4):
                    await asyncio.sleep(60 if number % 2 else 0)
                continue
            ended += 1
        return ended

    def in_its_loop() -> int:
        return asyncio.run(asyncio.wait_for(wait(), 30))

    assert await asyncio.gather(wait(), *(asyncio.to_thread(in_its_loop) for _ in range(3))) == [3] * 4


async def test_what_waits_for_us_costs_the_peer_nothing() -> None:
    """Time spent while it is paused is not counted; what was left before is left after it."""
    async with Patience(SHORT) as time_left:
        with time_left.paused():
            await asyncio.sleep(LONG)
        await asyncio.sleep(0)

    async def wait_longer() -> None:
        async with Patience(SHORT) as time_left:
            with time_left.paused():
                await asyncio.sleep(LONG)
            await asyncio.sleep(10 * LONG)

    with pytest.raises(TimeoutError):
        await wait_longer()


async def test_end_from_outside_is_no_timeout_of_ours() -> None:
    """A deadline around it stays that deadline's."""

    async def wait() -> None:
        with contextlib.suppress(TimeoutError):
            async with Patience(60):
                await asyncio.sleep(60)
        pytest.fail("an end from outside looked like a peer's silence")

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(SHORT):
            await wait()


async def test_name_server_is_not_silent_because_we_were() -> None:
    """A DNS answer that came while the process stood still for longer than the cap on it is believed."""
    zone = dns_server.zone("shop.example", "@ A 192.0.2.1")
    async with dns_server.serve(zone) as server:
        stand_still(1.5 * DNS_SECONDS)
        reply = await ask(server.endpoint, Question("shop.example", "A"), attempts=1)
    assert (reply.status, reply.records) == ("ok", ("192.0.2.1",))
