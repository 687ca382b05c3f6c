"""The model: a stack, measured figures and a fleet → what is used in a month → what it costs.

A month has 30.4 days. A site is one declaration, with its www or apex sibling. The history is as long as it gets.
"""

from collections.abc import Iterable, Mapping

import msgspec

from local.cost.figures import Figures
from local.cost.prices import tariff
from local.cost.stack import MINUTES_A_MONTH, Stack, ticks_a_month

GIB = 2**30
CHANGES = 2.0
"""Alerts of one site in a month, unless asked otherwise: it breaks once, and works again."""
POLLERS = 5
"""Receives that Lambda keeps waiting at a queue whose event source has a maximum concurrency
(docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html)."""
WARM_MINUTES = 5.0
"""Longest time between two ticks through which Lambda is taken to keep a function's environments."""
KEY_MINUTES = 5.0
"""For which SQS uses a data key again, and DynamoDB a table's key."""
QUEUE_KEY_REQUESTS = 3
"""For each of these times that a queue is used in: two for its one producer, one for its one consumer."""
LOG_COMPRESSION = 0.15
"""Of the ingested octets of a log, what is kept (the examples of CloudWatch's page of prices)."""
TOPICS = 2
"""Alert topic and chat topic; each alert goes to both."""
GATE, BEYOND = 0.10, 0.03
"""USD per site and month at 5 minutes: the limit, and the aim beyond it."""
GATE_MINUTES = 5.0
LARGE = 1000
"""Sites of the fleet that tells what one more site costs: batches are full, and every price is in its first tier."""


class Fleet(msgspec.Struct, frozen=True):
    """What is checked, and how often."""

    sites: int
    minutes: float = GATE_MINUTES
    """Between two checks of a site."""
    changes: float = CHANGES
    """Alerts of a site in a month."""


class Use(msgspec.Struct, frozen=True):
    """An amount of something that has a price, in a month."""

    item: str
    """Of prices.csv."""
    what: str
    amount: float


class Line(msgspec.Struct, frozen=True):
    """All uses of one item, and what they cost in a month, USD."""

    item: str
    name: str
    """With its service."""
    unit: str
    amount: float
    charge: float
    """Without the free tier."""
    paid: float
    """Where nothing else in the account uses the free tier."""
    uses: tuple[Use, ...]


class Bill(msgspec.Struct, frozen=True):
    """What a month costs, the dearest line first."""

    lines: tuple[Line, ...]

    @property
    def charge(self) -> float:
        """The whole without the free tier, USD."""
        return sum(line.charge for line in self.lines)

    @property
    def paid(self) -> float:
        """The whole with the free tier, USD."""
        return sum(line.paid for line in self.lines)


def uses(stack: Stack, figures: Figures, fleet: Fleet) -> list[Use]:
    """Return all that a fleet uses in a month, the stack that checks it included."""
    return [use for use in (*standing(stack, figures, fleet), *of_sites(stack, figures, fleet)) if use.amount]


def standing(stack: Stack, figures: Figures, fleet: Fleet) -> list[Use]:
    """Return what the stack uses whether or not a site is declared, when its schedule is that of the fleet."""
    value = {key: figure.value for key, figure in figures.items()}
    ticks, compute = MINUTES_A_MONTH / fleet.minutes, f"lambda_{stack.architecture}"
    others = {name: ticks_a_month(at) for name, at in stack.schedules.items() if name != "DispatchFunction.Tick"}
    sweeps, invocations = others["NotifyFunction.Sweep"], ticks + sum(others.values())
    logged = (ticks * value["dispatch_log_octets_per_tick"] + sweeps * value["sweep_log_octets"]) / GIB
    periods = MINUTES_A_MONTH / KEY_MINUTES
    return [
        Use("kms_keys", "key of the topics", stack.keys),
        Use("alarms", "alarms", stack.alarms),
        Use("metrics", "metrics of the functions, where each is counted in every hour", sum(stack.metrics.values())),
        Use("dashboards", "dashboard", stack.dashboards),
        Use("sqs_requests", "waiting for messages", POLLERS * MINUTES_A_MONTH * 60 / stack.receive_wait),
        Use("kms_requests", "key of the queue, at most", QUEUE_KEY_REQUESTS * min(ticks, periods)),
        Use("kms_requests", "keys of the tables, at most", stack.readers * periods),
        Use("scheduler", "ticks, sweeps, digests, host audits", invocations),
        Use("lambda_requests", "ticks, sweeps, digests, host audits", invocations),
        Use(compute, "ticks", ticks * value["dispatch_gb_seconds_per_tick"]),
        Use(compute, "sweeps", sweeps * value["sweep_gb_seconds"]),
        Use("dynamodb_writes", "notes of the ticks", ticks * value["dispatch_wru_per_tick"]),
        Use("dynamodb_reads", "ticks", ticks * value["dispatch_rru_per_tick"]),
        Use("dynamodb_reads", "sweeps", sweeps * value["sweep_rru"]),
        Use("logs", "ticks and sweeps", logged),
        Use("logs_kept", "ticks and sweeps", _kept(logged, stack)),
    ]


