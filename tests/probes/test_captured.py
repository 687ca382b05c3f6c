"""The captured answers: each has a source, and what a test replaces in one stands in it."""

import json

import pytest

from tests import captured

FILES = sorted(file.name for file in captured.FOLDER.iterdir() if file.suffix in (".json", ".pem"))


@pytest.mark.parametrize("name", FILES)
def test_each_has_a_source(name: str) -> None:
    """README.md tells of every file, and every file is small and what its name says."""
    assert f"| `{name}` |" in captured.text("README.md")
    text = captured.text(name)
    assert len(text) < 5000
    assert json.loads(text) if name.endswith(".json") else text.startswith("-----BEGIN ")


def test_what_is_replaced_must_be_there() -> None:
    """A replacement that replaces nothing is an error of the test's."""
    assert "SHOP.TEST" in captured.text("rdap-verisign.json", {"EXAMPLE.COM": "SHOP.TEST"})
    with pytest.raises(ValueError, match=r"does not hold 'EXAMPLE\.NET'"):
        captured.text("rdap-verisign.json", {"EXAMPLE.NET": "SHOP.TEST"})
