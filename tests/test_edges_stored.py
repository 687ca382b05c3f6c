"""Hostile text on its way into the tables and out: items that fit, alerts that go out, commands that print."""

import asyncio
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from padlock.changes import Policy
from padlock.cli import main
from padlock.evidence import Host
from padlock.findings import CHECKER, Cause, Finding, Report, Severity
from padlock.message.machines import MAX_EVENT
from padlock.notify import Notifier, Topics
from padlock.site import key_of
from padlock.storage import Cache, Hosts, Outbox, Results, Sites
from padlock.storage._items import MAX_LABEL, marshal

from local.aws import EmbeddedAws
from tests import deployed
from tests.hostile_text import HOSTILE, LONG, filled, raw
from tests.reports import NOW, finding, report
from tests.runs import POLICY, stored

LIMIT = 409_600
"""Octets of an item, names of attributes included (DynamoDB, service quotas)."""
MANY = 60
TEXTS = {
    "hostile": HOSTILE,
    "long": LONG,
    "tags": "\U000e0041" * 2_000,
    "zeros": "\x00\\" * 2_000,
    "surrogates": "\ud800" * 2_000,
}
"""Each is largest in another form: as UTF-8, as an escape, as JSON within JSON."""


def octets(value: Any) -> int:
    """Return how large DynamoDB takes a value in its own form to be."""
    ((kind, held),) = value.items()
    if kind == "M":
        return 3 + sum(1 + len(name.encode()) + octets(entry) for name, entry in held.items())
    if kind == "L":
        return 3 + sum(1 + octets(entry) for entry in held)
    return len(held) if isinstance(held, bytes) else len(str(held).encode())


def items(aws: EmbeddedAws, table: str = "ResultsTable") -> Iterator[dict[str, Any]]:
    """Yield what a table holds, in DynamoDB's form."""
    for page in aws.client("dynamodb").get_paginator("scan").paginate(TableName=aws.physical[table]):
        yield from page["Items"]


def full(text: str, number: int, **fields: Any) -> Finding:
    """Return a finding with as much of a text as there can be."""
    texts = dict.fromkeys(("observed", "expected", "impact", "remediation", "reference", "summary"), text)
    return finding("certificate.expired", f"h{number}.example.com {text}", commands=(text,) * 40, **texts, **fields)


def worst(text: str, **fields: Any) -> Report:
    """Return a report that has more of everything than any run has."""
    found = tuple(full(text, number, **fields) for number in range(MANY))
    cause = Cause("cause.x", "likely", text, text, ("certificate.expired",) * MANY, (text,) * 40, (text,) * 500)
    base: Report = filled(Report, text)
    return msgspec.structs.replace(
        base,
        site=key_of(text),
        checked_at=NOW,
        status="error",
        findings=found,
        causes=(cause,) * 5,
        not_assessed=base.not_assessed * 500,
        certificates=base.certificates * 500,
        labels={f"{number}{text}"[:100]: text[:100] for number in range(20)},
        timezone="UTC",
    )


@pytest.mark.parametrize("name", TEXTS)
def test_every_item_fits(aws: EmbeddedAws, results: Results, name: str) -> None:
    """Runs that open, change and close all that is worst are stored, whatever it takes, with their counts."""
    bad = worst(TEXTS[name])
    later = msgspec.structs.replace(bad, checked_at=NOW + timedelta(minutes=5))
    other = tuple(msgspec.structs.replace(one, code="tls.handshake_failed") for one in bad.findings)
    well = report(at=NOW + timedelta(minutes=15), site=bad.site)
    runs = [bad, later, msgspec.structs.replace(later, findings=other), well]
    counts = []
    for run in runs:
        assert stored(results, run) == "applied"
        state = results.state(bad.site)
        assert state is not None
        counts.append((state["open"], state["seq"]))
    assert counts == [({"error": MANY}, 1), ({"error": MANY}, 1), ({"error": MANY}, 2), ({}, 3)]
    sizes = [octets({"M": item}) for item in items(aws)]
    assert len(sizes) == 3 + len(runs) + 3, "the state, its report, the counter of tickets, the runs, the alerts"
    assert max(sizes) < LIMIT
    first = next(item for item in items(aws) if item["sk"]["S"] == "ALERT#0000000001")
    labels = first["change"]["M"]["opened"]["L"]
    assert len(labels) == 50
    assert max(map(octets, labels)) <= MAX_LABEL
    assert json.loads(first["data"]["S"])["counts"]["opened"] == MANY


@pytest.mark.parametrize("name", TEXTS)
def test_what_is_suspected_fits(results: Results, name: str) -> None:
    """Of what may pass by itself as much is kept as there is room for; it is seen again."""
    unsure = worst(TEXTS[name], reachability=True)
    assert stored(results, unsure, policy=Policy(failures=9), looks=1) == "applied"
    kept = results.load(unsure.site).state
    assert kept.findings == ()
    assert len(kept.pending) <= 50
    assert kept.pending or name == "zeros", "as JSON, by which items are measured, it is six times as large"
    assert stored(results, unsure) == "applied"
    assert len(results.load(unsure.site).state.findings) == MANY


