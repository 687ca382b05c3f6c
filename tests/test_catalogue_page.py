"""The documented catalogue is the one that runs."""

from local.catalogue import DOCUMENT, document


def test_documented_checks_are_the_rules() -> None:
    """docs/checks.md is what the rules say; `make docs` writes it anew."""
    assert DOCUMENT.read_text() == document()
