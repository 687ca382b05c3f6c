"""The tables of a comparison, as Markdown: medians and ratios of every tool, and the goals."""

from collections.abc import Iterable, Sequence

from tests.bench.compare_record import PADLOCK, Goal, Measured, Record

_NOTHING = "-"


def tables(record: Record) -> str:
    """Return both tables."""
    return f"{tools(record)}\n\n{goals(record.goals)}"


def goals(seen: Iterable[Goal]) -> str:
    """Return the table of goals."""
    rows = [_goal(goal) for goal in seen]
    return table(("goal", "gate", "beyond", "seen", ""), rows)


def _goal(goal: Goal) -> list[str]:
    sign = "≥" if goal.at_least else "≤"
    bounds = [f"{sign} {bound:g} {goal.unit}" for bound in (goal.gate, goal.beyond)]
    seen = _NOTHING if goal.seen is None else f"{goal.seen:.{0 if goal.unit in ('ms', 'MB') else 2}f} {goal.unit}"
    return [goal.goal, *bounds, seen, goal.verdict]


def tools(record: Record) -> str:
    """Return the medians of every tool, each with how many times Padlock's it is."""
    ours, far = record.tools[PADLOCK], max(record.round_trips_ms)
    fleet = f"{record.sites} sites, RTT {far}"
    heads = ["tool", *(f"1 site, RTT {ms}: wall ms" for ms in record.round_trips_ms)]
    heads += [f"{fleet}: wall s", f"{fleet}: CPU ms/site", "peak MB"]
    rows = [_row(record, tool, ours, far) for tool in record.tools.values()]
    return table(heads, rows)


def _row(record: Record, tool: Measured, ours: Measured, far: int) -> list[str]:
    walls = [_times(tool.wall_ms(ms), ours.wall_ms(ms)) for ms in record.round_trips_ms]
    fleet = _times(tool.wall_ms(far, fleet=True), ours.wall_ms(far, fleet=True), scale=1000, digits=2)
    cpu = _times(tool.cpu_ms(far, record.sites), ours.cpu_ms(far, record.sites), digits=1)
    peak = tool.peak_octets()
    return [tool.title, *walls, fleet, cpu, f"{peak / 1e6:.0f}" if peak else _NOTHING]


def _times(value: float | None, ours: float | None, scale: float = 1, digits: int = 0) -> str:
    if value is None:
        return _NOTHING
    shown = f"{value / scale:.{digits}f}"
    return f"{shown} ({value / ours:.2g}x)" if ours else shown


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
