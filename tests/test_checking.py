"""From a declaration to a stored report: messages, wrong declarations, faults of ours, busy tables."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from padlock.changes import State, fold
from padlock.checking import InvalidMessage, Task, check, invalid, read_task, run_task, save
from padlock.network.vantage import PUBLIC_RESOLVERS, Vantage, from_environment
from padlock.probes.cache import MemoryCache
from padlock.rules import RULES
from padlock.site import key_of, parse
from padlock.storage import Hosts, Results

from local.aws import EmbeddedAws
from tests.loopback_site import LoopbackSite
from tests.reports import NOW, SITE, finding, report
from tests.runs import run_of

SLOT = datetime(2026, 11, 20, 17, 5, tzinfo=UTC)


def test_read_task() -> None:
    """A message is a declaration and a slot; a declaration may be wrong, its name is read all the same."""
    assert read_task('{"site": "A.example", "slot": "2026-11-20T17:05:00Z"}') == Task("A.example", SLOT)
    task = read_task('{"site": {"name": "A.example", "helth": 1}, "slot": "2026-11-20T17:05:00Z"}')
    assert task.name == "a.example"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("", "no JSON"),
        ("\ud800", "no JSON"),
        ("[]", "lacks the keys"),
        ('{"site": "a.example"}', "lacks the keys"),
        ('{"site": {"hosts": []}, "slot": "2026-11-20T17:05:00Z"}', "no name"),
        ('{"site": " ", "slot": "2026-11-20T17:05:00Z"}', "no name"),
        ('{"site": "a.example", "slot": "noon"}', "no time"),
        ('{"site": "a.example", "slot": 5}', "no time"),
        ('{"site": "a.example", "slot": "2026-11-20T17:05:00"}', "no time zone"),
    ],
)
def test_malformed_message_is_named(body: str, message: str) -> None:
    """A message that cannot be understood says what is wrong with it, in one printable line."""
    with pytest.raises(InvalidMessage, match=message) as caught:
        read_task(body)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("declaration", "key"),
    [
        ("Example.COM.", "example.com"),
        ({"name": "bücher.example"}, "xn--bcher-kva.example"),
        ({"name": "not a host\n\u202e"}, r"not a host\n\u202e"),
        ({"name": "x" * 5000}, "x" * 180 + "...c59d3c0480cc2d71"),
        ({"name": 5}, "5"),
        ({}, "(no name)"),
    ],
)
def test_key_of_any_declaration(declaration: Any, key: str) -> None:
    """Every declaration has a printable name of bounded length, also where it is wrong."""
    assert key_of(declaration) == key


def test_invalid_report_assesses_nothing() -> None:
    """A wrong declaration is one error, and every check is not assessed: what was open stays open."""
    wrong = invalid({"name": SITE}, "unknown key", NOW)
    assert [one.code for one in wrong.findings] == ["site.invalid"]
    assert {one.code for one in wrong.not_assessed} == set(RULES)
    state, _ = fold(State(), report(finding(next(iter(RULES)), f"www.{SITE}")))
    assert len(fold(state, wrong)[0].findings) == 2


async def test_real_site_is_checked(shop: LoopbackSite, hosts: Hosts) -> None:
    """A healthy site on loopback has a report without an error, with its certificate and how long it took."""
    here = from_environment({"RESOLVERS": shop.resolver, "ALLOWED_NETWORKS": "127.0.0.0/8"})
    checked = await check(parse(shop.declaration), here, datetime.now(UTC), MemoryCache(), hosts)
    assert (checked.report.status, checked.fault) == ("notice", "")
    assert checked.report.certificates[0].host == shop.name
    assert checked.evidence is not None
    assert 0 < checked.seconds < 30


async def test_fault_of_ours_is_inconclusive(shop: LoopbackSite, hosts: Hosts) -> None:
    """Where Padlock itself fails, the report says so, blames nothing on the site, and resolves nothing."""
    here = Vantage(resolvers=(("127.0.0.1", 9),), public_resolvers=(), networks=("no network",))
    checked = await check(parse(shop.declaration), here, NOW, MemoryCache(), hosts)
    assert checked.report.status == "inconclusive"
    assert "a fault of Padlock's" in checked.fault
    assert checked.report.findings == ()
    assert all(one.whole for one in checked.report.not_assessed)


async def test_stored_run_is_not_made_again(shop: LoopbackSite, results: Results, hosts: Hosts) -> None:
    """A message that comes again after its run was stored is acknowledged without a check."""
    here = from_environment({"RESOLVERS": shop.resolver, "ALLOWED_NETWORKS": "127.0.0.0/8"})
    task = Task(shop.declaration, SLOT)
    first = await run_task(task, results, here, NOW, 2_000_000_000, MemoryCache(), hosts)
    again = await run_task(task, results, here, NOW, 2_000_000_000, MemoryCache(), hosts)
    assert (first.outcome, again.outcome, again.status) == ("applied", "duplicate", None)
    assert results.start_run(shop.name) == 2, "the second one took no ticket"


async def test_declaration_that_could_not_be_sent(results: Results, hosts: Hosts) -> None:
    """What dispatch could not send becomes a finding."""
    ran = await run_task(
        Task(SITE, SLOT, "the declaration has 300000 octets"), results, Vantage(), NOW, 1, MemoryCache(), hosts
    )
    assert ran.status == "error"
    state = results.state(SITE)
    assert state is not None
    assert "300000 octets" in state["findings"][0]["observed"]


def test_runs_at_the_same_time_are_all_applied_or_superseded(results: Results) -> None:
    """Writers in each other's way lose nothing: the state is the fold of the applied runs in ticket order."""
    tickets = [results.start_run(SITE) for _ in range(6)]
    reports = {
        ticket: report(finding(f"x.{ticket % 3}"), at=NOW + timedelta(minutes=ticket), expires=NOW)
        for ticket in tickets
    }

    def write(ticket: int) -> str:
        return save(results, run_of(reports[ticket], ticket, f"{ticket}"), reports[ticket])

    with ThreadPoolExecutor(6) as pool:
        outcomes = dict(zip(tickets, pool.map(write, tickets), strict=True))
    assert set(outcomes.values()) <= {"applied", "superseded"}
    assert outcomes[tickets[-1]] == "applied"
    expected = State()
    changes = 0
    for ticket in (ticket for ticket in tickets if outcomes[ticket] == "applied"):
        expected, change = fold(expected, reports[ticket])
        changes += change is not None
    stored = results.load(SITE)
    assert (stored.state, stored.seq) == (expected, changes)
    assert len(list(results.history(SITE))) == 6


