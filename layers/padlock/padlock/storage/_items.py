"""Python values ↔ DynamoDB items, bounded so that every item stays under DynamoDB's limit of 400 KB."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec
from boto3.dynamodb.types import TypeSerializer

from padlock.changes import MAX_SUBJECT, State
from padlock.findings import Finding, Report

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

type Item = dict[str, Any]
"""An item as plain Python values."""
type Marshalled = "dict[str, AttributeValueTypeDef]"
"""An item as DynamoDB's API takes and gives it."""

MAX_ITEM = 300_000
"""Octets of an item that are written; DynamoDB's own limit is 409,600, names of attributes included."""
CAPS = ((4000, 500), (800, 200), (MAX_SUBJECT, 50), (MAX_SUBJECT, 10))
"""Characters of one text and entries of one list that are kept; the next pair where an item is still too large.
No text is cut shorter than a subject, which is part of a finding's key."""

MAX_MINOR = 50
"""Suspected findings that are kept, and findings that are over that keep their texts."""
MAX_LABELS, MAX_LABEL = 50, 400
"""Findings that a list of them names, and characters of a name."""

_serialize = TypeSerializer().serialize


def marshal(item: Mapping[str, Any]) -> Marshalled:
    """Return an item in DynamoDB's form; ValueError for a number that it cannot hold."""
    try:
        return {name: _serialize(_storable(value)) for name, value in item.items()}
    except ArithmeticError as error:
        raise ValueError("a number has more than 38 digits, or is out of DynamoDB's range") from error


def stamp(moment: datetime) -> str:
    """Return a time as it stands in items and keys: UTC, whole seconds, `2026-11-20T17:05:00Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def fitted(state: State, report: Report) -> tuple[Item, Item]:
    """Return the state and the report as they are stored, cut until both fit into one item.

    What was cut is marked: a text by `… (cut, N characters)`, lists by the report's map `cut` that has their lengths.
    Every open finding keeps its key, severity, since and what was told of it; losing one would alert it anew.
    """
    stored: Item = msgspec.to_builtins(state)
    pending, over = ([_cut(finding, MAX_SUBJECT) for finding in stored[name]] for name in ("pending", "over"))
    # What an alert told of and is over must be told, however much it is; what is suspected is seen again.
    over = over[:MAX_MINOR] + [_key_only(finding) for finding in over[MAX_MINOR:]]
    stored |= {"pending": pending[:MAX_MINOR], "over": over}
    findings: list[Item] = stored["findings"]
    # The state's findings stand beside the report: a second copy of their texts would be written with every run.
    whole: Item = msgspec.to_builtins(report) | {
        "findings": [finding.label[:MAX_LABEL] for finding in report.findings]
    }
    for characters, entries in CAPS:
        kept = [_cut(finding, characters) for finding in findings[:entries]]
        kept += [_key_only(finding) for finding in findings[entries:]]
        shown = _cut_lists(whole, entries) | {"site": report.site}
        shown = _cut(shown, characters)
        if _size(stored | {"findings": kept}) + _size(shown) <= MAX_ITEM:
            return stored | {"findings": kept}, shown
    keys = [_key_only(finding) for finding in findings]
    room = MAX_ITEM - _size(stored | {"findings": []})
    return stored | {"findings": keys[: max(room, 0) // max(map(_size, keys), default=1)]}, {
        "status": report.status,
        "cut": {"findings": len(findings)},
    }


def shown_labels(findings: Sequence[Finding]) -> list[str]:
    """Return what findings are about, one short line each, as many as are looked at."""
    return [finding.label[:MAX_LABEL] for finding in findings[:MAX_LABELS]]


def state_of(item: Item) -> State:
    """Return the state that a STATE item holds."""
    return msgspec.convert({name: item[name] for name in State.__struct_fields__ if name in item}, State)


def _key_only(finding: Item) -> Item:
    kept = {
        name: finding[name]
        for name in ("code", "severity", "subject", "step", "since", "told", "bad", "good", "ended")
    }
    return dict.fromkeys(("observed", "expected", "impact", "remediation", "reference", "summary"), "") | kept


def _cut_lists(report: Item, entries: int) -> Item:
    lists = {name: value for name, value in report.items() if isinstance(value, (list, tuple))}
    long = {name: len(value) for name, value in lists.items() if len(value) > entries}
    return report | {name: report[name][:entries] for name in long} | ({"cut": long} if long else {})


def _cut(value: Any, characters: int) -> Any:
    """Return a copy with every text cut; slicing a str never splits a code point."""
    if isinstance(value, str):
        return value if len(value) <= characters else f"{value[:characters]}… (cut, {len(value)} characters)"
    if isinstance(value, (list, tuple)):
        return [_cut(entry, characters) for entry in value]
    if isinstance(value, dict):
        return {name: _cut(entry, characters) for name, entry in value.items()}
    return value


def _size(value: Any) -> int:
    return len(json.dumps(_clean(value), ensure_ascii=False).encode())


def _clean(value: Any) -> Any:
    """Return the value with lone surrogates replaced: they have no UTF-8 form, so no request could carry them."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "replace").decode()
    if isinstance(value, Mapping):
        return {_clean(str(name)): _clean(entry) for name, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_clean(entry) for entry in value]
    return value


def _storable(value: Any) -> Any:
    """Return the value with the types that DynamoDB has: no float, no tuple, no lone surrogate."""
    if isinstance(value, float):
        return Decimal(repr(round(value, 6)))
    if isinstance(value, Mapping):
        return {name: _storable(entry) for name, entry in _clean(value).items()}
    if isinstance(value, (list, tuple)):
        return [_storable(entry) for entry in value]
    return _clean(value)
