"""What nginx answers to a plain request for a path: a redirect to HTTPS, content, a refusal; or that cannot be told.

A virtual server's own `return`, `rewrite` and `if` come first, in their order, then those of the location that the
path falls into, then the location's content. Whatever is not known here (a variable from a map, a script, a file's
existence) makes the answer "unknown", never a guess.

Sources: nginx's ngx_http_rewrite_module; https://nginx.org/en/docs/http/ngx_http_core_module.html#location
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Literal

import msgspec

from padlock.evidence import Directive
from padlock.rules._nginx import Level, Levels, Server, effective
from padlock.rules._nginx_patterns import Searches, searches

type Kind = Literal["https", "http", "content", "refused", "unknown"]
type Values = Mapping[str, tuple[str, ...]]
"""Variable → every value that it may have in such a request."""

HANDLERS = ("proxy_pass", "fastcgi_pass", "uwsgi_pass", "scgi_pass", "grpc_pass", "memcached_pass")
SCRIPTED = re.compile(r".*_by_lua(_block|_file)?|js_content|js_access|perl|auth_request|auth_jwt|set_by.*")
REDIRECTS = frozenset({"301", "302", "303", "307", "308"})
VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")


class Answer(msgspec.Struct, frozen=True):
    """What comes of a request."""

    kind: Kind
    """`http`: a redirect that stays on plain HTTP."""
    decided: Directive | None = None
    """The directive that decides; None: nothing but the server block's own files."""
    target: str = ""
    """Where a redirect leads; what is not known of it is left out."""


UNKNOWN = Answer("unknown")


def answer(server: Server, host: str, path: str, *, tls: bool = False, port: int = 80) -> Answer:
    """Return what a virtual server answers to GET of a path."""
    if any(SCRIPTED.fullmatch(each.name) for level in server.levels for each in level.directives):
        return UNKNOWN
    values = _values(server, host, path, tls=tls, port=port)
    if rewritten := _rewritten(server.levels[-1].directives, values, server.levels):
        return rewritten
    found = locate(server.levels, path)
    return _answered(server.levels, found[0], values) if found else UNKNOWN


def _values(server: Server, host: str, path: str, *, tls: bool, port: int) -> Values:
    scheme = "https" if tls else "http"
    names = [name for name, _ in server.names]
    return {
        "host": (host,),
        "http_host": (host,),
        "server_name": (names[0] if names else "",),
        "scheme": (scheme,),
        "https": ("on" if tls else "",),
        "server_port": (str(port),),
        "request_uri": (path,),
        "uri": (path,),
        "document_uri": (path,),
        "args": ("",),
        "query_string": ("",),
        "is_args": ("",),
        "request_method": ("GET",),
        # A proxy in front sets it, a visitor who comes straight does not.
        "http_x_forwarded_proto": ("", scheme),
    }


def _rewritten(block: Iterable[Directive], values: Values, levels: Levels) -> Answer | None:
    """Return what the rewrite directives of one level answer; None: the request goes on."""
    for each in block:
        if each.name == "return" and each.args:
            return _returned(each, values, levels)
        if each.name == "rewrite" and len(each.args) >= 2:
            if rewritten := _rewrite(each, values, levels):
                return rewritten
        elif each.name == "if":
            inner = each.block or ()
            holds = condition(each.args, values, searches(levels))
            if holds is not False and (found := _rewritten(inner, values, levels)):
                return found if holds else UNKNOWN
            if holds is not False and any(one.name in (*HANDLERS, "break", "root", "alias") for one in inner):
                return UNKNOWN
        elif each.name == "break":
            return None
    return None


def _returned(directive: Directive, values: Values, levels: Levels) -> Answer:
    code, *text = directive.args
    if not code.isdecimal():
        code, text = "302", [code]
    if code in REDIRECTS and text:
        return _redirect(directive, text[0], values)
    if _sent_elsewhere(code, levels):
        return UNKNOWN
    if code.startswith("2"):
        return Answer("content", directive)
    return Answer("refused", directive) if code.startswith(("4", "5")) else UNKNOWN


def _sent_elsewhere(code: str, levels: Levels) -> bool:
    """Whether an error page for this status is more than a page: a redirect, or another location."""
    pages = [each for each in effective(levels, "error_page") if code in each.args[:-1]]
    return any(each.args[-1].startswith(("http", "@", "$")) or "=" in "".join(each.args[:-1]) for each in pages)


def _redirect(directive: Directive, text: str, values: Values) -> Answer:
    target = expand(text, values)
    if target.startswith("https://"):
        return Answer("https", directive, target)
    return Answer("http", directive, target) if target.startswith("http://") else UNKNOWN


def _rewrite(directive: Directive, values: Values, levels: Levels) -> Answer | None:
    pattern, replacement = directive.args[:2]
    fits = searches(levels).search(pattern, values["uri"][0], any_case=False)
    if fits is False:
        return None
    if fits and replacement.startswith(("http://", "https://", "$scheme")):
        return _redirect(directive, replacement, values)
    return UNKNOWN  # another path, which may be any location's


