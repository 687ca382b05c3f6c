"""A few stories of the stateful test on moto, and more in memory; `make soak` runs thousands."""

from tests.soak.faults import KINDS
from tests.soak.runs import Batch, run

STEPS = 60


def test_alerts_on_moto() -> None:
    """Every promise holds on moto, with the template's own tables."""
    outcome = run(Batch(seed=1, runs=2, steps=STEPS, in_memory=False))
    assert not outcome.violation, outcome.told


def test_alerts_in_memory() -> None:
    """Every promise holds in more stories, and every kind of fault is met in them."""
    outcome = run(Batch(seed=3, runs=60, steps=STEPS, in_memory=True))
    assert not outcome.violation, outcome.told
    assert len(outcome.met) == len(KINDS)
