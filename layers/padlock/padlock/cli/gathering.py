"""Sites → evidence → reports, side by side, from this machine: what check, watch and record have in common."""

import argparse
import asyncio
import ipaddress
from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from padlock.assess import assess
from padlock.cli import declarations
from padlock.cli.output import complain, show_fault
from padlock.cli.progress import Progress
from padlock.evidence import Evidence, Host
from padlock.findings import Report
from padlock.network.vantage import Vantage, public_beside
from padlock.site import Site

if TYPE_CHECKING:
    from padlock.probes.cache import Cache

AT_ONCE = 20
"""Sites checked at the same time."""
DESCRIPTORS_PER_SITE = 100
"""Files that one site's check may have open: its connections and a socket for each DNS query in flight."""


class Prepared(msgspec.Struct, frozen=True):
    """What is to be looked at, and from where."""

    sites: tuple[Site, ...]
    vantage: Vantage
    wrong: tuple[str, ...] = ()
    """What is wrong with the entries that cannot be used."""

    @property
    def single(self) -> bool:
        """Whether one site was asked for, right or wrong."""
        return len(self.sites) + len(self.wrong) == 1


class Seen(msgspec.Struct, frozen=True):
    """What came of one site."""

    evidence: Evidence | None = None
    report: Report | None = None
    fault: str = ""
    """In place of both: what went wrong with Padlock itself."""


def prepared(options: argparse.Namespace) -> Prepared | None:
    """Return what the options ask for; what cannot be used is complained of, None where nothing can be."""
    if options.ca_file and (fault := _unusable_ca_file(options.ca_file)):
        complain(fault)
        return None
    sites, wrong = declarations.collect(options.sites, options.site_file)
    for message in wrong:
        complain(message)
    vantage = Vantage(
        resolvers=tuple(options.resolver),
        public_resolvers=tuple(options.public_resolver) or public_beside(options.resolver),
        networks=tuple(options.allow_network),
        ca_file=options.ca_file,
        services={"ct": options.ct} if options.ct else {},
    )
    for site in sites:
        _complain_of_networks(site, options.allow_network)
    return Prepared(tuple(_opened(site, options.allow_network) for site in sites), vantage, tuple(wrong))


async def looked(
    asked: Prepared, machines: tuple[Host, ...] | None, cache: "Cache", progress: Progress, *, debug: bool
) -> AsyncIterator[Seen]:
    """Look at all sites side by side and yield what came of each, in their order.

    A fault of ours is complained of and costs its site's report only.
    """
    from padlock.probes import gather  # noqa: PLC0415 — its imports cost 200 ms that --help need not pay

    _allow_descriptors(min(len(asked.sites), AT_ONCE) * DESCRIPTORS_PER_SITE + 100)
    slots = asyncio.Semaphore(AT_ONCE)

    async def one(site: Site) -> Seen:
        try:
            async with slots:
                gathered = await gather(site, datetime.now(UTC), asked.vantage, cache)
            evidence = msgspec.structs.replace(gathered, host=machines)
            report = assess(evidence)
        except Exception as error:  # noqa: BLE001 — the other sites' reports must not be lost
            progress.checked(site.name, failing=True)
            return Seen(fault=_fault(site, error, debug=debug))
        progress.checked(site.name, failing=report.status == "error")
        return Seen(evidence, report)

    for task in [asyncio.create_task(one(site)) for site in asked.sites]:
        yield await task


def _fault(site: Site, error: Exception, *, debug: bool) -> str:
    """Complain of a fault of ours, and return what was said."""
    if debug:
        show_fault(error)
    said = (
        f"checking {site.name} failed: {type(error).__name__}: {error}; this is a fault of Padlock's and says "
        "nothing about the site: run it again with --debug and report what it prints"
    )
    complain(said)
    return said


def _allow_descriptors(wanted: int) -> None:
    """Raise this process's limit of open files, as far as the system lets it: shells often set it to 1024 or 256."""
    try:
        import resource  # noqa: PLC0415 — Windows has no such limit, and no such module
    except ImportError:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def _complain_of_networks(site: Site, allowed: Sequence[str]) -> None:
    """Say which declared networks stay closed: a declaration alone opens nothing, whoever wrote the file."""
    ranges = [ipaddress.ip_network(text) for text in allowed]
    closed = [
        text
        for text in site.networks
        if not any(
            str(wide.version) == str(net.version) and net.subnet_of(wide)  # type: ignore[arg-type]
            for net in [ipaddress.ip_network(text)]
            for wide in ranges
        )
    ]
    if closed:
        flags = " ".join(f"--allow-network {text}" for text in closed)
        complain(f"{site.name} declares networks that this command does not allow; to look there, add {flags}")


def _opened(site: Site, networks: Iterable[str]) -> Site:
    """Return the site with these networks allowed: who runs the command is owner and operator at once."""
    return msgspec.structs.replace(site, networks=tuple(dict.fromkeys((*site.networks, *networks))))


def _unusable_ca_file(file: str) -> str:
    """Return what is wrong with a file of authorities; empty where it can be used."""
    from cryptography import x509  # noqa: PLC0415 — 50 ms that only this option need pay

    try:
        x509.load_pem_x509_certificates(Path(file).read_bytes())
    except OSError as error:
        return f"cannot read --ca-file {file}: {error.strerror or error}"
    except ValueError:
        return f"--ca-file {file} holds no PEM certificate"
    return ""
