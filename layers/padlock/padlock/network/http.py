"""HTTP/1.1 as a client that trusts nothing (RFC 9112): GETs, parsed by h11, bounded in time and size.

h11 refuses what request smugglers use (bare CR in a header, conflicting lengths, endless heads); what it does not
refuse and a browser cannot mean is refused here. Several requests may be sent at once (section 9.3.2), which costs
one round trip for all of them; each answer has a parser of its own, as h11 reads only one. An ordinary answer that
came whole needs none.
"""

import asyncio
import functools
import re
import time
from collections.abc import Iterable

import h11
import msgspec

from padlock.network import limits, plain_answer
from padlock.network.connection import Connection
from padlock.network.failure import NetworkFailure, banner
from padlock.network.patience import Patience

USER_AGENT = "Padlock/0.1.0"
_ACCEPT = "text/html,application/xhtml+xml,application/json;q=0.9,*/*;q=0.8"
_TLS_RECORDS = (0x15, 0x16)
_VISIBLE = re.compile(r"[!-~]+")
_FIELD_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_FIELD_VALUE = re.compile(r"(?:[!-~](?:[\t -~]*[!-~])?)?")
_STATUS = re.compile(rb"HTTP/1\.[01] ([2-9]\d\d)[ \r\n]")
_INFORMATIONAL = re.compile(rb"HTTP/1\.[01] 1\d\d[ \r\n].*?\n\r?\n", re.DOTALL)
_GOES_ON = re.compile(rb"HTTP/\d\.\d 1")
"""How a head begins behind which another one stands."""
_END = re.compile(rb"\n\r?\n")
_SPACES = re.compile(rb"(?:[ \t]|\r?\n[ \t])++")
"""A run of them in a head, line folds included: h11 takes time that grows with the square of its length."""
_TOO_MANY_LINES = f"more than {limits.HEADER_LINES:,} lines of headers"
BROKEN_HEAD = "its head breaks HTTP: "
"""Begins the detail of a failure where a head was not accepted, but had a status."""

type Headers = tuple[tuple[str, str], ...]
type Get = tuple[str, str, Headers]
"""Host header, target, and further headers."""

_A_GET = h11.Request(method="GET", target="/", headers=[("Host", "padlock.invalid")])
"""What h11 is told to have been sent: how an answer is read depends on the method alone."""
_END_OF_REQUEST = h11.EndOfMessage()


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
    """The connection can carry another request; nothing came behind the answer."""

    def all(self, name: str) -> tuple[str, ...]:
        """Return every value of a header, in order, by its lower-case name."""
        return tuple([value for key, value in self.headers if key == name])


class _Wire:
    """One answer's way over a connection: octets in, h11 events out."""

    def __init__(self, connection: Connection, received: bytes, began: float) -> None:
        self.began = began
        self.first_byte = 0.0
        self.head = bytearray()
        """What was received until the head was complete, and what came with its last octets."""
        self._connection = connection
        self._received = received or None
        """What was received, and not given to the parser yet."""

    @functools.cached_property
    def parser(self) -> h11.Connection:
        """The answer's parser, made where one is needed."""
        parser = h11.Connection(h11.CLIENT, max_incomplete_event_size=limits.HEADER_BYTES)
        parser.send(_A_GET)
        parser.send(_END_OF_REQUEST)
        return parser

    async def plain(self, most: int) -> plain_answer.PlainAnswer | None:
        """Return the answer where it is an ordinary one and came whole at once, without its events."""
        if self._received is None:
            self._received = await self._connection.read("headers")
        self.first_byte = time.perf_counter() - self.began
        return plain_answer.read(self._received, most)

    async def event(self, phase: str) -> h11.Event | type[h11.PAUSED]:
        """Return the next event; h11.RemoteProtocolError where the peer breaks the protocol."""
        lines = 0
        while True:
            event = self.parser.next_event()
            if event is not h11.NEED_DATA:
                return event  # type: ignore[return-value]  # NEED_DATA is excluded
            if lines > limits.HEADER_LINES:
                raise h11.RemoteProtocolError(_TOO_MANY_LINES)
            data = await self._connection.read(phase) if self._received is None else self._received
            self._received = None
            lines += data.count(b"\n")
            self.first_byte = self.first_byte or time.perf_counter() - self.began
            if phase == "headers":
                self.head += data
                if not data and not self.head:
                    raise NetworkFailure("closed", "headers")
                if _is_foreign(self.head):
                    raise h11.RemoteProtocolError("not HTTP")  # h11 would wait for the end of a head
                if _END.search(self.head, max(0, len(self.head) - len(data) - 2)):
                    _check(self.head)
            self.parser.receive_data(data)

    def raw_head(self) -> bytes:
        """Return what was received up to the end of the head, once that was read."""
        return bytes(memoryview(self.head)[: len(self.head) - len(self.parser.trailing_data[0])])


