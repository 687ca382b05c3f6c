"""Evidence is plain data: it survives JSON unchanged, and judges the same at any later time."""

import json
from datetime import timedelta

import msgspec
import pytest
from padlock import evidence as ev
from padlock.assess import assess
from padlock.evidence import decode, encode

from tests.evidence_builder import (
    ADDRESS,
    NOW,
    change,
    healthy,
    host_dns,
    with_address,
    with_exchange,
    with_leaf,
    with_port,
)

HTTPS = "https://example.com/"
FULL = {
    "name": "example.com",
    "hosts": ["example.com", "www.example.com"],
    "canonical": "example.com",
    "addresses": [ADDRESS, "2001:db8::/32"],
    "health": {"path": "/health", "json": {"up": True, "load": 0.5, "n": 1, "text": "ü", "none": None}},
    "expect": {"status": [200], "header": {"Server": "nginx"}},
    "thresholds": {"certificate_days": 20},
    "severity": {"hsts.missing": "error"},
    "labels": {"team": "shop"},
}
CASES = {
    "healthy": healthy(),
    "declared": healthy(FULL),
    "two addresses": with_address(healthy()),
    "port closed": with_port(healthy(), "https", "timeout"),
    "expired": with_leaf(healthy(), not_after=NOW - timedelta(days=1)),
    "hostile text": with_exchange(healthy(), HTTPS, title="\u202eevil\x1b[31m\x00", body="<script>\ud7ff\U0001f512"),
    "nothing": ev.Evidence(site=healthy().site, gathered_at=NOW, incomplete="the deadline ended it"),
}


@pytest.mark.parametrize("evidence", CASES.values(), ids=CASES.keys())
def test_json_and_back(evidence: ev.Evidence) -> None:
    """Encoded and decoded it is equal, types included, and its JSON is stable."""
    again = decode(encode(evidence))
    assert again == evidence
    assert encode(again) == encode(evidence)
    assert json.loads(encode(evidence))["site"]["name"] == "example.com"


@pytest.mark.parametrize("evidence", CASES.values(), ids=CASES.keys())
def test_replay(evidence: ev.Evidence) -> None:
    """Stored evidence gives the same report as fresh evidence, by the clock that it carries."""
    assert assess(decode(encode(evidence))) == assess(evidence)
    assert assess(evidence).checked_at == NOW


def test_older_evidence_still_decodes() -> None:
    """Evidence without a field that came later takes its default; one with an unknown field is read too."""
    document = json.loads(encode(healthy()))
    for exchange in document["http"]["exchanges"]:
        del exchange["found"], exchange["confirmed"]
    document["weather"] = "fine"
    assert decode(json.dumps(document)) == healthy()


@pytest.mark.parametrize("data", ["", "[]", "{}", '{"site": {"name": 1}, "gathered_at": "2026-11-20T12:00:00Z"}'])
def test_what_is_no_evidence(data: str) -> None:
    """Other documents are refused with an error that says where."""
    with pytest.raises(msgspec.DecodeError):
        decode(data)


def test_hosts_that_are_judged() -> None:
    """Declared hosts always, derived siblings only where they exist."""
    seen = healthy()
    assert seen.dns
    absent = change(seen.dns, hosts=(host_dns("example.com", ADDRESS), host_dns("www.example.com", derived=True)))
    assert change(seen, dns=absent).hosts == ("example.com",)
    declared = change(seen.dns, hosts=(host_dns("example.com", ADDRESS), host_dns("www.example.com")))
    assert change(seen, dns=declared).hosts == ("example.com", "www.example.com")
    assert change(seen, dns=None).hosts == ("example.com",)


def test_failures_of_ours() -> None:
    """What stopped at our side says nothing about the site."""
    assert ev.Failure("deadline").is_ours
    assert ev.Failure("no_route").is_ours
    assert not ev.Failure("timeout", "connect").is_ours
