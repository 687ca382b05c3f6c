"""Say what Padlock costs: python -m local.cost [--sites N --minutes N --region R --write docs/cost.md --json]."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from local.cost import figures, model, page, prices, stack
from local.cost.model import Fleet

EPILOG = """exit status: 0 the gate holds in the region, 1 it does not, 2 wrong usage, or a file that cannot be used

Figures are those of .cache/bench/fleet.json, which make bench-fleet writes; what it lacks is from
local/cost/figures.json. --write brings the latter up to date with what was measured."""
GATE_FAILS = 1
WRONG = 2


def main(arguments: Sequence[str], kept: Path = figures.KEPT, fresh: Path = figures.MEASURED) -> int:
    """Print a bill and the gate, or write the page; return the exit status."""
    asked = _parser().parse_args(arguments)
    try:
        here, measured = stack.read(), figures.load(kept, fresh)
        fleet = Fleet(asked.sites, asked.minutes, asked.changes)
        if asked.write:
            asked.write.write_text(page.document(here, measured), encoding="utf-8")
            figures.keep(measured, kept)
            print(f"{asked.write} is written", file=sys.stderr)  # noqa: T201 — a command's output
        verdicts = page.verdicts(here, measured, fleet.changes)
        if asked.json:
            text = _json(here, measured, fleet, asked.region)
        else:
            text = page.summary(here, measured, fleet, asked.region)
        print(text)  # noqa: T201 — a command's output
    except (ValueError, LookupError, OSError) as error:
        print(f"the cost cannot be told: {error}", file=sys.stderr)  # noqa: T201 — a command's output
        return WRONG
    held = all(v.holds for v in verdicts if v.region == asked.region and v.limit == model.GATE)
    return 0 if held else GATE_FAILS


def _json(here: stack.Stack, measured: figures.Figures, fleet: Fleet, region: str) -> str:
    whole = model.bill(model.uses(here, measured, fleet), region)
    verdicts = page.verdicts(here, measured, fleet.changes)
    document = {
        "region": region,
        "fleet": fleet,
        "charge_usd": whole.charge,
        "paid_usd": whole.paid,
        "lines": whole.lines,
        "one_more_site": model.one_more(here, measured, region, fleet.minutes, fleet.changes).lines,
        "gate": [{**msgspec.to_builtins(verdict), "holds": verdict.holds} for verdict in verdicts],
        "figures": measured,
        "stack": here,
    }
    return msgspec.json.format(msgspec.json.encode(document)).decode()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m local.cost",
        description="What a fleet costs in AWS in a month, by line, and whether one more site stays within the gate.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--sites", type=_count, default=100, help="declared sites (100)", metavar="N")
    parser.add_argument("--minutes", type=_minutes, default=5.0, help="between two checks of a site (5)", metavar="N")
    parser.add_argument(
        "--changes", type=_amount, default=model.CHANGES, help="alerts of a site in a month (2)", metavar="N"
    )
    parser.add_argument("--region", choices=prices.REGIONS, default=prices.REGIONS[0], help="(us-east-1)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--write", type=Path, help="write the page as well, such as docs/cost.md", metavar="FILE")
    return parser


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of sites from 0 up")
    return int(text)


def _minutes(text: str) -> float:
    minutes = _amount(text)
    if not 1 <= minutes <= 1440:
        raise argparse.ArgumentTypeError(f"{text} minutes: from 1 to 1440 can be scheduled")
    return minutes


def _amount(text: str) -> float:
    try:
        amount = float(text)
    except ValueError:
        amount = -1.0
    if not 0 <= amount < 1e9:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 up")
    return amount


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