class Row:
    """Requests that are sent at once over one connection, whose answers are read one after the other."""

    def __init__(self, connection: Connection, requests: Iterable[Get]) -> None:
        self.is_open = True
        """Another answer can be read, or another request be sent."""
        self.received = b""
        """What came behind the last answer."""
        self._connection = connection
        self._unsent = tuple(requests)
        self._began = self._ended = time.perf_counter()

    @property
    def seconds(self) -> float:
        """From the requests to the end of the last answer."""
        return self._ended - self._began

    async def answer(
        self, most: int = limits.BODY_BYTES, turns: asyncio.Semaphore | None = None, beyond: int = 0
    ) -> Response:
        """Return whatever comes back for the next request; never raises for what the peer does.

        Of the body at most `most` octets are kept, and as many as `beyond` more are read so that the next answer can
        be; what is large of it waits for one of these turns. Its time begins where that of the answer before ends.
        """
        if self._unsent:
            self._began = self._ended = time.perf_counter()
        wire = _Wire(self._connection, self.received, self._ended)
        plain = plain_answer.read(self.received, most)
        response = self._taken(wire, plain) if plain else await self._read(wire, most, turns, beyond)
        self._ended = wire.began + response.seconds
        return response

    def _taken(self, wire: _Wire, answer: plain_answer.PlainAnswer) -> Response:
        """Return an answer that came whole."""
        self.received, self.is_open = answer.rest, True
        seconds = time.perf_counter() - wire.began
        return Response(
            answer.status,
            answer.headers,
            answer.body,
            first_byte=wire.first_byte or seconds,
            seconds=seconds,
            reusable=not answer.rest,
        )

    async def _read(self, wire: _Wire, most: int, turns: asyncio.Semaphore | None, beyond: int) -> Response:
        try:
            async with Patience(limits.HEADERS_SECONDS if self._unsent else limits.ROW_SECONDS):
                await self._send()
                if plain := await wire.plain(most):
                    return self._taken(wire, plain)
                head = await _final_head(wire)
            response = await _with_body(wire, head, most, turns, beyond)
        except TimeoutError:
            response = _failed(wire, NetworkFailure("timeout", "headers"))
        except NetworkFailure as failure:
            response = _failed(wire, failure)
        except h11.ProtocolError as error:
            response = _failed(wire, _broken_head(bytes(wire.head), error))
        self.received, ended = wire.parser.trailing_data
        self.is_open = _is_done(wire.parser) and not ended
        return response

    async def _send(self) -> None:
        requests, self._unsent = self._unsent, ()
        if not requests:
            return
        try:
            await self._connection.write(b"".join(_octets(*request) for request in requests), "headers")
        except NetworkFailure as failure:
            # A server may answer and close before it has read the request; its answer still counts.
            if failure.kind != "reset":
                raise


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
    return await Row(connection, [(host, target, headers)]).answer(most, turns)


