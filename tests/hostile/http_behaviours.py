"""Servers that break, stall or flood HTTP (RFC 9112), as raw octets."""

import asyncio

from tests.hostile.behaviour import Behaviour, Outcome
from tests.hostile.seeing import answered, exchange, failed
from tests.hostile.serving import SHOP, everywhere, front, in_clear, in_plain, secure
from tests.servers import Script, forever, pages, reply, sends

OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
CHUNK = b"ffff\r\n" + b"x" * 65_535 + b"\r\n"
MANY = b"".join(b"X-%d: " % n + b"y" * 65_000 + b"\r\n" for n in range(99))
COOKIES = (
    b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n"
    + b"".join(b"Set-Cookie: c%d=v; Expires=" % n + b"1 " * 2_000 + b"\r\n" for n in range(70))
    + b"\r\n"
)
SSH = b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n"


def gigabyte(head: bytes, part: bytes) -> Script:
    """Return a server that sends a head and then a gigabyte."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not await reader.read(65_536):
            return
        writer.write(head)
        for _ in range(1_000_000_000 // len(part)):
            writer.write(part)
            await writer.drain()

    return serve


async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Speak HTTP, and answer a TLS record as nginx does, without waiting for the end of a head."""
    asked = await reader.read(65_536)
    if asked:
        writer.write(SHOP if asked[:1].isalpha() else reply(400, "Bad Request", ("Connection", "close")))
        await writer.drain()


def _named(outcome: Outcome) -> str:
    """Say what the handshake met on port 443, and what is told of it."""
    assert outcome.evidence.tls
    failures = [look.failure for look in outcome.evidence.tls.named() if look.failure]
    return f"{failed(failures[0])}: {_errors(outcome)}" if failures else "a handshake"


def _errors(outcome: Outcome) -> str:
    return ", ".join(sorted({each.code for each in outcome.report.findings if each.severity == "error"}))


def _kept(outcome: Outcome) -> str:
    """Say how much is kept of the headers of any answer."""
    assert outcome.evidence.http
    sizes = [sum(len(n) + len(v) for n, v in each.headers) for each in outcome.evidence.http.exchanges]
    return f"{answered()(outcome)}, {'at most 16 KB' if max(sizes) <= 16_384 else max(sizes)}"


def _no_cookie(outcome: Outcome) -> str:
    """Say which headers were believed of a head with a bare CR in it."""
    seen = exchange(outcome)
    made = [name for name, _ in seen.headers if name in ("set-cookie", "strict-transport-security")]
    return f"{failed(seen.failure) if seen.failure else seen.status}, {len(made)} fabricated"


TIMES = (
    Behaviour(
        "slow-headers",
        "slow headers → timeout(headers)",
        secure(sends(*[b"H", b"T", b"T", b"P"] * 50, pause=0.5)),
        "timeout(headers)",
        answered(),
        slow=True,
    ),
    Behaviour(
        "slow-headers-in-clear",
        "slow headers → timeout(headers)",
        in_clear(sends(OK, *[b"X: y\r\n"] * 100, pause=0.5)),
        "timeout(headers)",
        answered("http"),
        slow=True,
    ),
    Behaviour(
        "slow-everywhere",
        "slow headers → timeout(headers)",
        everywhere(sends(OK, *[b"X: y\r\n"] * 100, pause=0.5)),
        "timeout(headers)",
        answered(),
        slow=True,
    ),
    Behaviour(
        "silent",
        "slow headers → timeout(headers)",
        secure(sends(hold=True)),
        "timeout(headers)",
        answered(),
        slow=True,
    ),
    Behaviour(
        "dripped-body",
        "dripped body → timeout(body), status kept",
        secure(forever(OK + b"Content-Length: 999999\r\n\r\n", b"x", 0.3)),
        "200 timeout(body)",
        answered(),
        slow=True,
    ),
    Behaviour(
        "dripped-chunks",
        "dripped body → timeout(body), status kept",
        secure(forever(CHUNKED, b"1\r\nx\r\n", 0.3)),
        "200 timeout(body)",
        answered(),
        slow=True,
    ),
    Behaviour(
        "dripped-informational",
        "endless 1xx → timeout, cap 10",
        secure(forever(b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0.9)),
        "timeout(headers)",
        answered(),
        slow=True,
    ),
    Behaviour(
        "endless-informational",
        "endless 1xx → cap 10",
        secure(forever(b"", b"HTTP/1.1 102 Processing\r\nX: y\r\n\r\n")),
        "protocol_error",
        answered(),
    ),
    Behaviour(
        "dripped-trailers",
        "endless trailers → timeout",
        secure(forever(CHUNKED + b"0\r\n", b"T: x\r\n", 0.3)),
        "200 timeout(body)",
        answered(),
        slow=True,
    ),
    Behaviour(
        "endless-trailers",
        "endless trailers → bounded",
        secure(forever(CHUNKED + b"0\r\n", b"T: " + b"x" * 1000 + b"\r\n")),
        "200 protocol_error",
        answered(),
    ),
    Behaviour(
        "one-octet-chunks",
        "dripped body → bounded",
        secure(forever(CHUNKED, b"1\r\nx\r\n" * 1000)),
        "200 truncated",
        answered(),
    ),
)

