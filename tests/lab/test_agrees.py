"""Padlock agrees with dig, curl and OpenSSL, whose own output is parsed here, and answers the checklist's steps."""

import json
import re
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest
from padlock.evidence import Evidence, Exchange
from padlock.findings import StepRecord

from tests.lab import names
from tests.lab.lab import Lab
from tests.lab.look import Seen
from tests.lab.scenarios import ALL, Scenario

SITES = {scenario.name: scenario for scenario in ALL}
HEALTHY: tuple[str, ...] = ("shop.test", "dual-stack.test", "www.shop-www.test", "permanent-308.test")
BROKEN: tuple[str, ...] = (
    "expired.test",
    "mismatch.test",
    "self-signed.test",
    "incomplete.test",
    "loop-hosts.test",
    "welcome.test",
)
BROKEN += ("no-redirect.test", "gunicorn-down.test", "temporary.test", "dangling.test", "v6-refused.test")
FAILING = {
    1: "nxdomain.test",
    2: "apex-cname.test",
    3: "firewall.test",
    7: "no-redirect.test",
    8: "mismatch.test",
    10: "expired.test",
    11: "loop-hosts.test",
    12: "welcome.test",
    13: "gunicorn-down.test",
    15: "hsts-early.test",
}
"""Step of the checklist → a site that fails it."""
VERIFY_CODES = {0: "trusted", 10: "expired", 18: "self_signed", 20: "unknown_issuer", 21: "incomplete"}
"""OpenSSL's X509_V_ codes → Padlock's status of the same chain."""


def sites(*chosen: str) -> pytest.MarkDecorator:
    """Run a test for each of these sites."""
    return pytest.mark.parametrize("scenario", [SITES[name] for name in chosen], ids=chosen)


def addresses(evidence: Evidence) -> dict[str, set[str]]:
    """Return what Padlock resolved: host → addresses."""
    assert evidence.dns
    return {host.host: set(host.addresses) for host in evidence.dns.hosts}


def fronts(evidence: Evidence) -> list[Exchange]:
    """Return what Padlock saw of the front pages over both schemes, where there was an answer."""
    assert evidence.http
    return [e for scheme in ("http", "https") for e in evidence.http.of("front", scheme) if e.status]


@sites(*HEALTHY, *BROKEN)
def test_addresses_are_those_of_dig(scenario: Scenario, lab: Lab, seen: Mapping[str, Seen]) -> None:
    """For every host, the addresses are exactly what `dig +short` prints."""
    for host, found in addresses(seen[scenario.name].evidence).items():
        printed = lab.run(f"dig +short {host} A; dig +short {host} AAAA").split()
        assert {line for line in printed if not line.endswith(".")} == found


@sites(*HEALTHY, *BROKEN)
def test_answers_are_those_of_curl(scenario: Scenario, lab: Lab, seen: Mapping[str, Seen]) -> None:
    """For every front page at every address, curl gets the same status and the same Location header."""
    answers = fronts(seen[scenario.name].evidence)
    assert answers
    for answer in answers:
        pinned = f"[{answer.address}]" if ":" in answer.address else answer.address
        printed = lab.run(
            f"curl -sk -o /dev/null -w '%{{http_code}} %header{{location}}' "
            f"--resolve '{answer.host}:80:{pinned}' --resolve '{answer.host}:443:{pinned}' {answer.url}"
        )
        assert printed.strip() == f"{answer.status} {answer.header('location') or ''}".strip()


@sites(*HEALTHY, *BROKEN)
def test_certificates_are_those_of_openssl(scenario: Scenario, lab: Lab, seen: Mapping[str, Seen]) -> None:
    """For every host, `openssl s_client` shows the same serial, expiry and verification result."""
    tls = seen[scenario.name].evidence.tls
    assert tls
    looked = [handshake for handshake in tls.named() if handshake.chain]
    assert looked
    for handshake in looked:
        address = f"[{handshake.address}]" if ":" in handshake.address else handshake.address
        printed = lab.run(
            f"shown=$(openssl s_client -connect {address}:443 -servername {handshake.host} </dev/null 2>&1); "
            'openssl x509 -noout -serial -enddate <<< "$shown"; echo "$shown"'
        )
        leaf = tls.leaf(handshake)
        verification = tls.verification(handshake.chain)
        assert leaf
        assert leaf.not_after
        assert verification
        serial, expiry, code = (
            re.search(pattern, printed)
            for pattern in (r"serial=(\w+)", r"notAfter=(.+)", r"Verify return code: (\d+)")
        )
        assert serial, printed
        assert expiry, printed
        assert code, printed
        assert serial[1] == leaf.serial
        assert datetime.strptime(expiry[1], "%b %d %H:%M:%S %Y %Z").replace(tzinfo=UTC) == leaf.not_after
        assert VERIFY_CODES[int(code[1])] == verification.status


