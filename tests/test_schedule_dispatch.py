"""A tick sends each due site once, none is lost or doubled, whatever happens to ticks, messages and functions."""

import itertools
import json
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from padlock.schedule import Dispatched, Queue, Tick, dispatch, is_due, previous
from padlock.site import key_of
from padlock.storage import Sites
from padlock.storage.edits import Edits
from padlock.storage.sites import ELSEWHERE
from padlock.storage.ticks import LastTick, Ticks

from local.aws import EmbeddedAws

NOW = datetime.now(UTC).replace(microsecond=0)
HOUR = timedelta(hours=1)
NAMES = [f"site{number}.example" for number in range(200)]
SLOT = f"{NOW:%Y-%m-%dT%H:%M:%SZ}"


@pytest.fixture
def ticks(aws: EmbeddedAws) -> Ticks:
    """Return the memory of dispatch."""
    return Ticks(aws.client("dynamodb"), aws.physical["ResultsTable"])


@pytest.fixture
def queue(aws: EmbeddedAws) -> Queue:
    """Return the queue."""
    return Queue(aws.client("sqs"), aws.physical["CheckQueue"])


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every page hold two rows."""
    monkeypatch.setattr("padlock.schedule.dispatching.PAGE", 2)


def for_ever() -> float:
    """Return the time left of a function that has enough of it, seconds."""
    return 60


def queued(aws: EmbeddedAws) -> list[dict[str, Any]]:
    """Return the messages that came into the queue since the last look."""
    sqs, url = aws.client("sqs"), aws.physical["CheckQueue"]
    found: list[dict[str, Any]] = []
    while received := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=0).get("Messages"):
        found += [json.loads(message["Body"]) for message in received]
    return found


def fill(aws: EmbeddedAws, *declarations: dict[str, Any]) -> None:
    """Write many declarations of texts alone."""
    dynamodb, name = aws.client("dynamodb"), aws.physical["SitesTable"]
    rows = [{"PutRequest": {"Item": {k: {"S": v} for k, v in one.items()}}} for one in declarations]
    for some in itertools.batched(rows, 25, strict=False):
        dynamodb.batch_write_item(RequestItems={name: list(some)})


def test_every_site_is_sent_once(aws: EmbeddedAws, ticks: Ticks, sites: Sites, queue: Queue) -> None:
    """All segments together find all that is declared, once each, and the tick is remembered."""
    fill(aws, *({"name": name} for name in NAMES))
    done = dispatch(ticks, sites, "bare.example, site7.example", queue, NOW, for_ever)
    assert done == Dispatched(SLOT, 201, 201, 201, 0)
    sent = queued(aws)
    assert Counter(str(m["site"]) for m in sent) == Counter([*(str({"name": n}) for n in NAMES), "bare.example"])
    assert {m["slot"] for m in sent} == {SLOT}
    assert ticks.last() == LastTick(NOW, None, 201, ("bare.example", "site7.example"))


@pytest.mark.usefixtures("small_pages")
@pytest.mark.parametrize("known", [None, 0, 999, 1000, 5500, 100_000])
def test_number_of_segments_loses_nobody(
    aws: EmbeddedAws, ticks: Ticks, sites: Sites, queue: Queue, known: int | None
) -> None:
    """However many sites the last tick counted, and so however the table is divided, each site is sent once."""
    ticks.save(LastTick(NOW - HOUR, None, known, ()))
    fill(aws, *({"name": name} for name in NAMES[:30]))
    assert dispatch(ticks, sites, "", queue, NOW, for_ever).sent == 30
    assert Counter(m["site"]["name"] for m in queued(aws)) == Counter(NAMES[:30])


def test_repeated_tick_sends_nothing(aws: EmbeddedAws, ticks: Ticks, sites: Sites, queue: Queue) -> None:
    """A tick that was dispatched in full does nothing when it comes again, nor does one that a later one covered."""
    fill(aws, *({"name": name} for name in NAMES[:5]))
    dispatch(ticks, sites, "bare.example", queue, NOW, for_ever)
    assert len(queued(aws)) == 6
    for at in (NOW, NOW - timedelta(minutes=5)):
        assert dispatch(ticks, sites, "bare.example", queue, at, for_ever).sent == 0
    assert queued(aws) == []
    assert ticks.last() == LastTick(NOW, None, 6, ("bare.example",))


def test_missed_ticks_sites_run_with_the_next(aws: EmbeddedAws, ticks: Ticks, sites: Sites, queue: Queue) -> None:
    """A tick covers the time since the last one that was dispatched in full."""
    fill(aws, *({"name": name, "interval": "1h"} for name in NAMES[:50]))
    ticks.save(LastTick(NOW - HOUR, None))
    for name in NAMES[:50]:
        sites.mark(name, "earlier")
    assert dispatch(ticks, sites, "", queue, NOW, for_ever).sent == 50
    soon = NOW + timedelta(minutes=5)
    expected = [name for name in NAMES[:50] if is_due(name, 3600, Tick(soon, NOW))]
    queued(aws)
    done = dispatch(ticks, sites, "", queue, soon, for_ever)
    assert (done.sites, done.due, done.sent) == (50, len(expected), len(expected))
    assert sorted(m["site"]["name"] for m in queued(aws)) == sorted(expected)


def test_slot_before_the_last_one(ticks: Ticks) -> None:
    """The slot before is told of the last tick alone, and only where there was one."""
    assert previous(ticks, NOW) is None
    ticks.save(LastTick(NOW - HOUR, None))
    assert previous(ticks, NOW - HOUR) is None
    ticks.save(LastTick(NOW, NOW - HOUR))
    assert previous(ticks, NOW) == f"{NOW - HOUR:%Y-%m-%dT%H:%M:%SZ}"
    assert previous(ticks, NOW - HOUR) is None


# --- what is declared ---------------------------------------------------------------------------------------------


def test_table_wins_over_the_parameter(aws: EmbeddedAws, ticks: Ticks, sites: Sites, queue: Queue) -> None:
    """A site that stands in both is declared by the table; names are compared as hosts."""
    row = {"name": "A.example", "hsts": "off"}
    sites.put(row)
    assert dispatch(ticks, sites, "a.example, B.example ,,b.example", queue, NOW, for_ever).sites == 2
    assert sorted((m["site"] for m in queued(aws)), key=str) == ["b.example", row]


def test_one_site_under_several_spellings_runs_once(
    aws: EmbeddedAws, ticks: Ticks, sites: Sites, queue: Queue, caplog: pytest.LogCaptureFixture
) -> None:
    """Of rows that mean the same site the normal name counts, else the first of them; the log has the others."""
    for name in ("A.example", "a.example", "a.example.", "b.EXAMPLE", "B.example"):
        sites.put({"name": name})
    for at in (NOW, NOW + HOUR):
        assert dispatch(ticks, sites, "b.example", queue, at, for_ever).sites == 2
        assert sorted(m["site"]["name"] for m in queued(aws)) == ["B.example", "a.example"]
    assert sum("is left out" in entry.getMessage() for entry in caplog.records) == 6


def test_spelling_that_counts_is_noted(aws: EmbeddedAws, ticks: Ticks, sites: Sites, queue: Queue) -> None:
    """A tick notes which other spelling declares a site, once, and anew where another one does; it sends no note."""
    for name in ("A.Example", "a.example.", "bücher.example", "normal.example", "Normal.example", "not/A host", " "):
        sites.put({"name": name})
    expected = {"a.example": "A.Example", "xn--bcher-kva.example": "bücher.example"}
    for at in (NOW, NOW + HOUR):
        assert dispatch(ticks, sites, "", queue, at, for_ever).sites == 5
        assert {row["name"]: row[ELSEWHERE] for row in sites.rows() if ELSEWHERE in row} == expected
        assert [m["site"].keys() for m in queued(aws)] == [{"name"}] * 5
    assert sites.find("a.example") == {"name": "A.Example"}
    sites.delete("A.Example")
    dispatch(ticks, sites, "", queue, NOW + 2 * HOUR, for_ever)
    assert sites.find("a.example") == {"name": "a.example."}


def test_noting_a_spelling_costs_one_write(
    aws: EmbeddedAws, ticks: Ticks, sites: Sites, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once a spelling is noted, no tick writes it again."""
    fill(aws, *({"name": name.upper()} for name in NAMES[:30]))
    written: list[str] = []
    point = Sites.point

    def counted(self: Sites, key: str, spelled: str) -> None:
        written.append(key)
        point(self, key, spelled)

    monkeypatch.setattr(Sites, "point", counted)
    for at in (NOW, NOW + HOUR, NOW + 2 * HOUR):
        dispatch(ticks, sites, "", queue, at, for_ever)
    assert sorted(written) == sorted(NAMES[:30])


