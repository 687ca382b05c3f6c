"""The Results table: each run's outcome and, in the same transaction, the site's state and the alert of its change.

A run that found what the run before it did is one write of a small item:

    Put STATE#HEAD    if nobody wrote it since it was read, and this run's slot is later than the last applied one

Any other, and one each day, is one transaction of at most five, with these conditions:

    Put STATE#HEAD    likewise, or if it does not exist
    Put RUN#          if this run was not applied before
    Update STATE      if it does not exist, or nobody wrote it since it was read
    Put ALERT#        if nobody has this sequence number
    Put STATE#REPORT  where the report says something else than the one that is stored

Slots order runs: that of an earlier slot never overwrites that of a later one.
"""

import hashlib
import random
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from botocore.exceptions import ClientError

from padlock.changes import State
from padlock.findings import Report
from padlock.storage import _stored
from padlock.storage._items import Item, Marshalled, fitted, marshal, stamp
from padlock.storage._plain import unmarshal
from padlock.storage._rows import Run, counted, row_of
from padlock.storage._stored import HEAD, REPORT, STATE, Stored
from padlock.storage.outbox import Alert, alert_key, alert_number

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import ConditionCheckTypeDef, TransactWriteItemTypeDef, UpdateTypeDef

type Outcome = Literal["applied", "superseded", "duplicate", "conflict"]
"""`superseded`: a later run was applied first. `duplicate`: this run was applied before. `conflict`: the state was
written meanwhile, or the table was busy; read it and try again."""

UNDONE = "attribute_not_exists(sk) OR done <> :done"
"""The condition of a run's row: no run is applied twice."""
PASSING = ("ConditionalCheckFailedException", "TransactionConflictException")
"""Why one write is refused, where another one came first or is under way."""
ATTEMPTS = 8
"""How often an alert is written again where another one took its number."""
TROUBLE = ("failing", "failing_since")
CERTIFICATE = (
    "certificate_group",
    "certificate_expires",
    "certificate_host",
    "certificate_subject",
    "certificate_issuer",
)


