"""Write the golden files anew, after a change to the report that was meant: python -m tests.render.recapture."""

from pathlib import Path
from typing import TypedDict

from padlock.render.terminal import render

from tests.render.reports import broken

GOLDEN = Path(__file__).parent / "golden"


class Variant(TypedDict, total=False):
    """Arguments of render."""

    width: int
    short: bool


VARIANTS: dict[str, Variant] = {
    "whole-80.txt": {"width": 80},
    "whole-60.txt": {"width": 60},
    "short-100.txt": {"width": 100, "short": True},
}

if __name__ == "__main__":
    for name, arguments in VARIANTS.items():
        (GOLDEN / name).write_text(render(broken(), **arguments), encoding="utf-8")