def of_sites(stack: Stack, figures: Figures, fleet: Fleet) -> list[Use]:
    """Return what the sites of a fleet use beside that."""
    if not fleet.sites:
        return []
    value = {key: figure.value for key, figure in figures.items()}
    ticks, compute = MINUTES_A_MONTH / fleet.minutes, f"lambda_{stack.architecture}"
    runs, changed = fleet.sites * ticks, fleet.sites * fleet.changes
    unchanged = max(0.0, runs - changed)
    batch = min(stack.batch, fleet.sites)
    batches = -(-fleet.sites // batch)
    cold = min(stack.concurrency, batches) * ticks if fleet.minutes > WARM_MINUTES else 0.0
    rows = fleet.sites * stack.retention_days * 1440 / fleet.minutes
    state = fleet.sites * value["stored_octets_per_site"] / GIB
    history = rows * value["history_octets_per_run"] / GIB
    logged = runs * value["log_octets_per_site_run"] / GIB
    return [
        Use("dynamodb_writes", "runs that change nothing", unchanged * value["wru_per_unchanged_run"]),
        Use("dynamodb_writes", "runs with an alert", changed * value["wru_per_changed_run"]),
        Use("dynamodb_reads", "runs", runs * value["rru_per_run"]),
        Use("dynamodb_storage", "states", state),
        Use("dynamodb_storage", "history", history),
        Use("dynamodb_recovery", "states and history", (state + history) * stack.recovery),
        Use(compute, "checks", runs * value["check_gb_seconds_per_site_run"]),
        Use(compute, "cold starts of check", cold * value["check_init_gb_seconds"]),
        Use(compute, "dispatch of the sites", runs * value["dispatch_gb_seconds_per_site_tick"]),
        Use(compute, "alerts", changed * value["notify_gb_seconds_per_change"]),
        Use("lambda_requests", "checks", batches * ticks),
        Use("lambda_requests", "alerts", changed),
        # A request carries a batch, and costs as much with one message.
        Use("sqs_requests", "messages", runs * value["sqs_requests_per_site_run"] * stack.batch / batch),
        Use("logs", "checks", logged),
        Use("logs_kept", "checks", _kept(logged, stack)),
        Use("transfer", "what the checks send", runs * value["octets_out_per_site_run"] / GIB),
        Use("sns_publishes", "alerts", changed * TOPICS),
        Use("sns_mails", "alerts, to one address", changed),
        Use("events", "changes of status", changed),
    ]


def bill(used: Iterable[Use], region: str) -> Bill:
    """Return what uses cost in a region; UnknownPrice where the table lacks one."""
    by_item: dict[str, list[Use]] = {}
    for use in used:
        by_item.setdefault(use.item, []).append(use)
    return Bill(tuple(sorted((_line(group, region) for group in by_item.values()), key=lambda line: -line.charge)))


def one_more(stack: Stack, figures: Figures, region: str, minutes: float, changes: float = CHANGES) -> Bill:
    """Return what one more site costs in a large fleet."""
    used = of_sites(stack, figures, Fleet(LARGE, minutes, changes))
    return bill((Use(use.item, use.what, use.amount / LARGE) for use in used if use.amount), region)


def most(whole: Bill, item: str, limit: float) -> float | None:
    """Return the share of a line with which the bill is at a limit; None where the other lines are above it."""
    [line] = [line for line in whole.lines if line.item == item]
    left = limit - (whole.charge - line.charge)
    return left / line.charge if left >= 0 else None


def lines_of(whole: Bill) -> Mapping[str, Line]:
    """Return the lines of a bill by their item."""
    return {line.item: line for line in whole.lines}


def _line(group: list[Use], region: str) -> Line:
    rate = tariff(group[0].item, region)
    amount = sum(use.amount for use in group)
    name = f"{rate.first.service.removeprefix('Amazon ').removeprefix('AWS ')}: {rate.first.name}"
    return Line(rate.first.item, name, rate.first.unit, amount, rate.charge(amount), rate.paid(amount), tuple(group))


def _kept(gigabytes: float, stack: Stack) -> float:
    """Return the GB-months of a log of which so much comes in a month."""
    return gigabytes * LOG_COMPRESSION * stack.log_days * 1440 / MINUTES_A_MONTH
