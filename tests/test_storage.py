"""The tables: what a run writes, in which order runs count, what queries find, and how large an item may become."""

import json
import shlex
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from padlock.changes import Flip, Policy, State, fold
from padlock.findings import NotAssessed, Report, Severity
from padlock.storage import Alert, Results, Sites, Stored
from padlock.storage._items import MAX_ITEM, fitted, marshal, state_of
from padlock.storage._plain import unmarshal

from local.aws import EmbeddedAws
from tests.alerts import alert
from tests.reports import NOW, SITE, finding, report
from tests.runs import POLICY, run_of, saved, stored

EXPIRED, CLOSED = finding("certificate.expired"), finding("port.https_closed")
SLOW = finding("app.slow", severity="warning")
LATER = NOW + timedelta(minutes=5)


def item_of(results: Results, site: str = SITE) -> dict[str, Any]:
    """Return a site's STATE item."""
    item = results.state(site)
    assert item is not None
    return item


def test_state_item_is_readable(results: Results) -> None:
    """The state has what people look for as plain attributes: no blob, numbers as numbers, times as text."""
    stored(results, report(EXPIRED, finding("app.slow", severity="warning"), expires=NOW + timedelta(days=9)))
    state = item_of(results)
    assert (state["status"], state["version"], state["seq"], state["applied_ticket"]) == ("error", 1, 1, 1)
    assert state["summary"] == "certificate expired: example.com, and 1 more"
    assert state["open"] == {"error": 1, "warning": 1}
    assert state["checked_at"] == state["last_conclusive"] == state["failing_since"] == "2026-11-20T12:00:00Z"
    assert state["findings"][0]["remediation"] == "sudo certbot renew"
    assert state["report"]["findings"] == ["certificate.expired example.com", "app.slow example.com"]
    assert state["report"]["timings"] == {"total": 0.1}
    assert state["certificate_expires"] == "2026-11-29T12:00:00Z"


def test_state_survives_the_table(results: Results) -> None:
    """What is read back is what was folded, so that the next run compares like with like."""
    judged = report(EXPIRED, finding("app.slow", "https://example.com/ü?a=1", severity="warning"))
    stored(results, judged)
    assert results.load(SITE).state == fold(State(), [judged, judged], POLICY)[0]


def test_history_row_is_compact(results: Results) -> None:
    """A run's row says what was found and what changed, and when it goes."""
    stored(results, report(EXPIRED), slot="1")
    stored(results, report(CLOSED, at=LATER), slot="2")
    newest, first = results.history(SITE)
    assert (first["opened"], first["resolved"]) == (["certificate.expired example.com"], [])
    assert newest["resolved"] == ["certificate.expired example.com"]
    assert (newest["status"], newest["findings"], newest["kind"]) == ("error", ["port.https_closed"], "applied")
    assert (newest["seconds"], newest["ttl"], newest["ticket"]) == (0.1, 2_000_000_000, 2)


def test_older_ticket_is_superseded(results: Results) -> None:
    """A run of an earlier slot that ends later is kept as history and moves nothing."""
    early, late = 1, 2
    assert saved(results, run_of(report(), late, "late"), report(at=LATER)) == "applied"
    assert saved(results, run_of(report(), early, "early"), report(EXPIRED)) == "superseded"
    state = item_of(results)
    assert (state["status"], state["applied_ticket"], state["seq"]) == ("ok", late, 1)
    assert {row["sk"]: row["kind"] for row in results.history(SITE)} == {
        "RUN#late": "applied",
        "RUN#early": "superseded",
    }


def test_same_run_twice_is_a_duplicate(results: Results) -> None:
    """A run is applied once, also under a newer ticket; its second outcome is dropped."""
    assert stored(results, report(EXPIRED), slot="1") == "applied"
    assert saved(results, run_of(report(), 1, "1"), report()) == "duplicate"
    assert stored(results, report(), slot="1") == "duplicate"
    assert (item_of(results)["status"], item_of(results)["version"]) == ("error", 1)
    assert len(list(results.history(SITE))) == 1


