"""The Results table: each run's outcome and, in the same transaction, the site's state and the alert of its change.

`apply` is one transaction of at most four writes, all but the last with a condition:

    Update STATE   if it does not exist, or nobody wrote it since it was read and this run's ticket is newer
    Put RUN#       if this run was not applied before
    Put ALERT#     if nobody has this sequence number
    Put STATE#REPORT  where the report says something else than the one that is stored, and once a day

Tickets order runs without clocks: a run that started earlier never overwrites a later one.
"""

import hashlib
import json
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from botocore.exceptions import ClientError

from padlock import record
from padlock.changes import State
from padlock.findings import Finding, Report
from padlock.storage._items import Item, Marshalled, fitted, marshal, stamp, state_of
from padlock.storage._plain import unmarshal
from padlock.storage.outbox import Alert, alert_key, alert_number

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import ConditionCheckTypeDef, TransactWriteItemTypeDef, UpdateTypeDef

type Outcome = Literal["applied", "superseded", "duplicate", "conflict"]
"""`superseded`: a later run was applied first. `duplicate`: this run was applied before. `conflict`: the state was
written meanwhile, or the table was busy; read it and try again."""

UNDONE = "attribute_not_exists(sk) OR done <> :done"
"""The condition of a run's row: no run is applied twice."""
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
    failing: str = ""
    """The site's place in the list of those in trouble, `error` or `warning`; empty: it has none."""
    failing_since: str = ""
    report: str = ""
    """What tells the stored report from others."""


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
        return Stored(
            state_of(item),
            item["version"],
            item["seq"],
            item["applied_ticket"],
            item.get("failing", ""),
            item.get("failing_since", ""),
            item.get("report_digest", ""),
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

    def apply(
        self, stored: Stored, run: Run, state: State, report: Report, alert: Alert | None, *, digest: bool = True
    ) -> Outcome:
        """Write the run, the state that it led to and its alert, all or nothing.

        `digest`: whether the weekly digest may name the site.
        """
        if stored.applied_ticket >= run.ticket:
            self.catch_up(run.site, stored.applied_ticket)
            return self.keep(run, report, "superseded")
        row = _row(run, report, "applied", alert.changed if alert else None)
        kept, shown = fitted(state, report)
        told = digest_of(shown)
        attributes = _state_attributes(state, report, kept) | {"report_digest": told}
        writes: list[TransactWriteItemTypeDef] = [
            {"Update": self._state_update(stored, run, state, attributes, alert, digest=digest)},
            {"Put": self._put(row, UNDONE, {":done": True})},
        ]
        if alert:
            writes.append({"Put": self._put(alert.item(), "attribute_not_exists(sk)")})
        if told != stored.report:
            item = {"site": run.site, "sk": "STATE#REPORT", "report": shown}
            writes.append({"Put": {"TableName": self.table, "Item": marshal(item)}})
        # All that may differ between two attempts is in the token: DynamoDB refuses one that comes again with other
        # contents, and answers one that comes again after a lost answer as if it were the first.
        return self._transact(writes, run.site, run.key, run.ticket, stored.version, alert.seq if alert else 0)

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
                {"ConditionCheck": self._unchanged(site, stored.version)},
            ]
            outcome = self._transact(writes, site, key, seq, stored.version)
            if outcome != "conflict":
                return outcome == "applied"
            time.sleep(random.uniform(0, 0.02 * 2**attempt))  # noqa: S311 — spreads writers, hides nothing
        raise TimeoutError(f"{site}: other alerts took the next number {ATTEMPTS} times while {key} tried to")

    def _transact(self, writes: "list[TransactWriteItemTypeDef]", *attempt: object) -> Outcome:
        """Write all or nothing; `attempt` is what tells this attempt from every other."""
        token = hashlib.sha256("|".join(map(str, attempt)).encode()).hexdigest()[:36]
        try:
            self._client.transact_write_items(TransactItems=writes, ClientRequestToken=token)
        except ClientError as error:
            return _refusal(error)
        return "applied"

    def keep(self, run: Run, report: Report, kind: Literal["superseded", "on demand"]) -> Outcome:
        """Write a run's row only: history that neither moves the state nor alerts."""
        put = self._put(_row(run, report, kind), UNDONE, {":done": True})
        try:
            self._client.put_item(**put)
        except self._client.exceptions.ConditionalCheckFailedException:
            return "duplicate"
        return "superseded" if kind == "superseded" else "applied"

    def state(self, site: str) -> Item | None:
        """Return a site's STATE item: status, summary, findings; with the latest report as `report`."""
        found = self._query("site = :s AND begins_with(sk, :k)", {":s": site, ":k": "STATE"}, ConsistentRead=True)
        items = {item["sk"]: item for item in found}
        item = items.get("STATE")
        if item is None:
            return None
        kept = items.get("STATE#REPORT", {}).get("report", {})
        # A report that says the same as the one before is not written again.
        return item | {"report": kept and kept | {"checked_at": item["checked_at"]}}

    def history(self, site: str) -> Iterator[Item]:
        """Yield a site's runs, newest first."""
        return self._query("site = :s AND begins_with(sk, :k)", {":s": site, ":k": "RUN#"}, ScanIndexForward=False)

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
            "Key": _key(run.site, "STATE"),
            "UpdateExpression": f"SET {setting}"
            + (f" REMOVE {', '.join(f'#{name}' for name in removing)}" if removing else ""),
            "ConditionExpression": "attribute_not_exists(#version)"
            " OR (#version = :read AND #applied_ticket < :ticket)",
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": marshal({f":{name}": value for name, value in values.items()})
            | marshal({":read": stored.version, ":ticket": run.ticket}),
        }

    def _unchanged(self, site: str, version: int) -> "ConditionCheckTypeDef":
        check: ConditionCheckTypeDef = {
            "TableName": self.table,
            "Key": _key(site, "STATE"),
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

    def catch_up(self, site: str, applied: int) -> None:
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


def digest_of(shown: Item) -> str:
    """Return what tells a report from others: all that it says but its time of day and how long its look took."""
    said = {name: value for name, value in shown.items() if name not in ("checked_at", "timings")}
    day = str(shown.get("checked_at", ""))[:10]
    return hashlib.sha256(json.dumps([day, said], sort_keys=True).encode("ascii")).hexdigest()[:16]


def _state_attributes(state: State, report: Report, kept: Item) -> Item:
    attributes: Item = kept | {
        "status": "removed" if state.removed else state.status,
        "summary": _state_summary(state),
        "open": state.counts,
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


def _state_summary(state: State) -> str:
    if state.removed:
        return "no longer declared"
    return "not seen yet" if state.status == "inconclusive" else _summary(state.findings)


def _row(run: Run, report: Report, kind: str, changed: Mapping[str, Sequence[str]] | None = None) -> Item:
    changed = changed or {}
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
        "opened": [*changed.get("opened", ()), *changed.get("worsened", ())],
        "resolved": list(changed.get("resolved", ())),
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
