"""The cache in the Results table: what was put comes back until it expires, and a table that fails costs no run."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from padlock.probes.cache import Cache as Contract
from padlock.probes.cache import MemoryCache
from padlock.storage import Cache
from padlock.storage import cache as storage_cache
from padlock.storage.cache import HELD_SECONDS, MAX_VALUE, PARTITION

from local.aws import EmbeddedAws

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture(params=["table", "memory"])
def cache(request: pytest.FixtureRequest) -> Contract:
    """Return each implementation, empty."""
    if request.param == "memory":
        return MemoryCache()
    return table(request.getfixturevalue("aws"))


def table(aws: EmbeddedAws) -> Cache:
    """Return the cache in the template's own table."""
    return Cache(aws.client("dynamodb"), aws.physical["ResultsTable"])


async def test_value_comes_back_until_it_expires(cache: Contract) -> None:
    """Octets are returned as they were put, and no more once their time is up, whatever the table has removed."""
    await cache.put("rdap:shop.test", b"\x00\xff{}", NOW + DAY)
    assert await cache.get("rdap:shop.test", NOW) == b"\x00\xff{}"
    assert await cache.get("rdap:shop.test", NOW + DAY) is None
    assert await cache.get("rdap:other.test", NOW) is None


async def test_later_value_replaces_the_earlier(cache: Contract) -> None:
    """One key holds one value."""
    await cache.put("key", b"1", NOW + DAY)
    await cache.put("key", b"2", NOW + 2 * DAY)
    assert await cache.get("key", NOW + DAY) == b"2"


async def test_item_expires_in_the_table(aws: EmbeddedAws) -> None:
    """The item carries the table's TTL attribute, and stands under a partition that no host is named like."""
    await table(aws).put("key", b"1", NOW + DAY)
    key = {"site": {"S": PARTITION}, "sk": {"S": "key"}}
    item = aws.client("dynamodb").get_item(TableName=aws.physical["ResultsTable"], Key=key)["Item"]
    assert item["ttl"] == {"N": str(int((NOW + DAY).timestamp()))}
    assert set(item) == {"site", "sk", "ttl", "value"}, "no attribute of an index"


async def test_value_too_large_is_not_kept(aws: EmbeddedAws) -> None:
    """A value that no item can hold is left out without a fault; the largest allowed fits."""
    cache = table(aws)
    await cache.put("large", b"x" * (MAX_VALUE + 1), NOW + DAY)
    await cache.put("k" * 2000, b"x", NOW + DAY)
    await cache.put("fits", b"x" * MAX_VALUE, NOW + DAY)
    assert await cache.get("large", NOW) is None
    assert await cache.get("k" * 2000, NOW) is None
    assert await cache.get("fits", NOW) == b"x" * MAX_VALUE


async def test_table_that_fails_costs_no_run(aws: EmbeddedAws) -> None:
    """A table that is not there is an empty cache."""
    cache = Cache(aws.client("dynamodb"), "no-such-table")
    await cache.put("key", b"1", NOW + DAY)
    assert await cache.get("key", NOW) is None


class Counted:
    """A DynamoDB client that counts what it is asked for, and may do something after a read."""

    def __init__(self, client: Any, after_read: Callable[[], object] = lambda: None) -> None:
        self._client, self._after_read = client, after_read
        self.reads = 0

    def get_item(self, **asked: Any) -> Any:
        """Count, read, and go on."""
        self.reads += 1
        answer = self._client.get_item(**asked)
        self._after_read()
        return answer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)


def counted(aws: EmbeddedAws, after_read: Callable[[], object] = lambda: None) -> tuple[Counted, Cache]:
    """Return a client that counts, and another function's cache by it."""
    client = Counted(aws.client("dynamodb"), after_read)
    return client, Cache(client, aws.physical["ResultsTable"])  # type: ignore[arg-type]


async def test_value_is_read_once_while_a_function_is_warm(aws: EmbeddedAws) -> None:
    """What was read is held in memory until it expires; what is not there is asked for each time."""
    await table(aws).put("key", b"1", NOW + DAY)
    client, cache = counted(aws)
    for minutes in (0, 5, 50):
        assert await cache.get("key", NOW + timedelta(minutes=minutes)) == b"1"
    assert client.reads == 1
    for _ in range(2):
        assert await cache.get("nothing", NOW) is None
    assert client.reads == 3


async def test_held_value_expires_as_in_the_table(aws: EmbeddedAws) -> None:
    """Memory holds nothing longer than it may be used, and nothing for more than an hour without a look."""
    await table(aws).put("short", b"1", NOW + timedelta(minutes=10))
    await table(aws).put("long", b"1", NOW + DAY)
    client, cache = counted(aws)
    assert (await cache.get("short", NOW), await cache.get("long", NOW)) == (b"1", b"1")
    assert await cache.get("short", NOW + timedelta(minutes=10)) is None
    await table(aws).put("long", b"2", NOW + DAY)
    assert await cache.get("long", NOW + timedelta(seconds=HELD_SECONDS)) == b"2"
    assert client.reads == 4


async def test_own_value_replaces_the_held_one(aws: EmbeddedAws) -> None:
    """Who puts a value gets it back at once, also where an older one was on its way into memory."""
    await table(aws).put("key", b"1", NOW + DAY)
    _, cache = counted(aws)
    assert await cache.get("key", NOW) == b"1"
    await cache.put("key", b"2", NOW + DAY)
    assert await cache.get("key", NOW) == b"2"

    _, late = counted(aws, lambda: asyncio.run(late.put("key", b"3", NOW + DAY)))
    assert await late.get("key", NOW) == b"2"
    assert await late.get("key", NOW) == b"3"


async def test_memory_is_bounded(aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch) -> None:
    """No more values and octets are held than is allowed; the one longest unused goes first."""
    monkeypatch.setattr(storage_cache, "HELD_VALUES", 2)
    client, cache = counted(aws)
    for key in ("a", "b", "c"):
        await cache.put(key, b"x" * 100, NOW + DAY)
    for key in ("a", "b", "a", "c", "a"):
        await cache.get(key, NOW)
    assert client.reads == 3
    await cache.get("b", NOW)
    assert client.reads == 4, "it went for c"
    monkeypatch.setattr(storage_cache, "HELD_OCTETS", 150)
    await cache.get("c", NOW)
    reads = client.reads
    await cache.get("c", NOW)
    await cache.get("b", NOW)
    assert client.reads == reads + 1
