"""CAA records of the site's hosts and of every name above them (RFC 8659 section 3).

All levels are asked at once: a climb step by step would cost a round trip for each.
"""

import asyncio
import re

from padlock.evidence import CaaRecord, CaaSet
from padlock.network.dns_message import Reply
from padlock.probes.dns import sibling_of
from padlock.probes.run import Run

_TEXT = re.compile(r'(\d{1,3}) ([A-Za-z0-9]+) "((?:[^"\\]|\\.)*)"')
_ESCAPE = re.compile(r"\\(\d{3}|.)")
_CRITICAL = 128


async def look_up(run: Run) -> None:
    """Ask for the CAA records of each name; what the deadline cuts off stands as not known."""
    hosts = run.site.hosts or (run.site.name, sibling_of(run.site.name))
    names = dict.fromkeys(name for host in hosts for name in _upwards(host))
    found = {name: CaaSet(name, failure="the time for this site ran out") for name in names}
    run.pieces["caa"] = found

    async def one(name: str) -> None:
        found[name] = of_reply(await run.resolver.lookup(name, "CAA"))

    await asyncio.gather(*(one(name) for name in names))


def of_reply(reply: Reply) -> CaaSet:
    """Return what an answer says; a record that cannot be read makes the whole set unknown."""
    alias = reply.cnames[-1] if reply.cnames else ""
    if reply.status in ("nodata", "nxdomain"):
        return CaaSet(reply.name, alias=alias)
    if reply.status != "ok":
        told = f" (extended DNS error {reply.extended_error})" if reply.extended_error else ""
        return CaaSet(reply.name, alias=alias, failure=f"its CAA lookup ended in {reply.status}{told}")
    records = [_record(text) for text in reply.records]
    if None in records or reply.count > len(records):
        return CaaSet(reply.name, alias=alias, failure="its CAA records cannot be read, or are too many")
    return CaaSet(reply.name, tuple(record for record in records if record), alias)


def _record(text: str) -> CaaRecord | None:
    """Read a record's presentation form: `0 issue "letsencrypt.org"`."""
    match = _TEXT.fullmatch(text)
    if not match:
        return None
    value = _ESCAPE.sub(lambda found: chr(int(found[1])) if found[1].isdigit() else found[1], match[3])
    return CaaRecord(match[2].lower(), value, bool(int(match[1]) & _CRITICAL))


def _upwards(name: str) -> list[str]:
    labels = name.split(".")
    return [".".join(labels[start:]) for start in range(len(labels))]
