"""The deployed stack at a glance: each part is asked by itself, so that what cannot be read hides nothing else."""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import batched, islice
from typing import Literal

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from padlock import schedule
from padlock.cli.alerts import subscribe, subscriptions
from padlock.cli.stack import Resource, Stack, cloudwatch, resources
from padlock.findings import CHECKER
from padlock.render.escape import printable
from padlock.storage import Outbox, Results, client
from padlock.storage.fleet import Fleet
from padlock.storage.ticks import Ticks

type Condition = Literal["ok", "attention", "unreadable"]

SHOWN = 10
"""Sites that fail that are named."""
SOON = timedelta(days=14)
"""Certificates that end within this time are named: by then those that renew themselves have been renewed."""
MOST_PENDING = 1000
"""Alerts that wait that are counted."""
PATIENCE = timedelta(minutes=10)
"""How long an alert may wait: the stream takes seconds, and the sweep comes every 5 minutes."""
LATE_TICKS = 3
LEAST_LATE = timedelta(minutes=15)
"""A tick is late after as many intervals, and not before this time."""
ALARMS_AT_ONCE = 100
"""Names that CloudWatch takes in one request."""
_RATE = re.compile(r"rate\((\d+) (minute|hour|day)s?\)")
_UNITS = {"minute": timedelta(minutes=1), "hour": timedelta(hours=1), "day": timedelta(days=1)}


class Section(msgspec.Struct, frozen=True):
    """What is known of one part of the stack."""

    name: str
    condition: Condition
    """`unreadable`: the credentials may not read it, or AWS did not answer."""
    says: str
    """One line."""
    lines: tuple[str, ...] = ()
    """What there is to be seen of it, one by one."""
    remedies: tuple[str, ...] = ()
    """What to do."""
    facts: dict[str, object] = {}
    """The same for machines: times in UTC, ages in seconds."""