def expand(text: str, values: Values) -> str:
    """Return a text with its variables filled in; those that are not known stay as they are."""

    def value(variable: re.Match[str]) -> str:
        known = values.get(variable[1] or variable[2], ())
        return known[0] if len(known) == 1 else variable[0]

    return VARIABLE.sub(value, text)


def condition(args: tuple[str, ...], values: Values, tried: Searches) -> bool | None:
    """Return whether the condition of an `if` holds; None: that cannot be told."""
    text = list(args)
    if not text or not text[0].startswith("(") or not text[-1].endswith(")"):
        return None
    text[0] = text[0][1:]
    text[-1] = text[-1][:-1]
    words = [word for word in text if word]
    if not words or not words[0].startswith("$") or words[0][1:] not in values:
        return None
    results = {_compare(value, words[1:], values, tried) for value in values[words[0][1:]]}
    return results.pop() if len(results) == 1 else None


def _compare(value: str, words: list[str], values: Values, tried: Searches) -> bool | None:
    if not words:
        return value not in ("", "0")
    if len(words) > 2:
        return None
    operator, operand = words[0], words[1] if len(words) == 2 else ""
    if operator in ("=", "!="):
        other = expand(operand, values)
        return None if "$" in other else (value == other) is (operator == "=")
    if operator in ("~", "~*", "!~", "!~*"):
        fits = tried.search(operand, value, any_case=operator.endswith("*"))
        return None if fits is None else fits is not operator.startswith("!")
    return None


def locate(levels: Levels, path: str) -> tuple[Levels, bool] | None:
    """Return the levels of the location that a path falls into, and whether that ends the search; None: unsure.

    Of nested locations those within the longest prefix are tried before the regular expressions beside it.
    """
    locations = [each for each in levels[-1].named.get("location", ()) if each.args]
    best: Directive | None = None
    for each in locations:
        modifier, pattern = modified(each)
        if modifier == "=" and pattern == path:
            return (*levels, Level(each.block or ())), True
        if modifier in ("", "^~") and path.startswith(pattern) and not pattern.startswith("@"):
            best = each if best is None or len(pattern) > len(modified(best)[1]) else best
    inner: tuple[Levels, bool] | None = levels, False
    if best:
        inner = locate((*levels, Level(best.block or ())), path)
        if inner is None or inner[1] or modified(best)[0] == "^~":
            return inner
    for each in locations:
        modifier, pattern = modified(each)
        if modifier not in ("~", "~*"):
            continue
        fits = searches(levels).search(pattern, path, any_case=modifier == "~*")
        if fits is None:
            return None
        if fits:
            found = locate((*levels, Level(each.block or ())), path)
            return (found[0], True) if found else None
    return inner


def modified(location: Directive) -> tuple[str, str]:
    """Return a location's modifier and its path or pattern; nginx allows both in one word."""
    if len(location.args) >= 2:
        return location.args[0], location.args[1]
    word = location.args[0]
    for modifier in ("^~", "~*", "=", "~"):
        if word.startswith(modifier):
            return modifier, word.removeprefix(modifier)
    return "", word


def _answered(outer: Levels, levels: Levels, values: Values) -> Answer:
    """Return what a location answers; `outer` are the levels of its virtual server."""
    block = levels[-1].directives
    if any(SCRIPTED.fullmatch(each.name) for each in block):
        return UNKNOWN
    # Where no location fits, the levels are the server's own, which ran before.
    if len(levels) > len(outer) and (rewritten := _rewritten(block, values, levels)):
        return rewritten
    if internal := next((each for each in block if each.name == "internal"), None):
        return Answer("refused", internal)
    if denied := next((each for each in effective(levels, "deny") if each.args == ("all",)), None):
        return UNKNOWN if effective(levels, "allow") or _sent_elsewhere("403", levels) else Answer("refused", denied)
    if handler := next((each for each in block if each.name in HANDLERS), None):
        return Answer("content", handler)
    tried = next((each for each in block if each.name == "try_files" and each.args), None)
    if tried and tried.args[-1].startswith("@"):
        named = next(
            (each for each in outer[-1].directives if each.name == "location" and each.args == tried.args[-1:]), None
        )
        fallback = _rewritten(named.block or (), values, (*outer, Level(named.block or ()))) if named else UNKNOWN
        return UNKNOWN if fallback else Answer("content", tried)
    return Answer("content", tried or next(iter(effective(levels, "root")), None))


class Proxied(msgspec.Struct, frozen=True):
    """One `proxy_pass` of a virtual server."""

    directive: Directive
    levels: Levels
    """What holds for it, its own level last."""
    paths: tuple[str, ...]
    """Of the locations around it."""


def proxied(levels: Levels, paths: tuple[str, ...] = ()) -> Iterator[Proxied]:
    """Yield every `proxy_pass` of a virtual server, given its levels."""
    for each in levels[-1].directives:
        if each.name == "proxy_pass" and each.args:
            yield Proxied(each, levels, paths)
        elif each.name in ("location", "if", "limit_except"):
            within = (*paths, modified(each)[1]) if each.name == "location" and each.args else paths
            yield from proxied((*levels, Level(each.block or ())), within)
