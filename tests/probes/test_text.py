"""Bodies as text: charsets, codings that nobody asked for, titles."""

import gzip
import time
import zlib

import pytest
from padlock.network.http import Response
from padlock.network.limits import BODY_BYTES
from padlock.probes.text import decoded, title


def page(body: bytes, *headers: tuple[str, str]) -> Response:
    """Return a response with this body."""
    return Response(200, headers, body)


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        ("Grüße".encode(), "text/html"),
        ("Grüße".encode("latin-1"), "text/html; charset=ISO-8859-1"),
        ("Grüße".encode("cp1252"), 'text/html; charset="windows-1252"'),
        ("Grüße".encode("utf-16"), "text/html; charset=utf-16"),
        (b'<meta charset="latin-1">' + "Grüße".encode("latin-1"), "text/html"),
    ],
)
def test_the_charset_is_the_declared_one(body: bytes, content_type: str) -> None:
    """The header comes first, then a meta element, then UTF-8."""
    assert decoded(page(body, ("content-type", content_type))).endswith("Grüße")


@pytest.mark.parametrize("charset", ["punycode", "idna", "unicode_escape", "utf-7", "zip", "no-such", "x" * 99])
def test_python_s_other_codecs_are_not_used(charset: str) -> None:
    """Some take quadratic time, some are no charsets; UTF-8 with replacement stands in."""
    began = time.perf_counter()
    seen = decoded(page(b"\xff" + b"a-" * 200_000, ("content-type", f"text/html; charset={charset}")))
    assert seen.startswith("\ufffda-")
    assert time.perf_counter() - began < 1


def test_gzip_is_undone() -> None:
    """Some servers compress whatever was asked."""
    assert decoded(page(gzip.compress(b"hello"), ("content-encoding", "gzip"))) == "hello"
    assert decoded(page(zlib.compress(b"hello"), ("content-encoding", "deflate"))) == "hello"


def test_a_gzip_bomb_is_undone_up_to_the_cap() -> None:
    """A hundred megabytes in a hundred kilobytes yields one."""
    bomb = gzip.compress(b"\0" * 100_000_000, 1)
    assert len(decoded(page(bomb, ("content-encoding", "gzip")))) == BODY_BYTES


@pytest.mark.parametrize(
    "headers",
    [
        (("content-encoding", "br"),),
        (("content-encoding", "zstd"),),
        (("content-encoding", "gzip, gzip"),),
        (("content-encoding", "gzip"), ("content-encoding", "gzip")),
        (("content-encoding", "gzip"),),
    ],
)
def test_an_unknown_or_broken_coding_is_no_text(headers: tuple[tuple[str, str], ...]) -> None:
    """What cannot be undone is not shown as text."""
    assert decoded(page(b"\x01\x02\x03", *headers)) == ""


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<title>Shop</title>", "Shop"),
        ("<TITLE lang=en>\n Shop &amp;\n Co </TITLE>", "Shop & Co"),
        ("<html><body>none", ""),
        ("<title>cut off", "cut off"),
        ("<title></title>", ""),
        ("x" * 70_000 + "<title>too late</title>", ""),
    ],
)
def test_a_title_is_found_near_the_beginning(html: str, expected: str) -> None:
    """White space collapsed, references resolved."""
    assert title(html) == expected


@pytest.mark.parametrize("soup", ["<title" * 20_000, "<title " + "a" * 100_000, "<title>" + "&" * 100_000])
def test_tag_soup_costs_little(soup: str) -> None:
    """Hostile pages are searched in bounded time, and titles are short."""
    began = time.perf_counter()
    assert len(title(soup)) <= 300
    assert time.perf_counter() - began < 0.5


@pytest.mark.parametrize(
    ("body", "charset", "expected"),
    [
        (b"Gr\x8f\xfc\xdfe", "windows-1252", "Gr\N{REPLACEMENT CHARACTER}üße"),
        ("Grüße".encode("koi8-r", "replace"), "koi8-r", "Gr??e"),
        ("Grüße".encode("utf-16-be"), "utf-16be", "Grüße"),
        (b"\xfe\xff" + "Grüße".encode("utf-16-be"), "utf-16le", "Grüße"),
        ("Grüße".encode("utf-16-le"), "utf-16", "Grüße"),
        (b"\xff\xfeG\0\0\xd8r\0", "utf-16", "G\N{REPLACEMENT CHARACTER}r"),
        (b"G\0r\0\xfc", "utf-16le", "Gr\N{REPLACEMENT CHARACTER}"),
    ],
)
def test_what_is_no_character_is_replaced(body: bytes, charset: str, expected: str) -> None:
    """The rest is read as it is declared; a mark of the order of octets is stronger."""
    assert decoded(page(body, ("content-type", f"text/html; charset={charset}"))) == expected


@pytest.mark.parametrize("charset", ["windows-1252", "iso-8859-8", "koi8-u", "utf-16", "utf-16be", "utf-8", "gbk"])
@pytest.mark.parametrize("octets", [b"\x8f", b"\xa1", b"\x00\xd8", b"\xd8", b"\xff"])
def test_a_body_of_no_characters_costs_little(charset: str, octets: bytes) -> None:
    """Python's decoders ask for each wrong octet what to do with it."""
    whole = page(octets * (BODY_BYTES // len(octets)), ("content-type", f"text/html; charset={charset}"))
    began = time.process_time()
    decoded(whole)
    assert time.process_time() - began < 0.15
