"""Every code against real servers: each broken site is named rightly, each healthy one left alone."""

from collections.abc import Mapping

import pytest
from padlock.rules import RULES

from tests.lab.look import Seen
from tests.lab.scenarios import BROKEN, HEALTHY, Scenario

ORDINARY = frozenset({"hsts.missing", "certificate.default_differs", "app.health_missing"})
"""Notices that any plain site behind a shared server gets."""

NEVER_FOUND = {"app.blocked": "challenge.test"}
"""Codes that only tell what could not be seen → a site that shows it."""

CAUSES = {
    "servfail.test": "cause.dns_broken",
    "stale-record.test": "cause.dns_wrong_server",
    "firewall.test": "cause.port_blocked",
    "expired.test": "cause.renewal_broken",
    "mismatch.test": "cause.certificate_coverage",
    "forgotten.test": "cause.server_name",
    "gunicorn-down.test": "cause.upstream_down",
    "loop-scheme.test": "cause.redirect_loop",
    "scheme-lost-login.test": "cause.proxy_headers",
}
"""Site → what stands first among the causes of its findings."""


def _named(scenario: Scenario) -> str:
    return f"{scenario.code}-{scenario.name}" if scenario.code else scenario.name


@pytest.mark.parametrize("scenario", BROKEN, ids=_named)
def test_a_broken_site_is_named_rightly(scenario: Scenario, seen: Mapping[str, Seen]) -> None:
    """The right code stands first, says what was seen, and brings no company that is not due."""
    report = seen[scenario.name].report
    shown = "\n".join(f"{f.severity.value} {f.code} {f.subject}: {f.observed}" for f in report.findings)
    findings = [f for f in report.findings if f.code == scenario.code or f.code not in ORDINARY]
    first = scenario.first or scenario.code
    assert findings, "nothing was found"
    assert findings[0].code == first, shown
    matching = [f for f in findings if f.code == scenario.code]
    assert matching, shown
    assert matching[0].severity.value == scenario.severity, shown
    assert any(scenario.says in f"{f.subject} {f.observed} {f.expected}" for f in matching), shown
    assert {f.code for f in findings} <= {first, scenario.code, *scenario.also}, shown


@pytest.mark.parametrize("scenario", HEALTHY, ids=_named)
def test_a_healthy_site_is_left_alone(scenario: Scenario, seen: Mapping[str, Seen]) -> None:
    """Nothing above a notice, no notice that is not due, and no fault of Padlock's own."""
    report = seen[scenario.name].report
    shown = "\n".join(f"{f.severity.value} {f.code} {f.subject}: {f.observed}" for f in report.findings)
    assert {f.code for f in report.findings} <= {*ORDINARY, *scenario.also}, shown
    assert report.status in ("ok", "notice"), shown
    assert not [entry for entry in report.not_assessed if "fault of Padlock" in entry.reason]


@pytest.mark.parametrize("scenario", BROKEN, ids=_named)
def test_each_finding_can_be_acted_on(scenario: Scenario, seen: Mapping[str, Seen]) -> None:
    """Whatever is found says what it saw, what it matters and what to do, with every placeholder filled in."""
    report = seen[scenario.name].report
    assert not [entry for entry in report.not_assessed if "fault of Padlock" in entry.reason]
    for finding in report.findings:
        assert finding.observed
        assert finding.impact
        assert finding.remediation
        assert "{host}" not in finding.remediation


@pytest.mark.parametrize("scenario", [s for s in BROKEN if s.name in CAUSES], ids=_named)
def test_the_cause_is_inferred(scenario: Scenario, seen: Mapping[str, Seen]) -> None:
    """The first cause is the true one, it explains the scenario's finding, and it says how to fix it."""
    causes = seen[scenario.name].report.causes
    assert causes
    assert causes[0].code == CAUSES[scenario.name]
    assert scenario.code in causes[0].explains
    assert causes[0].remediation


@pytest.mark.parametrize("scenario", HEALTHY, ids=_named)
def test_a_healthy_site_has_no_cause(scenario: Scenario, seen: Mapping[str, Seen]) -> None:
    """Nothing is explained where nothing is wrong."""
    assert seen[scenario.name].report.causes == ()


def test_every_rule_has_a_broken_site() -> None:
    """No code that is seen from outside is without a real site that shows it, and no site shows one that is gone."""
    from_outside = {code for code, rule in RULES.items() if rule.reads != "host"}
    assert {scenario.code for scenario in BROKEN} | set(NEVER_FOUND) == from_outside


@pytest.mark.parametrize(("code", "site"), NEVER_FOUND.items())
def test_what_cannot_be_seen_is_told(code: str, site: str, seen: Mapping[str, Seen]) -> None:
    """A site that shows the checker something of its own is not called well, and the code says so of it alone."""
    told = {name: [e.reason for e in one.report.not_assessed if e.code == code] for name, one in seen.items()}
    assert told[site]
    assert "challenge" in told[site][0]
    assert told["shop.test"] == []


@pytest.mark.parametrize("scenario", [s for s in HEALTHY if s.name == "shop.test"], ids=_named)
def test_dead_sites_delay_no_other(scenario: Scenario, seen: Mapping[str, Seen]) -> None:
    """The healthy site ends within seconds although it is gathered beside sites that never answer."""
    assert seen[scenario.name].evidence.timings["total"] < 10
