"""What machines said of themselves: the latest audit of each, in the Results table.

The key is `host#<managed node>`, which is no host name. An audit that went wrong is kept too, as its fault: that
nothing could be had of a machine is news, and the word of the day before is not.
"""

import json
import logging
import random
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from padlock.evidence import Host
from padlock.storage._items import Item, marshal, stamp
from padlock.storage._plain import unmarshal

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

HOST = "HOST"
PREFIX = "host#"
MAX_OCTETS = 350_000
"""Of one machine's evidence, compressed; DynamoDB's limit is 400 KB for a whole item."""
MAX_EXPANDED = 64_000_000
MAX_TEXT = 1000
"""Characters of what stands beside it for people."""
ATTEMPTS = 5
"""How often the table is asked for what it did not give."""
NEVER_AUDITED = (
    "no audit of it is stored: it must be a managed node of Systems Manager with the tag Padlock=audit; "
    "README, Ask the host too, has how to audit it now"
)

log = logging.getLogger(__name__)


class Hosts:
    """The latest audit of each machine."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def save(self, host: Host, at: datetime, expires: int) -> bool:
        """Keep an audit that ended at this time; False where a later one is kept already."""
        evidence = _packed(host)
        if len(evidence) > MAX_OCTETS:
            fault = f"what it said is too large to be kept: {len(evidence)} octets, compressed"
            host = Host(host.name, host.collected_at, fault)
            evidence = _packed(host)
        item = {
            **_key(host.name),
            "audited_at": stamp(at),
            "fault": host.fault[:MAX_TEXT],
            "system": host.system[:MAX_TEXT],
            "evidence": evidence,
            "ttl": expires,
        }
        try:
            self._client.put_item(
                TableName=self._table,
                Item=marshal(item),
                ConditionExpression="attribute_not_exists(sk) OR audited_at <= :at",
                ExpressionAttributeValues=marshal({":at": stamp(at)}),
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def load(self, names: Sequence[str], now: datetime) -> tuple[Host, ...]:
        """Return the latest audit of each machine; one that is not to be had is there with its fault.

        A table that is throttled or away costs the machines' word, never the run.
        """
        wanted = dict.fromkeys(names)
        if not wanted:
            return ()
        try:
            found = {item["site"]: item for item in self._read(list(wanted))}
        except (ClientError, BotoCoreError) as error:
            log.warning("the audits of %s could not be read: %s", ", ".join(wanted), error)
            return tuple(Host(name, now, "its audit could not be read from the table") for name in wanted)
        return tuple(_host(name, found.get(PREFIX + name), now) for name in wanted)

    def _read(self, names: Sequence[str]) -> Iterator[Item]:
        request: Any = {self._table: {"Keys": [marshal(_key(name)) for name in names]}}
        for attempt in range(ATTEMPTS):
            answer = self._client.batch_get_item(RequestItems=request)
            yield from map(unmarshal, answer["Responses"].get(self._table, ()))
            request = answer.get("UnprocessedKeys")
            if not request:
                return
            time.sleep(random.uniform(0, 0.1 * 2**attempt))  # noqa: S311 — spreads readers, hides nothing
        raise ClientError({"Error": {"Code": "UnprocessedKeys", "Message": "the table is busy"}}, "BatchGetItem")


def _key(name: str) -> Mapping[str, str]:
    return {"site": PREFIX + name, "sk": HOST}


def _packed(host: Host) -> bytes:
    try:
        return zlib.compress(msgspec.json.encode(host))
    except UnicodeEncodeError:  # a lone surrogate, which has no UTF-8 form
        text = json.dumps(msgspec.to_builtins(host), ensure_ascii=False)
        return zlib.compress(text.encode("utf-8", "replace"))


def _host(name: str, item: Item | None, now: datetime) -> Host:
    if item is None:
        return Host(name, now, NEVER_AUDITED)
    try:
        data = zlib.decompressobj().decompress(item["evidence"], MAX_EXPANDED)
        return msgspec.json.decode(data, type=Host)
    except (KeyError, TypeError, zlib.error, msgspec.DecodeError) as error:
        log.warning("the stored audit of %s cannot be read: %s", name, error)
        return Host(name, now, "its stored audit is of another version of Padlock's, and the next one replaces it")