def test_what_only_acknowledges_declares_nothing(aws: EmbeddedAws, ticks: Ticks, sites: Sites, queue: Queue) -> None:
    """What is acknowledged of a site of the parameter is sent with it; once it leaves the parameter, it is gone.

    An item of another spelling declares it in the parameter's place.
    """
    edits = Edits(aws.client("dynamodb"), aws.physical["SitesTable"])
    known = [{"code": "*", "until": "2999-01-01"}]
    for name in ("a.example", "b.example", "c.example"):
        edits.change(name, "acknowledge", lambda _: known, elsewhere=name)
    sites.put({"name": "B.example"})
    assert dispatch(ticks, sites, "A.Example,b.example", queue, NOW, for_ever).sites == 2
    sent = sorted((m["site"] for m in queued(aws)), key=lambda site: str(site["name"]).lower())
    assert sent == [{"name": "a.example", "acknowledge": known}, {"name": "B.example"}]
    assert dispatch(ticks, sites, "b.example", queue, NOW + HOUR, for_ever).sites == 1
    assert [m["site"] for m in queued(aws) if "removed" in m] == ["a.example"]
    assert dispatch(ticks, sites, "b.example", queue, NOW + 2 * HOUR, for_ever).sites == 1
    assert [m["site"] for m in queued(aws)] == [{"name": "B.example"}]


