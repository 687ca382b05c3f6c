"""`padlock sites`: the declarations in the Sites table of a deployed stack."""

import argparse
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import msgspec

from padlock.cli import declarations
from padlock.cli.output import FAULT, HEALTHY, complain, show_json
from padlock.cli.stack import on_table
from padlock.declaration import read_declaration
from padlock.render.escape import printable
from padlock.site import InvalidSite, Site, host_name

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from padlock.storage import Sites

WRITERS = 16
"""Items written at the same time."""


def add(options: argparse.Namespace) -> int:
    """Put bare host names into the table."""
    sites, wrong = declarations.collect(options.sites, [])
    return _put(options, sites, wrong)


def load(options: argparse.Namespace) -> int:
    """Put the declarations of a site file into the table."""
    sites, wrong = declarations.load(options.file)
    return _put(options, sites, wrong)


def show(options: argparse.Namespace) -> int:
    """List the table's declarations, by name; wrong ones are named on stderr."""

    def action(table: "Sites") -> int:
        found = sorted(table.all(), key=lambda item: str(item["name"]))
        if options.json:
            show_json(found)
            return HEALTHY
        wrong = 0
        for item in found:
            try:
                sys.stdout.write(_row(read_declaration(item)) + "\n")
            except InvalidSite as error:
                complain(f"{error}; correct it with `padlock sites import`, or remove it")
                wrong += 1
        if not found:
            complain("no site is declared yet; add one with `padlock sites add example.com`")
        return FAULT if wrong else HEALTHY

    return _on_table(options, action)


def remove(options: argparse.Namespace) -> int:
    """Remove declarations; an unknown name is named and the others are removed."""

    def action(table: "Sites") -> int:
        unknown = [name for name in options.sites if not any(table.delete(key) for key in spellings(name))]
        for name in unknown:
            complain(f"site {name!r} is not declared; `padlock sites list` shows what is")
        for name in options.sites:
            if name not in unknown:
                sys.stdout.write(f"removed {printable(name)}\n")
        return FAULT if unknown else HEALTHY

    return _on_table(options, action)


def _put(options: argparse.Namespace, sites: Iterable[Site], wrong: list[str]) -> int:
    for message in wrong:
        complain(message)

    def action(table: "Sites") -> int:
        with ThreadPoolExecutor(WRITERS) as pool:
            for site, _ in zip(sites, pool.map(table.put, map(_declaration, sites)), strict=True):
                sys.stdout.write(f"added {site.name}\n")
        return FAULT if wrong else HEALTHY

    return _on_table(options, action)


def _on_table(options: argparse.Namespace, action: "Callable[[Sites], int]") -> int:
    """Run an action on the stack's Sites table."""

    def on_sites(client: "DynamoDBClient", table: str) -> int:
        from padlock.storage import Sites  # noqa: PLC0415 — boto3 takes 300 ms

        return action(Sites(client, table))

    return on_table(options, "SitesTableName", on_sites)


def _declaration(site: Site) -> dict[str, Any]:
    """Return what a site declares beyond the defaults, as an item of the table."""
    defaults = msgspec.to_builtins(Site(site.name))
    return {"name": site.name} | {
        key: value for key, value in msgspec.to_builtins(site).items() if value != defaults[key]
    }


def _row(site: Site) -> str:
    """Return one line of the list."""
    declared = [key for key in _declaration(site) if key not in ("name", "interval", "hosts")]
    hosts = ", ".join(site.hosts) or "with its www or apex sibling"
    return f"{site.name:<30}  every {site.interval:<4}  {hosts}" + (f"  ({', '.join(declared)})" if declared else "")


def spellings(name: str) -> list[str]:
    """Return the keys under which a site may stand: as written (a wrong entry), and in normal form."""
    try:
        return list(dict.fromkeys((name, host_name(name))))
    except ValueError:
        return [name]
