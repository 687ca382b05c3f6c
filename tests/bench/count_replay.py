"""Everything that an audit talks to, played from recorded octets by real sockets on loopback, without a thread.

Name servers, the site's HTTP and HTTPS, registry and authority, and DynamoDB. TLS is spoken live, as its octets
cannot be recorded. What was not recorded is asked of `Upstream`, where there is one, and otherwise noted in
`unknown`: the audit then asks for something new, and has to be recorded anew.
"""

import re
import selectors
import socket
import ssl
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from typing import Literal

import msgspec

from tests.bench import count_site as site

type Kind = Literal["http", "https", "services", "dynamodb"]
type Upstream = Callable[[str, bytes], bytes]
"""(key of an answer, what was asked) → what is answered."""

_PORTS: Mapping[Kind, int] = {
    "http": site.HTTP,
    "https": site.HTTPS,
    "services": site.SERVICES,
    "dynamodb": site.AMAZON,
}
_ROLES = {site.RESOLVER: "resolver", **dict.fromkeys(site.PUBLIC, "public")}
_CHUNK = 65_536
_TYPES = {1: "A", 2: "NS", 5: "CNAME", 6: "SOA", 15: "MX", 16: "TXT", 28: "AAAA", 257: "CAA"}
_RANDOM = (
    (re.compile(r"padlock-[0-9a-f]+"), "padlock-*"),
    (re.compile(r"(/\.well-known/acme-challenge/)[\w-]{43}"), r"\1*"),
)
"""What differs from run to run."""
_REFUSED = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\n\r\n{}"
"""What is not asked for again, as a closed connection is."""
_WRITES = ("PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems", "BatchWriteItem")


class Unplayable(Exception):
    """An audit cannot be played; the text says why, and what to do."""


class _Asked(msgspec.Struct, rename="pascal"):
    """What is read of a request to DynamoDB; the rest would count as memory of the audit's."""

    key: dict[str, dict[str, str]] = {}
    transact_items: tuple[msgspec.Raw, ...] = (msgspec.Raw(),)


class Wire(msgspec.Struct):
    """What one scenario's servers answer; octets as text, one character each."""

    dns: dict[str, str] = {}
    """`server name type` → message."""
    http: dict[str, str] = {}
    """`scheme host path` → response; of DynamoDB `dynamodb operation item number`."""


class Tally(msgspec.Struct):
    """What the servers saw; octets as the audit sent and received them, DynamoDB's apart.

    Those of TLS are what is within it: each build of OpenSSL has another hello.
    """

    counts: Counter[str] = msgspec.field(default_factory=Counter)
    unknown: list[str] = []
    """Keys of what was not recorded."""


class Replay:
    """The servers of one network of addresses; call `work_off` until it has nothing more to do."""

    def __init__(self, network: int, contexts: Mapping[str, ssl.SSLContext]) -> None:
        self.network = network
        self.tally = Tally()
        self.wire = Wire()
        self.upstream: Upstream | None = None
        self._contexts = contexts
        self._secured: dict[str, ssl.SSLContext] = {"services": contexts["service"]}
        self._asked: Counter[str] = Counter()
        self._selector = selectors.EpollSelector()
        self._open: list[socket.socket] = []
        try:
            self._listen()
        except OSError:
            self.close()
            raise

    def begin(self, wire: Wire, certificate: str) -> None:
        """Begin a run: with these answers, this certificate of the site, and nothing counted."""
        self.wire, self.tally, self._asked = wire, Tally(), Counter()
        self._secured["https"] = self._contexts[certificate]

    def close(self) -> None:
        """Close every socket."""
        self._selector.close()
        for sock in self._open:
            sock.close()

    def fileno(self) -> int:
        """Return what becomes readable when there is something to do."""
        return self._selector.fileno()

    def work_off(self) -> None:
        """Answer everything that waits."""
        while ready := self._selector.select(0):
            for key, _ in sorted(ready, key=lambda item: item[0].fd):
                key.data()

    def answer(self, key: str, asked: bytes) -> bytes:
        """Return the recorded answer; of what was not recorded the upstream's, or nothing."""
        known = self.wire.dns if key.startswith("dns ") else self.wire.http
        if key not in known and self.upstream:
            known[key] = self.upstream(key, asked).decode("latin-1")
        if key not in known:
            self.tally.unknown.append(key)
            return _REFUSED if key.startswith("dynamodb ") else b""
        return known[key].encode("latin-1")

    def asked_before(self, key: str) -> int:
        """Return how often this was asked since the run began, and count it."""
        self._asked[key] += 1
        return self._asked[key] - 1

    def _listen(self) -> None:
        here = site.address(self.network)
        for kind, port in _PORTS.items():
            listening = socket.create_server((here, port), backlog=128)
            self._watch(listening, partial(self._accept, listening, kind))
        servers = [(here, port) for port in (site.AUTHORITY, *_ROLES)]
        for place in [*servers, (site.address(self.network, site.PARENT), site.AUTHORITY)]:
            listening = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            listening.bind(place)
            self._watch(listening, partial(self._answer_datagram, listening, place))

    def _watch(self, sock: socket.socket, action: Callable[[], None]) -> None:
        self._open.append(sock)
        sock.setblocking(False)
        self._selector.register(sock, selectors.EVENT_READ, action)

    def _accept(self, listening: socket.socket, kind: Kind) -> None:
        sock, _ = listening.accept()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        talk = _Talk(self, sock, kind, self._secured.get(kind))
        self.tally.counts["dynamodb_connections" if kind == "dynamodb" else "tcp_connections"] += 1
        self._watch(sock, partial(self._serve, sock, talk))

    def _serve(self, sock: socket.socket, talk: "_Talk") -> None:
        if not talk.go_on():
            self._selector.unregister(sock)
            self._open.remove(sock)
            sock.close()

    def _answer_datagram(self, sock: socket.socket, place: tuple[str, int]) -> None:
        query, peer = sock.recvfrom(_CHUNK)
        name, rdtype = _question(query)
        role = _ROLES.get(place[1]) or ("parent" if place[0].endswith(f".{site.PARENT}") else "authority")
        plain = _without_chance(name)
        recorded = self.answer(f"dns {role} {plain} {_TYPES.get(rdtype, rdtype)}", query)
        counts = self.tally.counts
        counts["dns_questions"] += 1
        counts["octets_sent"] += len(query)
        if recorded:
            # The random label has the same length each time, so that nothing else moves.
            end = 12 + len(name) + 2
            message = query[:2] + recorded[2:12] + query[12:end] + recorded[end:]
            message = message.replace(_network(site.RECORDED), _network(self.network))
            counts["octets_received"] += len(message)
            sock.sendto(message, peer)


