"""The weekly digest: what it tells of the fleet, bounded, once for each time that it is asked for."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from padlock import weekly
from padlock.changes import Policy
from padlock.digest import SHOWN, Digest, DigestCertificate, DigestSite
from padlock.findings import CHECKER
from padlock.storage import Results
from padlock.storage._items import marshal
from padlock.storage.fleet import Fleet

from local.aws import EmbeddedAws
from tests.reports import finding, report
from tests.runs import FURTHER, stored

AT = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
EXPIRES = 2_000_000_000
BROKEN, WEAK, HINT = (finding("x.y", severity=severity) for severity in ("error", "warning", "notice"))
OTHER = finding("z.y", severity="warning")


@pytest.fixture
def fleet(aws: EmbeddedAws) -> Fleet:
    """Return the indexes of the Results table."""
    return Fleet(aws.client("dynamodb"), aws.physical["ResultsTable"])


def records(results: Results) -> list[dict[str, Any]]:
    """Return the checker's outbox, in order."""
    pages = results._query("site = :s AND begins_with(sk, :k)", {":s": CHECKER, ":k": "ALERT#"})
    return list(pages)


def fill(aws: EmbeddedAws, number: int, **attributes: Any) -> None:
    """Write many states with these attributes of the indexes; `{}` in a text is the site's number."""
    table, dynamodb = aws.physical["ResultsTable"], aws.client("dynamodb")
    rows = [
        {"site": f"many{i:03}.example", "sk": "STATE"} | {k: v.format(f"{i:03}") for k, v in attributes.items()}
        for i in range(number)
    ]
    for start in range(0, number, 25):
        put = [{"PutRequest": {"Item": marshal(row)}} for row in rows[start : start + 25]]
        dynamodb.batch_write_item(RequestItems={table: put})


def test_nothing_to_tell(results: Results, fleet: Fleet) -> None:
    """A fleet that is well makes no digest: notices, far expiries and sites that want none are nothing to tell."""
    stored(results, report(HINT, site="a.example", expires=AT + timedelta(days=22)))
    stored(results, report(site="b.example", expires=AT + timedelta(days=5)), policy=Policy(digest=False))
    stored(results, report(WEAK, site="c.example"), policy=Policy(digest=False))
    digest = weekly.digest_of(fleet, AT, 3)
    assert digest == Digest((), (), (), 0, 0, 0, AT, 3)
    assert digest.is_empty
    assert weekly.announce(results, digest, FURTHER, EXPIRES) is False
    assert records(results) == []
    assert list(results.history(CHECKER)) == []


def test_what_is_told(results: Results, fleet: Fleet) -> None:
    """Sites by their worst open finding, the longest open first; certificates by their end, the next one first."""
    days = [AT - timedelta(days=number) for number in range(6)]
    stored(results, report(WEAK, site="w1.example", at=days[1]))
    stored(results, report(WEAK, site="w5.example", at=days[5], expires=AT + timedelta(days=20, hours=23)))
    stored(results, report(BROKEN, OTHER, site="e2.example", at=days[2], expires=AT + timedelta(hours=1)))
    stored(results, report(BROKEN, site="e4.example", at=days[4], expires=AT - timedelta(hours=1)))
    stored(results, report(BROKEN, site="e3.example", at=days[3]), policy=Policy(digest=False))
    digest = weekly.digest_of(fleet, AT, None)
    told = "x y: example.com"
    assert digest == Digest(
        warnings=(DigestSite("w5.example", days[5], told), DigestSite("w1.example", days[1], told)),
        failing=(
            DigestSite("e4.example", days[4], told),
            DigestSite("e3.example", days[3], told),
            DigestSite("e2.example", days[2], told + ", and 1 more"),
        ),
        certificates=(
            DigestCertificate("e2.example", "e2.example", "CN=R11", AT + timedelta(hours=1)),
            DigestCertificate("w5.example", "w5.example", "CN=R11", AT + timedelta(days=20, hours=23)),
        ),
        warnings_total=2,
        failing_total=3,
        certificates_total=2,
        at=AT,
        sites_total=None,
    )


