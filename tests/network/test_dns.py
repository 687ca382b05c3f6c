"""One question to one server, and the resolver."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import dns.message
import pytest
from hypothesis import given
from hypothesis import strategies as st
from padlock.network import dns as network_dns
from padlock.network.dns import Direct, Resolver, ask, system_endpoints
from padlock.network.dns_message import Question, Reply, encode, read

from tests.dns_server import (
    Answer,
    forged_first,
    rcode,
    recursive,
    serve,
    silent,
    truncated,
    when,
    without_edns,
    zone,
)

NAME = "example.com"
HEALTHY = zone(NAME, "@ A 192.0.2.9", "@ A 192.0.2.10", "@ A 192.0.2.2", "www CNAME example.com.")


@pytest.fixture(autouse=True)
def _short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait less for silence than in the field, so that the tests are quick."""
    monkeypatch.setattr(network_dns, "DNS_SECONDS", 0.3)


async def answer_of(answer: Answer, name: str = NAME, rdtype: str = "A", *, tcp: bool = True) -> Reply:
    """Ask a server with this behaviour one question."""
    async with serve(answer, tcp=tcp) as server:
        return await ask(server.endpoint, Question(name, rdtype, recurse=False))


@asynccontextmanager
async def resolver(*answers: Answer) -> AsyncIterator[Resolver]:
    """Give a resolver whose endpoints behave like these, in order."""
    async with AsyncExitStack() as running:
        servers = [await running.enter_async_context(serve(answer)) for answer in answers]
        yield Resolver([server.endpoint for server in servers])


async def test_addresses_are_sorted_by_number() -> None:
    """Records come in one order whatever order the server chose, with TTL and the AA flag."""
    reply = await answer_of(HEALTHY)
    assert reply.status == "ok"
    assert reply.records == ("192.0.2.2", "192.0.2.9", "192.0.2.10")
    assert (reply.count, reply.ttl, reply.authoritative, reply.direct) == (3, 300, True, True)


async def test_cname_chain_is_followed_within_the_answer() -> None:
    """The chain's targets are kept in order, in lower case without a trailing dot."""
    reply = await answer_of(zone(NAME, "www CNAME A.Example.COM.", "a CNAME b", "b A 192.0.2.1"), "WWW.example.com")
    assert (reply.status, reply.records) == ("ok", ("192.0.2.1",))
    assert reply.cnames == ("a.example.com", "b.example.com")
    assert not reply.direct


@pytest.mark.parametrize(
    ("answer", "name", "status"),
    [
        (HEALTHY, "missing.example.com", "nxdomain"),
        (zone(NAME, "@ MX 10 mail"), NAME, "nodata"),
        (rcode("SERVFAIL"), NAME, "servfail"),
        (rcode("REFUSED"), NAME, "refused"),
        (rcode("NOTAUTH"), NAME, "refused"),
        (rcode("NOTIMP"), NAME, "servfail"),
        (silent, NAME, "timeout"),
        (zone(NAME, "@ CNAME b", "b CNAME c", "c CNAME @"), NAME, "loop"),
        (zone(NAME, "@ CNAME @"), NAME, "loop"),
        (zone(NAME, "@ CNAME gone"), NAME, "nxdomain"),
        (lambda *_: b"", NAME, "timeout"),
    ],
)
async def test_each_failure_is_told_apart(answer: Answer, name: str, status: str) -> None:
    """What a server does yields its own status, and never an exception."""
    reply = await answer_of(answer, name)
    assert reply.status == status
    assert reply.records == ()


async def test_negative_answer_names_its_zone_and_ttl() -> None:
    """The SOA of a negative answer gives the zone's apex, and how long the absence is remembered."""
    reply = await answer_of(HEALTHY, "missing.example.com")
    assert (reply.zone, reply.ttl) == (NAME, 60)


async def test_soa_of_another_zone_proves_nothing() -> None:
    """A SOA record that does not hold the name is not taken for the name's zone."""

    def foreign(query: dns.message.Message, transport: str) -> dns.message.Message:
        answer, other = HEALTHY(query, transport), dns.message.make_query("x.other.test", "A")
        elsewhere = zone("other.test")(other, transport)
        assert isinstance(answer, dns.message.Message)
        assert isinstance(elsewhere, dns.message.Message)
        answer.authority = elsewhere.authority
        return answer

    reply = await answer_of(foreign, "missing.example.com")
    assert (reply.status, reply.zone, reply.ttl) == ("nxdomain", "", None)


