"""The lab's web server: nginx in front of Gunicorn with Flask, over a unix socket as in the checklist."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.lab import registry, services
from tests.lab.pki import Leaf, Pki
from tests.lab.rendering import render
from tests.lab.scenarios import ALL, Scenario
from tests.lab.scenarios._scenario import WEB, WEB_6

SHARED = (WEB, f"[{WEB_6}]")
ADDRESSES = {
    *(block.address for scenario in ALL for block in scenario.server_blocks),
    *(service.address for scenario in ALL for service in scenario.services),
    "2a0f:5c40:2::3",  # lives, and refuses every port
    WEB_6,
}


def write(directory: Path, pki: Pki) -> Mapping[str, list[str]]:
    """Write certificates and configuration below a directory, and return each server's command."""
    odd = [sys.executable, "-m", "tests.lab.odd_servers", str(directory / "certificates")]
    return {**served(directory, pki, ALL, ALL), "odd-servers": odd}


def served(
    directory: Path, pki: Pki, scenarios: Sequence[Scenario], registered: Sequence[Scenario]
) -> Mapping[str, list[str]]:
    """Do this for the sites of some scenarios, with the domains of others known to the registry."""
    _write_certificates(directory, pki, scenarios)
    services.write(directory / "services", pki)
    registry.write(directory / "rdap", registered, pki.now)
    (directory / "proxy_params").write_text(render("proxy_params"))
    written = render("nginx.conf.j2", directory=directory, scenarios=scenarios, shared=SHARED)
    (directory / "nginx.conf").write_text(written)
    return {
        "nginx": ["nginx", "-p", str(directory), "-c", "nginx.conf", "-g", "daemon off;"],
        "gunicorn": [
            *(sys.executable, "-m", "gunicorn", "tests.lab.app:application", "--threads", "8"),
            *("--bind", f"unix:{directory / 'gunicorn.sock'}", "--log-level", "error"),
        ],
    }


def _write_certificates(directory: Path, pki: Pki, scenarios: Sequence[Scenario]) -> None:
    certificates = directory / "certificates"
    certificates.mkdir(parents=True)
    pki.write_authorities(certificates)
    pki.write(certificates, "default", Leaf(issuer="self", sent=("leaf",)), ["default"])
    for scenario in scenarios:
        for key, leaf in scenario.leaves.items():
            pki.write(certificates, scenario.file(key), leaf, scenario.hosts)
    pki.write_revocations(certificates)
    pki.write(certificates, "services", Leaf(names=services.NAMES), services.NAMES)
    pki.write(certificates, registry.HOST, Leaf(), [registry.HOST])
