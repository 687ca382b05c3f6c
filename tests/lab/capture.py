"""Capture evidence of the lab for tests/test_replay.py: `python -m tests.lab.capture` (as root) writes it anew.

A file holds the evidence as Padlock stores it, and the errors and warnings that were found in it.
"""

import asyncio
import sys
from pathlib import Path

import msgspec
from padlock import evidence

from tests.lab.lab import missing, running
from tests.lab.look import look
from tests.lab.scenarios import ALL

CAPTURED = Path(__file__).parents[1] / "evidence"
SITES = (
    "shop.test",
    "dual-stack.test",
    "cname-loop.test",
    "split-ns.test",
    "firewall.test",
    "expired.test",
    "incomplete.test",
    "forgotten.test",
    "gunicorn-down.test",
    "loop-hosts.test",
    "missing-slash.test",
    "hsts-early.test",
)


def main() -> int:
    """Write one file for each site; return the exit status."""
    lack = missing()
    if lack:
        print(lack, file=sys.stderr)  # noqa: T201 — a command
        return 3
    scenarios = [scenario for scenario in ALL if scenario.name in SITES]
    with running() as lab:
        seen = lab.call(lambda: asyncio.run(look(lab, scenarios)))
    CAPTURED.mkdir(exist_ok=True)
    for name, one in seen.items():
        document = {
            "findings": [[f.severity, f.code, f.subject] for f in one.report.findings if f.severity != "notice"],
            "evidence": msgspec.Raw(evidence.encode(one.evidence)),
        }
        text = msgspec.json.format(msgspec.json.encode(document), indent=1)
        (CAPTURED / f"{name}.json").write_bytes(text + b"\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
