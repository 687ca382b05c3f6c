"""A response's body as text: its charset, its coding undone within the cap, its title."""

import codecs
import functools
import html
import re
import zlib

from padlock.network.http import Response
from padlock.network.limits import BODY_BYTES

_CHARSETS = re.compile(
    r"utf-?8|utf-?16(?:le|be)?|us-ascii|ascii|latin-?1|iso-8859-\d{1,2}|(?:windows-|cp)125\d|koi8-[ru]"
    r"|shift_jis|euc-jp|iso-2022-jp|euc-kr|gb2312|gbk|gb18030|big5",
    re.IGNORECASE,
)
"""Decoders that may meet hostile octets; Python has others that take quadratic time."""
_TABLES = re.compile(r"latin-?1|iso-8859-\d{1,2}|(?:windows-|cp)125\d|koi8-[ru]", re.IGNORECASE)
"""Those of one octet a character."""
_MOST_WRONG = 100
"""Characters of a body in UTF-16 that are none; at the next one it is not read any further."""
_HEAD = 65_536
"""Where a title is looked for."""
_REMEMBERED = 2_048
"""Octets or characters up to which a text is read once in this process: many answers are a server's own few pages."""


def decoded(response: Response) -> str:
    """Return the body as text, with replacement characters where it is none; empty where its coding is not known."""
    declared = ";".join(response.all("content-type")[:1])
    codings = response.all("content-encoding")
    is_short = len(response.body) + len(declared) <= _REMEMBERED and not codings
    return (_decoded if is_short else _decoded.__wrapped__)(response.body, declared, codings)


@functools.lru_cache(maxsize=64)
def _decoded(sent: bytes, declared: str, codings: tuple[str, ...]) -> str:
    body = _uncoded(sent, codings)
    named = re.search(r"charset=[\"']?([\w.:-]{1,40})", declared, re.IGNORECASE)
    meta = re.search(rb"<meta[^>]{0,200}charset=[\"']?([\w.:-]{1,40})", body[:1024], re.IGNORECASE)
    charset = named[1] if named else meta[1].decode("ascii", "replace") if meta else "utf-8"
    try:
        return _text(body, charset.lower()) if _CHARSETS.fullmatch(charset) else body.decode("utf-8", "replace")
    except LookupError:
        return body.decode("utf-8", "replace")


def _text(body: bytes, charset: str) -> str:
    """Return a body as text; in time that what is wrong with it does not multiply, as Python's decoders let it."""
    if _TABLES.fullmatch(charset):
        return codecs.charmap_decode(body, "strict", _table(charset))[0]
    if charset.startswith(("utf-16", "utf16")):
        return _utf_16(body, charset)
    return body.decode(charset, "replace")


@functools.cache
def _table(charset: str) -> str:
    """Return the character of each octet, the replacement character where it has none."""
    return bytes(range(256)).decode(charset, "replace")


def _utf_16(body: bytes, charset: str) -> str:
    # A mark at the beginning is stronger than what is declared, and little-endian is meant where nothing tells.
    big = body.startswith(codecs.BOM_UTF16_BE) or (
        charset.endswith("be") and not body.startswith(codecs.BOM_UTF16_LE)
    )
    codec = "utf-16-be" if big else "utf-16-le"
    text, start = "", 2 if body.startswith((codecs.BOM_UTF16_BE, codecs.BOM_UTF16_LE)) else 0
    for _ in range(_MOST_WRONG):
        try:
            return text + body[start:].decode(codec)
        except UnicodeDecodeError as error:
            text += body[start : start + error.start].decode(codec) + "\N{REPLACEMENT CHARACTER}"
            start += error.end
    return text


def title(text: str) -> str:
    """Return the title of a page, its white space collapsed, at most 300 characters."""
    return (_title if len(text) <= _REMEMBERED else _title.__wrapped__)(text)


@functools.lru_cache(maxsize=64)
def _title(text: str) -> str:
    found = re.search(r"<title\b[^<>]{0,200}>([^<]{0,2000})", text[:_HEAD], re.IGNORECASE)
    return " ".join(html.unescape(found[1]).split())[:300] if found else ""


def _uncoded(body: bytes, declared: tuple[str, ...]) -> bytes:
    """Undo a coding that was sent although none was asked for, up to the cap on bodies."""
    codings = [coding.strip().lower() for value in declared for coding in value.split(",")]
    codings = [coding for coding in codings if coding and coding != "identity"]
    if not codings:
        return body
    if codings not in (["gzip"], ["x-gzip"], ["deflate"]):
        return b""
    try:
        return zlib.decompressobj(wbits=47).decompress(body, BODY_BYTES)
    except zlib.error:
        return b""
