"""What msgspec finds wrong with a declaration, in words for its owner: which key, and what to write there."""

import difflib
import re
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import inspect

type Model = type[msgspec.Struct]

_KINDS = {
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "null": "nothing",
    "array": "a list",
    "object": "a mapping of keys to values",
    "bytes": "binary data",
}
"""msgspec's types in words."""
_MEANT = {
    "hsts": "write off, optional or required",
    "redirect": "write permanent or temporary",
    "severity": "write error, warning or notice",
    "ports.http": "write a port from 1 to 65535, or closed",
    "health.path": "it must begin with / and have no spaces",
    "private_ca": "write the certificates as PEM text",
    "instances": "write at most 20 managed nodes, such as i-0123456789abcdef0 or mi-0123456789abcdef0",
    "reminder": "write a length of time from 1h to 30d, or off",
    "digest": "write on or off",
    "maintenance": "write at most 50 windows, such as {every: Sun 02:00, for: 2h} or {start: …, end: …}",
    "maintenance.start": "write a time such as 2026-12-24T18:00",
    "maintenance.end": "write a time such as 2026-12-24T18:00",
    "maintenance.every": "write a time such as 02:00 or Sun 02:00",
    "maintenance.for": "write a length of time such as 2h",
    "acknowledge": "write at most 50 findings, such as {code: certificate.expiring, until: 2026-12-24}",
    "acknowledge.until": "write a time such as 2026-12-24T18:00, or a date",
}
"""Key → what to write there, where that is more than a type."""


def explained(message: str, declaration: Mapping[str, Any], model: Model) -> str:
    """Turn msgspec's message into one that names the key first and says what to write, or the likely spelling.

    The declaration is the one that could not be read as the model.
    """
    unknown = re.search(r"unknown field `(.+?)`(?: - at `\$\.?(.*?)`)?$", message)
    if unknown:
        return _unknown_key(unknown[1], unknown[2] or "", model)
    placed = re.fullmatch(r"(.*?) - at (`key` in )?`\$\.?(.*)`", message, re.DOTALL)
    if not placed:
        return message
    path = _without_indices(placed[3].removesuffix("[...]"))
    where = placed[3]
    if placed[2]:
        where = f"a key of {path}" if path else "a key"
    elif where.endswith("[...]"):
        key = _culprit(declaration, path, message, model)
        where = f"severity of {key}" if path == "severity" else f"{path}.{key}"
    if missing := re.fullmatch(r"Object missing required field `(.+)`", placed[1]):
        return f"{where}: the key {missing[1]} is missing"
    return f"{where}: {_MEANT.get(path) or _in_words(placed[1])}{_given(placed[1])}"


def _without_indices(path: str) -> str:
    return re.sub(r"\[[0-9]+\]", "", path)


def _unknown_key(key: str, inside: str, model: Model) -> str:
    names = _keys(inspect.type_info(model), [part for part in _without_indices(inside).split(".") if part])
    close = difflib.get_close_matches(key, names, 1)
    where = f" in {inside}" if inside else ""
    known = f"did you mean {close[0]!r}?" if close else f"known keys: {', '.join(names)}"
    return f"unknown key {key[:80]!r}{where}; {known}"


def _keys(kind: inspect.Type, path: list[str]) -> list[str]:
    """Return the keys of the mapping that stands at a path of the model; none where no such mapping does."""
    if isinstance(kind, inspect.UnionType):
        return next((keys for each in kind.types if (keys := _keys(each, path))), [])
    if isinstance(kind, inspect.VarTupleType):
        return _keys(kind.item_type, path)
    if not isinstance(kind, inspect.StructType):
        return []
    if not path:
        return [field.encode_name for field in kind.fields]
    return next((_keys(field.type, path[1:]) for field in kind.fields if field.encode_name == path[0]), [])


def _culprit(declaration: Mapping[str, Any], path: str, message: str, model: Model) -> str:
    """Return which key of a mapping a message is about, which msgspec leaves out: the first that alone fails so."""
    top, _, inner = path.partition(".")
    values = declaration[top][inner] if inner else declaration[top]
    for key, value in values.items():
        alone: Any = {**declaration[top], inner: {key: value}} if inner else {key: value}
        try:
            msgspec.convert({**declaration, top: alone}, model)
        except msgspec.ValidationError as error:
            if str(error) == message:
                return str(key)[:80]
    return "?"


def _in_words(told: str) -> str:
    """Return what msgspec expects: a type or a range."""
    kinds = re.match(r"Expected `(.+?)`", told)
    if not kinds:
        return told
    wanted = " or ".join(_KINDS.get(kind, kind) for kind in kinds[1].split(" | ") if kind != "null")
    limit = re.search(r"(of length )?(<=|>=|<|>) ([0-9.]+)$", told)
    if limit is None:
        return f"write {wanted}"
    if limit[1] and limit[3] == "1" and limit[2] == ">=":
        return f"write {wanted}, not empty"
    words = {"<=": "at most", ">=": "at least", ">": "more than", "<": "less than"}
    unit = {"array": " entries", "object": " entries", "str": " characters"}[kinds[1]] if limit[1] else ""
    return f"write {wanted}, {words[limit[2]]} {limit[3].removesuffix('.0')}{unit}"


def _given(told: str) -> str:
    """Return what stands there instead, where the message has it."""
    if value := re.fullmatch(r"Invalid enum value (.+)", told, re.DOTALL):
        return f", not {value[1][:80]}"
    kind = re.search(r", got `(.+)`$", told)
    return f", not {_KINDS.get(kind[1], kind[1])}" if kind else ""
