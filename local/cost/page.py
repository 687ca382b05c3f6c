"""The page docs/cost.md, and the same in short for the terminal."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import msgspec

from local.cost import model, prices
from local.cost.figures import KEYS, Figures
from local.cost.model import BEYOND, CHANGES, GATE, GATE_MINUTES, Bill, Fleet
from local.cost.others import others
from local.cost.prices import Plan, Price
from local.cost.stack import Stack

TEXT = Path(__file__).parent / "page.md"
"""The page with its places; all tables are made here."""
FLEETS = (1, 100, 10_000, 1_000_000)
MINUTES = (1, 5, 15, 60)
EVERY = tuple(f"every {minutes} min" for minutes in MINUTES)
CASES = ((100, 5), (10_000, 5), (100, 1), (10_000, 1))
"""Sites and minutes for which others are asked."""
WRITE_UNITS = (9, 4, 2, 1)
"""Of a run that changes nothing: what-ifs."""
SMALL = 0.01
"""Share of a bill; lines below it stand together."""
SOURCE = ("Source; what was seen of it", "Looked up")
ADVICE = {
    "dynamodb_writes": "Each KB of an item is a unit, and two in a transaction: keep what changes with every run "
    "apart from what does not, write the large part only when it changed, use a transaction only where there is an "
    "alert.",
    "dynamodb_reads": "A consistent read is a unit for each 4 KB, twice an ordinary one: do not read what the "
    "condition of a write can tell, and keep the state below 4 KB.",
    "dynamodb_storage": "Fewer or shorter rows of history, or fewer days of it.",
    "dynamodb_recovery": "Fewer or shorter rows of history, or fewer days of it.",
    "transfer": "Handshakes are nearly all of it: fewer of them, and at fewer runs those that seldom tell anything "
    "new.",
    "lambda": "Less CPU for each run, handshakes and verification first; larger batches; the memory size at which "
    "nothing waits for the CPU.",
    "logs": "Fewer and shorter lines for a run in which nothing changed.",
    "sqs_requests": "Larger batches.",
}
"""Item (all processors as one) → what halves it."""


class Verdict(msgspec.Struct, frozen=True):
    """Whether one more site stays within a limit."""

    region: str
    limit: float
    cost: float

    @property
    def holds(self) -> bool:
        """Whether it does."""
        return self.cost <= self.limit


def verdicts(stack: Stack, figures: Figures, changes: float = CHANGES) -> list[Verdict]:
    """Return the gate and the aim beyond it, for each region."""
    costs = {
        region: model.one_more(stack, figures, region, GATE_MINUTES, changes).charge for region in prices.REGIONS
    }
    return [Verdict(region, limit, cost) for region, cost in costs.items() for limit in (GATE, BEYOND)]


def document(stack: Stack, figures: Figures) -> str:
    """Return docs/cost.md."""
    region = prices.REGIONS[0]
    whole = model.one_more(stack, figures, region, GATE_MINUTES)
    return TEXT.read_text(encoding="utf-8").format(
        changes=f"{CHANGES:g}",
        architecture=stack.architecture,
        memory=", ".join(f"{name.removesuffix('Function')} {size} MB" for name, size in stack.memory.items()),
        retention=stack.retention_days,
        gate_minutes=f"{GATE_MINUTES:g}",
        gate_limit=f"${GATE:.2f}",
        beyond_limit=f"${BEYOND:.2f}",
        gate=_gate(stack, figures),
        fleets=_fleets(stack, figures),
        region=region,
        items=_items(stack, figures, region),
        dearest=whole.lines[0].name,
        dearest_share=f"{whole.lines[0].charge / whole.charge:.0%}",
        halving=_halving(whole),
        by_units=_by_units(stack, figures),
        idle=_idle(_idle_bill(stack, figures, region, Fleet(0))),
        beside=_beside(stack, figures, region),
        measured=_measured(figures),
        metrics=", ".join(f"{name} {count}" for name, count in stack.metrics.items()),
        pollers=model.POLLERS,
        receive_wait=stack.receive_wait,
        warm_minutes=f"{model.WARM_MINUTES:g}",
        concurrency=stack.concurrency,
        batch=stack.batch,
        log_days=stack.log_days,
        compression=f"{model.LOG_COMPRESSION:.0%}",
        missing=len(prices.unchecked((*prices.prices(), *prices.plans()))),
        rows=len(prices.prices()) + len(prices.plans()),
        amazon=_amazon(),
        hosted=_hosted(),
    )


def summary(stack: Stack, figures: Figures, fleet: Fleet, region: str) -> str:
    """Return one fleet's bill and the gate, for the terminal."""
    whole, idle = model.bill(model.uses(stack, figures, fleet), region), _idle_bill(stack, figures, region, fleet)
    sites = f"{fleet.sites:,} site{'s' if fleet.sites != 1 else ''}"
    shown = [
        f"{sites}, a check every {fleet.minutes:g} min, {region}, USD a month",
        f"{'':52} {'list':>14} {'after free tier':>16}",
    ]
    shown += [f"{line.name:52} {line.charge:14,.4f} {line.paid:16,.4f}" for line in whole.lines]
    shown += [f"{'all':52} {whole.charge:14,.4f} {whole.paid:16,.4f}"]
    shown += [f"{'of which the stack itself, without a site':52} {idle.charge:14,.4f} {idle.paid:16,.4f}"]
    if fleet.sites:
        shown += [f"{'per site':52} {whole.charge / fleet.sites:14,.4f} {whole.paid / fleet.sites:16,.4f}"]
    shown += ["", f"one more site at {GATE_MINUTES:g} minutes, free tier left out:"]
    for verdict in verdicts(stack, figures, fleet.changes):
        shown.append(f"  {verdict.region:13} ${verdict.cost:.4f}, at most ${verdict.limit:.2f}: {_word(verdict)}")
    dearest = model.one_more(stack, figures, region, GATE_MINUTES, fleet.changes).lines[0]
    shown.append(f"  dearest: {dearest.name}, ${dearest.charge:.4f}. {_advice(dearest.item)}")
    return "\n".join(shown)


