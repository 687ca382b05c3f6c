"""One DNS question as octets, and one DNS answer read into plain data (RFC 1035, EDNS RFC 6891, errors RFC 8914).

Pure: nothing here touches a network. An answer comes from outside, so every way in which it can be wrong yields a
Reply, never an exception.
"""

import functools
import struct
from collections.abc import Iterable
from typing import Literal

import dns.edns
import dns.exception
import dns.ipv4
import dns.ipv6
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import msgspec

from padlock.network import dns_wire
from padlock.network.dns_wire import Labels, Message, Record
from padlock.network.failure import printable
from padlock.network.limits import CNAMES, RECORD_BYTES, RECORD_TEXT_KEPT, RECORDS_KEPT

type Status = Literal[
    "ok", "nodata", "nxdomain", "servfail", "refused", "timeout", "truncated", "loop", "malformed", "not_asked"
]
"""The same words as padlock.evidence.Rcode."""

FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED, NOTAUTH, BADVERS = 1, 2, 3, 4, 5, 9, 16
UDP_PAYLOAD = 1232
"""Fits every path without fragments (DNS flag day 2020)."""
_REMEMBERED = 1232
"""Octets of a message up to which what it says is remembered in this process."""
_AA, _TC, _RD, _CD = 0x0400, 0x0200, 0x0100, 0x0010
"""Flags (RFC 1035 section 4.1.1, RFC 4035 section 3.2.2)."""
_OPTION = struct.pack("!B2HBBHH", 0, dns.rdatatype.OPT, UDP_PAYLOAD, 0, 0, 0, 0)
"""An OPT record without options."""
_ERRORS = frozenset(map(int, dns.edns.EDECode))
_ACRONYMS = (("Dnssec", "DNSSEC"), ("Dnskey", "DNSKEY"), ("Dns", "DNS"), ("Nsec", "NSEC"), ("Rrsigs", "RRSIGs"))


class Question(msgspec.Struct, frozen=True):
    """One question, as it is sent to one server."""

    name: str
    rdtype: str
    recurse: bool = True
    checking_disabled: bool = False
    """The resolver is to answer whatever DNSSEC says (CD)."""


class Reply(msgspec.Struct, frozen=True):
    """What came back for one question; the first fields are those of padlock.evidence.Lookup."""

    name: str
    rdtype: str
    status: Status
    records: tuple[str, ...] = ()
    count: int = 0
    cnames: tuple[str, ...] = ()
    ttl: int | None = None
    authoritative: bool = False
    extended_error: str = ""
    detail: str = ""
    seconds: float = 0.0

    rcode: int | None = None
    """As sent; None where no message came."""
    truncated: bool = False
    """TC was set."""
    direct: bool = False
    """The records belong to the name asked for, not to a CNAME's target."""
    zone: str = ""
    """Owner of the SOA record that proves a negative answer: the apex of the zone."""
    delegation: str = ""
    """Apex of the zone that a referral leads to."""
    nameservers: tuple[str, ...] = ()
    """Servers of that zone."""
    glue: tuple[tuple[str, str], ...] = ()
    """(server, address) pairs that came with the referral."""

    @property
    def is_partial(self) -> bool:
        """Whether the CNAME chain ends without saying what its last target is."""
        return self.status == "nodata" and bool(self.cnames) and not self.zone


def failed(question: Question, status: Status, detail: str = "") -> Reply:
    """Return the reply of a question that got no usable answer."""
    return Reply(question.name, question.rdtype, status, detail=printable(detail))


def encode(question: Question, identifier: int, *, edns: bool) -> bytes:
    """Return the question as a message; dns.exception.DNSException if its name is none."""
    flags = (_RD if question.recurse else 0) | (_CD if question.checking_disabled else 0)
    header = struct.pack("!6H", identifier, flags, 1, 0, 0, 1 if edns else 0)
    return header + _section(question.name, question.rdtype) + (_OPTION if edns else b"")


def read(wire: bytes, question: Question, identifier: int) -> Reply | None:
    """Read a datagram or TCP message; None where it is no answer to this question (a forgery, or a late one)."""
    if len(wire) < dns_wire.HEADER or int.from_bytes(wire[:2]) != identifier or not wire[2] & 0x80:
        return None
    asked = _section(question.name, question.rdtype)
    repeats = wire[dns_wire.HEADER : dns_wire.HEADER + len(asked)].lower() == asked.lower()
    if not repeats and (int.from_bytes(wire[4:6]) or not wire[3] & 0x0F):  # only an error may leave the question out
        return None
    # Without its identifier a message is the same from each server of a zone, and whenever it is asked.
    return (_read if len(wire) <= _REMEMBERED else _read.__wrapped__)(b"\0\0" + wire[2:], question, repeats=repeats)


