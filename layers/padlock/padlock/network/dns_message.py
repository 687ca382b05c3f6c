"""One DNS question as octets, and one DNS answer read into plain data (RFC 1035, EDNS RFC 6891, errors RFC 8914).

Pure: nothing here touches a network. An answer comes from outside, so every way in which it can be wrong yields a
Reply, never an exception.
"""

import functools
import ipaddress
import struct
from collections.abc import Iterable
from typing import Literal

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import msgspec

from padlock.network.failure import printable
from padlock.network.limits import CNAMES, RECORDS_KEPT

type Status = Literal[
    "ok", "nodata", "nxdomain", "servfail", "refused", "timeout", "truncated", "loop", "malformed", "not_asked"
]
"""The same words as padlock.evidence.Rcode."""

FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED, NOTAUTH, BADVERS = 1, 2, 3, 4, 5, 9, 16
UDP_PAYLOAD = 1232
"""Fits every path without fragments (DNS flag day 2020)."""
_HEADER = 12
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
    flags = (dns.flags.RD if question.recurse else 0) | (dns.flags.CD if question.checking_disabled else 0)
    header = struct.pack("!6H", identifier, flags, 1, 0, 0, 1 if edns else 0)
    option = b"\0" + struct.pack("!2H2BHH", dns.rdatatype.OPT, UDP_PAYLOAD, 0, 0, 0, 0) if edns else b""
    return header + _section(question.name, question.rdtype) + option


def read(wire: bytes, question: Question, identifier: int) -> Reply | None:
    """Read a datagram or TCP message; None where it is no answer to this question (a forgery, or a late one)."""
    if len(wire) < _HEADER or int.from_bytes(wire[:2]) != identifier or not wire[2] & 0x80:
        return None
    asked = _section(question.name, question.rdtype)
    repeats = wire[_HEADER : _HEADER + len(asked)].lower() == asked.lower()
    if not repeats and (int.from_bytes(wire[4:6]) or not wire[3] & 0x0F):  # only an error may leave the question out
        return None
    try:
        return _reply(dns.message.from_wire(wire, ignore_trailing=True), question)
    except Exception as error:  # noqa: BLE001 — hostile octets make parsers raise anything; it is one observation
        return failed(question, "malformed", f"the answer cannot be read: {type(error).__name__}: {error}")


@functools.lru_cache(maxsize=1024)
def _name(text: str) -> dns.name.Name:
    return dns.name.from_text(text)


@functools.lru_cache(maxsize=1024)
def _section(name: str, rdtype: str) -> bytes:
    """Return the question section."""
    return (_name(name).to_wire() or b"\0") + struct.pack("!2H", dns.rdatatype.from_text(rdtype), 1)


def _reply(message: dns.message.Message, question: Question) -> Reply:
    rcode = int(message.rcode())
    chain = _followed(_internet(message.answer), question)
    zone, negative_ttl = _negative(_internet(message.authority), chain.end)
    delegation, nameservers = _referral(message)
    status, detail = _status(rcode, chain)
    records = chain.records if status == "ok" else []
    ttls = [*chain.ttls, *([] if records else negative_ttl)]
    return Reply(
        question.name,
        question.rdtype,
        status,
        records=_kept(records),
        count=len(records),
        cnames=tuple(chain.cnames),
        ttl=min(ttls) if ttls else None,
        authoritative=bool(message.flags & dns.flags.AA),
        extended_error=_extended_error(message),
        detail=detail or (f"a referral to the servers of {delegation}" if delegation else ""),
        rcode=rcode,
        truncated=bool(message.flags & dns.flags.TC),
        direct=chain.direct and bool(records),
        zone=zone,
        delegation=delegation,
        nameservers=nameservers,
        glue=_glue(_internet(message.additional), nameservers),
    )


def _internet(section: Iterable[dns.rrset.RRset]) -> list[dns.rrset.RRset]:
    """Return the section's records of class IN: in others an A record is no address."""
    return [rrset for rrset in section if rrset.rdclass == dns.rdataclass.IN]