def money(amount: float) -> str:
    """Return an amount of dollars with as many digits as it needs."""
    if amount >= 100:
        return f"${amount:,.0f}"
    return f"${amount:.2f}" if amount >= 1 else f"${amount:.4f}"


def _gate(stack: Stack, figures: Figures) -> str:
    rows = [(v.region, money(v.cost), f"${v.limit:.2f}", _word(v)) for v in verdicts(stack, figures)]
    return _table(("Region", "One more site", "At most", ""), rows)


def _fleets(stack: Stack, figures: Figures) -> str:
    return "\n\n".join(_fleets_in(region, stack, figures) for region in prices.REGIONS)


def _fleets_in(region: str, stack: Stack, figures: Figures) -> str:
    def cell(sites: int, minutes: float) -> str:
        whole = model.bill(model.uses(stack, figures, Fleet(sites, minutes)), region)
        return f"{money(whole.charge / sites)} ({money(whole.paid / sites)})"

    rows = [(f"{sites:,}", *(cell(sites, minutes) for minutes in MINUTES)) for sites in FLEETS]
    return _table((f"Sites, {region}", *EVERY), rows)


def _items(stack: Stack, figures: Figures, region: str) -> str:
    bills = [model.one_more(stack, figures, region, minutes) for minutes in MINUTES]
    whole = bills[MINUTES.index(int(GATE_MINUTES))]
    large = [line for line in whole.lines if line.charge >= SMALL * whole.charge]
    rows = []
    for line in large:
        costs = [money(model.lines_of(bill)[line.item].charge) for bill in bills]
        rows.append((line.name, f"{_amount(line.amount)} {line.unit}", f"{line.charge / whole.charge:.0%}", *costs))
    named = {line.item for line in large}
    rest = [sum(line.charge for line in bill.lines if line.item not in named) for bill in bills]
    rows.append(("all else", "", "", *map(money, rest)))
    rows.append(("**one more site**", "", "", *(f"**{money(bill.charge)}**" for bill in bills)))
    return _table(("", f"A month, every {GATE_MINUTES:g} min", "Share", *EVERY), rows)


def _halving(whole: Bill) -> str:
    rows = [
        (
            line.name,
            money(whole.charge - line.charge / 2),
            _share(model.most(whole, line.item, GATE)),
            _share(model.most(whole, line.item, BEYOND)),
            _advice(line.item),
        )
        for line in whole.lines
        if line.charge >= SMALL * whole.charge
    ]
    head = ("Line", "One more site with half of it", "Holds the gate with", "Beyond with", "What halves it")
    return _table(head, rows)


