"""Runs hostile sites through the whole check function, in batches with eight healthy ones, and judges the outcome.

Each batch has a process of its own, in the checker's namespace, and a stack of its own of an embedded AWS that is
reached there; so that memory, time and state are those of one call of the handler.
"""

import contextlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import msgspec
from padlock import evidence
from padlock.checking import GRACE
from padlock.findings import Report
from padlock.network.vantage import Vantage
from padlock.storage import Results

from local.aws import EmbeddedAws
from tests.hostile.behaviour import Behaviour, Outcome
from tests.hostile.child import ROOT, Look, Request, Result
from tests.hostile.internet import HEALTHY, PUBLIC_RESOLVERS, Internet
from tests.hostile.stage import Stages, stages
from tests.lab import names, registry, services
from tests.lab.network import CHECKER

AT_ONCE = 2
"""Batches at the same time; the machine of the tests has as many cores."""
QUICK_SIZE = 14
"""Hostile sites of one batch where there is little time; time and memory are then those of all of them."""
MOST_SECONDS = Vantage().deadline + GRACE
"""Of wall clock for one site's look, whatever the site does."""
MOST_MEMORY = 64_000_000
"""Octets above idle, for a whole batch."""
FUNCTION_SECONDS = 58.0
"""That the function says it has: too few for a second look at what failed, which would see the same."""
_CHANGING = ("checked_at", "timings")
"""Fields of a report that no two looks share."""


class Row(msgspec.Struct, frozen=True):
    """One line of the table."""

    name: str
    promise: str
    expected: str
    seen: str
    seconds: float
    peak: int
    faults: tuple[str, ...] = ()
    """What is wrong beside what was seen: the deadline, the memory, the neighbours, a log that is none."""

    @property
    def right(self) -> bool:
        """Whether the promise was kept."""
        return self.seen == self.expected and not self.faults


class Batch(msgspec.Struct, frozen=True):
    """What one call of the handler did."""

    result: Result
    stored: Mapping[str, str]
    """Site → status of the run that was stored."""
    printed: str
    """By the function, on its standard output and error."""

    def look(self, site: str) -> Look | None:
        """Return a site's look."""
        return next((look for look in self.result.looks if look.site == site), None)

    def judgements(self) -> Mapping[str, Any]:
        """Return the healthy sites' reports, without what no two looks share."""
        found = {scenario.name: self.look(scenario.name) for scenario in HEALTHY}
        return {
            name: {key: value for key, value in look.report.items() if key not in _CHANGING} if look else None
            for name, look in found.items()
        }


class Harness:
    """A hostile lab with what runs the check function in it."""

    def __init__(self, internet: Internet, served: Stages, clouds: Sequence[EmbeddedAws]) -> None:
        """Take one process and one embedded AWS for each batch that may run at the same time."""
        self._internet = internet
        self._served = served
        self._clouds: SimpleQueue[EmbeddedAws] = SimpleQueue()
        for aws in clouds:
            self._clouds.put(aws)
        self._alone = self._run(())
        """The healthy sites' batch without a hostile one."""

    def baseline(self) -> Row:
        """Return the row of the healthy sites alone."""
        result = self._alone.result
        peak = result.peak - result.idle
        statuses = sorted({str(look.report["status"]) for look in result.looks})
        seen = f"{len(result.looks)} sites: {', '.join(statuses)}"
        expected = f"{len(HEALTHY)} sites: notice"
        return Row("", "eight healthy sites alone", expected, seen, result.seconds, peak, self._shared(self._alone))

    def rows(self, batches: Sequence[Sequence[Behaviour]]) -> Iterator[Row]:
        """Run batches, as many at once as there are clouds, and yield the row of each behaviour."""
        with ThreadPoolExecutor(self._clouds.qsize()) as pool:
            for judged in pool.map(self._judged, batches):
                yield from judged

    def _judged(self, behaviours: Sequence[Behaviour]) -> list[Row]:
        try:
            batch = self._run(behaviours)
        except Exception as error:  # noqa: BLE001 — a row, so that the others are still tried
            broken = f"the harness failed: {type(error).__name__}: {error}"
            return [Row(b.name, b.promise, b.expected, "", 0.0, 0, (broken,)) for b in behaviours]
        return [self._row(behaviour, batch) for behaviour in behaviours]

    def _row(self, behaviour: Behaviour, batch: Batch) -> Row:
        result = batch.result
        peak = result.peak - result.idle
        host = self._internet.places[behaviour.name].host
        look = batch.look(host)
        faults = [*self._shared(batch)]
        if batch.stored.get(host) is None:
            faults.append("its run was not stored")
        if look is None or not look.evidence:
            faults.append(look.fault if look else "nobody looked at it")
            return Row(behaviour.name, behaviour.promise, behaviour.expected, "", result.seconds, peak, tuple(faults))
        if look.seconds > MOST_SECONDS:
            faults.append(f"the look took {look.seconds:.1f} s")
        seen = evidence.decode(Path(look.evidence).read_bytes())
        outcome = Outcome(seen, msgspec.convert(look.report, Report), result.seconds, peak)
        said = _said(behaviour, outcome)
        return Row(behaviour.name, behaviour.promise, behaviour.expected, said, look.seconds, peak, tuple(faults))

    def _shared(self, batch: Batch) -> tuple[str, ...]:
        """Return what is wrong with a whole batch."""
        result = batch.result
        faults = [result.error] if result.error else []
        failed = (result.answer or {}).get("batchItemFailures")
        if failed:
            faults.append(f"messages failed: {failed}")
        if result.peak - result.idle > MOST_MEMORY:
            faults.append(f"{(result.peak - result.idle) / 1e6:.0f} MB of memory")
        if batch is not self._alone:
            before, after = self._alone.judgements(), batch.judgements()
            disturbed = [name for name in before if before[name] != after[name]]
            faults += [f"{name}: {_difference(before[name], after[name])}" for name in disturbed]
        faults += [f"{name} was not stored" for name in batch.judgements() if batch.stored.get(name) != "notice"]
        odd = [line[:200] for line in batch.printed.split("\n") if _is_no_log(line)]
        faults += [f"a line of the log is not JSON: {line!r}" for line in odd]
        return tuple(faults)

    def _run(self, behaviours: Sequence[Behaviour]) -> Batch:
        """Call the handler once, in a process of its own, with the hostile sites' servers up."""
        aws = self._clouds.get()
        try:
            return self._with(aws, behaviours)
        finally:
            self._clouds.put(aws)

    def _with(self, aws: EmbeddedAws, behaviours: Sequence[Behaviour]) -> Batch:
        network = self._internet.network
        network.call(CHECKER, aws.deploy)
        directory = Path(tempfile.mkdtemp(prefix="batch-", dir=self._internet.directory))
        declared = [_declared(scenario.name, scenario.declare) for scenario in HEALTHY]
        declared += [_declared(self._internet.places[b.name].host, b.declared) for b in behaviours]
        request = Request(
            {"Records": [_record(number, each) for number, each in enumerate(declared)]},
            FUNCTION_SECONDS,
            str(self._internet.ca_file),
            {"ari": services.DIRECTORY, "ct": services.SEARCH, "rdap": registry.URL},
        )
        (directory / "request.json").write_bytes(msgspec.json.encode(request))
        environment = {
            **{name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ},
            **aws.environment("CheckFunction"),
            "PYTHONPATH": str(ROOT),
            "RESOLVERS": names.RESOLVER,
            "PUBLIC_RESOLVERS": ",".join(PUBLIC_RESOLVERS),
            "SITES": ",".join(each["name"] for each in declared),
        }
        printed = self._served.play(behaviours, directory, environment)
        result = msgspec.json.decode((directory / "result.json").read_bytes(), type=Result)
        stored = network.call(CHECKER, lambda: _stored(aws, [each["name"] for each in declared]))
        return Batch(result, stored, printed)


