"""The jar between the hops of a chain: what browsers would send back."""

import pytest
from padlock.probes import cookies
from padlock.probes.urls import Url

HERE = Url("https", "example.com", 443, "/")


@pytest.mark.parametrize(
    ("cookie", "sent"),
    [
        ("seen=1; Path=/; Secure", "seen=1"),
        ("seen=1;\tPath=/;\tSecure", "seen=1"),
        ("seen=1; Path=/other", ""),
        ("seen=\x1b; Path=/", ""),
        ("seen=" + "1" * 5_000, ""),
    ],
)
def test_what_comes_back(cookie: str, sent: str) -> None:
    """White space between attributes may be a tab; what no browser keeps is not sent."""
    jar = cookies.new_jar()
    cookies.keep(jar, HERE, [cookie])
    assert cookies.header(jar, HERE) == sent
