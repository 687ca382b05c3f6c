"""Werkzeug's debugger (checklist step 13): once a day a host is asked for what gives it away.

nginx replaces the Server header, and a page looks the same with a debugger behind it: only asking tells. Scanners
ask for the same, so that a firewall or fail2ban may ban whoever does so at every check. Hence what was not there
counts as absent for a day, while a debugger that is there is looked at each time: its end should show. The console is
asked for only where the debugger's file was served, as one middleware answers both.
"""

from datetime import timedelta

import msgspec

from padlock.evidence import Exchange
from padlock.probes.run import Run

RESOURCE = "/?__debugger__=yes&cmd=resource&f=debugger.js"
"""A file of the debugger, which it serves at every path."""
CONSOLE = "/console"
"""Where it runs code for whoever knows the PIN; asking changes nothing."""
KEPT = timedelta(days=1)
KEPT_SHORT = timedelta(hours=1)
"""Of a look without an answer, or with an error of the server's, which says nothing about the debugger."""


def _key(run: Run, host: str) -> str:
    return f"debugger:{host}:{run.port('https')}"


async def recall(run: Run, host: str) -> Exchange | None:
    """Return the look at a host that still counts: how it ended, without what else the answer told."""
    data = await run.cache.get(_key(run, host), run.now)
    try:
        return msgspec.json.decode(data, type=Exchange) if data else None
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


async def keep(run: Run, seen: Exchange) -> None:
    """Keep how a look ended, which may be that it is only about to begin."""
    # Headers and body are judged by other rules too, for which they would be a day old.
    ended = Exchange(seen.url, seen.host, seen.address, seen.purpose, seen.failure, seen.status)
    kept = KEPT if seen.status is not None and seen.status < 500 else KEPT_SHORT
    expires = run.now if is_served(seen) else run.now + kept
    await run.cache.put(_key(run, seen.host), msgspec.json.encode(ended), expires)


def is_served(seen: Exchange) -> bool:
    """Whether an answer may be the debugger's file; the rule looks closer."""
    return seen.status == 200 and "EVALEX" in seen.body
