"""A simulated world: sites with their truth, the messages on their way, and the functions that work on them.

Each function is run by an actor with clients and a clock of its own, as its handler runs it; what ends it ends a
Lambda function. What is on its way may be handed over in any order, twice, or not at all where AWS allows that.
"""

import asyncio
import contextlib
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from datetime import datetime
from typing import Any, Self
from unittest.mock import patch

import msgspec
from botocore.exceptions import BotoCoreError, ClientError
from padlock import running, schedule
from padlock.changes import Policy
from padlock.checking import Checked, Task, read_task, save_on_demand, site_of
from padlock.declaration import readable
from padlock.findings import CHECKER, Report
from padlock.message import Further, compose_test
from padlock.notify import Notifier, Topics, Undelivered
from padlock.outage import Watch, is_stale, window_of
from padlock.site import Site
from padlock.storage import Alert, Outbox, Results, Run, Sample, Sites, Slots, stamp
from padlock.storage._items import state_of
from padlock.storage._plain import unmarshal
from padlock.storage.ticks import Ticks

from tests.soak.amazon import REPEATED, Amazon, partitions
from tests.soak.clock import Clock, installed
from tests.soak.faults import Actor, Crash, Other
from tests.soak.ledger import Applied, Ledger, Looked
from tests.soak.truth import Seen, Truth
from tests.soak.violation import Violation

MAX_RECEIVES = 5
RETENTION = 90 * 86400
ELSEWHERE = tuple(f"elsewhere{number}" for number in range(6))
"""Places of the rest of the fleet: what they see is what tells an outage of the checker."""
ENDED = (Crash, ClientError, BotoCoreError, TimeoutError, Undelivered)
"""What ends a function, so that AWS calls it again."""
CHANNEL_TEXTS = ("body", "chat", "event")
OVERLAP_SECONDS = 2.0
"""By which a run that overlaps another is ahead of it."""
LONG, SHORT = 100.0, 20.0
"""Seconds that a function has left: a second look needs more than half a minute."""


class Message:
    """A message of the queue."""

    def __init__(self, body: str) -> None:
        self.body = body
        self.receives = 0

    @property
    def site(self) -> str:
        """The site that it is about."""
        return read_task(self.body).name


