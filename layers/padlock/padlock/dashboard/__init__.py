"""A CloudWatch dashboard's widget: an event → what the dashboard shows, and what a click on it has done.

It reads indexes and the items of the sites that it shows, never a whole table. A click may do two things: put a
declared site into the queue of checks, as the schedule does, and acknowledge a finding that stands open, as `padlock
ack` does. Nothing is published, and nothing is written into the Results table, by whoever may invoke it.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec

from padlock.acknowledging import ATTRIBUTE, Refused, added, stored, wanted
from padlock.dashboard import request
from padlock.dashboard.view import Tables, glance_of, place_of, view_of
from padlock.render.escape import phrase
from padlock.render.page import site_widget, widget
from padlock.schedule import Queue
from padlock.schedule.queue import body_of
from padlock.storage import stamp
from padlock.storage.edits import Absent, Contended, Edits

NAME = 100
"""Characters of a site's name that are said."""
DOCUMENTATION = """\
### Padlock's sites

Sites by status, certificates by expiry and open findings, of the stack that this widget belongs to. It takes no
parameters.

* A site's name shows its report.
* **Check now** puts the site into the queue, as the schedule does: the result is here after half a minute, and alerts
  as any other.
* **Acknowledge** keeps alerts of one finding back for a time, as `padlock ack` does; `padlock ack SITE --clear CODE`
  takes it back.

Both ask before they do it. Whoever may invoke the function may do both.
"""


class Board:
    """The widget of one stack."""

    def __init__(self, tables: Tables, edits: Edits, queue: Queue) -> None:
        """Take what it shows, and the two places that a click writes to."""
        self._tables = tables
        self._edits = edits
        self._queue = queue

    def answer(self, event: Any, function: str, now: datetime) -> str | Mapping[str, str]:
        """Return HTML, or Markdown where documentation is asked for; ValueError for an event of another shape.

        `function`: the ARN that the buttons call.
        """
        asked = request.read(event)
        if asked.describe:
            return {"markdown": DOCUMENTATION}
        match asked.action:
            case "":
                return widget(glance_of(self._tables, now), function, asked.theme)
            case "check":
                said = self._check(asked, now)
            case "acknowledge":
                said = self._acknowledge(asked, now)
            case _:
                said = ""
        view = view_of(self._tables, asked.key, now)
        if view is None:
            known = msgspec.structs.replace(
                glance_of(self._tables, now), said=said or f"No check of {phrase(asked.site, NAME)} is stored."
            )
            return widget(known, function, asked.theme)
        return site_widget(msgspec.structs.replace(view, said=said), function, asked.theme)

    def _check(self, asked: request.Request, now: datetime) -> str:
        """Put a site into the queue; return what became of it."""
        place = place_of(self._tables, asked.key)
        if place is None:
            return f"{phrase(asked.site, NAME)} is not declared: there is nothing to check."
        if self._queue.send([body_of(asked.key, place.declaration, stamp(now))]):
            return "The queue did not take it; try again."
        return "The check is under way: look again in half a minute."

    def _acknowledge(self, asked: request.Request, now: datetime) -> str:
        """Acknowledge a finding that stands open; return what became of it."""
        open_now = self._tables.glance.findings([asked.key]).get(asked.key, ())
        if not any((one.get("code"), one.get("subject")) == (asked.code, asked.subject) for one in open_now):
            return "This finding does not stand open any more: there is nothing to acknowledge."
        place = place_of(self._tables, asked.key)
        if place is None:
            return f"{phrase(asked.site, NAME)} is not declared: there is nothing to acknowledge."
        until = now + timedelta(hours=asked.hours)
        try:
            new = wanted(asked.code, until, asked.subject, "by the dashboard")
            self._edits.change(
                place.item,
                ATTRIBUTE,
                lambda item: stored(added(item, new, asked.key, now).entries),
                elsewhere=place.elsewhere,
            )
        except (Refused, Contended) as refusal:
            return f"Not acknowledged: {refusal}"
        except Absent:
            return f"{phrase(asked.site, NAME)} was removed meanwhile: there is nothing to acknowledge."
        return f"Acknowledged {asked.code} until {until:%Y-%m-%d %H:%M} UTC: no alert tells of it before."
