"""From a declaration to its report: messages, wrong declarations, faults of ours."""

from datetime import UTC, datetime
from typing import Any

import pytest
from padlock.changes import Policy, State, fold
from padlock.checking import InvalidMessage, Task, blind, check, check_task, invalid, read_task
from padlock.network.vantage import PUBLIC_RESOLVERS, Vantage, from_environment
from padlock.probes.cache import MemoryCache
from padlock.rules import RULES
from padlock.site import key_of, parse
from padlock.storage import Hosts

from tests.loopback_site import LoopbackSite
from tests.reports import NOW, SITE, finding, report

SLOT = datetime(2026, 11, 20, 17, 5, tzinfo=UTC)


def test_read_task() -> None:
    """A message is a declaration and a slot; a declaration may be wrong, its name is read all the same."""
    assert read_task('{"site": "A.example", "slot": "2026-11-20T17:05:00Z"}') == Task("A.example", SLOT)
    task = read_task('{"site": {"name": "A.example", "helth": 1}, "slot": "2026-11-20T17:05:00Z"}')
    assert task.name == "a.example"
    assert read_task('{"site": "A.example", "slot": "2026-11-20T17:05:00Z", "removed": true}').removed


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
    state, _ = fold(State(), [report(finding(next(iter(RULES)), f"www.{SITE}"))], Policy())
    assert len(fold(state, [wrong, wrong], Policy())[0].findings) == 2


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


async def test_declaration_that_cannot_be_used_is_not_looked_at(hosts: Hosts) -> None:
    """What dispatch could not send, and what nobody can read, becomes a finding without a look."""
    for task, words in (
        (Task(SITE, SLOT, "the declaration has 300000 octets"), "300000 octets"),
        (Task({"name": SITE, "helth": 1}, SLOT), "helth"),
    ):
        checked = await check_task(task, Vantage(), NOW, MemoryCache(), hosts)
        assert checked.evidence is None
        assert [one.code for one in checked.report.findings] == ["site.invalid"]
        assert words in checked.report.findings[0].observed


def test_blind_report_hides_everything() -> None:
    """A look that saw nothing says of every rule why."""
    unseen = blind(SITE, NOW, "no network")
    assert (unseen.status, unseen.findings) == ("inconclusive", ())
    assert {one.code for one in unseen.not_assessed} == set(RULES)
    assert all(one.whole and one.reason == "no network" for one in unseen.not_assessed)


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