@functools.lru_cache(maxsize=512)
def _read(wire: bytes, question: Question, *, repeats: bool) -> Reply:
    """Read an answer to this question; whether it repeats the question is known."""
    try:
        return _reply(dns_wire.parse(wire, _labels(question.name) if repeats and wire[5] else None), question)
    except Exception as error:  # noqa: BLE001 — hostile octets make parsers raise anything; it is one observation
        reply = failed(question, "malformed", f"the answer cannot be read: {error or type(error).__name__}")
        # Some servers cut off in the middle of a record what does not fit.
        return msgspec.structs.replace(reply, truncated=bool(wire[2] & _TC >> 8))


@functools.lru_cache(maxsize=1024)
def _name(text: str) -> dns.name.Name:
    return dns.name.from_text(text)


@functools.lru_cache(maxsize=1024)
def _labels(name: str) -> Labels:
    """Return a name as names are read."""
    return tuple(label.lower() for label in _name(name).labels if label)


@functools.cache
def _number(rdtype: str) -> int:
    """Return the number of a type that is asked for."""
    return int(dns.rdatatype.from_text(rdtype))


@functools.lru_cache(maxsize=1024)
def _section(name: str, rdtype: str) -> bytes:
    """Return the question section."""
    return (_name(name).to_wire() or b"\0") + struct.pack("!2H", _number(rdtype), 1)


def _reply(message: Message, question: Question) -> Reply:
    chain = _followed(message, question)
    zone, negative_ttl = _negative(message, chain.end)
    delegation, servers = _referral(message, question)
    status, detail = _status(message.rcode, chain)
    count, records = _data(message, chain.records) if status == "ok" else (0, ())
    ttls = [*chain.ttls, *([] if count else negative_ttl)]
    return Reply(
        question.name,
        question.rdtype,
        status,
        records=records,
        count=count,
        cnames=tuple(chain.cnames),
        ttl=min(ttls) if ttls else None,
        authoritative=bool(message.flags & _AA),
        extended_error=_extended_error(message),
        detail=detail or (f"a referral to the servers of {delegation}" if delegation else ""),
        rcode=message.rcode,
        truncated=bool(message.flags & _TC),
        direct=chain.direct and bool(records),
        zone=zone,
        delegation=delegation,
        nameservers=tuple(sorted(map(name_text, servers))),
        glue=_glue(message, servers),
    )


class _Chain(msgspec.Struct):
    """The way from the name asked for, through CNAMEs, to the records asked for."""

    end: Labels
    cnames: list[str] = []
    ttls: list[int] = []
    records: list[Record] = []
    direct: bool = False
    problem: Literal["", "loop", "long"] = ""


def _followed(message: Message, question: Question) -> _Chain:
    sets: dict[tuple[Labels, int], list[Record]] = {}
    for record in message.answer:
        sets.setdefault((record.owner, record.rdtype), []).append(record)
    wanted = _number(question.rdtype)
    chain = _Chain(_labels(question.name))
    seen = {chain.end}
    while True:
        found = sets.get((chain.end, wanted))
        alias = None if wanted == dns_wire.CNAME else sets.get((chain.end, dns_wire.CNAME))
        if found:
            chain.direct = not chain.cnames
            chain.records = found
            chain.ttls.append(_ttl(found))
            if alias:  # forbidden beside other data (RFC 1034 section 3.6.2), yet some servers do it
                chain.cnames.append(name_text(message.target(alias[-1])))
            return chain
        if not alias:
            return chain
        chain.ttls.append(_ttl(alias))
        chain.end = message.target(alias[-1])
        chain.cnames.append(name_text(chain.end))
        if chain.end in seen or len(chain.cnames) >= CNAMES:
            chain.problem = "loop" if chain.end in seen else "long"
            return chain
        seen.add(chain.end)


def _ttl(records: Iterable[Record]) -> int:
    return min(record.ttl for record in records)


def _status(rcode: int, chain: _Chain) -> tuple[Status, str]:
    if chain.problem == "loop":
        return "loop", f"the CNAME chain returns to {chain.cnames[-1]}"
    if chain.problem == "long":
        return "servfail", f"the CNAME chain is longer than {CNAMES}"
    if rcode == 0:
        return ("ok" if chain.records else "nodata"), ""
    if rcode == NXDOMAIN:
        return "nxdomain", ""
    if rcode in (REFUSED, NOTAUTH):
        return "refused", "" if rcode == REFUSED else "NOTAUTH"
    return "servfail", "" if rcode == SERVFAIL else _rcode_text(rcode)


