"""The record: 18 steps, 17 closing lines and five results; fail over unknown over pass."""

from collections.abc import Mapping

import msgspec
import pytest
from padlock import checklist
from padlock.checklist import Judged
from padlock.findings import Finding, LineRecord, NotAssessed, Severity, StepRecord, StepStatus

STEPS = {"a.one": (1,), "a.two": (1, 2), "b.one": (10,), "n.one": (15,)}
HOSTS = ("example.com", "www.example.com")


def finding(code: str, severity: Severity = Severity.ERROR, subject: str = "example.com") -> Finding:
    """Return a finding of a code."""
    return Finding(code, severity, subject, "", "", "", "", "", 1)


def row(step: int, outcomes: Mapping[str, StepStatus], *findings: Finding, **reasons: str) -> StepRecord:
    """Return one step's record."""
    why = {code.replace("_", "."): reason for code, reason in reasons.items()}
    judged = {code: Judged(status, STEPS[code], why.get(code, "")) for code, status in outcomes.items()}
    return checklist.record(judged, findings)[step - 1]


def all_steps(status: StepStatus, reason: str = "") -> dict[str, Judged]:
    """Return one code for all steps, with that outcome, as it shows from outside."""
    return {"all.steps": Judged(status, tuple(range(1, 18)), reason)}


def of_host(code: str, status: StepStatus, *steps: int, reason: str = "") -> dict[str, Judged]:
    """Return a code that goes by what a machine says."""
    return {code: Judged(status, steps, reason, by_host=True)}


def proven() -> dict[str, Judged]:
    """Return what passes every step."""
    proofs = of_host("certbot.no_timer", "pass", 14) | of_host("nginx.proxy_headers", "pass", 17)
    return all_steps("pass") | proofs


def test_eighteen_steps_in_order() -> None:
    """Every report has all steps, each with its title."""
    rows = checklist.record({}, [])
    assert [record.step for record in rows] == list(range(1, 19))
    assert [record.title for record in rows] == list(checklist.TITLES.values())


def test_pass_and_fail() -> None:
    """A step passes with its codes and fails with the first that fails, which it names."""
    assert row(1, {"a.one": "pass", "a.two": "pass"}).status == "pass"
    failed = row(1, {"a.one": "pass", "a.two": "fail"}, finding("a.two"))
    assert (failed.status, failed.codes) == ("fail", ("a.two",))
    assert row(2, {"a.one": "pass", "a.two": "fail"}, finding("a.two")).codes == ("a.two",)


def test_a_warning_fails_and_a_notice_does_not() -> None:
    """What is worth knowing only is no failed step."""
    assert row(15, {"n.one": "fail"}, finding("n.one", Severity.WARNING)).status == "fail"
    assert row(15, {"n.one": "fail"}, finding("n.one", Severity.NOTICE)).status == "pass"


def test_unknown_is_no_pass() -> None:
    """One code that could not look leaves the step open, with the reason; a failure outweighs it."""
    open_step = row(1, {"a.one": "unknown", "a.two": "pass"}, a_one="no route")
    assert (open_step.status, open_step.reason) == ("unknown", "no route")
    assert row(1, {"a.one": "unknown", "a.two": "fail"}, finding("a.two")).status == "fail"


def test_not_applicable() -> None:
    """A step of which the declaration leaves nothing is not applicable; another code that passed makes it pass."""
    off = row(15, {"n.one": "not applicable"}, n_one="HSTS is declared off")
    assert (off.status, off.reason) == ("not applicable", "HSTS is declared off")
    assert row(1, {"a.one": "not applicable", "a.two": "pass"}).status == "pass"


def test_steps_without_a_code_are_unknown() -> None:
    """What nothing looks at is never passed."""
    assert row(5, {"a.one": "pass"}) == StepRecord(
        5, checklist.TITLES[5], "unknown", (), "only the host itself can tell"
    )


def test_step_18_sums_up() -> None:
    """Step 18 fails with one of its five results, and is open where one is: renewal, as seen from outside."""
    outside = all_steps("pass") | {"late.renewal": Judged("pass", (14,))}
    summed = checklist.record(outside, [])[-1]
    assert (summed.status, summed.reason) == ("unknown", "not proven: renewal status verified")
    summed = checklist.record(outside | {"late.renewal": Judged("fail", (14,))}, [finding("late.renewal")])[-1]
    assert (summed.status, summed.codes) == ("fail", ("late.renewal",))
    assert checklist.record(proven(), [])[-1].status == "pass"


