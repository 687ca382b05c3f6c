"""A broken promise, with its name."""


class Violation(AssertionError):
    """What must never be, is."""

    def __init__(self, invariant: str, detail: str) -> None:
        """Take the invariant's name and what was seen."""
        super().__init__(f"{invariant}: {detail}")
        self.invariant = invariant
