"""Counting in a process of its own: `python -m tests.bench.count_run` prints the figures, `--record` records first.

A process that has done something else before has other things imported, cached and patched.
"""

import argparse
import itertools
import random
import sys
import tempfile
import tracemalloc
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial as bound
from pathlib import Path

import msgspec
from padlock.probes import certificates, trust

from tests.bench import count_site as site
from tests.bench.count_audit import SCENARIOS, Auditor, Scenario, check_known, check_outcome
from tests.bench.count_meter import Counted, Figures, Meter
from tests.bench.count_mutants import built_in
from tests.bench.count_replay import Replay, Tally, Unplayable, Wire

WIRE = Path(__file__).parent / "wire"
TABLE = WIRE / "table.txt"
EXACT = (
    *("dns_questions", "tcp_connections", "tls_handshakes", "http_requests"),
    *("dynamodb_requests", "dynamodb_items_written"),
)
"""What the servers count that has to be the same."""
DEAR = {
    "X509_verify_cert": "chain_verifications",
    "load_der_x509_certificate": "certificates_parsed",
    "SSLContext": "tls_contexts_made",
}
"""C function or class → figure; what costs much more than the instruction that calls it."""
WORK = {
    "padlock.probes.references:in_page": "pages_read",
    "padlock.probes.references:in_stylesheet": "stylesheets_read",
    "padlock.assess:assess": "judgements",
}
"""Function of Padlock's → figure; what is done once for what it is done for."""


def main() -> int:
    """Print the figures of every scenario as JSON; return the exit status: 2 where they cannot be had."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mutant", default="", help="build one fault of tests/bench/count_mutants.py in")
    parser.add_argument("--record", action="store_true", help="write tests/bench/wire/ anew before")
    options = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory() as folder, built_in(options.mutant):
            figures = measured(Path(folder), record=options.record)
    except Unplayable as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.buffer.write(msgspec.json.encode(figures))
    return 0


def measured(folder: Path, *, record: bool) -> dict[str, Figures]:
    """Return the figures of each scenario; Unplayable says why there are none."""
    replay = _replay(folder, [site.RECORDED] if record else random.sample(site.NETWORKS, len(site.NETWORKS)))
    try:
        if record:
            _write_wires(replay, folder)
        wires = {scenario.name: _read(scenario.name) for scenario in SCENARIOS}
        start = bound(Auditor, replay, folder, TABLE.read_text().strip())
        return {scenario.name: _figures(start, replay, scenario, wires[scenario.name]) for scenario in SCENARIOS}
    finally:
        replay.close()


def _replay(folder: Path, networks: Sequence[int]) -> Replay:
    """Return servers on a network that nobody else uses."""
    contexts = site.contexts(folder)
    for network in networks:
        try:
            return Replay(network, contexts)
        except OSError as error:
            last = error
    asked = f"127.83.{networks[0]}.1" if len(networks) == 1 else "any 127.83.x.1"
    raise Unplayable(f"the ports from 10053 to 10445 cannot be had at {asked}, where recorded servers answer: {last}")


def _figures(start: Callable[[], Auditor], replay: Replay, scenario: Scenario, wire: Wire) -> Figures:
    """Run an audit once to warm up, once for its memory, and once to count; of a new site always as if the first."""
    auditor = start()
    _run(auditor, replay, scenario, wire, Meter())
    if scenario.is_new:
        auditor = start()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    _run(auditor, replay, scenario, wire, Meter())
    peak = tracemalloc.get_traced_memory()[1] - before
    tracemalloc.stop()
    if scenario.is_new:
        auditor = start()
        _forget()
    meter = Meter()
    with meter.counting():
        tally = _run(auditor, replay, scenario, wire, meter)
    counted = meter.counted()
    return Figures(
        {name: tally.counts[name] for name in EXACT} | _dear(counted),
        {
            "bytecode_instructions": sum(counted.functions.values()),
            "python_calls": sum(counted.starts.values()),
            "c_calls": sum(counted.calls.values()),
            "octets_sent": tally.counts["octets_sent"],
            "octets_received": tally.counts["octets_received"],
            "dynamodb_octets_written": tally.counts["dynamodb_octets_written"],
            "peak_memory_octets": peak,
        },
        _by_module(counted.functions),
        counted.functions,
        counted.calls,
    )


def _forget() -> None:
    """Have the process know no certificate any more, as if it looked at a site for the first time."""
    trust._KNOWN.clear()
    certificates._parsed.cache_clear()


def _run(auditor: Auditor, replay: Replay, scenario: Scenario, wire: Wire, meter: Meter) -> Tally:
    replay.begin(wire, scenario.certificate)
    try:
        ran = auditor.run(scenario, meter)
    finally:
        check_known(scenario, replay)  # which explains what it may have led to
    check_outcome(scenario, ran)
    return replay.tally


def _by_module(functions: Mapping[str, int]) -> dict[str, int]:
    found: Counter[str] = Counter()
    for name, number in functions.items():
        found[name.partition(":")[0]] += number
    return dict(found)


def _dear(counted: Counted) -> dict[str, int]:
    found: Counter[str] = Counter(dict.fromkeys(DEAR.values(), 0))
    for name, calls in counted.calls.items():
        if figure := DEAR.get(name.rpartition(".")[2]):
            found[figure] += calls
    return dict(found) | {figure: counted.starts.get(name, 0) for name, figure in WORK.items()}


def _write_wires(replay: Replay, folder: Path) -> None:
    from tests.bench import count_record  # noqa: PLC0415 — nginx and moto are needed for nothing else

    if lack := count_record.missing():
        raise Unplayable(lack)
    wires: dict[str, Wire] = {}
    table = count_record.record(replay, folder, wires)
    WIRE.mkdir(exist_ok=True)
    for scenario, part in itertools.product(SCENARIOS, ("dns", "http")):
        kept = dict(sorted(getattr(wires[scenario.name], part).items()))
        text = msgspec.json.format(msgspec.json.encode(kept), indent=1)
        (WIRE / f"{scenario.name}-{part}.json").write_bytes(text + b"\n")
    TABLE.write_text(f"{table}\n")


def _read(name: str) -> Wire:
    dns, http = (
        msgspec.json.decode((WIRE / f"{name}-{part}.json").read_bytes(), type=dict[str, str])
        for part in ("dns", "http")
    )
    return Wire(dns, http)


if __name__ == "__main__":
    sys.exit(main())
