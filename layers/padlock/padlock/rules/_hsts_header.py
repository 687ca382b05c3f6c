"""The grammar of Strict-Transport-Security (RFC 6797 section 6.1)."""

import re

import msgspec


class Policy(msgspec.Struct, frozen=True):
    """A valid header's meaning."""

    max_age: int
    """Seconds; 0 makes browsers forget the host."""
    include_subdomains: bool
    preload: bool
    """Not of the RFC: consent to browsers' preload lists."""


class InvalidPolicy(ValueError):
    """A header that browsers ignore; the message says why."""


_TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"  # noqa: S105 — RFC 9110 section 5.6.2, no secret
_QUOTED = r'"(?P<quoted>(?:[^"\\]|\\.)*)"'
_VALUE = rf"=[ \t]*(?:(?P<token>{_TOKEN})|{_QUOTED})[ \t]*"
_DIRECTIVE = re.compile(rf"[ \t]*(?:(?P<name>{_TOKEN})[ \t]*(?:{_VALUE})?)?(?:;|\Z)")


def parse(value: str) -> Policy:
    """Return a header's policy. Names in any case and order, values quoted or not, unknown directives ignored."""
    directives = _directives(value)
    max_age = directives.get("max-age")
    if max_age is None:
        raise InvalidPolicy("max-age is missing" if "max-age" not in directives else "max-age has no value")
    if not re.fullmatch("[0-9]+", max_age):
        raise InvalidPolicy("max-age is not a number of seconds")
    if directives.get("includesubdomains") is not None:
        raise InvalidPolicy("includeSubDomains has a value")
    return Policy(int(max_age), "includesubdomains" in directives, "preload" in directives)


def _directives(value: str) -> dict[str, str | None]:
    """Return name in lower case → value, None where it has none."""
    found: dict[str, str | None] = {}
    position = 0
    while position < len(value):
        match = _DIRECTIVE.match(value, position)
        if not match:
            raise InvalidPolicy("it breaks the grammar of the header")
        position = match.end()
        if match["name"] is None:  # the grammar allows empty directives
            continue
        name = match["name"].lower()
        if name in found:
            raise InvalidPolicy(f"the directive {name} is given twice")
        quoted = match["quoted"]
        found[name] = match["token"] if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
    return found
