"""A response's body as text: its charset, its coding undone within the cap, its title."""

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
_HEAD = 65_536
"""Where a title is looked for."""


def decoded(response: Response) -> str:
    """Return the body as text, with replacement characters where it is none; empty where its coding is not known."""
    body = _uncoded(response)
    declared = ";".join(response.all("content-type")[:1])
    named = re.search(r"charset=[\"']?([\w.:-]{1,40})", declared, re.IGNORECASE)
    meta = re.search(rb"<meta[^>]{0,200}charset=[\"']?([\w.:-]{1,40})", body[:1024], re.IGNORECASE)
    charset = named[1] if named else meta[1].decode("ascii", "replace") if meta else "utf-8"
    try:
        return body.decode(charset if _CHARSETS.fullmatch(charset) else "utf-8", "replace")
    except LookupError:
        return body.decode("utf-8", "replace")


def title(text: str) -> str:
    """Return the title of a page, its white space collapsed, at most 300 characters."""
    found = re.search(r"<title\b[^<>]{0,200}>([^<]{0,2000})", text[:_HEAD], re.IGNORECASE)
    return " ".join(html.unescape(found[1]).split())[:300] if found else ""


def _uncoded(response: Response) -> bytes:
    """Undo a coding that was sent although none was asked for, up to the cap on bodies."""
    codings = [coding.strip().lower() for value in response.all("content-encoding") for coding in value.split(",")]
    codings = [coding for coding in codings if coding and coding != "identity"]
    if not codings:
        return response.body
    if codings not in (["gzip"], ["x-gzip"], ["deflate"]):
        return b""
    try:
        return zlib.decompressobj(wbits=47).decompress(response.body, BODY_BYTES)
    except zlib.error:
        return b""