def _rcode_text(rcode: int) -> str:
    names = {FORMERR: "FORMERR", NOTIMP: "NOTIMP", BADVERS: "BADVERS"}
    return names.get(rcode, f"response code {rcode}")


def _negative(message: Message, end: Labels) -> tuple[str, list[int]]:
    """Return the apex that the SOA of a negative answer names, and how long the answer holds (RFC 2308)."""
    for record in message.authority:
        if record.rdtype == dns_wire.SOA and _is_within(end, record.owner):
            return name_text(record.owner), [min(record.ttl, message.minimum(record))]
    return "", []


def _referral(message: Message, question: Question) -> tuple[str, list[Labels]]:
    """Return the apex and servers of the zone that a server which does not know the answer points to."""
    if message.answer or message.rcode != 0 or message.flags & _AA:
        return "", []
    asked = _labels(question.name)
    servers = [r for r in message.authority if r.rdtype == dns_wire.NS and _is_within(asked, r.owner)]
    if not servers:
        return "", []
    apex = servers[0].owner
    named = {message.target(record) for record in servers if record.owner == apex}
    return name_text(apex), sorted(named)[:RECORDS_KEPT]


def _is_within(name: Labels, apex: Labels) -> bool:
    """Whether a name is the apex, or below it."""
    return name[max(0, len(name) - len(apex)) :] == apex


def _glue(message: Message, servers: Iterable[Labels]) -> tuple[tuple[str, str], ...]:
    """Return (server, address) of the servers' addresses that came along."""
    named = set(servers)
    found = [r for r in message.additional if r.rdtype in (dns_wire.A, dns_wire.AAAA) and r.owner in named]
    return tuple((name_text(record.owner), text(message, record)) for record in found[:RECORDS_KEPT])


def _extended_error(message: Message) -> str:
    for code, data in message.options:
        if code == dns.edns.OptionType.EDE and len(data) >= 2:
            number = int.from_bytes(data[:2])
            told = data[2:].rstrip(b"\0").decode("utf-8", "replace")
            name = dns.edns.EDECode(number).name.replace("_", " ").title() if number in _ERRORS else ""
            for shown, meant in _ACRONYMS:
                name = name.replace(shown, meant)
            return printable(f"{number} {name}".rstrip() + (f": {told}" if told else ""))
    return ""


@functools.lru_cache(maxsize=2048)
def name_text(name: Labels) -> str:
    """Return a name in lower case without its trailing dot, odd octets escaped in decimal."""
    return dns.name.Name((*name, b"")).to_text(omit_final_dot=True)


def text(message: Message, record: Record) -> str:
    """Return a record's data, bounded: an address, a name, or the presentation form of the rest."""
    data = message.data(record)
    if record.rdtype in (dns_wire.A, dns_wire.AAAA):
        return _address(data)
    if record.rdtype in (dns_wire.NS, dns_wire.CNAME):
        return name_text(message.target(record))
    if len(data) > RECORD_BYTES:
        return printable(f"\\# {len(data)} {data[:RECORD_BYTES].hex()}", RECORD_TEXT_KEPT)  # RFC 3597 section 5
    read = dns.rdata.from_wire(
        dns.rdataclass.IN, dns.rdatatype.RdataType.make(record.rdtype), message.wire, record.start, len(data)
    )
    return printable(read.to_text(), RECORD_TEXT_KEPT)


@functools.lru_cache(maxsize=1024)
def _address(data: bytes) -> str:
    return dns.ipv4.inet_ntoa(data) if len(data) == 4 else dns.ipv6.inet_ntoa(data)


def _data(message: Message, records: Iterable[Record]) -> tuple[int, tuple[str, ...]]:
    """Return how many different records there are, and their texts in order, at most as many as are kept.

    Addresses stand in the order of their numbers, and which of too many are kept does not depend on how they came.
    """
    different: dict[bytes | Labels, Record] = {}
    for record in records:
        is_name = record.rdtype in (dns_wire.NS, dns_wire.CNAME)
        different[message.target(record) if is_name else message.data(record)] = record
    kept = [different[key] for key in sorted(different)[:RECORDS_KEPT]]
    texts = [text(message, record) for record in kept]
    in_order = texts if kept and kept[0].rdtype in (dns_wire.A, dns_wire.AAAA) else sorted(texts)
    return len(different), tuple(in_order)
