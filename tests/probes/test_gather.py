"""The gathering as a whole: bounded in time, undisturbed by one host or site, and honest about what it missed."""

import asyncio
import contextlib
import inspect
import time
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from padlock.evidence import Failure, decode, encode
from padlock.network import limits
from padlock.network.vantage import Vantage
from padlock.probes import gather
from padlock.probes.cache import MemoryCache
from padlock.probes.run import Run
from padlock.site import parse

from tests import dns_server
from tests.servers import LOOPBACK, Script, forever, pages, redirect, reply, resets, silence, stage

SHOP = pages({"/": reply(200, "<title>Shop</title>")})
OK = b"HTTP/1.1 200 OK\r\n"


async def test_evidence_of_a_whole_site_serialises_and_comes_back_equal() -> None:
    """What was gathered can be stored and judged again."""
    hosts = {"example.com": ("127.0.0.1", "::1"), "www.example.com": ("127.0.0.2",)}
    async with stage(SHOP, SHOP, hosts=hosts, health="/health") as lab:
        at = datetime(2026, 11, 20, 12, tzinfo=UTC)
        seen = await lab.gather(at)
    assert decode(encode(seen)) == seen
    assert seen.gathered_at == at
    assert seen.incomplete == ""
    assert set(seen.timings) >= {"dns", "tls", "http", "total"}
    assert set(seen.vantage) == {"region", "resolver", "ipv4", "ipv6"}
    assert seen.ports
    assert [(p.host, p.address, p.scheme) for p in seen.ports] == [
        (host, address, scheme) for host in hosts for address in hosts[host] for scheme in ("https", "http")
    ]


async def test_a_sibling_that_exists_is_looked_at() -> None:
    """A bare name brings www along."""
    async with stage(SHOP, SHOP, records=["www A 127.0.0.1"]) as lab:
        site = msgspec.structs.replace(lab.site, hosts=())
        seen = await gather(site, datetime.now(UTC), lab.vantage)
    assert seen.dns
    assert seen.http
    assert [(host.host, host.derived) for host in seen.dns.hosts] == [
        ("example.com", False),
        ("www.example.com", True),
    ]
    assert {e.host for e in seen.http.of("front")} == {"example.com", "www.example.com"}


async def test_a_sibling_that_does_not_exist_is_only_named() -> None:
    """Nothing is sent for it."""
    async with stage(SHOP) as lab:
        site = msgspec.structs.replace(lab.site, hosts=())
        seen = await gather(site, datetime.now(UTC), lab.vantage)
    assert seen.dns
    assert seen.ports
    assert seen.hosts == ("example.com",)
    assert [host.host for host in seen.dns.hosts] == ["example.com", "www.example.com"]
    assert {state.host for state in seen.ports} == {"example.com"}


async def test_a_name_that_does_not_resolve_leaves_the_rest_empty() -> None:
    """There is nothing to connect to, which is no failure of the probes."""
    async with stage(SHOP, hosts={"example.com": ("127.0.0.1",)}) as lab:
        site = parse({"name": "nowhere.example.com"})
        seen = await gather(site, datetime.now(UTC), lab.vantage)
    assert seen.dns
    assert seen.http
    assert seen.dns.hosts[0].a.status == "nxdomain"
    assert (seen.ports, seen.http.exchanges, seen.incomplete) == ((), (), "")


@pytest.mark.parametrize(("declared", "allowed"), [(LOOPBACK, ()), ((), LOOPBACK)])
async def test_nothing_is_sent_where_site_or_operator_do_not_allow_it(
    declared: tuple[str, ...], allowed: tuple[str, ...]
) -> None:
    """A private address needs both; one side alone opens nothing."""
    log: list[str] = []
    async with stage(pages({}, log), pages({}, log)) as lab:
        site = msgspec.structs.replace(lab.site, networks=declared)
        vantage = msgspec.structs.replace(lab.vantage, networks=allowed)
        seen = await gather(site, datetime.now(UTC), vantage)
    assert seen.dns
    assert seen.dns.hosts[0].refused == {"127.0.0.1": "Loopback"}
    assert (log, seen.ports) == ([], ())


@pytest.mark.parametrize(
    "script",
    [
        silence,
        resets,
        forever(b"", b"H", 0.05),
        forever(OK + b"Content-Length: 99999\r\n\r\n", b"x", 0.05),
        forever(b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0.3),
        forever(OK, b"X: y\r\n", 0.05),
    ],
)
async def test_the_deadline_holds_and_loses_nothing(script: Script) -> None:
    """Whatever a server drips: the run ends in time with what was seen, and says what was cut off."""
    began = time.perf_counter()
    async with stage(script, SHOP, deadline=1.2) as lab:
        seen = await lab.gather()
    assert time.perf_counter() - began < 3
    assert seen.http
    assert seen.ports
    assert [e.status for e in seen.http.of("front", "http")] == [200]
    assert [state.failure for state in seen.ports] == [None, None]
    if script is resets:
        return
    front = next(seen.http.of("front"))
    assert front.failure == Failure("deadline") or (front.failure and not front.confirmed)
    assert "1.2 seconds" in seen.incomplete
    assert any(chain.detail == "deadline" for chain in seen.http.chains)


