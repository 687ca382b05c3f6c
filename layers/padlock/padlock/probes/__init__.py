"""Probes: each looks at one protocol of a site and records what it sees, failures of the remote side included.

`gather` runs them all. Every probe starts as soon as it can, so that a healthy site costs four round trips: the name,
the connection, TLS, the answer.
"""

import asyncio
import time
from datetime import datetime
from typing import Literal

from padlock.evidence import Evidence, HostDns
from padlock.network.vantage import Vantage
from padlock.probes import caa, registration
from padlock.probes.cache import Cache, MemoryCache
from padlock.probes.chains import follow
from padlock.probes.challenge import ask_challenge
from padlock.probes.dns import resolve_host, siblings, surroundings
from padlock.probes.http import DEEP, ask, ask_deep, ask_default_site, wanted
from padlock.probes.obsolete import offer_obsolete
from padlock.probes.page import follow_and_read
from padlock.probes.run import Run
from padlock.probes.tls import other_certificates
from padlock.probes.transparency import search_logs
from padlock.site import Site

__all__ = ["gather"]


async def gather(site: Site, now: datetime, vantage: Vantage, cache: Cache | None = None) -> Evidence:
    """Look at a whole site, within the vantage point's deadline; never raises for what a remote side does.

    `now` (UTC) is the clock that certificates are verified by. What registries and authorities say is kept in the
    cache, where one is given.
    """
    run = Run(site, now, vantage, cache or MemoryCache())
    incomplete = ""
    try:
        async with asyncio.timeout(vantage.deadline), asyncio.TaskGroup() as run.tasks:
            run.spawn(_look_around(run))
    except TimeoutError:
        incomplete = f"the {vantage.deadline:g} seconds for this site ran out"
    return run.evidence(incomplete)


async def _look_around(run: Run) -> None:
    """Resolve the hosts, look at each as soon as its addresses are known, and meanwhile look around in DNS."""
    declared = run.site.hosts or (run.site.name,)
    run.spawn(search_logs(run))
    run.spawn(registration.look_up(run))
    run.spawn(caa.look_up(run))
    found = list(await asyncio.gather(*(_resolve(run, host) for host in declared)))
    if not run.site.hosts:
        beside = [host for host in await siblings(run.resolver, run.site, run.allowed) if host.derived]
        for host in beside:
            _look_at(run, host)
        found += beside
    run.timings["dns"] = time.perf_counter() - run.began
    run.around = await surroundings(run.resolver, run.vantage, run.site, found, run.allowed)
    run.timings["dns_surroundings"] = time.perf_counter() - run.began


async def _resolve(run: Run, host: str) -> HostDns:
    found = await resolve_host(run.resolver, host, allowed=run.allowed)
    _look_at(run, found)
    return found


def _look_at(run: Run, host: HostDns) -> None:
    """Start every probe of a host's addresses."""
    run.hosts[host.host] = host
    addresses = run.vetted(host)
    if not addresses:
        return
    schemes: tuple[Literal["https", "http"], ...] = ("https", "http") if run.site.http_port else ("https",)
    for address in addresses:
        for scheme in schemes:
            for url, purpose in wanted(run, scheme, host.host):
                run.expect(url, address, purpose)
            run.spawn(ask(run, scheme, host.host, address))
    run.expect(run.url("https", host.host, DEEP), addresses[0], "deep")
    run.spawn(ask_deep(run, host.host, addresses[0]))
    # After the main looks: a host with many addresses has fewer connections than probes.
    for address in addresses:
        run.spawn(other_certificates(run, host.host, address))
        run.spawn(offer_obsolete(run, host.host, address))
        if address not in run.looked_at:
            run.looked_at.add(address)
            run.spawn(ask_default_site(run, host.host, address))
        if run.site.http_port:
            run.spawn(ask_challenge(run, host.host, address))
    for scheme in schemes:
        for url, purpose in wanted(run, scheme, host.host):
            if scheme == "https" and purpose != "deep":
                run.spawn(follow_and_read(run, url, purpose))
            else:
                run.spawn(follow(run, url, purpose))
