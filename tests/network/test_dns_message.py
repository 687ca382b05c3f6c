"""DNS answers that no library writes: read in little time, one observation each, believed as far as asked."""

import struct
import time
from collections.abc import Callable

import dns.message
import dns.name
import pytest
from padlock.network.dns_message import Question, Reply, encode, read
from padlock.network.limits import RECORDS_KEPT

from tests.dns_server import zone

NAME = "www.example.com"
A, NS, CNAME, SOA, MX, TXT, AAAA, OPT, RRSIG, NSEC, HIP, CAA = 1, 2, 5, 6, 15, 16, 28, 41, 46, 47, 55, 257
POINTER = b"\xc0\x0c"
"""To the name that was asked for."""
SECONDS = 0.5
"""Of CPU for one message, on a machine that is several times slower than this: the worst takes a twentieth."""


def record(rdtype: int, data: bytes, owner: bytes = POINTER, ttl: int = 300, rdclass: int = 1) -> bytes:
    """Return a record as octets."""
    return owner + struct.pack("!2HIH", rdtype, rdclass, ttl, len(data)) + data


def question(rdtype: int = A) -> bytes:
    """Return the question section."""
    return (dns.name.from_text(NAME).to_wire() or b"") + struct.pack("!2H", rdtype, 1)


FIRST = 12 + len(question())
"""Where the first record begins."""


def answer(*records: bytes, asked: str = "A", flags: int = 0x8400, other: tuple[int, int] = (0, 0)) -> Reply:
    """Read an answer; of its records the last so many stand in the authority and additional sections."""
    number = {"A": A, "NS": NS, "TXT": TXT, "CAA": CAA, "MX": MX, "SOA": SOA, "CNAME": CNAME}[asked]
    counts = (len(records) - sum(other), *other)
    wire = struct.pack("!6H", 7, flags, 1, *counts) + question(number) + b"".join(records)
    reply = read(wire, Question(NAME, asked), 7)
    assert reply
    return reply


def long_names(rdtype: int) -> list[bytes]:
    """Return 3,000 names of a hundred labels in 54 KB."""
    whole = record(rdtype, b"\x01a" * 100 + POINTER)
    place = struct.pack("!H", 0xC000 | (FIRST + 12))
    return [whole, *(record(rdtype, b"\x03%03x" % number + place) for number in range(3000))]


def rendezvous(_rdtype: int) -> list[bytes]:
    """Return a record of 29,000 pointers to such a name (HIP, RFC 8005)."""
    whole = record(NS, b"\x01a" * 100 + POINTER)
    place = struct.pack("!H", 0xC000 | (FIRST + 12))
    return [whole, record(HIP, b"\0\0\0\0" + place * 29_000)]


def chained(_rdtype: int) -> list[bytes]:
    """Return owners that stand for pointers to pointers, each from another place."""
    hops = b"".join(struct.pack("!H", 0xC000 | (FIRST + 12 + 2 * n - 2 if n else 12)) for n in range(8000))
    ends = (struct.pack("!H", 0xC000 | (FIRST + 12 + 2 * n)) for n in range(60, 8000, 3))
    return [record(TXT, hops), *(record(A, b"\1\2\3\4", end) for end in ends)]


def addresses(_rdtype: int) -> list[bytes]:
    """Return 4,000 addresses."""
    return [record(A, struct.pack("!I", 0x2D530000 + number)) for number in range(4000)]


def strings(_rdtype: int) -> list[bytes]:
    """Return a TXT record of 60,000 strings."""
    return [record(TXT, b"\0" * 60_000)]


@pytest.mark.parametrize("asked", ["A", "NS", "CNAME", "MX", "TXT", "SOA"])
@pytest.mark.parametrize("made", [long_names, rendezvous, chained, addresses, strings])
def test_the_dearest_message_takes_little_time(made: Callable[[int], list[bytes]], asked: str) -> None:
    """64 KB of names within names, or of small things, do not keep the process; dnspython takes seconds to hours."""
    number = {"A": A, "NS": NS, "CNAME": CNAME, "MX": MX, "TXT": TXT, "SOA": SOA}[asked]
    records = made(NS if number == A else number)
    began = time.process_time()
    reply = answer(*records, asked=asked)
    assert time.process_time() - began < SECONDS
    assert len(reply.records) <= RECORDS_KEPT
    assert len(reply.cnames) <= 24