async def test_dangling_cname_keeps_its_chain() -> None:
    """A CNAME whose target does not exist is NXDOMAIN with the target named."""
    reply = await answer_of(zone(NAME, "www CNAME gone.example.com."), "www.example.com")
    assert (reply.status, reply.cnames) == ("nxdomain", ("gone.example.com",))


async def test_extended_error_is_kept() -> None:
    """An extended DNS error is kept with its number, name and text, control characters escaped."""
    reply = await answer_of(rcode("SERVFAIL", (6, "signature\x1bexpired")))
    assert (reply.status, reply.extended_error) == ("servfail", "6 DNSSEC Bogus: signature\\x1bexpired")


async def test_truncated_answer_is_asked_again_over_tcp() -> None:
    """TC leads to the whole answer over TCP."""
    reply = await answer_of(truncated(HEALTHY))
    assert (reply.status, reply.count, reply.truncated) == ("ok", 3, False)


async def test_truncated_without_tcp_is_its_own_status() -> None:
    """TC where TCP is closed says so, instead of looking like an empty answer."""
    reply = await answer_of(truncated(HEALTHY), tcp=False)
    assert reply.status == "truncated"
    assert "Connection refused" in reply.detail


async def test_truncated_with_silent_tcp_ends_in_time() -> None:
    """TC where TCP accepts and says nothing ends by the clock."""
    reply = await answer_of(lambda query, transport: truncated(HEALTHY)(query, "udp") if transport == "udp" else None)
    assert reply.status == "truncated"
    assert reply.seconds < 1.5


async def test_thousand_addresses_are_capped_and_counted() -> None:
    """64 of 1,000 records are kept, with the true number."""
    lines = [f"@ A 198.51.{n // 250}.{n % 250}" for n in range(1000)]
    reply = await answer_of(zone(NAME, *lines))
    assert (reply.status, reply.count, len(reply.records)) == ("ok", 1000, 64)
    assert reply.records[0] == "198.51.0.0"


@pytest.mark.parametrize("formerr", [True, False])
async def test_a_server_without_edns_is_asked_plainly(formerr: bool) -> None:
    """Servers and firewalls that know no EDNS, by FORMERR or by silence, still give their answer."""
    reply = await answer_of(without_edns(HEALTHY, formerr=formerr))
    assert (reply.status, reply.count) == ("ok", 3)


async def test_forged_answers_are_ignored() -> None:
    """Datagrams with a wrong id, another question or no answer at all do not hide the true answer."""
    reply = await answer_of(forged_first(HEALTHY))
    assert (reply.status, reply.count) == ("ok", 3)


async def test_only_forged_answers_is_a_timeout_that_says_so() -> None:
    """Where only forgeries arrive, the observation is silence, with their number."""
    reply = await answer_of(forged_first(HEALTHY, and_then=False))
    assert reply.status == "timeout"
    assert "4 answers to another question were ignored" in reply.detail


async def test_unreadable_answer_is_malformed() -> None:
    """An answer that breaks off, or turns into garbage after the question, is one observation."""

    def broken(query: dns.message.Message, transport: str) -> bytes:
        answer = HEALTHY(query, transport)
        assert isinstance(answer, dns.message.Message)
        return answer.to_wire()[:-20] + b"\xff" * 9

    reply = await answer_of(broken)
    assert (reply.status, reply.records) == ("malformed", ())
    assert "cannot be read" in reply.detail


