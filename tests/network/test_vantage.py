"""The vantage point that a deployed function's environment describes."""

import pytest
from padlock.network.vantage import PUBLIC_RESOLVERS, Endpoint, from_environment


@pytest.mark.parametrize("text", ["", "  "])
def test_no_search_of_logs_unless_it_is_named(text: str) -> None:
    """An empty parameter switches it off."""
    assert from_environment({"CT_SEARCH_URL": text}).services == {}
    assert from_environment({}).services == {}


def test_the_search_of_logs() -> None:
    """The parameter's URL is what is asked."""
    assert from_environment({"CT_SEARCH_URL": "https://crt.sh/"}).services == {"ct": "https://crt.sh/"}


@pytest.mark.parametrize(
    ("own", "public", "asked"),
    [
        ("", "", PUBLIC_RESOLVERS),
        ("", "  ", PUBLIC_RESOLVERS),
        ("", "none", ()),
        ("", " None ", ()),
        ("", "1.1.1.1, [2620:fe::fe]:5353", (("1.1.1.1", 53), ("2620:fe::fe", 5353))),
        ("10.0.0.53", "", ()),
        ("10.0.0.53", "10.0.0.54:5353", (("10.0.0.54", 5353),)),
    ],
)
def test_the_public_resolvers(own: str, public: str, asked: tuple[Endpoint, ...]) -> None:
    """The three where nothing is said, others, or none; beside resolvers of one's own only those that are named."""
    assert from_environment({"RESOLVERS": own, "PUBLIC_RESOLVERS": public}).public_resolvers == asked


@pytest.mark.parametrize("text", ["dns.example", "1.1.1.1, none", "1.1.1.1:99999"])
def test_wrong_public_resolvers(text: str) -> None:
    """What is no address is refused."""
    with pytest.raises(ValueError, match=r"address|port"):
        from_environment({"PUBLIC_RESOLVERS": text})