class Glance:
    """One look at a stack."""

    def __init__(self, stack: Stack, now: datetime) -> None:
        self._stack = stack
        self._now = now
        self._table = stack.outputs["ResultsTableName"]
        self._client = client()

    def sections(self) -> Sequence[Section]:
        """Return what is to be seen of each part."""
        parts: dict[str, Callable[[str], Section]] = {
            "subscriptions": self._subscriptions,
            "last tick": self._tick,
            "sites": self._sites,
            "certificates": self._certificates,
            "alerts": self._alerts,
            "dead letters": self._dead_letters,
            "alarms": self._alarms,
            "checker": self._checker,
        }
        return [_looked(name, look) for name, look in parts.items()]

    @cached_property
    def _resources(self) -> Sequence[Resource]:
        return list(resources(self._stack.name))

    def _subscriptions(self, name: str) -> Section:
        found = subscriptions(self._stack)
        confirmed = [each for each in found if each.state == "confirmed"]
        waiting = [each for each in found if each.state == "pending"]
        mailed = any(each.topic == "alerts" for each in confirmed)
        says = f"{len(confirmed)} confirmed" + (f", {len(waiting)} not confirmed" if waiting else "")
        remedies = [f"{each.shown}: {each.remedy}" for each in waiting]
        if not found:
            says = "none: nobody gets an alert"
        if not mailed and not any(each.topic == "alerts" for each in waiting):
            remedies.append(subscribe(self._stack.outputs["TopicArn"], "email", "YOU@EXAMPLE.COM"))
        return Section(
            name,
            "ok" if mailed and not waiting else "attention",
            says,
            tuple(each.shown + ("" if each.state == "confirmed" else f": {each.state}") for each in found),
            tuple(remedies),
            {"subscriptions": msgspec.to_builtins(found)},
        )

    def _tick(self, name: str) -> Section:
        schedule_expression = self._stack.parameters.get("ScheduleExpression", "")
        log = self._log("dispatch")
        last = Ticks(self._client, self._table).last()
        if last is None:
            return Section(
                name,
                "attention",
                f"none yet; the schedule is {printable(schedule_expression, 100) or 'not known'}",
                remedies=(f"wait for the first one; if none comes, the dispatch function's log says why: {log}",),
                facts={"at": None, "age": None},
            )
        age = self._now - last.at
        every = _every(schedule_expression) or (last.at - last.since if last.since else None)
        late = every is not None and age > max(LATE_TICKS * every, LEAST_LATE)
        says = f"{_ago(age)}, {_shown(last.at)}" + (f", at {schedule_expression}" if late else "")
        return Section(
            name,
            "attention" if late else "ok",
            printable(says),
            remedies=(f"the schedule may be off; the dispatch function's log says whether it fails: {log}",)
            if late
            else (),
            facts={"at": last.at, "age": age.total_seconds()},
        )

    def _sites(self, name: str) -> Section:
        last = Ticks(self._client, self._table).last()
        declared = last.sites if last else None
        # The checker itself stands in the same list.
        rows, total = Fleet(self._client, self._table).troubled("error", SHOWN + 1)
        failing = [row for row in rows if row["site"] != CHECKER][:SHOWN]
        total -= any(row["site"] == CHECKER for row in rows)
        lines = [f"{row['site']}  since {_stamped(row['failing_since'])}  {row['summary']}" for row in failing]
        lines += [f"… and {total - len(failing)} more"] if total > len(failing) else []
        remedies = [f"padlock check {failing[0]['site']} says what is wrong and what heals it"] if failing else []
        if declared == 0:
            remedies.append("padlock sites add example.com declares a site")
        counted = "not counted yet" if declared is None else f"{declared} declared at the last tick"
        _, warned = Fleet(self._client, self._table).troubled("warning", 1)
        return Section(
            name,
            "attention" if remedies else "ok",
            f"{counted}, {total or 'none'} failing" + (f", {warned} with warnings" if warned else ""),
            tuple(map(printable, lines)),
            tuple(map(printable, remedies)),
            {
                "declared": declared,
                "failing": total,
                "warnings": warned,
                "longest": [_row(row) for row in failing],
            },
        )

    def _certificates(self, name: str) -> Section:
        rows, total = Fleet(self._client, self._table).expiring(self._now, self._now + SOON, SHOWN)
        lines = [
            f"{row['certificate_host']}  until {_stamped(row['certificate_expires'])}  {row['certificate_issuer']}"
            for row in rows
        ]
        lines += [f"… and {total - len(rows)} more"] if total > len(rows) else []
        return Section(
            name,
            "ok",
            f"{total or 'none'} to expire within {SOON.days} days",
            tuple(map(printable, lines)),
            facts={
                "expiring": total,
                "next": [{"host": row["certificate_host"], "until": row["certificate_expires"]} for row in rows],
            },
        )

    def _alerts(self, name: str) -> Section:
        waiting = list(islice(Outbox(self._client, self._table).pending(), MOST_PENDING + 1))
        if not waiting:
            return Section(name, "ok", "none waits", facts={"pending": 0, "oldest": None})
        age = self._now - datetime.fromisoformat(waiting[0]["created_at"])
        late = age > PATIENCE
        count = str(len(waiting)) if len(waiting) <= MOST_PENDING else f"more than {MOST_PENDING}"
        oldest = f"the oldest of {printable(waiting[0]['site'], 100)}, written {_ago(age)}"
        return Section(
            name,
            "attention" if late else "ok",
            f"{count} to be published, {oldest}",
            remedies=(f"the notify function's log says why it fails: {self._log('notify')}",) if late else (),
            facts={"pending": len(waiting), "oldest": age.total_seconds()},
        )

    def _dead_letters(self, name: str) -> Section:
        sqs = schedule.client()
        queues = [each for each in self._resources if each.kind == "AWS::SQS::Queue" and "DeadLetter" in each.logical]
        depths: dict[str, int] = {}
        for queue in queues:
            answer = sqs.get_queue_attributes(QueueUrl=queue.physical, AttributeNames=["ApproximateNumberOfMessages"])
            depths[queue.logical] = int(answer["Attributes"]["ApproximateNumberOfMessages"])
        full = {queue.logical: queue.physical for queue in queues if depths[queue.logical]}
        return Section(
            name,
            "attention" if full else "ok",
            f"{sum(depths.values()) or 'none'} in {len(queues)} queues",
            tuple(f"{logical}: {depths[logical]}" for logical in full),
            tuple(
                f"read them, mend what they tell of, then redrive them in the SQS console: aws sqs receive-message "
                f"--visibility-timeout 0 --max-number-of-messages 10 --queue-url {printable(url)}"
                for url in full.values()
            ),
            {"queues": depths},
        )

    def _alarms(self, name: str) -> Section:
        alarms = cloudwatch()
        kinds = ("AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm")
        ours = {each.physical: each.logical for each in self._resources if each.kind in kinds}
        ringing: list[tuple[str, datetime, str]] = []
        for names in batched(ours, ALARMS_AT_ONCE, strict=False):
            answer = alarms.describe_alarms(
                AlarmNames=list(names), AlarmTypes=["MetricAlarm", "CompositeAlarm"], MaxRecords=ALARMS_AT_ONCE
            )
            ringing += [
                (ours[alarm["AlarmName"]], alarm["StateUpdatedTimestamp"], alarm.get("AlarmDescription", ""))
                for alarm in (*answer.get("MetricAlarms", ()), *answer.get("CompositeAlarms", ()))
                if alarm["StateValue"] == "ALARM"
            ]
        return Section(
            name,
            "attention" if ringing else "ok",
            f"{len(ringing) or 'none'} of {len(ours)} in ALARM",
            tuple(f"{logical}  since {_shown(since)}" for logical, since, _ in ringing),
            tuple(f"{logical}: {printable(text) or 'see it in the console'}" for logical, _, text in ringing),
            {"alarms": len(ours), "ringing": {logical: since for logical, since, _ in ringing}},
        )

    def _checker(self, name: str) -> Section:
        state = Results(self._client, self._table).state(CHECKER)
        if state is None or state["status"] != "error":
            return Section(name, "ok", "no outage of its own", facts={"outage": None})
        open_now = state["findings"]
        return Section(
            name,
            "attention",
            printable(f"an outage of its own since {_stamped(state['failing_since'])}: {state['summary']}"),
            tuple(printable(finding["observed"]) for finding in open_now if finding["observed"]),
            tuple(printable(finding["remediation"]) for finding in open_now if finding["remediation"]),
            {"outage": {"since": state["failing_since"], "summary": state["summary"]}},
        )

    def _log(self, function: str) -> str:
        return f"aws logs tail --since 1h /aws/lambda/{self._stack.name}/{function}"


