"""What several rules ask of the same evidence is worked out once.

The answer is kept with the evidence itself, until its report is made; another one, be it equal, shares nothing.
"""

import functools
from collections.abc import Callable
from typing import Any, Concatenate, cast

from padlock.evidence import Evidence


def once[**P, T](ask: Callable[Concatenate[Evidence, P], T]) -> Callable[Concatenate[Evidence, P], T]:
    """Decorate a pure function of the evidence and of what can be hashed; nobody may change what it returns."""

    @functools.wraps(ask)
    def answer(evidence: Evidence, *args: P.args, **kwargs: P.kwargs) -> Any:
        known, key = evidence.known, (ask, args, *kwargs.items()) if kwargs else (ask, args)
        try:
            return known[key]
        except KeyError:
            found = known[key] = ask(evidence, *args, **kwargs)
            return found

    return cast(Callable[Concatenate[Evidence, P], T], answer)
