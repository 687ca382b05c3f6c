"""The latest audit of each machine in the Results table: the newest is kept, and trouble becomes its fault."""

import secrets
import zlib
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from padlock.evidence import Host, Listener, LogTail
from padlock.site import host_name
from padlock.storage import Hosts
from padlock.storage.hosts import MAX_OCTETS, PREFIX

from local.aws import EmbeddedAws

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
WEB, OTHER = "i-0123456789abcdef0", "mi-0123456789abcdef1"


def machine(name: str = WEB, **fields: Any) -> Host:
    """Return a machine's evidence."""
    return Host(name, NOW, **fields)


def test_audit_comes_back_as_it_was(hosts: Hosts) -> None:
    """What was kept is loaded, equal, in the order of the names, each machine once."""
    web = machine(listeners=(Listener("192.0.2.1", 443, "nginx"),), logs=(LogTail("error", "/var/log/x", ("é\n",)),))
    other = machine(OTHER, fault="it was not reached")
    assert hosts.save(web, NOW, 2_000_000_000)
    assert hosts.save(other, NOW, 2_000_000_000)
    assert hosts.load((OTHER, WEB, OTHER), NOW) == (other, web)
    assert hosts.load((), NOW) == ()


def test_later_audit_wins(hosts: Hosts) -> None:
    """An answer that comes late, or twice, never replaces a later one; a fault replaces what was known before."""
    first, second = machine(system="old"), machine(fault="it was not reached")
    assert hosts.save(first, NOW, 1)
    assert hosts.save(first, NOW, 1), "the same event again"
    assert hosts.save(second, NOW + MINUTE, 1)
    assert not hosts.save(first, NOW, 1)
    assert hosts.load((WEB,), NOW) == (second,)


def test_machine_that_was_never_audited(hosts: Hosts) -> None:
    """What is not stored is there with its fault, which says what to do."""
    hosts.save(machine(), NOW, 1)
    never, known = hosts.load((OTHER, WEB), NOW)
    assert (never.name, never.collected_at) == (OTHER, NOW)
    assert "Padlock=audit" in never.fault
    assert known.fault == ""


def test_item_expires_and_can_be_read_by_people(aws: EmbeddedAws, hosts: Hosts) -> None:
    """The item has the table's TTL attribute, when it was and what went wrong, and no attribute of an index."""
    hosts.save(machine(system="Debian", fault="not reached"), NOW, 2_000_000_000)
    key = {"site": {"S": f"{PREFIX}{WEB}"}, "sk": {"S": "HOST"}}
    item = aws.client("dynamodb").get_item(TableName=aws.physical["ResultsTable"], Key=key)["Item"]
    assert item["ttl"] == {"N": "2000000000"}
    assert item["audited_at"] == {"S": "2026-11-20T12:00:00Z"}
    assert (item["system"], item["fault"]) == ({"S": "Debian"}, {"S": "not reached"})
    assert set(item) == {"site", "sk", "audited_at", "fault", "system", "evidence", "ttl"}


def test_key_is_no_host_name() -> None:
    """No site can be declared under a machine's key, and so none can write it."""
    with pytest.raises(ValueError, match="no host name has"):
        host_name(f"{PREFIX}{WEB}.example")


def test_evidence_too_large_is_a_fault(hosts: Hosts) -> None:
    """Evidence that no item can hold is kept as a fault; what fits stays whole."""
    long = machine(logs=(LogTail("error", "/var/log/x", tuple(secrets.token_hex(50) for _ in range(9000))),))
    assert len(zlib.compress(repr(long).encode())) > MAX_OCTETS
    assert hosts.save(long, NOW, 1)
    (loaded,) = hosts.load((WEB,), NOW)
    assert "too large to be kept" in loaded.fault
    assert loaded.logs is None


@pytest.mark.parametrize(
    "evidence", [b"", b"junk", zlib.compress(b"{"), zlib.compress(b'{"name": 5}'), zlib.compress(b"[]")]
)
def test_evidence_of_another_version(aws: EmbeddedAws, hosts: Hosts, evidence: bytes) -> None:
    """An item that cannot be read any more is a fault of that machine only."""
    aws.client("dynamodb").put_item(
        TableName=aws.physical["ResultsTable"],
        Item={"site": {"S": f"{PREFIX}{WEB}"}, "sk": {"S": "HOST"}, "evidence": {"B": evidence}},
    )
    hosts.save(machine(OTHER), NOW, 1)
    broken, whole = hosts.load((WEB, OTHER), NOW)
    assert "another version" in broken.fault
    assert whole == machine(OTHER)


def test_table_that_is_gone_costs_the_word_only(aws: EmbeddedAws) -> None:
    """Where the table cannot be read, every machine has a fault and nothing is raised."""
    gone = Hosts(aws.client("dynamodb"), "no-such-table")
    assert [host.fault for host in gone.load((WEB, OTHER), NOW)] == ["its audit could not be read from the table"] * 2


class Busy:
    """A client of DynamoDB that gives only one item of each request, as a throttled table does."""

    def __init__(self, client: Any, *, stuck: bool = False) -> None:
        self._client = client
        self._stuck = stuck

    def batch_get_item(self, RequestItems: Any) -> Any:  # noqa: N803 — DynamoDB's name
        """Read the first key, if it is not stuck, and give the others back."""
        ((table, request),) = RequestItems.items()
        first, *rest = request["Keys"]
        if self._stuck:
            return {"Responses": {}, "UnprocessedKeys": RequestItems}
        answer = self._client.batch_get_item(RequestItems={table: {"Keys": [first]}})
        return answer | {"UnprocessedKeys": {table: {"Keys": rest}} if rest else {}}


def test_what_the_table_left_out_is_asked_for_again(aws: EmbeddedAws, hosts: Hosts) -> None:
    """A throttled table is asked again, a few times; then its silence is a fault, not an absence."""
    hosts.save(machine(), NOW, 1)
    hosts.save(machine(OTHER), NOW, 1)
    table, client = aws.physical["ResultsTable"], aws.client("dynamodb")
    assert Hosts(Busy(client), table).load((WEB, OTHER), NOW) == (machine(), machine(OTHER))  # type: ignore[arg-type]
    stuck = Hosts(Busy(client, stuck=True), table).load((WEB,), NOW)  # type: ignore[arg-type]
    assert "could not be read" in stuck[0].fault
