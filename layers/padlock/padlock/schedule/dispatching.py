"""One tick: the Sites table read in parallel segments, and the sites that are due sent to the queue.

How far each segment came is remembered after every page, so that a tick that was broken off, by a crash or for want
of time, goes on from there when it comes again, and one that was dispatched in full does nothing. What is sent twice
nevertheless carries the same slot, and a run of a slot is made once.

Names of the table that mean the same site, as Example.com and example.com do, are one site, declared under the name
in its normal form, else under the first of the others: two declarations would contradict each other from run to run.
Rows under other forms are left for the end, since no segment knows of the others' rows; so are the parameter's names,
and rows that declare nothing, which keep what is acknowledged of those. Such a row also remembers, for whoever asks
for a site by its normal name, under which other form it is declared.
"""

import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from itertools import batched, repeat
from typing import Any

import msgspec

from padlock.schedule.due import Tick, interval_of, is_due, is_new
from padlock.schedule.queue import SENDERS, Queue, body_of
from padlock.schedule.removed import left, names_of
from padlock.site import host_name, key_of
from padlock.storage import Sites, stamp
from padlock.storage.sites import ELSEWHERE, SEGMENTS, declares
from padlock.storage.ticks import LastTick, Progress, Ticks

PAGE = 250
"""Rows between two notes of how far a segment came."""
SITES_OF_A_SEGMENT = 1000
"""Sites for which one segment more is worth its notes."""
MAX_NEW = 2000
"""New sites that one tick takes in beside those that are due; the next tick goes on."""
RESERVE = 10.0
"""Seconds before the function's end at which no further page is begun."""
KEPT = 86400
"""Seconds for which the notes of a tick are kept: a tick comes again within minutes, or never."""

type Remaining = Callable[[], float]
"""Tells how many seconds the function has left."""

log = logging.getLogger(__name__)