class Busy:
    """A DynamoDB client whose next transactions meet others of the same item."""

    def __init__(self, client: Any, times: int) -> None:
        self._client = client
        self._times = times

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def transact_write_items(self, **arguments: Any) -> Any:
        """Write, unless another transaction is in the way."""
        if self._times == 0:
            return self._client.transact_write_items(**arguments)
        self._times -= 1
        reasons = [{"Code": "TransactionConflict"}, {"Code": "None"}]
        raise ClientError(
            {"Error": {"Code": "TransactionCanceledException"}, "CancellationReasons": reasons},  # type: ignore[typeddict-item]
            "TransactWriteItems",
        )


def test_busy_table_is_tried_again(aws: EmbeddedAws) -> None:
    """A transaction that met another one is made again."""
    busy = Results(Busy(aws.client("dynamodb"), 3), aws.physical["ResultsTable"])  # type: ignore[arg-type]
    assert save(busy, run_of(report(), busy.start_run(SITE)), report()) == "applied"


def test_endless_conflict_ends(aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where others write all the time the run gives up with an error, so that its message comes again."""
    monkeypatch.setattr(time, "sleep", lambda _seconds: None)
    busy = Results(Busy(aws.client("dynamodb"), 99), aws.physical["ResultsTable"])  # type: ignore[arg-type]
    with pytest.raises(TimeoutError, match="8 times"):
        save(busy, run_of(report(), busy.start_run(SITE)), report())
    assert busy.state(SITE) is None


def test_vantage_of_the_environment() -> None:
    """The stack's parameters become the vantage point; own resolvers are not compared with public ones."""
    here = from_environment(
        {"RESOLVERS": "10.0.0.2, 10.0.0.3:5353,[2001:db8::1]:54,::1", "ALLOWED_NETWORKS": " 10.0.0.0/8,"}
    )
    assert here.resolvers == (("10.0.0.2", 53), ("10.0.0.3", 5353), ("2001:db8::1", 54), ("::1", 53))
    assert (here.networks, here.public_resolvers) == (("10.0.0.0/8",), ())
    assert from_environment({"RESOLVERS": ""}).public_resolvers == PUBLIC_RESOLVERS


@pytest.mark.parametrize("text", ["dns.example", "10.0.0.1:0", "10.0.0.1:x", "[::1"])
def test_wrong_resolver_is_named(text: str) -> None:
    """A resolver that is no address fails at the start, not in every check."""
    with pytest.raises(ValueError, match=r"port|address"):
        from_environment({"RESOLVERS": text})
