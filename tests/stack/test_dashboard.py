"""The dashboard shows every alarm, and numbers that somebody really emits."""

import json
import re
from typing import Any
from urllib.parse import urlsplit

import pytest
from padlock.storage import Sites

from local.aws import EmbeddedAws
from local.emulator import ROOT
from local.pump import Pump
from tests.loopback_site import LoopbackSite
from tests.stack.cloudwatch import Metric, points
from tests.stack.translated import of_type, properties, resources, source

DOCUMENTED = {
    ("AWS/Lambda", "Duration", "FunctionName"): "AWS::Lambda::Function",
    ("AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName"): "AWS::SQS::Queue",
}
"""What AWS emits of the dashboard's metrics, by namespace, name and dimension, and for which type of resource."""
COLUMNS = 24


def body(aws: EmbeddedAws) -> Any:
    """Return the dashboard of a stack; the attributes of resources stand in it as `${Resource.Attribute}`."""
    return json.loads(aws.resolved(properties("Dashboard")["DashboardBody"]))


def shown(aws: EmbeddedAws) -> list[list[Any]]:
    """Return every metric that is drawn: namespace, name, and the dimensions' names and values."""
    drawn = [metric for widget in body(aws)["widgets"] for metric in widget["properties"].get("metrics", [])]
    return [[part for part in metric if isinstance(part, str)] for metric in drawn]


def test_every_alarm_is_shown(aws: EmbeddedAws) -> None:
    """The first widget has the state of every alarm."""
    first = body(aws)["widgets"][0]
    assert first["type"] == "alarm"
    assert sorted(first["properties"]["alarms"]) == sorted(
        f"${{{name}.Arn}}" for name in of_type("AWS::CloudWatch::Alarm")
    )


def test_own_numbers_are_emitted(aws: EmbeddedAws, shop: LoopbackSite, capsys: pytest.CaptureFixture[str]) -> None:
    """Each of Padlock's own metrics is one that a function prints, with the same namespace and dimensions."""
    pump = Pump(aws, {"RESOLVERS": shop.resolver, "ALLOWED_NETWORKS": "127.0.0.0/8"})
    sites = Sites(aws.client("dynamodb"), aws.physical["SitesTable"])
    sites.put(shop.declaration)
    sites.put({"name": "example.com"})
    pump.run()
    sites.put({"name": "example.org"})
    poisoned = json.loads((ROOT / "events/queue.json").read_text())["Records"][1]
    poisoned["attributes"]["ApproximateReceiveCount"] = properties("CheckFunction")["Environment"]["Variables"][
        "MAX_RECEIVES"
    ]
    pump.invoke("check", {"Records": [poisoned]})
    pump.sweep()
    printed = [point.metric for point in points(capsys.readouterr().out)]
    own = [metric for metric in shown(aws) if not metric[0].startswith("AWS/")]
    assert len(own) >= 9
    for namespace, name, *dimensions in own:
        assert Metric(namespace, name, dict(zip(dimensions[::2], dimensions[1::2], strict=True))) in printed, name


def test_numbers_of_aws_are_documented(aws: EmbeddedAws) -> None:
    """Each metric of AWS is one that exists, of a resource that the stack has."""
    names = {aws.resolved({"Ref": name}): name for name in resources()}
    for namespace, name, dimension, value in (metric for metric in shown(aws) if metric[0].startswith("AWS/")):
        logical = re.sub(r"\$\{(\w+)\.QueueName\}", r"\1", names.get(value, value))
        assert resources()[logical]["Type"] == DOCUMENTED[namespace, name, dimension]


def test_sites_are_drawn_by_the_dashboards_function(aws: EmbeddedAws) -> None:
    """Below the alarms stands the widget, and its function is one of the stack, asked at each refresh."""
    second = body(aws)["widgets"][1]
    assert second["type"] == "custom"
    assert second["properties"]["endpoint"] == "${DashboardFunction.Arn}"
    assert second["properties"]["updateOn"]["refresh"] is True
    assert second["width"] == COLUMNS


def test_unconfirmed_subscriptions_are_explained(aws: EmbeddedAws) -> None:
    """Beside their number stands what to do where it is above 0, by outputs that exist."""
    widgets = body(aws)["widgets"]
    (number,) = [at for at, widget in enumerate(widgets) if "UnconfirmedSubscriptions" in json.dumps(widget)]
    assert widgets[number]["properties"]["view"] == "singleValue"
    text = widgets[number + 1]["properties"]["markdown"]
    outputs = re.findall(r"`(\w+)`", text)
    assert outputs
    assert set(outputs) <= set(source()["Outputs"])


def test_widgets_stand_beside_each_other(aws: EmbeddedAws) -> None:
    """No widget lies on another or beyond the edge."""
    taken: set[tuple[int, int]] = set()
    for widget in body(aws)["widgets"]:
        cells = {
            (x, y)
            for x in range(widget["x"], widget["x"] + widget["width"])
            for y in range(widget["y"], widget["y"] + widget["height"])
        }
        assert max(x for x, _ in cells) < COLUMNS
        assert not taken & cells
        taken |= cells


def test_url_leads_to_the_dashboard(aws: EmbeddedAws) -> None:
    """The functions' DASHBOARD_URL, which cannot refer to the dashboard, and the output name the same page."""
    name = aws.resolved(properties("Dashboard")["DashboardName"])
    urls = {aws.environment(function)["DASHBOARD_URL"] for function in ("CheckFunction", "DispatchFunction")}
    urls.add(
        aws.resolved(source()["Outputs"]["DashboardUrl"]["Value"]).replace(aws.resolved({"Ref": "Dashboard"}), name)
    )
    (url,) = urls
    assert urlsplit(url).fragment == f"dashboards/dashboard/{name}"
    assert url.startswith("https://eu-central-1.console.aws.amazon.com/cloudwatch/home?region=eu-central-1#")
