"""The cache in the Results table: what was put comes back until it expires, and a table that fails costs no run."""

from datetime import UTC, datetime, timedelta

import pytest
from padlock.probes.cache import Cache as Contract
from padlock.probes.cache import MemoryCache
from padlock.storage import Cache
from padlock.storage.cache import MAX_VALUE, PARTITION

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
