"""The lab's registry: one RDAP answer per domain (RFC 9083), after one of Verisign's, as files that nginx serves."""

import datetime as dt
import json
from collections.abc import Sequence
from pathlib import Path

from tests import captured
from tests.lab.scenarios._scenario import Scenario

HOST = "rdap.ca.test"
URL = f"https://{HOST}"
EXPIRY = "2023-08-13T04:00:00Z"
"""In the captured answer."""


def write(directory: Path, scenarios: Sequence[Scenario], now: dt.datetime) -> None:
    """Write the registration of every domain below `domain/`."""
    (directory / "domain").mkdir(parents=True)
    for scenario in scenarios:
        if scenario.registered_days is not None:
            (directory / "domain" / scenario.apex).write_text(_domain(scenario, now))


def _domain(scenario: Scenario, now: dt.datetime) -> str:
    """Return Verisign's answer for `example.com` with the name, the expiry and the status of this one."""
    expires = now + dt.timedelta(days=scenario.registered_days or 0)
    names = {"EXAMPLE.COM": scenario.apex.upper(), EXPIRY: f"{expires:%Y-%m-%dT%H:%M:%SZ}"}
    answer = json.loads(captured.text("rdap-verisign.json", names))
    return json.dumps({**answer, "status": list(scenario.registration_status)})
