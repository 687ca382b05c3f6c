"""Colours: every pair that meets on the page has the contrast that WCAG 2.2 AA asks for, on light and on dark."""

import re

import pytest
from padlock.render.page.marks import RANK, SHAPES, tone
from padlock.render.page.style import COLOURS, TONES, sheet

TEXT, SHAPE = 4.5, 3.0
"""Success criteria 1.4.3 and 1.4.11."""
PAIRS = [
    *((text, ground, TEXT) for text in ("text", "quiet", "accent") for ground in ("page", "card", "code")),
    *((text, f"{each}-tint", TEXT) for text in ("text", "quiet") for each in TONES),
    *((each, ground, TEXT) for each in TONES for ground in ("card", f"{each}-tint")),
    *((each, "code", SHAPE) for each in TONES),
    ("control", "card", SHAPE),
]


def luminance(colour: str) -> float:
    """Return the relative luminance of `#rrggbb` (WCAG 2.2, definitions)."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("side", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("front", "ground", "least"), PAIRS)
def test_contrast(front: str, ground: str, least: float, side: int) -> None:
    """Text and signs can be read by people with low vision, in either theme."""
    high, low = sorted((luminance(COLOURS[front][side]), luminance(COLOURS[ground][side])), reverse=True)
    assert (high + 0.05) / (low + 0.05) >= least


def test_every_status_has_a_colour_and_a_shape_of_its_own() -> None:
    """No two statuses have the same outline and sign, so that colour is never what alone tells them apart."""
    assert len(set(SHAPES.values())) == len(SHAPES)
    assert {tone(status).removeprefix("is-") for status in SHAPES} == set(TONES)
    assert set(RANK) <= set(SHAPES)


def test_every_colour_is_declared_and_used() -> None:
    """The sheet names no variable that is not there, and no colour is there for nothing."""
    used = set(re.findall(r"var\(--([a-z-]+)\)", sheet()))
    assert used - {"tone", "tint"} == set(COLOURS)