class _Chain(msgspec.Struct):
    """The way from the name asked for, through CNAMEs, to the records asked for."""

    end: dns.name.Name
    cnames: list[str] = []
    ttls: list[int] = []
    records: list[str] = []
    direct: bool = False
    problem: Literal["", "loop", "long"] = ""


def _followed(answer: Iterable[dns.rrset.RRset], question: Question) -> _Chain:
    sets = {(rrset.name, rrset.rdtype): rrset for rrset in answer}
    wanted = dns.rdatatype.from_text(question.rdtype)
    chain = _Chain(_name(question.name))
    seen = {chain.end}
    while True:
        found = sets.get((chain.end, wanted))
        alias = None if wanted == dns.rdatatype.CNAME else sets.get((chain.end, dns.rdatatype.CNAME))
        if found:
            chain.direct = not chain.cnames
            chain.records = [text(record) for record in found]
            chain.ttls.append(found.ttl)
            if alias:  # forbidden beside other data (RFC 1034 section 3.6.2), yet some servers do it
                chain.cnames.append(name_text(alias[0].target))
            return chain
        if not alias:
            return chain
        chain.ttls.append(alias.ttl)
        chain.end = alias[0].target
        chain.cnames.append(name_text(chain.end))
        if chain.end in seen or len(chain.cnames) >= CNAMES:
            chain.problem = "loop" if chain.end in seen else "long"
            return chain
        seen.add(chain.end)


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


def _negative(authority: Iterable[dns.rrset.RRset], end: dns.name.Name) -> tuple[str, list[int]]:
    """Return the apex that the SOA of a negative answer names, and how long the answer holds (RFC 2308)."""
    for rrset in authority:
        if rrset.rdtype == dns.rdatatype.SOA and end.is_subdomain(rrset.name):
            return name_text(rrset.name), [min(rrset.ttl, rrset[0].minimum)]
    return "", []


def _referral(message: dns.message.Message) -> tuple[str, tuple[str, ...]]:
    """Return the apex and servers of the zone that a server which does not know the answer points to."""
    if message.answer or message.rcode() != 0 or message.flags & dns.flags.AA:
        return "", ()
    asked = message.question[0].name if message.question else dns.name.root
    for rrset in _internet(message.authority):
        if rrset.rdtype == dns.rdatatype.NS and asked.is_subdomain(rrset.name):
            return name_text(rrset.name), _kept([text(record) for record in rrset])
    return "", ()


def _glue(additional: Iterable[dns.rrset.RRset], nameservers: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    pairs = (
        (name_text(rrset.name), record.address)
        for rrset in additional
        if rrset.rdtype in (dns.rdatatype.A, dns.rdatatype.AAAA)
        for record in rrset
    )
    return tuple((name, address) for name, address in pairs if name in nameservers)[:RECORDS_KEPT]


def _extended_error(message: dns.message.Message) -> str:
    for option in message.options:
        if isinstance(option, dns.edns.EDEOption):
            name = option.code.name.replace("_", " ").title()
            for shown, meant in _ACRONYMS:
                name = name.replace(shown, meant)
            return printable(f"{int(option.code)} {name}" + (f": {option.text}" if option.text else ""))
    return ""


def name_text(name: dns.name.Name) -> str:
    """Return a name in lower case without its trailing dot, odd octets escaped in decimal."""
    return name.to_text(omit_final_dot=True).lower()


def text(record: dns.rdata.Rdata) -> str:
    """Return a record's data, bounded: an address, a name, or the presentation form of the rest."""
    if record.rdtype in (dns.rdatatype.A, dns.rdatatype.AAAA):
        return str(record.address)  # type: ignore[attr-defined]
    if record.rdtype in (dns.rdatatype.NS, dns.rdatatype.CNAME):
        return name_text(record.target)  # type: ignore[attr-defined]
    return printable(record.to_text(), 512)


def _kept(records: list[str]) -> tuple[str, ...]:
    """Return the records in order, addresses by number, at most as many as are kept."""
    return tuple(sorted(records, key=_order)[:RECORDS_KEPT] if len(records) > 1 else records)


def _order(record: str) -> tuple[int, int, str]:
    try:
        address = ipaddress.ip_address(record)
    except ValueError:
        return 0, 0, record
    return address.version, int(address), ""
