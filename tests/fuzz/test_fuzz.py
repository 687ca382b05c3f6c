"""A little of the fuzzing: samples, inputs that failed once, and as many mutations as take a few seconds."""

import random
from pathlib import Path

import pytest

from tests.fuzz.mutations import mutated
from tests.fuzz.target import CORPUS, Target, attempt, keep, warm
from tests.fuzz.targets import TARGETS

SEED = 20261121


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_a_parser_takes_whatever_comes(target: Target, tmp_path: Path) -> None:
    """It raises nothing that it does not declare, within a second of processor time and bounded memory."""
    warm(target)
    known = list(target.known())
    for name, data in known:
        assert not (tried := attempt(target, data)).fault, f"{name}: {tried.fault} ({tried.place})"
    chance = random.Random(SEED)  # noqa: S311 — mutations, no secrets
    sources = [data for _, data in known]
    for _ in range(target.rounds):
        data = mutated(chance, sources, target.largest)
        tried = attempt(target, data)
        assert not tried.fault, f"{keep(tmp_path, target, data)}: {tried.fault} ({tried.place})"


def test_every_input_that_failed_belongs_to_a_target() -> None:
    """None lies where nothing reads it."""
    assert {folder.name for folder in CORPUS.iterdir() if any(folder.iterdir())} <= set(TARGETS)
