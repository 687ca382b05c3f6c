"""The 18 steps of the checklist, told by real servers: each passes on the healthy host and fails where it is broken.

The host is asked too, so that no step stays unknown but those whose subject the fault itself hides.
"""

import pytest
from padlock import checklist
from padlock.findings import StepRecord, StepStatus

from tests.host.broken_steps import BROKEN, LIVE, Broken
from tests.host.host import Checked, Host
from tests.host.outside import RECORDS
from tests.host.renewing import RENEW, dry_run, on_disk, served

pytestmark = pytest.mark.lab


def steps(checked: Checked, status: StepStatus) -> dict[int, StepRecord]:
    """Return the steps with a status."""
    return {row.step: row for row in checked.report.checklist if row.status == status}


def test_every_step_passes(host: Host) -> None:
    """On the healthy host all steps, closing lines and results pass, and nothing is left open.

    certbot has just renewed its certificate, its hook has brought it to the visitors, and a dry run succeeds.
    """
    first = served(host)
    host.machine.must(RENEW)
    renewed = on_disk(host)
    assert first != renewed == served(host)
    checked = host.check(dry_run=True)
    assert list(steps(checked, "pass")) == list(checklist.TITLES), steps(checked, "fail") | steps(checked, "unknown")
    assert [line.status for line in checked.report.lines] == ["pass"] * 17, checked.report.lines
    assert [line.status for line in checked.report.results] == ["pass"] * 5, checked.report.results
    assert checked.troubles == [], checked.told()
    open_ = {entry.code for entry in checked.report.not_assessed}
    assert open_ == {"certificate.revoked"}, "pebble publishes no list of revoked certificates; all else is judged"
    test = dry_run(checked)
    assert (test.ran.status, test.succeeded, test.failed, test.problems) == (0, (f"{LIVE}/fullchain.pem",), (), ())
    assert on_disk(host) == renewed, "a dry run keeps no certificate"


def test_every_step_is_broken() -> None:
    """The table below has each of the 18 steps."""
    assert {step for broken in BROKEN for step in broken.steps} == set(checklist.TITLES)


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: f"{broken.steps[0]}-{broken.fault}".replace(" ", "-"))
def test_step_fails(host: Host, broken: Broken) -> None:
    """A real fault fails its steps by the codes that name it; only what it hides is unknown; the commands heal it."""
    for command in broken.commands:
        host.machine.must(command)
    if broken.records:
        host.outside.publish(broken.records)
    try:
        checked = host.check(**broken.declared)
    finally:
        if broken.records:
            host.outside.publish(RECORDS)
    failed = steps(checked, "fail")
    assert failed.keys() >= set(broken.steps), checked.told()
    assert [frozenset(failed[step].codes) for step in broken.steps] == [broken.codes] * len(broken.steps), (
        checked.told()
    )
    assert checked.unknown == sorted(broken.unseen), steps(checked, "unknown")
    # The last step is the sum of five results.
    assert (18 in failed) is any(line.status == "fail" for line in checked.report.results)
    if broken.heals:
        host.run(dict.fromkeys(line for finding in checked.report.findings for line in finding.commands))
        healed = host.check(**broken.declared)
        assert (healed.troubles, healed.unknown) == ([], []), healed.told()