async def test_a_chain_that_is_cut_off_keeps_its_hops() -> None:
    """What the deadline ends shows how far it came."""

    async def stalls(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if b"GET /slow" not in head:
            writer.write(redirect("/slow"))
            await writer.drain()
        await silence(reader, writer)

    async with stage(stalls, deadline=1) as lab:
        seen = await lab.gather()
    assert seen.http
    chain = next(c for c in seen.http.chains if c.start.startswith("https"))
    assert (chain.end, chain.detail, [hop.status for hop in chain.hops]) == ("failure", "deadline", [301])


async def test_work_that_the_deadline_ends_before_it_begins() -> None:
    """It is closed: Python would report it on standard error, among lines of JSON."""
    run = Run(parse("example.com"), datetime.now(UTC), Vantage(resolvers=(("127.0.0.1", 53),)), MemoryCache())
    work = asyncio.sleep(0)

    async def cut_off() -> None:
        async with asyncio.TaskGroup() as run.tasks:
            run.spawn(work)
            raise TimeoutError

    with pytest.raises(ExceptionGroup):
        await cut_off()
    assert inspect.getcoroutinestate(work) == inspect.CORO_CLOSED


async def test_a_resolver_that_is_silent_leaves_dns_not_gathered() -> None:
    """What was cut off before anything was known says nothing about the site."""
    async with dns_server.serve(lambda _query, _transport: None) as server:
        vantage = Vantage(resolvers=(server.endpoint,), public_resolvers=(), deadline=0.5)
        seen = await gather(parse("example.com"), datetime.now(UTC), vantage)
    assert (seen.dns, seen.ports, seen.tls, seen.http) == (None, None, None, None)
    assert "0.5 seconds" in seen.incomplete


async def test_one_hosts_trouble_is_not_anothers() -> None:
    """While one host drips, the other is done in no time; its times show it."""

    async def both(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        address = writer.get_extra_info("sockname")[0]
        await (SHOP if address == "127.0.0.1" else forever(b"", b"H", 0.05))(reader, writer)

    hosts = {"example.com": ("127.0.0.1",), "slow.example.com": ("127.0.0.2",)}
    async with stage(both, both, hosts=hosts, deadline=1.5) as lab:
        seen = await lab.gather()
    assert seen.http
    well = [e for e in seen.http.exchanges if e.host == "example.com"]
    assert {e.failure for e in well} == {None}
    assert max(e.seconds["total"] for e in well) < 1
    chains = {c.start.split(":")[1].strip("/"): c.end for c in seen.http.chains if c.purpose == "front"}
    assert chains["example.com"] == "answer"


async def test_one_sites_trouble_is_not_anothers() -> None:
    """Sites that stall, flood and reset run beside a healthy one in the same loop."""
    flood = forever(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n" * 2000)
    async with contextlib.AsyncExitStack() as stack:
        bad = [await stack.enter_async_context(stage(s, s, deadline=2)) for s in (silence, flood, resets)]
        good = await stack.enter_async_context(stage(SHOP, SHOP))
        waiting = [asyncio.create_task(lab.gather()) for lab in bad]
        seen = await good.gather()
        stalled, flooded = waiting[0].done(), waiting[1].done()
        await asyncio.gather(*waiting)
    assert seen.http
    assert not stalled
    assert not flooded
    assert {e.failure for e in seen.http.exchanges} == {None}


def open_files() -> int:
    """Return how many descriptors this process has."""
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_a_cancelled_run_leaves_nothing_behind() -> None:
    """No connection and no task of it outlives it."""
    before = open_files()
    async with stage(silence, silence) as lab:
        running = asyncio.create_task(lab.gather())
        await asyncio.sleep(0.3)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
    await asyncio.sleep(0.1)
    left = [task for task in asyncio.all_tasks() if "padlock" in repr(task.get_coro())]
    assert left == []
    assert open_files() <= before + 2


async def test_many_addresses_are_bounded() -> None:
    """Of fifty addresses sixteen are used, some of either family."""
    addresses = [f"127.0.1.{n}" for n in range(1, 51)]
    async with stage(hosts={"example.com": (*addresses, "::1")}) as lab:
        seen = await lab.gather()
    assert seen.ports
    used = {state.address for state in seen.ports}
    assert len(used) == limits.ADDRESSES_PER_HOST
    assert "::1" in used
