"""The documented alerts are those that are sent."""

from local.alert_pages import DOCUMENT, EXAMPLES, GOLDEN, document


def test_documented_alerts_are_the_golden_ones() -> None:
    """docs/alerts.md is what the golden files say; `make docs` writes it anew."""
    assert DOCUMENT.read_text(encoding="utf-8") == document()


def test_every_alert_is_documented() -> None:
    """Each golden alert has its place on the page, once."""
    names = [name for name, _heading, _text in EXAMPLES]
    assert len(set(names)) == len(names)
    assert set(names) == {path.name.split(".")[0] for path in GOLDEN.iterdir()}