def test_alerts_go_out(aws: EmbeddedAws, results: Results) -> None:
    """What was stored is published in its whole form: each channel's limits hold, and nothing raw is in it."""
    topics = Topics(aws.physical["AlertTopic"], aws.physical["ChatTopic"])
    outbox = Outbox(aws.client("dynamodb"), aws.physical["ResultsTable"])
    notifier = Notifier(outbox, aws.client("sns"), aws.client("events"), topics)
    names = ("hostile", "tags", "zeros")
    for name in names:
        bad = worst(TEXTS[name])
        for run in (bad, report(at=NOW + timedelta(minutes=5), site=bad.site)):
            stored(results, run)
        assert notifier.deliver(bad.site) == 2
    mails, chats = aws.mails(), aws.chats()
    assert len(mails) == len(chats) == len(aws.events()) == 2 * len(names)
    for mail in mails:
        assert mail.subject.isascii()
        assert mail.subject.isprintable()
        assert len(mail.subject) <= 99
        assert raw(mail.text) == set()
        assert "could not be sent" not in mail.text, "the whole form, not the plain one"
    for text in (json.dumps(message, ensure_ascii=False) for message in (*chats, *aws.events())):
        assert raw(text) == set()
        assert len(text.encode()) <= MAX_EVENT + 1_000


def test_audits_fit(aws: EmbeddedAws, hosts: Hosts) -> None:
    """A machine may say of itself what it likes, as much as it likes: its audit is stored and read again."""
    for number, text in enumerate(TEXTS.values()):
        said = msgspec.structs.replace(filled(Host, text * 40), name=f"i-0123456789abcdef{number}")
        assert hosts.save(said, NOW, 2_000_000_000)
        (found,) = hosts.load([said.name], NOW)
        assert (found.name, len(found.fault)) == (said.name, len(said.fault))
    assert max(octets({"M": item}) for item in items(aws)) < LIMIT


@pytest.mark.parametrize("key", ["", HOSTILE, LONG, "\ud800", "ari:" + "x" * 1_021], ids=range(5))
def test_key_of_the_cache(aws: EmbeddedAws, key: str, caplog: pytest.LogCaptureFixture) -> None:
    """What no key can be is not kept and not asked for; the run goes on without a word of AWS's."""
    cache = Cache(aws.client("dynamodb"), aws.physical["ResultsTable"])
    asyncio.run(cache.put(key, b"x", NOW + timedelta(days=9)))
    assert asyncio.run(cache.get(key, NOW)) is None
    assert [entry.getMessage()[:21] for entry in caplog.records] == ["not kept in the cache"]


@pytest.fixture
def stack(aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return a stack whose tables and subscriptions hold hostile text, as whoever may write there can put it."""
    deployed.point_the_command_at(aws, monkeypatch)
    text = HOSTILE.encode("utf-8", "replace").decode()
    client = aws.client("dynamodb")
    for name in ("a.example", text[:600], f"b.example{text[:600]}"):
        item: dict[str, Any] = {"name": name, "hosts": [text], "labels": {text: text}, text: text, "interval": text}
        item["acknowledge"] = [{"code": text, "until": text, "subject": text[:300], "note": text[:300]}]
        client.put_item(TableName=aws.physical["SitesTable"], Item=marshal(item))
    results = Results(client, aws.physical["ResultsTable"])
    stored(results, msgspec.structs.replace(worst(text), site="a.example"))
    stored(results, msgspec.structs.replace(worst(text), site=CHECKER))
    row = {"site": f"c {text[:600]}", "sk": "STATE", "status": "error", "failing": "error", "summary": text}
    row |= {"failing_since": "2026-11-20T12:00:00Z", "checked_at": "2026-11-20T12:00:00Z"}
    client.put_item(TableName=aws.physical["ResultsTable"], Item=marshal(row))
    return deployed.describe(aws)


@pytest.mark.parametrize(
    "arguments",
    [
        ["status"],
        ["status", "--json"],
        ["sites", "list"],
        ["sites", "list", "--json"],
        ["sites", "remove", HOSTILE[:300].replace("\ud800", "")],
        ["ack", "a.example", "--list"],
        ["ack", "a.example", "--clear", "all"],
        ["ack", HOSTILE[:300], "--list"],
        ["record", "a.example", "--stored"],
        ["record", "a.example", "--stored", "--json"],
        ["record", "a.example", "--stored", "--since", "2026-11-30"],
        ["test-alert", "--wait", "0"],
    ],
    ids=lambda arguments: " ".join(word if len(word) < 40 else "…" for word in arguments),
)
def test_commands_of_the_stack(stack: str, arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever stands in the tables, what a command prints of it is printable, and no fault of Padlock's."""
    main([*arguments, "--stack", stack])
    said = capsys.readouterr()
    assert said.out or said.err
    assert raw(said.out) == raw(said.err) == set()
    assert "fault of Padlock's" not in said.err
    if "--json" in arguments:
        json.loads(said.out)


def test_a_declaration_with_half_a_character(sites: Sites) -> None:
    """A lone surrogate, which no table can hold, is stored with a replacement."""
    sites.put({"name": "a.example", "labels": {"\ud800": "x\udfff"}})
    assert sites.get("a.example") == {"name": "a.example", "labels": {"?": "x?"}}


def test_the_worst_is_severe_and_known() -> None:
    """The reports of this file are what they claim: errors of checks that exist, one for each subject."""
    found = worst(HOSTILE).findings
    assert {one.severity for one in found} == {Severity.ERROR}
    assert len({one.key for one in found}) == MANY
    assert POLICY.failures == 2