@sites(*HEALTHY, *BROKEN)
def test_curl_refuses_what_padlock_calls_broken(scenario: Scenario, lab: Lab, seen: Mapping[str, Seen]) -> None:
    """`curl` opens every host of a site over HTTPS exactly where Padlock finds no fault of certificate or port."""
    report = seen[scenario.name].report
    for host in report.hosts:
        faults = [
            f
            for f in report.findings
            if f.severity == "error" and f.code.split(".")[0] in ("certificate", "tls", "port")
        ]
        refused = any(re.split(r"[ /:]", finding.subject)[0] == host for finding in faults)
        # 6: no such host, which is a matter of DNS.
        opened = lab.run(f"curl -s -o /dev/null https://{host}/ && echo opened || echo refused $?").strip()
        assert opened in ("opened", "refused 6") if not refused else opened in ("refused 60", "refused 7"), host


def steps(seen: Seen) -> dict[int, StepRecord]:
    """Return the report's checklist by step."""
    return {record.step: record for record in seen.report.checklist}


@sites("shop.test", "dual-stack.test")
def test_a_healthy_site_passes_each_step(scenario: Scenario, seen: Mapping[str, Seen]) -> None:
    """The ten steps that can be seen from outside are all known, and passed."""
    record = steps(seen[scenario.name])
    assert {step: record[step].status for step in FAILING} == dict.fromkeys(FAILING, "pass")


@pytest.mark.parametrize(("step", "scenario"), [(step, SITES[name]) for step, name in FAILING.items()], ids=str)
def test_each_step_can_fail(step: int, scenario: Scenario, seen: Mapping[str, Seen]) -> None:
    """For each of the ten steps there is a site that fails it, with the scenario's code behind the failure."""
    record = steps(seen[scenario.name])[step]
    assert record.status == "fail"
    assert scenario.code in record.codes


def padlock(lab: Lab, *arguments: str) -> tuple[int, str]:
    """Run the command line on the checker's side; return its exit status and standard output."""
    command = Path(sys.executable).with_name("padlock")
    words = f"{command} check --resolver {names.RESOLVER} --ca-file {lab.ca_file} {' '.join(arguments)}"
    printed = lab.run(f"{words} 2>/dev/null; echo exit $?", seconds=60)
    output, _, status = printed.strip().rpartition("exit ")
    return int(status), output


def test_the_command_needs_no_allowed_network(lab: Lab) -> None:
    """`padlock check` vets the lab's addresses as public ones, and its exit status tells healthy from broken."""
    status, output = padlock(lab, "shop.test", "--json")
    report = json.loads(output)
    assert (status, report["site"], report["status"]) == (0, "shop.test", "notice")
    status, output = padlock(lab, "expired.test", "mismatch.test", "--json")
    assert status == 1
    assert {report["site"]: report["findings"][0]["code"] for report in json.loads(output)} == {
        "expired.test": "certificate.expired",
        "mismatch.test": "certificate.name_mismatch",
    }


def test_the_command_prints_a_report(lab: Lab) -> None:
    """Without --json the same run is a text that names the code, the fix and the steps."""
    status, output = padlock(lab, "expired.test")
    assert status == 1
    assert "certificate.expired" in output
    assert "certbot renew" in output


def test_a_private_network_needs_the_operators_leave(lab: Lab, tmp_path: Path) -> None:
    """Nothing is sent to a special range that the site declares until the operator allows it as well."""
    site = SITES["private-network.test"]
    declaration = tmp_path / "site.json"
    declaration.write_text(json.dumps({"name": site.name, **site.declare}))
    status, output = padlock(lab, "--site-file", str(declaration), "--json")
    assert (status, json.loads(output)["status"]) == (2, "inconclusive")
    assert not json.loads(output)["certificates"]
    status, output = padlock(lab, "--site-file", str(declaration), "--json", "--allow-network", "198.18.0.0/24")
    assert (status, json.loads(output)["status"]) == (0, "notice")