SIZES = (
    Behaviour(
        "gigabyte",
        "1 GB body → truncated, no failure",
        secure(gigabyte(OK + b"Content-Length: 1000000000\r\n\r\n", b"x" * 65_536)),
        "200 truncated",
        answered(),
    ),
    Behaviour(
        "gigabyte-chunked",
        "1 GB body → truncated, no failure",
        secure(gigabyte(CHUNKED, CHUNK)),
        "200 truncated",
        answered(),
    ),
    Behaviour(
        "gigabyte-in-clear",
        "1 GB body → truncated, no failure",
        in_clear(gigabyte(OK + b"\r\n", b"x" * 65_536)),
        "200 truncated",
        answered("http"),
    ),
    Behaviour(
        "many-headers",
        "99 headers of 65 KB → protocol_error",
        secure(sends(b"HTTP/1.1 200 OK\r\n" + MANY + b"Content-Length: 0\r\n\r\n")),
        "200 protocol_error",
        answered(),
    ),
    Behaviour(
        "short-headers",
        "55,000 headers of 5 octets → bounded",
        secure(sends(OK + b"A:b\r\n" * 55_000 + b"Content-Length: 0\r\n\r\n")),
        "200 protocol_error",
        answered(),
    ),
    Behaviour(
        "spaces",
        "headers 300 KB → bounded",
        secure(sends(OK + b"X: a" + (b" " * 4_095 + b"a") * 70 + b"\r\nContent-Length: 0\r\n\r\n")),
        "200",
        answered(),
    ),
    Behaviour(
        "trailing-spaces",
        "headers 300 KB → bounded",
        secure(sends(OK + (b"X: a" + b" " * 3_900 + b"\r\n") * 70 + b"Content-Length: 0\r\n\r\n")),
        "200",
        answered(),
    ),
    Behaviour(
        "large-headers",
        "headers 300 KB → 16 KB kept",
        secure(pages(lambda _: reply(200, "", *[(f"X-{n}", "y" * 2_800) for n in range(100)]))),
        "200, at most 16 KB",
        _kept,
    ),
    Behaviour(
        "many-cookies",
        "headers 300 KB → bounded",
        secure(sends(COOKIES)),
        "302 redirect.loop",
        lambda outcome: f"{answered()(outcome)} {_errors(outcome)}",
    ),
    Behaviour(
        "endless-head-line",
        "headers 300 KB → protocol_error",
        secure(forever(OK + b"X: ", b"y" * 65_536)),
        "200 protocol_error",
        answered(),
    ),
)


BROKEN = (
    Behaviour(
        "early-hints",
        "103 then 200 → 200",
        front(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n" + SHOP),
        "200",
        answered(),
    ),
    Behaviour(
        "answers-without-end",
        "every remote behaviour → one bounded observation within the deadline",
        secure(forever(SHOP, SHOP * 1_000)),
        "200",
        answered(),
    ),
    Behaviour(
        "second-answer-dripped",
        "every remote behaviour → one bounded observation within the deadline",
        secure(sends(SHOP, b"HTTP/1.1 200 OK\r\n", *[b"X: y\r\n"] * 50, pause=0.3)),
        "200",
        answered(),
    ),
    Behaviour(
        "status-999",
        "status 999 → shown verbatim",
        secure(pages(lambda _: reply(999, "denied"))),
        "999",
        answered(),
    ),
    Behaviour(
        "bad-status-line",
        "bad status line → protocol_error",
        everywhere(sends(b"ICY two hundred OK\r\n\r\n")),
        "protocol_error",
        answered(),
    ),
    Behaviour(
        "bad-status",
        "bad status line → protocol_error",
        secure(sends(b"HTTP/1.1 2O0 OK\r\n\r\n")),
        "protocol_error",
        answered(),
    ),
    Behaviour(
        "ssh-in-clear",
        "SSH banner → protocol_error",
        in_clear(sends(SSH, read=False, hold=True)),
        "protocol_error",
        answered("http"),
    ),
    Behaviour(
        "ssh-in-tls",
        "SSH banner → protocol_error",
        secure(sends(SSH, read=False, hold=True)),
        "protocol_error",
        answered(),
    ),
    Behaviour(
        "two-lengths",
        "conflicting Content-Length → protocol_error",
        secure(sends(OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab")),
        "200 protocol_error",
        answered(),
    ),
    Behaviour(
        "length-and-chunks",
        "CL with TE → protocol_error",
        secure(sends(OK + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")),
        "200 protocol_error",
        answered(),
    ),
    Behaviour(
        "bare-cr",
        "bare CR in a header → no fabricated header",
        secure(
            sends(OK + b"X: a\rSet-Cookie: b=c\rStrict-Transport-Security: max-age=1\r\nContent-Length: 0\r\n\r\n")
        ),
        "protocol_error, 0 fabricated",
        _no_cookie,
    ),
    Behaviour(
        "premature-close",
        "premature close → incomplete_body",
        secure(sends(OK + b"Content-Length: 1000\r\n\r\nhello")),
        "200 incomplete_body",
        answered(),
    ),
    Behaviour(
        "premature-close-of-chunks",
        "premature close → incomplete_body",
        secure(sends(CHUNKED + b"5\r\nhello\r\n")),
        "200 incomplete_body",
        answered(),
    ),
    Behaviour(
        "http-on-443",
        "HTTP on 443 → named",
        in_plain(plain),
        "not_tls: port.not_tls",
        _named,
    ),
    Behaviour(
        "tls-on-80",
        "TLS on 80 → named",
        in_clear(sends(b"\x15\x03\x01\0\2\2\x46")),
        "protocol_error(tls record): port.tls_on_http",
        lambda outcome: f"{answered('http')(outcome)}: {_errors(outcome)}",
    ),
    Behaviour(
        "nginx-tls-on-80",
        "TLS on 80 → named",
        in_clear(pages(lambda _: reply(400, "The plain HTTP request was sent to HTTPS port"))),
        "400: port.tls_on_http",
        lambda outcome: f"{answered('http')(outcome)}: {_errors(outcome)}",
    ),
)

BEHAVIOURS: tuple[Behaviour, ...] = (*TIMES, *SIZES, *BROKEN)