def test_conflicting_write_is_refused_and_recomputed(results: Results) -> None:
    """A state that was written since it was read is not overwritten; the run is folded anew onto it."""
    stale = results.load(SITE)
    slow, quick = 1, 2
    assert saved(results, run_of(report(EXPIRED), quick), report(EXPIRED)) == "applied"
    judged = report(EXPIRED, CLOSED, at=LATER)
    state, change = fold(stale.state, [judged], POLICY)
    assert change is not None
    assert results.apply(stale, run_of(judged, quick + 10), state, judged, None) == "conflict"
    assert next(iter(results.history(SITE)))["findings"] == ["certificate.expired"]
    assert results.apply(results.load(SITE), run_of(judged, slow), state, judged, None) == "superseded"
    assert stored(results, judged) == "applied"
    assert item_of(results)["seq"] == 2


def test_inconclusive_run_keeps_the_state(results: Results) -> None:
    """A run that saw nothing leaves status and findings, and says in its row why."""
    stored(results, report(EXPIRED, expires=LATER), slot="1")
    unseen = NotAssessed("tls.x", SITE, "the 30 seconds for this site ran out")
    stored(results, report(status="inconclusive", at=LATER, not_assessed=(unseen,)), slot="2")
    state = item_of(results)
    assert (state["status"], state["last_conclusive"]) == ("error", "2026-11-20T12:00:00Z")
    assert (state["checked_at"], state["report"]["status"]) == ("2026-11-20T12:05:00Z", "inconclusive")
    assert state["certificate_expires"] == "2026-11-20T12:05:00Z", "the certificate seen before keeps its place"
    assert next(results.history(SITE))["summary"] == "the 30 seconds for this site ran out"


def test_failing_since_is_the_first_failure(results: Results) -> None:
    """A failing site keeps the time since when, and loses it when it is well."""
    stored(results, report(EXPIRED))
    stored(results, report(CLOSED, at=LATER))
    assert item_of(results)["failing_since"] == "2026-11-20T12:00:00Z"
    stored(results, report(at=LATER))
    assert "failing" not in item_of(results)
    stored(results, report(CLOSED, at=LATER))
    assert item_of(results)["failing_since"] == "2026-11-20T12:05:00Z"


def test_all_of_a_state_survives_the_table(results: Results) -> None:
    """What is suspected, over and flapping comes back as it was, to the microsecond."""
    odd = timedelta(microseconds=123456)
    window = Policy(maintenance_until=LATER, successes=1)
    down = finding("port.https_closed", reachability=True)
    looks = [report(EXPIRED, SLOW, at=NOW + odd), report(down, at=LATER + odd)]
    expected = State()
    for look, policy in zip(looks, (Policy(), window), strict=True):
        expected, _ = fold(expected, [look], policy)
        stored(results, look, policy=policy, looks=1)
    state = results.load(SITE).state
    assert (len(state.pending), len(state.over)) == (1, 1)
    # Queries show the last conclusive time, so that it is stored as people read it.
    assert state == msgspec.structs.replace(expected, last_conclusive=LATER)
    flips = tuple(Flip(NOW + odd * number, ("app.slow", "dns.missing")) for number in range(6))
    last = flips[-1].at
    flapping = msgspec.structs.replace(expected, flips=flips, flapping_since=last, last_alert=last, blind=2)
    kept, _ = fitted(flapping, looks[-1])
    assert state_of(unmarshal(marshal(kept))) == flapping


def test_however_much_ends_in_a_window_is_told_afterwards(results: Results) -> None:
    """Of many errors that end while nothing is told, none is forgotten before it can be told."""
    stored(results, report(*(finding("x.y", f"h{number}.example.com") for number in range(200))))
    stored(results, report(at=LATER), policy=Policy(maintenance_until=LATER + timedelta(hours=1)))
    state = results.load(SITE).state
    assert len({one.key for one in state.over}) == 200
    assert state.over[0].observed == "expired 3 days ago"
    stored(results, report(at=LATER))
    assert results.load(SITE).state.over == ()


