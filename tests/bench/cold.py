"""Cold starts of the built functions in Lambda's emulator, what they import, and how large their layers are.

Each round starts every function once in a new container, and a baseline before them: a function that makes a boto3
client and nothing else, with the same layers. The machine's page cache is warm, and no processor share is taken away:
Lambda gives a function's init a whole processor, too, but reads the layers from farther away.
"""

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
from padlock.storage import Sites, stamp

from local.aws import EmbeddedAws
from local.emulator import NoEngine, container_engine, ready
from tests.bench import cold_imports, cold_record, cold_sizes
from tests.bench.cold_emulator import LAYERS, Cold, Lambda, NotMeasured, architecture, merged
from tests.loopback_site import LoopbackSite

COMMAND = ("cold", "cold starts in Lambda's emulator, import profiles, sizes of the layers")
BASELINE = "Baseline"
FUNCTIONS = ("DispatchFunction", "CheckFunction", "NotifyFunction", "AuditHostFunction", "DashboardFunction")
BASELINE_CODE = """\
import boto3

client = boto3.client("dynamodb")


def handler(event, context):
    return {}
"""
GOALS = {"init_over_baseline_ms": (150, 80), "layers_octets": (40_000_000, 25_000_000)}
"""Measure → gate, and what is beyond it; of the check function, and of both layers together."""
EVENTS = cold_record.ROOT / "events"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument("--rounds", type=int, default=9, help="starts of each function (default: %(default)s)")
    parser.add_argument("--profiles", type=int, default=5, help="import profiles of each (default: %(default)s)")
    built = cold_record.ROOT / ".aws-sam/build"
    parser.add_argument("--built", type=Path, default=built, help="result of sam build (default: .aws-sam/build)")
    parser.add_argument("--result", default="cold", help="name of the file under .cache/bench (default: %(default)s)")


def main(options: argparse.Namespace) -> int:
    """Measure, print and write .cache/bench/cold.json; 0: measured, whatever it came to, 2: it could not be."""
    built: Path = options.built.absolute()
    if not (built / "template.yaml").exists():
        sys.stderr.write("nothing is built yet; run: make build\n")
        return 2
    try:
        starts = _start_all(built, options.rounds)
    except (NoEngine, NotMeasured) as error:
        sys.stderr.write(f"the emulator cannot measure here: {error}\n")
        return 2
    functions = _compared(starts)
    profiles, processor = _imported(built, options.profiles)
    for name, found in functions.items():
        found |= {
            "init_cpu_ms": round(processor[name], 1),
            "init_cpu_over_baseline_ms": round(processor[name] - processor[BASELINE], 1),
        }
    layers = {name: cold_sizes.look(built / name) for name in (*LAYERS.values(), "PadlockLayer")}
    measured = {
        "how": " ".join((__doc__ or "").split()),
        "architecture": architecture(),
        "rounds": options.rounds,
        "goals": {name: {"gate": gate, "beyond": beyond} for name, (gate, beyond) in GOALS.items()},
        "init_over_baseline_ms": functions["CheckFunction"]["init_over_baseline_ms"],
        "layers_octets": layers[LAYERS[architecture()]].unpacked_octets + layers["PadlockLayer"].unpacked_octets,
        "functions": functions,
        "layers": msgspec.to_builtins(layers),
        "imports": profiles,
    }
    file = cold_record.write(options.result, measured)
    sys.stdout.write("\n".join([*_shown(measured), f"written: {file.relative_to(cold_record.ROOT)}", ""]))
    return 0


def _start_all(built: Path, rounds: int) -> dict[str, list[Cold]]:
    """Return the cold starts of each function, interleaved."""
    starts: dict[str, list[Cold]] = {name: [] for name in (BASELINE, *FUNCTIONS)}
    cold_record.RESULTS.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        # Beside what is built: files of another file system could not be linked.
        tempfile.TemporaryDirectory(dir=built.parent) as beside,
        merged(built, Path(beside)) as opt,
        container_engine() as engine,
        LoopbackSite() as site,
        EmbeddedAws() as aws,
    ):
        code = {name: built / name for name in FUNCTIONS} | {BASELINE: Path(folder)}
        (Path(folder) / "app.py").write_text(BASELINE_CODE)
        where = Lambda(engine, opt)
        Sites(aws.client("dynamodb"), aws.physical["SitesTable"]).put(site.declaration)
        for number in range(rounds):
            for name, found in starts.items():
                sys.stderr.write(f"\rround {number + 1} of {rounds}: {name:20}")
                environment = _environment(aws, name, site)
                found.append(where.start(code[name], environment, _events(aws, name, site, number)))
        sys.stderr.write("\n")
    return starts


def _environment(aws: EmbeddedAws, function: str, site: LoopbackSite) -> dict[str, str]:
    if function == BASELINE:
        return aws.environment("CheckFunction")
    network = {"ALLOWED_NETWORKS": "127.0.0.0/8", "RESOLVERS": site.resolver} if function == "CheckFunction" else {}
    return aws.environment(function) | network


