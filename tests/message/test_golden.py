"""Every alert as it is documented: byte for byte."""

from tests.message.golden import GOLDEN, all_files


def test_alerts_are_the_golden_ones() -> None:
    """No text of any alert changes unseen; python -m tests.message.golden writes the files anew."""
    stored = {path.name: path.read_text(encoding="utf-8") for path in GOLDEN.iterdir()}
    composed = all_files()
    assert stored.keys() == composed.keys()
    for name, text in composed.items():
        assert stored[name] == text, name