def test_status_alone_is_a_record_too(results: Results) -> None:
    """A change of status that nobody is told of is in the outbox, for machines, without a mail."""
    stored(results, report())
    stored(results, report(SLOW, at=LATER))
    first, second = results._query("site = :s AND begins_with(sk, :k)", {":s": SITE, ":k": "ALERT#"})
    assert (first["kind"], first["from"], first["to"], first["body"]) == ("status", "unknown", "ok", "")
    assert (second["kind"], second["from"], second["to"], second["seq"]) == ("status", "ok", "warning", 2)
    assert first["pending"] == second["pending"] == "alert"


def test_digest_can_pass_a_site_over(results: Results) -> None:
    """A site without a digest is in the list of failing sites with its errors alone."""
    stored(results, report(SLOW), policy=Policy(digest=False))
    assert "failing" not in item_of(results)
    assert item_of(results)["digest"] == "off"
    stored(results, report(EXPIRED, SLOW, at=LATER), policy=Policy(digest=False))
    assert item_of(results)["failing"] == "error"
    stored(results, report(SLOW, at=LATER))
    assert (item_of(results)["failing"], "digest" in item_of(results)) == ("warning", False)


# --- alerts without a run -----------------------------------------------------------------------------------------


def announced(results: Results, key: str, seen: list[int] | None = None) -> bool:
    """Announce an alert under a key; note the numbers that it was built with."""

    def build(seq: int) -> Alert:
        if seen is not None:
            seen.append(seq)
        return alert(seq, SITE, kind="test", subject="[Padlock] test")

    return results.announce(SITE, key, build, 2_000_000_000)


def test_announced_once_for_each_key(results: Results) -> None:
    """An alert that no run made takes the next number, once; runs go on behind it."""
    stored(results, report(EXPIRED))
    assert announced(results, "RUN#test-1")
    assert not announced(results, "RUN#test-1")
    assert announced(results, "RUN#test-2")
    stored(results, report())
    rows = results._query("site = :s AND begins_with(sk, :k)", {":s": SITE, ":k": "ALERT#"})
    assert [(row["seq"], row["kind"]) for row in rows] == [(1, "changed"), (2, "test"), (3, "test"), (4, "changed")]
    row = next(row for row in results.history(SITE) if row["sk"] == "RUN#test-1")
    assert (row["summary"], row["kind"], row["ttl"]) == ("[Padlock] test", "test", 2_000_000_000)


def test_announced_again_where_a_run_takes_the_number(results: Results) -> None:
    """Of two that want the same number the later one is built anew with the next."""
    seen: list[int] = []

    def build(seq: int) -> Alert:
        if not seen:
            stored(results, report(EXPIRED))
        seen.append(seq)
        return alert(seq, SITE)

    assert results.announce(SITE, "RUN#test", build, 2_000_000_000)
    assert seen == [1, 2]
    assert results.last_alert(SITE) == 2


# --- queries ------------------------------------------------------------------------------------------------------


def shown_query(aws: EmbeddedAws, output: str) -> list[dict[str, Any]]:
    """Run the `aws dynamodb query` command of a stack's output against its tables."""
    value: Any = aws.template["Outputs"][output]["Value"]
    words = shlex.split(value["Fn::Sub"].replace("${ResultsTable}", aws.physical["ResultsTable"]))
    option = dict(zip(words, [*words[1:], ""], strict=True))
    arguments: dict[str, Any] = {
        "TableName": option["--table-name"],
        "KeyConditionExpression": option["--key-condition-expression"],
        "ExpressionAttributeValues": json.loads(option["--expression-attribute-values"]),
        "ScanIndexForward": "--no-scan-index-forward" not in option,
    }
    if "--index-name" in option:
        arguments["IndexName"] = option["--index-name"]
    return [unmarshal(item) for item in aws.client("dynamodb").query(**arguments)["Items"]]