def _looked(name: str, look: Callable[[str], Section]) -> Section:
    """Return a part of the stack; where AWS refuses to show it, that it does."""
    try:
        return look(name)
    except (ClientError, BotoCoreError) as error:
        return Section(
            name,
            "unreadable",
            f"could not be read: {printable(str(error), 400)}",
            remedies=("use credentials that may, or allow these what it names",) if _is_denied(error) else (),
        )


def _is_denied(error: Exception) -> bool:
    code = error.response["Error"]["Code"] if isinstance(error, ClientError) else ""
    return any(word in code for word in ("Denied", "Unauthorized", "AuthorizationError"))


def _every(expression: str) -> timedelta | None:
    """Return the time between two ticks of a rate; None for another schedule."""
    found = _RATE.fullmatch(expression)
    return int(found[1]) * _UNITS[found[2]] if found else None


def _row(row: dict[str, object]) -> dict[str, object]:
    return {"site": row["site"], "since": row["failing_since"], "summary": row["summary"]}


def _stamped(text: str) -> str:
    return _shown(datetime.fromisoformat(text))


def _shown(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _ago(age: timedelta) -> str:
    """Return a time span as people say it; a clock that is behind makes none."""
    seconds = max(int(age.total_seconds()), 0)
    if seconds < 120:
        return f"{seconds} s ago"
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if minutes < 120:
        return f"{minutes} min ago"
    return f"{hours} h {minutes % 60} min ago" if days < 2 else f"{days} d {hours % 24} h ago"
