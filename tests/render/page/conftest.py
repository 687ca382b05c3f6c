"""Chromium for the tests that open a page in it; where it is not there, one of them is left to say so."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.conformance.chromium import Chromium
from tests.render.page.browser import browsing

AXE = Path(__file__).parents[3] / ".cache" / "axe.min.js"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark every test that opens a browser as one of the lab; skip them with one line where there is none."""
    using = [item for item in items if "chromium" in getattr(item, "fixturenames", ())]
    for item in using:
        item.add_marker(pytest.mark.lab)
    if using and not shutil.which("chromium"):
        reason = f"{len(using)} tests of the page in a browser: they need Debian's chromium (local/install-lab page)"
        using[0].add_marker(pytest.mark.skip(reason=reason))
        config.hook.pytest_deselected(items=using[1:])
        items[:] = [item for item in items if item not in using[1:]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def chromium() -> AsyncIterator[Chromium]:
    """Run a browser that knows no host."""
    async with browsing() as browser:
        yield browser


@pytest.fixture
def axe() -> str:
    """Return axe-core's source (https://github.com/dequelabs/axe-core)."""
    if not AXE.exists():
        pytest.skip("axe-core is not there: local/install-axe fetches it")
    return AXE.read_text(encoding="utf-8")