def test_what_is_remembered_is_told_to_its_question_alone() -> None:
    """The same octets under another identifier say the same; to another question or identifier they say nothing."""
    octets = struct.pack("!5H", 0x8400, 1, 1, 0, 0) + question() + record(A, b"\1\2\3\4")
    asked = Question(NAME, "A")
    first, second = (read(number.to_bytes(2) + octets, asked, number) for number in (7, 8))
    assert first
    assert first == second == read(b"\0\7" + octets, asked, 7)
    assert first.records == ("1.2.3.4",)
    assert read(b"\0\7" + octets, asked, 8) is None
    assert read(b"\0\7" + octets, Question(NAME, "AAAA"), 7) is None
    assert read(b"\0\7" + octets, Question("other.example.com", "A"), 7) is None
    other = read(b"\0\7" + octets[:-1] + b"\5", asked, 7)
    assert other
    assert other.records == ("1.2.3.5",)


def test_a_pointer_to_the_identifier_tells_the_same_each_time() -> None:
    """A name that begins in the header's first octets depends on no number of ours."""
    octets = struct.pack("!5H", 0x8400, 1, 1, 0, 0) + question(NS) + record(NS, b"\xc0\0")
    replies = {read(number.to_bytes(2) + octets, Question(NAME, "NS"), number) for number in (0, 0x0141, 0xFFFF)}
    assert len(replies) == 1


def test_many_names_are_counted_and_some_are_kept() -> None:
    """Which of too many are kept does not depend on the order in which they come."""
    records = long_names(NS)
    reply = answer(*records, asked="NS")
    turned = answer(records[0], *reversed(records[1:]), asked="NS")
    assert (reply.status, reply.count, len(reply.records)) == ("ok", 3001, RECORDS_KEPT)
    assert reply.records == turned.records


def test_the_same_record_many_times_counts_once() -> None:
    """Servers may repeat themselves, in other letters too."""
    assert answer(*[record(A, b"\1\2\3\4")] * 9).count == 1
    names = [record(NS, b"\x02" + name + b"\0") for name in (b"ns", b"NS", b"nS")]
    assert answer(*names, asked="NS").records == ("ns",)


@pytest.mark.parametrize("rdtype", [RRSIG, NSEC, HIP, MX, TXT, 65280])
def test_rubbish_that_nobody_asked_for_is_passed_over(rdtype: int) -> None:
    """What stands in records of other types cannot spoil an answer."""
    reply = answer(record(rdtype, b"\xff" * 50), record(A, b"\1\2\3\4"), record(rdtype, b""))
    assert (reply.status, reply.records) == ("ok", ("1.2.3.4",))


@pytest.mark.parametrize(
    "records",
    [
        (record(A, b"\1\2\3\4", struct.pack("!H", 0xC000 | FIRST)),),
        (record(A, b"\1\2\3\4", b"\xff\xff"),),
        (record(A, b"\1\2\3\4", b"\x80"),),
        (record(A, b"\1\2\3\4", b"\x01a" * 130 + b"\0"),),
        (record(A, b"\1\2\3\4", b"\x3f" + b"a" * 63 + (b"\x3f" + b"a" * 63) * 3 + b"\0"),),
        (record(A, b"\1\2\3"),),
        (record(CNAME, b"\x03abc\0more"),),
        (record(A, b"\1\2\3\4")[:-1],),
        (record(OPT, b"\0\x0f\0\x63", b"\0"), record(OPT, b"", b"\0")),
    ],
    ids=["itself", "forwards", "no label", "labels", "octets", "short", "behind a name", "breaks off", "two OPT"],
)
def test_what_breaks_the_grammar_is_malformed(records: tuple[bytes, ...]) -> None:
    """Pointer loops, names that are too long and records that break off are one observation each."""
    in_additional = (0, 2) if len(records) == 2 else (0, 0)
    reply = answer(*records, other=in_additional)
    assert (reply.status, reply.records) == ("malformed", ())
    assert reply.detail.startswith("the answer cannot be read: ")


def test_pointers_to_pointers_are_followed() -> None:
    """As far as they lead backwards, and a name of many parts takes."""
    first = record(CNAME, b"\x01a" + POINTER)
    second = record(
        CNAME, b"\x01b" + struct.pack("!H", 0xC000 | (FIRST + 12)), struct.pack("!H", 0xC000 | (FIRST + 12))
    )
    assert answer(first, second).cnames == (f"a.{NAME}", f"b.a.{NAME}")


def test_a_message_cut_in_the_middle_says_that_it_was_truncated() -> None:
    """Some servers cut off where the datagram ends, so that the rest is asked for over TCP."""
    whole = record(A, b"\1\2\3\4")
    assert answer(whole, whole[:-2], flags=0x8600).truncated
    assert not answer(whole, whole[:-2]).truncated


