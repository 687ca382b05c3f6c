"""The lab's registry: one RDAP answer per domain (RFC 9083), shaped after Verisign's, as files that nginx serves."""

import datetime as dt
import json
from pathlib import Path
from typing import Any

from tests.lab.scenarios._scenario import Scenario

HOST = "rdap.ca.test"
URL = f"https://{HOST}"


def write(directory: Path, scenarios: tuple[Scenario, ...], now: dt.datetime) -> None:
    """Write the registration of every domain below `domain/`."""
    (directory / "domain").mkdir(parents=True)
    for scenario in scenarios:
        if scenario.registered_days is not None:
            (directory / "domain" / scenario.apex).write_text(json.dumps(_domain(scenario, now)))


def _domain(scenario: Scenario, now: dt.datetime) -> dict[str, Any]:
    expires = now + dt.timedelta(days=scenario.registered_days or 0)
    return {
        "objectClassName": "domain",
        "ldhName": scenario.apex.upper(),
        "status": list(scenario.registration_status),
        "events": [
            {"eventAction": "registration", "eventDate": "2019-06-01T00:00:00Z"},
            {"eventAction": "expiration", "eventDate": expires.strftime("%Y-%m-%dT%H:%M:%SZ")},
            {"eventAction": "last update of RDAP database", "eventDate": now.strftime("%Y-%m-%dT%H:%M:%SZ")},
        ],
        "entities": [
            {
                "objectClassName": "entity",
                "roles": ["registrar"],
                "vcardArray": [
                    "vcard",
                    [["version", {}, "text", "4.0"], ["fn", {}, "text", "Lab Registrar, Inc."]],
                ],
            }
        ],
        "secureDNS": {"delegationSigned": False},
        "rdapConformance": ["rdap_level_0"],
    }
