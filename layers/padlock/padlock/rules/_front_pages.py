"""Whether any front page shows the site, or all of them refuse or know nothing of `/` (checklist steps 12 and 13)."""

from collections.abc import Iterator

from padlock.evidence import Evidence, Exchange
from padlock.rules._answers import blocked, final, look
from padlock.site import Site


def nothing_shown(site: Site, evidence: Evidence) -> str:
    """Return why no front page tells whether the site works; empty where one does, or the declaration says how to.

    An API need not have a page at `/`: it is no fault, and no proof either. An error (5xx) is its own finding. Only
    rules that cannot have a finding then may say so: what cannot be judged stays open where it was one before.
    """
    if site.expect or site.health:
        return ""
    ends = list(_ends(evidence))
    if not ends or not all(400 <= (end.status or 0) <= 499 for end in ends):
        return ""
    return blocked(ends[0]) or (
        f"the front page answers {ends[0].status}; declare `expect` or `health` if that is meant"
    )


def _ends(evidence: Evidence) -> Iterator[Exchange]:
    """Yield where each front page's redirects end, as far as they were followed."""
    for host in evidence.hosts:
        for exchange in look(evidence, host).seen.values():
            end = final(evidence.http, exchange) if evidence.http else exchange
            if isinstance(end, Exchange):
                yield end
