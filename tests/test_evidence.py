"""Evidence is plain data: it survives JSON unchanged, and judges the same at any later time."""

import json
import typing
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


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (ev.Failure("refused"), "the connection is refused: nothing listens there"),
        (ev.Failure("timeout", "connect"), "no answer to the connection: a firewall drops it, or the machine is off"),
        (ev.Failure("timeout", "tls"), "the connection opens, but the TLS handshake is not answered in time"),
        (
            ev.Failure("timeout", "headers"),
            "the connection opens, but the headers of the answer do not come in time",
        ),
        (ev.Failure("timeout", "no whole answer in 5 seconds"), "no whole answer in 5 seconds"),
        (ev.Failure("reset", "headers"), "the connection is reset before the headers of the answer are complete"),
        (
            ev.Failure("closed", "headers"),
            "the server closes the connection before the headers of the answer are complete",
        ),
        (ev.Failure("closed"), "the server closes the connection"),
        (
            ev.Failure("unreachable", "body: No route to host"),
            "the connection breaks off within the body of the answer",
        ),
        (ev.Failure("unreachable", "No route to host"), "it cannot be reached: No route to host"),
        (ev.Failure("alert", "internal_error"), "the server ends the TLS handshake with an alert: internal_error"),
        (ev.Failure("not_tls", "SSH-2.0-OpenSSH"), "what answers is not TLS: SSH-2.0-OpenSSH"),
        (ev.Failure("tls", "no common version"), "no common version"),
        (ev.Failure("protocol_error", "status 503"), "no valid answer: status 503"),
        (
            ev.Failure("protocol_error", "tls record: \\x15\\x03"),
            "a TLS record comes in place of an HTTP answer",
        ),
        (ev.Failure("deadline"), "the time for this site ran out before it was looked at"),
        (
            ev.Failure("not_vetted", "Loopback"),
            "the address may not be connected to, nothing was sent: Loopback",
        ),
    ],
)
def test_failures_in_words(failure: ev.Failure, words: str) -> None:
    """People are told what happened; what breaks after the connection opened is not blamed on a firewall."""
    assert failure.words == words


@pytest.mark.parametrize("phase", ["", "connect", "tls", "headers", "body", "tls: Broken pipe"])
@pytest.mark.parametrize("kind", typing.get_args(ev.FailureKind.__value__))
def test_no_failure_is_told_by_its_name(kind: ev.FailureKind, phase: str) -> None:
    """Each kind has words in each phase: none is shown as `kind (phase)`."""
    words = ev.Failure(kind, phase).words
    assert " " in words
    assert f"({phase})" not in words
    assert not words.startswith((f"{kind} ", f"{kind.replace('_', ' ')} "))
