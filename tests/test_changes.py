"""fold: which runs open, worsen, ease and resolve what, and which of them are worth an alert."""

from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
from padlock import evidence as ev
from padlock.changes import MAX_SUBJECT, Change, State, fold
from padlock.findings import Cause, NotAssessed, Report, Severity

from tests import evidence_builder as builder
from tests.reports import NOW, finding, report

LATER = NOW + timedelta(minutes=5)
EXPIRED = finding("certificate.expired")
CLOSED = finding("port.https_closed", "www.example.com")
SLOW = finding("app.slow", severity="warning")


def folded(*reports: Report) -> tuple[State, Change | None]:
    """Return the state after runs in this order, and what the last one changed."""
    state, change = State(), None
    for one in reports:
        state, change = fold(state, one)
    return state, change


def keys(findings: Any) -> list[str]:
    """Return the codes of findings."""
    return [one.code for one in findings]


def test_first_healthy_run_is_silent() -> None:
    """A site that is found healthy at once makes no alert."""
    state, change = folded(report())
    assert change is None
    assert state.status == "ok"


def test_first_failing_run_alerts() -> None:
    """A site that fails at its first run alerts at once."""
    state, change = folded(report(EXPIRED))
    assert change is not None
    assert (change.before, change.after, keys(change.opened)) == ("unknown", "error", ["certificate.expired"])
    assert state.findings[0].since == NOW


def test_same_finding_again_is_silent_and_keeps_its_since() -> None:
    """What is known already alerts no second time, whatever its text says now."""
    state, change = folded(report(EXPIRED), report(finding("certificate.expired", observed="otherwise"), at=LATER))
    assert change is None
    assert state.findings[0].since == NOW
    assert state.findings[0].observed == "otherwise"


def test_second_error_of_a_failing_site_alerts_with_what_was_known() -> None:
    """A failing site alerts when something else breaks, and the change says what is new and what was known."""
    _, change = folded(report(EXPIRED), report(EXPIRED, CLOSED))
    assert change is not None
    assert keys(change.opened) == ["port.https_closed"]
    assert keys(change.still_open) == ["certificate.expired"]
    assert (change.before, change.after) == ("error", "error")


def test_same_code_of_another_host_is_another_finding() -> None:
    """Findings are keyed by code and subject."""
    _, change = folded(report(EXPIRED), report(EXPIRED, finding("certificate.expired", "www.example.com")))
    assert change is not None
    assert [one.subject for one in change.opened] == ["www.example.com"]


def test_resolved_in_one_change_with_what_opened() -> None:
    """One run makes one change, with everything that it tells."""
    _, change = folded(report(EXPIRED), report(CLOSED, at=LATER))
    assert change is not None
    assert (keys(change.opened), keys(change.resolved)) == (["port.https_closed"], ["certificate.expired"])
    assert change.resolved[0].since == NOW


def test_resolved_makes_the_site_well() -> None:
    """The last error that goes ends the alarm."""
    state, change = folded(report(EXPIRED), report())
    assert change is not None
    assert (change.before, change.after, state.status) == ("error", "ok", "ok")


@pytest.mark.parametrize("severity", ["warning", "notice"])
def test_minor_findings_are_kept_and_silent(severity: str) -> None:
    """Warnings and notices open and resolve in the state without an alert."""
    minor = finding("app.slow", severity=severity)
    state, change = folded(report(), report(minor))
    assert change is None
    assert state.status == severity
    assert folded(report(minor), report())[1] is None


def test_warning_that_worsens_alerts() -> None:
    """A warning that becomes an error alerts as worsened, with the time since when it is known."""
    _, change = folded(report(SLOW), report(finding("app.slow"), at=LATER))
    assert change is not None
    assert keys(change.worsened) == ["app.slow"]
    assert not change.opened
    assert change.worsened[0].since == NOW


def test_error_that_eases_alerts() -> None:
    """An error that becomes a warning ends the alarm, and is not called resolved."""
    state, change = folded(report(finding("app.slow")), report(SLOW))
    assert change is not None
    assert (keys(change.eased), change.resolved, change.after) == (["app.slow"], (), "ok")
    assert state.status == "warning"


HOST = "www.example.com"


