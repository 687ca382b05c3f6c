"""What the soak's stories switch off for speed comes back after each test."""

import logging
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def logging_again() -> Iterator[None]:
    """Let the tests that follow in this process see what is logged."""
    yield
    logging.disable(logging.NOTSET)
