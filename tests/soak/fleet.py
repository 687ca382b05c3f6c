"""A day of a fleet: what is sent by the real dispatch, runs, fold, outbox and notify, held against what should be.

Sites break, mend, renew, flap and blip by a plan that is known, so that the ideal alerts are: one for each time that
a site is broken for longer than its two looks take, and one for its end. The tables are kept in memory, at the level
of the clients' calls, for moto would take a day for a day. Checks fail too: functions end in the middle, messages
come twice, answers of SNS get lost, the tables throttle, for a while the checker has no network, and for two hours no
look of it comes to a result.
"""

import argparse
import asyncio
import gc
import heapq
import logging
import multiprocessing
import os
import random
import sys
import time
from collections import Counter, defaultdict
from datetime import UTC, datetime
from functools import cache, partial
from typing import Any
from unittest.mock import patch

import msgspec
from botocore.exceptions import BotoCoreError, ClientError
from padlock import running, schedule, site
from padlock.checking import Checked, Task, blind, read_task
from padlock.findings import CHECKER, Report
from padlock.message import Further
from padlock.notify import Notifier, Topics, Undelivered
from padlock.outage import AT_LEAST, Watch
from padlock.storage import Outbox, Results, Sites, Slots, stamp
from padlock.storage.ticks import Ticks

from local.aws import translated
from tests.soak.clock import START, Clock, installed
from tests.soak.faults import Crash
from tests.soak.fleet_services import Events, Shaky, Sns, Told, inline_threads
from tests.soak.memory import Dynamo, Queue
from tests.soak.truth import UNREACHED, found

COMMAND = ("fleet", "simulate a day of a fleet, and compare the alerts sent with the ideal ones")
TICK = 300
BATCH = 10
"""Messages of one invocation."""
RUN_SECONDS = 2.0
"""That one batch takes; so many functions work side by side that a slot takes two minutes."""
INTERVALS = (300, 900, 900, 1800, 1800)
"""Of the sites, in turn: every site in each slot would be 2.9 million runs a day, an hour of two CPUs."""
LATE = TICK + 60
"""Seconds beyond a site's interval after which an alert is late: the time that a slot takes, and a message that comes
again."""
CRASHES, TWICE = 0.002, 0.002
"""How often a batch ends in the middle, and a message comes twice."""
RETENTION = 3600
"""Seconds for which a run's row is kept."""
SIGHTLESS = 7200
"""Seconds for which no look comes to a result: every site has three runs in it."""
TOLD = ["changed"] * 4
"""Kinds of the alerts of the checker itself in a day that has both outages: each begins once and ends once."""
FAILED = (Crash, ClientError, BotoCoreError, TimeoutError, Undelivered)


class Trouble(msgspec.Struct, frozen=True):
    """One time that a site is broken."""

    site: str
    code: str
    begins: float
    """Epoch seconds."""
    ends: float
    real: bool = True
    """It lasts; one that is gone at the next look alerts nobody."""


class Part(msgspec.Struct, frozen=True):
    """The sites of one process."""

    number: int
    parts: int
    sites: int
    hours: float
    seed: int


class Score(msgspec.Struct):
    """What came of the day."""

    runs: int = 0
    ideal: int = 0
    sent: int = 0
    missed: list[str] = []
    false: list[str] = []
    late: list[str] = []
    explained: int = 0
    """Duplicates whose first publish had an unknown outcome."""
    unexplained: list[str] = []
    delays: list[float] = []
    """Seconds from a site's break to the mail."""
    faults: dict[str, int] = {}
    early: list[str] = []
    """Sites told to be out of reach when the outage had met fewer than five of them: nobody can know it then."""
    outage: list[str] = []
    """Kinds of the alerts of the checker itself."""


