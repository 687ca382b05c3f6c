"""String constants of an inline script, and where they are used: `const API = "http://..."`, `fetch(API + "/x")`.

A name counts only if the script gives it one value: no second assignment, no parameter and no other declaration of
that name. Where that is in doubt, the name is left alone.
"""

import re
from collections.abc import Iterator, Sequence

import msgspec

from padlock.probes import script_code

_CONSTANTS = 20
"""Names of one script that are followed."""
_OCCURRENCES = 200
"""Of one name; one that occurs more often is left alone."""
_BEFORE, _AFTER = 80, 300
"""Characters around a name that are looked at."""
_DECLARED = re.compile(r"(?:^|[^\w$.])(?:const|let|var)\s+([A-Za-z_$][\w$]*)\s*=\s*$")
_ENDS = re.compile(r"[ \t]*+(?:;|,|$|\n\s*+[\w$}])")
_WORD = re.compile(r"[\w$]+|[{}]")
_TEMPLATE = re.compile(r"`\$\{\s*+([A-Za-z_$][\w$]*+)\s*+\}")
_ASSIGNED = re.compile(r"\s*+[-+*/%&|^?<>]{0,3}=(?!=)|\s*+(?:\+\+|--)")
_NAMED_ANEW = re.compile(r"(?:^|[^\w$.])(?:const|let|var|function\s*\*?|class|import|as)\s*$")
_PARAMETER = re.compile(r"[^()]*+\)\s*+(?:\{|=>)")
_TAKEN_APART = re.compile(r"[^()\[\]{}]*+[}\]]\s*+(?:=(?!=)|[,)]|(?:of|from)\b)")
_BEGINS = re.compile(r"\s*+(?:[,)+;}]|$)|[ \t]*+\n")


class _Constant(msgspec.Struct):
    """One name with the string that it stands for."""

    url: str
    at: int
    """Where the name is declared."""
    begin: int = 0
    end: int = -1
    """What it can be seen from; -1: to the end of the script."""
    occurrences: int = 0
    uses: list[int] = msgspec.field(default_factory=list)


def uses(
    script: str, code: str, insecure: Sequence[tuple[int, int]], templates: Sequence[int]
) -> Iterator[tuple[str, int]]:
    """Yield the strings that begin a URL by their name: the string, and where the name, or its template, begins."""
    constants = _declared(script, code, insecure)
    if not constants:
        return
    _follow(code, constants)
    for at in templates:
        if (name := _TEMPLATE.match(script, at)) and name[1] in constants:
            constants[name[1]].uses.append(at)
    for constant in constants.values():
        for at in constant.uses:
            if at >= constant.begin and (constant.end < 0 or at < constant.end):
                yield constant.url, at


def _declared(script: str, code: str, insecure: Sequence[tuple[int, int]]) -> dict[str, _Constant]:
    found: dict[str, _Constant] = {}
    for begin, end in insecure:
        window = max(0, begin - _BEFORE)
        declared = _DECLARED.search(code[window:begin])
        if declared and _ENDS.match(code, end) and declared[1] not in found:
            url = script_code.unescaped(script[begin + 1 : end - 1].partition("${")[0])
            found[declared[1]] = _Constant(url, window + declared.start(1))
            if len(found) == _CONSTANTS:
                break
    return found


def _follow(code: str, constants: dict[str, _Constant]) -> None:
    """Note where constants are used and can be seen from; forget those that have another value somewhere."""
    depth = 0
    open_blocks: dict[int, list[_Constant]] = {}
    for word in _WORD.finditer(code):
        if word[0] == "{":
            depth += 1
        elif word[0] == "}":
            for constant in open_blocks.pop(depth, ()):
                constant.end = word.start()
            depth -= 1
        elif named := constants.get(word[0]):
            if word.start() == named.at:
                named.begin = word.start() if depth else 0
                open_blocks.setdefault(depth, []).append(named)
            elif not _same(code, word.start(), word.end(), named):
                del constants[word[0]]


def _same(code: str, begin: int, end: int, constant: _Constant) -> bool:
    """Whether a name still stands for its one value after this occurrence, which is noted if it is a use."""
    constant.occurrences += 1
    before, after = code[max(0, begin - _BEFORE) : begin], code[end : end + _AFTER]
    if before.rstrip().endswith("."):
        return True
    if constant.occurrences > _OCCURRENCES or _NAMED_ANEW.search(before):
        return False
    if any(pattern.match(after) for pattern in (_ASSIGNED, _PARAMETER, _TAKEN_APART)):
        return False
    if _BEGINS.match(after):
        constant.uses.append(begin)
    return True
