"""Connections pinned to a vetted address, in clear or over TLS, every step within its time.

The socket is non-blocking and TLS runs over memory buffers, so that what the peer sent is at hand when it breaks
TLS: a banner, an alert, a certificate request.
"""

import asyncio
import errno
import ipaddress
import socket
import ssl
import time
from collections.abc import Callable, Sequence

import msgspec

from padlock.network import limits
from padlock.network.addresses import is_runtime_api, refusal
from padlock.network.failure import NetworkFailure
from padlock.network.patience import Patience
from padlock.network.tls import Offer, asks_for_certificate, context, failure_of

_CHUNK = 65_536
_NO_ROUTE = {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}
_FORBIDDEN_HERE = {errno.EPERM, errno.EACCES}
"""What a packet filter on this machine answers."""
_PROBE_ADDRESS = {4: "192.0.2.1", 6: "2001:db8::1"}


class Session(msgspec.Struct, frozen=True):
    """What a TLS handshake agreed on, or how far it came."""

    protocol: str
    """TLSv1.3 and so on; empty where it failed before."""
    cipher: str
    alpn: str
    chain: tuple[bytes, ...]
    """Certificates as sent, DER, the leaf first; all of them."""
    seconds: float
    asks_for_certificate: bool = False
    """A client certificate was asked for, as far as that could be seen."""


class Connection:
    """One open TCP connection. Close it in a `finally`."""

    def __init__(self, sock: socket.socket, address: str, port: int, seconds: float) -> None:
        self.address = address
        self.port = port
        self.connect_seconds = seconds
        self.session: Session | None = None
        """Set once a handshake was tried, also where it failed."""
        self._socket = sock
        self._loop = asyncio.get_running_loop()
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls: ssl.SSLObject | None = None
        self._flight = bytearray()

    def close(self) -> None:
        """Close at once, without a farewell; what only an open connection needs is let go."""
        self._socket.close()
        self._tls = None
        self._flight = bytearray()

    async def start_tls(self, server_name: str, offer: Offer | ssl.SSLContext = "main") -> Session:
        """Shake hands; an empty name sends no SNI. NetworkFailure says why it did not work."""
        made = offer if isinstance(offer, ssl.SSLContext) else context(offer)
        self._tls = made.wrap_bio(self._incoming, self._outgoing, server_hostname=server_name or None)
        began = time.perf_counter()
        try:
            async with Patience(limits.TLS_SECONDS):
                await self._shake_hands(self._tls)
        except TimeoutError:
            raise NetworkFailure("timeout", "tls") from None
        except ssl.SSLError as error:
            raise failure_of(error, bytes(self._flight)) from error
        finally:
            self.session = self._describe(self._tls, time.perf_counter() - began)
        return self.session

    async def read(self, phase: str) -> bytes:
        """Return some octets, none at the end. A peer that leaves without close_notify has ended, too."""
        if self._tls is None:
            return await self._receive(phase)
        while True:
            try:
                return self._tls.read(_CHUNK)
            except ssl.SSLWantReadError:
                await self._flush(phase)
                await self._fill(phase)
            except ssl.SSLEOFError:
                return b""
            except ssl.SSLError as error:
                raise failure_of(error, b"") from error

    async def write(self, data: bytes, phase: str) -> None:
        """Send everything."""
        if self._tls is None:
            await self._send(data, phase)
            return
        try:
            self._tls.write(data)
        except ssl.SSLError as error:
            raise failure_of(error, b"") from error
        await self._flush(phase)

    async def _shake_hands(self, tls: ssl.SSLObject) -> None:
        while True:
            try:
                tls.do_handshake()
            except ssl.SSLWantReadError:
                await self._flush("tls")
                await self._fill("tls")
            else:
                await self._flush("tls")
                return

    def _describe(self, tls: ssl.SSLObject, seconds: float) -> Session:
        cipher = tls.cipher()
        return Session(
            protocol=(tls.version() or "") if cipher else "",
            cipher=cipher[0] if cipher else "",
            alpn=tls.selected_alpn_protocol() or "",
            chain=tuple(tls.get_unverified_chain()),
            seconds=seconds,
            asks_for_certificate=asks_for_certificate(bytes(self._flight)),
        )

    async def _fill(self, phase: str) -> None:
        """Feed TLS with what arrives."""
        data = await self._receive(phase)
        if not data:
            self._incoming.write_eof()
            return
        if phase == "tls" and len(self._flight) < limits.HANDSHAKE_BYTES:
            self._flight += data
        self._incoming.write(data)

    async def _flush(self, phase: str) -> None:
        data = self._outgoing.read()
        if data:
            await self._send(data, phase)

    async def _receive(self, phase: str) -> bytes:
        try:
            return await _received(self._loop, self._socket)
        except ConnectionResetError:
            raise NetworkFailure("reset", phase) from None
        except OSError as error:
            raise NetworkFailure("unreachable", f"{phase}: {error.strerror or error}") from error

    async def _send(self, data: bytes, phase: str) -> None:
        try:
            if (sent := _sent(self._socket, data)) < len(data):
                await self._loop.sock_sendall(self._socket, data[sent:])
        except (BrokenPipeError, ConnectionResetError):
            raise NetworkFailure("reset", phase) from None
        except OSError as error:
            raise NetworkFailure("unreachable", f"{phase}: {error.strerror or error}") from error