def test_an_answer_with_two_questions_is_none() -> None:
    """One question was asked (RFC 9619)."""
    wire = struct.pack("!6H", 7, 0x8400, 2, 0, 0, 0) + question() * 2
    reply = read(wire, Question(NAME, "A"), 7)
    assert reply
    assert reply.status == "malformed"


@pytest.mark.parametrize("asked", ["TXT", "CAA"])
def test_a_record_of_60_kilobytes_is_shown_as_octets(asked: str) -> None:
    """It is counted, its beginning is kept, and nobody reads it."""
    reply = answer(record(TXT if asked == "TXT" else CAA, b"\xff" * 60_000), asked=asked)
    assert (reply.status, reply.count) == ("ok", 1)
    assert reply.records[0].startswith("\\# 60000 ffff")
    assert len(reply.records[0]) <= 512


def test_records_of_other_names_are_not_believed() -> None:
    """Neither addresses of a neighbour, nor its zone's end, nor glue for servers that were not named."""
    neighbour = b"\x04shop\x04test\0"
    reply = answer(record(A, b"\1\2\3\4", neighbour))
    assert (reply.status, reply.records) == ("nodata", ())
    soa = record(SOA, b"\0\0" + bytes(20), neighbour)
    assert answer(soa, other=(1, 0)).zone == ""
    named = record(NS, b"\x02ns\x04evil\x04test\0", b"\x07example\x03com\0")
    glue = record(A, b"\1\2\3\4", neighbour), record(A, b"\5\6\7\x08", b"\x02ns\x04evil\x04test\0")
    reply = answer(named, *glue, flags=0x8000, other=(1, 2))
    assert (reply.delegation, reply.glue) == ("example.com", (("ns.evil.test", "5.6.7.8"),))


def test_a_ttl_of_the_upper_half_is_none() -> None:
    """RFC 2181 section 8; the least of a set counts."""
    assert answer(record(A, b"\1\2\3\4", ttl=2**31)).ttl == 0
    assert answer(record(A, b"\1\2\3\4", ttl=60), record(A, b"\1\2\3\5", ttl=30)).ttl == 30


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"\0\x06", "6 DNSSEC Bogus"),
        (b"\0\x06signature expired\0", "6 DNSSEC Bogus: signature expired"),
        (b"\xff\xff\xff\x1b[31m", "65535: \ufffd\\x1b[31m"),
        (b"\0", ""),
    ],
)
def test_extended_errors_are_named_where_they_have_names(data: bytes, told: str) -> None:
    """Text of theirs is no terminal's command; what is too short is none."""
    option = struct.pack("!2H", 15, len(data)) + data
    reply = answer(record(OPT, option, b"\0", ttl=0, rdclass=1232), other=(0, 1))
    assert reply.extended_error == told


def test_an_extended_response_code_is_read() -> None:
    """The upper eight bits stand in the OPT record: BADVERS is 16."""
    reply = answer(record(OPT, b"", b"\0", ttl=1 << 24, rdclass=1232), other=(0, 1))
    assert (reply.rcode, reply.status, reply.detail) == (16, "servfail", "BADVERS")


@pytest.mark.parametrize("asked", ["A", "AAAA", "NS", "SOA", "MX", "TXT", "CAA", "CNAME"])
def test_true_answers_are_read_as_dnspython_reads_them(asked: str) -> None:
    """Every type that is asked for, in compressed messages."""
    served = zone(
        "example.com",
        *(
            "@ A 192.0.2.1",
            "@ A 192.0.2.22",
            "@ AAAA 2001:db8::1",
            "@ NS ns1",
            "@ NS ns2.other.test.",
            "@ MX 10 mail",
        ),
        *('@ TXT "v=spf1 -all" "more"', '@ CAA 0 issue "letsencrypt.org"', "www CNAME @"),
    )
    name = "www.example.com" if asked == "CNAME" else "example.com"
    message = served(dns.message.from_wire(encode(Question(name, asked), 7, edns=True)), "udp")
    assert isinstance(message, dns.message.Message)
    reply = read(message.to_wire(), Question(name, asked), 7)
    assert reply
    texts = [item.to_text() for rrset in message.answer for item in rrset]
    assert (reply.status, reply.count) == ("ok", len(texts))
    assert sorted(reply.records) == sorted(
        text.removesuffix(".") if asked in ("NS", "CNAME") else text for text in texts
    )
