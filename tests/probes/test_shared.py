"""What an address shows to nobody in particular is asked once for the sites that are checked together."""

import asyncio
from collections.abc import Sequence

import msgspec
import pytest
from padlock.evidence import Evidence
from padlock.probes import shared

from tests.servers import Lab, pages, reply, stage

SHOP = reply(200, "<title>Shop</title>Welcome")


def unnamed(evidence: Evidence) -> tuple[Sequence[Sequence[str]], Sequence[Sequence[str]], Sequence[Sequence[str]]]:
    """Return what a look holds of its addresses' default sites: answers, handshakes without SNI, SSL 3.0."""
    assert evidence.http
    assert evidence.tls
    answers = [(e.address, str(e.status), e.title, e.body_sha256) for e in evidence.http.of("random_host")]
    shaken = [(h.host, h.address, h.protocol, *h.chain) for h in evidence.tls.handshakes if not h.sni]
    offered = [(o.host, o.address, o.detail) for o in evidence.tls.obsolete if o.version == "SSLv3"]
    return answers, shaken, offered


def neighbours(lab: Lab, number: int) -> list[Lab]:
    """Return so many sites with the same hosts."""
    names = [f"site{each}.example.com" for each in range(number)]
    return [msgspec.structs.replace(lab, site=msgspec.structs.replace(lab.site, name=name)) for name in names]


async def test_sites_that_are_checked_together_ask_an_address_once() -> None:
    """Each has all of it in its own evidence, as if it had asked itself."""
    log: list[str] = []
    async with stage(pages({"/": SHOP}, log), hosts={"example.com": ("127.0.0.1",)}) as lab:
        together = await asyncio.gather(*(each.gather() for each in neighbours(lab, 3)))
    assert len([line for line in log if line.startswith("https://padlock-")]) == 1
    first, *others = map(unnamed, together)
    assert all(len(part) == 1 for part in first)
    assert others == [first, first]


async def test_a_second_look_takes_over_nothing_that_its_site_has_seen() -> None:
    """It is to confirm the first one; what another site saw meanwhile is new to it."""
    log: list[str] = []
    async with stage(pages({"/": SHOP}, log), hosts={"example.com": ("127.0.0.1",)}) as lab:
        one, other = neighbours(lab, 2)
        for number, each in enumerate((one, other, one, other, other), 1):
            await each.gather()
            looks = len([line for line in log if line.startswith("https://padlock-")])
            assert looks == (0, 1, 1, 2, 2, 3)[number]


async def test_what_may_pass_is_asked_by_each() -> None:
    """A server's error may be of this moment: another site sees its own."""
    log: list[str] = []
    site = pages({"/": reply(503, "busy")}, log)
    async with stage(site, hosts={"example.com": ("127.0.0.1",)}) as lab:
        together = await asyncio.gather(*(each.gather() for each in neighbours(lab, 2)))
    assert len([line for line in log if line.startswith("https://padlock-")]) == 2
    assert all(unnamed(evidence)[0][0][1] == "503" for evidence in together)


async def test_a_look_serves_others_for_a_while_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Checks that follow each other in one process look anew."""
    asked: list[int] = []

    async def look() -> int:
        asked.append(len(asked))
        return asked[-1]

    key = ("test", "192.0.2.1", 443)
    assert [await shared.shared(key, site, look, lambda _: True) for site in "abc"] == [0, 0, 0]
    assert await shared.shared(("test", "192.0.2.2", 443), "a", look, lambda _: True) == 1
    monkeypatch.setattr(shared, "_SECONDS", 0.0)
    assert await shared.shared(key, "d", look, lambda _: True) == 2


async def test_a_look_that_is_cut_off_leaves_the_others_their_own() -> None:
    """The deadline of one site is no other's."""
    begun = asyncio.Event()

    async def endless() -> str:
        begun.set()
        await asyncio.Event().wait()
        return "never"

    async def quick() -> str:
        return "own"

    key = ("test", "192.0.2.3", 443)
    cut_off = asyncio.create_task(shared.shared(key, "a", endless, lambda _: True))
    await begun.wait()
    waiting = asyncio.create_task(shared.shared(key, "b", quick, lambda _: True))
    await asyncio.sleep(0)
    cut_off.cancel()
    assert await waiting == "own"


async def test_looks_that_are_kept_are_few() -> None:
    """However many addresses there are."""

    async def look() -> int:
        return 1

    for number in range(3 * shared._KEPT):
        await shared.shared(("test", f"192.0.2.{number}", 443), "a", look, lambda _: True)
    assert len(shared._looks[asyncio.get_running_loop()]) == shared._KEPT
