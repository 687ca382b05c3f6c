"""The Results table: each run's outcome and, in the same transaction, the site's state and the alert of its change.

`apply` is one transaction of at most three writes, each with its condition:

    Update STATE   if it does not exist, or nobody wrote it since it was read and this run's ticket is newer
    Put RUN#       if this run was not applied before
    Put ALERT#     if nobody has this sequence number

Tickets order runs without clocks: a run that started earlier never overwrites a later one.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from botocore.exceptions import ClientError

from padlock import record
from padlock.changes import Change, State
from padlock.findings import Finding, Report
from padlock.storage._items import (
    Item,
    Marshalled,
    fitted,
    marshal,
    open_findings,
    shown_labels,
    stamp,
    unmarshal,
)
from padlock.storage.outbox import Alert, alert_key, alert_number

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef, UpdateTypeDef

type Outcome = Literal["applied", "superseded", "duplicate", "conflict"]
"""`superseded`: a later run was applied first. `duplicate`: this run was applied before. `conflict`: the state was
written meanwhile, or the table was busy; read it and try again."""

DISPATCH = "#dispatch"
"""The partition that remembers the last tick; no host is named like this."""


class Run(msgspec.Struct, frozen=True):
    """One run's row of the history."""

    site: str
    key: str
    """RUN#<slot>, or RUN#<time>#<id> on demand."""
    ticket: int
    """0 for a run on demand, which stands outside the order."""
    seconds: float
    expires: int
    """Epoch seconds at which the row goes."""


class Stored(msgspec.Struct, frozen=True):
    """A site's state as it was read, with what the transaction needs."""

    state: State = State()
    version: int = 0
    seq: int = 0
    """Number of the last alert."""
    applied_ticket: int = 0
    failing_since: str = ""


