"""What of template.yaml and of the functions costs money: sizes, schedules, alarms, keys, tables and metrics."""

import ast
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import msgspec
from samtranslator.yaml_helper import yaml_parse

ROOT = Path(__file__).parents[2]
TEMPLATE = ROOT / "template.yaml"
FUNCTIONS = ROOT / "functions"
MINUTES_A_MONTH = 365.25 * 24 * 60 / 12
"""43,830."""
RATE = re.compile(r"rate\((\d+) (minute|hour|day)s?\)")
UNITS = {"minute": 1, "hour": 60, "day": 1440}


class Stack(msgspec.Struct, frozen=True):
    """What the model needs to know of the stack."""

    architecture: str
    """Of the functions: arm64 or x86_64."""
    memory: Mapping[str, int]
    """Function → MB."""
    batch: int
    """Sites of one invocation of check, at most."""
    concurrency: int
    """Invocations of check at the same time."""
    receive_wait: int
    """Seconds for which a receive of the queue waits for messages."""
    schedules: Mapping[str, str]
    """Function and event → its expression, such as rate(5 minutes); those that the parameters switch off left out."""
    retention_days: int
    """Of the history."""
    log_days: int
    """Of the check function's log."""
    recovery: bool
    """Whether the results table has point-in-time recovery."""
    keys: int
    """Customer managed keys."""
    alarms: int
    dashboards: int
    metrics: Mapping[str, int]
    """Function → custom metrics; each name with its one dimension is one."""
    readers: int
    """Pairs of a function and a table that it works with."""


def read(template: Path = TEMPLATE, functions: Path = FUNCTIONS) -> Stack:
    """Return the stack as the template has it with its default parameters; ValueError where it bills otherwise."""
    document: dict[str, Any] = yaml_parse(template.read_text(encoding="utf-8"))
    parameters = {name: parameter["Default"] for name, parameter in document["Parameters"].items()}
    resources: dict[str, dict[str, Any]] = document["Resources"]

    def of(kind: str) -> dict[str, dict[str, Any]]:
        return {name: entry["Properties"] for name, entry in resources.items() if entry["Type"] == kind}

    def value(found: Any) -> Any:
        return parameters[found["Ref"]] if isinstance(found, dict) and "Ref" in found else found

    tables, lambdas, queues = of("AWS::DynamoDB::Table"), of("AWS::Serverless::Function"), of("AWS::SQS::Queue")
    provisioned = [name for name, table in tables.items() if table.get("BillingMode") != "PAY_PER_REQUEST"]
    if provisioned:
        raise ValueError(f"{', '.join(provisioned)}: the model knows tables that are billed by request only")
    source = lambdas["CheckFunction"]["Events"]["Queue"]["Properties"]
    return Stack(
        architecture=parameters["Architecture"],
        memory={name: value(function["MemorySize"]) for name, function in lambdas.items()},
        batch=value(source["BatchSize"]),
        concurrency=int(value(source["ScalingConfig"]["MaximumConcurrency"])),
        receive_wait=queues["CheckQueue"]["ReceiveMessageWaitTimeSeconds"],
        schedules=_schedules(lambdas, parameters),
        retention_days=int(parameters["RetentionDays"]),
        log_days=of("AWS::Logs::LogGroup")["CheckLogGroup"]["RetentionInDays"],
        recovery=tables["ResultsTable"]["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"],
        keys=len(of("AWS::KMS::Key")),
        alarms=len(of("AWS::CloudWatch::Alarm")),
        dashboards=len(of("AWS::CloudWatch::Dashboard")),
        metrics={file.parent.name: len(metric_names(file)) for file in sorted(functions.glob("*/app.py"))},
        readers=sum(_worked_with(function, tables) for function in lambdas.values()),
    )


def ticks_a_month(expression: str) -> float:
    """Return how often a schedule fires in a month of 30.4 days; ValueError for one that the model cannot count.

    Of cron expressions it knows a fixed minute and hour, every day or on one day of the week.
    """
    if rate := RATE.fullmatch(expression):
        return MINUTES_A_MONTH / (int(rate[1]) * UNITS[rate[2]])
    if daily := re.fullmatch(r"cron\(\d+ \d+ [*?] \* ([*?]|[A-Z]{3}|\d) \*\)", expression):
        return MINUTES_A_MONTH / 1440 / (1 if daily[1] in "*?" else 7)
    raise ValueError(f"{expression}: the model counts rate(...) and cron(...) with one minute and hour only")


def metric_names(app: Path) -> set[str]:
    """Return the names of the custom metrics that a function's app.py adds."""
    calls = (node for node in ast.walk(ast.parse(app.read_text(encoding="utf-8"))) if isinstance(node, ast.Call))
    return {
        call.args[0].value
        for call in calls
        if isinstance(call.func, ast.Attribute)
        and call.func.attr == "add_metric"
        and isinstance(call.args[0], ast.Constant)
        and isinstance(call.args[0].value, str)
    }


def _worked_with(function: Mapping[str, Any], tables: Collection[str]) -> int:
    """Return how many tables a function is told the name of."""
    variables = function["Environment"]["Variables"].values()
    return sum(isinstance(variable, dict) and variable.get("Ref") in tables for variable in variables)


def _schedules(lambdas: Mapping[str, dict[str, Any]], parameters: Mapping[str, Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    for function, properties in lambdas.items():
        for name, event in properties.get("Events", {}).items():
            if event["Type"] != "ScheduleV2":
                continue
            expression = event["Properties"]["ScheduleExpression"]
            while isinstance(expression, dict):
                # Fn::If: its second part is what holds while the condition does, as it does by default.
                expression = parameters[expression["Ref"]] if "Ref" in expression else expression["Fn::If"][1]
            found[f"{function}.{name}"] = expression
    return found
