"""The page docs/performance.md, from the newest records of `compare`, `cold` and `fleet`, and the cost of a site.

What stands in the way of a goal is said in words of our own, page.json, for each goal that is not reached: a goal
without them makes no page.
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from local.cost import figures, model, prices, stack
from tests.bench import cold, compare_table, count, fleet
from tests.bench.cold_record import RESULTS, ROOT
from tests.bench.compare_record import Goal, Record
from tests.bench.count_meter import Figures

COMMAND = ("page", "write docs/performance.md from the newest records")
PAGE = ROOT / "docs/performance.md"
TEXT = Path(__file__).parent / "page.md"
OBSTACLES = Path(__file__).parent / "page.json"
"""Beginning of a goal's name → what stands in the way of its second bound, or of its gate."""


class Incomplete(ValueError):
    """The page cannot be made; the text says what to do."""


class Records(msgspec.Struct, frozen=True):
    """What the page is made of."""

    compare: Record
    cold: Mapping[str, Any]
    fleet: Mapping[str, Any]
    counted: Mapping[str, Figures]
    """The committed counts of one audit."""
    cost: float
    """US dollars for one more site and month, in the first region."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument("--write", type=Path, default=PAGE, help="the page (default: docs/performance.md)")


def main(options: argparse.Namespace) -> int:
    """Write the page; 0: written, 2: a record is missing or a goal's obstacle is not told."""
    try:
        text = document(load(), json.loads(OBSTACLES.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        print(f"no page: {error}", file=sys.stderr)  # noqa: T201 — a command
        return 2
    options.write.write_text(text, encoding="utf-8")
    print(f"{options.write} is written", file=sys.stderr)  # noqa: T201
    return 0


def load(results: Path = RESULTS) -> Records:
    """Read the newest records; Incomplete where one is not there."""
    makers = {"compare": "bench", "cold": "bench-cold", "fleet": "bench-fleet"}
    lacking = [maker for name, maker in makers.items() if not (results / f"{name}.json").exists()]
    if lacking:
        raise Incomplete(f"first run: make {' '.join(lacking)}")
    here, measured = stack.read(), figures.load()
    one_more = model.one_more(here, measured, prices.REGIONS[0], model.GATE_MINUTES)
    return Records(
        msgspec.json.decode((results / "compare.json").read_bytes(), type=Record),
        json.loads((results / "cold.json").read_bytes()),
        json.loads((results / "fleet.json").read_bytes()),
        count.committed(),
        one_more.charge,
    )


def document(records: Records, obstacles: Mapping[str, str]) -> str:
    """Return docs/performance.md."""
    seen = goals(records)
    return TEXT.read_text(encoding="utf-8").format(
        goals=compare_table.goals(seen),
        obstacles="\n".join(_obstacles(seen, obstacles)),
        made="\n".join(_made(records)),
        tools=compare_table.tools(records.compare),
        faults=_faults(records.compare.faults),
        rounds=records.compare.rounds,
        sites=records.compare.sites,
        delays=", ".join(map(str, records.compare.round_trips_ms)),
        counted=_counted(records.counted),
        cold=_cold(records.cold),
        layers=_layers(records.cold),
        dispatch=_dispatch(records.fleet["dispatch"]),
        check=_check(records.fleet["check"]),
        units="\n".join(_units(records.fleet)),
    )


def goals(records: Records) -> list[Goal]:
    """Return every goal with what was seen."""
    init = records.cold["functions"]["CheckFunction"]["init_cpu_over_baseline_ms"]
    largest = max(records.fleet["dispatch"], key=lambda tick: tick["sites"])
    init_gate, init_beyond = cold.GOALS["init_over_baseline_ms"]
    octets_gate, octets_beyond = cold.GOALS["layers_octets"]
    ticked = f"dispatch of {largest['sites']:,} sites, {fleet.DISPATCH_MB} MB"
    return [
        *records.compare.goals,
        Goal("init of the check function over a boto3 client's, CPU", init_gate, init_beyond, init, "ms"),
        Goal("layers, unpacked", octets_gate / 1e6, octets_beyond / 1e6, records.cold["layers_octets"] / 1e6, "MB"),
        Goal("one more site for a month at 5 minutes", model.GATE, model.BEYOND, records.cost, "$"),
        Goal(ticked, fleet.DISPATCH_LIMIT_S, fleet.DISPATCH_LIMIT_S, largest["wall_at_512_mb_s"], "s"),
    ]


def _obstacles(seen: Sequence[Goal], told: Mapping[str, str]) -> Iterator[str]:
    for goal in seen:
        if goal.verdict == "beyond":
            continue
        words = next((text for begin, text in told.items() if goal.goal.startswith(begin)), None)
        if words is None:
            raise Incomplete(f"say in {OBSTACLES.name} what stands in the way of: {goal.goal}")
        yield f"* **{goal.goal}** ({goal.verdict}): {words}"


def _faults(told: Sequence[str]) -> str:
    """Return which tools did not, each with how often, as the end of a sentence."""
    failed = Counter(fault.partition(":")[0] for fault in told)
    words = ", ".join(f"{tool} ({number} of its looks)" for tool, number in failed.items())
    return f"; in this run one did not: {words}" if words else ", and did"


def _made(records: Records) -> Iterator[str]:
    compared = records.compare
    made = {"bench": msgspec.to_builtins(compared), "bench-cold": records.cold, "bench-fleet": records.fleet}
    for target, record in made.items():
        at = record["machine"]
        memory = f"{at['memory_octets'] / 1e9:.0f} GB"
        yield (
            f"| `make {target}` | {record['date'][:16].replace('T', ' ')} UTC | {record['commit']} |"
            f" {at['cores']} cores of {at['cpu']}, {memory}, Python {at['python']} |"
        )


def _counted(runs: Mapping[str, Figures]) -> str:
    first = next(iter(runs.values()))
    exact = [[_words(name), *(f"{run.exact[name]:,}" for run in runs.values())] for name in first.exact]
    about = [[_words(name), *(f"{run.about[name]:,}" for run in runs.values())] for name in first.about]
    return compare_table.table(("an audit of one site", *(f"that finds it {name}" for name in runs)), exact + about)


def _words(name: str) -> str:
    return name.replace("_", " ")


def _cold(record: Mapping[str, Any]) -> str:
    heads = ("function", "init", "over the baseline", "first call", "second call", "init, CPU", "over the baseline")
    keys = (
        "init",
        "init_over_baseline",
        "first_invocation",
        "second_invocation",
        "init_cpu",
        "init_cpu_over_baseline",
    )
    rows = [[name, *(f"{took[f'{key}_ms']:.0f} ms" for key in keys)] for name, took in record["functions"].items()]
    return compare_table.table(heads, rows)


def _layers(record: Mapping[str, Any]) -> str:
    rows = [
        [
            name,
            f"{layer['unpacked_octets'] / 1e6:.1f} MB",
            f"{layer['zipped_octets'] / 1e6:.1f} MB",
            ", ".join(f"{name} {size / 1e6:.1f}" for name, size in list(layer["packages_octets"].items())[:5]),
        ]
        for name, layer in record["layers"].items()
    ]
    return compare_table.table(("layer", "unpacked", "zipped", "largest, MB"), rows)


def _dispatch(ticks: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        [
            f"{tick['sites']:,}",
            f"{tick['wall_at_512_mb_s']:.1f} s",
            f"{tick['cpu_s']:.1f} s",
            f"{tick['peak_octets'] / 1e6:.0f} MB",
            f"{tick['gb_seconds']:.1f}",
        ]
        for tick in ticks
    ]
    return compare_table.table(("sites", "wall at 512 MB", "CPU", "peak memory", "GB-s"), rows)


def _check(batches: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        [
            str(batch["sites"]),
            f"{batch['cpu_ms_per_site']:.1f} ms",
            f"{batch['billed_at_512_mb_s']:.2f} s",
            f"{batch['gb_seconds_per_site']:.4f}",
            f"{batch['peak_octets'] / 1e6:.0f} MB",
        ]
        for batch in batches
    ]
    return compare_table.table(("sites", "CPU a site", "billed at 512 MB", "GB-s a site", "peak memory"), rows)


def _units(record: Mapping[str, Any]) -> Iterator[str]:
    for key, words in figures.KEYS.items():
        if key in record and key.startswith(("wru", "rru", "sqs", "log", "stored", "history")):
            yield f"| {words} | {record[key]:,.1f} |"