def test_what_only_the_host_can_prove() -> None:
    """Renewal and forwarded headers fail from outside, but nothing seen from there proves them."""
    rows = checklist.record(all_steps("pass"), [])
    unproven = {record.step: record.reason for record in rows[:17] if record.status != "pass"}
    assert unproven == dict.fromkeys((14, 17), checklist.UNPROVEN)
    failed = checklist.record(all_steps("fail"), [finding("all.steps")])
    assert {failed[13].status, failed[16].status} == {"fail"}


@pytest.mark.parametrize(
    ("proofs", "status"),
    [
        (of_host("certbot.no_timer", "pass", 14), "pass"),
        (of_host("certbot.no_timer", "not applicable", 14, reason="no certbot"), "not applicable"),
        (
            of_host("certbot.no_timer", "not applicable", 14) | of_host("certbot.dry_run_failed", "pass", 14),
            "pass",
        ),
        (of_host("certbot.no_timer", "unknown", 14, reason="the audit is 3 days old"), "unknown"),
    ],
    ids=["timer", "no certbot", "dry run alone", "stale"],
)
def test_what_the_host_says_of_renewal(proofs: dict[str, Judged], status: str) -> None:
    """A proof passes the step, a reason why there is none stands there."""
    found = checklist.record(all_steps("pass") | proofs, [])[13]
    assert found.status == status
    assert found.reason == ("" if status == "pass" else proofs["certbot.no_timer"].reason)


def test_a_machine_that_did_not_answer_leaves_only_its_own_steps_open() -> None:
    """What shows from outside stays told; what only the host can tell is unknown, with its reason."""
    stale = {
        name: judged
        for step in (3, 5, 6, 9, 13)
        for name, judged in of_host(f"host.step{step}", "unknown", step, reason="the audit is 3 days old").items()
    }
    outside = {"out.side": Judged("pass", (3, 13))}
    rows = {row.step: row for row in checklist.record(outside | stale, [])}
    assert {rows[3].status, rows[13].status} == {"pass"}
    assert {(rows[step].status, rows[step].reason) for step in (5, 6, 9)} == {("unknown", "the audit is 3 days old")}
    alone = {row.step: row for row in checklist.record(stale, [])}
    assert alone[3].status == "unknown"


@pytest.mark.parametrize("step", checklist.TOLD_BY_HOST)
def test_what_the_host_tells_of_a_site_that_is_hidden(step: int) -> None:
    """With the port closed, the host still proves names, certificate, renewal; a failure or a doubt outweighs it."""
    hidden = {"out.side": Judged("unknown", (step,), "port 443 is closed")}
    told = {code: Judged("pass", (step,), by_host=True) for code in checklist.TOLD_BY_HOST[step]}
    assert checklist.record(hidden | told, [])[step - 1].status == "pass"
    assert checklist.record(hidden, [])[step - 1].reason == "port 443 is closed"
    for status in ("unknown", "not applicable"):
        doubtful = told | of_host(checklist.TOLD_BY_HOST[step][0], status, step)
        assert checklist.record(hidden | doubtful, [])[step - 1].status == "unknown"
    failed = hidden | told | {"other.one": Judged("fail", (step,))}
    assert checklist.record(failed, [finding("other.one")])[step - 1].status == "fail"


def test_a_machines_failure_counts_everywhere() -> None:
    """A firewall that the machine shows fails the step that passes from outside."""
    found = checklist.record(
        all_steps("pass") | of_host("firewall.blocked", "fail", 3), [finding("firewall.blocked")]
    )
    assert (found[2].status, found[2].codes) == ("fail", ("firewall.blocked",))


def test_a_step_without_a_check_says_so() -> None:
    """Only what the host alone can tell is called that; another step that nothing looks at has no check yet."""
    assert {n: row(n, {}).reason for n in (5, 6, 9)} == dict.fromkeys((5, 6, 9), checklist.NEEDS_HOST)
    assert row(16, {}).reason == "there is no check of it yet"


