"""Which sites are due at a tick, which are gone, and their messages to the queue."""

from padlock.schedule.dispatching import MAX_NEW, Dispatched, Remaining, dispatch, previous, tick
from padlock.schedule.due import Tick, interval_of, is_due, is_new, read_time
from padlock.schedule.queue import BATCH, MAX_BODY, Queue, batches, body_of, client, removal_of
from padlock.schedule.removed import remove

__all__ = [
    "BATCH",
    "MAX_BODY",
    "MAX_NEW",
    "Dispatched",
    "Queue",
    "Remaining",
    "Tick",
    "batches",
    "body_of",
    "client",
    "dispatch",
    "interval_of",
    "is_due",
    "is_new",
    "previous",
    "read_time",
    "removal_of",
    "remove",
    "tick",
]