@pytest.mark.parametrize(
    ("subject", "unseen", "stays"),
    [
        (HOST, NotAssessed("x.y", HOST, "timeout"), True),
        (f"{HOST} at 192.0.2.1", NotAssessed("x.y", HOST, "timeout"), True),
        (f"https://{HOST}/deep", NotAssessed("x.y", HOST, "timeout"), True),
        (f"{HOST} at 2001:db8::1", NotAssessed("x.y", f"{HOST} at 2001:db8::1", "no route"), True),
        (HOST, NotAssessed("x.y", "example.com", "no evidence", whole=True), True),
        (HOST, NotAssessed("x.y", f"{HOST} at 2001:db8::1", "no route"), False),
        (HOST, NotAssessed("x.y", "example.com", "timeout"), False),
        (HOST, NotAssessed("x.z", HOST, "timeout"), False),
    ],
)
def test_what_could_not_be_looked_at_stays_open(subject: str, unseen: NotAssessed, stays: bool) -> None:
    """Not assessed resolves nothing of its subject; one unseen address does not keep the whole host's finding."""
    state, change = folded(report(finding("x.y", subject)), report(not_assessed=(unseen,)))
    assert bool(state.findings) is stays
    assert (change is None) is stays


def test_not_assessed_opens_nothing() -> None:
    """A check that could not look is no finding."""
    state, change = folded(report(not_assessed=(NotAssessed("x.y", "example.com", "timeout"),)))
    assert (state.findings, change) == ((), None)


def test_inconclusive_run_changes_nothing() -> None:
    """A run that could not see leaves the state as it was, to the letter."""
    state, _ = folded(report(EXPIRED))
    assert fold(state, report(status="inconclusive", at=LATER)) == (state, None)


def test_never_seen_is_inconclusive() -> None:
    """Until a run could see something, the status says so."""
    assert folded(report(status="inconclusive"))[0].status == "inconclusive"


def test_worst_comes_first_and_counts() -> None:
    """A finding that stays open unseen keeps its place by severity; the counts are of what is open."""
    unseen = NotAssessed("certificate.expired", "example.com", "timeout")
    state, _ = folded(report(EXPIRED), report(SLOW, not_assessed=(unseen,)))
    assert keys(state.findings) == ["certificate.expired", "app.slow"]
    assert state.counts == {"error": 1, "warning": 1}


def test_two_findings_with_one_key_are_one() -> None:
    """The worse of two findings with the same code and subject counts, in either order of time."""
    state, _ = folded(report(finding("x.y"), finding("x.y", severity="notice")))
    assert [one.severity for one in state.findings] == [Severity.ERROR]


def test_endless_subject_has_a_stable_bounded_key() -> None:
    """A URL of any length is one finding from run to run, and two long ones stay apart."""
    long = "https://example.com/" + "a" * 5000
    state, change = folded(report(finding("x.y", long)), report(finding("x.y", long)))
    assert change is None
    assert len(state.findings[0].subject) <= MAX_SUBJECT
    _, change = folded(report(finding("x.y", long)), report(finding("x.y", long + "b")))
    assert change is not None


def failing_evidence() -> ev.Evidence:
    """Return what a site shows whose certificate has expired and whose app is down."""
    whole = builder.healthy()
    assert whole.tls is not None
    assert whole.http is not None
    old = builder.certificate(not_after=builder.NOW - timedelta(days=2))
    chain = (builder.LEAF, builder.INTERMEDIATE)
    tls = builder.change(
        whole.tls,
        certificates={**whole.tls.certificates, builder.LEAF: old},
        verifications=(ev.Verification(chain, "expired"),),
    )
    front = "https://example.com/"
    exchanges = tuple(
        builder.change(one, status=502) if (one.url, one.purpose) == (front, "front") else one
        for one in whole.http.exchanges
    )
    chains = tuple(
        builder.change(
            one, hops=tuple(builder.change(hop, status=502) if hop.url == front else hop for hop in one.hops)
        )
        for one in whole.http.chains
    )
    return builder.change(whole, tls=tls, http=ev.Http(exchanges, chains))


def blind_evidence(why: str) -> ev.Evidence:
    """Return what the healthy site shows a checker that could not see certificate and app."""
    whole = builder.healthy()
    if why == "deadline":
        return builder.change(whole, tls=None, http=None, incomplete="the 30 seconds for this site ran out")
    assert whole.dns is not None
    if why == "dns":
        names = (host.host for host in whole.dns.hosts)
        dns = ev.Dns(tuple(ev.HostDns(name, nothing(name, "A"), nothing(name, "AAAA")) for name in names))
        return builder.change(whole, dns=dns, ports=(), tls=ev.Tls((), {}), http=ev.Http(()))
    failure = ev.Failure("timeout", "connect")
    ports = tuple(builder.change(one, failure=failure, confirmed=True) for one in whole.ports or ())
    return builder.change(whole, ports=ports, tls=ev.Tls((), {}), http=ev.Http(()))


