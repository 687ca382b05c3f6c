"""A checker that sees nothing completes its runs: it is told as its own outage, and nothing says that it is well."""

from datetime import UTC, datetime, timedelta

import pytest
from padlock.findings import CHECKER
from padlock.storage import Results, Sites, Slots

from local.aws import EmbeddedAws
from local.pump import Pump
from tests.loopback_site import LoopbackSite
from tests.servers import free_port
from tests.stack.cloudwatch import points

NAMES = [f"s{number}.example" for number in range(5)]
TICKS = 3


def counted(printed: str, name: str) -> float:
    """Return the sum of a metric in what functions have printed."""
    return sum(sum(point.values) for point in points(printed) if point.metric.name == name)


def test_lost_resolver_is_the_checkers_own_outage(
    aws: EmbeddedAws, sites: Sites, results: Results, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without its resolver a function sees none of five sites: one alert says so, and no run counts as a result."""
    for name in NAMES:
        sites.put({"name": name, "hosts": [name]})
    pump = Pump(aws, {"RESOLVERS": f"127.0.0.1:{free_port()}"})
    began = datetime.now(UTC).replace(microsecond=0)
    for number in range(TICKS):
        pump.run(began - timedelta(minutes=5 * (TICKS - number)))
    pump.stream()
    (mail,) = aws.mails()
    assert "cannot see most sites" in mail.text
    assert "5 of 5 sites; one of them: no DNS server answered anything" in " ".join(mail.text.split())
    assert [row["status"] for row in results.history(NAMES[0])] == ["inconclusive"] * TICKS
    assert [entry["code"] for entry in (results.state(CHECKER) or {})["findings"]] == ["checker.outage"]
    printed = capsys.readouterr().out
    assert counted(printed, "RunsCompleted") == counted(printed, "RunsInconclusive") == TICKS * len(NAMES)
    assert counted(printed, "RunsConclusive") == 0
    assert Slots(aws.client("dynamodb"), aws.physical["ResultsTable"]).last_run() is None


def test_run_that_sees_its_site_is_a_result(
    aws: EmbeddedAws, pump: Pump, shop: LoopbackSite, sites: Sites, capsys: pytest.CaptureFixture[str]
) -> None:
    """A look that sees its site counts, and is what the heartbeat goes by; one that is not made does not."""
    slots = Slots(aws.client("dynamodb"), aws.physical["ResultsTable"])
    aws.client("dynamodb").put_item(
        TableName=aws.physical["SitesTable"], Item={"name": {"S": "wrong.example"}, "helth": {"S": "/"}}
    )
    pump.run(datetime.now(UTC) - timedelta(minutes=5))
    printed = capsys.readouterr().out
    assert (counted(printed, "RunsCompleted"), counted(printed, "RunsConclusive")) == (1, 0)
    assert slots.last_run() is None
    sites.put(shop.declaration)
    pump.run()
    assert counted(capsys.readouterr().out, "RunsConclusive") == 1
    assert slots.last_run() is not None
