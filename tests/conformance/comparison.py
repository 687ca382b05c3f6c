"""Verdicts beside Padlock's: what agrees, what differs for a known reason, and what must not be."""

from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from tests.conformance.case import PEERS, Case, Opinion, Peer, Verdict

CANNOT_WARN = ("curl", "openssl")
"""Peers that take a page or leave it."""


class Row(msgspec.Struct, frozen=True):
    """One case with everybody's verdict."""

    case: Case
    ours: Verdict
    theirs: Mapping[Peer, Verdict]


class Difference(msgspec.Struct, frozen=True):
    """A peer that does not agree with Padlock, or one whose reason to differ is gone."""

    case: str
    peer: str
    text: str
    wrong: bool
    """It fails the run: nobody knows why, it is not there any more, or a browser refuses what Padlock passes."""


def agree(ours: Opinion, theirs: Opinion, peer: Peer) -> bool:
    """Whether two opinions are the same, as far as a peer can say."""
    if peer in CANNOT_WARN:
        return (ours == "refuses") == (theirs == "refuses")
    return ours == theirs


def differences(row: Row) -> list[Difference]:
    """Return where one case's verdicts differ, and which reasons are stale."""
    found: list[Difference] = []
    for peer, verdict in row.theirs.items():
        reason = row.case.reasons.get(peer, "")
        same = agree(row.ours.opinion, verdict.opinion, peer)
        said = f"Padlock {told(row.ours)}; {peer} {told(verdict)}"
        if same and reason:
            found.append(
                Difference(row.case.name, peer, f"{said}: agreed, so the reason is stale: {reason}", wrong=True)
            )
        elif not same and peer == "chromium" and verdict.opinion == "refuses":
            found.append(
                Difference(row.case.name, peer, f"{said}: the browser refuses what Padlock passes", wrong=True)
            )
        elif not same:
            why = reason or "DIFFERENT, and no reason is known"
            found.append(Difference(row.case.name, peer, f"{said}: {why}", wrong=not reason))
    asked = set(row.theirs)
    unasked = [peer for peer in row.case.reasons if peer not in asked]
    return found + [Difference(row.case.name, peer, "has a reason, but is not asked", wrong=True) for peer in unasked]


def told(verdict: Verdict) -> str:
    """Return a verdict in words."""
    return f"{verdict.opinion} ({verdict.why})" if verdict.why else verdict.opinion


def agreement(rows: Sequence[Row]) -> dict[Peer, tuple[int, int]]:
    """Return peer → (cases that it agrees on, cases that it was asked)."""
    counts: dict[Peer, tuple[int, int]] = {}
    for peer in PEERS:
        asked = [row for row in rows if peer in row.theirs]
        same = [row for row in asked if agree(row.ours.opinion, row.theirs[peer].opinion, peer)]
        if asked:
            counts[peer] = len(same), len(asked)
    return counts


def table(rows: Sequence[Row]) -> list[tuple[str, ...]]:
    """Return heading and lines: case, what Padlock finds, its opinion, the peers'; `*` marks a difference."""
    lines: list[tuple[str, ...]] = [("case", "Padlock finds", "Padlock", *PEERS)]
    for row in rows:
        cells = [_cell(row, peer) for peer in PEERS]
        lines.append((row.case.name, row.ours.why or "-", row.ours.opinion, *cells))
    return lines


def _cell(row: Row, peer: Peer) -> str:
    verdict = row.theirs.get(peer)
    if verdict is None:
        return "-"
    return verdict.opinion if agree(row.ours.opinion, verdict.opinion, peer) else f"{verdict.opinion} *"


def as_text(lines: Iterable[tuple[str, ...]]) -> str:
    """Return a table for a terminal."""
    return _laid(lines, lambda cells: "  ".join(cells).rstrip())


def as_markdown(lines: Sequence[tuple[str, ...]]) -> str:
    """Return a table in Markdown."""
    rule = tuple("---" for _ in lines[0])
    escaped = [tuple(cell.replace("|", "\\|") for cell in line) for line in (lines[0], rule, *lines[1:])]
    return "\n".join("| " + " | ".join(line) + " |" for line in escaped)


def _laid(lines: Iterable[tuple[str, ...]], join: Callable[[list[str]], str]) -> str:
    kept = list(lines)
    widths = [max(len(line[column]) for line in kept) for column in range(len(kept[0]))]
    padded = ([cell.ljust(width) for cell, width in zip(line, widths, strict=True)] for line in kept)
    return "\n".join(map(join, padded))
