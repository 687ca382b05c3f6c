"""Ways in which hostile sites are served: what misbehaves stands on one port, a healthy twin of it on the other.

A `Script` is what a server does with one connection (tests/servers.py).
"""

import contextlib
import datetime as dt
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.hostile.behaviour import Place
from tests.servers import Request, Script, listen, pages, redirect, reply

type Serve = Callable[[Place], AbstractAsyncContextManager[None]]

HTML = ("Content-Type", "text/html; charset=utf-8")
SHOP = reply(200, "<!doctype html><title>Shop</title><h1>Welcome</h1>", HTML)


def certified(place: Place, *names: str) -> ssl.SSLContext:
    """Return a server's context with a trusted certificate for the place's host, or for these names."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = dt.datetime.now(dt.UTC)
    alternative = x509.SubjectAlternativeName([x509.DNSName(name) for name in names or (place.host,)])
    since, until = now - dt.timedelta(days=20), now + dt.timedelta(days=70)
    leaf = place.pki.sign(x509.Name([]), key, alternative, since=since, until=until)
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file = place.directory / "leaf.pem"
    file.write_bytes(secret + leaf.public_bytes(Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


def to_https(request: Request) -> bytes:
    """Redirect as a healthy site does."""
    return redirect(f"https://{request.host}{request.path}")


def shop(request: Request) -> bytes:
    """Answer as a healthy site does."""
    return SHOP if request.path == "/" else reply(404, "no such page", ("Content-Type", "text/plain"))


def secure(script: Script) -> Serve:
    """Return a site that misbehaves over HTTPS, and redirects there from port 80 as it should."""
    return served(https=script, http=pages(to_https))


def in_clear(script: Script) -> Serve:
    """Return a site that misbehaves on port 80 alone."""
    return served(https=pages(shop), http=script)


def everywhere(script: Script) -> Serve:
    """Return a site that misbehaves on both ports."""
    return served(https=script, http=script)


def in_plain(script: Script) -> Serve:
    """Return a site that speaks no TLS on port 443."""

    @contextlib.asynccontextmanager
    async def serve(place: Place) -> AsyncIterator[None]:
        async with listen(script, place.address, 443), listen(pages(to_https), place.address, 80):
            yield

    return serve


def front(answer: bytes) -> Serve:
    """Return a healthy site but for what it answers to `/` over HTTPS."""
    return secure(pages(lambda request: answer if request.path == "/" else shop(request)))


def served(*, https: Script, http: Script) -> Serve:
    """Return a site with these servers on ports 443 and 80."""

    @contextlib.asynccontextmanager
    async def serve(place: Place) -> AsyncIterator[None]:
        async with listen(https, place.address, 443, certified(place)), listen(http, place.address, 80):
            yield

    return serve
