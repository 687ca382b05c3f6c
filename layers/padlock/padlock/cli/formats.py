"""How the reports of a check leave the command: each in its turn, or all of them as one document at the end."""

from collections.abc import Callable
from functools import partial

import msgspec

from padlock.cli.output import show, show_json, show_line, write
from padlock.findings import Report

FORMATS = ("text", "json", "ndjson", "csv", "markdown", "junit", "prometheus")


class Outcome(msgspec.Struct, frozen=True):
    """What came of a check."""

    reports: tuple[Report, ...]
    faults: tuple[str, ...] = ()
    """What could not be checked: a wrong entry, or a fault of Padlock's; empty: nothing."""
    single: bool = False
    """One site was asked for."""


class Way(msgspec.Struct, frozen=True):
    """What is written of each report, and what of all of them."""

    present: Callable[[Report], None] = lambda report: None  # noqa: ARG005 — nothing is written of each
    conclude: Callable[[Outcome], None] = lambda outcome: None  # noqa: ARG005 — nothing is written at the end


def way(name: str, *, strict: bool) -> Way:
    """Return how a format is written; `strict`: a warning fails too."""
    match name:
        case "text":
            return Way(present=show)
        case "ndjson":
            return Way(present=show_line)
        case "json":
            return Way(conclude=lambda outcome: as_json(outcome.reports, single=outcome.single))
        case _:
            return Way(conclude=partial(_document, name, strict=strict))


def as_json(values: tuple[object, ...], *, single: bool) -> None:
    """Write one value where one site was asked for, an array otherwise."""
    if values or not single:
        show_json(values[0] if single else values)


def _document(name: str, outcome: Outcome, *, strict: bool) -> None:
    # Each is loaded where it is asked for: the others need not pay for its imports.
    match name:
        case "csv":
            from padlock.render.findings_csv import render as rows  # noqa: PLC0415 — as above

            write(rows(outcome.reports))
        case "markdown":
            from padlock.render.findings_markdown import render as markdown  # noqa: PLC0415 — as above

            write(markdown(outcome.reports, outcome.faults))
        case "junit":
            from padlock.render.junit import render as junit  # noqa: PLC0415 — as above

            write(junit(outcome.reports, outcome.faults, strict=strict))
        case "prometheus":
            from padlock.render.prometheus import render as prometheus  # noqa: PLC0415 — as above

            write(prometheus(outcome.reports, len(outcome.faults)))
