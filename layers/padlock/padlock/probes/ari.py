"""When a certificate's issuer wants it renewed: ACME Renewal Information (RFC 9773), for issuers known to offer it.

Nothing is signed and no account is needed: the ACME directory names the place, and the certificate's issuer key and
serial number name the certificate. The answer is kept for as long as the issuer asks, between an hour and a day.
"""

import base64
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import msgspec

from padlock.evidence import Certificate, Failure, RenewalInformation, organisation
from padlock.network.failure import printable
from padlock.network.limits import ACME_BYTES
from padlock.probes.renewal import keep, seen
from padlock.probes.run import CUT_OFF, Run
from padlock.probes.services import Fetched, base, fetch

SERVICE = "ari"
DIRECTORIES: Mapping[str, str] = {
    "Let's Encrypt": "https://acme-v02.api.letsencrypt.org/directory",
    "Google Trust Services": "https://dv.acme-v02.api.pki.goog/directory",
    "ZeroSSL": "https://acme.zerossl.com/v2/DV90",
}
"""Organisation of an issuer → its ACME directory. Only of authorities that offer renewal information."""
_SHORTEST, _DEFAULT, _LONGEST = timedelta(hours=1), timedelta(hours=6), timedelta(days=1)
_UNREADABLE = (msgspec.DecodeError, ValueError, RecursionError, OverflowError)
"""What reading octets that are no such answer raises: thousands of brackets, dates beyond UTC's calendar."""


class _Window(msgspec.Struct):
    start: datetime
    end: datetime


class _Answered(msgspec.Struct, rename="camel"):
    suggested_window: _Window
    explanation_url: str = msgspec.field(default="", name="explanationURL")


async def ask_renewal_information(run: Run, leaf: Certificate) -> None:
    """Ask the issuer of a leaf; nothing is recorded for issuers that are not known."""
    authority = organisation(leaf.issuer)
    if authority not in DIRECTORIES or not leaf.authority_key or leaf.sha256 in seen(run).information:
        return
    if not any(_is_for(leaf, host) for host in run.hosts):
        return  # another site's: a redirect's target, or what a shared server shows without a name
    _keep(run, RenewalInformation(leaf.sha256, failure=CUT_OFF))
    directory = base(run, SERVICE, DIRECTORIES[authority])
    key = f"ari:{directory}:{certificate_id(leaf)}"
    known = await run.cache.get(key, run.now)
    if known:
        _keep(run, msgspec.json.decode(known, type=RenewalInformation))
        return
    information, lifetime = await _asked(run, directory, leaf)
    _keep(run, information)
    await run.cache.put(key, msgspec.json.encode(information), run.now + lifetime)


def _is_for(leaf: Certificate, host: str) -> bool:
    names = [name.lower() for name in leaf.dns_names]
    return host in names or f"*.{host.partition('.')[2]}" in names


def certificate_id(leaf: Certificate) -> str:
    """Return the unique identifier of RFC 9773 section 4.1: key identifier and serial, as their DER contents."""
    serial = bytes.fromhex(leaf.serial.removeprefix("-"))
    # DER integers are signed: a number whose first bit is set begins with a zero octet.
    signed = b"\0" + serial if serial[:1] >= b"\x80" else serial
    return ".".join(_base64url(part) for part in (bytes.fromhex(leaf.authority_key), signed))


def _base64url(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def _keep(run: Run, information: RenewalInformation) -> None:
    keep(run, information={**seen(run).information, information.certificate: information})


async def _asked(run: Run, directory: str, leaf: Certificate) -> tuple[RenewalInformation, timedelta]:
    """Return what the issuer says, and for how long it holds."""
    place = await _place(run, directory)
    if isinstance(place, Failure):
        return RenewalInformation(leaf.sha256, failure=place), _SHORTEST
    if not place:
        return RenewalInformation(leaf.sha256, offered=False), _LONGEST
    url = f"{place.rstrip('/')}/{certificate_id(leaf)}"
    return of_answer(leaf.sha256, await fetch(run, url, limit=ACME_BYTES, service=SERVICE), run.now)


def of_answer(certificate: str, answer: Fetched, now: datetime) -> tuple[RenewalInformation, timedelta]:
    """Return what an answer says of a certificate, given by its digest, and for how long that holds."""
    if answer.failure or answer.status != 200:
        hold = _lifetime(answer, now) if answer.header("retry-after") else _SHORTEST
        return RenewalInformation(certificate, failure=_failure(answer)), hold
    try:
        told = msgspec.json.decode(answer.body, type=_Answered)
        start, end = _utc(told.suggested_window.start), _utc(told.suggested_window.end)
    except _UNREADABLE as error:
        return RenewalInformation(certificate, failure=_nonsense(error)), _SHORTEST
    if start >= end:
        return RenewalInformation(certificate, failure=_nonsense("the window ends before it starts")), _SHORTEST
    shown = printable(told.explanation_url, 300)
    return RenewalInformation(certificate, start=start, end=end, explanation=shown), _lifetime(answer, now)


async def _place(run: Run, directory: str) -> str | Failure:
    """Return the directory's renewalInfo URL; empty where it has none."""
    key = f"acme-directory:{directory}"
    known = await run.cache.get(key, run.now)
    if known is not None:
        return known.decode()
    place = place_of(await fetch(run, directory, limit=ACME_BYTES, accept="application/json", service=SERVICE))
    if isinstance(place, str):
        await run.cache.put(key, place.encode(), run.now + _LONGEST)
    return place


def place_of(answer: Fetched) -> str | Failure:
    """Return the renewalInfo URL of a directory; empty where it has none."""
    if answer.failure or answer.status != 200:
        return _failure(answer)
    try:
        entries = msgspec.json.decode(answer.body, type=dict[str, msgspec.Raw])
        url = msgspec.json.decode(entries["renewalInfo"], type=str) if "renewalInfo" in entries else ""
        unfit = url and urlsplit(url).scheme != "https"
    except _UNREADABLE as error:
        return _nonsense(error)
    return _nonsense("its renewalInfo is no https URL") if unfit else url


def _failure(answer: Fetched) -> Failure:
    return answer.failure or Failure("protocol_error", f"status {answer.status}")


def _nonsense(why: object) -> Failure:
    return Failure("protocol_error", printable(f"the answer cannot be read: {why}", 200))


def _utc(when: datetime) -> datetime:
    return when.astimezone(UTC) if when.tzinfo else when.replace(tzinfo=UTC)


def _lifetime(answer: Fetched, now: datetime) -> timedelta:
    """Return the time until the issuer wants to be asked again (RFC 9773 section 4.3), within bounds."""
    text = answer.header("retry-after").strip()
    wanted = _DEFAULT
    if re.fullmatch(r"[0-9]{1,9}", text):
        wanted = timedelta(seconds=int(text))
    elif text:
        try:
            wanted = _utc(parsedate_to_datetime(text)) - now
        except (ValueError, OverflowError):
            wanted = _DEFAULT
    return min(max(wanted, _SHORTEST), _LONGEST)