class Results:
    """What was found of each site."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self.table = table

    def start_run(self, site: str) -> int:
        """Return the next ticket of a site."""
        answer = self._client.update_item(
            TableName=self.table,
            Key=_key(site, "TICKET"),
            UpdateExpression="ADD n :one",
            ExpressionAttributeValues=marshal({":one": 1}),
            ReturnValues="UPDATED_NEW",
        )
        return int(unmarshal(answer["Attributes"])["n"])

    def is_done(self, site: str, key: str) -> bool:
        """Return whether a run has its row, applied or superseded."""
        row = self._get(site, key, "done")
        return bool(row and row.get("done"))

    def load(self, site: str) -> Stored:
        """Return a site's state."""
        item = self._get(site, "STATE")
        if item is None:
            return Stored()
        last = item.get("last_conclusive")
        return Stored(
            State(open_findings(item.get("findings", ())), datetime.fromisoformat(last) if last else None),
            item["version"],
            item["seq"],
            item["applied_ticket"],
            item.get("failing_since", ""),
        )

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

    def apply(self, stored: Stored, run: Run, state: State, report: Report, alert: Alert | None) -> Outcome:
        """Write the run, the state that it led to and its alert, all or nothing."""
        if stored.applied_ticket >= run.ticket:
            self._catch_up(run.site, stored.applied_ticket)
            return self.keep(run, report, "superseded")
        row = _row(run, report, "applied", alert.change if alert else None)
        writes: list[TransactWriteItemTypeDef] = [
            {"Update": self._state_update(stored, run, state, report, alert)},
            {"Put": self._put(row, "attribute_not_exists(sk) OR done <> :done", {":done": True})},
        ]
        if alert:
            writes.append({"Put": self._put(alert.item(), "attribute_not_exists(sk)")})
        # All that may differ between two attempts is in the token: DynamoDB refuses one that comes again with other
        # contents, and answers one that comes again after a lost answer as if it were the first.
        attempt = f"{run.site}|{run.key}|{run.ticket}|{stored.version}|{alert.seq if alert else 0}"
        token = hashlib.sha256(attempt.encode()).hexdigest()[:36]
        try:
            self._client.transact_write_items(TransactItems=writes, ClientRequestToken=token)
        except ClientError as error:
            return _refusal(error)
        return "applied"

    def keep(self, run: Run, report: Report, kind: Literal["superseded", "on demand"]) -> Outcome:
        """Write a run's row only: history that neither moves the state nor alerts."""
        put = self._put(_row(run, report, kind), "attribute_not_exists(sk) OR done <> :done", {":done": True})
        try:
            self._client.put_item(**put)
        except self._client.exceptions.ConditionalCheckFailedException:
            return "duplicate"
        return "superseded" if kind == "superseded" else "applied"

    def state(self, site: str) -> Item | None:
        """Return a site's STATE item: status, summary, findings, the latest report."""
        return self._get(site, "STATE")

    def history(self, site: str) -> Iterator[Item]:
        """Yield a site's runs, newest first."""
        return self._query("site = :s AND begins_with(sk, :k)", {":s": site, ":k": "RUN#"}, ScanIndexForward=False)

    def failing(self) -> Iterator[Item]:
        """Yield the sites with an open error, the longest failing first."""
        return self._query("failing = :f", {":f": "error"}, IndexName="failing")

    def certificates(self) -> Iterator[Item]:
        """Yield each site's certificate that expires first, the next to expire first."""
        return self._query("certificate_group = :g", {":g": "all"}, IndexName="certificates")

    def last_tick(self) -> tuple[datetime, datetime | None] | None:
        """Return the last tick that was dispatched in full, and the one before it."""
        item = self._get(DISPATCH, "TICK")
        if item is None:
            return None
        since = item.get("since")
        return datetime.fromisoformat(item["at"]), datetime.fromisoformat(since) if since else None

    def save_tick(self, at: datetime, since: datetime | None) -> None:
        """Remember a tick as dispatched in full; an older one than the one remembered is left out."""
        item = {"site": DISPATCH, "sk": "TICK", "at": stamp(at), "since": stamp(since) if since else None}
        put = self._put(item, "attribute_not_exists(sk) OR #at < :at", {":at": stamp(at)})
        try:
            self._client.put_item(**put, ExpressionAttributeNames={"#at": "at"})
        except self._client.exceptions.ConditionalCheckFailedException:
            return

    def _state_update(
        self, stored: Stored, run: Run, state: State, report: Report, alert: Alert | None
    ) -> "UpdateTypeDef":
        failing = state.status == "error"
        values = _state_attributes(state, report) | {
            "version": stored.version + 1,
            "seq": alert.seq if alert else stored.seq,
            "applied_ticket": run.ticket,
        }
        if failing:
            values |= {"failing": "error", "failing_since": stored.failing_since or stamp(report.checked_at)}
        setting = ", ".join(f"#{name} = :{name}" for name in values)
        removing = "" if failing else " REMOVE #failing, #failing_since"
        names = {f"#{name}": name for name in (*values, "failing", "failing_since")}
        return {
            "TableName": self.table,
            "Key": _key(run.site, "STATE"),
            "UpdateExpression": f"SET {setting}{removing}",
            "ConditionExpression": "attribute_not_exists(#version)"
            " OR (#version = :read AND #applied_ticket < :ticket)",
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": marshal({f":{name}": value for name, value in values.items()})
            | marshal({":read": stored.version, ":ticket": run.ticket}),
        }

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

    def _catch_up(self, site: str, applied: int) -> None:
        """Move a counter of tickets that was lost behind the last applied one; else every run would be superseded."""
        try:
            self._client.update_item(
                TableName=self.table,
                Key=_key(site, "TICKET"),
                UpdateExpression="SET n = :applied",
                ConditionExpression="n < :applied",
                ExpressionAttributeValues=marshal({":applied": applied}),
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return


def _summary(findings: Sequence[Finding]) -> str:
    """Return findings in one line: the worst, and how many more there are."""
    if not findings:
        return "nothing found"
    first, rest = findings[0], len(findings) - 1
    return f"{first.summary or first.code}: {first.subject}" + (f", and {rest} more" if rest else "")


def _state_attributes(state: State, report: Report) -> Item:
    findings, shown = fitted(state, report)
    attributes: Item = {
        "status": state.status,
        "summary": "not seen yet" if state.status == "inconclusive" else _summary(state.findings),
        "open": state.counts,
        "findings": findings,
        "report": shown,
        "checked_at": stamp(report.checked_at),
        "last_conclusive": stamp(state.last_conclusive) if state.last_conclusive else None,
    }
    if report.certificates:
        # Where none was seen the former one stays: a site that is down keeps its place in the list by expiry.
        first = report.certificates[0]
        attributes |= {
            "certificate_group": "all",
            "certificate_expires": stamp(first.not_after),
            "certificate_host": first.host,
            "certificate_subject": first.subject[:300],
            "certificate_issuer": first.issuer[:300],
        }
    return attributes


def _row(run: Run, report: Report, kind: str, change: Change | None = None) -> Item:
    opened = (*change.opened, *change.worsened) if change else ()
    return ({"record": record.pack(report)} if report.checklist else {}) | {
        "site": run.site,
        "sk": run.key,
        "done": True,
        "kind": kind,
        "ticket": run.ticket,
        "checked_at": stamp(report.checked_at),
        "status": report.status,
        "summary": _row_summary(report),
        "findings": [finding.code for finding in report.findings[:100]],
        "opened": shown_labels(opened),
        "resolved": shown_labels(change.resolved if change else ()),
        "seconds": run.seconds,
        "ttl": run.expires,
    }


def _row_summary(report: Report) -> str:
    if report.status == "inconclusive":
        return report.not_assessed[0].reason[:300] if report.not_assessed else "nothing could be seen"
    return _summary(report.findings)[:500]


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
