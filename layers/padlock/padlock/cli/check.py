"""`padlock check` and `padlock assess`: sites → evidence → report, from this machine, without AWS."""

import argparse
import asyncio
import ipaddress
import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from padlock import evidence
from padlock.assess import assess
from padlock.cli import declarations, host_evidence
from padlock.cli.output import FAULT, complain, encoded, exit_status, progress, show, show_fault, show_json
from padlock.evidence import Evidence, Host
from padlock.findings import Report
from padlock.network.vantage import Vantage, public_beside
from padlock.site import Site

AT_ONCE = 20
"""Sites checked at the same time."""
DESCRIPTORS_PER_SITE = 100
"""Files that one site's check may have open: its connections and a socket for each DNS query in flight."""


def check(options: argparse.Namespace) -> int:
    """Check the sites of the command line and of its site files; return the exit status."""
    if not options.sites and not options.site_file:
        complain("name a site, as in `padlock check example.com`, or a file of sites with --site-file")
        return FAULT
    if "-" in options.site_file and "-" in options.host_evidence:
        complain("--site-file and --host-evidence cannot both read stdin: give one of them a file")
        return FAULT
    machines, faults = host_evidence.load(options.host_evidence)
    for fault in faults:
        complain(fault)
    return FAULT if faults else look(options, machines)


def look(
    options: argparse.Namespace, machines: tuple[Host, ...] | None, present: Callable[[Report], None] = show
) -> int:
    """Check the sites of the options, with what their machines said if they were asked; return the exit status.

    Each report is presented in its turn, unless JSON is asked for.
    """
    if options.ca_file and (fault := _unusable_ca_file(options.ca_file)):
        complain(fault)
        return FAULT
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
    opened = [_opened(site, options.allow_network) for site in sites]
    seen, reports = asyncio.run(_check_all(opened, vantage, machines, options, present))
    single = len(sites) + len(wrong) == 1
    faults = len(wrong) + len(sites) - len(seen)
    if options.evidence_out:
        faults += not _written(options.evidence_out, seen, single=single)
    return _concluded(reports, options, faults=faults, single=single)


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
    reports = [assess(one) for one in seen]
    if not options.json:
        for report in reports:
            show(report)
    return _concluded(reports, options, faults=0, single=single)


async def _check_all(
    sites: Sequence[Site],
    vantage: Vantage,
    machines: tuple[Host, ...] | None,
    options: argparse.Namespace,
    present: Callable[[Report], None],
) -> tuple[list[Evidence], list[Report]]:
    """Check all sites side by side; present each report in its turn unless JSON is asked for.

    A fault of ours costs its site's report only.
    """
    from padlock.probes import gather  # noqa: PLC0415 — its imports cost 200 ms that --help need not pay
    from padlock.probes.cache import MemoryCache  # noqa: PLC0415 — as above

    _allow_descriptors(min(len(sites), AT_ONCE) * DESCRIPTORS_PER_SITE + 100)
    slots = asyncio.Semaphore(AT_ONCE)
    cache = MemoryCache()
    done = 0

    async def one(site: Site) -> Evidence:
        nonlocal done
        async with slots:
            gathered = await gather(site, datetime.now(UTC), vantage, cache)
        done += 1
        progress(done, len(sites), site.name)
        return msgspec.structs.replace(gathered, host=machines)

    progress(0, len(sites), ", ".join(site.name for site in sites))
    tasks = [asyncio.create_task(one(site)) for site in sites]
    seen: list[Evidence] = []
    reports: list[Report] = []
    for site, task in zip(sites, tasks, strict=True):
        try:
            seen.append(await task)
        except Exception as error:  # noqa: BLE001 — the other sites' reports must not be lost
            _complain_of_fault(site, error, debug=options.debug)
            continue
        reports.append(assess(seen[-1]))
        if not options.json:
            present(reports[-1])
    return seen, reports


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


def _complain_of_fault(site: Site, error: Exception, *, debug: bool) -> None:
    if debug:
        show_fault(error)
    complain(
        f"checking {site.name} failed: {type(error).__name__}: {error}; this is a fault of Padlock's and says "
        "nothing about the site: run it again with --debug and report what it prints"
    )


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


def _written(file: str, seen: Sequence[Evidence], *, single: bool) -> bool:
    """Write the evidence, one object where one site was asked for; complain and return False where that fails."""
    if not seen:
        return True
    data = encoded(seen[0] if single else seen)
    try:
        Path(file).write_bytes(msgspec.json.format(data, indent=1) + b"\n")
    except OSError as error:
        complain(f"cannot write the evidence to {file}: {error.strerror or error}")
        return False
    return True


def _concluded(reports: list[Report], options: argparse.Namespace, *, faults: int, single: bool) -> int:
    """Print the JSON, if asked for, and return the exit status."""
    if options.json and (reports or not single):
        show_json(reports[0] if single else reports)
    return FAULT if faults else exit_status(reports, strict=options.strict)
