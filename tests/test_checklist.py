"""The record of 18 steps: fail over unknown over pass, and step 18 sums up what is proven."""

from padlock import checklist
from padlock.findings import Finding, Severity, StepRecord, StepStatus

STEPS = {"a.one": (1,), "a.two": (1, 2), "b.one": (10,), "n.one": (15,)}


def finding(code: str, severity: Severity = Severity.ERROR) -> Finding:
    """Return a finding of a code."""
    return Finding(code, severity, "example.com", "", "", "", "", "", 1)


def row(step: int, outcomes: dict[str, StepStatus], *findings: Finding, **reasons: str) -> StepRecord:
    """Return one step's record."""
    why = {code.replace("_", "."): reason for code, reason in reasons.items()}
    return checklist.record(outcomes, {code: STEPS[code] for code in outcomes}, findings, why)[step - 1]


def test_eighteen_steps_in_order() -> None:
    """Every report has all steps, each with its title."""
    rows = checklist.record({}, {}, [], {})
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


def all_steps(status: StepStatus) -> tuple[dict[str, StepStatus], dict[str, tuple[int, ...]]]:
    """Return one code for all steps, with that outcome."""
    return {"all.steps": status}, {"all.steps": tuple(range(1, 18))}


def test_step_18_sums_up() -> None:
    """Step 18 fails with one of its five lines, and is open where one is: renewal, as seen from outside."""
    outcomes, steps = all_steps("pass")
    steps = {**steps, "late.renewal": (14,)}
    summed = checklist.record(outcomes, steps, [], {})[-1]
    assert (summed.status, summed.reason) == ("unknown", "not proven: renewal status verified")
    outcomes = {**outcomes, "late.renewal": "fail"}
    summed = checklist.record(outcomes, steps, [finding("late.renewal")], {})[-1]
    assert (summed.status, summed.codes) == ("fail", ("late.renewal",))


def test_what_only_the_host_can_prove() -> None:
    """Renewal and forwarded headers fail from outside, but nothing seen from there proves them."""
    rows = checklist.record(*all_steps("pass"), [], {})
    unproven = {record.step: record.reason for record in rows[:17] if record.status != "pass"}
    assert unproven == dict.fromkeys((14, 17), checklist.UNPROVEN)
    failed = checklist.record(*all_steps("fail"), [finding("all.steps")], {})
    assert {failed[13].status, failed[16].status} == {"fail"}


def test_a_step_without_a_check_says_so() -> None:
    """Only what the host alone can tell is called that; another step that nothing looks at has no check yet."""
    assert {n: row(n, {}).reason for n in (5, 6, 9)} == dict.fromkeys((5, 6, 9), checklist.NEEDS_HOST)
    assert row(16, {}).reason == "there is no check of it yet"
