"""`padlock status`: whether the deployed stack itself is well, and whoever it should tell can be told."""

import argparse
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from padlock.cli.output import FAULT, HEALTHY, UNHEALTHY, show_json, write
from padlock.cli.signs import show_lines, sign
from padlock.cli.stack import Stack, on_stack
from padlock.render.escape import printable
from padlock.render.prometheus import Gauge, exposition, states

if TYPE_CHECKING:
    from padlock.cli.health import Condition, Section

FORMATS = ("text", "json", "prometheus")
CODES: "dict[Condition, int]" = {"ok": HEALTHY, "attention": UNHEALTHY, "unreadable": FAULT}


def status(options: argparse.Namespace) -> int:
    """Show whether the stack is well; return the exit status."""

    def action(stack: Stack) -> int:
        from padlock.cli.health import Glance  # noqa: PLC0415 — boto3 takes 300 ms

        now = datetime.now(UTC).replace(microsecond=0)
        sections = Glance(stack, now).sections()
        worst = max((section.condition for section in sections), key=CODES.__getitem__)
        dashboard = stack.outputs.get("DashboardUrl", "")
        match options.format:
            case "json":
                facts = {"stack": stack.name, "at": now, "status": worst, "dashboard": dashboard}
                show_json(facts | {"sections": sections})
            case "prometheus":
                write(exposition(_gauges(stack.name, sections)))
            case _:
                show_lines(_lines(stack.name, now, dashboard, sections))
        return CODES[worst]

    return on_stack(options, ("ResultsTableName", "TopicArn"), action)


def _lines(name: str, now: datetime, dashboard: str, sections: "Sequence[Section]") -> Iterator[str]:
    yield f"stack {printable(name)}, {now:%Y-%m-%d %H:%M} UTC"
    width = max(len(section.name) for section in sections)
    margin = " " * (width + 6)
    for section in sections:
        yield f"  {sign(section.condition)} {section.name:<{width}}  {section.says}"
        yield from (f"{margin}{line}" for line in section.lines)
        yield from (f"{margin}→ {remedy}" for remedy in section.remedies)
    if dashboard:
        yield f"  dashboard {printable(dashboard)}"


def _gauges(stack: str, sections: "Sequence[Section]") -> Iterator[Gauge]:
    """Yield the state of each part, and the numbers that are known."""
    facts = {section.name: section.facts for section in sections}
    yield Gauge(
        "padlock_stack_part",
        "Whether a part of the deployed stack is in the state of the label.",
        [
            sample
            for section in sections
            for sample in states({"stack": stack, "part": section.name}, "state", tuple(CODES), section.condition)
        ],
    )
    numbers = (
        ("padlock_stack_tick_age_seconds", "Time since the last tick of the schedule.", "last tick", "age"),
        ("padlock_stack_sites", "Sites declared at the last tick.", "sites", "declared"),
        ("padlock_stack_failing_sites", "Sites with an open error.", "sites", "failing"),
        ("padlock_stack_warned_sites", "Sites whose worst open finding is a warning.", "sites", "warnings"),
        ("padlock_stack_expiring_certificates", "Certificates that are about to expire.", "certificates", "expiring"),
        ("padlock_stack_pending_alerts", "Alerts that wait to be published.", "alerts", "pending"),
        ("padlock_stack_oldest_alert_age_seconds", "Age of the oldest alert that waits.", "alerts", "oldest"),
    )
    for name, text, part, key in numbers:
        value = facts.get(part, {}).get(key)
        samples = [({"stack": stack}, float(value))] if isinstance(value, int | float) else []
        yield Gauge(name, text, samples)