def test_queries_of_the_outputs(aws: EmbeddedAws, results: Results) -> None:
    """Each command that the stack prints finds what it promises, in the order that it promises."""
    stored(results, report(EXPIRED, expires=NOW + timedelta(days=2)), slot="2026-11-20T12:00:00Z")
    stored(results, report(EXPIRED, CLOSED, at=LATER), slot="2026-11-20T12:05:00Z")
    stored(results, report(CLOSED, site="b.example", at=LATER, expires=NOW + timedelta(days=1)))
    stored(results, report(site="well.example", expires=NOW + timedelta(days=3)))
    history_keys = [row["sk"] for row in shown_query(aws, "QueryHistory")]
    assert history_keys == ["RUN#2026-11-20T12:05:00Z", "RUN#2026-11-20T12:00:00Z"]
    state, head, told = shown_query(aws, "QueryState")
    assert (state["sk"], state["site"], state["status"]) == ("STATE", SITE, "error")
    assert (head["sk"], head["checked_at"], head["row"]) == ("STATE#HEAD", state["checked_at"], history_keys[0])
    assert (told["sk"], len(told["report"]["findings"])) == ("STATE#REPORT", 2)
    failing = shown_query(aws, "QueryFailing")
    assert [(row["site"], row["failing_since"]) for row in failing] == [
        (SITE, "2026-11-20T12:00:00Z"),
        ("b.example", "2026-11-20T12:05:00Z"),
    ]
    assert failing[0]["summary"] == "certificate expired: example.com, and 1 more"
    certificates = shown_query(aws, "QueryCertificates")
    assert [row["certificate_host"] for row in certificates] == ["b.example", SITE, "well.example"]
    assert certificates[0]["certificate_issuer"] == "CN=R11"


def told_at(aws: EmbeddedAws) -> str:
    """Return when the report was made that stands beside the state."""
    return str(shown_query(aws, "QueryState")[2]["report"]["checked_at"])


@pytest.mark.parametrize(
    ("later", "written"),
    [
        (report(EXPIRED, at=NOW + timedelta(minutes=5)), False),
        (report(EXPIRED, CLOSED, at=NOW + timedelta(minutes=5)), True),
        (report(EXPIRED, at=NOW + timedelta(days=1)), True),
    ],
    ids=["the same", "something new", "the day after"],
)
def test_report_is_written_where_it_says_something_new(
    aws: EmbeddedAws, results: Results, later: Report, written: bool
) -> None:
    """What says the same as before costs no write, but once a day; what is read has the time of the latest run."""
    stored(results, report(EXPIRED), slot="2026-11-20T12:00:00Z")
    before = told_at(aws)
    stored(results, later, slot="2026-11-20T12:05:00Z")
    assert (told_at(aws) != before) is written
    state = results.state(SITE)
    assert state is not None
    assert state["report"]["checked_at"] == state["checked_at"] == f"{later.checked_at:%Y-%m-%dT%H:%M:%SZ}"
    assert len(state["report"]["findings"]) == len(later.findings)


def test_state_without_its_report(aws: EmbeddedAws, results: Results) -> None:
    """A report that was removed by hand is missed by nobody, and comes back with the next that says something new."""
    stored(results, report(EXPIRED), slot="2026-11-20T12:00:00Z")
    key = {"site": {"S": SITE}, "sk": {"S": "STATE#REPORT"}}
    aws.client("dynamodb").delete_item(TableName=aws.physical["ResultsTable"], Key=key)
    assert (results.state(SITE) or {})["report"] == {}
    stored(results, report(EXPIRED, CLOSED, at=LATER), slot="2026-11-20T12:05:00Z")
    assert len((results.state(SITE) or {})["report"]["findings"]) == 2


def test_queries_of_the_library(results: Results) -> None:
    """The functions find the same."""
    stored(results, report(EXPIRED, expires=LATER))
    stored(results, report(site="well.example", expires=NOW))
    assert [row["site"] for row in results.failing()] == [SITE]
    assert [row["site"] for row in results.certificates()] == ["well.example", SITE]
    assert results.state("unknown.example") is None
    assert list(results.history("unknown.example")) == []


