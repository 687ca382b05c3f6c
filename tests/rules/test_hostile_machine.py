"""A machine that means harm: as much of everything as is read, each entry as bad as it can be."""

import time

from padlock.evidence import Evidence, Filter, LogTail, Ran, RenewalTest, RenewalTimer, Upstream

from tests.evidence_builder import certificate, healthy, report, with_port
from tests.host_builder import certbot, certificate_file, lineage, with_audit

WORDS = "`$(reboot)`'\"; \x1b[31m\u202e<script>\n{host} %s "
HOSTS = [f"h{number}.example.com" for number in range(20)]


def machine() -> Evidence:
    """Return a site of 20 hosts on such a machine."""
    names = tuple(f"n{number}.example.com" for number in range(99))
    lineages = tuple(
        lineage(name=f"{WORDS}{number}", names=(*names, "h1.example.com"), valid=False, verdict=WORDS * 20)
        for number in range(200)
    )
    files = tuple(
        certificate_file(path=WORDS, real_path="", certificate=certificate(serial=f"{number:032X}", dns_names=names))
        for number in range(200)
    )
    lines = (("2026/11/20 11:00:00 [error] " + "[crit]connect() to unix:" * 100)[:1000],) * 200
    problems = tuple((WORDS + "acme" * 200 + "invalid response ")[:500] for _ in range(100))
    test = RenewalTest(Ran("certbot renew --dry-run", 1), failed=tuple(names), problems=problems)
    blocked = ("443/tcp IPv4", WORDS)
    return with_audit(
        with_port(healthy({"name": HOSTS[0], "hosts": HOSTS}), "https", "timeout"),
        name=WORDS,
        certbot=certbot(
            lineages=lineages,
            dry_run=test,
            timers=tuple(RenewalTimer("timer", WORDS, active=False, detail=WORDS) for _ in range(50)),
        ),
        certificates=files,
        filters=tuple(
            Filter(
                "nftables", WORDS, blocked=blocked, detail=dict.fromkeys(blocked, WORDS), chains={blocked[0]: WORDS}
            )
            for _ in range(20)
        ),
        upstreams=tuple(Upstream(f"unix:{WORDS}{number}", accepts=False, detail=WORDS) for number in range(100)),
        logs=tuple(LogTail("error", WORDS, lines) for _ in range(12)),
    )


def test_it_is_judged_in_bounded_time_and_space() -> None:
    """No rule breaks, none takes long, no text grows beyond what is stored, and no command has its words unquoted."""
    start = time.process_time()
    judged = report(machine())
    assert time.process_time() - start < 20
    assert not [entry for entry in judged.not_assessed if "fault of Padlock's" in entry.reason]
    of_machine = [finding for finding in judged.findings if finding.subject.endswith(WORDS)]
    assert {"certbot.expired", "certbot.no_timer", "firewall.blocked"} <= {finding.code for finding in of_machine}
    assert max(len(finding.observed) for finding in of_machine) < 8000
    assert not [line for finding in of_machine for line in finding.commands if "reboot" in line]
