"""The registration of the site's domains, asked of their registries by RDAP (RFC 9082, RFC 9083).

Registries limit how often they are asked: an answer is kept for a day, a failure for an hour, and a registry that
asks for patience gets it, for all of its domains.
"""

import asyncio
import contextlib
import email.utils
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import msgspec

from padlock.evidence import Registration
from padlock.network.failure import printable
from padlock.network.limits import RDAP_BYTES, RDAP_DOMAINS
from padlock.probes import registry
from padlock.probes.run import Run
from padlock.probes.services import Fetched, base, fetch
from padlock.site import host_name

SERVICE = "rdap"
SOON = timedelta(days=30)
KEPT = timedelta(days=1)
KEPT_SOON = timedelta(hours=6)
"""Of a domain that expires soon: its owner waits to see that it is renewed."""
KEPT_SHORT = timedelta(hours=1)
"""Of a domain on hold, and of a failure."""
_MOST_PATIENCE = timedelta(days=1)
_STATUSES, _TEXT = 20, 200
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for octets that are no such answer; the last for thousands of brackets."""
_FAR = datetime(9999, 1, 1, tzinfo=UTC)


class _Event(msgspec.Struct, rename="camel"):
    event_action: str | None = None
    event_date: str | None = None


class _Entity(msgspec.Struct, rename="camel"):
    roles: list[str] | None = None
    vcard_array: Any = None


class _Domain(msgspec.Struct, rename="camel"):
    """What is read of a domain; registries write null for what they do not have."""

    object_class_name: str
    ldh_name: str | None = None
    status: list[str] | None = None
    events: list[_Event] | None = None
    entities: list[msgspec.Raw] | None = None


async def look_up(run: Run) -> None:
    """Ask for the registration of each domain; what the deadline cuts off stands as not known."""
    if {"registration", "registration.", "registration.*"} & set(run.site.disable):
        return
    found = {planned.domain: planned for planned in _planned(run)}
    run.pieces["registration"] = tuple(found.values())

    async def one(planned: Registration) -> None:
        found[planned.domain] = await _known(run, planned)
        run.pieces["registration"] = tuple(found.values())

    asked = [planned for planned in found.values() if not planned.unregistered][:RDAP_DOMAINS]
    await asyncio.gather(*(one(planned) for planned in asked))


def _planned(run: Run) -> Iterator[Registration]:
    """Yield each domain of the site, those that there is nobody to ask for with the reason."""
    grouped: dict[str, list[str]] = defaultdict(list)
    for host in run.site.hosts or (run.site.name,):
        grouped[registry.registrable(host) or host].append(host)
    for domain, hosts in grouped.items():
        planned = Registration(domain, tuple(hosts), failure="the time for this site ran out")
        reason = _unregistered(run, domain, hosts[0])
        yield msgspec.structs.replace(planned, unregistered=reason, failure="") if reason else planned


def _unregistered(run: Run, domain: str, host: str) -> str:
    if registry.is_special(host) and "rdap" not in run.vantage.services:
        return f"nobody registers names like {host}"
    given = registry.provider(host)
    if given:
        return f"{host} is given away under {given}, whose registration is its provider's"
    return "" if registry.registrable(host) else f"{domain} is a registry's own name"


async def _known(run: Run, planned: Registration) -> Registration:
    """Return what is kept of a domain, or what its registry says now."""
    key = f"rdap:{planned.domain}"
    kept = _read(await run.cache.get(key, run.now), planned)
    if kept and not await _vanished_since(run, kept):
        return kept
    url = base(run, SERVICE, registry.service(planned.domain))
    if not url:
        suffix = planned.domain.partition(".")[2]
        return msgspec.structs.replace(planned, failure=f"the registry of .{suffix} has no RDAP service")
    busy = f"rdap-busy:{urlsplit(url).netloc}"
    if await run.cache.get(busy, run.now):
        return msgspec.structs.replace(
            planned, registry=url, failure="its registry asked to be left alone for a while"
        )
    answer = await fetch(
        run,
        f"{url.rstrip('/')}/domain/{planned.domain}",
        limit=RDAP_BYTES,
        accept="application/rdap+json, application/json",
        service=SERVICE,
    )
    found = of_answer(msgspec.structs.replace(planned, registry=url, asked_at=run.now), answer)
    if answer.status in (429, 503):
        await run.cache.put(busy, b"1", run.now + patience(answer.header("retry-after"), run.now))
    await run.cache.put(key, msgspec.json.encode(found), run.now + lifetime(found, run.now))
    return found


def _read(data: bytes | None, planned: Registration) -> Registration | None:
    try:
        kept = msgspec.json.decode(data, type=Registration) if data else None
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return msgspec.structs.replace(kept, hosts=planned.hosts) if kept else None


async def _vanished_since(run: Run, kept: Registration) -> bool:
    """Whether the domain is gone from DNS, which a hold explains, and an older answer would hide."""
    if kept.asked_at and run.now - kept.asked_at < KEPT_SHORT:
        return False
    return (await run.resolver.lookup(kept.domain, "A")).status == "nxdomain"


def of_answer(asked: Registration, answer: Fetched) -> Registration:
    """Return the registration that an RDAP answer tells, or why it tells none."""
    if answer.failure:
        why = " ".join(filter(None, [answer.failure.kind.replace("_", " "), answer.failure.detail]))
        return msgspec.structs.replace(asked, failure=f"its registry's RDAP service gave no answer: {why}")
    if answer.status != 200:
        told = {404: "does not know it", 429: "asks for patience"}.get(answer.status or 0, f"said {answer.status}")
        return msgspec.structs.replace(asked, failure=f"its registry's RDAP service {told}")
    try:
        domain = msgspec.json.decode(answer.body, type=_Domain)
    except _UNREADABLE:
        return msgspec.structs.replace(asked, failure="its registry's RDAP service answered what is no domain")
    if domain.object_class_name != "domain":
        return msgspec.structs.replace(asked, failure="its registry's RDAP service answered with no domain")
    if _other_name(domain.ldh_name, asked.domain):
        return msgspec.structs.replace(asked, failure="its registry's RDAP service answered with another domain")
    # A `registrar expiration` is the registrar's own bookkeeping: what counts is when the registry lets it go.
    ends = [event.event_date for event in domain.events or () if (event.event_action or "").lower() == "expiration"]
    dates = [_moment(text) for text in ends if text]
    return msgspec.structs.replace(
        asked,
        failure="",
        expires=min((date for date in dates if date), default=None),
        status=tuple(dict.fromkeys(printable(text, _TEXT).lower() for text in (domain.status or ())[:_STATUSES])),
        registrar=_registrar(domain.entities or ()),
    )


def _other_name(named: str | None, domain: str) -> bool:
    """Whether an answer names a domain that was not asked for."""
    try:
        return host_name(named or domain) != domain
    except ValueError:
        return True


def _registrar(entities: Sequence[msgspec.Raw]) -> str:
    """Return the registrar's name; one entity that cannot be read hides no other."""
    for raw in entities:
        with contextlib.suppress(*_UNREADABLE):
            entity = msgspec.json.decode(raw, type=_Entity)
            if "registrar" in (entity.roles or ()):
                return _name(entity)
    return ""