class World:
    """Everything; a context manager that makes AWS and the clock the product's own."""

    def __init__(self, *, in_memory: bool = False) -> None:
        """Take whether the tables are kept in memory, in place of moto."""
        self.clock = Clock()
        self.amazon = Amazon(self.clock, in_memory=in_memory)
        self._stack = ExitStack()
        self._acting: ContextVar[Actor] = ContextVar("acting")
        self.begun = 0
        """Stories so far."""
        self.met: Counter[str] = Counter()
        """How often each kind of fault was met, over all runs."""
        self.further = Further(table="ResultsTable")
        self._reset()

    def __enter__(self) -> Self:
        self._stack.enter_context(self.amazon)
        self._stack.enter_context(installed(self.clock))
        self._stack.enter_context(self._spied())
        tables = self.amazon.physical
        self.further = Further(table=tables["ResultsTable"], sites_table=tables["SitesTable"], place="eu-central-1")
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def reset(self) -> None:
        """Begin anew: no site, nothing on its way, no fault."""
        self.begun += 1
        self.amazon.reset()
        self._reset()

    def _reset(self) -> None:
        self.clock.reset()
        self.ledger = Ledger()
        self.violation: Violation | None = None
        self.truths: dict[str, Truth] = {}
        """Every site that ever was declared."""
        self.declared: dict[str, dict[str, Any]] = {}
        self.queue: list[Message] = []
        self.inserts: list[str] = []
        """Sites of the alert records in the results' stream."""
        self.removals: list[dict[str, Any]] = []
        """Records of the declarations' stream."""
        self.ticks: list[datetime] = []
        """Ticks that are to be handed to dispatch."""
        self.unreached = False
        """The checker has no network."""
        self.sightless = False
        """No look of the checker comes to a result."""
        self.stranded: set[str] = set()
        """Sites that were removed before a copy was put back that has them: nothing says again that they are gone."""
        self._seen: dict[int, Seen] = {}
        self._times: dict[int, int] = {}
        self.skipped: dict[str, set[int]] = {}
        """Site → numbers before which others are missing, for they were given in a table that was restored."""
        self._looks: list[Report] = []
        self._sampled: set[tuple[str, bool, bool]] = set()
        self._copies: list[Any] = []
        self._serial = 0

    # What the owner of sites does.

    def declare(self, name: str, /, **declaration: Any) -> None:
        """Declare a site, or declare it anew."""
        self.truths.setdefault(name, Truth(name))
        self.stranded.discard(name)
        self.declared[name] = {**declaration, "name": name}
        Sites(self.amazon.clients["dynamodb"], self.amazon.physical["SitesTable"]).put(self.declared[name])

    def withdraw(self, name: str) -> None:
        """Declare a site no longer."""
        del self.declared[name]
        Sites(self.amazon.clients["dynamodb"], self.amazon.physical["SitesTable"]).delete(name)
        self._serial += 1
        changed = {"Keys": {"name": {"S": name}}, "ApproximateCreationDateTime": int(self.clock.true)}
        changed |= {"SequenceNumber": f"{self._serial:010}"}
        self.removals.append({"eventName": "REMOVE", "dynamodb": changed})

    # What AWS and the functions do. Each returns whether the function came to its end.

    def tick(self, at: datetime, actor: Actor) -> bool:
        """Hand a tick of the schedule to dispatch."""

        def work() -> None:
            dynamodb, sqs = actor.client("dynamodb"), actor.client("sqs")
            queue = schedule.Queue(sqs, self.amazon.physical["CheckQueue"])
            tables = self.amazon.physical
            ticks, sites = Ticks(dynamodb, tables["ResultsTable"]), Sites(dynamodb, tables["SitesTable"])
            done = schedule.dispatch(ticks, sites, "", queue, at, lambda: LONG)
            if done.failed or done.unfinished:
                raise TimeoutError("the tick comes again")
            if slot := schedule.previous(ticks, at):
                results, slots = Results(dynamodb, tables["ResultsTable"]), Slots(dynamodb, tables["ResultsTable"])
                expires = int(self.clock.true) + RETENTION
                running.judge_checker(results, slots, slot, self.clock.now(), self.further, expires)

        ended = self._act(actor, work)
        self.queue += map(Message, self.amazon.messages())
        self.sample(at)
        return ended

    def work(self, message: Message, actor: Actor, seconds: float = LONG) -> bool:
        """Hand a message of the queue to check; one that comes for the last time is given up."""
        task = read_task(message.body)
        actor.subject = message
        message.receives += 1

        def run() -> None:
            dynamodb, table = actor.client("dynamodb"), self.amazon.physical["ResultsTable"]
            results, watch = Results(dynamodb, table), Watch(Slots(dynamodb, table))
            sites = Sites(dynamodb, self.amazon.physical["SitesTable"])
            runner = running.Runner(
                results,
                watch,
                self._look,
                self.further,
                RETENTION,
                declared=lambda name: sites.get(name) is not None,
                clock=self.clock.now,
                pause=0,
            )
            if message.receives >= MAX_RECEIVES and not task.removed:
                asyncio.run(runner.abandon(task, "its check has ended without a result"))
            else:
                actor.in_time = seconds == LONG and not actor.stalls
                ran = asyncio.run(runner.run(task, self.clock.monotonic() + seconds))
                if ran.outcome == "applied" and not task.removed and not self.ledger.has(task):
                    said = Violation("7 what is applied is stored", f"{task.name} {stamp(task.slot)} is not")
                    self.violation = self.violation or said
            watch.flush(int(self.clock.true) + RETENTION)

        return self._act(actor, run)

    def deliver(self, site: str, actor: Actor) -> bool:
        """Hand the record of a site's alert to notify."""
        actor.subject = site
        return self._act(actor, lambda: self._notifier(actor).deliver(site))

    def sweep(self, actor: Actor) -> bool:
        """Play the sweeper's schedule."""

        def work() -> None:
            swept = self._notifier(actor).sweep()
            if swept.failed:
                raise Undelivered("; ".join(swept.failed))

        return self._act(actor, work)

    def remove(self, records: Sequence[dict[str, Any]], actor: Actor) -> bool:
        """Hand records of the declarations' stream to dispatch."""

        def work() -> None:
            sites = Sites(actor.client("dynamodb"), self.amazon.physical["SitesTable"])
            queue = schedule.Queue(actor.client("sqs"), self.amazon.physical["CheckQueue"])
            if schedule.remove(records, sites, "", queue):
                raise TimeoutError("some records come again")

        ended = self._act(actor, work)
        self.queue += map(Message, self.amazon.messages())
        return ended

    def look_on_demand(self, site: str) -> None:
        """Check a site as somebody asks for it, and store that."""
        report, _ = self.truths[site].look(
            self.clock.now(), self._next(), unreached=self.unreached, sightless=self.sightless
        )
        results = Results(self.amazon.clients["dynamodb"], self.amazon.physical["ResultsTable"])
        save_on_demand(results, Checked(report, None, 1.0), int(self.clock.true) + RETENTION)

    def announce(self, actor: Actor) -> bool:
        """Send a test alert."""
        alert_id = f"{self._next():032x}"

        def work() -> None:
            results = Results(actor.client("dynamodb"), self.amazon.physical["ResultsTable"])
            now = self.clock.now()
            status = results.load(CHECKER).state.site_status

            def build(seq: int) -> Alert:
                text = compose_test(alert_id, seq, now, self.further)
                texts = msgspec.structs.asdict(text)
                return Alert(CHECKER, seq, alert_id, now, "test", status, status, labels={}, **texts)

            results.announce(CHECKER, f"RUN#test#{alert_id}", build, int(self.clock.true) + RETENTION)

        return self._act(actor, work)

    def keep_copy(self) -> None:
        """Keep a copy of the results as they are now, with what the ledger knows."""
        self._copies.append((self.amazon.snapshot(), self.ledger.kept()))

    def restore(self, which: int) -> bool:
        """Put a copy in place of all results; False where there is none."""
        if not self._copies:
            return False
        kept, history = self._copies[which % len(self._copies)]
        self.clock.sleep(900)
        self.amazon.restore(kept)
        cursors = {site: self.amazon.item(site, "NOTIFY") or {} for site in self.amazon.sites()}
        self.ledger.restored(history, cursors)
        self.stranded |= self.truths.keys() - self.declared.keys()
        self._sampled.clear()
        return True

    def put_back(self, which: int, site: str) -> bool:
        """Put one site's state of a copy back, and leave all else of it; False where there is none."""
        if not self._copies:
            return False
        kept, _ = self._copies[which % len(self._copies)]
        self.amazon.restore(kept, (site, "STATE"))
        item = self.amazon.state(site)
        numbers = [record["seq"] for record in self.amazon.items(site, "ALERT#")]
        if item and item["seq"] > max(numbers, default=0):
            # The copy is of a table that a restore has undone: the numbers that it gave are not given again.
            self.skipped.setdefault(site, set()).add(item["seq"] + 1)
        self.ledger.put_back(site, state_of(item) if item else None)
        self.stranded |= {site} - self.declared.keys()
        return True

    def lose_head(self, site: str) -> None:
        """Lose what every run moves of a site's state."""
        key = {"site": {"S": site}, "sk": {"S": "STATE#HEAD"}}
        self.amazon.clients["dynamodb"].delete_item(TableName=self.amazon.physical["ResultsTable"], Key=key)
        item = self.amazon.state(site)
        rows = frozenset(row["sk"] for row in self.amazon.items(site, "RUN#"))
        self.ledger.lost(site, state_of(item) if item else None, rows)

    # What the actors call.

    def perform(self, actor: Actor, service: str, operation: str, arguments: Any) -> Any:
        """Make a call of an actor, and write down what came of it."""
        try:
            return self._perform(actor, service, operation, arguments)
        except Violation as violation:
            self.violation = self.violation or violation
            raise Crash from violation

    def _perform(self, actor: Actor, service: str, operation: str, arguments: Any) -> Any:
        site = arguments.get("Key", {}).get("site", {}).get("S", "")
        is_cursor = operation == "update_item" and arguments["Key"].get("sk") == {"S": "NOTIFY"}
        before = self.amazon.item(site, "NOTIFY") if is_cursor else None
        writes = arguments.get("TransactItems", ())
        owners = {*partitions(writes), arguments.get("Item", {}).get("site", {}).get("S", "")}
        stale = {owner for owner in owners if self._is_stale(owner)} if self.sightless else set()
        answer = self.amazon.perform(service, operation, arguments)
        if is_cursor:
            self.ledger.moved(actor, site, before, self.amazon.item(site, "NOTIFY"), self.clock.time())
        elif operation == "update_item":
            self.ledger.dirty.add(site)
        elif operation == "transact_write_items" and REPEATED not in answer:
            owner = next(partitions(writes))
            self.ledger.committed(actor, owner, writes, self.amazon.item(owner, "STATE"))
            self._check_run(owner, stale)
        elif operation == "put_item" and arguments["Item"].get("sk") == {"S": "STATE#HEAD"}:
            head = unmarshal(arguments["Item"])
            state = self.amazon.item(head["site"], "STATE") or {}
            self.ledger.repeated(actor, head["site"], head, state.get("version", 0))
            self._check_run(head["site"], stale)
        elif operation == "publish":
            channel = 0 if arguments["TopicArn"] == self.amazon.physical["AlertTopic"] else 1
            self._published(actor, channel, arguments, arguments["Message"])
        elif operation == "put_events":
            for entry in arguments["Entries"]:
                self._published(actor, 2, entry, entry["Detail"])
        return answer

    def _check_run(self, site: str, stale: set[str]) -> None:
        self._check_prompt(site)
        if self.sightless and site not in stale:
            self._check_sight(site)

    def _published(self, actor: Actor, channel: int, arguments: Any, text: str) -> None:
        record, delivery = self.ledger.published(actor, channel, text)
        site = record["site"]
        cursor = self.amazon.item(site, "NOTIFY") or {}
        if not self.ledger.holds(actor, site, cursor.get("lease_token")):
            delivery.disturbed = True
        if channel == 0 and "MessageStructure" in arguments:
            forms = msgspec.json.decode(text)
            published = arguments.get("Subject"), forms["default"], forms["email"], forms["sqs"]
            whole = published == (record["subject"], record["body"], record["body"], record["data"])
        else:
            whole = text == record[CHANNEL_TEXTS[channel]]
        # A text that was refused for good goes out in its plain form, which names the record.
        if not whole and not actor.refused:
            raise Violation(
                "3 what was published is in the outbox", f"{site} {record['seq']} went out as {text[:300]}"
            )

    def between(self, actor: Actor, other: Other) -> None:
        """Let another actor come between two calls of this one."""
        mate = Actor(self)
        subject = actor.subject
        match other:
            case "same run" if isinstance(subject, Message):
                self.work(Message(subject.body), mate)
            case "another run" if isinstance(subject, Message):
                self.work(self._next_run(subject), mate)
            case "notify" | "same run" | "another run":
                self.deliver(subject if isinstance(subject, str) else self._some_site(), mate)
            case "sweep":
                self.sweep(mate)
            case "truth":
                self._turn(self.truths[self._some_site()])
            case "removal" if self.declared:
                self.withdraw(self._some_site(declared=True))
                while self.removals and self.remove(self.removals[:1], Actor(self)):
                    self.removals.pop(0)
            case "return":
                for name in self.truths.keys() - self.declared.keys():
                    self.declare(name)
            case _:
                pass

    def silenced(self, site: str) -> frozenset[tuple[str, str]]:
        """Return the keys of what is broken and acknowledged now."""
        now = self.clock.now()
        entries = self.declared[site].get("acknowledge", ())
        codes = {entry["code"] for entry in entries if stamp(now) < entry["until"]}
        return frozenset(key for key in self.truths[site].errors if key[0] in codes or "*" in codes)

    def _some_site(self, *, declared: bool = False) -> str:
        names = sorted(self.declared if declared else self.truths)
        return names[self._next() % len(names)]

    @staticmethod
    def _turn(truth: Truth) -> None:
        if truth.problems.pop("http.server_error", None) is None:
            truth.problems["http.server_error"] = "error"

    # What stands around the product.

    async def _look(self, task: Task, now: datetime) -> Checked:
        truth = self.truths[task.name]
        site = site_of(task)
        told = site if isinstance(site, Site) else readable(task.declaration)
        if told.thresholds.failures == 1:
            truth.blips = 0  # its owner wants to hear of what one look sees
        if self.unreached or self.sightless:
            self.sample(now)
        report, seen = truth.look(now, self._next(), unreached=self.unreached, sightless=self.sightless)
        self._seen[id(report)] = seen
        self._times[id(report)] = int(self.clock.true)
        self._looks.append(report)  # so that no other object gets its id
        return Checked(report, None, 0.1)

    def sample(self, moment: datetime) -> None:
        """Let the rest of the fleet say whether it reaches anything, and whether it sees anything."""
        slot = window_of(moment)
        if (slot, self.unreached, self.sightless) not in self._sampled:
            self._sampled.add((slot, self.unreached, self.sightless))
            places = frozenset(ELSEWHERE)
            slots = Slots(self.amazon.clients["dynamodb"], self.amazon.physical["ResultsTable"])
            expires = int(self.clock.true) + RETENTION
            slots.add(slot, Sample(places, places if self.sightless else frozenset()), expires, "sight")
            if not self.sightless:
                slots.add(slot, Sample(places, places if self.unreached else frozenset()), expires)

    @contextmanager
    def _spied(self) -> Iterator[None]:
        """Write down what each run is folded from."""
        save = running.save

        def spied(
            results: Results,
            run: Run,
            looks: Sequence[Report],
            policy: Policy,
            further: Further,
            *more: Any,
            **named: Any,
        ) -> Any:
            seen = tuple(self._seen.get(id(look)) for look in looks)
            actor = self._acting.get()
            at = None if actor.skew else self._times.get(id(looks[0]))
            self.ledger.looked[actor, run.site, run.ticket] = Looked(tuple(looks), policy, seen, actor.in_time, at)
            return save(results, run, looks, policy, further, *more, **named)

        with patch.object(running, "save", spied):
            yield

    def _check_prompt(self, site: str) -> None:
        """Hold the state after a run against the truth that the run saw, where nothing stood in its way."""
        applied: Applied | None = next(reversed(self.ledger.history.applied.get(site, ())), None)
        looked = applied.looked if applied else None
        if looked is None or not looked.in_time or max(looked.policy.failures, looked.policy.successes) > 2:
            return
        if not all(seen and seen.clear and seen == looked.seen[0] for seen in looked.seen) or not looked.seen[0]:
            return
        broken = {code for code, severity in looked.seen[0].problems.items() if severity == "error"}
        state = state_of(self.amazon.state(site) or {})
        known = {finding.code for finding in state.findings if finding.severity.value == "error"}
        if known != broken:
            raise Violation("one run tells", f"{site}: {sorted(broken)} is broken, its state has {sorted(known)}")

    def _check_sight(self, site: str) -> None:
        """Hold that no site becomes stale while the checker sees nothing of any."""
        applied: Applied | None = next(reversed(self.ledger.history.applied.get(site, ())), None)
        in_time = applied is not None and applied.looked is not None and applied.looked.in_time
        if in_time and self._is_stale(site):
            raise Violation("no site is stale for the checker", f"{site} is stale, and the checker sees nothing")

    def _is_stale(self, site: str) -> bool:
        item = self.amazon.state(site)
        return item is not None and is_stale(state_of(item))

    def _notifier(self, actor: Actor) -> Notifier:
        tables = self.amazon.physical
        outbox = Outbox(actor.client("dynamodb"), tables["ResultsTable"])
        topics = Topics(tables["AlertTopic"], tables["ChatTopic"])
        return Notifier(outbox, actor.client("sns"), actor.client("events"), topics)

    def _act(self, actor: Actor, work: Callable[[], Any]) -> bool:
        """Run a function, and return whether it came to its end."""
        with self.clock.seen_by(actor.skew), contextlib.suppress(*ENDED):
            before = self._acting.set(actor)
            try:
                work()
            finally:
                self._acting.reset(before)
                self._let_on(actor)
                self._ended(actor)
            return True
        return False

    def overlap(self, actor: Actor, calls: int) -> None:
        """Begin another run of the actor's site, which after so many calls waits for the actor's end."""
        if not isinstance(actor.subject, Message):
            return
        mate, message = Actor(self), self._next_run(actor.subject)
        mate.halt = calls

        def work() -> None:
            self.work(message, mate)
            mate.halted.set()

        thread = threading.Thread(target=work)
        actor.behind.append((mate, thread))
        thread.start()
        mate.halted.wait()
        self.clock.sleep(OVERLAP_SECONDS)

    def _let_on(self, actor: Actor) -> None:
        """Let those go on that waited for this actor's end."""
        for mate, thread in actor.behind:
            mate.resumed.set()
            thread.join()

    def _next_run(self, message: Message) -> Message:
        """Return the same site's message of a tick that was sent meanwhile."""
        self.clock.sleep(1)
        body = msgspec.json.decode(message.body) | {"slot": stamp(self.clock.truth())}
        return Message(msgspec.json.encode(body).decode())

    def _ended(self, actor: Actor) -> None:
        try:
            self.ledger.ended(actor)
        except Violation as violation:
            self.violation = self.violation or violation
        self.inserts += self.amazon.stream()

    def _next(self) -> int:
        self._serial += 1
        return self._serial
