"""Probes: each looks at one protocol of a site and records what it sees, failures of the remote side included.

`gather` runs them all. Every probe starts as soon as it can, so that a healthy site costs four round trips: the name,
the connection, TLS, the answer.
"""

import asyncio
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from padlock.evidence import Evidence, HostDns
from padlock.network.dns import Direct
from padlock.network.vantage import Vantage
from padlock.probes import caa, registration
from padlock.probes.cache import Cache, MemoryCache
from padlock.probes.chains import follow
from padlock.probes.challenge import ask_challenge
from padlock.probes.default_sites import ask_default_site
from padlock.probes.dns import begin_looks, surroundings
from padlock.probes.http import announce, ask, beside, wanted
from padlock.probes.nameservers import Look
from padlock.probes.obsolete import offer_obsolete
from padlock.probes.page import follow_and_read
from padlock.probes.run import Run
from padlock.probes.tls import other_certificates
from padlock.probes.transparency import search_logs
from padlock.probes.zone_cuts import Means
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
    async with asyncio.TaskGroup() as tasks:
        looks = begin_looks(tasks, run.resolver, run.site, run.allowed)
        for look in looks:
            tasks.create_task(_look_when_known(run, look))
        for work in (_ask_around(run, looks), caa.look_up(run), registration.look_up(run), search_logs(run)):
            run.spawn(work)
    run.timings["dns"] = time.perf_counter() - run.began


async def _look_when_known(run: Run, look: Look) -> None:
    _look_at(run, await look.found)


async def _ask_around(run: Run, looks: Sequence[Look]) -> None:
    """Ask everyone else who may know the hosts."""
    means = Means(run.resolver, Direct(), run.vantage.nameserver_port, tuple(run.allowed))
    run.around = await surroundings(means, run.vantage.public_resolvers, run.site, looks)
    run.timings["dns_surroundings"] = time.perf_counter() - run.began


def _look_at(run: Run, host: HostDns) -> None:
    """Start every probe of a host's addresses."""
    run.hosts[host.host] = host
    addresses = run.vetted(host)
    if not addresses:
        return
    schemes: tuple[Literal["https", "http"], ...] = ("https", "http") if run.site.http_port else ("https",)
    asked = [(scheme, address) for address in addresses for scheme in schemes]
    for scheme, address in asked:
        for url, purpose in wanted(run, scheme, host.host):
            run.expect(url, address, purpose)
        run.spawn(ask(run, scheme, host.host, address))
    for scheme, address in asked:
        for also in beside(run, scheme, host.host, address):
            announce(run, also, address)
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
