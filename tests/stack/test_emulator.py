"""The built functions in Lambda's own emulator, on a real site: from the tick to the published alert."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from padlock.storage import Sites

from local.aws import EmbeddedAws
from local.emulator import Engine, NoEngine, container_engine, environment, invoke
from tests.dns_server import recursive
from tests.dns_server import serve as serve_dns
from tests.servers import Authority, listen, pages, redirect, reply

pytestmark = [pytest.mark.sam, pytest.mark.emulator, pytest.mark.timeout(600)]

HEALTHY, BROKEN = "shop.example", "broken.example"


class Town(msgspec.Struct):
    """Two sites at one address, one of them with the other's certificate, and what the functions need to see them."""

    declarations: list[dict[str, Any]]
    variables: dict[str, str]


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """Run the container engine."""
    with ExitStack() as stack:
        try:
            found = stack.enter_context(container_engine())
        except NoEngine as error:
            pytest.skip(f"sam local invoke cannot run here: {error}")
        if found.host != found.bind:
            pytest.skip("containers reach this machine by a name only, under which no site can be published")
        yield found


@pytest.fixture
async def town(engine: Engine) -> AsyncIterator[Town]:
    """Run the sites and their name server where the container reaches them."""
    authority = Authority()
    tls = authority.context(HEALTHY)
    address = engine.bind
    zones = ((name, f"@ A {address}") for name in (HEALTHY, BROKEN))
    async with (
        listen(pages({"/": reply(200, "<title>Shop</title>Welcome")}), address, tls=tls) as https,
        listen(pages(lambda request: redirect(f"https://{request.host}:{https}{request.path}")), address) as http,
        serve_dns(recursive(*zones), address) as names,
    ):
        common = {
            "ports": {"http": http, "https": https},
            "networks": [f"{address}/32"],
            "private_ca": authority.pem,
        }
        yield Town(
            [{"name": name, "hosts": [name], **common} for name in (HEALTHY, BROKEN)],
            {"ALLOWED_NETWORKS": f"{address}/32", "RESOLVERS": f"{address}:{names.endpoint[1]}"},
        )


@pytest.fixture
def aws(engine: Engine) -> Iterator[EmbeddedAws]:
    """Run an embedded AWS where the container reaches it."""
    with EmbeddedAws(host=engine.bind) as running:
        yield running


async def test_from_the_tick_to_the_alert(engine: Engine, town: Town, aws: EmbeddedAws, built: Path) -> None:
    """Dispatch queues both sites, check stores a healthy and a broken one, and notify publishes the one alert."""

    async def run(function: str, event: Any) -> Any:
        variables = environment(aws, function, engine) | town.variables
        invocation = await asyncio.to_thread(
            invoke, engine, function, event, variables, template=built / "template.yaml"
        )
        assert not invocation.failed, invocation.log
        return invocation.answer

    sites = Sites(aws.client("dynamodb"), aws.physical["SitesTable"])
    for declaration in town.declarations:
        sites.put(declaration)
    slot = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    dispatched = await run("DispatchFunction", {"scheduled_at": slot})
    assert (dispatched["slot"], dispatched["sent"]) == (slot, 2)

    assert await run("CheckFunction", received(aws)) == {"batchItemFailures": []}
    states = {item["site"]["S"]: item for item in stored(aws, "STATE") if item["sk"]["S"] == "STATE"}
    assert states[HEALTHY]["status"]["S"] in {"ok", "notice"}
    assert states[BROKEN]["status"]["S"] == "error"
    assert {item["site"]["S"] for item in stored(aws, "STATE#REPORT")} == {HEALTHY, BROKEN}
    alerts = {alert["site"]["S"]: alert for alert in stored(aws, "ALERT#")}
    assert {name: alert["kind"]["S"] for name, alert in alerts.items()} == {HEALTHY: "status", BROKEN: "changed"}

    records = [inserted(alert) for alert in alerts.values()]
    assert await run("NotifyFunction", {"Records": records}) == {"batchItemFailures": []}
    (mail,) = aws.mails()
    assert BROKEN in mail.subject
    assert "certificate.name_mismatch" in mail.text
    (chat,) = aws.chats()
    assert BROKEN in str(chat)
    assert {(told["source"], told["detail"]["site"]) for told in aws.events()} == {
        *(("padlock", HEALTHY), ("padlock", BROKEN)),
    }

    report = await run("CheckFunction", {"site": HEALTHY})
    assert (report["site"], report["status"]) == (HEALTHY, states[HEALTHY]["status"]["S"])
    assert {finding["severity"] for finding in report["findings"]} <= {"notice"}
    assert {entry["step"] for entry in report["checklist"] if entry["status"] == "pass"} >= {1, 3, 8, 10}


def received(aws: EmbeddedAws) -> dict[str, Any]:
    """Return what waits in the queue as the event that Lambda makes of it."""
    messages = aws.client("sqs").receive_message(
        QueueUrl=aws.physical["CheckQueue"], MaxNumberOfMessages=10, AttributeNames=["All"]
    )
    return {
        "Records": [
            {
                "messageId": message["MessageId"],
                "receiptHandle": message["ReceiptHandle"],
                "body": message["Body"],
                "attributes": message["Attributes"],
                "messageAttributes": {},
                "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:eu-central-1:123456789012:CheckQueue",
                "awsRegion": "eu-central-1",
            }
            for message in messages["Messages"]
        ]
    }


def stored(aws: EmbeddedAws, prefix: str) -> list[dict[str, Any]]:
    """Return the items of the results table whose sort key begins like this."""
    items: list[dict[str, Any]] = aws.client("dynamodb").scan(TableName=aws.physical["ResultsTable"])["Items"]
    return [item for item in items if item["sk"]["S"].startswith(prefix)]


def inserted(item: dict[str, Any]) -> dict[str, Any]:
    """Return the stream's record of a new item."""
    return {
        "eventID": "1",
        "eventName": "INSERT",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "eu-central-1",
        "dynamodb": {
            "Keys": {name: item[name] for name in ("site", "sk")},
            "NewImage": item,
            "SequenceNumber": "111100000000000000001",
            "StreamViewType": "NEW_IMAGE",
        },
        "eventSourceARN": "arn:aws:dynamodb:eu-central-1:123456789012:table/Results/stream/1",
    }
