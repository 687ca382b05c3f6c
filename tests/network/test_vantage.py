"""The vantage point that a deployed function's environment describes."""

import pytest
from padlock.network.vantage import from_environment


@pytest.mark.parametrize("text", ["", "  "])
def test_no_search_of_logs_unless_it_is_named(text: str) -> None:
    """An empty parameter switches it off."""
    assert from_environment({"CT_SEARCH_URL": text}).services == {}
    assert from_environment({}).services == {}


def test_the_search_of_logs() -> None:
    """The parameter's URL is what is asked."""
    assert from_environment({"CT_SEARCH_URL": "https://crt.sh/"}).services == {"ct": "https://crt.sh/"}
