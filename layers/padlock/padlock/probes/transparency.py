"""Which certificates for a site the certificate-transparency logs hold (RFC 9162), where the operator names a search.

The search speaks as crt.sh does: `?q=<name>&output=json` answers an array of certificates. It is asked at most once
in six hours for each site; a search that fails, after an hour, or when it said that it wants to be.
"""

import re
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import msgspec

from padlock.evidence import Failure, Logged, Search
from padlock.network.failure import printable
from padlock.network.limits import TRANSPARENCY_BYTES, TRANSPARENCY_ENTRIES, TRANSPARENCY_KEPT, TRANSPARENCY_NAMES
from padlock.probes.registration import patience
from padlock.probes.renewal import keep
from padlock.probes.run import CUT_OFF, Run
from padlock.probes.services import fetch

SERVICE = "ct"
_HOLDS, _FAILED_HOLDS = timedelta(hours=6), timedelta(hours=1)
_UNREADABLE = (msgspec.DecodeError, ValueError, RecursionError, OverflowError)
"""What reading octets that are no such answer raises: thousands of brackets, dates beyond UTC's calendar."""


class _Entry(msgspec.Struct):
    issuer_name: str
    name_value: str
    not_before: datetime
    not_after: datetime
    serial_number: str


async def search_logs(run: Run) -> None:
    """Search for the site's name, if the operator switched that on."""
    keep(run)
    place = run.vantage.services.get(SERVICE, "")
    if not place:
        return
    name = run.site.canonical or run.site.name
    keep(run, search=Search(name, failure=CUT_OFF))
    key = f"ct:{place}:{name}"
    known = await run.cache.get(key, run.now)
    if known:
        keep(run, search=msgspec.json.decode(known, type=Search))
        return
    query = urlencode({"q": name, "output": "json", "exclude": "expired", "deduplicate": "Y"})
    answer = await fetch(
        run, f"{place}{'&' if '?' in place else '?'}{query}", limit=TRANSPARENCY_BYTES, service=SERVICE
    )
    if answer.failure or answer.status != 200:
        failure = answer.failure or Failure("protocol_error", f"status {answer.status}")
        found = Search(name, failure=failure)
    else:
        found = read(name, answer.body, run.now)
    keep(run, search=found)
    lifetime = _HOLDS
    if found.failure:
        lifetime = max(_FAILED_HOLDS, patience(answer.header("retry-after"), run.now))
    await run.cache.put(key, msgspec.json.encode(found), run.now + lifetime)


def read(name: str, body: bytes, now: datetime) -> Search:
    """Read the search's answer; entries that are none are passed over, an answer that is none is a failure."""
    try:
        entries = msgspec.json.decode(body, type=list[msgspec.Raw])
    except _UNREADABLE as error:
        return Search(name, failure=Failure("protocol_error", printable(f"no list of certificates: {error}", 200)))
    # A precertificate has the serial and the names of its certificate (RFC 6962 section 3.1).
    logged: dict[tuple[str, str], Logged] = {}
    for raw in entries[:TRANSPARENCY_ENTRIES]:
        one = _logged(name, raw)
        if one and one.not_after > now:
            logged.setdefault((one.issuer, one.serial), one)
    newest = sorted(logged.values(), key=lambda one: one.not_before, reverse=True)
    return Search(name, found=tuple(newest[:TRANSPARENCY_KEPT]))


def _logged(name: str, raw: msgspec.Raw) -> Logged | None:
    try:
        entry = msgspec.json.decode(raw, type=_Entry)
        since, until = _utc(entry.not_before), _utc(entry.not_after)
    except _UNREADABLE:
        return None
    if not re.fullmatch(r"[0-9a-fA-F]{1,64}", entry.serial_number) or len(entry.name_value) > TRANSPARENCY_NAMES:
        return None
    names = dict.fromkeys(text.strip().lower() for text in entry.name_value.split("\n"))
    kept = [printable(text, 300) for text in names if name in text and "@" not in text]
    serial = f"{int(entry.serial_number, 16):X}"
    return Logged(
        serial.zfill(len(serial) + len(serial) % 2),
        printable(entry.issuer_name, 300),
        since,
        until,
        tuple(sorted(kept)),
    )


def _utc(when: datetime) -> datetime:
    return when.astimezone(UTC) if when.tzinfo else when.replace(tzinfo=UTC)
