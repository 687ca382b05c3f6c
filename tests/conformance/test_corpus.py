"""Padlock's column of the comparison: what it finds on every server of the corpus, and nothing else."""

import asyncio
from collections.abc import Mapping

import pytest

from tests.conformance import ours
from tests.conformance.case import Case
from tests.conformance.cases import CASES
from tests.conformance.corpus import missing, running

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def looks() -> Mapping[str, ours.Look]:
    """Serve the corpus, and have Padlock look at all of it."""
    if lack := missing():
        pytest.skip(f"the conformance suite's corpus: {lack}")
    with running(CASES) as corpus:
        return corpus.call(lambda: asyncio.run(ours.look_at(corpus, CASES)))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_each_server_is_judged_as_the_comparison_says(case: Case, looks: Mapping[str, ours.Look]) -> None:
    """Exactly the warnings and errors that stand beside the case are found."""
    look = looks[case.name]
    assert set(look.codes) == set(case.codes), [finding.observed for finding in look.report.findings]


def test_no_look_waits_for_its_deadline(looks: Mapping[str, ours.Look]) -> None:
    """Whatever a server does, the look at it ends by itself."""
    assert {name: look.incomplete for name, look in looks.items() if look.incomplete} == {}


def test_cases_have_names_and_hosts_of_their_own() -> None:
    """Two cases of one name would share certificates, two of one host an address."""
    assert len({case.name for case in CASES}) == len({case.host for case in CASES}) == len(CASES)