class Day:
    """A part of the fleet, and the functions that watch it."""

    def __init__(self, part: Part) -> None:
        self.chance = random.Random(f"{part.seed} {part.number}")  # noqa: S311 — a plan that can be made again
        self.part = part
        self.clock = Clock()
        self.names = [f"site{n:05}.example" for n in range(part.number, part.sites, part.parts)]
        self.troubles: dict[str, list[Trouble]] = defaultdict(list)
        self.looks: Counter[tuple[str, datetime]] = Counter()
        self.flapping: set[str] = set()
        self.unreached: dict[str, float] = {}
        """Site → its first look in the checker's outage."""
        self.end = START.timestamp() + part.hours * 3600
        self.outage = (self.end, self.end)
        self.sightless = (self.end, self.end)
        if part.hours >= 8:
            middle = START.timestamp() + part.hours * 1800 + 130
            self.outage = (middle, middle + 1200)
            early = START.timestamp() + part.hours * 450 + 70
            self.sightless = (early, early + SIGHTLESS)
        self.plan()
        tables = translated({})["Resources"]
        self.dynamodb = Dynamo({name: tables[name]["Properties"] for name in ("SitesTable", "ResultsTable")})
        self.sqs = Queue()
        self.mails: list[Told] = []
        self.score = Score()
        self.faults: dict[str, int] = defaultdict(int)
        self.failing_calls = 0.0

    def plan(self) -> None:
        """Decide what happens to whom: all of it is over before the day is, so that its end can be told of."""
        start = START.timestamp() + 2 * TICK
        last = self.end - (5 * 3600 if self.part.hours >= 8 else 0.5 * self.part.hours * 3600)
        for name in self.names:
            fate = self.chance.random()
            begins = self.chance.uniform(start, max(last, start + 1))
            if fate < 0.02:  # down for a while
                ends = begins + self.chance.uniform(2, 6) * self.interval(name)
                self.troubles[name].append(Trouble(name, "http.server_error", begins, ends))
            elif fate < 0.03:  # a certificate that is renewed too late
                self.troubles[name].append(
                    Trouble(name, "certificate.expired", begins, begins + 3 * self.interval(name))
                )
            elif fate < 0.06:  # gone at the next look
                self.troubles[name].append(Trouble(name, "http.server_error", begins, begins + 3, real=False))
            elif fate < 0.065:  # two separate times
                lasts = 2 * self.interval(name)
                self.troubles[name] += [
                    Trouble(name, "port.https_closed", begins + turn * 2 * lasts, begins + (turn * 2 + 1) * lasts)
                    for turn in range(2)
                ]
            elif fate < 0.067:  # six changes in half an hour and more: it flaps
                self.flapping.add(name)
                half = self.interval(name) * 1.1
                self.troubles[name] += [
                    Trouble(name, "http.server_error", begins + turn * 2 * half, begins + (turn * 2 + 1) * half)
                    for turn in range(6 if half < TICK * 2 else 0)
                ]
        for name in self.troubles:
            self._let_be_seen(name)

    def _let_be_seen(self, name: str) -> None:
        """Put off what nobody could know of: what comes and goes while no look of the checker comes to a result."""
        begins, ends = self.sightless[0] - 3 * self.interval(name), self.sightless[1] + 3 * self.interval(name)
        planned = self.troubles[name]
        lost = any(begins < trouble.begins and trouble.ends < ends for trouble in planned)
        met = any(trouble.begins < ends and begins < trouble.ends for trouble in planned)
        if lost or (met and name in self.flapping):
            later = ends - min(begins, planned[0].begins)
            self.troubles[name] = [
                msgspec.structs.replace(trouble, begins=trouble.begins + later, ends=trouble.ends + later)
                for trouble in planned
            ]

    def interval(self, name: str) -> int:
        """Return a site's interval in seconds; in a short day all have the shortest one."""
        return INTERVALS[int(name[4:9]) % len(INTERVALS)] if self.part.hours >= 8 else TICK

    # The world.

    async def look(self, task: Task, now: datetime) -> Checked:
        """Look at a site, in the middle of the time that its batch takes."""
        self.looks[task.name, task.slot] += 1
        at = self.clock.true + running.PAUSE * (self.looks[task.name, task.slot] - 1)
        if self.sightless[0] <= at < self.sightless[1]:
            fault = "a fault of Padlock's: KeyError: 'resolver'"
            return Checked(blind(task.name, now, fault), None, 0.1, fault)
        codes = [trouble.code for trouble in self.troubles.get(task.name, ()) if trouble.begins <= at < trouble.ends]
        if self.outage[0] <= at < self.outage[1]:
            codes = [UNREACHED]
            self.unreached.setdefault(task.name, at)
        findings = tuple(found(code, task.name, "error") for code in codes)
        report = Report(task.name, now, "error" if findings else "ok", findings, (), (), (), {})
        return Checked(report, None, 0.1)

    def run(self) -> Score:
        """Play the day."""
        for name in self.names:
            self.dynamodb.put_item(
                TableName="SitesTable", Item={"name": {"S": name}, "interval": {"S": f"{self.interval(name)}s"}}
            )
        further = Further(table="ResultsTable")
        client: Any = Shaky(self, self.dynamodb)
        sns: Any = Sns(self)
        sqs: Any = self.sqs
        results, slots = Results(client, "ResultsTable"), Slots(client, "ResultsTable")
        ticks, sites = Ticks(client, "ResultsTable"), Sites(client, "SitesTable")
        queue = schedule.Queue(sqs, "queue")
        runner = running.Runner(
            results, Watch(slots), self.look, further, RETENTION, declared=self._declared, clock=self._now, pause=0
        )
        notifier = Notifier(
            Outbox(client, "ResultsTable"),
            sns,
            Events(),
            Topics("arn:aws:sns:::alerts", ""),
        )
        waiting: list[tuple[float, int, str, int]] = []
        at, serial = START.timestamp(), 0
        while at < self.end:
            at += TICK
            self.clock.true = max(self.clock.true, at)
            if self._try(partial(self._tick, ticks, sites, queue, results, slots, further, at)):
                bodies, self.sqs.bodies = self.sqs.bodies, []
                self.chance.shuffle(bodies)
                for place, body in enumerate(bodies):
                    due = at + (place // BATCH) * min(120 / max(len(bodies) / BATCH, 1), RUN_SECONDS)
                    heapq.heappush(waiting, (due, serial := serial + 1, body, 0))
                    if self.chance.random() < TWICE:
                        heapq.heappush(waiting, (due + 30, serial := serial + 1, body, 0))
            while waiting and waiting[0][0] < at + TICK - 1:
                serial = self._batch(waiting, runner, serial)
                self._stream(notifier)
            self._try(notifier.sweep)
            self._expire(at)
            self._tell(at)
        for _ in range(3):
            self.clock.true += 100
            self._try(notifier.sweep)
        return self._scored()

    def _batch(self, waiting: list[tuple[float, int, str, int]], runner: running.Runner, serial: int) -> int:
        """Hand over one batch: all of it at the same time."""
        batch = [heapq.heappop(waiting)]
        self.clock.true = max(self.clock.true, batch[0][0])
        while waiting and len(batch) < BATCH and waiting[0][0] <= self.clock.true:
            batch.append(heapq.heappop(waiting))
        dies = self.chance.random() < CRASHES
        self.faults["a worker died"] += dies
        if dies:
            self.failing_calls = 1 / 30

        async def work() -> list[Any]:
            until = self.clock.monotonic() + 100
            return await asyncio.gather(
                *(runner.run(read_task(entry[2]), until) for entry in batch), return_exceptions=True
            )

        answers = asyncio.run(_inline(work()))
        self.failing_calls = 0.0
        for (due, _, body, receives), answer in zip(batch, answers, strict=True):
            if isinstance(answer, FAILED):
                heapq.heappush(waiting, (due + (60 if not dies else 200), serial := serial + 1, body, receives + 1))
            elif isinstance(answer, BaseException):
                raise answer
            else:
                self.score.runs += 1
        self._try(lambda: runner._watch.flush(int(self.clock.true) + RETENTION))
        return serial

    def _tick(
        self,
        ticks: Ticks,
        sites: Sites,
        queue: schedule.Queue,
        results: Results,
        slots: Slots,
        further: Further,
        at: float,
    ) -> None:
        moment = datetime.fromtimestamp(at, UTC)
        done = schedule.dispatch(ticks, sites, "", queue, moment, lambda: 100.0)
        if done.failed or done.unfinished:
            raise TimeoutError("the tick comes again")
        if slot := schedule.previous(ticks, moment):
            running.judge_checker(results, slots, slot, self._now(), further, int(at) + RETENTION)

    def _stream(self, notifier: Notifier) -> None:
        """Hand over the new alert records; what fails is left to the sweeper."""
        fresh, self.dynamodb.tables["ResultsTable"].stream = self.dynamodb.tables["ResultsTable"].stream, []
        for record in fresh:
            keys = record["dynamodb"]["Keys"]
            if keys["sk"]["S"].startswith("ALERT#"):
                self._try(lambda site=keys["site"]["S"]: notifier.deliver(site))

    def _try(self, work: Any) -> bool:
        for _ in range(3):
            try:
                work()
            except FAILED:
                continue
            return True
        return False

    def _expire(self, at: float) -> None:
        """Remove the rows whose time is over, as DynamoDB does; a day of all runs would not fit into the memory."""
        if int(at) % 3600 < TICK:
            table = self.dynamodb.tables["ResultsTable"]
            rows = [row for items in table.items.values() for row in items.values() if "ttl" in row]
            for row in rows:
                if int(row["ttl"]["N"]) < at:
                    table.drop(row)
            table.stream = [entry for entry in table.stream if entry["eventName"] == "INSERT"]
            gc.collect()
            gc.freeze()

    def _now(self) -> datetime:
        return self.clock.now()

    def _declared(self, name: str) -> bool:
        return name in self.dynamodb.tables["SitesTable"].items

    def _tell(self, at: float) -> None:
        hour = (at - START.timestamp()) / 3600
        if self.part.number == 0 and hour % 2 < TICK / 3600:
            sys.stderr.write(f"hour {hour:.0f} of {self.part.hours:g}\n")

    # What it came to.

    def _scored(self) -> Score:
        score = self.score
        score.faults = dict(self.faults)
        first: dict[str, Told] = {}
        unknown: dict[str, int] = defaultdict(int)
        for mail in self.mails:
            if mail.alert_id not in first:
                first[mail.alert_id] = mail
            elif unknown[mail.alert_id]:
                score.explained += 1
            else:
                score.unexplained.append(f"{mail.site} {mail.alert_id}")
            unknown[mail.alert_id] += not mail.known
        score.sent = len(first)
        by_site: dict[str, list[Told]] = defaultdict(list)
        for mail in first.values():
            by_site[mail.site].append(mail)
        score.outage = [mail.kind for mail in by_site.pop(CHECKER, ())]
        for name in self.names:
            self._judge(name, by_site.pop(name, []), score)
        score.false += [f"{name}: nobody knows this site" for name in by_site]
        return score

    def _judge(self, name: str, mails: list[Told], score: Score) -> None:
        """Hold a site's mails against what was true of it; one that flaps is told of until it is said to flap."""
        if name in self.flapping:
            self._judge_flapping(name, mails, score)
            return
        ideal = [trouble for trouble in self.troubles.get(name, ()) if trouble.real]
        score.ideal += 2 * len(ideal)
        for trouble in ideal:
            for wanted, moment, what in (("opened", trouble.begins, "break"), ("resolved", trouble.ends, "end")):
                found_mail = next(
                    (mail for mail in mails if trouble.code in getattr(mail, wanted) and mail.at >= moment), None
                )
                seen_again = max(
                    (
                        end
                        for begin, end in (self.outage, self.sightless)
                        if begin - TICK - self.interval(name) <= moment < end
                    ),
                    default=moment,
                )
                if found_mail is None:
                    score.missed.append(f"{name} {trouble.code}: its {what} at {stamp_of(moment)}")
                    continue
                mails.remove(found_mail)
                delay = found_mail.at - seen_again
                if what == "break" and seen_again == moment:
                    score.delays.append(delay)
                if delay > LATE + self.interval(name):
                    score.late.append(f"{name} {trouble.code}: its {what} after {delay:.0f} s")
        early = self._was_early(name) and {UNREACHED} == {code for mail in mails for code in mail.opened}
        (score.early if early else score.false).extend(
            f"{mail.site} {mail.kind} {mail.opened} {mail.resolved} at {stamp_of(mail.at)}" for mail in mails
        )

    def _was_early(self, name: str) -> bool:
        """Return whether a site was among the first that the checker's outage met, too few to know it by."""
        met = self.unreached.get(name)
        return met is not None and sum(first <= met for first in self.unreached.values()) < AT_LEAST

    def _judge_flapping(self, name: str, mails: list[Told], score: Score) -> None:
        """Hold it against the fold's own promise: five changes, one that says it flaps, one that it has settled."""
        ideal = ["changed"] * 5 + ["flapping", "settled"] if self.troubles[name] else []
        score.ideal += len(ideal)
        kinds = [mail.kind for mail in mails]
        if kinds != ideal:
            (score.missed if len(kinds) < len(ideal) else score.false).append(
                f"{name} flaps, and is told of as {kinds}"
            )


async def _inline(work: Any) -> Any:
    """Wait for work whose threads are calls in this one."""
    return await work


def stamp_of(moment: float) -> str:
    """Return a time as text."""
    return stamp(datetime.fromtimestamp(moment, UTC))


def play(part: Part) -> Score:
    """Play one part of the fleet's day."""
    logging.disable(logging.CRITICAL)
    random.seed(f"{part.seed} {part.number}")
    day = Day(part)
    # Millions of items that live long: looking through them for garbage again and again takes longer than the day.
    gc.disable()
    try:
        # The same few names are read over and over.
        with installed(day.clock), inline_threads(), patch.object(site, "host_name", cache(site.host_name)):
            return day.run()
    finally:
        gc.unfreeze()
        gc.enable()


def simulate(sites: int, hours: float, processes: int = 1, seed: int = 1) -> Score:
    """Play a fleet's day and return what came of it."""
    parts = [Part(number, processes, sites, hours, seed) for number in range(processes)]
    if processes == 1:
        return play(parts[0])
    total = Score()
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        for score in pool.imap_unordered(play, parts):
            for name in ("runs", "ideal", "sent", "explained"):
                setattr(total, name, getattr(total, name) + getattr(score, name))
            for name in ("missed", "false", "late", "unexplained", "delays", "early", "outage"):
                setattr(total, name, getattr(total, name) + getattr(score, name))
            for name, number in score.faults.items():
                total.faults[name] = total.faults.get(name, 0) + number
    return total


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument("--sites", type=int, default=10_000, help="default: %(default)s")
    parser.add_argument("--hours", type=float, default=24, help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=1, help="of what happens to whom")
    parser.add_argument("--processes", type=int, default=os.process_cpu_count(), help="default: one for each CPU")


def main(options: argparse.Namespace) -> int:
    """Play the day and print what came of it; return 1 where an alert is missing, false, late or twice."""
    started = time.monotonic()
    score = simulate(options.sites, options.hours, options.processes, options.seed)
    write = sys.stdout.write
    write(
        f"{options.sites} sites, {options.hours:g} hours, {score.runs} runs in {time.monotonic() - started:.0f} s\n"
    )
    write(f"faults: {', '.join(f'{name} {number} times' for name, number in sorted(score.faults.items()))}\n")
    write(f"alerts of the checker itself: {', '.join(score.outage) or 'none'}\n")
    write(f"alerts: {score.ideal} ideal, {score.sent} sent\n")
    for name, entries in (("missed", score.missed), ("false", score.false), ("late", score.late)):
        write(f"{name}: {len(entries)}\n" + "".join(f"  {entry}\n" for entry in entries[:20]))
    write(f"too early to know of the checker's outage: {len(score.early)}\n")
    write(f"duplicate: {score.explained} after a lost answer, same id; {len(score.unexplained)} otherwise\n")
    delays = sorted(score.delays) or [0.0]
    shown = ", ".join(
        f"p{part} {delays[min(len(delays) * part // 100, len(delays) - 1)]:.0f} s" for part in (50, 90, 99)
    )
    write(f"from a site's break to its mail: {shown}, max {delays[-1]:.0f} s\n")
    unlike = options.hours >= 8 and score.outage != TOLD * options.processes
    return 1 if score.missed or score.false or score.late or score.unexplained or unlike else 0
