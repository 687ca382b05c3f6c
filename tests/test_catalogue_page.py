"""The documented catalogue is the one that runs."""

import pytest

from local.catalogue import DOCUMENT, document


def test_documented_checks_are_the_rules() -> None:
    """docs/checks.md is what the rules say; `make docs` writes it anew."""
    assert DOCUMENT.read_text() == document()


@pytest.mark.parametrize(("code", "looks"), [("app.bad_gateway", "2"), ("certificate.expired", "1")])
def test_how_often_a_finding_must_be_seen(code: str, looks: str) -> None:
    """The page says of each check after how many looks its findings count."""
    (row,) = [line.split(" | ") for line in document().splitlines() if line.startswith(f"| `{code}` |")]
    assert row[2] == looks