class Dispatched(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one tick did."""

    slot: str
    sites: int
    """Declared, right or wrong, as far as they were read."""
    due: int
    """Of the whole tick; 0 where it had been dispatched before."""
    sent: int
    """Now; a tick that comes again sends what was left."""
    failed: int
    unfinished: int = 0
    """Parts of the table that were left for want of time; the tick must come again."""


def tick(last: LastTick | None, at: datetime) -> Tick | None:
    """Return the tick at this time, given the last one; None where that one or a later one has covered it."""
    if last is None:
        return Tick(at, None)
    return Tick(at, last.at) if at > last.at else None


def previous(ticks: Ticks, at: datetime) -> str | None:
    """Return the slot before that of a tick that is the last one dispatched in full; None where there is none."""
    last = ticks.last()
    return stamp(last.since) if last and last.at == at and last.since else None


def dispatch(
    ticks: Ticks,
    sites: Sites,
    parameter: str,
    queue: Queue,
    at: datetime,
    remaining: Remaining,
) -> Dispatched:
    """Send the sites that are due, as far as the remaining time (seconds) allows.

    The tick is remembered only once all of them are sent.
    """
    last = ticks.last()
    current = tick(last, at)
    slot = stamp(at)
    if current is None:
        return Dispatched(slot, 0, 0, 0, 0)
    run = _Run(ticks, sites, queue, current, _segments(last), remaining)
    sent_before = run.due
    failed = run.segments() or run.rest(parameter)
    if not failed and not run.unfinished:
        failed = len(queue.send(left(last.parameter if last else None, sites, parameter, slot)))
    if not failed and not run.unfinished:
        names = tuple(names_of(parameter).values())
        ticks.save(LastTick(current.at, current.since, run.sites, names))
    return Dispatched(slot, run.sites, run.due + failed, run.due - sent_before, failed, run.unfinished)


def _segments(last: LastTick | None) -> int:
    """Return into how many segments the table is worth to be divided; the same for a tick that comes again."""
    if last is None or last.sites is None:
        return SEGMENTS
    return min(SEGMENTS, 1 + last.sites // SITES_OF_A_SEGMENT)


class _Run:
    """A tick under way."""

    def __init__(
        self, ticks: Ticks, sites: Sites, queue: Queue, current: Tick, segments: int, remaining: Remaining
    ) -> None:
        self._ticks, self._table, self._queue = ticks, sites, queue
        self._current, self._slot = current, stamp(current.at)
        self._remaining = remaining
        self._count = segments
        self._progress = list(ticks.progress(self._slot, segments))
        self._lock = threading.Lock()
        self._room = MAX_NEW - sum(part.new for part in self._progress)

    @property
    def sites(self) -> int:
        return sum(part.sites for part in self._progress)

    @property
    def due(self) -> int:
        return sum(part.due for part in self._progress)

    @property
    def unfinished(self) -> int:
        return sum(not part.done for part in self._progress)

    def segments(self) -> int:
        """Work through every segment, all at the same time, and return how many sites the queue refused."""
        with ThreadPoolExecutor(self._count) as pool:
            return sum(pool.map(self._segment, range(self._count)))

    def rest(self, parameter: str) -> int:
        """Work through what no segment can judge alone; return how many sites the queue refused."""
        last = self._count
        if self.unfinished > 1 or self._progress[last].done:
            return 0
        others = self._others() if any(part.other for part in self._progress) else {}
        bare = names_of(parameter)
        # In a fixed order, so that a tick that comes again can go on.
        keys = sorted(key for key in others.keys() | bare.keys() if key > (self._progress[last].after or ""))
        for some in batched(keys, PAGE, strict=False):
            if self._is_late():
                return 0
            read = list(self._judged(some, others, bare))
            if refused := self._send(last, read, Progress(some[-1], some[-1] == keys[-1])):
                return refused
        self._progress[last] = msgspec.structs.replace(self._progress[last], done=True)
        return 0

    def _segment(self, number: int) -> int:
        """Work through one segment, page by page, from where it was left."""
        while not self._progress[number].done and not self._is_late():
            page = self._table.page(number, self._count, self._progress[number].after, PAGE)
            read = [(key_of(row), row) for row in page.rows if declares(row)]
            normal = [(key, row) for key, row in read if row["name"] == key]
            reached = Progress(page.after, page.after is None, other=len(read) - len(normal))
            if refused := self._send(number, normal, reached):
                return refused
        return 0

    def _send(self, number: int, read: Sequence[tuple[str, Any]], reached: Progress) -> int:
        """Send what is due of sites and note how far that is; where the queue refuses any it is not."""
        new = self._taken_in([key for key, row in read if is_new(row)])
        due = [(key, row) for key, row in read if key in new or is_due(key, interval_of(row), self._current)]
        refused = len(self._queue.send(body_of(key, row, self._slot) for key, row in due))
        if refused:
            return refused
        if new:
            marked = [row["name"] for key, row in due if key in new]
            with ThreadPoolExecutor(SENDERS) as pool:
                list(pool.map(self._table.mark, marked, repeat(self._slot)))
        before = self._progress[number]
        self._note(
            number,
            msgspec.structs.replace(
                reached,
                sites=before.sites + len(read),
                due=before.due + len(due),
                new=before.new + len(new),
                other=before.other + reached.other,
            ),
        )
        return 0

    def _taken_in(self, keys: Sequence[str]) -> set[str]:
        """Return as many of the new sites as there is room for."""
        with self._lock:
            taken = set(keys[: max(self._room, 0)])
            self._room -= len(taken)
        return taken

    def _note(self, number: int, progress: Progress) -> None:
        self._ticks.advance(self._slot, self._count, number, progress, int(self._current.at.timestamp()) + KEPT)
        self._progress[number] = progress

    def _is_late(self) -> bool:
        return self._remaining() < RESERVE

    def _others(self) -> dict[str, str]:
        """Return key → name of the rows whose name is not in its normal form, one of each site."""
        others: dict[str, str] = {}
        for name in sorted(self._table.names(lambda name: key_of(name) != name)):
            if others.setdefault(key_of(name), name) != name:
                _leave_out(name, key_of(name))
        return others

    def _judged(
        self, keys: Sequence[str], others: Mapping[str, str], bare: Mapping[str, str]
    ) -> Iterator[tuple[str, Any]]:
        """Yield (key, row or bare name) of the sites that no segment has sent."""
        rows = self._table.get_many([*keys, *(others[key] for key in keys if key in others)])
        self._point({key: others[key] for key in keys if others.get(key) in rows}, rows)
        for key in keys:
            if key in rows and declares(rows[key]):
                if key in others:
                    _leave_out(others[key], key)
            elif others.get(key) in rows:
                yield key, rows[others[key]]
            elif key in bare:
                yield key, rows.get(key, bare[key])

    def _point(self, spelled: Mapping[str, str], rows: Mapping[str, Any]) -> None:
        """Note under the normal names of sites how those that declare them are spelled, where that is not known."""
        unknown = {
            key: name
            for key, name in spelled.items()
            if _is_host(key) and (key not in rows or rows[key].get(ELSEWHERE, name) != name)
        }
        if unknown:
            with ThreadPoolExecutor(SENDERS) as pool:
                list(pool.map(self._table.point, unknown.keys(), unknown.values()))


def _is_host(key: str) -> bool:
    """Return whether a key is a host's name; nobody looks for a site under another."""
    try:
        return host_name(key) == key
    except ValueError:
        return False


def _leave_out(name: str, key: str) -> None:
    log.warning("%r of the Sites table is left out: it also declares the site %r", name, key)