@contextlib.contextmanager
def harness(internet: Internet, behaviours: Sequence[Behaviour], at_once: int = AT_ONCE) -> Iterator[Harness]:
    """Start what runs the check function in a lab, and what serves these behaviours there."""
    with contextlib.ExitStack() as stack:
        served = stack.enter_context(stages(internet, behaviours, at_once))
        made = [internet.network.call(CHECKER, EmbeddedAws) for _ in range(at_once)]
        for aws in made:
            internet.network.call(CHECKER, aws.__enter__)
            stack.callback(aws.__exit__, None, None, None)
        yield Harness(internet, served, made)


def batches(behaviours: Sequence[Behaviour], size: int) -> list[tuple[Behaviour, ...]]:
    """Return batches of at most this size; like behaviours are far from each other, the slow ones come first."""
    ordered = sorted(behaviours, key=lambda behaviour: not behaviour.slow)
    number = -(-len(ordered) // size)
    return [tuple(ordered[first::number]) for first in range(number)]


def _declared(name: str, more: Mapping[str, object]) -> dict[str, Any]:
    return {"name": name, **more}


def _record(number: int, declaration: Mapping[str, Any]) -> dict[str, Any]:
    """Return a message of the queue as Lambda hands it over."""
    return {
        "messageId": f"m-{number}",
        "eventSource": "aws:sqs",
        "attributes": {"ApproximateReceiveCount": "1"},
        "body": json.dumps({"site": declaration, "slot": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:00Z}"}),
    }


def _stored(aws: EmbeddedAws, sites: Sequence[str]) -> dict[str, str]:
    """Return the status of each site's stored run."""
    results = Results(aws.client("dynamodb"), aws.physical["ResultsTable"])
    rows = {site: next(iter(results.history(site)), None) for site in sites}
    return {site: str(row["status"]) for site, row in rows.items() if row}


def _said(behaviour: Behaviour, outcome: Outcome) -> str:
    try:
        return behaviour.seen(outcome)
    except Exception as error:  # noqa: BLE001 — evidence of another shape than expected is what was seen
        return f"cannot be told: {type(error).__name__}: {error}"


def _difference(before: Any, after: Any, where: str = "") -> str:
    """Return the first place in which two reports differ."""
    if isinstance(before, dict) and isinstance(after, dict):
        key = next(key for key in sorted({*before, *after}) if before.get(key) != after.get(key))
        return _difference(before.get(key), after.get(key), f"{where}.{key}")
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        number = next(n for n, pair in enumerate(zip(before, after, strict=True)) if pair[0] != pair[1])
        return _difference(before[number], after[number], f"{where}[{number}]")
    return f"{where.removeprefix('.')} was {str(before)[:300]!r}, is {str(after)[:300]!r}"


def _is_no_log(line: str) -> bool:
    """Whether a line that the function printed is not one JSON object."""
    try:
        return line != "" and not isinstance(json.loads(line), dict)
    except ValueError:
        return True
