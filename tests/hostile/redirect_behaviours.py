"""Redirects that mean harm: circles, forged lines, and ways to where nothing may be sent (RFC 9110 section 15.4)."""

from tests.hostile.behaviour import Behaviour, Outcome
from tests.hostile.internet import INTERNAL, ZONE
from tests.hostile.seeing import chain, exchange, found
from tests.hostile.serving import Serve, secure, shop
from tests.servers import Request, Script, pages, redirect, reply, sends

LOOP = {"/": "/one", "/one": "/two", "/two": "/"}


def leads_to(location: str) -> Serve:
    """Return a site whose front page redirects there."""
    answer = redirect(location, 302)
    return secure(pages(lambda request: answer if request.path == "/" else shop(request)))


def head(location: bytes) -> Script:
    """Return a server whose redirect has a Location of these octets."""
    return sends(b"HTTP/1.1 301 Moved\r\nServer: x\r\nLocation: " + location + b"\r\nContent-Length: 0\r\n\r\n")


def ended(outcome: Outcome) -> str:
    """Say how the front page's redirects end, and which code says so."""
    codes = found("redirect.")(outcome)
    return f"{chain(outcome).end}: {codes or 'nothing found'}"


def _not_reached(outcome: Outcome) -> str:
    """Say how the redirects end, and whether anything was exchanged with what they lead to."""
    assert outcome.evidence.http
    asked = {each.address for each in outcome.evidence.http.exchanges}
    touched = sorted(asked & {address for label, address in INTERNAL.items() if label != "elsewhere"})
    return f"{ended(outcome)}{''.join(f', asked {address}' for address in touched)}"


def _shown(outcome: Outcome) -> str:
    hops = [each.url.rpartition("/")[2] or "/" for each in chain(outcome).hops]
    return f"{chain(outcome).end}: {' '.join(hops)} {found('redirect.')(outcome)}"


def _escaped(outcome: Outcome) -> str:
    """Say how a Location with a control character ends, and whether it is shown in one line."""
    location = exchange(outcome).header("location") or ""
    texts = [location, chain(outcome).final_url, *(each.observed for each in outcome.report.findings)]
    return f"{ended(outcome)}{'' if all(text.isprintable() for text in texts) else ', not escaped'}"


def _endless(request: Request) -> bytes:
    return redirect(f"{request.path.rstrip('/')}/{len(request.path)}")


def _growing(request: Request) -> bytes:
    return redirect(f"{request.path}x{'y' * 900}")


_REFUSED: tuple[tuple[str, str], ...] = (
    ("internal", f"http://internal.{ZONE}/"),
    ("metadata-name", f"http://metadata.{ZONE}/latest/meta-data/iam/security-credentials/"),
    ("loopback-name", f"http://loopback.{ZONE}/2018-06-01/runtime/invocation/next"),
    ("mapped-name", f"http://mapped.{ZONE}/"),
    ("metadata", "http://169.254.169.254/latest/meta-data/"),
    ("mapped", "http://[::ffff:a9fe:a9fe]/"),
    ("nat64", "http://[64:ff9b::a9fe:a9fe]/"),
    ("decimal", "http://2852039166/"),
    ("hexadecimal", "http://0xa9fea9fe/"),
    ("localhost", "http://localhost/"),
    ("local", "http://printer.local/"),
    ("runtime", "http://127.0.0.1:9001/"),
    ("ssh-port", f"https://elsewhere.{ZONE}:22/"),
    ("ftp", f"ftp://elsewhere.{ZONE}/"),
    ("file", "file:///proc/self/environ"),
    ("gopher", f"gopher://elsewhere.{ZONE}:6379/_FLUSHALL"),
    ("credentials", f"https://admin:secret@elsewhere.{ZONE}/"),
)

REFUSED = tuple(
    Behaviour(
        f"redirect-{name}",
        "redirect to an internal host, port 22, ftp → redirect.refused",
        leads_to(location),
        "refused: redirect.refused",
        _not_reached,
    )
    for name, location in _REFUSED
)

MALFORMED = tuple(
    Behaviour(
        f"redirect-{name}",
        "CR, LF or NUL in Location → redirect.malformed",
        secure(head(location)),
        "malformed: redirect.malformed",
        _escaped,
    )
    for name, location in (
        ("cr", b"https://shop.test/\rSet-Cookie: a=b"),
        ("lf", b"https://shop.test/\nSet-Cookie: a=b"),
        ("nul", b"https://shop.test/\0.evil.test/"),
        ("escape", b"https://shop.test/\x1b]0;owned\x07"),
    )
)

ENDLESS = (
    Behaviour(
        "redirect-loop",
        "redirect loop → the chain shown",
        secure(pages(lambda request: redirect(LOOP.get(request.path, "/")))),
        "loop: / one two redirect.loop",
        _shown,
    ),
    Behaviour(
        "redirect-endless",
        "10 redirects → named",
        secure(pages(_endless)),
        "too_long: redirect.too_long",
        ended,
    ),
    Behaviour(
        "redirect-growing",
        "10 redirects → named",
        secure(pages(_growing)),
        "malformed: redirect.malformed",
        ended,
    ),
    Behaviour(
        "redirect-long",
        "redirects → bounded",
        secure(pages(lambda _: redirect("/" + "x" * 250_000))),
        "malformed: redirect.malformed",
        ended,
    ),
)

IGNORED = (
    Behaviour(
        "refresh",
        "Refresh, Alt-Svc → ignored",
        secure(
            pages(
                lambda _: reply(
                    200,
                    f"<meta http-equiv=refresh content='0; url=http://internal.{ZONE}/'>",
                    ("Content-Type", "text/html"),
                    ("Refresh", f"0; url=http://internal.{ZONE}/"),
                    ("Alt-Svc", 'h2="10.1.2.3:443"; ma=86400'),
                )
            )
        ),
        "answer: nothing found",
        _not_reached,
    ),
)

BEHAVIOURS: tuple[Behaviour, ...] = (*ENDLESS, *MALFORMED, *REFUSED, *IGNORED)
