"""A flood of datagrams that answer something else: it ends, and keeps nobody else from their work."""

import asyncio
import time

import dns.message
import pytest
from padlock.network import dns as network_dns
from padlock.network.dns import ask
from padlock.network.dns_message import Question

from tests.dns_server import Query, serve, zone

NAME = "example.com"
FLOOD = 150
"""Datagrams that fit the socket's buffer."""


def flood(query: Query, _transport: str) -> list[bytes]:
    """Answer with wrong ids, and then with the true one."""
    true = zone(NAME, "@ A 192.0.2.1")(query, "udp")
    assert isinstance(true, dns.message.Message)
    wire = true.to_wire()
    wrong = ((query.id + 1) % 65536).to_bytes(2) + wire[2:]
    return [*[wrong] * FLOOD, wire]


async def test_a_flood_before_the_answer_is_passed_over() -> None:
    """As long as it is no longer than what is read."""
    async with serve(flood) as server:
        reply = await ask(server.endpoint, Question(NAME, "A"))
    assert (reply.status, reply.records) == ("ok", ("192.0.2.1",))


async def test_an_endless_flood_is_silence_that_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not read to its end, nor for as long as silence is waited for."""
    monkeypatch.setattr(network_dns, "DNS_IGNORED", 100)
    monkeypatch.setattr(network_dns, "DNS_SECONDS", 60.0)
    async with serve(flood) as server:
        began = time.monotonic()
        reply = await ask(server.endpoint, Question(NAME, "A"), attempts=1)
    assert (reply.status, reply.detail) == ("timeout", "100 answers to another question came, and none to this one")
    assert time.monotonic() - began < 5


async def test_others_work_while_a_flood_is_read() -> None:
    """Reading what is there already does not suspend by itself: others get their turn between two datagrams."""
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async with serve(flood) as server:
        working = asyncio.create_task(other())
        await ask(server.endpoint, Question(NAME, "A"))
        working.cancel()
    assert turns > FLOOD