def test_first_spelling_counts_wherever_it_stands(aws: EmbeddedAws, ticks: Ticks, sites: Sites, queue: Queue) -> None:
    """Which of several spellings counts does not depend on the segments that they are in."""
    words = [f"shop{number}.example" for number in range(12)]
    fill(aws, *({"name": name} for word in words for name in (word.upper(), word.capitalize(), word + ".")))
    dispatch(ticks, sites, "", queue, NOW, for_ever)
    assert sorted(m["site"]["name"] for m in queued(aws)) == sorted(word.upper() for word in words)


@pytest.mark.usefixtures("small_pages")
def test_names_for_the_end_go_on_where_they_were_left(
    aws: EmbeddedAws, ticks: Ticks, sites: Sites, queue: Queue
) -> None:
    """The parameter's names that were sent before the time was over are not sent again."""
    ticks.save(LastTick(NOW - HOUR, None, 0, ()))
    left = iter([60.0, 60.0, 60.0])
    first = dispatch(ticks, sites, ",".join(NAMES[:9]), queue, NOW, lambda: next(left, 1.0))
    assert (first.sent, first.unfinished) == (4, 1)
    second = dispatch(ticks, sites, ",".join(NAMES[:9]), queue, NOW, for_ever)
    assert (second.sent, second.due, second.unfinished) == (5, 9, 0)
    assert sorted(m["site"] for m in queued(aws)) == sorted(NAMES[:9])


def test_new_site_of_a_long_interval_runs_at_the_next_tick(
    aws: EmbeddedAws, ticks: Ticks, sites: Sites, queue: Queue
) -> None:
    """A site that was just added is checked at once, then in its turn; put anew it is checked at once again."""
    start = NOW - HOUR
    dispatch(ticks, sites, "", queue, start, for_ever)
    waits = next(name for name in NAMES if not is_due(name, 7 * 86400, Tick(NOW, start)))
    weekly = {"name": waits, "interval": "7d"}
    sites.put(weekly)
    minutes = [start + timedelta(minutes=5 * number) for number in range(1, 4)]
    assert [dispatch(ticks, sites, "", queue, at, for_ever).sent for at in minutes] == [1, 0, 0]
    assert list(sites.all()) == [weekly], "the mark is no part of the declaration"
    sites.put(weekly)
    assert dispatch(ticks, sites, "", queue, NOW, for_ever).sent == 1
    assert [m["site"] for m in queued(aws)] == 2 * [weekly]