class _Talk:
    """One accepted connection."""

    def __init__(self, replay: Replay, sock: socket.socket, kind: Kind, context: ssl.SSLContext | None) -> None:
        self._replay, self._sock, self._kind = replay, sock, kind
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True) if context else None
        self._shaken = context is None
        self._request = bytearray()

    def go_on(self) -> bool:
        """Read what came and answer it; return whether the connection stays open."""
        try:
            data = self._sock.recv(_CHUNK)
        except OSError:
            return False
        if self._tls is None:
            self._count("octets_sent", len(data))
            self._request += data
            return bool(data) and self._respond()
        self._incoming.write(data)
        if not data:
            self._incoming.write_eof()
        try:
            stays = self._speak_tls(self._tls)
        except ssl.SSLError:
            stays = False
        if unsent := self._outgoing.read():
            self._send(unsent)
        return stays and bool(data)

    def _speak_tls(self, tls: ssl.SSLObject) -> bool:
        try:
            if not self._shaken:
                tls.do_handshake()
                self._shaken = True
                self._replay.tally.counts["tls_handshakes"] += 1
            while data := tls.read(_CHUNK):
                self._count("octets_sent", len(data))
                self._request += data
                if not self._respond():
                    return False
        except ssl.SSLWantReadError:
            return True
        return False

    def _respond(self) -> bool:
        """Answer each request that is there whole; False where the recorded server closed."""
        while (end := self._request.find(b"\r\n\r\n")) >= 0:
            head = self._request[: end + 4].decode("latin-1")
            length = re.search(r"(?i)\r\ncontent-length: *(\d+)", head)
            whole = end + 4 + int(length[1] if length else 0)
            if len(self._request) < whole:
                return True
            request = bytes(self._request[:whole])
            del self._request[:whole]
            response = self._replay.answer(self._key(head, request[end + 4 :]), request)
            if not response:
                return False
            self._count("octets_received", len(response))
            if self._tls:
                self._tls.write(response)
            else:
                self._send(response)
        return True

    def _key(self, head: str, body: bytes) -> str:
        if self._kind == "dynamodb":
            return self._of_dynamodb(head, body)
        self._replay.tally.counts["http_requests"] += 1
        path = head.split(" ", 2)[1]
        host = re.search(r"(?i)\r\nhost: *([^:\r]*)", head)
        return _without_chance(f"{self._kind} {host[1] if host else ''} {path}")

    def _of_dynamodb(self, head: str, body: bytes) -> str:
        """Return the operation, the item where only one is meant, and how often it was asked before."""
        named = re.search(r"(?i)\r\nx-amz-target: *\w+\.(\w+)", head)
        operation = named[1] if named else ""
        asked = msgspec.json.decode(body, type=_Asked)
        counts = self._replay.tally.counts
        counts["dynamodb_requests"] += 1
        if operation in _WRITES:
            counts["dynamodb_items_written"] += len(asked.transact_items)
            counts["dynamodb_octets_written"] += len(body)
        item = " ".join(value for pair in asked.key.values() for value in pair.values())
        key = f"dynamodb {operation} {item}"
        return f"{key} {self._replay.asked_before(key)}"

    def _send(self, data: bytes) -> None:
        try:
            while data:
                data = data[self._sock.send(data) :]
        except BlockingIOError:
            raise Unplayable("a recorded answer is longer than a socket holds") from None
        except OSError:
            return  # the audit had enough

    def _count(self, what: str, octets: int) -> None:
        if self._kind != "dynamodb":
            self._replay.tally.counts[what] += octets


def _question(query: bytes) -> tuple[str, int]:
    """Return the name of a DNS query, without its final dot, and the number of its type."""
    labels, at = [], 12
    while query[at]:
        labels.append(query[at + 1 : at + 1 + query[at]].decode("ascii"))
        at += 1 + query[at]
    return ".".join(labels), int.from_bytes(query[at + 1 : at + 3])


def _without_chance(text: str) -> str:
    for pattern, constant in _RANDOM:
        text = pattern.sub(constant, text)
    return text


def _network(number: int) -> bytes:
    return bytes([127, 83, number])
