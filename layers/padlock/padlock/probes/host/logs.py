"""The last lines of error.log, access.log and letsencrypt.log, once more without query strings and credentials."""

import re
from typing import Literal

from padlock.evidence.host import LogTail
from padlock.network.failure import printable
from padlock.probes.host.document import Document, Section

_LINES = 200
_CHARACTERS = 1_000
_LOGS = 12
_QUERY = re.compile(r"\?(?!\*\*\*)[^\s\"'<>]+")
_CREDENTIAL = re.compile(
    r"(?i)\b(authorization|cookie|password|passwd|secret|token|api[-_]?key|session(?:id)?)"
    r"(\"?'?\s{0,3}[:=]\s{0,3}\"?'?)(?!\*\*\*)((?:basic|bearer|digest)\s+)?[^\s\"',;&]+"
)
_USERINFO = re.compile(r"(?<=://)[^\s/@\"']{1,200}@")
_KINDS: dict[str, Literal["error", "access", "certbot"]] = {
    "log_error": "error",
    "log_access": "access",
    "log_certbot": "certbot",
}


def tails(document: Document) -> tuple[LogTail, ...] | None:
    """Return the end of each log; None where no log was looked for."""
    sections = [section for section in document.sections if section.name in _KINDS]
    return tuple(_tail(section) for section in sections[:_LOGS]) if sections else None


def stripped(line: str) -> str:
    """Return a line without query strings, credentials and user names in URLs, printable and bounded."""
    shown = _QUERY.sub("?***", line[: 4 * _CHARACTERS])
    shown = _CREDENTIAL.sub(r"\1\2***", _USERINFO.sub("***@", shown))
    return printable(shown.replace("\t", " "), _CHARACTERS)


def _tail(section: Section) -> LogTail:
    path = re.sub(r"^tail\s+-n\s+\d{1,6}\s+(--\s+)?", "", section.command.strip())
    lines = [line for line in section.output.split("\n") if line.strip()] if section.status == 0 else []
    fault = printable(section.output.strip() or f"status {section.ran().status}", 200) if section.status else ""
    kept = tuple(stripped(line.rstrip("\r")) for line in lines[-_LINES:])
    return LogTail(_KINDS[section.name], printable(path, 1_000), kept, fault)
