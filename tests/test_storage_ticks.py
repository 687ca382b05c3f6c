"""What dispatch remembers of ticks."""

from datetime import UTC, datetime, timedelta

import pytest
from padlock.storage.ticks import LastTick, Progress, Ticks

from local.aws import EmbeddedAws

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
LATER = NOW + timedelta(minutes=5)


@pytest.fixture
def ticks(aws: EmbeddedAws) -> Ticks:
    """Return the memory of dispatch."""
    return Ticks(aws.client("dynamodb"), aws.physical["ResultsTable"])


def test_last_tick(ticks: Ticks) -> None:
    """The last tick is remembered with the one before and what it counted; an older one does not replace it."""
    assert ticks.last() is None
    ticks.save(LastTick(NOW))
    assert ticks.last() == LastTick(NOW, None, None, None)
    later = LastTick(LATER, NOW, 5, ("a.example", "Bücher.example"))
    ticks.save(later)
    assert ticks.last() == later
    for older in (LastTick(NOW, None, 7, ()), LastTick(LATER, None, 7, ())):
        ticks.save(older)
        assert ticks.last() == later


def test_progress_of_each_segment(ticks: Ticks) -> None:
    """Each segment's progress is its own, among as many segments and in one slot; nothing is known at first."""
    assert list(ticks.progress("slot", 3)) == 4 * [Progress()]
    half, whole = Progress("m.example", sites=5, due=3, new=1, other=2), Progress(None, done=True, sites=9, due=9)
    ticks.advance("slot", 3, 1, Progress("a.example"), 2_000_000_000)
    ticks.advance("slot", 3, 1, half, 2_000_000_000)
    ticks.advance("slot", 3, 3, whole, 2_000_000_000)
    assert list(ticks.progress("slot", 3)) == [Progress(), half, Progress(), whole]
    assert list(ticks.progress("slot", 2)) == 3 * [Progress()]
    assert list(ticks.progress("slo", 3)) == 4 * [Progress()]


def test_progress_goes_by_itself(ticks: Ticks, aws: EmbeddedAws) -> None:
    """What is known of a tick under way expires; the last tick does not."""
    ticks.save(LastTick(NOW))
    ticks.advance("slot", 12, 10, Progress(), 2_000_000_000)
    rows = aws.client("dynamodb").scan(TableName=aws.physical["ResultsTable"])["Items"]
    assert {row["sk"]["S"]: row.get("ttl") for row in rows} == {"TICK": None, "SLOT#slot#12#10": {"N": "2000000000"}}
    assert {row["site"]["S"] for row in rows} == {"#dispatch"}
