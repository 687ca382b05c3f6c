"""Alert records as the outbox holds them, written without the run that they tell of."""

import json
from datetime import UTC, datetime
from typing import Any

import msgspec
from botocore.exceptions import ClientError
from padlock.storage import Alert
from padlock.storage._items import marshal

from local.aws import EmbeddedAws

SITE = "example.com"


def alert(seq: int = 1, site: str = SITE, **fields: Any) -> Alert:
    """Return an alert record; its texts name the number."""
    alert_id = f"{site}-{seq}"
    told = {"alert_id": alert_id, "seq": seq, "site": site}
    content = {"textType": "client-markdown", "title": f"Alert {seq}", "description": "It is *down*."}
    made = Alert(
        site=site,
        seq=seq,
        alert_id=alert_id,
        created_at=datetime.now(UTC).replace(microsecond=0),
        kind="changed",
        before="ok",
        after="error",
        labels={},
        subject=f"[Padlock] {site}: number {seq}",
        body=f"Text {seq}: 10 € with a coin.\n",
        data=json.dumps(told),
        chat=json.dumps({"version": "1.0", "source": "custom", "content": content}),
        event=json.dumps(told | {"from": "ok", "to": "error", "kind": "changed"}),
        severity="error",
        changed={"opened": ["certificate.expired: example.com"]},
    )
    return msgspec.structs.replace(made, **fields)


def write(aws: EmbeddedAws, *alerts: Alert) -> None:
    """Put alert records into the outbox."""
    for one in alerts:
        aws.client("dynamodb").put_item(TableName=aws.physical["ResultsTable"], Item=marshal(one.item()))


def refusing(code: str) -> ClientError:
    """Return an answer of AWS."""
    return ClientError({"Error": {"Code": code, "Message": "as the test wants"}}, "Call")
