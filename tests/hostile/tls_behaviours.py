"""Servers whose TLS breaks, stalls or floods (RFC 8446, RFC 5246)."""

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import AsyncIterator

from cryptography.hazmat.primitives.asymmetric import rsa

from tests import old_tls
from tests.hostile.behaviour import Behaviour, Outcome, Place
from tests.hostile.certificate_behaviours import CERTIFICATES
from tests.hostile.chains import Leaf, behind, in_place_of_tls
from tests.hostile.groups import large_group
from tests.hostile.serving import Serve, certified, to_https
from tests.hostile.shaken import beside, shaken
from tests.lab.odd_servers import demand_certificates
from tests.servers import Script, closes, listen, pages, resets, silence

EMPTY_RECORD = b"\x16\x03\x01\0\0"


def sends_after_hello(*parts: bytes, pause: float = 0.0) -> Script:
    """Return a server that takes a ClientHello for a reason to send these octets, and then waits."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(4096)
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(pause)
        await reader.read(-1)

    return serve


def alerting(number: int) -> Serve:
    """Return a site that answers every ClientHello with one alert."""
    return in_place_of_tls(lambda _: sends_after_hello(old_tls.alert(0x0303, number)))


def demanding(version: ssl.TLSVersion, *, old: bool = False) -> Serve:
    """Return a site that takes nobody without a client certificate, and may speak obsolete versions too."""

    @contextlib.asynccontextmanager
    async def serve(place: Place) -> AsyncIterator[None]:
        context = Leaf(place, [place.host], key=rsa.generate_private_key(65537, 2048)).context(version=version)
        if old:
            context.set_ciphers("DEFAULT:@SECLEVEL=0")
            context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=place.pki.pem)
        async with listen(pages(to_https), place.address, 80):
            with socket.create_server((place.address, 443)) as listener:
                thread = threading.Thread(target=_until_closed, args=(listener, context), daemon=True)
                thread.start()
                yield
                listener.shutdown(socket.SHUT_RDWR)
            thread.join(5)

    return serve


def _until_closed(listener: socket.socket, context: ssl.SSLContext) -> None:
    with contextlib.suppress(OSError):
        demand_certificates(listener, context)


def only(version: int) -> Serve:
    """Return a site that speaks one version, which no OpenSSL here has to know, up to its first flight."""

    def script(place: Place) -> Script:
        key = rsa.generate_private_key(65537, 2048)
        certificate = Leaf(place, [place.host], key=key).der

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(EOFError):  # whoever greets it in clear is not answered
                await old_tls.serve(reader, writer, version, certificate)

        return serve

    return in_place_of_tls(script)


def _obsolete(place: Place) -> ssl.SSLContext:
    context = Leaf(place, [place.host], key=rsa.generate_private_key(65537, 2048)).context()
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.options |= ssl.OP_NO_TLSv1_2 | ssl.OP_NO_TLSv1_3
    return context


def _tickets(place: Place) -> ssl.SSLContext:
    context = certified(place)
    context.num_tickets = 1000
    return context


def _old(outcome: Outcome) -> str:
    assert outcome.evidence.tls
    return ", ".join(offer.version for offer in outcome.evidence.tls.obsolete if offer.accepted)


def _refusals(outcome: Outcome) -> str:
    assert outcome.evidence.tls
    return ", ".join(sorted({offer.detail for offer in outcome.evidence.tls.obsolete}))


BROKEN = (
    Behaviour(
        "tls-silence",
        "accept then silence → timeout(tls)",
        in_place_of_tls(lambda _: silence),
        "timeout(tls), confirmed, tls.handshake_failed (error)",
        shaken,
    ),
    Behaviour(
        "tls-reset",
        "reset in the handshake → reset(tls), confirmed once",
        in_place_of_tls(lambda _: resets),
        "reset(tls), confirmed, tls.handshake_failed (error)",
        shaken,
    ),
    Behaviour(
        "tls-closed",
        "reset in the handshake → reset(tls), confirmed once",
        in_place_of_tls(lambda _: closes),
        "closed(tls), confirmed, tls.handshake_failed (error)",
        shaken,
    ),
    Behaviour(
        "tls-dripped",
        "accept then silence → timeout(tls)",
        in_place_of_tls(
            lambda _: sends_after_hello(*[b"\x16", b"\x03", b"\x03", b"\x40", b"\0", *[b"\x02"] * 200], pause=0.3)
        ),
        "timeout(tls), confirmed, tls.handshake_failed (error)",
        shaken,
        slow=True,
    ),
    Behaviour(
        "tls-alert",
        "TLS alert → its name",
        alerting(112),
        "alert(unrecognized_name), confirmed, tls.handshake_failed (error)",
        shaken,
    ),
    Behaviour(
        "tls-alert-without-name",
        "TLS alert → its name",
        alerting(200),
        "alert(alert 200), confirmed, tls.handshake_failed (error)",
        shaken,
    ),
    Behaviour(
        "tls-empty-records",
        "every remote behaviour → one bounded observation within the deadline",
        in_place_of_tls(lambda _: sends_after_hello(EMPTY_RECORD * 13_000, *[EMPTY_RECORD[:1]] * 500, pause=0.01)),
        "tls, confirmed, tls.handshake_failed (error); a flight without end",
        beside(_refusals),
    ),
    Behaviour(
        "tls-large-group",
        "every remote behaviour → one bounded observation within the deadline",
        large_group(10_000),
        "tls, confirmed, tls.handshake_failed (error)",
        shaken,
    ),
    Behaviour(
        "tls-tickets",
        "every remote behaviour → one bounded observation within the deadline",
        behind(_tickets),
        "200",
        shaken,
    ),
)
VERSIONS = (
    Behaviour(
        "tls-client-certificate",
        "client certificate demanded → notice",
        demanding(ssl.TLSVersion.TLSv1_3),
        "None, tls.client_certificate_required",
        shaken,
    ),
    Behaviour(
        "tls12-client-certificate",
        "client certificate demanded → notice",
        demanding(ssl.TLSVersion.TLSv1_2),
        "alert(handshake_failure), confirmed, tls.client_certificate_required",
        shaken,
    ),
    Behaviour(
        "tls10-client-certificate",
        "client certificate demanded → notice",
        demanding(ssl.TLSVersion.TLSv1_2, old=True),
        "alert(handshake_failure), confirmed, tls.client_certificate_required, tls.obsolete_protocol (warning)",
        shaken,
    ),
    Behaviour(
        "tls11-only",
        'TLS ≤ 1.1 only → obsolete, not "down"',
        behind(_obsolete),
        "200, tls.obsolete_protocol (error); TLSv1, TLSv1.1",
        beside(_old),
    ),
    Behaviour(
        "tls10-only",
        'TLS ≤ 1.1 only → obsolete, not "down"',
        only(0x0301),
        "closed(tls), confirmed, tls.obsolete_protocol (error); TLSv1",
        beside(_old),
    ),
    Behaviour(
        "ssl3-only",
        'TLS ≤ 1.1 only → obsolete, not "down"',
        only(0x0300),
        "tls, confirmed, tls.obsolete_protocol (error); SSLv3",
        beside(_old),
    ),
)
BEHAVIOURS: tuple[Behaviour, ...] = (*BROKEN, *VERSIONS, *CERTIFICATES)
