"""The places to which nginx passes requests on, and whether they accept connections (the checklist's debugging)."""

from padlock.evidence.host import Upstream
from padlock.network.failure import printable
from padlock.probes.host.document import Document

_KEPT = 100
_ACCEPTS = {"accepts": True, "refused": False, "missing": False, "denied": False, "timeout": False}
_WORDS = {"missing": "no such file", "denied": "permission denied"}
"""Result → what is said where the collector gave no detail and another word is plainer."""


def upstreams(document: Document) -> tuple[Upstream, ...] | None:
    """Return each target; None where they could not be tried. A result of another word is one that is not known."""
    section = document.succeeded("upstreams")
    if section is None:
        return None
    rows = [(*row, "")[:3] for row in section.rows(2) if row[0]][:_KEPT]
    return tuple(_upstream(target, result, detail) for target, result, detail in rows)


def _upstream(target: str, result: str, detail: str) -> Upstream:
    accepts = _ACCEPTS.get(result)
    said = detail or ("" if accepts else _WORDS.get(result, result))
    return Upstream(printable(target, 300), accepts, printable(said, 300))
