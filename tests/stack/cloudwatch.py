"""What CloudWatch makes of the template's alarms and of the lines that the functions print, as far as they go.

Sources: CloudWatch user guide, "Evaluating an alarm", "Configuring how CloudWatch alarms treat missing data", and
"Specification: Embedded metric format".
"""

import json
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from local.aws import EmbeddedAws

STATISTICS: Mapping[str, Callable[[Sequence[float]], float]] = {"Sum": sum, "Maximum": max}
OPERATORS: Mapping[str, Callable[[float, float], bool]] = {
    "GreaterThanThreshold": operator.gt,
    "LessThanThreshold": operator.lt,
}
MISSING = {"breaching": True, "notBreaching": False}


class Metric(msgspec.Struct, frozen=True):
    """What CloudWatch tells one series from another by."""

    namespace: str
    name: str
    dimensions: Mapping[str, str]


class Point(msgspec.Struct, frozen=True):
    """The values that one line gave a series."""

    metric: Metric
    values: Sequence[float]
    unit: str


type Periods = Sequence[Sequence[float]]
"""The values of each period, the oldest first; a period without any has no data point."""


def points(printed: str) -> list[Point]:
    """Return what CloudWatch takes from a log: its lines in the embedded metric format."""
    return [point for line in printed.splitlines() for point in _points(line)]


def _points(line: str) -> list[Point]:
    try:
        entry = json.loads(line)
    except ValueError:
        return []
    if not isinstance(entry, dict) or "_aws" not in entry:
        return []
    found = []
    for directive in entry["_aws"]["CloudWatchMetrics"]:
        for names in directive["Dimensions"]:
            dimensions = {name: entry[name] for name in names}
            for metric in directive["Metrics"]:
                value = entry[metric["Name"]]
                series = Metric(directive["Namespace"], metric["Name"], dimensions)
                found.append(Point(series, value if isinstance(value, list) else [value], metric["Unit"]))
    return found


class Alarm(msgspec.Struct, frozen=True):
    """An alarm of the template in one stack, with everything that it refers to by name."""

    metric: Metric
    properties: Mapping[str, Any]

    def is_raised(self, periods: Periods) -> bool:
        """Return whether the alarm rings after these periods; those before them had no data."""
        wanted = int(self.properties["EvaluationPeriods"])
        last = [*([[]] * wanted), *periods][-wanted:]
        breaching = sum(self._breaches(values) for values in last)
        return breaching >= int(self.properties.get("DatapointsToAlarm", wanted))

    def _breaches(self, values: Sequence[float]) -> bool:
        if not values:
            return MISSING[self.properties["TreatMissingData"]]
        value = STATISTICS[self.properties["Statistic"]](values)
        return OPERATORS[self.properties["ComparisonOperator"]](value, self.properties["Threshold"])


def alarm(aws: EmbeddedAws, name: str) -> Alarm:
    """Return an alarm of the stack."""
    found = {key: resolved(aws, value) for key, value in aws.template["Resources"][name]["Properties"].items()}
    dimensions = {entry["Name"]: resolved(aws, entry["Value"]) for entry in found["Dimensions"]}
    return Alarm(Metric(found["Namespace"], found["MetricName"], dimensions), found)


def resolved(aws: EmbeddedAws, value: Any) -> Any:
    """Return a value of the template with what it refers to; of attributes, names alone."""
    match value:
        case {"Fn::GetAtt": [str(resource), "QueueName" | "TopicName"]}:
            return short_name(aws, resource)
    return aws.resolved(value)


def short_name(aws: EmbeddedAws, resource: str) -> str:
    """Return a resource's name, without what its URL or ARN has before it."""
    return re.split("[/:]", aws.resolved({"Ref": resource}))[-1]
