"""Sites that are no longer declared: each gets a message that closes it.

Removal is told by the Sites table's stream, and by a name that leaves the stack's parameter. A site that is declared
in another way still, in the other of the two or under another spelling, is not removed.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from padlock.schedule.queue import Queue, removal_of
from padlock.site import key_of
from padlock.storage import Sites, stamp
from padlock.storage.sites import declares

log = logging.getLogger(__name__)


def names_of(parameter: str) -> dict[str, str]:
    """Return key → name of the sites that the stack's parameter declares."""
    return {key_of(name): name.strip() for name in parameter.split(",") if name.strip()}


def undeclared(names: Iterable[str], sites: Sites, parameter: str) -> set[str]:
    """Return the keys of those names that nothing declares any more, as of now."""
    keys = {key_of(name) for name in names} - names_of(parameter).keys()
    keys -= {key for key, row in sites.get_many(sorted(keys)).items() if declares(row)}
    # A name has any number of spellings: only the whole table tells that none of them is there.
    return keys - {key_of(name) for name in sites.names(lambda name: key_of(name) in keys)} if keys else keys


def left(before: Sequence[str] | None, sites: Sites, parameter: str, slot: str) -> list[str]:
    """Return the messages of the names that left the parameter since the last tick, unless declared elsewhere."""
    now = names_of(parameter)
    gone = {key: name for name in before or () if (key := key_of(name)) not in now}
    return [removal_of(gone[key], slot) for key in sorted(undeclared(gone.values(), sites, parameter))]


def remove(records: Sequence[Mapping[str, Any]], sites: Sites, parameter: str, queue: Queue) -> list[str]:
    """Send what records of the Sites table's stream say is gone; return the sequence numbers of those that failed.

    The same record always makes the same message, so that one that comes again does nothing more.
    """
    failed: list[str] = []
    removals: dict[str, tuple[str, str]] = {}
    numbers: dict[str, list[str]] = {}
    for record in records:
        if record.get("eventName") != "REMOVE":
            continue
        number = record["dynamodb"]["SequenceNumber"]
        try:
            name, slot = _removal(record["dynamodb"])
        except ValueError as error:
            log.error("record %s cannot be understood: %s", number, error)  # noqa: TRY400 — no fault of ours to trace
            failed.append(number)
            continue
        removals[key_of(name)] = name, slot
        numbers.setdefault(key_of(name), []).append(number)
    gone = sorted(undeclared((name for name, _ in removals.values()), sites, parameter))
    bodies = {removal_of(*removals[key]): key for key in gone}
    refused = {bodies[body] for body in queue.send(bodies)}
    log.info("removed: %s", ", ".join(gone) or "none")
    return failed + [number for key in refused for number in numbers[key]]


def _removal(record: Mapping[str, Any]) -> tuple[str, str]:
    """Return the name that a stream's record is about, and its time; ValueError where it has none."""
    try:
        name = record["Keys"]["name"]["S"]
        at = datetime.fromtimestamp(record["ApproximateCreationDateTime"], UTC)
    except (KeyError, TypeError, OverflowError) as error:
        raise ValueError("it has no key name, or no time") from error
    return name, stamp(at)
