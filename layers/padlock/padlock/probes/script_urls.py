"""URLs that an inline script loads: literals in the call that fetches them, and little that is cleverer (ECMA-262).

`fetch("http://...")` is certain, and so is `fetch(API + "/x")` after `const API = "http://..."`; a literal in a
comment, a condition or a table is not, and is left alone. What else a script loads only a browser can tell.
"""

import re
from collections.abc import Iterator
from typing import Literal

import msgspec

from padlock.probes import script_code, script_constants

type Loaded = Literal["active", "passive"]

_CONTEXT = 160
"""Characters before a literal that are looked at."""
_LITERALS = 2_000
"""Literals of one script that are looked at."""
_INSECURE = re.compile(r"(?:http|ws)://[^/\s$\"'`]", re.IGNORECASE)
_ACTIVE = (
    ("fetch()", re.compile(r"(?:^|[^\w$.]|\b(?:window|self|globalThis)\.)fetch\s*\(\s*$")),
    ("import", re.compile(r"(?:^|[^\w$.])import\s*(?:\(\s*)?$|[\w$}*]\s*from\s*$")),
    ("importScripts()", re.compile(r"(?:^|[^\w$.])importScripts\s*\(\s*$")),
    ("WebSocket()", re.compile(r"\bnew\s+(?:window\.)?WebSocket\s*\(\s*$")),
    ("EventSource()", re.compile(r"\bnew\s+(?:window\.)?EventSource\s*\(\s*$")),
    ("Worker()", re.compile(r"\bnew\s+(?:window\.)?(?:Shared)?Worker\s*\(\s*$")),
    ("sendBeacon()", re.compile(r"\.sendBeacon\s*\(\s*$")),
    (
        "XMLHttpRequest.open()",
        re.compile(r"\.open\s*\(\s*[\"'](?:GET|POST|PUT|DELETE|PATCH|HEAD|OPTIONS)[\"']\s*,\s*$"),
    ),
)
_SOURCE = re.compile(r"(?:\bnew\s+Image\s*(?:\([^()]*\))?\s*\)?|([\w$]+))\.src\s*=\s*$")
_MADE = re.compile(
    r"(?<![\w$])([\w$]++)\s*+=\s*+"
    r"(?:document\.createElement\(\s*[\"'](script|iframe|embed|img|audio|video)[\"']|new\s+(Image))"
)
_BLOCKED = ("script", "iframe", "embed")
_WRITES = re.compile(r"(?:^|[;}])\s*+document\.write(?:ln)?\s*+\(\s*$")
_PART = r"(?:\"(?:[^\"\\\n]|\\[\s\S])*+\"|'(?:[^'\\\n]|\\[\s\S])*+'|`(?:[^`\\$]|\\[\s\S])*+`)"
_WRITTEN = re.compile(rf"{_PART}(?:\s*+\+\s*+{_PART})*+(?=\s*+\))")
_LONGEST_WRITTEN = 8_192


class Use(msgspec.Struct, frozen=True):
    """A URL that a script loads."""

    kind: Loaded
    loader: str
    url: str
    at: int


class Written(msgspec.Struct, frozen=True):
    """Markup that a script writes into the page at every visit."""

    markup: str
    at: int


def loads(script: str) -> Iterator[Use | Written]:
    """Yield the plain HTTP and WebSocket URLs that a script loads, and the markup with such that it writes."""
    if not _INSECURE.search(script):
        return
    insecure: list[tuple[int, int]] = []
    templates: list[int] = []
    writes: list[int] = []
    for begin, end, is_string in script_code.literals(script):
        if not is_string:
            continue
        if _INSECURE.match(script, begin + 1):
            insecure.append((begin, end))
        elif script.startswith("`${", begin) and len(templates) < _LITERALS:
            templates.append(begin)
        elif "document.write" in script[max(0, begin - _CONTEXT) : begin] and len(writes) < _LITERALS:
            writes.append(begin)
        if len(insecure) == _LITERALS:
            break
    made = _elements(script) if insecure else {}
    for begin, end in insecure:
        if found := _loader(script, begin, made):
            yield Use(*found, script[begin:end].strip("\"'`"), begin + 1)
    if not insecure and not writes:
        return
    code = script_code.code(script)
    for url, at in script_constants.uses(script, code, insecure, templates):
        if found := _loader(script, at, made):
            yield Use(*found, url, at)
    yield from _written(script, code, writes)


def _loader(script: str, at: int, made: dict[str, str]) -> tuple[Loaded, str] | None:
    before = script[max(0, at - _CONTEXT) : at]
    for name, pattern in _ACTIVE:
        if pattern.search(before):
            return "active", name
    if source := _SOURCE.search(before):
        element = made.get(source[1] or "", "img")
        return ("active" if element in _BLOCKED else "passive"), f"{element}.src ="
    return None


def _elements(script: str) -> dict[str, str]:
    """Return variable → the kind of element that the script puts into it, which later ones may overwrite."""
    return {made[1]: made[2] or "img" for made in _MADE.finditer(script)}


def _written(script: str, code: str, writes: list[int]) -> Iterator[Written]:
    """Yield the markup of `document.write("...")` where it is a statement that nothing makes conditional."""
    depth = seen = 0
    for at in writes:
        depth += code.count("{", seen, at) - code.count("}", seen, at)
        seen = at
        begin = max(0, at - _CONTEXT)
        # Without its first character the window never begins where a statement only seems to.
        before = code[begin:at] if begin == 0 else "," + code[begin:at]
        if depth or not _WRITES.search(before):
            continue
        if whole := _WRITTEN.match(script, at, at + _LONGEST_WRITTEN):
            parts = re.findall(_PART, whole[0])
            yield Written("".join(script_code.unescaped(part[1:-1]) for part in parts), at)
