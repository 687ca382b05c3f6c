"""The lab as a fixture: started once, skipped with one line where this machine cannot run it."""

import asyncio
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.lab.lab import Lab, missing, running
from tests.lab.look import Seen, look
from tests.lab.scenarios import ALL, Scenario


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark every test that uses the lab; where it cannot run, leave one of them to say so."""
    using = [item for item in items if "lab" in getattr(item, "fixturenames", ())]
    for item in using:
        item.add_marker(pytest.mark.lab)
    lack = missing() if using else ""
    if lack:
        using[0].add_marker(pytest.mark.skip(reason=f"{len(using)} tests of real servers: {lack}"))
        config.hook.pytest_deselected(items=using[1:])
        items[:] = [item for item in items if item not in using[1:]]


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """Start the lab once for all tests."""
    with running() as started:
        yield started


@pytest.fixture(scope="session")
def seen(lab: Lab, request: pytest.FixtureRequest) -> Mapping[str, Seen]:
    """Gather and judge every scenario that a selected test wants, all in one event loop."""
    parameters = [getattr(item, "callspec").params for item in request.session.items if hasattr(item, "callspec")]  # noqa: B009 — pytest does not declare it
    asked = [parameter.get("scenario") for parameter in parameters]
    wanted = {scenario.name for scenario in asked if isinstance(scenario, Scenario)}
    scenarios = [scenario for scenario in ALL if scenario.name in wanted]
    return lab.call(lambda: asyncio.run(look(lab, scenarios)))


@pytest.fixture(scope="session")
def proven(lab: Lab) -> Mapping[str, list[tuple[str, str, str]]]:
    """Run every scenario's proofs: site → (command, expected, printed)."""
    with ThreadPoolExecutor(8) as pool:
        printed = {
            scenario.name: [(command, text, pool.submit(lab.run, command)) for command, text in scenario.proofs]
            for scenario in ALL
        }
        return {name: [(c, t, f.result()) for c, t, f in proofs] for name, proofs in printed.items()}
