"""The init of a function, without garbage collection: imported before all else, and told when all else is there.

What is imported stays. Looking through it again and again, as it grows, takes a third of the whole init.
"""

import gc
import os

_IN_LAMBDA = "AWS_LAMBDA_RUNTIME_API" in os.environ
"""Elsewhere, such as in a test, the process has other things to do."""

YOUNG = 50_000
"""Objects that come to be before garbage is looked for: a check makes thousands that live until its end.

What it lets go is gone at once, as hardly anything in it is a cycle; of what is one, this bounds the memory.
"""
_BETWEEN = 20
"""Such looks before one among older objects as well."""


if _IN_LAMBDA:
    gc.disable()


def done() -> None:
    """Collect garbage again from now on, and leave alone for good what the init has made."""
    if _IN_LAMBDA:
        gc.freeze()
        gc.set_threshold(YOUNG, _BETWEEN)
        gc.enable()
