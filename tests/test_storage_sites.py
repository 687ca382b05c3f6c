"""The Sites table: what is put comes back, page by page, by many names, and as DynamoDB types of every kind."""

from typing import Any

import pytest
from boto3.dynamodb.types import TypeDeserializer
from padlock.storage import MARK, Sites
from padlock.storage._items import marshal
from padlock.storage._plain import plain, unmarshal
from padlock.storage.edits import Edits
from padlock.storage.sites import ELSEWHERE

from local.aws import EmbeddedAws

NAMES = [f"site{number}.example" for number in range(230)]
EVERY_KIND: dict[str, Any] = {
    "name": "a.example",
    "health": {"path": "/", "status": [200, 204], "json": {"ok": True, "gone": None}},
    "slow": 2.5,
    "ports": {"https": 8443, "http": "closed"},
    "empty": {"list": [], "map": {}, "text": ""},
    "S": {"S": "a map whose only key is a type's name"},
    "binary": b"\x00\xff",
}


@pytest.fixture
def filled(aws: EmbeddedAws, sites: Sites) -> Sites:
    """Return a table with many rows."""
    for start in range(0, len(NAMES), 25):
        rows = [{"PutRequest": {"Item": {"name": {"S": name}}}} for name in NAMES[start : start + 25]]
        aws.client("dynamodb").batch_write_item(RequestItems={aws.physical["SitesTable"]: rows})
    return sites


def test_every_kind_of_value_comes_back(sites: Sites) -> None:
    """A declaration comes back equal, in all ways to read it."""
    sites.put(EVERY_KIND)
    assert sites.get("a.example") == EVERY_KIND
    assert list(sites.all()) == list(sites.rows()) == list(sites.page(0, 1, None).rows) == [EVERY_KIND]
    assert sites.get_many(["a.example", "b.example"]) == {"a.example": EVERY_KIND}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"N": "5"}, 5),
        ({"N": "-0.25"}, -0.25),
        ({"N": "100.0"}, 100),
        ({"N": "1E+3"}, 1000),
        ({"N": "12345678901234567890123456789012345678"}, 12345678901234567890123456789012345678),
        ({"NS": ["1", "2.5"]}, [1, 2.5]),
        ({"SS": ["b", "a"]}, ["b", "a"]),
        ({"BS": [b"a"]}, [b"a"]),
        ({"NULL": True}, None),
        ({"BOOL": False}, False),
    ],
)
def test_value_is_plain(value: dict[str, Any], expected: Any) -> None:
    """Numbers are Python's own, sets are lists."""
    assert plain(value) == expected
    assert type(plain(value)) is type(expected)


def test_plain_is_what_boto3_would_say() -> None:
    """What is read is what was written, and what boto3 reads in its slower way."""
    stored = marshal(EVERY_KIND)
    by_boto3 = {name: TypeDeserializer().deserialize(value) for name, value in stored.items()}
    assert unmarshal(stored) == by_boto3 == EVERY_KIND


def test_unknown_type_is_named() -> None:
    """A type that DynamoDB does not have is an error, not a value."""
    with pytest.raises(ValueError, match="'X' is no type"):
        plain({"X": "?"})


@pytest.mark.parametrize(("segments", "limit"), [(1, None), (1, 7), (4, 7), (8, 100)])
def test_segments_and_pages_make_up_the_table(filled: Sites, segments: int, limit: int | None) -> None:
    """The pages of all segments have every row once; none is longer than asked."""
    found: list[str] = []
    for segment in range(segments):
        after, more = None, True
        while more:
            page = filled.page(segment, segments, after, limit)
            assert len(page.rows) <= (limit or len(NAMES))
            found += [row["name"] for row in page.rows]
            after, more = page.after, page.after is not None
    assert sorted(found) == sorted(NAMES)


def test_wanted_names(filled: Sites) -> None:
    """Those names are found that are wanted, each once."""
    assert sorted(filled.names(lambda name: name.endswith("7.example"))) == sorted(
        name for name in NAMES if name.endswith("7.example")
    )


def test_many_by_name(filled: Sites) -> None:
    """More rows than one request gives come by their names, with their marks; names without a row are left out."""
    filled.mark(NAMES[3], "slot")
    found = filled.get_many([*NAMES, "none.example", NAMES[0]])
    assert found.keys() == set(NAMES)
    assert (found[NAMES[3]], found[NAMES[4]]) == ({"name": NAMES[3], MARK: "slot"}, {"name": NAMES[4]})
    assert filled.get_many([]) == {}


class Busy:
    """A client of DynamoDB that gives at most a number of the items that are asked for."""

    def __init__(self, client: Any, most: int) -> None:
        self._client, self._most = client, most

    def batch_get_item(self, RequestItems: Any) -> Any:  # noqa: N803 — boto3's name
        """Answer for the first keys, and name the others as not processed."""
        ((table, asked),) = RequestItems.items()
        now, later = asked["Keys"][: self._most], asked["Keys"][self._most :]
        answer: dict[str, Any] = {"Responses": {table: []}}
        if now:
            answer = self._client.batch_get_item(RequestItems={table: asked | {"Keys": now}})
        return answer | {"UnprocessedKeys": {table: asked | {"Keys": later}} if later else {}}


