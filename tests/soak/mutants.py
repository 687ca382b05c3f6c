"""Mutants: Padlock with one of its safeguards taken out, each of which the stateful test must notice.

Each is a replacement in the source that must fit exactly once, made in a copy of the package that a child process
imports in place of the true one. The unchanged copy must pass the same runs.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

COMMAND = ("mutants", "take out one safeguard at a time, and see that the stateful test notices")
ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "layers" / "padlock" / "padlock"
RUNS = 300
"""Stories within which a mutant must have been noticed."""
CHILD = """
import json, sys
import padlock
from tests.soak.runs import BATCH, Batch, run
assert padlock.__file__.startswith(sys.argv[1]), padlock.__file__
done = 0
for number in range(-(-int(sys.argv[2]) // BATCH)):
    outcome = run(Batch(1 + number, BATCH, 60, True))
    done += outcome.runs
    if outcome.violation:
        break
print(json.dumps({"violation": outcome.violation, "told": outcome.told[:300], "runs": done}))
"""


class Mutant(msgspec.Struct, frozen=True):
    """One safeguard taken out."""

    name: str
    changes: tuple[tuple[str, str, str], ...]
    """(file of the package, text, what stands in its place)."""


MUTANTS = (
    Mutant("unchanged", ()),
    Mutant(
        "runs are not deduplicated",
        (
            (
                "running.py",
                "        if stored.applied_ticket >= ticket:\n"
                "            return Ran(_late(stored, ticket), None)\n"
                "        if await",
                "        if await",
            ),
            ("storage/results.py", "if stored.applied_ticket == run.ticket:", "if False:"),
            ("storage/results.py", "applied_ticket < :ticket)", "applied_ticket <= :ticket)"),
            (
                "storage/results.py",
                'UNDONE = "attribute_not_exists(sk) OR done <> :done"',
                'UNDONE = "attribute_not_exists(sk) OR done = :done"',
            ),
        ),
    ),
    Mutant(
        "the ticket is ignored",
        (
            ("storage/results.py", "if stored.applied_ticket > run.ticket:", "if False:"),
            ("storage/results.py", "(#version = :read AND applied_ticket < :ticket)", "#version = :read"),
        ),
    ),
    Mutant(
        "the version is not checked",
        (
            ("storage/results.py", "(#version = :read AND applied_ticket < :ticket)", "applied_ticket < :ticket"),
            ("storage/results.py", " OR #version = :read", " OR attribute_exists(#version)"),
        ),
    ),
    Mutant(
        "three writes in place of one transaction",
        (
            (
                "storage/results.py",
                "            self._client.transact_write_items(TransactItems=writes, ClientRequestToken=token)\n",
                "            for number, write in enumerate(writes):\n"
                "                one = hashlib.sha256(f'{token}{number}'.encode()).hexdigest()[:36]\n"
                "                self._client.transact_write_items(TransactItems=[write], ClientRequestToken=one)\n",
            ),
            ("storage/results.py", 'if reasons[1] == "ConditionalCheckFailed":', "if False:"),
        ),
    ),
    Mutant(
        "the newest alert is published first",
        (
            (
                "storage/outbox.py",
                "            ConsistentRead=True,\n            Limit=1,\n",
                "            ConsistentRead=True,\n            ScanIndexForward=False,\n            Limit=1,\n",
            ),
        ),
    ),
    Mutant(
        "marked before it is published",
        (
            (
                "notify.py",
                '            if "pending" in record:\n                lease = self._publish(lease, record, end)\n',
                '            if "pending" in record:\n'
                "                self._outbox.mark(lease, record['seq'], 0)\n"
                "                self._publish_early(lease, record, end)\n"
                "                lease = Lease(lease.site, lease.token, record['seq'], 0)\n",
            ),
            (
                "notify.py",
                "    def _publish(self, lease",
                "    def _publish_early(self, lease: Lease, record: Item, end: float) -> None:\n"
                "        for number in self._channels.left(record, 0):\n"
                "            self._channels.send(number, record)\n\n"
                "    def _publish(self, lease",
            ),
        ),
    ),
    Mutant(
        "an id is made at each publish",
        (
            (
                "notify.py",
                "                self._channels.send(number, record)\n",
                "                self._channels.send(number, {name: value.replace("
                "record['alert_id'], uuid.uuid4().hex) if isinstance(value, str) else value "
                "for name, value in record.items()})\n",
            ),
        ),
    ),
    Mutant("there is no sweeper", (("notify.py", "for row in self._outbox.pending():", "for row in ():"),)),
    Mutant(
        "the lease is ignored",
        (
            (
                "storage/outbox.py",
                '"attribute_not_exists(lease_until) OR lease_until < :now"',
                '"attribute_not_exists(lease_until) OR lease_until <> :now"',
            ),
            (
                "storage/outbox.py",
                '"SET lease_until = :until, begun = :yes",\n'
                '            "lease_token = :mine AND sent_seq = :sent AND #stage = :stage",\n'
                '            {":until": until, ":yes": True, ":mine": lease.token, ":sent": lease.sent_seq, '
                '":stage": lease.stage},',
                '"SET lease_until = :until, begun = :yes", "attribute_exists(sk)", {":until": until, ":yes": True},',
            ),
        ),
    ),
    Mutant(
        "what was sent to one channel is forgotten",
        (("notify.py", "left = self._channels.left(record, lease.stage)", "left = self._channels.left(record, 0)"),),
    ),
    Mutant(
        "numbers are the state's own",
        (("running.py", "seq = max(stored.seq, results.last_alert(run.site)) + 1", "seq = stored.seq + 1"),),
    ),
    Mutant(
        "no second look",
        (("running.py", "looks.append(await self._see(task, state, self._clock()))", "pass"),),
    ),
    Mutant(
        "one look opens everything",
        (("changes/observing.py", "policy.failures if finding.reachability", "1 if finding.reachability"),),
    ),
    Mutant(
        "nothing remembers what was told",
        (
            (
                "changes/telling.py",
                'return (after if kind == "status" else _marked(after, change, now)), change',
                "return after, change",
            ),
        ),
    ),
    Mutant(
        "the checker's outage is the sites'",
        (
            (
                "outage.py",
                "return len(sample.failing) >= AT_LEAST",
                "return False and len(sample.failing) >= AT_LEAST",
            ),
        ),
    ),
    Mutant(
        "the checker's blindness is the sites'",
        (
            (
                "running.py",
                "elif not has_seen(looks[-1]) and await asyncio.to_thread(self._is_blind, state, looks, policy):",
                "elif False:",
            ),
        ),
    ),
    Mutant(
        "an old message opens a removed site",
        (("running.py", "return state.first_run is None and not declared(site)", "return False"),),
    ),
    Mutant(
        "a run that leads to another state changes nothing",
        (("storage/_stored.py", "            and _resting(self.state) == _resting(state)\n", ""),),
    ),
    Mutant(
        "an earlier look replaces a later one",
        (("running.py", "now.checked_at > stamp(first.checked_at)", "False"),),
    ),
    Mutant(
        "an unchanged run is written whatever came before it",
        (
            (
                "storage/results.py",
                "self._client.put_item(**self._put_head(stored, run, head))",
                "self._client.put_item(TableName=self.table, Item=marshal(head))",
            ),
        ),
    ),
    Mutant(
        "an unchanged run is not counted",
        (
            (
                "storage/results.py",
                "            return self._repeat(stored, run, state, report)",
                '            return "applied"',
            ),
        ),
    ),
    Mutant(
        "a token is the same for other contents",
        (
            (
                "storage/results.py",
                "msgspec.json.encode(writes)",
                'msgspec.json.encode(writes[1]["Put"]["Item"]["sk"])',
            ),
        ),
    ),
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument("--runs", type=int, default=RUNS, help="stories for each mutant (default: %(default)s)")
    parser.add_argument("--processes", type=int, default=os.process_cpu_count(), help="default: one for each CPU")
    parser.add_argument("--only", default="", help="mutants whose name has this text")


def main(options: argparse.Namespace) -> int:
    """Try every mutant and print the table; return 1 where one survives, or the unchanged copy fails."""
    chosen = [mutant for mutant in MUTANTS if options.only in mutant.name]
    failed = 0
    sys.stdout.write(f"{'mutant':44} {'runs':>5} {'seconds':>8}  noticed by\n")
    with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(options.processes) as pool:
        trials = [pool.submit(trial, mutant, Path(scratch) / str(n), options.runs) for n, mutant in enumerate(chosen)]
        for mutant, pending in zip(chosen, trials, strict=True):
            violation, runs, seconds = pending.result()
            wanted = bool(mutant.changes)
            wrong = wanted != bool(violation)
            failed += wrong
            told = violation or ("SURVIVES" if wanted else "nothing, as it must be")
            sys.stdout.write(f"{mutant.name:44} {runs:>5} {seconds:>8.1f}  {told}{'  <- WRONG' if wrong else ''}\n")
            sys.stdout.flush()
    return 1 if failed else 0


def trial(mutant: Mutant, place: Path, runs: int) -> tuple[str, int, float]:
    """Run the stories on a mutant; return which promise it breaks (empty: none), after how many runs and seconds."""
    shutil.copytree(PACKAGE, place / "padlock", ignore=shutil.ignore_patterns("__pycache__"))
    for name, text, instead in mutant.changes:
        patched(place / "padlock" / name, text, instead, mutant.name)
    started = time.monotonic()
    command = [sys.executable, "-c", CHILD, str(place), str(runs)]
    environment = {**os.environ, "PYTHONPATH": f"{place}:{ROOT}", "PYTHONDONTWRITEBYTECODE": "1"}
    ran = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if ran.returncode:
        raise RuntimeError(f"{mutant.name}: the child process failed:\n{ran.stderr[-3000:]}")
    outcome = json.loads(ran.stdout.splitlines()[-1])
    return outcome["violation"], outcome["runs"], time.monotonic() - started


def patched(path: Path, text: str, instead: str, name: str) -> None:
    """Replace a text that stands in a file exactly once."""
    source = path.read_text()
    if source.count(text) != 1:
        raise RuntimeError(f"{name}: {path.name} has {source.count(text)} times, not once: {text!r}")
    path.write_text(source.replace(text, instead))
