"""The healthy host: nothing is wrong with it, and no step of the checklist is left open."""

import pytest

from tests.host.host import Host

pytestmark = pytest.mark.lab


def test_healthy_host(host: Host) -> None:
    """From outside and from within there is neither error nor warning, and each of the 18 steps is told."""
    checked = host.check(dry_run=True)
    assert checked.troubles == [], checked.told()
    assert checked.report.causes == ()
    assert checked.unknown == [], [line for line in checked.report.checklist if line.status == "unknown"]
    assert [line.step for line in checked.report.checklist] == list(range(1, 19))
