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
"""Findings that a list of them names, and octets of a name."""
TEXTS = ("observed", "expected", "impact", "remediation", "reference", "summary")
"""Of a finding: what it says, beside what it is."""

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
    # The state's findings stand beside the report: a second copy of their texts would be written with every run.
    whole: Item = msgspec.to_builtins(report) | {"findings": list(map(label, report.findings))}
    for characters, entries in CAPS:
        minor, short = min(entries, MAX_MINOR), min(characters, MAX_SUBJECT)
        # What an alert told of and is over must be told, however much it is; what is suspected is seen again.
        kept = stored | {
            "findings": _kept(stored["findings"], characters, entries),
            "over": _kept(stored["over"], short, minor),
            "pending": _kept(stored["pending"][:minor], short, minor),
        }
        shown = _cut(_cut_lists(whole, entries) | {"site": report.site}, characters, entries)
        if _size(kept) + _size(shown) <= MAX_ITEM:
            return kept, shown
    least = {"status": report.status, "cut": {name: len(stored[name]) for name in ("findings", "over", "pending")}}
    kept = stored | {"findings": [], "over": [], "pending": []}
    room = MAX_ITEM - _size(kept)
    for name in ("findings", "over"):
        keys = [_key_only(finding) for finding in stored[name]]
        kept[name] = keys[: room // max(map(_size, keys), default=1)]
        room -= sum(map(_size, kept[name]))
    return kept, least


def shown_labels(findings: Sequence[Finding]) -> list[str]:
    """Return what findings are about, one short line each, as many as are looked at."""
    return list(map(label, findings[:MAX_LABELS]))


def label(finding: Finding) -> str:
    """Return what a finding is about, in one line of bounded length."""
    octets = finding.label.encode("utf-8", "replace")
    if len(octets) <= MAX_LABEL:
        return octets.decode()
    return octets[: MAX_LABEL - 3].decode("utf-8", "ignore") + "…"


def state_of(item: Item) -> State:
    """Return the state that a STATE item holds."""
    return msgspec.convert({name: item[name] for name in State.__struct_fields__ if name in item}, State)


def _kept(findings: Sequence[Item], characters: int, entries: int) -> list[Item]:
    """Return so many findings with their texts, and of the others what tells them apart."""
    whole = [_cut(finding, characters, entries) for finding in findings[:entries]]
    return whole + [_key_only(finding) for finding in findings[entries:]]


def _key_only(finding: Item) -> Item:
    kept = {
        name: finding[name]
        for name in ("code", "severity", "subject", "step", "since", "told", "bad", "good", "ended")
    }
    return dict.fromkeys(TEXTS, "") | kept


def _cut_lists(report: Item, entries: int) -> Item:
    lists = {name: value for name, value in report.items() if isinstance(value, (list, tuple))}
    long = {name: len(value) for name, value in lists.items() if len(value) > entries}
    return report | {name: report[name][:entries] for name in long} | ({"cut": long} if long else {})


def _cut(value: Any, characters: int, entries: int) -> Any:
    """Return a copy with every text cut, and every list of texts; slicing a str never splits a code point."""
    if isinstance(value, str):
        return value if len(value) <= characters else f"{value[:characters]}… (cut, {len(value)} characters)"
    if isinstance(value, (list, tuple)):
        long = len(value) > entries and isinstance(value[0], str)
        kept = [_cut(entry, characters, entries) for entry in (value[:entries] if long else value)]
        return [*kept, f"… (cut, {len(value)} entries)"] if long else kept
    if isinstance(value, dict):
        return {
            name: _commands(entry, characters, entries) if name == "commands" else _cut(entry, characters, entries)
            for name, entry in value.items()
        }
    return value


def _commands(lines: Sequence[str], characters: int, entries: int) -> list[str]:
    """Return lines that are run as root, all of them or none: half of them would do something else."""
    return list(lines) if len(lines) <= entries and all(len(line) <= characters for line in lines) else []


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
