"""Text that means harm, put into every text field of a type.

The fields are found by msgspec's introspection, so that a new one is covered by itself.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import inspect
from padlock.render.escape import MARKS

TERMINAL = "\x1b[31m\x1b]0;title\x07\x9b2J\x90\x85\x7f\x08"
BIDI = "\u202egnp\u2066\u200b\u2028\u2029\ufeff\U000e0041"
LINES = "\r\nSubject: forged\n\nOVER\n----\n* all is well\n| a |\n# b\n\x00\x0b\x0c"
SURROGATES = "\ud800x\udfff"
MARKUP = (
    '</script><cwdb-action action="call" endpoint="arn:x"></cwdb-action><b onload=x()> [red]x[/red] <!here> @all '
    "<https://evil.example|x> [a](http://evil.example) ![b](//e) www.evil.example **c** `d` ${e} $f$ &lt; :fire: |"
)
FLOOD = "e" + "\u0301\u20dd" * 30
HOSTILE = TERMINAL + BIDI + LINES + SURROGATES + MARKUP + FLOOD
LONG = "\N{GRINNING FACE}" * 2_000
DEEPEST = 3
"""How often a type that contains itself is gone into."""

PLAIN: Mapping[type[inspect.Type], Any] = {
    inspect.DateTimeType: datetime(2026, 11, 20, 12, 0, tzinfo=UTC),
    inspect.BoolType: True,
    inspect.IntType: 8,
    inspect.FloatType: 0.5,
    inspect.NoneType: None,
}
"""What stands in fields that hold no text; KeyError for a type that is new."""

type Change = Callable[[str, str], str]
"""(`Struct.field`, text) → the text in its place."""


def raw(text: str) -> set[str]:
    """Return what of a text a terminal, a mail program or a log would obey or be flooded by; lines are all right."""
    found = {character for character in text if not character.isprintable() and character != "\n"}
    run = longest = 0
    for character in text:
        run = run + 1 if character in "\u0301\u20dd" else 0
        longest = max(longest, run)
    return found | ({"flood"} if longest > MARKS else set())


def fields(kind: Any) -> set[str]:
    """Return every field of a type, `Struct.field`, that holds text of any kind."""
    seen: set[type] = set()
    found: set[str] = set()

    def walk(info: inspect.Type, path: str) -> None:
        if isinstance(info, inspect.StrType):
            found.add(path)
        if isinstance(info, inspect.StructType):
            if info.cls in seen:
                return
            seen.add(info.cls)
            for field in info.fields:
                walk(field.type, f"{info.cls.__name__}.{field.name}")
        for inner in _inner(info):
            walk(inner, path)

    walk(inspect.type_info(kind), "")
    return found


def spoilt[T: msgspec.Struct](value: T, change: Change) -> T:
    """Return a copy of a value in which every text field, keys of mappings too, is what `change` makes of it."""
    spoilt: T = _spoilt(inspect.type_info(type(value)), value, "", change)
    return spoilt


def filled(kind: Any, text: str) -> Any:
    """Return a value of a type in which nothing is left out: each text is this one, each collection has an entry."""
    return _filled(inspect.type_info(kind), text, ())


def _inner(info: inspect.Type) -> Iterator[inspect.Type]:
    """Yield the types that a type is made of, but a struct's."""
    match info:
        case inspect.UnionType():
            yield from info.types
        case inspect.DictType():
            yield from (info.key_type, info.value_type)
        case inspect.VarTupleType() | inspect.ListType():
            yield info.item_type
        case inspect.TupleType():
            yield from info.item_types


def _spoilt(info: inspect.Type, value: Any, path: str, change: Change) -> Any:
    match info:
        case inspect.UnionType():
            return _spoilt(_member(info, value), value, path, change)
        case inspect.StrType():
            return change(path, value)
        case inspect.StructType():
            name = info.cls.__name__
            new = {
                field.name: _spoilt(field.type, getattr(value, field.name), f"{name}.{field.name}", change)
                for field in info.fields
            }
            return info.cls(**new)
        case inspect.DictType():
            return {
                _spoilt(info.key_type, key, path, change): _spoilt(info.value_type, entry, path, change)
                for key, entry in value.items()
            }
        case inspect.VarTupleType():
            return tuple(_spoilt(info.item_type, entry, path, change) for entry in value)
        case inspect.TupleType():
            return tuple(
                _spoilt(kind, entry, path, change) for kind, entry in zip(info.item_types, value, strict=True)
            )
    return value


def _member(union: inspect.UnionType, value: Any) -> inspect.Type:
    """Return the member of a union that a value is of."""
    for info in union.types:
        match info:
            case inspect.NoneType() if value is None:
                return info
            case inspect.LiteralType() if value in info.values:
                return info
            case inspect.StrType() if isinstance(value, str):
                return info
            case inspect.StructType() if isinstance(value, info.cls):
                return info
            case inspect.VarTupleType() | inspect.TupleType() if isinstance(value, tuple):
                return info
            case inspect.DictType() if isinstance(value, dict):
                return info
    return inspect.AnyType()


def _filled(info: inspect.Type, text: str, above: tuple[type, ...]) -> Any:
    match info:
        case inspect.StrType():
            return text
        case inspect.UnionType():
            return _filled(_fullest(info, above), text, above)
        case inspect.StructType():
            return info.cls(**{field.name: _filled(field.type, text, (*above, info.cls)) for field in info.fields})
        case inspect.DictType():
            return {_filled(info.key_type, text, above): _filled(info.value_type, text, above)}
        case inspect.VarTupleType():
            return (_filled(info.item_type, text, above),)
        case inspect.TupleType():
            return tuple(_filled(kind, text, above) for kind in info.item_types)
        case inspect.LiteralType():
            return info.values[0]
        case inspect.EnumType():
            return next(iter(info.cls))
    return PLAIN[type(info)]


def _fullest(union: inspect.UnionType, above: tuple[type, ...]) -> inspect.Type:
    """Return the member of a union that holds most; nothing, where a type would go into itself for ever."""
    nested = any(
        isinstance(inner, inspect.StructType) and above.count(inner.cls) >= DEEPEST
        for member in union.types
        for inner in (member, *_inner(member))
    )
    if nested:
        return inspect.NoneType()
    order = (inspect.StructType, inspect.VarTupleType, inspect.TupleType, inspect.DictType, inspect.StrType)
    ranked = sorted(
        union.types, key=lambda info: next((n for n, kind in enumerate(order) if isinstance(info, kind)), len(order))
    )
    return next(info for info in ranked if not isinstance(info, inspect.NoneType))
