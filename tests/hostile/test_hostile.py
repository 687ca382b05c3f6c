"""Hostile sites do no harm: each is seen for what it is, in time, in little memory, and no healthy site notices."""

import re
from collections.abc import Iterator, Mapping

import pytest

from tests.hostile.__main__ import shown
from tests.hostile.catalogue import ALL
from tests.hostile.harness import QUICK_SIZE, Row, batches, harness
from tests.hostile.internet import NEIGHBOURS, running
from tests.lab.lab import missing

QUICK = tuple(behaviour for behaviour in ALL if not behaviour.slow)


AGAIN = 4
"""Behaviours that are tried once more at the most."""


@pytest.fixture(scope="module")
def rows() -> Iterator[Mapping[str, Row]]:
    """Try all quick behaviours, several at once, once for all tests.

    A few that were not seen as promised are tried once more, alone: their own servers may have been kept waiting.
    """
    lack = missing()
    if lack:
        pytest.skip(f"{len(QUICK)} hostile sites: {lack}")
    with running(QUICK) as internet, harness(internet, QUICK) as made:
        tried = {row.name: row for row in (made.baseline(), *made.rows(batches(QUICK, QUICK_SIZE)))}
        missed = [behaviour for behaviour in QUICK if not tried[behaviour.name].right]
        again = made.rows(batches(missed, 1)) if len(missed) <= AGAIN else ()
        yield tried | {row.name: row for row in again}


@pytest.mark.lab
@pytest.mark.timeout(300)
def test_every_promise_is_kept(rows: Mapping[str, Row]) -> None:
    """What was expected is what was seen; deadline, memory, neighbours and logs are as they must be."""
    assert len(rows) == len(QUICK) + 1
    wrong = [shown(row) for row in rows.values() if not row.right]
    assert not wrong, "\n".join(wrong)


@pytest.mark.lab
def test_the_neighbours_were_looked_at(rows: Mapping[str, Row]) -> None:
    """What hostile sites are held against is a batch of healthy sites that were seen in full."""
    alone = rows[""]
    assert alone.seen == f"{len(NEIGHBOURS)} sites: notice"
    assert 0 < alone.peak < max(row.peak for row in rows.values())


def test_each_behaviour_has_a_name_of_its_own() -> None:
    """Its name is a label of a host name, and no two share one; each says what is promised."""
    names = [behaviour.name for behaviour in ALL]
    assert len(set(names)) == len(names) > 100
    assert all(re.fullmatch(r"[a-z0-9](?:[a-z0-9-]{0,50}[a-z0-9])?", name) for name in names)
    assert all("→" in behaviour.promise for behaviour in ALL)


def test_batches_leave_none_out() -> None:
    """Every behaviour is in exactly one batch, and the slow ones are begun first."""
    made = batches(ALL, QUICK_SIZE)
    assert sorted(behaviour.name for batch in made for behaviour in batch) == sorted(b.name for b in ALL)
    assert max(map(len, made)) <= QUICK_SIZE
    alone = [batch[0].slow for batch in batches(ALL, 1)]
    assert alone == sorted(alone, reverse=True)
