"""URLs that an inline script loads: literals in the call that fetches them, and nothing cleverer (ECMA-262).

`fetch("http://...")` is certain; a literal in a comment, a condition or a table is not, and is left alone.
"""

import re
from collections.abc import Iterator
from typing import Literal

type Loaded = Literal["active", "passive"]

_TOKEN = re.compile(
    r"//[^\n]*+|/\*(?:[^*]|\*(?!/))*+(?:\*/)?|<!--[^\n]*+"
    r"|(?P<string>\"(?:[^\"\\\n]|\\[\s\S])*+\"?|'(?:[^'\\\n]|\\[\s\S])*+'?|`(?:[^`\\]|\\[\s\S])*+`?)"
    r"|(?P<slash>/)"
)
_PATTERN = re.compile(r"/(?:[^/\\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*+\])++/[a-z]*")
_BEFORE_PATTERN = re.compile(r"(?:^|[(,=:\[!&|?{};+\-*%<>~^]|\b(?:return|typeof|case|in|of|void|delete))\s*$")
_CONTEXT = 160
"""Characters before a literal that are looked at."""
_LONGEST_PATTERN = 80
"""Characters of a regular expression that are read."""
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
    r"([\w$]+)\s*=\s*(?:document\.createElement\(\s*[\"'](script|iframe|embed|img|audio|video)[\"']|new\s+(Image))"
)
_BLOCKED = ("script", "iframe", "embed")


def loads(script: str) -> Iterator[tuple[Loaded, str, str, int]]:
    """Yield the plain HTTP and WebSocket URLs that a script loads: kind, what loads it, URL, position."""
    if not _INSECURE.search(script):
        return
    made: dict[str, str] | None = None
    at = literals = 0
    while token := _TOKEN.search(script, at):
        at = token.end()
        if token.lastgroup == "slash":
            at = _after_slash(script, token.start())
        elif token.lastgroup == "string" and _INSECURE.match(script, token.start() + 1):
            made = _elements(script) if made is None else made
            before = script[max(0, token.start() - _CONTEXT) : token.start()]
            if found := _loader(before, made):
                yield *found, token[0].strip("\"'`"), token.start() + 1
            literals += 1
            if literals == _LITERALS:
                return


def _after_slash(script: str, at: int) -> int:
    """Return where a slash ends: it is a division, or begins a regular expression, whose quotes are none."""
    if not _BEFORE_PATTERN.search(script[max(0, at - 20) : at]):
        return at + 1
    pattern = _PATTERN.match(script, at, at + _LONGEST_PATTERN)
    return pattern.end() if pattern else at + 1


def _loader(before: str, made: dict[str, str]) -> tuple[Loaded, str] | None:
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
