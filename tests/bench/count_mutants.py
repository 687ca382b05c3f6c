"""Faults that make an audit dearer, built in on purpose: the figures must show each of them."""

import functools
import os
import pkgutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch


def _twice(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that does its work twice, with the same outcome."""

    @functools.wraps(function)
    def again(*given: Any, **named: Any) -> Any:
        function(*given, **named)
        return function(*given, **named)

    return again


def _awaited_twice(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    async def again(*given: Any, **named: Any) -> Any:
        await function(*given, **named)
        return await function(*given, **named)

    return again


def _uncached(function: Any) -> Any:
    return functools.lru_cache(maxsize=0)(function.__wrapped__)


def _nothing(_function: Any) -> Callable[..., None]:
    return lambda *_given, **_named: None


def _longer(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function whose item has 4 KB more, of what compresses badly."""

    @functools.wraps(function)
    def grown(*given: Any, **named: Any) -> Any:
        return function(*given, **named) | {"more": os.urandom(2048).hex()}

    return grown


MUTANTS: dict[str, tuple[str, str, Callable[[Any], Any]]] = {
    "each chain is verified anew": ("padlock.probes.trust", "_remember", _nothing),
    "each question is asked twice": ("padlock.network.dns", "_attempt", _awaited_twice),
    "the page is parsed twice": ("padlock.probes.page", "in_page", _twice),
    "the evidence is judged twice": ("padlock.checking", "assess", _twice),
    "a context is made for each handshake": ("padlock.network.connection", "context", _uncached),
    "each certificate is parsed anew": ("padlock.probes.certificates", "_parsed", _uncached),
    "the cache is read from the table each time": ("padlock.storage.cache._Held", "get", _nothing),
    "other certificates are looked for twice": ("padlock.probes", "other_certificates", _awaited_twice),
    "what each run writes grows": ("padlock.storage.results", "_head", _longer),
}
"""What the fault is → module or class, name and the change of what stands there."""


@contextmanager
def built_in(name: str) -> Iterator[None]:
    """Have one fault while the block runs; an empty name is none."""
    if not name:
        yield
        return
    where, what, change = MUTANTS[name]
    place = pkgutil.resolve_name(where)
    with patch.object(place, what, change(getattr(place, what))):
        yield
