"""The weekly digest: read from the indexes of the Results table, and written as one alert of the checker itself.

Nothing to tell makes no digest. The time that it was asked for names it, so that it is written once.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from padlock import alerting
from padlock.digest import AHEAD_DAYS, SHOWN, Digest, DigestCertificate, DigestSite
from padlock.message import Further, Message, compose_digest
from padlock.storage import Item, Results, stamp
from padlock.storage.fleet import Fleet


def digest_of(fleet: Fleet, at: datetime, sites_total: int | None) -> Digest:
    """Return what there is to tell of the fleet."""
    warnings, warnings_total = fleet.troubled("warning", SHOWN)
    failing, failing_total = fleet.troubled("error", SHOWN)
    ending, certificates_total = fleet.expiring(at, at + timedelta(days=AHEAD_DAYS), SHOWN)
    return Digest(
        warnings=_sites(warnings),
        failing=_sites(failing),
        certificates=tuple(
            DigestCertificate(
                row["site"],
                row["certificate_host"],
                row["certificate_issuer"],
                datetime.fromisoformat(row["certificate_expires"]),
            )
            for row in ending
        ),
        warnings_total=warnings_total,
        failing_total=failing_total,
        certificates_total=certificates_total,
        at=at,
        sites_total=sites_total,
    )


def _sites(rows: Sequence[Item]) -> tuple[DigestSite, ...]:
    return tuple(
        DigestSite(row["site"], datetime.fromisoformat(row["failing_since"]), row["summary"]) for row in rows
    )


def announce(results: Results, digest: Digest, further: Further, expires: int) -> bool:
    """Write a digest into the outbox, its row until a time (epoch seconds); False where there is no need to."""
    if digest.is_empty:
        return False

    def compose(alert_id: str, seq: int) -> Message:
        return compose_digest(digest, alert_id, seq, further)

    key = f"RUN#digest#{stamp(digest.at)}"
    return alerting.announce(results, "digest", key, digest.at, compose, expires) is not None