class Results:
    """What was found of each site."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self.table = table

    def load(self, site: str) -> Stored:
        """Return a site's state; read consistently."""
        found = self._client.query(
            TableName=self.table,
            KeyConditionExpression="site = :s AND sk BETWEEN :first AND :last",
            ExpressionAttributeValues=marshal({":s": site, ":first": STATE, ":last": HEAD}),
            ConsistentRead=True,
        )
        return _stored.read(map(unmarshal, found["Items"]))

    def last_alert(self, site: str) -> int:
        """Return the number of a site's last alert, written or published; 0: there was none.

        The state has it too, but a state may have been removed or restored; a number is never given twice.
        """
        rows = self._query(
            "site = :s AND begins_with(sk, :k)",
            {":s": site, ":k": alert_key(None)},
            ScanIndexForward=False,
            ConsistentRead=True,
            PaginationConfig={"MaxItems": 1, "PageSize": 1},
        )
        cursor = self._get(site, "NOTIFY", "sent_seq") or {}
        return max([alert_number(row["sk"]) for row in rows] + [cursor.get("sent_seq", 0)])

    def apply(
        self, stored: Stored, run: Run, state: State, report: Report, alert: Alert | None, *, digest: bool = True
    ) -> Outcome:
        """Write the run, the state that it led to and its alert, all or nothing; the head, where all is as before.

        `digest`: whether the weekly digest may name the site.
        """
        if stored.applied_ticket == run.ticket:
            return "duplicate"
        if stored.applied_ticket > run.ticket:
            return self.keep(run, report, "superseded")
        told = _stored.fingerprint(report, digest=digest)
        if alert is None and stored.has(state, told):
            return self._repeat(stored, run, state, report)
        kept, shown = fitted(state, report)
        attributes = _stored.attributes(state, report, kept) | {"report_digest": told}
        row = row_of(run, report, "applied", alert.changed if alert else None, stored)
        head = _head(stored, run, state, report) | {"state_version": stored.version + 1, "row": run.key, "repeats": 0}
        writes: list[TransactWriteItemTypeDef] = [
            {"Put": self._put_head(stored, run, head)},
            {"Put": self._put(row, UNDONE, {":done": True})},
            {"Update": self._state_update(stored, run, state, attributes, alert, digest=digest)},
        ]
        if alert:
            writes.append({"Put": self._put(alert.item(), "attribute_not_exists(sk)")})
        if told != stored.report:
            item = {"site": run.site, "sk": REPORT, "report": shown}
            writes.append({"Put": {"TableName": self.table, "Item": marshal(item)}})
        return self._transact(writes)

    def _repeat(self, stored: Stored, run: Run, state: State, report: Report) -> Outcome:
        """Write that a run found all as it is stored."""
        same = {"state_version": stored.state_version, "row": stored.row, "repeats": stored.repeats + 1}
        head = _head(stored, run, state, report) | same
        try:
            self._client.put_item(**self._put_head(stored, run, head))
        except ClientError as error:
            if error.response["Error"]["Code"] in PASSING:
                return "conflict"
            raise
        return "applied"

    def announce(self, site: str, key: str, build: Callable[[int], Alert], expires: int) -> bool:
        """Write an alert that no run made, such as a digest, once for each key `RUN#…`; False where that one exists.

        `build` gets the alert's number. It is built again where another alert takes the number first, or the site's
        state changes meanwhile.
        """
        for attempt in range(ATTEMPTS):
            stored = self.load(site)
            seq = max(stored.seq, self.last_alert(site)) + 1
            alert = build(seq)
            row = {
                "site": site,
                "sk": key,
                "done": True,
                "kind": alert.kind,
                "summary": alert.subject,
                "ttl": expires,
            }
            row |= {"checked_at": stamp(alert.created_at)}
            writes: list[TransactWriteItemTypeDef] = [
                {"Put": self._put(alert.item(), "attribute_not_exists(sk)")},
                {"Put": self._put(row, UNDONE, {":done": True})},
                {"ConditionCheck": self._unchanged(site, stored.state_version)},
            ]
            outcome = self._transact(writes)
            if outcome != "conflict":
                return outcome == "applied"
            time.sleep(random.uniform(0, 0.02 * 2**attempt))  # noqa: S311 — spreads writers, hides nothing
        raise TimeoutError(f"{site}: other alerts took the next number {ATTEMPTS} times while {key} tried to")

    def _transact(self, writes: "list[TransactWriteItemTypeDef]") -> Outcome:
        """Write all or nothing."""
        # DynamoDB refuses a token that comes again with other contents, and answers one that comes again after a
        # lost answer as if it were the first.
        token = hashlib.sha256(msgspec.json.encode(writes)).hexdigest()[:36]
        try:
            self._client.transact_write_items(TransactItems=writes, ClientRequestToken=token)
        except ClientError as error:
            return _refusal(error)
        return "applied"

    def keep(self, run: Run, report: Report, kind: Literal["superseded", "on demand"]) -> Outcome:
        """Write a run's row only: history that neither moves the state nor alerts."""
        put = self._put(row_of(run, report, kind), UNDONE, {":done": True})
        try:
            self._client.put_item(**put)
        except self._client.exceptions.ConditionalCheckFailedException:
            return "duplicate"
        return "superseded" if kind == "superseded" else "applied"

    def state(self, site: str) -> Item | None:
        """Return a site's STATE item as of the latest run: status, summary, findings; with its report as `report`."""
        found = self._query("site = :s AND begins_with(sk, :k)", {":s": site, ":k": STATE}, ConsistentRead=True)
        items = {item["sk"]: item for item in found}
        if STATE not in items:
            return None
        item = _stored.merged(items[STATE], items.get(HEAD, {}))
        kept = items.get(REPORT, {}).get("report", {})
        # A report that says the same as the one before is not written again.
        return item | {"report": kept and kept | {"checked_at": item["checked_at"]}}

    def history(self, site: str) -> Iterator[Item]:
        """Yield a site's runs, newest first; `repeats` runs up to `until` found what a row says, and have none."""
        head = self._get(site, HEAD) or {}
        rows = self._query("site = :s AND begins_with(sk, :k)", {":s": site, ":k": "RUN#"}, ScanIndexForward=False)
        return counted(rows, head)

    def failing(self) -> Iterator[Item]:
        """Yield the sites with an open error, the longest failing first."""
        return self._query("failing = :f", {":f": "error"}, IndexName="failing")

    def certificates(self) -> Iterator[Item]:
        """Yield each site's certificate that expires first, the next to expire first."""
        return self._query("certificate_group = :g", {":g": "all"}, IndexName="certificates")

    def _state_update(
        self, stored: Stored, run: Run, state: State, attributes: Item, alert: Alert | None, *, digest: bool
    ) -> "UpdateTypeDef":
        values = attributes | {
            "version": stored.version + 1,
            "seq": alert.seq if alert else stored.seq,
            "applied_ticket": run.ticket,
        }
        removed = dict.fromkeys(TROUBLE)
        if state.status == "error" or (state.status == "warning" and digest):
            since = stored.failing_since if stored.failing == state.status else ""
            values |= {"failing": state.status, "failing_since": since or attributes["checked_at"]}
        if state.removed:
            removed |= dict.fromkeys(CERTIFICATE)
        if not digest:
            values["digest"] = "off"
        else:
            removed["digest"] = None
        removing = [name for name in removed if name not in values]
        setting = ", ".join(f"#{name} = :{name}" for name in values)
        names = {f"#{name}": name for name in (*values, *removing)}
        return {
            "TableName": self.table,
            "Key": _key(run.site, STATE),
            "UpdateExpression": f"SET {setting}"
            + (f" REMOVE {', '.join(f'#{name}' for name in removing)}" if removing else ""),
            "ConditionExpression": "attribute_not_exists(#version) OR #version = :read",
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": marshal({f":{name}": value for name, value in values.items()})
            | marshal({":read": stored.state_version}),
        }

    def _put_head(self, stored: Stored, run: Run, head: Item) -> Any:
        condition = "attribute_not_exists(#version) OR (#version = :read AND applied_ticket < :ticket)"
        put = self._put(head, condition, {":read": stored.head_version, ":ticket": run.ticket})
        return put | {"ExpressionAttributeNames": {"#version": "version"}}

    def _unchanged(self, site: str, version: int) -> "ConditionCheckTypeDef":
        check: ConditionCheckTypeDef = {
            "TableName": self.table,
            "Key": _key(site, STATE),
            "ConditionExpression": "attribute_not_exists(#version)",
            "ExpressionAttributeNames": {"#version": "version"},
        }
        if version:
            check["ConditionExpression"] = "#version = :read"
            check["ExpressionAttributeValues"] = marshal({":read": version})
        return check

    def _put(self, item: Mapping[str, Any], condition: str, values: Mapping[str, Any] | None = None) -> Any:
        put = {"TableName": self.table, "Item": marshal(item), "ConditionExpression": condition}
        return put | ({"ExpressionAttributeValues": marshal(values)} if values else {})

    def _get(self, site: str, key: str, *attributes: str) -> Item | None:
        projection: Any = {"ProjectionExpression": ", ".join(attributes)} if attributes else {}
        found = self._client.get_item(TableName=self.table, Key=_key(site, key), ConsistentRead=True, **projection)
        return unmarshal(found["Item"]) if "Item" in found else None

    def _query(self, condition: str, values: Mapping[str, Any], **options: Any) -> Iterator[Item]:
        pages = self._client.get_paginator("query").paginate(
            TableName=self.table,
            KeyConditionExpression=condition,
            ExpressionAttributeValues=marshal(values),
            **options,
        )
        for page in pages:
            yield from map(unmarshal, page["Items"])


def _head(stored: Stored, run: Run, state: State, report: Report) -> Item:
    return {
        "site": run.site,
        "sk": HEAD,
        "version": stored.version + 1,
        "applied_ticket": run.ticket,
        "checked_at": stamp(report.checked_at),
        "last_conclusive": _stored.conclusive(state),
    }


def _refusal(error: ClientError) -> Outcome:
    """Return why a transaction was cancelled; raises what is not about its conditions."""
    reasons = [reason.get("Code", "None") for reason in error.response.get("CancellationReasons", ())]
    if not reasons:
        raise error
    if reasons[1] == "ConditionalCheckFailed":
        return "duplicate"
    passing = {"None", "ConditionalCheckFailed", "TransactionConflict", "ThrottlingError"}
    if set(reasons) <= passing | {"ProvisionedThroughputExceeded"}:
        return "conflict"
    raise error


def _key(site: str, sort: str) -> Marshalled:
    return marshal({"site": site, "sk": sort})
