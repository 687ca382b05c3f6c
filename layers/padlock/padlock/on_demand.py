"""Checks that somebody asks for, from the console or by `aws lambda invoke`: an event → the reports."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from padlock.checking import Checked, check, save_on_demand
from padlock.declaration import read_declaration
from padlock.network.vantage import Vantage
from padlock.probes.cache import Cache
from padlock.site import InvalidSite, key_of
from padlock.storage import Hosts, Results, Sites

MAX_SITES = 10
"""Sites of one event, checked at the same time: what the function's time, its 1024 file descriptors (each site has up
to 32 connections and 64 DNS queries open) and its answer's 6 MB have room for."""
USAGE = 'use {"site": "example.com"}, {"site": {"name": "example.com", …}} or {"sites": ["example.com", …]}'

type Answer = dict[str, Any]


async def answer(
    event: Any, sites: Sites, results: Results, vantage: Vantage, expires: int, cache: Cache, hosts: Hosts
) -> Answer:
    """Return the report of `site`, or `reports` of `sites`; an object with `error` where an entry is wrong.

    ValueError where the event asks for nothing that this function knows.
    """
    checks = [_report(entry, sites, results, vantage, expires, cache, hosts) for entry in entries(event)]
    reports = await asyncio.gather(*checks)
    return {"reports": reports} if "sites" in event else reports[0]


def entries(event: Any) -> list[Any]:
    """Return the entries that an event asks for; ValueError where it asks for none."""
    if not isinstance(event, Mapping) or ("site" in event) == ("sites" in event):
        raise ValueError(f"the event has neither site nor sites, or both; {USAGE}")
    unknown = sorted(str(key) for key in event if key not in {"site", "sites"})
    if unknown:
        raise ValueError(f"the event has the unknown key {unknown[0]!r}; {USAGE}")
    if "site" in event:
        return [event["site"]]
    listed = event["sites"]
    if not isinstance(listed, list) or not listed:
        raise ValueError(f"sites is no list, or an empty one; {USAGE}")
    if len(listed) > MAX_SITES:
        raise ValueError(
            f"sites has {len(listed)} entries; {MAX_SITES} is the most: ask in parts, or use the Sites table"
        )
    return listed


async def _report(
    entry: Any, sites: Sites, results: Results, vantage: Vantage, expires: int, cache: Cache, hosts: Hosts
) -> Answer:
    try:
        # A bare name means the site as its owner declared it, where the table has it.
        declared = await asyncio.to_thread(_declared, entry, sites) if isinstance(entry, str) else None
        site = read_declaration(declared or entry)
    except InvalidSite as error:
        return {"error": str(error)}
    checked: Checked = await check(site, vantage, datetime.now(UTC), cache, hosts)
    if checked.fault:
        return {"error": f"site {site.name!r}: {checked.fault}"}
    await asyncio.to_thread(save_on_demand, results, checked, expires)
    report: Answer = msgspec.to_builtins(checked.report)
    return report


def _declared(name: str, sites: Sites) -> Mapping[str, Any] | None:
    """Return the declaration that the schedule takes; before its first tick another spelling is not known as one."""
    key = key_of(name)
    return sites.find(key) or (sites.get(name) if name != key else None)