def _moment(text: str) -> datetime | None:
    """Read an RFC 3339 date; some registries leave out the zone, or the time."""
    try:
        date = datetime.fromisoformat(text.strip())
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _name(entity: _Entity) -> str:
    """Return the formatted name of a jCard (RFC 7095)."""
    card = entity.vcard_array
    properties = card[1] if isinstance(card, list) and len(card) > 1 and isinstance(card[1], list) else []
    for entry in properties:
        if isinstance(entry, list) and len(entry) > 3 and entry[0] == "fn" and isinstance(entry[3], str):
            return printable(entry[3], _TEXT)
    return ""


def lifetime(found: Registration, now: datetime) -> timedelta:
    """Return for how long an answer is kept."""
    if found.failure or any(re.search("hold|redemption|pending ?delete", status) for status in found.status):
        return KEPT_SHORT
    return KEPT_SOON if (found.expires or _FAR) - now < SOON else KEPT


def patience(retry_after: str, now: datetime) -> timedelta:
    """Return for how long a service that sent this Retry-After is left alone (RFC 9110 section 10.2.3)."""
    if re.fullmatch(r"[0-9]{1,9}", retry_after):
        wanted = timedelta(seconds=int(retry_after))
    else:
        try:
            until = email.utils.parsedate_to_datetime(retry_after)
            wanted = (until if until.tzinfo else until.replace(tzinfo=UTC)) - now
        except (ValueError, OverflowError):
            wanted = KEPT_SHORT
    return min(max(wanted, timedelta(minutes=1)), _MOST_PATIENCE)