def nothing(host: str, rdtype: str) -> ev.Lookup:
    """Return the answer that a name does not exist."""
    return builder.lookup(host, rdtype, status="nxdomain")


@pytest.mark.parametrize("why", ["deadline", "dns", "closed"])
def test_what_hides_a_finding_does_not_resolve_it(why: str) -> None:
    """Real rules on real evidence: a site that broke further, or that we saw less of, is not told to be better."""
    state, change = fold(State(), builder.report(failing_evidence()))
    assert change is not None
    assert {"certificate.expired", "app.bad_gateway"} <= set(keys(change.opened))
    after, change = fold(state, builder.report(blind_evidence(why)))
    assert {"certificate.expired", "app.bad_gateway"} <= set(keys(after.findings))
    assert change is None or not (change.resolved or change.eased)


def test_seeing_again_resolves() -> None:
    """The same findings end once the site is seen healthy."""
    state, _ = fold(State(), builder.report(failing_evidence()))
    _, change = fold(state, builder.report(builder.healthy()))
    assert change is not None
    assert {"certificate.expired", "app.bad_gateway"} <= set(keys(change.resolved))
    assert change.after == "ok"


def caused(*findings: Any, primary: str, at: datetime = NOW) -> Report:
    """Return a report whose one cause is led to by the code `primary`, and brings about the other findings."""
    shown = tuple(one.label for one in findings if one.code != primary)
    cause = Cause("cause.x", "likely", "why", "fix", tuple(one.code for one in findings), (), shown)
    return msgspec.structs.replace(report(*findings, at=at), causes=(cause,))


WRONG = finding("dns.unexpected_address")
DEFAULT = finding("server.default_site")


def test_a_known_cause_inhibits_what_it_brings_about() -> None:
    """An error that a cause brings about, which was alerted before, is kept in the state and alerts nobody."""
    state, change = folded(report(WRONG), caused(WRONG, DEFAULT, primary=WRONG.code, at=LATER))
    assert change is None
    assert keys(state.findings) == ["dns.unexpected_address", "server.default_site"]


def test_what_outlives_its_cause_is_alerted() -> None:
    """Once the cause is mended, an error that was inhibited and stays is in the alert that tells of it."""
    _, change = folded(report(WRONG), caused(WRONG, DEFAULT, primary=WRONG.code), report(DEFAULT, at=LATER))
    assert change is not None
    assert (keys(change.resolved), keys(change.still_open)) == (["dns.unexpected_address"], ["server.default_site"])


def test_a_new_cause_alerts_with_all_that_it_brings_about() -> None:
    """A cause that nobody was told of inhibits nothing, and neither does one of another finding."""
    _, change = folded(report(), caused(WRONG, DEFAULT, primary=WRONG.code))
    assert change is not None
    assert keys(change.opened) == ["dns.unexpected_address", "server.default_site"]
    _, change = folded(report(EXPIRED), caused(EXPIRED, WRONG, DEFAULT, primary=WRONG.code))
    assert change is not None


def test_what_no_cause_explains_alerts_beside_one() -> None:
    """An error of another host is not inhibited by a cause that brings the same code about elsewhere."""
    other = finding("server.default_site", "www.example.com")
    known = caused(WRONG, DEFAULT, primary=WRONG.code)
    _, change = folded(known, msgspec.structs.replace(report(WRONG, DEFAULT, other), causes=known.causes))
    assert change is not None
    assert [one.subject for one in change.opened] == ["www.example.com"]


def test_a_machine_without_an_audit_hides_what_was_found_on_it() -> None:
    """Where one of two machines cannot be audited, its findings stay, of whichever host; the other's may be over."""
    found = [finding("nginx.no_redirect", f"www.example.com on web-{number}") for number in (1, 2)]
    unseen = NotAssessed("nginx.no_redirect", "example.com on web-1", "the audit of web-1 is 3 days old")
    state, change = folded(report(*found), report(at=LATER, not_assessed=(unseen,)))
    assert [one.subject for one in state.findings] == ["www.example.com on web-1"]
    assert change is not None
    assert [one.subject for one in change.resolved] == ["www.example.com on web-2"]
