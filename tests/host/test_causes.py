"""Real breakages of the host: the cause is named first, and the commands that Padlock proposes heal it."""

import pytest

from tests.host.breakages import BREAKAGES, Breakage
from tests.host.host import Host
from tests.host.outside import RECORDS

pytestmark = pytest.mark.lab


@pytest.mark.parametrize("breakage", BREAKAGES, ids=lambda breakage: breakage.name)
def test_cause_is_named_and_healed(host: Host, breakage: Breakage) -> None:
    """The breakage's cause stands first; its commands heal the host, or there are none and the words tell."""
    if breakage.steps:
        breakage.steps(host)
    for line in breakage.lines:
        host.machine.must(line)
    try:
        if breakage.records:
            host.outside.publish(breakage.records)
        broken = host.check(dry_run=breakage.dry_run, **breakage.declare)
    finally:
        if breakage.records:
            host.outside.publish(RECORDS)
    assert broken.first == breakage.cause, broken.told()
    assert broken.report.causes[0].confidence == breakage.confidence
    if not breakage.heals:
        assert broken.commands == ()
        assert broken.report.causes[0].remediation
        return
    assert broken.commands, broken.told()
    ran = host.run(broken.commands)
    healed = host.check(dry_run=breakage.dry_run, **breakage.declare)
    assert healed.report.causes == (), (ran, healed.told())
    assert healed.troubles == [], (ran, healed.told())