@functools.lru_cache(maxsize=64)
def _octets(host: str, target: str, extra: Headers) -> bytes:
    """Return one request as it is sent; h11.LocalProtocolError where something in it would end a line."""
    named = {name.lower() for name, _ in extra}
    usual = (("User-Agent", USER_AGENT), ("Accept", _ACCEPT))
    headers = (
        ("Host", host),
        *(header for header in usual if header[0].lower() not in named),
        ("Accept-Encoding", "identity"),
        *extra,
    )
    for name, value in (("Host", host), *extra):
        if not _FIELD_NAME.fullmatch(name) or not _FIELD_VALUE.fullmatch(value):
            raise h11.LocalProtocolError(f"the header {name!r} cannot be sent")
    if not _VISIBLE.fullmatch(target):
        raise h11.LocalProtocolError("the target cannot be sent")
    lines = (f"GET {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers))
    return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")


async def _final_head(wire: _Wire) -> h11.Response:
    """Read past informational responses (RFC 9110 section 15.2) to the one that counts."""
    for _ in range(limits.INFORMATIONAL_RESPONSES + 1):
        event = await wire.event("headers")
        if isinstance(event, h11.Response):
            return event
        if not isinstance(event, h11.InformationalResponse):
            raise NetworkFailure("closed", "headers")
    raise NetworkFailure("protocol_error", f"more than {limits.INFORMATIONAL_RESPONSES} informational responses")


async def _with_body(
    wire: _Wire, head: h11.Response, most: int, turns: asyncio.Semaphore | None, beyond: int
) -> Response:
    headers = _headers(head, wire.raw_head())
    body, truncated, failure = await _body(wire, head, most + beyond, turns)
    truncated = truncated or len(body) > most
    return Response(
        status=head.status_code,
        headers=headers,
        body=body[:most],
        truncated=truncated,
        failure=None if truncated else failure,
        first_byte=wire.first_byte,
        seconds=time.perf_counter() - wire.began,
        reusable=_is_done(wire.parser) and wire.parser.trailing_data == (b"", False),
    )


async def _body(
    wire: _Wire, head: h11.Response, most: int, turns: asyncio.Semaphore | None
) -> tuple[bytes, bool, NetworkFailure | None]:
    """Return the body, whether it was cut at the first piece beyond `most`, and what went wrong."""
    names = {name for name, _ in head.headers}
    if b"content-length" in names and b"transfer-encoding" in names:
        return b"", False, NetworkFailure("protocol_error", "both Content-Length and Transfer-Encoding")
    body = bytearray()
    waits = turns
    try:
        async with Patience(limits.BODY_SECONDS) as time_left:
            for _ in range(limits.BODY_EVENTS):
                event = await wire.event("body")
                if not isinstance(event, h11.Data):
                    return bytes(body), False, None
                body += event.data
                if len(body) > most:
                    break
                if waits and len(body) > limits.BODY_ALONE:
                    with time_left.paused():  # the wait for a turn is no time of the peer's
                        await waits.acquire()
                    waits = None
    except TimeoutError:
        return bytes(body), False, NetworkFailure("timeout", "body")
    except NetworkFailure as failure:
        return bytes(body), False, failure
    except h11.ProtocolError as error:
        ended = wire.parser.trailing_data[1]
        return bytes(body), False, NetworkFailure("incomplete_body" if ended else "protocol_error", str(error))
    finally:
        if turns and not waits:
            turns.release()
    return bytes(body), True, None


def _is_done(parser: h11.Connection) -> bool:
    """Whether an answer came whole, to a server that lets the connection live on."""
    return parser.our_state is h11.DONE and parser.their_state is h11.DONE


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


def _check(received: bytearray) -> None:
    """Refuse what h11 would take long to read, in the head received and in the informational ones before it."""
    at = 0
    for _ in range(limits.INFORMATIONAL_RESPONSES + 2):
        end = _END.search(received, at)
        part = bytes(received[at : end.start() if end else None])
        if len(part) > limits.HEADER_SPACES:
            if part.count(b"\n") > limits.HEADER_LINES:
                raise h11.RemoteProtocolError(_TOO_MANY_LINES)
            if any(len(run[0]) > limits.HEADER_SPACES for run in _SPACES.finditer(part)):
                raise h11.RemoteProtocolError("thousands of spaces in a header")
        if end is None or not _GOES_ON.match(part):
            return
        at = end.end()


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
