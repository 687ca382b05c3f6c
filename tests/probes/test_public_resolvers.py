"""The three public resolvers: what they answered once, and each of them or all of them down."""

import contextlib
import json
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime

import dns.flags
import msgspec
import pytest
from padlock.assess import assess
from padlock.evidence import Evidence
from padlock.findings import Report
from padlock.network import dns as network_dns
from padlock.probes import gather

from tests import captured
from tests.dns_server import Answer, Query, rcode, recursive, serve, silent, truncated
from tests.servers import free_port, pages, reply, stage

SHOP = pages({"/": reply(200, "<title>Shop</title>")})
GOOD = recursive(("example.com", "@ NS ns.example.com.", "@ A 127.0.0.1", "ns A 127.0.0.1"))
ADDRESSES = ("127.0.0.1", "127.0.0.2", "127.0.0.3")
CODE = "dns.resolvers_disagree"
SECONDS = 1.5
"""That an answer is waited for here."""


def _garbage(_query: Query, _transport: str) -> bytes:
    return b"\0\1\2"


def _no_answer(query: Query, _transport: str) -> bytes:
    """Send the question back."""
    return query.to_wire()


TROUBLES: Mapping[str, Answer | None] = {
    "closed": None,
    "silent": silent,
    "refuses": rcode("REFUSED"),
    "garbage": _garbage,
    "echo": _no_answer,
    "truncated": truncated(rcode("REFUSED")),
}
REAL = json.loads(captured.text("resolvers.json"))


@pytest.fixture(autouse=True)
def _short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network_dns, "DNS_SECONDS", SECONDS)


@contextlib.asynccontextmanager
async def asked(*answers: Answer | None) -> AsyncIterator[tuple[Evidence, Report]]:
    """Look at a site while the three resolvers do this; None: nobody listens."""
    async with contextlib.AsyncExitStack() as stack:
        endpoints: list[tuple[str, int]] = []
        for address, answer in zip(ADDRESSES, answers, strict=True):
            if answer is None:
                endpoints.append((address, free_port(address)))
                continue
            server = await stack.enter_async_context(serve(answer, address))
            endpoints.append(server.endpoint)
        lab = await stack.enter_async_context(stage(SHOP, SHOP))
        seen = await gather(
            lab.site, datetime.now(UTC), msgspec.structs.replace(lab.vantage, public_resolvers=tuple(endpoints))
        )
        yield seen, assess(seen)


def statuses(seen: Evidence) -> Sequence[str]:
    """Return how each resolver's look-up of the host ended."""
    assert seen.dns
    found = {answer.resolver: answer.a.status for answer in seen.dns.public}
    return [found[address] for address in ADDRESSES]


@pytest.mark.parametrize("trouble", TROUBLES)
@pytest.mark.parametrize("number", range(3), ids=["first", "second", "third"])
async def test_one_that_is_down_says_nothing(number: int, trouble: str) -> None:
    """The others are compared; nothing is made of one that gives no answer."""
    answers: list[Answer | None] = [GOOD, GOOD, GOOD]
    answers[number] = TROUBLES[trouble]
    began = time.monotonic()
    async with asked(*answers) as (seen, report):
        assert time.monotonic() - began < 6
    found = statuses(seen)
    assert found[number] not in ("ok", "nodata", "nxdomain", "servfail")
    assert [status for place, status in enumerate(found) if place != number] == ["ok", "ok"]
    assert CODE not in {finding.code for finding in report.findings}
    assert CODE not in {entry.code for entry in report.not_assessed}


@pytest.mark.parametrize("trouble", TROUBLES)
async def test_all_of_them_down_is_not_assessed(trouble: str) -> None:
    """Nobody is left to compare with, which is said, and takes nothing else along."""
    began = time.monotonic()
    async with asked(*[TROUBLES[trouble]] * 3) as (seen, report):
        assert time.monotonic() - began < 6
    (entry,) = [entry for entry in report.not_assessed if entry.code == CODE]
    assert entry.reason == "no public resolver answered from here"
    assert CODE not in {finding.code for finding in report.findings}
    assert seen.http
    assert [e.status for e in seen.http.of("front")] == [200]


async def test_all_agree() -> None:
    """Three answers are assessed, and no finding."""
    async with asked(GOOD, GOOD, GOOD) as (seen, report):
        pass
    assert statuses(seen) == ["ok", "ok", "ok"]
    assert CODE not in {finding.code for finding in report.findings}
    assert CODE not in {entry.code for entry in report.not_assessed}


def _as_captured(entry: Mapping[str, str | int]) -> Answer:
    """Return a resolver that says what one said of a name, and knows the answer if it need not validate."""
    refuses = rcode(str(entry["rcode"]), (int(entry["code"]), str(entry["text"])))
    return lambda query, transport: (GOOD if query.flags & dns.flags.CD else refuses)(query, transport)


@pytest.mark.parametrize(
    "entry", REAL, ids=[f"{entry['resolver']}-{entry['rcode']}-{entry['code']}" for entry in REAL]
)
async def test_what_they_say_of_names_that_they_deny(entry: Mapping[str, str | int]) -> None:
    """Their extended DNS errors reach the finding, in their own words where there are any."""
    async with asked(GOOD, GOOD, _as_captured(entry)) as (seen, report):
        pass
    (finding,) = [finding for finding in report.findings if finding.code == CODE]
    assert finding.severity == "warning"
    assert f"{ADDRESSES[2]}: {entry['rcode']} (extended DNS error {entry['code']} " in finding.observed
    assert str(entry["text"]) in finding.observed
    assert seen.dns
    unchecked = next(answer.unchecked for answer in seen.dns.public if answer.resolver == ADDRESSES[2])
    assert (unchecked.status if unchecked else None) == ("ok" if entry["rcode"] == "SERVFAIL" else None)