def _by_units(stack: Stack, figures: Figures) -> str:
    units = sorted({figures["wru_per_unchanged_run"].value, *WRITE_UNITS}, reverse=True)
    rows = [
        (f"{count:g}", *(money(_with_writes(stack, figures, region, count).charge) for region in prices.REGIONS))
        for count in units
    ]
    return _table(("Write units", *prices.REGIONS), rows)


def _idle(idle: Bill) -> str:
    rows = []
    for line in idle.lines:
        what = "; ".join(dict.fromkeys(use.what for use in line.uses))
        rows.append((line.name, what, _amount(line.amount), money(line.charge), money(line.paid)))
    rows.append(("**all**", "", "", f"**{money(idle.charge)}**", f"**{money(idle.paid)}**"))
    return _table(("", "For", "A month", "List", "After free tier"), rows)


def _beside(stack: Stack, figures: Figures, region: str) -> str:
    own = (model.bill(model.uses(stack, figures, Fleet(*case)), region).charge / case[0] for case in CASES)
    rows = [("**Padlock**, everything, list price", *map(money, own), "[what is checked](checks.md)", "")]
    for other in others(region):
        costs = (other.cost(*case) for case in CASES)
        shown = (_offer(cost, case[0]) for cost, case in zip(costs, CASES, strict=True))
        rows.append((other.name + ("" if other.checked else " †"), *shown, other.checks, other.misses))
    cases = (f"{sites:,} sites, {minutes} min" for sites, minutes in CASES)
    return _table(("Per site and month", *cases, "Looks at", "Does not look at"), rows)


def _measured(figures: Figures) -> str:
    rows = [(KEYS[key], f"{figure.value:,g}", figure.date, figure.how) for key, figure in figures.items()]
    return _table(("", "Figure", "Date", "How"), rows)


def _amazon() -> str:
    rows = [
        (
            price.service,
            price.name,
            price.region,
            f"${price.usd:.10f}".rstrip("0").rstrip(".") + f" for {price.per:,.0f} {price.unit}",
            f"{price.above:,.0f}" if price.above else "",
            f"{price.free_per_month:,.0f}" if price.free_per_month else "",
            *_source(price),
        )
        for price in prices.prices()
    ]
    return _table(("Service", "Item", "Region", "Price", "From (a month)", "Free (a month)", *SOURCE), rows)


def _hosted() -> str:
    rows = [
        (
            plan.name,
            plan.plan,
            f"{plan.monitors:,}",
            f"{plan.seconds} s",
            f"${plan.usd_per_month:g}",
            f"${plan.more_usd:g} for {plan.more_monitors}" if plan.more_monitors else "",
            *_source(plan),
        )
        for plan in prices.plans()
    ]
    return _table(("Monitor", "Plan", "Monitors", "Least interval", "A month", "More", *SOURCE), rows)


def _source(row: Price | Plan) -> tuple[str, str]:
    return f"[page]({row.source}); {row.seen}", row.looked_up or "**no**"


def _with_writes(stack: Stack, figures: Figures, region: str, units: float) -> Bill:
    changed = msgspec.structs.replace(figures["wru_per_unchanged_run"], value=units)
    return model.one_more(stack, {**figures, "wru_per_unchanged_run": changed}, region, GATE_MINUTES)


def _idle_bill(stack: Stack, figures: Figures, region: str, fleet: Fleet) -> Bill:
    return model.bill(model.uses(stack, figures, msgspec.structs.replace(fleet, sites=0)), region)


def _offer(cost: float | None, sites: int) -> str:
    return "not offered" if cost is None else money(cost / sites)


def _amount(amount: float) -> str:
    return f"{amount:,.0f}" if amount >= 100 else f"{amount:.3g}"


def _word(verdict: Verdict) -> str:
    return "holds" if verdict.holds else "does not hold"


def _share(share: float | None) -> str:
    if share is None:
        return "not by this line alone"
    return "all of it" if share >= 1 else f"{share:.0%} of it"


def _advice(item: str) -> str:
    return ADVICE.get("lambda" if item.startswith("lambda_") else item, "")


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    def lines() -> Iterator[str]:
        yield f"| {' | '.join(head)} |"
        yield f"|{'|'.join('---' for _ in head)}|"
        for row in rows:
            yield f"| {' | '.join(cell.replace('|', '\\|') for cell in row)} |"

    return "\n".join(lines())
