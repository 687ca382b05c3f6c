"""Registrations: how long what RDAP answers is kept, and which names nobody is asked for."""

from datetime import timedelta
from typing import Any

import pytest
from padlock.evidence import Registration
from padlock.probes import gather, registry
from padlock.probes.cache import MemoryCache
from padlock.probes.registration import lifetime, look_up, patience
from padlock.site import parse

from tests.registry_service import NOW, domain, said, seen, services
from tests.servers import pages, reply, silence


async def test_answer_is_kept_for_a_day() -> None:
    """A registry is asked once a day, whatever the interval of checks."""
    log: list[str] = []
    cache = MemoryCache()
    async with services(said(domain(), log), zones=[("shop.test", "@ A 192.0.2.1")]) as asked:
        for hour in (0, 1, 12, 23.9, 24):
            (found,) = await seen(asked.run(now=NOW + timedelta(hours=hour), cache=cache))
            assert found.registrar
    assert len(log) == 2


async def test_domain_that_vanished_is_asked_for_again() -> None:
    """A name gone from DNS may be on hold since the last answer: one older than an hour does not count."""
    log: list[str] = []
    cache = MemoryCache()
    async with services(said(domain(), log)) as asked:
        for minutes in (0, 59, 61, 62):
            await seen(asked.run(now=NOW + timedelta(minutes=minutes), cache=cache))
    assert len(log) == 2


async def test_failure_is_kept_for_an_hour() -> None:
    """A registry that fails is left alone for an hour."""
    log: list[str] = []
    cache = MemoryCache()
    async with services(said(reply(500), log)) as asked:
        for minutes in (0, 30, 59, 61):
            (found,) = await seen(asked.run(now=NOW + timedelta(minutes=minutes), cache=cache))
            assert found.failure
    assert len(log) == 2


async def test_patience_holds_for_every_domain_of_the_registry() -> None:
    """After a 429 none of its domains is asked for until the time that it named."""
    log: list[str] = []
    cache = MemoryCache()
    async with services(pages(lambda _: reply(429, "", ("Retry-After", "7200")), log)) as asked:
        await seen(asked.run("shop.test", NOW, cache))
        (other,) = await seen(asked.run("other.test", NOW + timedelta(minutes=119), cache))
        assert "left alone" in other.failure
        assert len(log) == 1
        await seen(asked.run("other.test", NOW + timedelta(minutes=121), cache))
        assert len(log) == 2


async def test_garbage_in_the_cache_is_asked_anew() -> None:
    """A kept answer of another version is no answer."""
    cache = MemoryCache()
    await cache.put("rdap:shop.test", b'{"domain": 1}', NOW + timedelta(days=1))
    async with services(said(domain())) as asked:
        (found,) = await seen(asked.run(now=NOW, cache=cache))
    assert found.expires