def test_busy_table_is_asked_until_all_is_there(aws: EmbeddedAws, filled: Sites) -> None:
    """Items that an answer leaves out are asked for again."""
    assert len(list(filled.rows())) == len(NAMES)
    busy = Sites(Busy(aws.client("dynamodb"), 17), aws.physical["SitesTable"])  # type: ignore[arg-type]
    assert busy.get_many(NAMES).keys() == set(NAMES)


def test_table_that_gives_nothing_is_told(aws: EmbeddedAws, sites: Sites, monkeypatch: pytest.MonkeyPatch) -> None:
    """A table that gives none of the items, again and again, is an error: they may exist."""
    sites.put({"name": "a.example"})
    monkeypatch.setattr("padlock.storage.sites.ATTEMPTS", 3)
    busy = Sites(Busy(aws.client("dynamodb"), 0), aws.physical["SitesTable"])  # type: ignore[arg-type]
    with pytest.raises(TimeoutError, match="none of 1 items in 3 attempts"):
        busy.get_many(["a.example"])


def test_mark_revives_no_removed_site(sites: Sites) -> None:
    """A site that was removed while it was dispatched stays removed."""
    sites.mark("gone.example", "2026-11-20T17:05:00Z")
    assert list(sites.rows()) == []


# --- items that declare nothing -----------------------------------------------------------------------------------


@pytest.fixture
def elsewhere(aws: EmbeddedAws, sites: Sites) -> Sites:
    """Return a table with one declaration, and items that declare nothing of two sites, acknowledged and not."""
    sites.put({"name": "A.Example", "health": "/up"})
    sites.point("a.example", "A.Example")
    edits = Edits(aws.client("dynamodb"), aws.physical["SitesTable"])
    edits.change("bare.example", "acknowledge", lambda _: ["known"], elsewhere="Bare.example")
    return sites


def test_an_item_that_declares_nothing_is_no_declaration(elsewhere: Sites) -> None:
    """Who asks for declarations gets none of those items; who asks for items as they are gets all."""
    assert [row["name"] for row in elsewhere.all()] == ["A.Example"]
    assert elsewhere.names(lambda _: True) == ["A.Example"]
    assert elsewhere.some(lambda row: "health" in row, "health") == [{"name": "A.Example", "health": "/up"}]
    assert elsewhere.get("a.example") is None
    assert elsewhere.get("bare.example") is None
    assert elsewhere.get_many(["a.example", "bare.example"]) == {
        "a.example": {"name": "a.example", ELSEWHERE: "A.Example"},
        "bare.example": {"name": "bare.example", ELSEWHERE: "Bare.example", "acknowledge": ["known"]},
    }
    assert len(list(elsewhere.rows())) == 3


def test_a_site_is_found_where_it_is_declared(elsewhere: Sites) -> None:
    """By its normal name a site is found under the spelling that is noted, until that one is gone or put anew."""
    assert elsewhere.find("a.example") == {"name": "A.Example", "health": "/up"}
    assert elsewhere.find("bare.example") is None
    assert elsewhere.find("none.example") is None
    assert elsewhere.delete("A.Example")
    assert elsewhere.find("a.example") is None
    elsewhere.put({"name": "a.example", "slow": 3})
    elsewhere.mark("a.example", "slot")
    assert elsewhere.find("a.example") == {"name": "a.example", "slow": 3}


def test_a_spelling_is_noted_beside_no_declaration(elsewhere: Sites) -> None:
    """A declaration under the normal name is never made one that declares nothing; what is acknowledged stays."""
    elsewhere.point("A.Example", "a.EXAMPLE")
    assert elsewhere.get("A.Example") == {"name": "A.Example", "health": "/up"}
    elsewhere.point("bare.example", "BARE.example")
    assert elsewhere.get_many(["bare.example"])["bare.example"] == {
        "name": "bare.example",
        ELSEWHERE: "BARE.example",
        "acknowledge": ["known"],
    }


def test_only_declarations_are_removed(elsewhere: Sites) -> None:
    """A site is removed by its normal name too; what is acknowledged of one of the parameter stays."""
    assert elsewhere.delete("a.example")
    assert list(elsewhere.all()) == []
    assert not elsewhere.delete("a.example")
    assert not elsewhere.delete("bare.example")
    assert elsewhere.get_many(["bare.example"])["bare.example"]["acknowledge"] == ["known"]


def test_a_later_edit_keeps_what_the_item_is(aws: EmbeddedAws, elsewhere: Sites) -> None:
    """An edit makes no declaration of an item that declares nothing, and the other way round."""
    edits = Edits(aws.client("dynamodb"), aws.physical["SitesTable"])
    for name in ("bare.example", "A.Example"):
        edits.change(name, "acknowledge", lambda _: ["newer"], elsewhere="other")
    rows = elsewhere.get_many(["bare.example", "A.Example"])
    assert rows["bare.example"] == {"name": "bare.example", ELSEWHERE: "Bare.example", "acknowledge": ["newer"]}
    assert rows["A.Example"] == {"name": "A.Example", "health": "/up", "acknowledge": ["newer"]}


@pytest.mark.parametrize("name", ["", "x" * 2049, "\ud800", "é" * 1025], ids=["empty", "long", "half", "octets"])
def test_what_can_be_no_name_is_not_there(sites: Sites, name: str) -> None:
    """DynamoDB refuses to look for such a key: nothing stands under it."""
    assert sites.get(name) is None
    assert sites.find(name) is None
