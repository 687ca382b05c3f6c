"""Pages that mean harm: floods, bombs and soups."""

import asyncio
import base64
import functools
import gzip
from collections.abc import Callable

from padlock.network.limits import BODY_BYTES

from tests.hostile.behaviour import Behaviour, Outcome
from tests.hostile.internet import ZONE
from tests.hostile.seeing import answered, exchange, failed, page, read
from tests.hostile.serving import HTML, front, secure, shop
from tests.hostile.soup import SOUPS, filled
from tests.servers import Request, forever, pages, redirect, reply

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n"
REFERENCE = "<script src=http://a.example/></script>"
SHEET = "url(http:x "
SHEETS = 5
IMAGES = 10
QUICK_SOUPS = ("misnested", "long-base", "entities", "doubling-script", "open-url")
BROTLI = base64.b64decode(
    b"z///fwAkAOKxQHLv//n//w+ABEAcFoDu/T////8BkACIwwLQvf/n//8/ABIAcVgAuvf//P//B0ACIA4LQPf+n////wBIAMRh"
    b"Aeje//P//x8ACYA4LADd+3/+//8DIAEQhwWge//P//9/ACQA4rAAdO//+f//D4AEQBwWgO79P////wGQAIjDAtC9/+f//z8A"
    b"EgBxWAC69//8//8HQAIgDgtA9/6f////AEgAxGEB6N7/8///HwAJgDgsAN37//z//wcgARCHBaB7/w8="
)
"""256 MB of zeros, by node's zlib.brotliCompressSync(Buffer.alloc(1 << 28)) of quality 5 and a window of 24 bits."""


@functools.cache
def gzip_bomb() -> bytes:
    """Return 100 MB of zeros in 100 KB."""
    return gzip.compress(bytes(100_000_000))


def zstd_bomb() -> bytes:
    """Return a gigabyte of zeros: blocks of 128 KB of one octet repeated (RFC 8878 section 3.1.1.2)."""

    def block(last: int) -> bytes:
        return (131_072 << 3 | 1 << 1 | last).to_bytes(3, "little") + b"\0"

    return b"\x28\xb5\x2f\xfd\x00\x38" + block(0) * 7_628 + block(1)


def coded(coding: str, body: Callable[[], bytes]) -> Behaviour:
    """Return a site whose front page is a bomb."""

    def page(request: Request) -> bytes:
        bomb = ("Content-Encoding", coding)
        return reply(200, body(), HTML, bomb) if request.path == "/" else shop(request)

    kept = 16_384 if coding == "gzip" else 0
    return Behaviour(f"{coding}-bomb", "gzip/br/zstd bomb → bounded", secure(pages(page)), f"200, {kept} kept", _kept)


def _kept(outcome: Outcome) -> str:
    seen = exchange(outcome)
    return f"{answered()(outcome)}, {len(seen.body.encode())} kept"


def sheets(request: Request) -> bytes:
    """Answer with a page of stylesheets, and each of these with a megabyte that costs its reader the most."""
    if request.path.endswith(".css"):
        return reply(200, filled(SHEET), ("Content-Type", "text/css"))
    links = "".join(f"<link rel=stylesheet href=/{number}.css>" for number in range(SHEETS))
    return reply(200, f"<!doctype html><title>Shop</title>{links}", HTML) if request.path == "/" else shop(request)


def _image(answer: bytes) -> Callable[[Request], bytes]:
    """Return a site whose page has ten images, each of which is answered so."""

    def answers(request: Request) -> bytes:
        images = "".join(f"<img src=/{number}.png>" for number in range(IMAGES))
        whole = reply(200, f"<!doctype html><title>Shop</title>{images}", HTML)
        return whole if request.path == "/" else answer if request.path.endswith(".png") else shop(request)

    return answers


async def dripping(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Serve the page at once, and its images an octet at a time."""
    asked = await reader.readuntil(b"\r\n\r\n")
    if b".png" not in asked:
        path = asked.split(b" ")[1].decode("latin-1")
        writer.write(_image(b"")(Request("", path, {}, "https")))
        await writer.drain()
        return
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.5)


def _files(outcome: Outcome) -> str:
    """Say how many files of the page were asked for, and how that failed."""
    files = page(outcome).assets
    failures = {failed(each.failure) for each in files if each.failure}
    loaded = sum(each.failure is None for each in files)
    return f"{len(files)} files, {loaded} loaded, {', '.join(sorted(failures))}"


def _many(part: str) -> str:
    """Say what is expected of a page of references over plain HTTP, of which the beginning is read."""
    return f"read, truncated, {BODY_BYTES // len(part)} counted, 50 kept"


FLOODS = (
    Behaviour(
        "fifty-megabytes",
        "50 MB HTML → bounded",
        front(reply(200, "<!doctype html><title>Shop</title>" + "<p>Welcome to the shop\n" * 2_300_000, HTML)),
        "read, truncated",
        read,
    ),
    Behaviour(
        "no-characters",
        "every remote behaviour → one bounded observation within the deadline",
        front(reply(200, b"\x8f" * 999_000, ("Content-Type", "text/html; charset=windows-1252"))),
        "read, whole",
        read,
    ),
    Behaviour(
        "millions-of-references",
        "millions of http:// references → count plus the first 50",
        secure(forever(HEAD + b"\r\n", REFERENCE.encode() * 2_000)),
        _many(REFERENCE),
        read,
    ),
    Behaviour(
        "images-internal",
        "redirect to an internal host → nothing is sent there",
        secure(pages(_image(redirect(f"https://internal.{ZONE}/")))),
        f"{IMAGES} files, 0 loaded, not_vetted",
        _files,
    ),
    Behaviour(
        "images-dripped",
        "dripped bodies that take longer together than a site's 30 s → the deadline is kept",
        secure(dripping),
        f"{IMAGES} files, 0 loaded, deadline",
        _files,
        slow=True,
    ),
    Behaviour(
        "stylesheets",
        "quadratic tag soup → bounded time and memory",
        secure(pages(sheets)),
        f"read, whole, {BODY_BYTES // len(SHEET) * SHEETS} counted, 50 kept",
        read,
    ),
)
BOMBS = (coded("gzip", gzip_bomb), coded("br", lambda: BROTLI), coded("zstd", zstd_bomb))
SOUP = tuple(
    Behaviour(
        f"soup-{name}",
        "deep nesting, quadratic tag soup → bounded time and memory",
        front(reply(200, text, HTML)),
        "read, whole",
        read,
        slow=name not in QUICK_SOUPS,
    )
    for name, text in SOUPS.items()
)

BEHAVIOURS: tuple[Behaviour, ...] = (*FLOODS, *BOMBS, *SOUP)
