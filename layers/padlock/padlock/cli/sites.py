"""`padlock sites`: the declarations in the Sites table of a deployed stack."""

import argparse
import os
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import msgspec

from padlock.cli import declarations
from padlock.cli.output import FAULT, HEALTHY, complain
from padlock.declaration import read_declaration
from padlock.render.escape import printable
from padlock.site import InvalidSite, Site, host_name

if TYPE_CHECKING:
    from padlock.storage import Sites

OUTPUT = "SitesTableName"
"""The stack's output that names the table."""
WRITERS = 16
"""Items written at the same time."""
HINTS = {
    "NoCredentialsError": "sign in with the AWS command line, or set AWS_PROFILE",
    "NoRegionError": "set AWS_REGION, or a region in the AWS profile",
    "ValidationError": "deploy it with `make deploy`, or name another stack with --stack or the table with --table",
    "ResourceNotFoundException": "name another stack with --stack or the table with --table",
}


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
            sys.stdout.write(msgspec.json.format(msgspec.json.encode(found), indent=2).decode() + "\n")
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
        unknown = [name for name in options.sites if not any(table.delete(key) for key in _spellings(name))]
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
    """Run an action on the stack's table; what AWS refuses becomes one line that says what to do."""
    # boto3 costs 300 ms that the other commands need not pay.
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 — boto3 takes 300 ms

    from padlock.storage import Sites, client  # noqa: PLC0415 — as above

    if region := os.environ.get("AWS_REGION"):
        # The AWS command line reads this name, boto3 only the other.
        os.environ.setdefault("AWS_DEFAULT_REGION", region)
    where = f"table {options.table!r}" if options.table else f"stack {options.stack!r}"
    try:
        table = options.table or _table_of(options.stack)
        if not table:
            complain(
                f"{options.doing}: {where} has no output {OUTPUT}: is it Padlock's? Or name the table with --table"
            )
            return FAULT
        return action(Sites(client(), table))
    except (BotoCoreError, ClientError) as error:
        kind = error.response["Error"]["Code"] if isinstance(error, ClientError) else type(error).__name__
        hint = HINTS.get(kind, "see what the AWS command line says: `aws sts get-caller-identity`")
        complain(f"{options.doing} of {where} failed: {error}; {hint}")
        return FAULT


def _table_of(stack: str) -> str:
    """Return the name of a stack's Sites table; empty where the stack has no such output."""
    import boto3  # noqa: PLC0415 — as above

    described = boto3.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
    outputs: Iterable[Any] = described.get("Outputs", ())
    return next((str(output["OutputValue"]) for output in outputs if output["OutputKey"] == OUTPUT), "")


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


def _spellings(name: str) -> list[str]:
    """Return the keys under which a site may stand: as written (a wrong entry), and in normal form."""
    try:
        return list(dict.fromkeys((name, host_name(name))))
    except ValueError:
        return [name]
