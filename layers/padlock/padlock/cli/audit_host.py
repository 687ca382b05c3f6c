"""`padlock audit-host`: what this machine says of itself, printed, or taken for a check of its sites."""

import argparse
import os
import subprocess
import sys
from pathlib import Path

from padlock.cli.check import look
from padlock.cli.formats import way
from padlock.cli.host_evidence import COLLECTOR, read
from padlock.cli.output import FAULT, HEALTHY, complain

SECONDS, DRY_RUN_SECONDS = 120, 1200
"""What the collector may take; it has limits of its own for each of its commands."""


def audit_host(options: argparse.Namespace) -> int:
    """Run the collector on this machine and print what it says, or check sites with it; return the exit status."""
    if options.script_path:
        if options.sites or options.site_file or options.out or options.dry_run:
            complain("--script-path stands alone: it only prints where the collector is")
            return FAULT
        sys.stdout.write(f"{COLLECTOR}\n")
        return HEALTHY
    if (options.html or options.evidence_out) and not (options.sites or options.site_file):
        complain("--html and --evidence-out are of a check: name a site, as in `padlock audit-host example.com`")
        return FAULT
    if os.geteuid() != 0:
        complain("this machine is not asked as root: much of it cannot be read; run it with sudo")
    try:
        document = _collected(dry_run=options.dry_run)
        machine = read(document)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        complain(f"this machine could not be audited: {error}")
        return FAULT
    if options.out:
        try:
            Path(options.out).write_bytes(document)
        except OSError as error:
            complain(f"cannot write the document to {options.out}: {error.strerror or error}")
            return FAULT
    if options.sites or options.site_file:
        return look(options, (machine,), way(options.format, strict=options.strict))
    if not options.out:
        sys.stdout.write(document.decode("ascii"))
    return HEALTHY


def _collected(*, dry_run: bool) -> bytes:
    """Run the collector; OSError, ValueError or SubprocessError where that fails."""
    arguments = ["--full", *(["--dry-run"] if dry_run else [])]
    ended = subprocess.run(  # noqa: S603 — our own script, with fixed arguments
        ["/bin/sh", COLLECTOR, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        timeout=DRY_RUN_SECONDS if dry_run else SECONDS,
        check=False,
    )
    if not ended.stdout:
        raise ValueError(f"the collector ended with status {ended.returncode} and wrote nothing")
    return ended.stdout
