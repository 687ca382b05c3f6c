"""Text from outside on its way to a reader: one line, printable, bounded."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from padlock.render.escape import paragraphs, printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Grüße, 世界 ✓", "Grüße, 世界 ✓"),
        ("a\x1b[31mb", r"a\x1b[31mb"),
        ("a\r\nb\tc", r"a\r\nb\tc"),
        ("\u202egnp.exe", r"\u202egnp.exe"),
        ("\u2066x\u2069\u200b", r"\u2066x\u2069\u200b"),
        ("\x00\x7f\x9b", r"\x00\x7f\x9b"),
        ("\ud800", r"\ud800"),
        ("\u2028\u2029\x85", r"\u2028\u2029\x85"),
        ("\U000e0041", r"\U000e0041"),
    ],
)
def test_what_is_not_printable_is_shown_as_an_escape(text: str, shown: str) -> None:
    """Controls, bidirectional marks, separators, lone surrogates and tags are shown; letters of any script stay."""
    assert printable(text) == shown


@given(st.text(alphabet=st.characters(codec=None), max_size=200))
def test_never_more_than_one_printable_line(text: str) -> None:
    """Whatever comes in, what goes out is one printable line that any UTF-8 output can carry."""
    shown = printable(text)
    assert shown.isprintable()
    assert "\n" not in shown
    assert shown.encode().decode() == shown


def test_long_text_is_cut_and_marked() -> None:
    """A text beyond the limit ends in an ellipsis."""
    assert printable("x" * 50, 10) == "x" * 9 + "…"
    assert paragraphs("x\n" * 50, 10)[-1] == "x…"


def test_paragraphs_keep_their_lines() -> None:
    """A text of several lines stays so, each line printable and without trailing space."""
    assert paragraphs("one \n\ttwo\x1b\r\n") == ["one", r"    two\x1b\r", ""]
