"""certbot as it is installed: its certificates and whether they will be renewed (checklist steps 8 and 14).

Source: what `certbot certificates` and `certbot renew --dry-run` print, versions 1 to 5; certbot's cert_manager.py
and renewal.py.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from padlock.evidence.host import Certbot, Lineage, Ran
from padlock.network.failure import printable
from padlock.probes.host import renewals
from padlock.probes.host.document import Document, Section

_LISTING_KEPT = 4_000
_LINEAGES = 200
_NAMES = 100
_LINES = 5_000
_PATH_KEPT = 1_000
_LABEL = re.compile(r"^ {2,8}([A-Z][A-Za-z ]{2,30}):(?: (.*))?$")
_INVALID_HEADING = "The following renewal configurations were invalid:"
_RULE = re.compile(r"^(?:- )+-?$")
_PRIVATE = re.compile(r"/tmp/padlock\.\w{1,20}/config/")  # noqa: S108 - the collector gives certbot a directory of its own
_REASON = re.compile(r"Renewal configuration file (\S+) produced an unexpected error: (.{1,500}?)\. Skipping\.")


def certbot(document: Document) -> Certbot | None:
    """Return the host's certbot; None where the command was not found."""
    version, listing = document.section("certbot_version"), document.section("certbot_list")
    if all(section is None or section.ran().missing for section in (version, listing)):
        return None
    timers = renewals.timers(document)
    return Certbot(
        listing=listing.ran(_LISTING_KEPT) if listing else Ran("certbot certificates", -1),
        version=_version(version.output) if version else "",
        lineages=lineages(listing, renewals.settings(document) or {}) if listing else None,
        timers=timers,
        cron_runs=_cron_runs(document),
        dry_run=renewals.dry_run(document.section("certbot_dry_run")),
        reload_hook=renewals.reloads(document, timers or ()),
    )


def _cron_runs(document: Document) -> bool | None:
    section = document.succeeded("certbot_timers")
    states = {row[1] for row in section.rows(2) if row[0] == "cron-daemon"} if section else set()
    return "running" in states if states & {"running", "stopped"} else None


def _version(output: str) -> str:
    found = re.search(r"\bcertbot (\d[\w.]{0,30})", output)
    return found[1] if found else ""


def lineages(listing: Section, settings: Mapping[str, Mapping[str, str]]) -> tuple[Lineage, ...] | None:
    """Return the certificates of the listing, those that cannot be renewed last; None: it is no listing."""
    if listing.status != 0:
        return None
    output = _PRIVATE.sub("/etc/letsencrypt/", listing.output)
    found = [_lineage(facts, settings.get(facts["Certificate Name"], {})) for facts in _blocks(output)]
    found += list(_invalid(output))
    if not found and "No certificates found." not in output:
        return None
    return tuple(found[:_LINEAGES])


def _blocks(output: str) -> Iterator[dict[str, str]]:
    """Yield label → value of each certificate; a line without a label goes on with the value before it."""
    facts: dict[str, str] = {}
    label = ""
    for line in output.partition(_INVALID_HEADING)[0].split("\n")[:_LINES]:
        named = _LABEL.match(line.rstrip())
        if named and named[1] == "Certificate Name":
            if "Certificate Name" in facts:
                yield facts
            facts = {}
        if named:
            label = named[1]
            facts[label] = (named[2] or "").strip()
        elif not line.startswith(" "):
            label = ""
        elif label in ("Domains", "Identifiers"):
            facts[label] += f" {line.strip()}"
    if "Certificate Name" in facts:
        yield facts


def _lineage(facts: Mapping[str, str], renewal: Mapping[str, str]) -> Lineage:
    expiry = facts.get("Expiry Date", "")
    verdict = re.search(r"\(((?:VALID|INVALID): [^()]{1,100}(?:\(s\))?)\)", expiry)
    names = re.split(r"[\s,]+", facts.get("Domains") or facts.get("Identifiers") or "")
    serial = facts.get("Serial Number", "")
    return Lineage(
        name=printable(facts.get("Certificate Name", "")),
        names=tuple(printable(name.lower()) for name in names if name)[:_NAMES],
        path=printable(facts.get("Certificate Path", ""), _PATH_KEPT),
        key_path=printable(facts.get("Private Key Path", ""), _PATH_KEPT),
        serial=_serial(serial),
        not_after=_time(expiry),
        valid=verdict is not None and verdict[1].startswith("VALID"),
        verdict=printable(verdict[1]) if verdict else "",
        authenticator=printable(renewal.get("authenticator", "")),
        installer=printable(renewal.get("installer", "")),
        webroot=printable(renewal.get("webroot_path", "").partition(",")[0].strip(), _PATH_KEPT),
    )


def _serial(digits: str) -> str:
    """Return the number in whole octets, as the certificates' own are."""
    if not re.fullmatch(r"[0-9a-fA-F]{1,64}", digits):
        return ""
    return digits.upper().zfill(len(digits) + len(digits) % 2)


def _time(expiry: str) -> datetime | None:
    found = re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:[+-]\d\d:\d\d)?", expiry, re.ASCII)
    if found is None:
        return None
    try:
        time = datetime.fromisoformat(found[0])
        return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def _invalid(output: str) -> Iterator[Lineage]:
    """Yield the certificates of which certbot could not read the renewal configuration: it will not renew them."""
    reasons = dict(_REASON.findall(output))
    for line in output.partition(_INVALID_HEADING)[2].split("\n")[:_LINES]:
        if _RULE.match(line.strip()):
            return
        if path := line.strip():
            why = f"INVALID: {reasons.get(path, f'renewal configuration {path}')}"
            name = path.rpartition("/")[2].removesuffix(".conf")
            yield Lineage(name=printable(name), names=(), path="", key_path="", verdict=printable(why))
