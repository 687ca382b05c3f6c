"""Assessment: every rule applied to the evidence, and what a report says of it."""

from collections.abc import Iterator
from datetime import timedelta

import msgspec
import pytest
from padlock import evidence as ev
from padlock.assess import assess
from padlock.findings import Severity
from padlock.rules import RULES, Problem, Rule, Unknown
from padlock.rules._rule import Outcome
from padlock.site import Site

from tests.evidence_builder import (
    LEAF,
    NOW,
    certificate,
    change,
    codes,
    healthy,
    report,
    with_exchange,
    with_leaf,
    with_port,
)

HTTPS = "https://example.com/"
EXPIRED = with_leaf(healthy(), not_after=NOW - timedelta(days=1))


def test_healthy_site() -> None:
    """A healthy site has nothing above a notice, and everything was looked at."""
    judged = report(healthy())
    assert judged.status == "notice"
    assert {finding.severity for finding in judged.findings} <= {Severity.NOTICE}
    assert judged.not_assessed == ()
    assert judged.causes == ()
    assert judged.hosts == ("example.com", "www.example.com")
    assert report(healthy({"name": "example.com", "hsts": "off"})).status == "ok"


def test_the_worst_comes_first() -> None:
    """Findings are sorted by severity, and the status is the worst of them."""
    judged = report(EXPIRED)
    ranks = [finding.severity.rank for finding in judged.findings]
    assert ranks == sorted(ranks)
    assert judged.status == "error"
    assert judged.findings[0].code == "certificate.expired"
    assert [cause.code for cause in judged.causes] == ["cause.renewal_broken"]


def test_warning_status() -> None:
    """A site whose worst finding is a warning has that status."""
    assert report(healthy({"name": "example.com", "hsts": "required"})).status == "warning"


def test_placeholders_are_filled() -> None:
    """No remediation leaves a placeholder, and each names a step of the checklist that exists."""
    for finding in report(with_exchange(EXPIRED, HTTPS, status=502)).findings:
        assert "{host}" not in finding.remediation
        assert finding.step is None or 1 <= finding.step <= 18
        assert finding.summary


def test_what_may_pass_by_itself() -> None:
    """A finding carries its rule's word on whether it may pass by itself: a 502 does, an expired certificate not."""
    judged = report(with_exchange(EXPIRED, HTTPS, status=502))
    passing = {finding.code: finding.reachability for finding in judged.findings}
    assert passing["app.bad_gateway"]
    assert not passing["certificate.expired"]


def test_facts_do_not_pass_by_themselves() -> None:
    """What is configured, issued or registered counts after one look, whatever the subject's other rules are.

    One exception: an application that answers 5xx over plain HTTP for a moment does not redirect for that moment.
    """
    facts = ("certificate.", "redirect.", "hsts.", "canonical.", "registration.", "certbot.", "proxy.", "firewall.")
    passing = [code for code, rule in RULES.items() if rule.reachability and code.startswith(facts)]
    assert passing == ["redirect.missing"]


@pytest.mark.parametrize("entry", ["hsts.missing", "hsts", "hsts.", "hsts.*"])
def test_disabled_checks(entry: str) -> None:
    """A code, or a prefix of codes, is switched off; a part of a word is no prefix."""
    assert "hsts.missing" not in codes(healthy({"name": "example.com", "disable": [entry]}))
    assert "hsts.missing" in codes(healthy({"name": "example.com", "disable": ["hst", "hsts.miss"]}))


def test_severity_of_the_site() -> None:
    """The site's own severity replaces the rule's."""
    judged = report(healthy({"name": "example.com", "severity": {"hsts.missing": "error"}}))
    assert {f.severity for f in judged.findings if f.code == "hsts.missing"} == {Severity.ERROR}
    assert judged.status == "error"


def test_nothing_gathered_is_inconclusive() -> None:
    """Evidence without observations neither passes nor fails, and says why for every rule."""
    empty = ev.Evidence(site=healthy().site, gathered_at=NOW, incomplete="the deadline ended it")
    judged = assess(empty)
    assert judged.status == "inconclusive"
    outside = {rule.code for rule in RULES.values() if rule.reads != "host"}
    assert {entry.code for entry in judged.not_assessed} == outside
    assert {entry.reason for entry in judged.not_assessed} == {"the deadline ended it"}
    assert all(entry.whole for entry in judged.not_assessed)
    assert {row.status for row in judged.checklist} == {"unknown"}