async def test_answer_from_another_address_is_not_heard() -> None:
    """Only the server that was asked can answer: the right answer from another address is not heard."""
    loop = asyncio.get_running_loop()
    other, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, local_addr=("127.0.0.2", 0))
    forged: list[bytes] = []

    class Listener(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
            answer = HEALTHY(dns.message.from_wire(data), "udp")
            assert isinstance(answer, dns.message.Message)
            forged.append(answer.to_wire())
            other.sendto(forged[-1], addr)

    asked, _ = await loop.create_datagram_endpoint(Listener, local_addr=("127.0.0.1", 0))
    reply = await ask(asked.get_extra_info("sockname"), Question(NAME, "A"))
    asked.close()
    other.close()
    assert (reply.status, len(forged)) == ("timeout", 2)


async def test_closed_port_is_known_at_once() -> None:
    """Where nothing listens, the answer does not wait for the clock."""
    async with serve(silent) as server:
        endpoint = server.endpoint
    await asyncio.sleep(0.02)  # the server's socket closes in the loop's next turn
    reply = await ask(endpoint, Question(NAME, "A"))
    assert reply.status == "timeout"
    assert "nothing listens" in reply.detail
    assert reply.seconds < 0.55  # two silences would take 0.6


async def test_without_a_route_nothing_is_asked() -> None:
    """An address of a family that this machine cannot reach says nothing about the server."""
    reply = await ask(("2001:db8::53%nowhere", 53), Question(NAME, "A"))
    assert reply.status == "not_asked"


@pytest.mark.parametrize("name", ["a." * 130 + "com", "x" * 64 + ".com", "a..com"])
async def test_a_name_that_is_none_is_an_observation(name: str) -> None:
    """Names that cannot be asked for (they may come from answers) do not raise."""
    reply = await ask(("127.0.0.1", 9), Question(name, "A"))
    assert reply.status == "malformed"
    assert "no DNS name" in reply.detail


@given(st.binary(max_size=200))
def test_no_octets_make_the_reader_raise(octets: bytes) -> None:
    """Whatever follows a header with the right id, reading yields an observation or nothing."""
    question = Question(NAME, "A")
    for header in (
        b"\x12\x34\x84\x00",
        b"\x12\x34\x84\x00\x00\x01\x00\x01\x00\x00\x00\x00\x07example\x03com\0\0\1\0\1",
    ):
        reply = read(header + octets, question, 0x1234)
        assert reply is None or reply.name == NAME


@given(st.data())
def test_no_flipped_octet_makes_the_reader_raise(data: st.DataObject) -> None:
    """A true answer with some octets changed is read, refused as malformed, or ignored."""
    query = dns.message.from_wire(encode(Question("www.example.com", "A"), 7, edns=True))
    answer = HEALTHY(query, "udp")
    assert isinstance(answer, dns.message.Message)
    wire = bytearray(answer.to_wire())
    for _ in range(data.draw(st.integers(1, 6))):
        wire[data.draw(st.integers(4, len(wire) - 1))] = data.draw(st.integers(0, 255))
    reply = read(bytes(wire), Question("www.example.com", "A"), 7)
    assert reply is None or len(reply.detail) <= 300


async def test_resolver_remembers_and_asks_once() -> None:
    """The same question, asked ten times at once and once more, is sent once."""
    async with serve(recursive((NAME, "@ A 192.0.2.1"))) as server:
        resolving = Resolver([server.endpoint])
        replies = await asyncio.gather(*(resolving.lookup(NAME, "A") for _ in range(10)))
        replies.append(await resolving.lookup("Example.com", "A"))
        assert {reply.records for reply in replies} == {("192.0.2.1",)}
        assert len(server.asked) == 1


async def test_cancelled_caller_leaves_the_answer_to_others() -> None:
    """Cancelling one caller of a shared question does not take it from the other."""
    async with resolver(recursive((NAME, "@ A 192.0.2.1"))) as resolving:
        impatient = asyncio.create_task(resolving.lookup(NAME, "A"))
        patient = asyncio.create_task(resolving.lookup(NAME, "A"))
        await asyncio.sleep(0)
        impatient.cancel()
        assert (await patient).status == "ok"


@pytest.mark.parametrize("first", [silent, rcode("SERVFAIL"), rcode("REFUSED")])
async def test_resolver_asks_the_next_one(first: Answer) -> None:
    """A resolver that is silent, fails or refuses is replaced by the next."""
    async with resolver(first, recursive((NAME, "@ A 192.0.2.1"))) as resolving:
        assert (await resolving.lookup(NAME, "A")).records == ("192.0.2.1",)


async def test_dead_resolver_is_waited_for_once() -> None:
    """After the first question a dead resolver comes last, and costs no further time."""
    async with resolver(silent, recursive((NAME, "@ A 192.0.2.1"))) as resolving:
        await resolving.lookup(NAME, "A")
        started = time.monotonic()
        for name in ("a", "b", "c", "d"):
            assert (await resolving.lookup(f"{name}.example.com", "A")).status == "nxdomain"
        assert time.monotonic() - started < 0.9


async def test_resolver_without_edns_is_remembered() -> None:
    """A resolver behind a firewall that drops EDNS costs one timeout, not one for each question."""
    async with resolver(without_edns(recursive((NAME, "@ A 192.0.2.1")), formerr=False)) as resolving:
        assert (await resolving.lookup(NAME, "A")).status == "ok"
        started = time.monotonic()
        for name in ("a", "b", "c", "d"):
            assert (await resolving.lookup(f"{name}.example.com", "A")).status == "nxdomain"
        assert time.monotonic() - started < 0.9


async def test_absence_is_not_asked_of_the_next_resolver() -> None:
    """NXDOMAIN is an answer: no other resolver is asked."""
    async with serve(recursive((NAME,))) as one, serve(recursive((NAME, "a A 192.0.2.1"))) as two:
        reply = await Resolver([one.endpoint, two.endpoint]).lookup("a.example.com", "A")
        assert reply.status == "nxdomain"
        assert two.asked == []


async def test_servfail_tells_more_than_silence() -> None:
    """Of two failing resolvers the one that answered is reported."""
    async with resolver(rcode("SERVFAIL", (22, "")), silent) as resolving:
        reply = await resolving.lookup(NAME, "MX")
        assert (reply.status, reply.extended_error) == ("servfail", "22 No Reachable Authority")


async def test_partial_chain_is_carried_on() -> None:
    """Where a resolver answers with the CNAME alone, its target is asked for."""
    alias = zone("a.test", "@ CNAME b.test.", soa=False)
    elsewhere = zone("b.test", "@ CNAME c.b.test.", "c A 192.0.2.7", soa=False)
    async with resolver(when(lambda name, _: name == "a.test", alias, elsewhere)) as resolving:
        reply = await resolving.lookup("a.test", "A")
        assert (reply.status, reply.records, reply.cnames) == ("ok", ("192.0.2.7",), ("b.test", "c.b.test"))


async def test_loop_over_partial_answers_is_a_loop() -> None:
    """A chain that returns to its start over several answers ends as a loop."""
    to_b, to_a = zone("a.test", "@ CNAME b.test.", soa=False), zone("b.test", "@ CNAME a.test.", soa=False)
    async with resolver(when(lambda name, _: name == "a.test", to_b, to_a)) as resolving:
        reply = await resolving.lookup("a.test", "A")
        assert (reply.status, reply.cnames) == ("loop", ("b.test", "a.test"))


async def test_endless_chain_ends() -> None:
    """A server that invents a new target for every name is left after 24 steps."""
    numbers = itertools.count()

    def endless(query: dns.message.Message, transport: str) -> dns.message.Message | bytes | Sequence[bytes] | None:
        return zone(str(query.question[0].name), f"@ CNAME x{next(numbers)}.test.", soa=False)(query, transport)

    async with resolver(endless) as resolving:
        reply = await resolving.lookup("a.test", "A")
        assert reply.status == "servfail"
        assert "longer than 24" in reply.detail


async def test_servfail_for_a_loop_is_explained() -> None:
    """Resolvers answer SERVFAIL to a CNAME loop; asking for the CNAMEs one by one shows the loop."""
    looping = recursive((NAME, "www CNAME a", "a CNAME b", "b CNAME a"))
    async with resolver(when(lambda _, rdtype: rdtype == "CNAME", looping, rcode("SERVFAIL"))) as resolving:
        reply = await resolving.lookup("www.example.com", "A")
        assert (reply.status, reply.cnames[-1]) == ("loop", "a.example.com")


async def test_chain_of_ten_is_followed() -> None:
    """A chain of ten CNAMEs resolves, with all ten kept."""
    lines = [f"h{n} CNAME h{n + 1}" for n in range(10)]
    async with resolver(recursive((NAME, *lines, "h10 A 192.0.2.1"))) as resolving:
        reply = await resolving.lookup("h0.example.com", "A")
        assert (reply.status, len(reply.cnames)) == ("ok", 10)


class _Noting(asyncio.DatagramProtocol):
    """Answers nothing, and keeps (port, identifier) of what comes."""

    def __init__(self) -> None:
        self.seen: list[tuple[int, int]] = []

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.seen.append((addr[1], int.from_bytes(data[:2])))


async def test_each_question_has_a_port_and_an_identifier_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who forges answers must guess both anew for each question."""
    monkeypatch.setattr(network_dns, "DNS_SECONDS", 0.05)
    loop = asyncio.get_running_loop()
    transport, noting = await loop.create_datagram_endpoint(_Noting, local_addr=("127.0.0.1", 0))
    endpoint = transport.get_extra_info("sockname")[:2]
    try:
        await asyncio.gather(*(ask(endpoint, Question(NAME, "A"), attempts=1) for _ in range(40)))
    finally:
        transport.close()
    assert len(noting.seen) == 40
    assert len({port for port, _ in noting.seen}) > 30
    assert len({identifier for _, identifier in noting.seen}) > 30


async def test_all_attempts_together_end_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Silence at each attempt costs no more than the question's whole time, by whomever it is asked."""
    monkeypatch.setattr(network_dns, "DNS_TOTAL_SECONDS", 0.4)
    async with serve(silent) as server:
        reply = await ask(server.endpoint, Question(NAME, "A"), attempts=9)
        assert (reply.status, reply.detail) == ("timeout", "no answer in 0.4 s")
        assert len(server.asked) == 2
    async with AsyncExitStack() as running:
        servers = [await running.enter_async_context(serve(silent)) for _ in range(5)]
        reply = await Resolver([server.endpoint for server in servers]).lookup(NAME, "A")
    assert reply.status == "timeout"
    assert [len(server.asked) for server in servers] == [1, 1, 0, 0, 0]


async def test_two_questions_at_once_end_with_their_caller() -> None:
    """Both answers come in order; where the caller gives up, neither question goes on."""
    direct = Direct()
    async with serve(HEALTHY) as server:
        a, www = await direct.ask_both(server.endpoint, Question(NAME, "A"), Question("www.example.com", "CNAME"))
    assert (a.count, www.records) == (3, (NAME,))
    async with serve(silent) as server:
        before = asyncio.all_tasks()
        asking = asyncio.create_task(direct.ask_both(server.endpoint, Question(NAME, "A"), Question(NAME, "AAAA")))
        await asyncio.sleep(0.05)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await asyncio.sleep(0)
        assert len(server.asked) == 2
        assert asyncio.all_tasks() <= before


async def test_both_families_are_asked_for_at_once() -> None:
    """The second question does not wait for the first one's answer."""
    async with serve(silent) as server:
        looking = asyncio.create_task(Resolver([server.endpoint]).lookup_both(NAME))
        await asyncio.sleep(0.05)
        assert not looking.done()
        assert set(server.asked) == {(NAME, "A", "udp"), (NAME, "AAAA", "udp")}
        a, aaaa = await looking
    assert (a.rdtype, a.status, aaaa.rdtype, aaaa.status) == ("A", "timeout", "AAAA", "timeout")


async def test_silent_server_costs_one_timeout() -> None:
    """However many questions there are for a dead server, they end together, those that had to queue included."""
    direct = Direct()
    async with serve(silent) as server:
        questions = [Question(f"h{n}.example.com", "A") for n in range(200)]
        replies = await asyncio.gather(*(direct.ask(server.endpoint, q, attempts=1) for q in questions))
        assert {reply.status for reply in replies} == {"timeout"}
        assert len(server.asked) == 64


def test_resolv_conf_is_read() -> None:
    """The first three nameserver lines count, comments and options do not; none means this host's own."""
    text = "# generated\nsearch x.test\nnameserver 10.0.0.2\nnameserver fe80::1%eth0 # x\n;nameserver 1.1.1.1\n"
    assert system_endpoints(text) == (("10.0.0.2", 53), ("fe80::1%eth0", 53))
    assert system_endpoints("nameserver") == (("127.0.0.1", 53),)
    assert len(system_endpoints("nameserver 127.0.0.1\n" * 9)) == 3