async def connect(address: str, port: int, allowed: Sequence[str] = ()) -> Connection:
    """Open a connection to exactly this address; NetworkFailure where it may not be or does not work."""
    block = refusal(address, allowed) or ("Lambda's runtime API" if is_runtime_api(address, port) else "")
    if block:
        raise NetworkFailure("not_vetted", block)
    try:
        sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
    except OSError as error:
        raise _of_connect(error, address) from error
    began = time.perf_counter()
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        async with Patience(limits.CONNECT_SECONDS):
            await _connected(asyncio.get_running_loop(), sock, (address, port))
        _assert_peer(sock, address, port)
    except TimeoutError:
        sock.close()
        raise NetworkFailure("timeout", "connect") from None
    except OSError as error:
        sock.close()
        raise _of_connect(error, address) from error
    except BaseException:
        sock.close()
        raise
    return Connection(sock, address, port, time.perf_counter() - began)


async def _connected(loop: asyncio.AbstractEventLoop, sock: socket.socket, place: tuple[str, int]) -> None:
    """Do what the loop's sock_connect does, which resolves and checks what is resolved and checked already."""
    try:
        sock.connect(place)
    except (BlockingIOError, InterruptedError):
        pass  # it is under way
    else:
        return
    await _ready(sock, loop.add_writer, loop.remove_writer)
    if code := sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
        raise OSError(code, f"Connect call failed {place}")


async def _received(loop: asyncio.AbstractEventLoop, sock: socket.socket) -> bytes:
    """Return some octets, none at the end; give way to others in any case.

    The loop's sock_recv does not while octets are waiting: a fast peer would keep the loop, and with it every
    deadline, to itself.
    """
    data = _waiting(sock)
    if data is not None:
        await asyncio.sleep(0)
        return data
    while data is None:
        await _ready(sock, loop.add_reader, loop.remove_reader)
        data = _waiting(sock)
    return data


def _sent(sock: socket.socket, data: bytes) -> int:
    """Send what can be sent at once, and return how many octets that are."""
    try:
        return sock.send(data)
    except (BlockingIOError, InterruptedError):
        return 0


def _waiting(sock: socket.socket) -> bytes | None:
    """Return octets that have come, none at the end; None where nothing has come yet."""
    try:
        return sock.recv(_CHUNK)
    except (BlockingIOError, InterruptedError):
        return None


async def _ready(sock: socket.socket, watch: Callable[..., None], ignore: Callable[[int], bool]) -> None:
    """Wait until a socket can be read, or written to."""
    descriptor = sock.fileno()
    ready = asyncio.get_running_loop().create_future()
    watch(descriptor, _note, ready)
    try:
        await ready
    finally:
        ignore(descriptor)


def _note(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)


def has_route(version: int) -> bool:
    """Whether this machine has any route for addresses of this IP version. Nothing is sent."""
    try:
        with socket.socket(socket.AF_INET6 if version == 6 else socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect((_PROBE_ADDRESS[version], 443))
    except OSError:
        return False
    return True


def _assert_peer(sock: socket.socket, address: str, port: int) -> None:
    """Make sure that the kernel connected to what was vetted, and nowhere else."""
    peer, peer_port = sock.getpeername()[:2]
    is_same = peer == address or ipaddress.ip_address(peer) == ipaddress.ip_address(address)
    if not is_same or peer_port != port:
        raise NetworkFailure("not_vetted", f"connected to {peer} port {peer_port}")


def _of_connect(error: OSError, address: str) -> NetworkFailure:
    if isinstance(error, ConnectionRefusedError):
        return NetworkFailure("refused")
    if isinstance(error, ConnectionResetError):
        return NetworkFailure("reset", "connect")
    if error.errno == errno.ETIMEDOUT:
        return NetworkFailure("timeout", "connect")
    if error.errno in {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}:
        return NetworkFailure("internal", error.strerror or str(error))
    if error.errno in _FORBIDDEN_HERE:
        return NetworkFailure("no_route", error.strerror or str(error))
    if error.errno in _NO_ROUTE and not has_route(6 if ":" in address else 4):
        return NetworkFailure("no_route", error.strerror or str(error))
    return NetworkFailure("unreachable", error.strerror or str(error))
