"""The record of a site whose machine was audited: nothing stays open, and what a machine cannot say is said so."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from padlock.evidence import Evidence, Ran, decode, encode
from padlock.findings import Report
from padlock.record import of

from tests.evidence_builder import NOW, caa, change, healthy, report, with_caa, with_leaf
from tests.host_builder import certbot, host, nginx, with_audit

ONLY_BY_HOST = (5, 6, 9, 14, 17)


def statuses(evidence: Evidence) -> dict[int, str]:
    """Return step → status."""
    return {row.step: row.status for row in report(evidence).checklist}


def test_a_healthy_site_with_its_machine() -> None:
    """Every step, line and result passes, at the time of the evidence."""
    judged = report(with_audit(healthy()))
    assert judged.checked_at == NOW
    assert {row.status for row in judged.checklist} == {"pass"}
    assert [line.status for line in judged.lines] == ["pass"] * 17
    assert [one.status for one in judged.results] == ["pass"] * 5
    assert judged.not_assessed == ()


def test_without_the_machine() -> None:
    """What only it can tell is unknown, and so are the lines about that."""
    judged = report(healthy())
    assert [row.step for row in judged.checklist if row.status == "unknown"] == [*ONLY_BY_HOST, 18]
    assert [number for number, line in enumerate(judged.lines, 1) if line.status == "unknown"] == [5, 9, 15]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"collected_at": NOW - timedelta(days=3)}, "3 days old"),
        ({"fault": "the command was cancelled"}, "cancelled"),
    ],
    ids=["stale", "failed"],
)
def test_an_audit_that_says_nothing(fields: dict[str, Any], reason: str) -> None:
    """The same steps are unknown, with that reason; what shows from outside is told as ever."""
    judged = report(with_audit(healthy(), **fields))
    unknown = {row.step: row.reason for row in judged.checklist if row.status == "unknown"}
    assert sorted(unknown) == [*ONLY_BY_HOST, 18]
    assert all(reason in unknown[step] for step in ONLY_BY_HOST)


@pytest.mark.parametrize(
    "fields",
    [
        {"certbot": None, "certificates": ()},
        {"nginx": None, "certbot": None, "certificates": (), "upstreams": ()},
        {"filters": ()},
        {"logs": ()},
    ],
    ids=["no certbot", "another web server", "no firewall", "no logs"],
)
def test_machines_of_another_kind_leave_no_step_open(fields: dict[str, Any]) -> None:
    """Behind a load balancer with a certificate of its own, without a firewall: passed or not applicable."""
    outside = with_leaf(healthy(), issuer="CN=Amazon RSA 2048 M02,O=Amazon,C=US", serial="77")
    outside = with_caa(outside, caa("example.com", "amazon.com"))
    assert "unknown" not in statuses(with_audit(outside, **fields)).values()


def test_two_machines() -> None:
    """One that fails fails the step; one that did not answer leaves it open."""
    broken = host(name="web-2", certbot=certbot(timers=()))
    assert statuses(change(healthy(), host=(host(), broken)))[14] == "fail"
    silent = host(name="web-2", fault="it is off")
    assert statuses(change(healthy(), host=(host(), silent)))[14] == "unknown"


def test_what_a_machine_says_fails_steps_and_lines() -> None:
    """The codes of the machine stand behind the step and the line that they fail."""
    refused = Ran("nginx -t", 1, 'nginx: [emerg] unknown directive "servr" in /etc/nginx/nginx.conf:3')
    judged = report(with_audit(healthy(), nginx=nginx(test=refused)))
    assert (judged.checklist[4].status, judged.checklist[4].codes) == ("fail", ("nginx.invalid",))
    assert (judged.lines[4].status, judged.lines[4].codes) == ("fail", ("nginx.invalid",))


def test_reports_of_before() -> None:
    """A stored report without the lines is still one, and a new one goes through JSON unchanged."""
    judged = report(with_audit(healthy()))
    plain = msgspec.to_builtins(judged)
    assert msgspec.convert(plain, Report) == judged
    del plain["lines"], plain["results"]
    assert msgspec.convert(plain, Report).lines == ()


def test_host_evidence_is_stored() -> None:
    """Evidence with a machine is judged the same after it went through JSON."""
    seen = with_audit(healthy())
    assert report(decode(encode(seen))) == report(seen)


def test_a_step_of_another_version() -> None:
    """A report that knows of more steps than this version still has a record, with every step's number."""
    judged = report(healthy())
    later = msgspec.structs.replace(judged.checklist[-1], step=19)
    made = of(msgspec.structs.replace(judged, checklist=(*judged.checklist, later)))
    assert [line.title for line in made.steps][17:] == [
        "18. The final results are recorded",
        "19. a step of another version",
    ]
