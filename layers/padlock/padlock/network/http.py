"""HTTP/1.1 as a client that trusts nothing (RFC 9112): one GET, parsed by h11, bounded in time and size.

h11 refuses what request smugglers use (bare CR in a header, conflicting lengths, endless heads); what it does not
refuse and a browser cannot mean is refused here.
"""

import asyncio
import contextlib
import re
import time

import h11
import msgspec

from padlock.network import limits
from padlock.network.connection import Connection
from padlock.network.failure import NetworkFailure, banner
from padlock.network.patience import Patience

USER_AGENT = "Padlock/0.1.0"
_ACCEPT = "text/html,application/xhtml+xml,application/json;q=0.9,*/*;q=0.8"
_TLS_RECORDS = (0x15, 0x16)
_STATUS = re.compile(rb"HTTP/1\.[01] ([2-9]\d\d)[ \r\n]")
_INFORMATIONAL = re.compile(rb"HTTP/1\.[01] 1\d\d[ \r\n].*?\n\r?\n", re.DOTALL)
_END = re.compile(rb"\n\r?\n")
_SPACES = re.compile(rb"(?:[ \t]|\r?\n[ \t])++")
"""A run of them in a head, line folds included: h11 takes time that grows with the square of its length."""
_TOO_MANY_LINES = f"more than {limits.HEADER_LINES:,} lines of headers"
BROKEN_HEAD = "its head breaks HTTP: "
"""Begins the detail of a failure where a head was not accepted, but had a status."""

type Headers = tuple[tuple[str, str], ...]


class Response(msgspec.Struct, frozen=True):
    """What came back for one request, as far as it came."""

    status: int | None = None
    headers: Headers = ()
    """Names in lower case; values as sent, control characters included."""
    body: bytes = b""
    """As sent, bounded, content codings not undone."""
    truncated: bool = False
    """The body was longer."""
    failure: NetworkFailure | None = None
    first_byte: float = 0.0
    """Seconds from the request to the first octet; 0 where none came."""
    seconds: float = 0.0
    """From the request to the end."""
    reusable: bool = False
    """The connection can carry another request."""

    def all(self, name: str) -> tuple[str, ...]:
        """Return every value of a header, in order, by its lower-case name."""
        return tuple(value for key, value in self.headers if key == name)


class _Wire:
    """One request's way over a connection: octets in, h11 events out."""

    def __init__(self, connection: Connection) -> None:
        self.parser = h11.Connection(h11.CLIENT, max_incomplete_event_size=limits.HEADER_BYTES)
        self.began = time.perf_counter()
        self.first_byte = 0.0
        self.head = bytearray()
        """What was received until the head was complete."""
        self._connection = connection

    async def send(self, host: str, target: str, headers: Headers) -> None:
        request = h11.Request(method="GET", target=target, headers=_request_headers(host, headers))
        data = (self.parser.send(request) or b"") + (self.parser.send(h11.EndOfMessage()) or b"")
        try:
            await self._connection.write(data, "headers")
        except NetworkFailure as failure:
            # A server may answer and close before it has read the request; its answer still counts.
            if failure.kind != "reset":
                raise

    async def event(self, phase: str) -> h11.Event | type[h11.PAUSED]:
        """Return the next event; h11.RemoteProtocolError where the peer breaks the protocol."""
        lines = 0
        while True:
            event = self.parser.next_event()
            if event is not h11.NEED_DATA:
                return event  # type: ignore[return-value]  # NEED_DATA is excluded
            if lines > limits.HEADER_LINES:
                raise h11.RemoteProtocolError(_TOO_MANY_LINES)
            data = await self._connection.read(phase)
            lines += data.count(b"\n")
            self.first_byte = self.first_byte or time.perf_counter() - self.began
            if phase == "headers":
                self.head += data
                if not data and not self.head:
                    raise NetworkFailure("closed", "headers")
                if _is_foreign(self.head):
                    raise h11.RemoteProtocolError("not HTTP")  # h11 would wait for the end of a head
                if _END.search(self.head, max(0, len(self.head) - len(data) - 2)):
                    _check(bytes(self.head))
            self.parser.receive_data(data)


async def get(
    connection: Connection,
    host: str,
    target: str,
    headers: Headers = (),
    most: int = limits.BODY_BYTES,
    turns: asyncio.Semaphore | None = None,
) -> Response:
    """Ask for one path and return whatever came back; never raises for what the peer does.

    Of the body at most `most` octets are read; what is large of it waits for one of these turns.
    """
    wire = _Wire(connection)
    try:
        async with Patience(limits.HEADERS_SECONDS):
            await wire.send(host, target, headers)
            head = await _final_head(wire)
    except TimeoutError:
        return _failed(wire, NetworkFailure("timeout", "headers"))
    except NetworkFailure as failure:
        return _failed(wire, failure)
    except h11.ProtocolError as error:
        return _failed(wire, _broken_head(bytes(wire.head), error))
    body, truncated, failure_of_body = await _body(wire, head, most, turns)
    return Response(
        status=head.status_code,
        headers=_headers(head, bytes(wire.head)),
        body=body,
        truncated=truncated,
        failure=failure_of_body,
        first_byte=wire.first_byte,
        seconds=time.perf_counter() - wire.began,
        reusable=failure_of_body is None and not truncated and _is_reusable(wire.parser),
    )


def _request_headers(host: str, extra: Headers) -> list[tuple[str, str]]:
    named = {name.lower() for name, _ in extra}
    usual = (("User-Agent", USER_AGENT), ("Accept", _ACCEPT))
    return [
        ("Host", host),
        *(header for header in usual if header[0].lower() not in named),
        ("Accept-Encoding", "identity"),
        *extra,
    ]