# --- sites --------------------------------------------------------------------------------------------------------


def test_sites_table(sites: Sites) -> None:
    """A declaration comes back as it was put; deleting says whether there was one."""
    declaration = {"name": SITE, "slow": 1.5, "ports": {"http": "closed", "https": 8443}, "hosts": [SITE], "x": None}
    sites.put(declaration)
    assert sites.get(SITE) == declaration
    assert sites.get("other.example") is None
    assert list(sites.all()) == [declaration]
    assert (sites.delete(SITE), sites.delete(SITE)) == (True, False)


def test_sites_of_many_pages(sites: Sites) -> None:
    """A scan goes on until the last page."""
    for number in range(5):
        sites.put({"name": f"s{number}.example", "labels": {"padding": "x" * 300_000}})
    assert {row["name"] for row in sites.all()} == {f"s{number}.example" for number in range(5)}


def test_impossible_number_is_refused_clearly(sites: Sites) -> None:
    """A number that DynamoDB cannot hold is named as such."""
    with pytest.raises(ValueError, match="38 digits"):
        sites.put({"name": SITE, "slow": 10**40 + 1})


# --- sizes --------------------------------------------------------------------------------------------------------


def size(*values: Any) -> int:
    """Return the octets of values in DynamoDB's form."""
    return len(json.dumps(marshal({"v": list(values)}), default=str, ensure_ascii=False).encode())


def huge(count: int, text: str) -> Report:
    """Return a report of many findings, each text of which is long."""
    found = [finding("x.y", f"h{n}.example.com", observed=text, expected=text, impact=text) for n in range(count)]
    unseen = tuple(NotAssessed("y.z", f"h{n}.example.com", text) for n in range(count))
    return report(*found, not_assessed=unseen)


@pytest.mark.parametrize("text", ["x" * 6_000, "ü😀" * 3_000, "\x00\\" * 3_000])
@pytest.mark.parametrize("count", [3, 40, 600])
def test_huge_report_fits_and_keeps_every_key(count: int, text: str) -> None:
    """However large a report is, its item fits, what was cut is marked, and no open finding is forgotten."""
    judged = huge(count, text)
    state, _ = fold(State(), [judged], POLICY)
    kept, shown = fitted(state, judged)
    assert size(kept, shown) < 400_000
    assert [(*one.key, one.since, one.told, one.severity) for one in state_of(kept).findings] == [
        (*one.key, one.since, one.told, one.severity) for one in state.findings
    ]
    assert f"(cut, {len(text)} characters)" in kept["findings"][0]["observed"]
    assert shown.get("cut", {}).get("findings", len(shown["findings"])) == count


def test_huge_report_is_stored_and_silent_the_next_time(results: Results) -> None:
    """Cutting what is stored makes no alert at the next run."""
    assert stored(results, huge(150, "y" * 20_000)) == "applied"
    assert stored(results, huge(150, "y" * 20_000)) == "applied"
    assert item_of(results)["seq"] == 1
    assert item_of(results)["open"] == {"error": 150}


def test_ordinary_report_is_not_cut() -> None:
    """What fits is stored whole."""
    judged = report(EXPIRED)
    state, _ = fold(State(), [judged], POLICY)
    kept, shown = fitted(state, judged)
    assert size(kept, shown) < MAX_ITEM
    assert "cut" not in shown
    assert state_of(kept) == state


def test_lone_surrogate_does_not_stop_a_run(results: Results) -> None:
    """Text that has no UTF-8 form is stored with a replacement."""
    assert stored(results, report(finding("x.y", "a\udc80b", observed="\ud800"))) == "applied"
    assert results.load(SITE).state.findings[0].severity is Severity.ERROR
    assert stored(results, report(finding("x.y", "a\udc80b", observed="\ud800"))) == "applied"
    assert item_of(results)["seq"] == 1


def test_unseen_site_has_an_empty_state(results: Results) -> None:
    """A site without items starts from nothing."""
    assert results.load("new.example") == Stored()
