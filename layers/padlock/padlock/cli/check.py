"""`padlock check` and `padlock assess`: sites → evidence → report, from this machine, without AWS."""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from padlock import evidence
from padlock.assess import assess
from padlock.cli import host_evidence
from padlock.cli.formats import Outcome, Way, way
from padlock.cli.gathering import Prepared, looked, prepared
from padlock.cli.output import FAULT, complain, encoded, exit_status
from padlock.cli.progress import Progress
from padlock.evidence import Evidence, Host
from padlock.findings import Report


def check(options: argparse.Namespace) -> int:
    """Check the sites of the command line and of its site files; return the exit status."""
    if not names_sites(options, "check"):
        return FAULT
    if "-" in options.site_file and "-" in options.host_evidence:
        complain("--site-file and --host-evidence cannot both read stdin: give one of them a file")
        return FAULT
    machines, faults = host_evidence.load(options.host_evidence)
    for fault in faults:
        complain(fault)
    return FAULT if faults else look(options, machines, way(options.format, strict=options.strict))


def names_sites(options: argparse.Namespace, command: str) -> bool:
    """Return whether any site is named; complains where none is."""
    if not options.sites and not options.site_file:
        complain(f"name a site, as in `padlock {command} example.com`, or a file of sites with --site-file")
        return False
    return True


def look(options: argparse.Namespace, machines: tuple[Host, ...] | None, output: Way) -> int:
    """Check the sites of the options, with what their machines said if they were asked; return the exit status."""
    asked = prepared(options)
    if asked is None:
        return FAULT
    seen, outcome = asyncio.run(_check_all(asked, machines, output, debug=options.debug))
    kept = _evidence_kept(options.evidence_out, seen, single=asked.single)
    drawn = _page_drawn(options.html, outcome.reports, seen)
    output.conclude(outcome)
    return exit_status(outcome.reports, strict=options.strict) if kept and drawn and not outcome.faults else FAULT


def judge(options: argparse.Namespace) -> int:
    """Judge the evidence of a file; return the exit status."""
    try:
        data = sys.stdin.buffer.read() if options.evidence == "-" else Path(options.evidence).read_bytes()
        single = not data.lstrip().startswith(b"[")
        seen = [evidence.decode(data)] if single else msgspec.json.decode(data, type=list[Evidence])
    except OSError as error:
        complain(f"cannot read the evidence {options.evidence}: {error.strerror or error}")
        return FAULT
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        complain(
            f"cannot read the evidence {options.evidence}: {error}; write it with `padlock check --evidence-out`"
        )
        return FAULT
    if not seen:
        complain(f"{options.evidence} holds an empty list of evidence; write it with `padlock check --evidence-out`")
        return FAULT
    output = way(options.format, strict=options.strict)
    reports = [assess(one) for one in seen]
    for report in reports:
        output.present(report)
    drawn = _page_drawn(options.html, reports, seen)
    output.conclude(Outcome(tuple(reports), single=single))
    return exit_status(reports, strict=options.strict) if drawn else FAULT


async def _check_all(
    asked: Prepared, machines: tuple[Host, ...] | None, output: Way, *, debug: bool
) -> tuple[list[Evidence], Outcome]:
    """Check all sites side by side and present each report in its turn."""
    from padlock.probes.cache import MemoryCache  # noqa: PLC0415 — probes cost 200 ms that --help need not pay

    seen: list[Evidence] = []
    reports: list[Report] = []
    faults = list(asked.wrong)
    progress = Progress([site.name for site in asked.sites])
    async for one in looked(asked, machines, MemoryCache(), progress, debug=debug):
        if one.evidence is None or one.report is None:
            faults.append(one.fault)
            continue
        seen.append(one.evidence)
        reports.append(one.report)
        output.present(one.report)
    progress.end()
    return seen, Outcome(tuple(reports), tuple(faults), single=asked.single)


def _evidence_kept(file: str, seen: Sequence[Evidence], *, single: bool) -> bool:
    """Write the evidence where it is wanted, one object where one site was asked for; return whether that is done."""
    if not file or not seen:
        return True
    data = encoded(seen[0] if single else seen)
    return _written("the evidence", file, msgspec.json.format(data, indent=1) + b"\n")


def _page_drawn(file: str, reports: Sequence[Report], seen: Sequence[Evidence]) -> bool:
    """Write the reports as a page where it is wanted, with what was met on the way; return whether that is done."""
    if not file:
        return True
    from padlock import trail  # noqa: PLC0415 — only this option needs it
    from padlock.render.page import Beside, page  # noqa: PLC0415 — as above

    beside = {one.site.name: Beside(trail=trail.of(one)) for one in seen}
    return _written("the page", file, page(reports, beside).encode())


def _written(what: str, file: str, data: bytes) -> bool:
    """Write a file; complain and return False where that fails."""
    try:
        Path(file).write_bytes(data)
    except OSError as error:
        complain(f"cannot write {what} to {file}: {error.strerror or error}")
        return False
    return True