def test_errors_outweigh_an_incomplete_run() -> None:
    """What was found before the deadline stands."""
    assert report(change(EXPIRED, incomplete="the deadline ended it")).status == "error"


def test_a_fault_of_ours_is_no_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rule that raises is not assessed; the others still judge."""

    def broken(site: Site, evidence: ev.Evidence) -> Iterator[Outcome]:
        yield "example.com", "seen before the fault", ""
        raise ZeroDivisionError("ours")

    own: Rule = msgspec.structs.replace(RULES["redirect.loop"], check=broken)
    monkeypatch.setitem(RULES, "redirect.loop", own)
    judged = report(EXPIRED)
    assert "redirect.loop" not in [finding.code for finding in judged.findings]
    (entry,) = [entry for entry in judged.not_assessed if entry.code == "redirect.loop"]
    assert "fault of Padlock's" in entry.reason
    assert "certificate.expired" in [finding.code for finding in judged.findings]


def test_partly_assessed_still_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is unknown in part is listed, and leaves the step to what was seen."""

    def partly(site: Site, evidence: ev.Evidence) -> Iterator[Outcome]:
        yield Unknown("example.com at 2001:db8::1", "no route", partial=True)

    monkeypatch.setitem(RULES, "redirect.loop", msgspec.structs.replace(RULES["redirect.loop"], check=partly))
    judged = report(healthy())
    assert [entry.code for entry in judged.not_assessed] == ["redirect.loop"]
    assert judged.checklist[10].status == "pass"


def test_certificates_by_expiry() -> None:
    """Each served leaf is listed once per host, the earliest expiry first."""
    seen = healthy()
    assert seen.tls
    sooner = certificate("8" * 64, not_after=NOW + timedelta(days=5))
    looks = tuple(change(h, chain=("8" * 64,)) if h.host == "www.example.com" else h for h in seen.tls.handshakes)
    seen = change(
        seen, tls=change(seen.tls, handshakes=looks, certificates={**seen.tls.certificates, "8" * 64: sooner})
    )
    listed = report(seen).certificates
    assert [(item.host, item.not_after) for item in listed] == [
        ("www.example.com", NOW + timedelta(days=5)),
        ("example.com", seen.tls.certificates[LEAF].not_after if seen.tls else None),
    ]


def test_one_dead_port_is_not_ten_findings() -> None:
    """A closed HTTPS port is one finding for each host; all that needs an answer is not assessed."""
    seen = with_port(healthy(), "https", "refused")
    assert seen.http
    assert seen.tls
    down = ev.Failure("refused", "connect")
    exchanges = tuple(
        change(e, status=None, headers=(), body="", failure=down) if e.url.startswith("https") else e
        for e in seen.http.exchanges
        if e.purpose != "random_host"
    )
    chains = tuple(change(c, end="failure", detail="refused connect") for c in seen.http.chains)
    looks = tuple(change(h, chain=(), failure=down) for h in seen.tls.handshakes)
    seen = change(
        seen, http=change(seen.http, exchanges=exchanges, chains=chains), tls=change(seen.tls, handshakes=looks)
    )
    judged = report(seen)
    assert {finding.code for finding in judged.findings} == {"port.https_closed"}
    assert len(judged.findings) == 2
    assert {"certificate.expired", "app.error", "hsts.missing"} <= {entry.code for entry in judged.not_assessed}
    assert [cause.code for cause in judged.causes] == ["cause.port_blocked"]


def test_a_notice_does_not_hide_what_was_not_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """A notice about one host and another host that was not seen leave the step open; a warning fails it."""

    def mixed(severity: Severity) -> Rule:
        def check(site: Site, evidence: ev.Evidence) -> Iterator[Outcome]:
            yield Problem("example.com", "seen", "", severity)
            yield Unknown("www.example.com", "no answer")

        return msgspec.structs.replace(RULES["redirect.loop"], check=check)

    monkeypatch.setitem(RULES, "redirect.loop", mixed(Severity.NOTICE))
    assert report(healthy()).checklist[10].reason == "no answer"
    monkeypatch.setitem(RULES, "redirect.loop", mixed(Severity.WARNING))
    assert report(healthy()).checklist[10].status == "fail"
