"""Ports and TLS of one address (checklist steps 3, 8 and 10): what visitors meet, and every certificate they may see.

A failure is looked at again once nothing else is open there. Looks beside the main one learn what it cannot: whether
h2 is spoken (the HTTP client speaks only HTTP/1.1), the other certificate of a server with both an RSA and an ECDSA
one, and whether browsers, which offer less than OpenSSL does, find anything there.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial as bound
from typing import Literal

import msgspec

from padlock.evidence import Handshake, PortState
from padlock.network import leaf_hello, limits
from padlock.network.connection import Connection, Session
from padlock.network.failure import NetworkFailure, banner
from padlock.network.leaves import Kind, shake_hands
from padlock.network.patience import Patience
from padlock.network.tls import TLS_RECORDS
from padlock.probes.ari import ask_renewal_information
from padlock.probes.browsers import ask_as_browser, in_doubt
from padlock.probes.certificates import digest, parse
from padlock.probes.issuers import download
from padlock.probes.revocation import ask_issuers
from padlock.probes.run import CUT_OFF, Run, failure_of
from padlock.probes.trust import verify_completing

_MAY_BE_PLAIN = ("timeout", "closed", "reset")
"""How a server without TLS may take a ClientHello."""
_MAIN_LOOK_SECONDS = 1.0
"""Waited for a main look that is under way when the looks beside it are over."""
_KEYS: Mapping[Kind, tuple[str, ...]] = {"rsa": ("rsa",), "ecdsa": ("ec", "ed25519", "ed448")}
"""Keys of the certificates of each kind."""


@asynccontextmanager
async def reach(run: Run, host: str, address: str, scheme: Literal["http", "https"]) -> AsyncIterator[Connection]:
    """Open what a visitor's browser opens, looking twice before it counts as broken; NetworkFailure if it is."""
    port = run.port(scheme)
    seen = PortState(host, address, port, scheme)
    run.ports.setdefault((host, address, port), msgspec.structs.replace(seen, failure=CUT_OFF))
    failure = NetworkFailure("internal")
    for again in (False, True):
        visit = run.connection(host, address, port, again=again)
        try:
            try:
                connection = await visit.open()
            except NetworkFailure as error:
                failure = error
                run.record_port(msgspec.structs.replace(seen, failure=failure_of(failure)))
                if failure_of(failure).is_ours:
                    break
                continue
            run.record_port(msgspec.structs.replace(seen, connect_seconds=round(connection.connect_seconds, 4)))
            try:
                if scheme == "https":
                    await _shake(run, connection, host)
            except NetworkFailure as error:
                failure = error
                continue
            if scheme == "https" and in_doubt(run, host, address):
                run.spawn(ask_as_browser(run, host, address))
            yield connection
            return
        finally:
            visit.close()
    if scheme == "https" and failure.kind in _MAY_BE_PLAIN and failure.detail != "connect":
        failure = await _explained(run, host, address, failure)
    raise failure


def without_name(run: Run, host: str, connection: Connection, failure: NetworkFailure | None = None) -> None:
    """Keep a handshake without SNI, which shows the server's default certificate, or how it was refused."""
    run.record_handshake(_handshake(run, connection, host, "", failure))


async def main_look(run: Run, host: str, address: str) -> Handshake | None:
    """Return the main look at an address once it is over, well or not; None where that takes too long."""
    key = host, address, run.port("https"), host
    under_way = key not in run.handshakes or run.handshakes[key].failure == CUT_OFF
    answer = run.announced(run.url("https", host, "/"), address)
    if under_way and answer:
        await asyncio.wait([answer], timeout=_MAIN_LOOK_SECONDS)
    look = run.handshakes.get(key)
    return look if look and look.failure != CUT_OFF else None


async def other_certificates(run: Run, host: str, address: str) -> None:
    """Look at the RSA and the ECDSA certificate, of which most servers have one, and learn whether h2 is spoken."""
    seen = await asyncio.gather(*(_over_tls_1_2(run, host, address, kind) for kind in _KEYS))
    if any(seen) or not run.is_open(host, address, "https"):
        return
    # Neither came over TLS 1.2: what there is comes over TLS 1.3, and so does what it keeps for others.
    look = bound(_beside, run, host, address)
    with_h2 = bound(Connection.start_tls, server_name=host, offer="h2")
    main = await main_look(run, host, address)
    if main and not main.failure and main.chain and main.protocol == "TLSv1.3":
        other = _other_kind(run, main.chain[0])
        await asyncio.gather(look(with_h2), look(bound(shake_hands, server_name=host, kind=other)))
        return
    session = await look(with_h2)
    if session and session.chain and session.protocol == "TLSv1.3":
        await look(bound(shake_hands, server_name=host, kind=_other_kind(run, digest(session.chain[0]))))


def _other_kind(run: Run, leaf: str) -> Kind:
    """Return the kind of certificate that this one, by its digest, is not."""
    return "ecdsa" if run.certificates[leaf].key == "rsa" else "rsa"


