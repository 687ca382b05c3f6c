"""`padlock watch`: sites checked again and again during a launch, and what changed, until all is green."""

import argparse
import asyncio
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from padlock.changes import Policy, State
from padlock.changes.observing import observed
from padlock.cli.check import names_sites
from padlock.cli.gathering import Prepared, looked, prepared
from padlock.cli.output import (
    FAULT,
    HEALTHY,
    UNHEALTHY,
    clear_progress,
    columns,
    complain,
    exit_status,
    progress_line,
)
from padlock.cli.progress import Progress
from padlock.cli.signs import coloured_as, show_lines, sign
from padlock.findings import Finding, Report, Severity
from padlock.render.escape import phrase, printable
from padlock.render.prose import rows
from padlock.render.words import alike, counted, summary_of

if TYPE_CHECKING:
    from padlock.probes.cache import Cache

CACHED_SECONDS = 600
"""How long answers of registries and authorities are used again, which change rarely."""
_SUBJECTS = 5
"""Subjects of one finding that are named."""

_POLICY = Policy(failures=1, successes=1)
"""Who watches sees each look: one that finds something opens it, one that does not find it any more closes it."""

type Found = Mapping[tuple[str, str, str], Finding]
"""(site, code, subject) → an error or a warning."""


class Look(msgspec.Struct, frozen=True):
    """What one look at all sites saw, and what is known since the ones before."""

    number: int = 0
    reports: tuple[Report, ...] = ()
    faults: tuple[str, ...] = ()
    states: Mapping[str, State] = {}
    """Site → what is open: what was found and could not be looked at since is not over."""

    @property
    def found(self) -> Found:
        """The errors and warnings that are open."""
        return {
            (site, *finding.key): finding
            for site, state in self.states.items()
            for finding in state.findings
            if finding.severity is not Severity.NOTICE
        }

    def status(self, *, strict: bool) -> int:
        """Return the exit status that it stands for."""
        if self.faults:
            return FAULT
        grave = {Severity.ERROR, Severity.WARNING} if strict else {Severity.ERROR}
        unhealthy = any(finding.severity in grave for finding in self.found.values())
        return max(exit_status(self.reports, strict=strict), UNHEALTHY if unhealthy else HEALTHY)


def watch(options: argparse.Namespace) -> int:
    """Look again and again until all is green or the time is over; return the exit status."""
    asked = prepared(options) if names_sites(options, "watch") else None
    if asked is None or asked.wrong:
        return FAULT
    return asyncio.run(_watch(asked, options))


async def _watch(asked: Prepared, options: argparse.Namespace) -> int:
    from padlock.probes.cache import MemoryCache  # noqa: PLC0415 — probes cost 200 ms that --help need not pay

    began = cached = time.monotonic()
    cache = MemoryCache()
    before = Look()
    while True:
        started = time.monotonic()
        if started - cached > CACHED_SECONDS:
            cache, cached = MemoryCache(), started
        look = await _look(before, asked, cache, options)
        status = look.status(strict=options.strict)
        _tell(look, before)
        before = look
        now = time.monotonic()
        if status == HEALTHY:
            rest = f": {_state(look)}" if look.found else ""
            show_lines([f"{sign('ok')} green after {counted(look.number, 'look')}, {_span(now - began)}{rest}"])
            return HEALTHY
        end = began + options.timeout
        if now >= end:
            complain(f"not green after {counted(look.number, 'look')}, {_span(now - began)}: {_state(look)}")
            return status
        # The last look is at the end, so that none of the time is lost.
        await _wait(min(started + options.every, end), look, f"{_span(now - began)} of {_span(options.timeout)}")


async def _look(before: Look, asked: Prepared, cache: "Cache", options: argparse.Namespace) -> Look:
    """Look at all sites once."""
    progress = Progress([site.name for site in asked.sites])
    seen = [one async for one in looked(asked, None, cache, progress, debug=options.debug)]
    progress.end()
    return after(before, [one.report for one in seen if one.report], [one.fault for one in seen if one.fault])


def after(before: Look, reports: Sequence[Report], faults: Sequence[str] = ()) -> Look:
    """Return the look that follows another one."""
    states = {report.site: observed(before.states.get(report.site, State()), report, _POLICY) for report in reports}
    return Look(before.number + 1, tuple(reports), tuple(faults), {**before.states, **states})


async def _wait(until: float, look: Look, told: str) -> None:
    """Wait for the next look; on a terminal a line says for how long, and how things are."""
    while (left := until - time.monotonic()) > 0:
        progress_line(f"look {look.number + 1} in {left:.0f} s · {told} · {_state(look)} · Ctrl-C ends it")
        await asyncio.sleep(min(left, 1) if sys.stderr.isatty() else left)
    clear_progress()


def _tell(look: Look, before: Look) -> None:
    """Say what changed since the look before; on a terminal a look that saw no change is not a line of its own."""
    lines = list(changes(look, before))
    if lines or not before.number or not sys.stderr.isatty():
        at = f"{datetime.now(UTC):%H:%M:%S} UTC  look {look.number}"
        same = "nothing changed, " if before.number and not lines else ""
        show_lines([f"{at}  {same}{_state(look)}", *lines])


def changes(look: Look, before: Look) -> Iterator[str]:
    """Yield what went, came, got worse or better, and sites that can be seen now, or no longer."""
    former, found = before.found, look.found
    statuses = {report.site: report.status for report in before.reports}
    for report in look.reports:
        of = f"  ({phrase(report.site)})" if len(look.reports) > 1 else ""
        was = statuses.get(report.site)
        if "inconclusive" in (report.status, was) and report.status != was:
            yield f"  {sign(report.status)} {phrase(report.site)}  {'; '.join(summary_of(report))}"
        gone = [finding for key, finding in former.items() if key[0] == report.site and key not in found]
        for finding, subjects in alike(gone).items():
            yield f"  {sign('ok')} {coloured_as('ok', 'over')}  {_title(finding, subjects)}{of}"
        fresh = [
            finding
            for key, finding in found.items()
            if key[0] == report.site and (key not in former or former[key].severity is not finding.severity)
        ]
        for finding, subjects in alike(fresh).items():
            yield from _shown(finding, subjects, of)


def _shown(finding: Finding, subjects: Sequence[str], of: str) -> Iterator[str]:
    """Yield a finding that is new, with what heals it."""
    severity = finding.severity.value
    yield f"  {sign(severity)} {coloured_as(severity, severity)}  {_title(finding, subjects)}{of}"
    yield from rows([("seen", finding.observed), ("fix", finding.remediation)], columns(), indent=4, label_width=6)
    yield from (f"    as root  {printable(line, 10 * len(line))}" for line in finding.commands)


def _title(finding: Finding, subjects: Sequence[str]) -> str:
    rest = f" and {len(subjects) - _SUBJECTS} more" if len(subjects) > _SUBJECTS else ""
    return f"{phrase(finding.code)}  {phrase(', '.join(subjects[:_SUBJECTS]))}{rest}"


def _state(look: Look) -> str:
    """Return how all sites are, in a few words."""
    errors = sum(finding.severity is Severity.ERROR for finding in look.found.values())
    parts = [counted(errors, "error")] if errors else []
    parts += [counted(warnings, "warning")] if (warnings := len(look.found) - errors) else []
    blind = [phrase(report.site) for report in look.reports if report.status == "inconclusive"]
    parts += [f"{', '.join(blind[:_SUBJECTS])} could not be seen"] if blind else []
    parts += [f"{counted(len(look.faults), 'fault')} of Padlock's"] if look.faults else []
    return ", ".join(parts) or "no error, no warning"


def _span(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
