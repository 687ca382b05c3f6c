"""A script's code without its literals and comments (ECMA-262, section 12), in linear time."""

import re
from collections.abc import Iterator

STRING = r"\"(?:[^\"\\\n]|\\[\s\S])*+\"?|'(?:[^'\\\n]|\\[\s\S])*+'?|`(?:[^`\\]|\\[\s\S])*+`?"
_TOKEN = re.compile(
    r"//[^\n]*+|/\*(?:[^*]|\*(?!/))*+(?:\*/)?|<!--[^\n]*+" + rf"|(?P<string>{STRING})" + r"|(?P<slash>/)"
)
_PATTERN = re.compile(r"/(?:[^/\\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*+\])++/[a-z]*")
_BEFORE_PATTERN = re.compile(r"(?:^|[(,=:\[!&|?{};+\-*%<>~^]|\b(?:return|typeof|case|in|of|void|delete))\s*$")
_LONGEST_PATTERN = 80
"""Characters of a regular expression that are read."""
_LITERALS, _SLASHES = 200_000, 10_000
"""Of one script that are read; what stands behind them is left alone, and slashes are divisions."""
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|(\n)|([\s\S]))")
_NAMED = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "v": "\v", "0": "\0"}


def literals(script: str) -> Iterator[tuple[int, int, bool]]:
    """Yield where comments, regular expressions and strings begin and end, and whether it is a string."""
    at = slashes = 0
    for _ in range(_LITERALS):
        token = _TOKEN.search(script, at)
        if token is None:
            return
        at = token.end()
        if token.lastgroup == "slash":
            slashes += 1
            at = _after_slash(script, token.start()) if slashes <= _SLASHES else at
            if at == token.end():
                continue
        yield token.start(), at, token.lastgroup == "string"


def code(script: str) -> str:
    """Return a script with spaces in the place of its comments, regular expressions and strings."""
    kept: list[str] = []
    at = 0
    for begin, end, _ in literals(script):
        kept += script[at:begin], " " * (end - begin)
        at = end
    return "".join((*kept, script[at:]))


def unescaped(string: str) -> str:
    """Return what the inside of a string literal stands for."""
    return _ESCAPE.sub(_character, string) if "\\" in string else string


def _after_slash(script: str, at: int) -> int:
    """Return where a slash ends: it is a division, or begins a regular expression, whose quotes are none."""
    if not _BEFORE_PATTERN.search(script[max(0, at - 20) : at]):
        return at + 1
    pattern = _PATTERN.match(script, at, at + _LONGEST_PATTERN)
    return pattern.end() if pattern else at + 1


def _character(escape: re.Match[str]) -> str:
    if digits := escape[1] or escape[2]:
        code = int(digits, 16)
        return "\ufffd" if 0xD800 <= code < 0xE000 else chr(code)  # half a character is none
    return "" if escape[3] else _NAMED.get(escape[4], escape[4])