async def _over_tls_1_2(run: Run, host: str, address: str, kind: Kind) -> Session | None:
    """Look at the certificate of one kind: by a server's first flight, and where in doubt by a whole handshake."""
    try:
        async with run.connection(host, address, run.port("https")) as connection:
            session = await leaf_hello.look(connection, host, kind)
    except NetworkFailure:
        return None
    main = await main_look(run, host, address)
    if session and main and not main.failure and _is_usual(run, session.chain, kind):
        _keep(run, host, connection, session)
        return session
    return await _beside(run, host, address, bound(Connection.start_tls, server_name=host, offer=kind))


def _is_usual(run: Run, chain: tuple[bytes, ...], kind: Kind) -> bool:
    """Whether OpenSSL takes a chain for one of this kind beyond doubt: its reader of certificates is another one."""
    if len(chain) > limits.CERTIFICATES:
        return False
    read = [run.certificates.get(digest(der)) or parse(der) for der in chain]
    return read[0].key in _KEYS[kind] and not any(certificate.malformed for certificate in read)


def also_seen(run: Run, host: str, connection: Connection) -> None:
    """Keep a handshake beside the main one, should it show another leaf."""
    run.more_handshakes.append(_handshake(run, connection, host, host))


async def _beside(
    run: Run, host: str, address: str, shake: Callable[[Connection], Awaitable[Session]]
) -> Session | None:
    """Try one handshake beside the main one; that a server has nothing for it is no observation."""
    try:
        async with run.connection(host, address, run.port("https")) as connection:
            session = await shake(connection)
            _keep(run, host, connection, session)
    except NetworkFailure:
        return None
    return session


def _keep(run: Run, host: str, connection: Connection, session: Session) -> None:
    """Keep a look beside the main one, and what it says of h2."""
    also_seen(run, host, connection)
    place = host, connection.address, connection.port
    run.alpn[place] = "h2" if "h2" in (session.alpn, run.alpn.get(place)) else "http/1.1"


async def _shake(run: Run, connection: Connection, host: str) -> None:
    """Shake hands as browsers do, and record it either way."""
    key = host, connection.address, connection.port, host
    run.handshakes.setdefault(key, Handshake(host, connection.address, connection.port, host, failure=CUT_OFF))
    try:
        await connection.start_tls(host)
    except NetworkFailure as failure:
        run.record_handshake(_handshake(run, connection, host, host, failure))
        raise
    run.record_handshake(_handshake(run, connection, host, host))


def _handshake(
    run: Run, connection: Connection, host: str, sni: str, failure: NetworkFailure | None = None
) -> Handshake:
    session = connection.session or Session("", "", "", (), 0.0)
    return Handshake(
        host,
        connection.address,
        connection.port,
        sni,
        failure=failure_of(failure) if failure else None,
        protocol=session.protocol,
        cipher=session.cipher,
        chain=_observed(run, session.chain),
        chain_truncated=len(session.chain) > limits.CERTIFICATES,
        # To ask is common and harmless; where the handshake then fails it was a demand.
        client_certificate=failure is not None and session.asks_for_certificate,
        seconds=round(session.seconds, 4),
    )


def _observed(run: Run, chain: tuple[bytes, ...]) -> tuple[str, ...]:
    """Keep certificates, have their chain verified once, and return their digests."""
    digests = tuple(digest(der) for der in chain[: limits.CERTIFICATES])
    for key, der in zip(digests, chain, strict=False):
        if key not in run.certificates:
            run.certificates[key] = parse(der)
    if digests and digests not in run.verifications:
        run.verifications[digests] = None
        run.spawn(_verify(run, digests, chain))
    return digests


async def _verify(run: Run, digests: tuple[str, ...], chain: tuple[bytes, ...]) -> None:
    look = await verify_completing(chain, run.trusted, lambda url: download(run, url))
    run.verifications[digests] = msgspec.structs.replace(look, chain=digests)
    if look.status in ("trusted", "incomplete"):
        run.spawn(ask_renewal_information(run, run.certificates[digests[0]]))
        await ask_issuers(run, chain, look)


async def _explained(run: Run, host: str, address: str, failure: NetworkFailure) -> NetworkFailure:
    """Return the failure as not_tls, and record it so, where the port answers to plain HTTP or greets by itself."""
    octets = await _greeting(run, host, address)
    key = host, address, run.port("https"), host
    if not octets or octets[0] in TLS_RECORDS or key not in run.handshakes:
        return failure
    named = NetworkFailure("not_tls", banner(octets))
    run.record_handshake(msgspec.structs.replace(run.handshakes[key], failure=failure_of(named)))
    return named


async def _greeting(run: Run, host: str, address: str) -> bytes:
    port = run.port("https")
    try:
        async with Patience(limits.BANNER_SECONDS), run.connection(host, address, port) as connection:
            await connection.write(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode(), "banner")
            return (await connection.read("banner"))[: limits.BANNER_BYTES]
    except (NetworkFailure, TimeoutError):
        return b""
