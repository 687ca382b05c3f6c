"""Samples of slots: what many functions add to at the same time, and of which only so much is kept."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from padlock.storage import Sample, Slots
from padlock.storage.slots import ENOUGH

from local.aws import EmbeddedAws

SLOT, EXPIRES = "2026-11-20T17:05:00Z", 2_000_000_000


@pytest.fixture
def slots(aws: EmbeddedAws) -> Slots:
    """Return the slots' samples."""
    return Slots(aws.client("dynamodb"), aws.physical["ResultsTable"])


def places(first: int, last: int) -> frozenset[str]:
    """Return places by number, both ends included."""
    return frozenset(f"place-{number}" for number in range(first, last + 1))


def test_what_functions_add_is_together(slots: Slots) -> None:
    """Each addition answers with everything that was added by then; adding again changes nothing."""
    assert slots.between(SLOT, SLOT) == []
    assert slots.add(SLOT, Sample(places(1, 2), places(1, 1)), EXPIRES) == Sample(places(1, 2), places(1, 1))
    both = Sample(places(1, 3), places(1, 1))
    assert slots.add(SLOT, Sample(places(2, 3)), EXPIRES) == both
    assert slots.add(SLOT, Sample(places(2, 3)), EXPIRES) == both
    assert slots.add(SLOT, Sample(), EXPIRES) == both
    assert slots.between(SLOT, SLOT) == [both]
    assert slots.windows("2026-11-20T17:00:00Z", "2026-11-20T17:10:00Z") == {SLOT: both}


def test_what_can_be_seen_is_counted_by_itself(slots: Slots) -> None:
    """The two series of one window know nothing of each other; the reason that was told last stays."""
    slots.add(SLOT, Sample(places(1, 2), places(1, 1)), EXPIRES)
    blind = slots.add(SLOT, Sample(places(3, 4), places(3, 4), "no resolver"), EXPIRES, "sight")
    assert blind == Sample(places(3, 4), places(3, 4), "no resolver")
    both = slots.add(SLOT, Sample(places(5, 5)), EXPIRES, "sight")
    assert both == Sample(places(3, 5), places(3, 4), "no resolver")
    assert slots.between(SLOT, SLOT) == [Sample(places(1, 2), places(1, 1))]
    assert slots.windows(SLOT, SLOT, "sight") == {SLOT: both}


def test_samples_go_by_themselves(slots: Slots, aws: EmbeddedAws) -> None:
    """A slot's item has the time at which the table removes it."""
    slots.add(SLOT, Sample(places(1, 1)), EXPIRES)
    key = {"site": {"S": "#slot"}, "sk": {"S": f"SEEN#{SLOT}"}}
    item = aws.client("dynamodb").get_item(TableName=aws.physical["ResultsTable"], Key=key)["Item"]
    assert item["ttl"] == {"N": str(EXPIRES)}


def test_functions_at_the_same_time_lose_nothing(slots: Slots) -> None:
    """Additions of many functions at once are all in the sample."""
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: slots.add(SLOT, Sample(places(n, n + 1), places(n, n)), EXPIRES), range(20)))
    assert slots.between(SLOT, SLOT) == [Sample(places(0, 20), places(0, 19))]


def test_a_full_sample_takes_no_more(slots: Slots) -> None:
    """However many places a slot has, its item stays small; who would add to it learns what it holds."""
    full = slots.add(SLOT, Sample(places(1, ENOUGH)), EXPIRES)
    assert slots.add(SLOT, Sample(places(1000, 1009), places(1000, 1009)), EXPIRES) == full
    assert slots.between(SLOT, SLOT) == [full] == [Sample(places(1, ENOUGH))]
