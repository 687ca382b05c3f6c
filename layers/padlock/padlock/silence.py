"""What a site's owner wants to be told, as of one time: (site, now) → the policy by which its changes are folded."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from padlock.changes import Policy, Silence
from padlock.site import Acknowledgement, Site, Window
from padlock.times import clock, moment

_DAY = timedelta(days=1)


def policy_of(site: Site, now: datetime) -> Policy:
    """Return the thresholds, the reminder, the window of `now`, what is acknowledged for longer, and what is off."""
    zone = ZoneInfo(site.timezone)
    ends = [end for window in site.maintenance if (end := _end(window, zone, now))]
    return Policy(
        failures=site.thresholds.failures,
        successes=site.thresholds.successes,
        interval=site.interval_seconds,
        reminder=site.reminder_seconds,
        maintenance_until=max(ends, default=None),
        silences=tuple(silence for each in site.acknowledge if (silence := _silence(each, zone)).until > now),
        digest=site.digest == "on",
        disabled=site.disable,
        severities=tuple(site.severity),
    )


def _silence(declared: Acknowledgement, zone: ZoneInfo) -> Silence:
    until = moment(declared.until, zone)
    return Silence(code=declared.code, subject=declared.subject, until=until, note=declared.note)


def _end(window: Window, zone: ZoneInfo, now: datetime) -> datetime | None:
    """Return when the window ends, in UTC; None where `now` does not lie in it. The end itself lies outside."""
    if not window.every:
        start, end = moment(window.start, zone), moment(window.end, zone)
        return end if start <= now < end else None
    begins, lasts = clock(window.every), timedelta(seconds=window.seconds)
    today = now.astimezone(zone).date()
    # 23.5 hours from 23:45 on reach into the day after the next where the day between has only 23 hours.
    days = (today - _DAY * back for back in range(lasts // _DAY + 3))
    ends = [begun + lasts for day in days if (begun := begins.on(day, zone)) and begun <= now < begun + lasts]
    return max(ends, default=None)
