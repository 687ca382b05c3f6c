"""What the stack stores of a site's last check → the report that it was, for its page."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from padlock.findings import Finding, Report

LONGEST_LABEL = 390
"""Octets of a finding's label above which the stored one may be cut."""


def report_of(item: Mapping[str, Any]) -> Report | None:
    """Return the report of a site's stored state, given with its report as `padlock.storage.Results.state` gives it.

    A stored report names its findings; their texts stand in the state beside it, where they stood open or suspected.
    None where nothing, or too little, is stored, as of a site with more findings than an item holds.
    """
    kept = item.get("report") or {}
    try:
        known = msgspec.convert([*item.get("findings", ()), *item.get("pending", ())], list[Finding])
        named = _named(known, kept["findings"])
        return msgspec.convert({**kept, "findings": msgspec.to_builtins(named)}, Report, strict=False)
    except (KeyError, msgspec.ValidationError):
        return None


def _named(known: Sequence[Finding], labels: Sequence[str]) -> list[Finding]:
    """Return the findings that the report names, the worst first, each in the report's order."""
    order = {label: number for number, label in enumerate(labels)}
    named = [f for f in known if f.label in order or len(f.label.encode("utf-8", "replace")) > LONGEST_LABEL]
    return sorted(named, key=lambda finding: (finding.severity.rank, order.get(finding.label, len(order))))