@pytest.mark.usefixtures("small_pages")
def test_many_new_sites_are_taken_in_by_and_by(
    aws: EmbeddedAws, ticks: Ticks, sites: Sites, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tick takes in a bounded number of new sites; each is taken in once."""
    monkeypatch.setattr("padlock.schedule.dispatching.MAX_NEW", 12)
    ticks.save(LastTick(NOW - HOUR, None))
    waiting = [name for name in NAMES if not is_due(name, 7 * 86400, Tick(NOW + HOUR, NOW - HOUR))][:30]
    fill(aws, *({"name": name, "interval": "7d"} for name in waiting))
    at = [NOW + timedelta(minutes=5 * number) for number in range(4)]
    assert [dispatch(ticks, sites, "", queue, one, for_ever).sent for one in at] == [12, 12, 6, 0]
    assert Counter(m["site"]["name"] for m in queued(aws)) == Counter(waiting)


def test_binary_attribute_stops_nobody(aws: EmbeddedAws, ticks: Ticks, sites: Sites, queue: Queue) -> None:
    """An item with binary attributes, alone or in a set, is sent as a wrong entry; the other sites are sent too."""
    sites.put({"name": "good.example"})
    odd = {"name": {"S": "odd.example"}, "private_ca": {"B": b"\xff"}, "hosts": {"BS": [b"a"]}}
    aws.client("dynamodb").put_item(TableName=aws.physical["SitesTable"], Item=odd)
    assert dispatch(ticks, sites, "", queue, NOW, for_ever).sent == 2
    sent = {str(m["site"]): m.get("error", "") for m in queued(aws)}
    assert set(sent) == {"{'name': 'good.example'}", "odd.example"}
    assert "private_ca" in sent["odd.example"]
    assert "hosts" in sent["odd.example"]


# --- the queue ----------------------------------------------------------------------------------------------------


class Flaky:
    """An SQS client that refuses messages the first times that it sees them."""

    def __init__(self, sqs: Any, refusals: int) -> None:
        self._sqs = sqs
        self._left = refusals

    def send_message_batch(self, **arguments: Any) -> Any:
        """Send all but the first entry while refusals are left."""
        if not self._left:
            return self._sqs.send_message_batch(**arguments)
        self._left -= 1
        refused, *rest = arguments["Entries"]
        answer = self._sqs.send_message_batch(**arguments | {"Entries": rest}) if rest else {"Successful": []}
        return {**answer, "Failed": [{"Id": refused["Id"], "SenderFault": False, "Code": "InternalError"}]}


def test_refused_entries_are_sent_again(aws: EmbeddedAws, ticks: Ticks, sites: Sites) -> None:
    """What the queue did not take at first is sent again, and only that."""
    queue = Queue(Flaky(aws.client("sqs"), 2), aws.physical["CheckQueue"])  # type: ignore[arg-type]
    assert dispatch(ticks, sites, ",".join(NAMES[:5]), queue, NOW, for_ever).failed == 0
    assert sorted(message["site"] for message in queued(aws)) == NAMES[:5]


def test_tick_that_fails_is_not_remembered(aws: EmbeddedAws, ticks: Ticks, sites: Sites, queue: Queue) -> None:
    """Where the queue refuses a site for good the tick counts as missed; it comes again and sends what is left."""
    fill(aws, *({"name": name} for name in NAMES[:40]))
    broken = Queue(Flaky(aws.client("sqs"), 99), aws.physical["CheckQueue"])  # type: ignore[arg-type]
    ticks.save(LastTick(NOW - HOUR, None, 40, ()))
    done = dispatch(ticks, sites, "bare.example", broken, NOW, for_ever)
    assert done.failed > 0
    assert ticks.last() == LastTick(NOW - HOUR, None, 40, ())
    again = dispatch(ticks, sites, "bare.example", queue, NOW, for_ever)
    assert (again.failed, again.due) == (0, 41)
    assert {str(m["site"]) for m in queued(aws)} == {*(str({"name": n}) for n in NAMES[:40]), "bare.example"}


# --- what breaks it off -------------------------------------------------------------------------------------------


class Crash(BaseException):
    """The end of a Lambda function in the middle: nothing of ours catches it."""


class Fault:
    """What happens at one call of all the clients that share it."""

    def __init__(self, at: int, kind: str) -> None:
        self._at, self._kind = at, kind
        self._calls = itertools.count()
        self._dead = False
        self.reached = False

    def call(self, operation: Callable[..., Any], arguments: dict[str, Any]) -> Any:
        """Call an operation, unless it is its turn to fail."""
        if self._dead:
            raise Crash  # who has ended sends nothing more
        here = next(self._calls) == self._at
        self.reached |= here
        if here and self._kind == "refused":
            raise ClientError({"Error": {"Code": "ThrottlingException", "Message": "as the test wants"}}, "Call")
        self._dead = here
        if here and self._kind == "crash before":
            raise Crash
        answer = operation(**arguments)
        if here:
            raise Crash
        return answer


class Client:
    """A client of AWS that has a fault."""

    def __init__(self, client: Any, fault: Fault) -> None:
        self._client, self._fault = client, fault

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client, name)
        return found if name == "exceptions" else lambda **arguments: self._fault.call(found, arguments)


@pytest.mark.usefixtures("small_pages")
@pytest.mark.parametrize("kind", ["crash before", "crash after", "refused"])
def test_interrupted_tick_goes_on(
    aws: EmbeddedAws, ticks: Ticks, sites: Sites, queue: Queue, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """A tick that breaks off at any call and comes again sends every due site of its slot, and nothing else."""
    monkeypatch.setattr("padlock.storage.sites.SEGMENTS", 2)
    monkeypatch.setattr("padlock.schedule.dispatching.SITES_OF_A_SEGMENT", 1)
    dynamodb, sqs = aws.client("dynamodb"), aws.client("sqs")
    declared = [{"name": name} for name in (*NAMES[:5], "B.example", "b.example.", "C.example", "c.example")]
    fill(aws, *declared)
    weekly = {"name": "weekly.example", "interval": "7d"}
    chosen = [one for one in declared if one["name"] not in ("b.example.", "C.example")]
    expected = {key_of(one): one for one in (*chosen, weekly)} | {"bare.example": "bare.example"}
    at = NOW - timedelta(days=300)
    for number in itertools.count():
        at += HOUR
        sites.put(weekly)
        ticks.save(LastTick(at, at - HOUR, 1, ("bare.example", "gone.example")))
        at += HOUR
        fault = Fault(number, kind)
        client: Any = Client(dynamodb, fault)
        broken = Queue(Client(sqs, fault), aws.physical["CheckQueue"])  # type: ignore[arg-type]
        dead = Ticks(client, aws.physical["ResultsTable"]), Sites(client, aws.physical["SitesTable"])
        try:
            dispatch(*dead, "bare.example", broken, at, for_ever)
        except (Crash, ClientError):
            assert fault.reached
        done = dispatch(ticks, sites, "bare.example", queue, at, for_ever)
        assert (done.failed, done.unfinished) == (0, 0)
        sent = queued(aws)
        assert {m["slot"] for m in sent} == {f"{at:%Y-%m-%dT%H:%M:%SZ}"}
        runs = [m for m in sent if "removed" not in m]
        assert all(m["site"] == expected[key_of(m["site"])] for m in runs)
        assert {key_of(m["site"]) for m in runs} == expected.keys(), f"call {number}"
        assert {m["site"] for m in sent if "removed" in m} == {"gone.example"}, f"call {number}"
        assert len(sent) <= len(expected) + 1 + 6, "no more comes twice than the pages that were under way"
        assert dispatch(ticks, sites, "bare.example", queue, at, for_ever).sent == 0
        if not fault.reached:
            break
    assert number > 20


@pytest.mark.usefixtures("small_pages")
def test_tick_without_time_goes_on(aws: EmbeddedAws, ticks: Ticks, sites: Sites, queue: Queue) -> None:
    """A tick that has no more time stops between pages and says so; when it comes again it sends the others."""
    names = [*NAMES[:30], "B.example", "C.example", "D.example"]
    fill(aws, *({"name": name} for name in names))
    parts: list[Dispatched] = []
    while not parts or parts[-1].unfinished:
        assert ticks.last() is None
        left = itertools.chain([60.0] * 9, itertools.repeat(9.0))
        parts.append(dispatch(ticks, sites, "bare.example", queue, NOW, left.__next__))
        assert len(parts) < 20
    assert len(parts) > 2
    assert all(part.failed == 0 and part.sent <= 18 for part in parts)
    assert parts[-1].due == sum(part.sent for part in parts) == len(names) + 1
    sent = Counter(m["site"] if isinstance(m["site"], str) else m["site"]["name"] for m in queued(aws))
    assert sent == Counter([*names, "bare.example"])
    assert ticks.last() == LastTick(NOW, None, len(names) + 1, ("bare.example",))


def test_no_time_at_all_sends_nothing(aws: EmbeddedAws, ticks: Ticks, sites: Sites, queue: Queue) -> None:
    """A function that is called with no time left does nothing, and does not call that a dispatched tick."""
    sites.put({"name": "a.example"})
    done = dispatch(ticks, sites, "bare.example", queue, NOW, lambda: 1.0)
    assert (done.sent, done.unfinished) == (0, 9)
    assert queued(aws) == []
    assert ticks.last() is None


@pytest.mark.usefixtures("small_pages")
def test_two_at_the_same_time_send_one_slot(aws: EmbeddedAws, ticks: Ticks, sites: Sites, queue: Queue) -> None:
    """A tick that is delivered twice at once sends no other messages than one, and leaves no site out."""
    fill(aws, *({"name": name} for name in NAMES[:10]))
    second: list[Dispatched] = []

    def other_function() -> float:
        if not second:
            second.append(Dispatched("", 0, 0, 0, 0))
            second[0] = dispatch(ticks, sites, "bare.example", queue, NOW, for_ever)
        return 60

    dispatch(ticks, sites, "bare.example", queue, NOW, other_function)
    sent = {str(m["site"]) + m["slot"] for m in queued(aws)}
    assert sent == {*(str({"name": n}) + SLOT for n in NAMES[:10]), "bare.example" + SLOT}
    assert second[0].failed == 0
    assert ticks.last() == LastTick(NOW, None, 11, ("bare.example",))


# --- names that left the parameter --------------------------------------------------------------------------------


def test_name_that_left_the_parameter_is_removed(aws: EmbeddedAws, ticks: Ticks, sites: Sites, queue: Queue) -> None:
    """What is in the last tick's list alone gets one message that it is gone; what the table declares does not."""
    dispatch(ticks, sites, "a.example, Moved.example, SPELLED.example, c.example", queue, NOW - HOUR, for_ever)
    queued(aws)
    sites.put({"name": "moved.example"})
    sites.put({"name": "Spelled.Example"})
    dispatch(ticks, sites, "C.EXAMPLE", queue, NOW, for_ever)
    removed = [m for m in queued(aws) if "removed" in m]
    assert removed == [{"site": "a.example", "slot": SLOT, "removed": True}]
    dispatch(ticks, sites, "c.example", queue, NOW + HOUR, for_ever)
    assert [m["site"] for m in queued(aws) if "removed" in m] == []


def test_first_tick_of_this_version_removes_nothing(
    aws: EmbeddedAws, ticks: Ticks, sites: Sites, queue: Queue
) -> None:
    """A tick that a version before remembered has no list: nobody can say what left it."""
    item = {
        "site": {"S": "#dispatch"},
        "sk": {"S": "TICK"},
        "at": {"S": "2026-11-20T12:00:00Z"},
        "since": {"NULL": True},
    }
    aws.client("dynamodb").put_item(TableName=aws.physical["ResultsTable"], Item=item)
    assert ticks.last() == LastTick(datetime(2026, 11, 20, 12, tzinfo=UTC))
    assert dispatch(ticks, sites, "a.example", queue, NOW, for_ever).sent == 1
    assert [m["site"] for m in queued(aws)] == ["a.example"]