def lines(
    outcomes: Mapping[str, Judged], *findings: Finding, unseen: tuple[NotAssessed, ...] = ()
) -> list[LineRecord]:
    """Return the 17 lines of a site with an apex and a www host."""
    return list(checklist.lines(checklist.record(outcomes, findings), outcomes, findings, unseen, HOSTS))


def everything() -> dict[str, Judged]:
    """Return what passes every line."""
    special = {code: Judged("pass", ()) for line in checklist.LINES for code in line.codes if not code.endswith(".")}
    return proven() | special | {"canonical.split": Judged("pass", (11,))}


def test_seventeen_lines() -> None:
    """All of them pass for a healthy site, and are unknown where nothing looked."""
    assert [line.status for line in lines(everything())] == ["pass"] * 17
    assert [line.title for line in lines(everything())] == [line.title for line in checklist.LINES]
    assert {line.status for line in lines({})} == {"unknown"}


@pytest.mark.parametrize("number", range(17))
def test_each_line_fails_by_its_own_codes(number: int) -> None:
    """A finding of a code that a line is about fails it and names the code; no other line fails with it."""
    line = checklist.LINES[number]
    code = (line.codes[0] + "x" if line.codes[0].endswith(".") else line.codes[0]) if line.codes else "one.code"
    subject = "www.example.com" if line.www else "example.com"
    outcomes = everything() | {code: Judged("fail", line.steps[:1])}
    found = lines(outcomes, finding(code, subject=subject))
    assert found[number] == LineRecord(line.title, "fail", (code,))
    assert [other.status for other in found].count("fail") == 1


def test_apex_and_www_are_two_lines() -> None:
    """What is wrong with one host leaves the other's line; what was not seen of one leaves only its line open."""
    dns = {"dns.unresolvable": Judged("fail", (1,)), "dns.slow": Judged("pass", (1,))}
    apex, www, *_ = lines(dns, finding("dns.unresolvable", subject="www.example.com at 192.0.2.1"))
    assert (apex.status, www.status, www.codes) == ("pass", "fail", ("dns.unresolvable",))
    unseen = (NotAssessed("dns.unresolvable", "example.com", "timeout"),)
    outcomes = {"dns.unresolvable": Judged("unknown", (1,), "timeout"), "dns.slow": Judged("pass", (1,))}
    apex, www, *_ = lines(outcomes, unseen=unseen)
    assert (apex.status, apex.reason, www.status) == ("unknown", "timeout", "pass")
    whole = (NotAssessed("dns.unresolvable", "example.com", "timeout", whole=True),)
    assert [line.status for line in lines(outcomes, unseen=whole)[:2]] == ["unknown", "unknown"]


def test_a_site_without_www() -> None:
    """The line of a host that is not checked is not applicable, either way."""
    steps = checklist.record(everything(), [])
    assert checklist.lines(steps, everything(), [], [], HOSTS[:1])[1].status == "not applicable"
    assert checklist.lines(steps, everything(), [], [], HOSTS[1:])[0].status == "not applicable"


def test_five_results() -> None:
    """Each is proven, failed or open by its steps."""
    assert [one.status for one in checklist.results(checklist.record(proven(), []))] == ["pass"] * 5
    outside = checklist.results(checklist.record(all_steps("pass"), []))
    assert [(one.title, one.reason) for one in outside if one.status == "unknown"] == [
        ("renewal status verified", checklist.UNPROVEN)
    ]
    broken = proven() | {"dns.bad": Judged("fail", (2,)), "tls.bad": Judged("unknown", (10,), "no route")}
    dns, certificate, *_ = checklist.results(checklist.record(broken, [finding("dns.bad")]))
    assert (dns.status, dns.codes) == ("fail", ("dns.bad",))
    assert (certificate.status, certificate.reason) == ("unknown", "no route")


def test_a_result_that_does_not_apply() -> None:
    """Only where none of its steps does."""
    some = proven() | {"all.steps": Judged("pass", tuple(step for step in range(1, 18) if step != 14))}
    none = some | of_host("certbot.no_timer", "not applicable", 14, reason="no certbot")
    assert checklist.results(checklist.record(none, []))[3].status == "not applicable"
    assert checklist.record(none, [])[-1].status == "pass"


def test_records_are_small() -> None:
    """All lines and results of a report are written with every run."""
    stored = msgspec.json.encode((lines(everything()), checklist.results(checklist.record(proven(), []))))
    assert len(stored) < 2000