async def test_silent_registry_ends_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A registry that never answers is a failure within its own time."""
    monkeypatch.setattr("padlock.network.limits.SERVICE_SECONDS", 0.3)
    async with services(silence) as asked:
        (found,) = await seen(asked.run(now=NOW))
    assert "timeout" in found.failure


async def test_silent_registry_delays_nothing_else() -> None:
    """What the deadline cuts off stands as not known, beside everything that was seen meanwhile."""
    async with services(silence, zones=[("shop.test", '@ CAA 0 issue ";"')]) as asked:
        seen = await gather(parse("shop.test"), NOW, asked.where(deadline=0.8).vantage)
    assert "ran out" in seen.incomplete
    assert seen.registration
    assert seen.registration[0].failure == "the time for this site ran out"
    assert seen.caa
    assert seen.caa["shop.test"].records[0].value == ";"


@pytest.mark.parametrize(
    ("host", "why"),
    [
        ("shop.test", "nobody registers names like shop.test"),
        ("www.example.com", "nobody registers names like www.example.com"),
        ("intranet.corp.internal.example", "nobody registers"),
        ("me.github.io", "given away under github.io"),
        ("co.uk", "co.uk is a registry's own name"),
    ],
)
async def test_names_that_nobody_is_asked_for(host: str, why: str) -> None:
    """Special names, a provider's and a registry's own cost no traffic and no doubt."""
    async with services(silence) as asked:
        (found,) = await seen(asked.where(services={}).run(host, NOW))
        assert asked.resolver.asked == []
    assert why in found.unregistered
    assert found.failure == ""


async def test_registry_without_rdap() -> None:
    """Where IANA lists no service nothing is sent, and it is said."""
    async with services(silence) as asked:
        (found,) = await seen(asked.where(services={}).run("example.de", NOW))
        assert asked.resolver.asked == []
    assert found.failure == "the registry of .de has no RDAP service"


async def test_switched_off() -> None:
    """A site that disables the subject has nothing sent for it."""
    async with services(silence) as asked:
        run = asked.run({"name": "shop.test", "disable": ["registration"]}, NOW)
        await look_up(run)
    assert "registration" not in run.pieces


async def test_several_domains() -> None:
    """Each registrable domain of the site is asked for once."""
    log: list[str] = []
    hosts = ["shop.test", "www.shop.test", "a.shop.co.uk", "b.shop.co.uk"]
    answers = pages(lambda request: domain(ldhName=request.path.removeprefix("/domain/")), log)
    async with services(answers) as asked:
        found = await seen(asked.run({"name": "shop.test", "hosts": hosts}, NOW))
    assert all(each.registrar for each in found)
    assert [(each.domain, each.hosts) for each in found] == [
        ("shop.test", ("shop.test", "www.shop.test")),
        ("shop.co.uk", ("a.shop.co.uk", "b.shop.co.uk")),
    ]
    assert len(log) == 2


@pytest.mark.parametrize(
    ("fields", "kept"),
    [
        ({"status": ("active",), "expires": NOW + timedelta(days=90)}, timedelta(days=1)),
        ({"status": ("active",), "expires": NOW + timedelta(days=20)}, timedelta(hours=6)),
        ({"status": ("client hold",), "expires": NOW + timedelta(days=90)}, timedelta(hours=1)),
        ({"status": ("pendingDelete".lower(),)}, timedelta(hours=1)),
        ({"failure": "silence"}, timedelta(hours=1)),
        ({}, timedelta(days=1)),
    ],
)
def test_lifetime_of_answers(fields: dict[str, Any], kept: timedelta) -> None:
    """What is about to be repaired is looked at more often."""
    assert lifetime(Registration("shop.test", ("shop.test",), **fields), NOW) == kept


@pytest.mark.parametrize(
    ("header", "wait"),
    [
        ("120", timedelta(minutes=2)),
        ("0", timedelta(minutes=1)),
        ("99999999", timedelta(days=1)),
        ("Fri, 20 Nov 2026 14:00:00 GMT", timedelta(hours=2)),
        ("soon", timedelta(hours=1)),
        ("", timedelta(hours=1)),
    ],
)
def test_patience_is_bounded(header: str, wait: timedelta) -> None:
    """Both forms of Retry-After are read, between a minute and a day."""
    assert patience(header, NOW) == wait


@pytest.mark.parametrize(
    ("host", "registrable", "service"),
    [
        ("www.shop.com", "shop.com", "https://rdap.verisign.com/com/v1/"),
        ("a.b.shop.co.uk", "shop.co.uk", "https://rdap.nominet.uk/uk/"),
        ("shop.com.au", "shop.com.au", "https://rdap.cctld.au/rdap/"),
        ("shop.dev", "shop.dev", "https://pubapi.registry.google/rdap/"),
        ("me.github.io", "github.io", ""),
        ("com", "", ""),
    ],
)
def test_registry_of_a_name(host: str, registrable: str, service: str) -> None:
    """The public suffix list tells the registrable domain, IANA's list its registry's service."""
    assert registry.registrable(host) == registrable
    assert registry.service(registrable or host) == service