async def _final_head(wire: _Wire) -> h11.Response:
    """Read past informational responses (RFC 9110 section 15.2) to the one that counts."""
    for _ in range(limits.INFORMATIONAL_RESPONSES + 1):
        event = await wire.event("headers")
        if isinstance(event, h11.Response):
            return event
        if not isinstance(event, h11.InformationalResponse):
            raise NetworkFailure("closed", "headers")
    raise NetworkFailure("protocol_error", f"more than {limits.INFORMATIONAL_RESPONSES} informational responses")


async def _body(
    wire: _Wire, head: h11.Response, most: int, turns: asyncio.Semaphore | None
) -> tuple[bytes, bool, NetworkFailure | None]:
    """Return the body, whether it was cut at the cap, and what went wrong."""
    names = {name for name, _ in head.headers}
    if b"content-length" in names and b"transfer-encoding" in names:
        return b"", False, NetworkFailure("protocol_error", "both Content-Length and Transfer-Encoding")
    body = bytearray()
    waits = turns
    try:
        async with contextlib.AsyncExitStack() as turn, Patience(limits.BODY_SECONDS) as time_left:
            for _ in range(limits.BODY_EVENTS):
                event = await wire.event("body")
                if not isinstance(event, h11.Data):
                    return bytes(body), False, None
                body += event.data
                if len(body) > most:
                    break
                if waits and len(body) > limits.BODY_ALONE:
                    with time_left.paused():  # the wait for a turn is no time of the peer's
                        await turn.enter_async_context(waits)
                    waits = None
    except TimeoutError:
        return bytes(body), False, NetworkFailure("timeout", "body")
    except NetworkFailure as failure:
        return bytes(body), False, failure
    except h11.ProtocolError as error:
        ended = wire.parser.trailing_data[1]
        return bytes(body), False, NetworkFailure("incomplete_body" if ended else "protocol_error", str(error))
    return bytes(memoryview(body)[:most]), True, None


def _is_reusable(parser: h11.Connection) -> bool:
    return parser.our_state is h11.DONE and parser.their_state is h11.DONE and parser.trailing_data == (b"", False)


def _failed(wire: _Wire, failure: NetworkFailure) -> Response:
    """Return what can be told of a head that never was: its status and headers, for a finding that shows them."""
    raw = _final(bytes(wire.head[:65536]))
    status = _STATUS.match(raw) if failure.kind == "protocol_error" else None
    head = re.split(rb"\n\r?\n", raw, maxsplit=1)[0]
    fields = re.findall(rb"(?m)^([\w!#$%&'*+.^`|~-]++):([^\n]{0,4096}+)$", head) if status else []
    return Response(
        status=int(status[1]) if status else None,
        headers=tuple(
            (name.lower().decode("ascii"), _text(value.removesuffix(b"\r").strip(b" \t")))
            for name, value in fields[: limits.HEADER_LINES]
        ),
        failure=failure,
        first_byte=wire.first_byte,
        seconds=time.perf_counter() - wire.began,
    )


def _is_foreign(head: bytearray) -> bool:
    """Whether what was received can be no answer, whatever follows: a banner of another protocol, a TLS record."""
    if b"HTTP/".startswith(head[:5]):
        return False
    return head[0] in _TLS_RECORDS or len(head) >= limits.BANNER_BYTES or b"\n" in head


def _check(received: bytes) -> None:
    """Refuse what h11 would take long to read, in any of the heads received, informational ones included."""
    for part in _END.split(received, maxsplit=limits.INFORMATIONAL_RESPONSES + 1):
        if not part.startswith(b"HTTP/") or len(part) <= limits.HEADER_SPACES:
            continue
        if part.count(b"\n") > limits.HEADER_LINES:
            raise h11.RemoteProtocolError(_TOO_MANY_LINES)
        if any(len(run[0]) > limits.HEADER_SPACES for run in _SPACES.finditer(part)):
            raise h11.RemoteProtocolError("thousands of spaces in a header")


def _final(raw: bytes) -> bytes:
    """Return what stands behind the informational responses."""
    at = 0
    for _ in range(limits.INFORMATIONAL_RESPONSES):
        before = _INFORMATIONAL.match(raw, at)
        if before is None:
            break
        at = before.end()
    return raw[at:]


def _broken_head(raw: bytes, error: h11.ProtocolError) -> NetworkFailure:
    if raw and raw[0] in _TLS_RECORDS:
        return NetworkFailure("protocol_error", f"tls record: {raw[:16].decode('latin-1')}")
    if not raw.startswith(b"HTTP/"):
        return NetworkFailure("protocol_error", f"not HTTP: {banner(raw)}")
    raw = _final(raw)
    why = "a NUL octet" if b"\0" in re.split(rb"\n\r?\n", raw, maxsplit=1)[0] else str(error)
    return NetworkFailure("protocol_error", (BROKEN_HEAD if _STATUS.match(raw) else "") + why)


def _headers(head: h11.Response, raw: bytes) -> Headers:
    """Return the headers as text; a Location whose line ends in a bare LF among CRLF ones keeps that LF.

    Such a line is what a header injection leaves: h11 reads the rest as a header of its own, as browsers do.
    """
    split = b"\r\n" in raw and re.search(rb"(?im)^location:[^\r\n]*\n", raw) is not None
    return tuple(
        (name.decode("ascii"), _text(value) + ("\n" if split and name == b"location" else ""))
        for name, value in head.headers
    )


def _text(value: bytes) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("latin-1")