def test_site_that_is_well_again_leaves(results: Results, fleet: Fleet) -> None:
    """A warning that is over is not told of any more."""
    stored(results, report(WEAK, site="a.example", at=AT))
    assert weekly.digest_of(fleet, AT, 1).warnings_total == 1
    stored(results, report(site="a.example", at=AT + timedelta(minutes=5)))
    assert weekly.digest_of(fleet, AT, 1).is_empty


def test_lists_are_bounded_and_counted(aws: EmbeddedAws, fleet: Fleet) -> None:
    """Of many sites the first ones are named, and all are counted."""
    fill(
        aws,
        SHOWN + 75,
        failing="warning",
        failing_since="2026-11-01T00:00:00Z",
        summary="weak {}",
        certificate_group="all",
        certificate_expires="2026-11-21T00:00:00Z",
        certificate_host="many{}.example",
        certificate_issuer="CN=R11",
    )
    digest = weekly.digest_of(fleet, AT, 125)
    assert (len(digest.warnings), len(digest.failing), len(digest.certificates)) == (SHOWN, 0, SHOWN)
    assert (digest.warnings_total, digest.failing_total, digest.certificates_total) == (125, 0, 125)
    assert len({entry.site for entry in digest.warnings}) == SHOWN


def test_sites_without_a_digest_do_not_take_the_place_of_others(aws: EmbeddedAws, fleet: Fleet) -> None:
    """Certificates of sites that want no digest are neither told nor counted, however many stand before others."""
    certificate = {"certificate_group": "all", "certificate_host": "h", "certificate_issuer": "CN=R11"}
    fill(aws, 120, digest="off", certificate_expires="2026-11-21T00:00:00Z", **certificate)
    told = {"site": "told.example", "sk": "STATE", "certificate_expires": "2026-11-22T00:00:00Z", **certificate}
    aws.client("dynamodb").put_item(TableName=aws.physical["ResultsTable"], Item=marshal(told))
    digest = weekly.digest_of(fleet, AT, None)
    assert [entry.site for entry in digest.certificates] == ["told.example"]
    assert digest.certificates_total == 1


def test_digest_is_written_once_for_its_time(results: Results, fleet: Fleet) -> None:
    """One record of the checker's, with the numbers in it; asked for again, also with other news, none is written."""
    stored(results, report(WEAK, site="a.example", at=AT - timedelta(days=1)))
    digest = weekly.digest_of(fleet, AT, 10)
    assert weekly.announce(results, digest, FURTHER, EXPIRES) is True
    other = msgspec.structs.replace(digest, failing_total=7)
    assert weekly.announce(results, other, FURTHER, EXPIRES) is False
    (record,) = records(results)
    assert (record["kind"], record["seq"], record["from"], record["to"]) == ("digest", 1, "unknown", "unknown")
    assert record["created_at"] == "2026-11-20T12:00:00Z"
    assert "a.example" in record["body"]
    assert json.loads(record["data"])["warnings_total"] == 1
    assert json.loads(record["data"])["alert_id"] == record["alert_id"]
    assert [row["sk"] for row in results.history(CHECKER)] == ["RUN#digest#2026-11-20T12:00:00Z"]
    later = msgspec.structs.replace(digest, at=AT + timedelta(days=7))
    assert weekly.announce(results, later, FURTHER, EXPIRES) is True
    assert [record["seq"] for record in records(results)] == [1, 2]
    assert len({record["alert_id"] for record in records(results)}) == 2


def test_digest_stands_between_the_checkers_own_records(results: Results, fleet: Fleet) -> None:
    """While the checker has an outage of its own the digest changes nothing of it: from and to are the status now."""
    stored(results, report(BROKEN, site=CHECKER, at=AT - timedelta(days=1)))
    assert weekly.announce(results, weekly.digest_of(fleet, AT, None), FURTHER, EXPIRES) is True
    stored(results, report(site=CHECKER, at=AT + timedelta(days=1)))
    told = [(record["kind"], record["from"], record["to"]) for record in records(results)]
    assert told == [("changed", "unknown", "error"), ("digest", "error", "error"), ("changed", "error", "ok")]
    assert results.load(CHECKER).seq == 3