def _events(aws: EmbeddedAws, function: str, site: LoopbackSite, number: int) -> list[Any]:
    """Return two events, the first of which is the cold start's; each makes the function do all of its work."""
    slots = [stamp(datetime.now(UTC) + timedelta(seconds=10 * number + step)) for step in (0, 5)]
    match function:
        case "DispatchFunction":
            return [{"scheduled_at": slot} for slot in slots]
        case "CheckFunction":
            return [{"Records": [_message(site.declaration, slot)]} for slot in slots]
        case "NotifyFunction":
            return [ready(aws, "stream.json", json.loads((EVENTS / "stream.json").read_text())), {"sweep": True}]
        case "AuditHostFunction":
            return [{"audit": "all"}] * 2
    return [{}, {}]


def _message(declaration: Mapping[str, Any], slot: str) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((EVENTS / "queue.json").read_text())["Records"][0]
    return event | {"body": json.dumps({"site": declaration, "slot": slot})}


def _compared(starts: Mapping[str, Sequence[Cold]]) -> dict[str, dict[str, Any]]:
    """Return medians, and how much longer than the baseline of the same round each init took."""
    return {
        name: {
            "init_ms": _median([cold.init_ms for cold in found]),
            "init_over_baseline_ms": _median(
                [cold.init_ms - base.init_ms for cold, base in zip(found, starts[BASELINE], strict=True)]
            ),
            "first_invocation_ms": _median([cold.invoke_ms[0] for cold in found]),
            "second_invocation_ms": _median([cold.invoke_ms[1] for cold in found]),
            "init_least_ms": round(min(cold.init_ms for cold in found), 1),
            "init_each_ms": [round(cold.init_ms, 1) for cold in found],
            "first_invocation_each_ms": [round(cold.invoke_ms[0], 1) for cold in found],
        }
        for name, found in starts.items()
    }


def _median(values: Sequence[float]) -> float:
    return round(statistics.median(values), 1)


def _imported(built: Path, rounds: int) -> tuple[dict[str, Any], dict[str, float]]:
    """Return the import profile of each function, and the least processor time of its init, interleaved."""
    layers = [built / LAYERS[architecture()] / "python", built / "PadlockLayer" / "python"]
    with _baseline() as baseline, EmbeddedAws() as aws:
        folders = {BASELINE: baseline} | {name: built / name for name in FUNCTIONS}
        settings = {name: aws.environment("CheckFunction" if name == BASELINE else name) for name in folders}
        profiles = {
            name: msgspec.to_builtins(cold_imports.profile(folder, layers, settings[name], rounds))
            for name, folder in folders.items()
        }
        took = [
            {name: cold_imports.cpu_ms(folder, layers, settings[name]) for name, folder in folders.items()}
            for _ in range(2 * rounds + 1)
        ]
    return profiles, {name: min(each[name] for each in took) for name in folders}


@contextmanager
def _baseline() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "app.py").write_text(BASELINE_CODE)
        yield Path(folder)


def _shown(measured: Mapping[str, Any]) -> Iterator[str]:
    yield (
        f"{'':20}{'init':>9}{'over base':>11}{'first':>9}{'second':>9}{'init cpu':>10}{'over base':>11}"
        f"   ms; medians of {measured['rounds']}, the least of processor time"
    )
    for name, found in measured["functions"].items():
        wanted = ("init", "init_over_baseline", "first_invocation", "second_invocation", "init_cpu")
        columns = [found[f"{key}_ms"] for key in (*wanted, "init_cpu_over_baseline")]
        yield f"{name:20}" + "{:9.0f}{:11.0f}{:9.0f}{:9.0f}{:10.0f}{:11.0f}".format(*columns)
    for name, layer in measured["layers"].items():
        yield (
            f"\n{name}: {layer['unpacked_octets'] / 1e6:.1f} MB unpacked, {layer['zipped_octets'] / 1e6:.1f} zipped; "
            f"bytecode: {layer['bytecode_files']} files, {layer['bytecode_missing']} missing,"
            f" {layer['bytecode_unusable']} unusable"
        )
        largest = list(layer["packages_octets"].items())[:12]
        yield "  " + ", ".join(f"{package} {octets / 1e6:.2f}" for package, octets in largest)
    for name, found in measured["imports"].items():
        packages = ", ".join(
            f"{package} {took / 1000:.0f}" for package, took in list(found["packages_us"].items())[:12]
        )
        yield f"\n{name} imports {found['modules']} modules in {found['total_us'] / 1000:.0f} ms: {packages}"
    yield "\nmodules of the check function that take longest by themselves, ms:"
    for module in measured["imports"]["CheckFunction"]["by_self"]:
        yield f"  {module['self_us'] / 1000:7.1f} {module['cumulative_us'] / 1000:8.1f}  {module['name']}"
    for name, (gate, beyond) in GOALS.items():
        found = measured[name]
        verdict = "beyond" if found <= beyond else "holds" if found <= gate else "does not hold"
        yield f"\n{name}: {found:,.0f}; gate {gate:,}, beyond {beyond:,}: {verdict}"


def _parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.cold", description=__doc__)
    add_options(parser)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main(_parsed()))
