"""One look at one site, from its declaration to its report: what stands behind the queue and the console."""

import asyncio
import logging
import time
import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from padlock.assess import assess
from padlock.declaration import read_declaration, readable
from padlock.evidence import Evidence, Host
from padlock.findings import Finding, NotAssessed, Report, Severity
from padlock.network.vantage import Vantage
from padlock.probes import gather
from padlock.probes.cache import Cache
from padlock.render.escape import printable
from padlock.rules import RULES
from padlock.site import InvalidSite, Site, key_of
from padlock.storage import Hosts, Results, Run, stamp

type Declaration = str | Mapping[str, Any]

GRACE = 10.0
"""Seconds after its deadline in which gathering must have ended; a probe that hangs must not keep its whole batch."""

log = logging.getLogger(__name__)


class Checked(msgspec.Struct, frozen=True):
    """One look at one site."""

    report: Report
    evidence: Evidence | None
    """None where nothing could be gathered."""
    seconds: float
    fault: str = ""
    """What went wrong on our side; empty: nothing did."""


class InvalidMessage(ValueError):
    """A queue message that cannot be understood; the text says why."""


class Task(msgspec.Struct, frozen=True):
    """One queue message: a site as declared, right or wrong, and the slot that it is checked in."""

    declaration: Declaration
    slot: datetime
    error: str = ""
    """Why dispatch could not send the declaration itself."""
    removed: bool = False
    """The site is no longer declared."""

    @property
    def name(self) -> str:
        """The key of the site's items."""
        return key_of(self.declaration)

    @property
    def spelled(self) -> str:
        """The name as its declaration writes it, which is the key in the Sites table."""
        return str(self.declaration if isinstance(self.declaration, str) else self.declaration.get("name", ""))


def read_task(body: str) -> Task:
    """Read a queue message; InvalidMessage says what is wrong with it."""
    try:
        message = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError) as error:
        raise InvalidMessage(f"the queue message is no JSON ({error}): {printable(body, 200)}") from error
    if not isinstance(message, dict) or "site" not in message or "slot" not in message:
        raise InvalidMessage(f"the queue message lacks the keys site and slot: {printable(body, 200)}")
    declaration, slot = message["site"], message["slot"]
    name = declaration.get("name") if isinstance(declaration, dict) else declaration
    if not isinstance(name, str) or not name.strip():
        raise InvalidMessage(f"the queue message's site has no name: {printable(body, 200)}")
    try:
        moment = datetime.fromisoformat(slot)
    except (TypeError, ValueError) as error:
        raise InvalidMessage(
            f"the queue message's slot is no time such as 2026-11-20T17:05:00Z: {str(slot)[:80]!r}"
        ) from error
    if moment.tzinfo is None:
        raise InvalidMessage(f"the queue message's slot has no time zone: {str(slot)[:80]!r}")
    return Task(declaration, moment, str(message.get("error", "")), message.get("removed") is True)


async def check(site: Site, vantage: Vantage, now: datetime, cache: Cache, hosts: Hosts) -> Checked:
    """Look at a site, and at what its machines said of themselves, and judge it.

    A fault of ours gives an inconclusive report, never an exception.
    """
    started = time.monotonic()
    try:
        async with asyncio.timeout(vantage.deadline + GRACE):
            seen = await gather(site, now, vantage, cache)
        evidence = msgspec.structs.replace(seen, host=await _audited(site, now, hosts))
        report = assess(evidence)
    except Exception as error:
        log.exception("the check of %s failed in Padlock itself", site.name)
        fault = f"a fault of Padlock's: {type(error).__name__}: {printable(str(error), 300)}"
        return Checked(blind(site.name, now, fault, site), None, time.monotonic() - started, fault)
    return Checked(report, evidence, time.monotonic() - started)


async def _audited(site: Site, now: datetime, hosts: Hosts) -> tuple[Host, ...] | None:
    """Return the latest word of the site's machines; None where it declares none."""
    if not site.instances:
        return None
    try:
        async with asyncio.timeout(GRACE):
            return await asyncio.to_thread(hosts.load, site.instances, now)
    except TimeoutError:
        return tuple(Host(name, now, "its audit could not be read in time") for name in site.instances)


async def check_task(task: Task, vantage: Vantage, now: datetime, cache: Cache, hosts: Hosts) -> Checked:
    """Check what is declared; a wrong declaration gives a report that says so."""
    site = site_of(task)
    if isinstance(site, InvalidSite):
        return Checked(invalid(task.declaration, str(site), now), None, 0.0)
    return await check(site, vantage, now, cache, hosts)


def site_of(task: Task) -> Site | InvalidSite:
    """Return the site that a task declares, or what is wrong with the declaration."""
    if task.error:
        return InvalidSite(task.error)
    try:
        return read_declaration(task.declaration)
    except InvalidSite as wrong:
        return wrong


def invalid(declaration: Declaration, error: str, now: datetime) -> Report:
    """Return the report of a declaration that cannot be used: one finding, and nothing assessed."""
    name = key_of(declaration)
    finding = Finding(
        code="site.invalid",
        severity=Severity.ERROR,
        subject=name,
        observed=printable(error),
        expected="a declaration that can be read",
        impact="The site is not checked: nobody would notice if it broke.",
        remediation="Correct the entry in the Sites table, or in the stack's parameter Sites.",
        reference="README, the keys of a site",
        step=None,
        summary="wrong declaration",
    )
    unseen = blind(name, now, "the site's declaration is wrong", readable(declaration))
    return msgspec.structs.replace(unseen, status="error", findings=(finding,))


def save_on_demand(results: Results, checked: Checked, expires: int) -> None:
    """Store a run that somebody asked for as history; it moves no state and alerts nobody."""
    key = f"RUN#{stamp(checked.report.checked_at)}#{uuid.uuid4()}"
    results.keep(Run(checked.report.site, key, 0, round(checked.seconds, 3), expires), checked.report, "on demand")


def blind(name: str, now: datetime, reason: str, site: Site | InvalidSite | None = None) -> Report:
    """Return the report of a look that saw nothing; its alerts are routed and read as the site declares."""
    return Report(
        site=name,
        checked_at=now,
        status="inconclusive",
        findings=(),
        causes=(),
        checklist=(),
        not_assessed=tuple(NotAssessed(code, name, reason, whole=True) for code in RULES),
        timings={},
        labels=site.labels if isinstance(site, Site) else {},
        timezone=site.timezone if isinstance(site, Site) else "UTC",
    )
