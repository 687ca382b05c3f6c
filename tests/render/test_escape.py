"""Text from outside on its way to a reader: one line, printable, bounded."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from padlock.render.escape import json_text, paragraphs, phrase, printable, single_spaced


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
        ("\u3164\u115f\u1160\uffa0", r"\u3164\u115f\u1160\uffa0"),
        ("a\u2800b\u034fc\ufe0f", r"a\u2800b\u034fc\ufe0f"),
        ("\u17b4\u180b\u180f\ufe00\U000e0100", r"\u17b4\u180b\u180f\ufe00\U000e0100"),
        ("\U00016fe4\U0001d159", r"\U00016fe4\U0001d159"),
        ("שלום, سلام", "שלום, سلام"),
    ],
)
def test_what_is_not_printable_is_shown_as_an_escape(text: str, shown: str) -> None:
    """Controls, bidirectional marks, lines, surrogates, tags and fillers are shown; letters of any script stay."""
    assert printable(text) == shown


@given(st.text(alphabet=st.characters(codec=None), max_size=200))
def test_never_more_than_one_printable_line(text: str) -> None:
    """Whatever comes in, what goes out is one printable line that any UTF-8 output can carry."""
    shown = printable(text)
    assert shown.isprintable()
    assert "\n" not in shown
    assert shown.encode().decode() == shown


@given(st.text(alphabet=st.characters(codec=None), max_size=60), st.integers(1, 40))
def test_escapes_count(text: str, limit: int) -> None:
    """What is shown is never longer than the limit, however many characters the escapes take."""
    shown = printable(text, limit)
    assert len(shown) <= limit
    assert shown.endswith("…") or shown == printable(text, 10_000)


def test_long_text_is_cut_and_marked() -> None:
    """A text beyond the limit ends in an ellipsis, and no escape is cut in two."""
    assert printable("x" * 50, 10) == "x" * 9 + "…"
    assert printable("\x1b" * 50, 10) == r"\x1b\x1b…"
    assert printable("\U000e0041" * 3, 30) == r"\U000e0041" * 3
    assert paragraphs("x\n" * 50, 10)[-1] == "x…"
    assert paragraphs("\x1b\n" * 9, 20) == [r"\x1b"] * 5 + ["…"]


def test_flood_of_marks() -> None:
    """Marks of a script stand on their letter; beyond what a letter bears each is shown as an escape."""
    hebrew = "שּׁ\u05b8\u0591"
    assert printable(hebrew) == hebrew
    assert printable("e\u0301a\u0308") == "e\u0301a\u0308"
    assert printable("e" + "\u0301" * 9) == "e" + "\u0301" * 6 + r"\u0301" * 3


@given(st.dictionaries(st.text(), st.lists(st.text())))
def test_json_stays_the_same(value: dict[str, list[str]]) -> None:
    """A document in which nothing but printable characters stands, or only ASCII, says what it said before."""
    document = json.dumps(value, ensure_ascii=False, indent=1)
    for shown in (json_text(document), json_text(document, ascii_only=True)):
        assert json.loads(shown) == value
        assert all(line.isprintable() for line in shown.split("\n"))
    assert json_text(document, ascii_only=True).isascii()


def test_json_of_words() -> None:
    """Words of any script stand as they are where the terminal can show them; controls never do."""
    assert json_text('"Grüße 世界 \x9b\x7f\u202e"') == r'"Grüße 世界 \u009b\u007f\u202e"'
    assert json_text('"é😀"', ascii_only=True) == r'"\u00e9\ud83d\ude00"'


def test_paragraphs_keep_their_lines() -> None:
    """A text of several lines stays so, each line printable and without trailing space."""
    assert paragraphs("one \n\ttwo\x1b\r\n") == ["one", r"    two\x1b\r", ""]


def test_runs_of_spaces() -> None:
    """Spaces lay nothing out: a run of them is one, and only a command in prose keeps its own."""
    assert phrase(" a   b `c  d`  ") == " a b `c d` "
    assert phrase("x    " * 9, 10) == "x x …"
    assert single_spaced("a   b `c  d`  e ``  f `g  h") == "a b `c  d` e `` f `g h"
