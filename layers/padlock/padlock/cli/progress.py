"""How far a check of several sites is, in one line on stderr, where a person is watching."""

import time
from collections.abc import Sequence

from padlock.cli.output import clear_progress, progress_line
from padlock.render.escape import printable

TELLING = 5
"""Sites that must be done before the time that is left is worth an estimate."""
SHOWN = 60
"""Characters of names."""


class Progress:
    """Sites that are done, of all of them."""

    def __init__(self, names: Sequence[str]) -> None:
        self._total = len(names)
        self._done = 0
        self._failing = 0
        self._began = time.monotonic()
        progress_line(f"0 of {self._total} checked · {printable(', '.join(names), SHOWN)}")

    def checked(self, name: str, *, failing: bool) -> None:
        """Count a site, and show how far the run is."""
        self._done += 1
        self._failing += failing
        parts = [f"{self._done} of {self._total} checked"]
        if self._failing:
            parts.append(f"{self._failing} failing")
        if TELLING <= self._done < self._total:
            left = (time.monotonic() - self._began) / self._done * (self._total - self._done)
            parts.append(f"about {left:.0f} s left")
        progress_line(" · ".join((*parts, printable(name, SHOWN))))

    def end(self) -> None:
        """Take the line away."""
        clear_progress()
