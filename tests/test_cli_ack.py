"""`padlock ack` on an embedded AWS: what is acknowledged silences alerts, and no edit of anybody's is lost."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from padlock.acknowledging import MOST
from padlock.cli import main
from padlock.cli.ack import CODES
from padlock.declaration import read_declaration
from padlock.silence import policy_of
from padlock.site import key_of
from padlock.storage import MARK, Sites
from padlock.storage.edits import ATTEMPTS, Absent, Contended, Edits
from padlock.storage.sites import ELSEWHERE

from local.aws import EmbeddedAws
from tests import deployed

SITE = "shop.example"


@pytest.fixture(scope="module")
def aws() -> Iterator[EmbeddedAws]:
    """Serve an AWS with a stack of its own, whose parameter names a site that its table does not."""
    with EmbeddedAws() as running:
        yield running


@pytest.fixture(scope="module")
def stack(aws: EmbeddedAws) -> str:
    """Return the stack's name."""
    return deployed.describe(aws, Sites="first.example, Second.Example")


@pytest.fixture
def table(aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch) -> Sites:
    """Return the table with one site in it, and point the command at the embedded AWS."""
    deployed.point_the_command_at(aws, monkeypatch)
    sites = Sites(aws.client("dynamodb"), aws.physical["SitesTable"])
    for item in list(sites.rows()):
        aws.client("dynamodb").delete_item(TableName=aws.physical["SitesTable"], Key={"name": {"S": item["name"]}})
    sites.put({"name": SITE, "health": "/up", "interval": "1h"})
    return sites


@pytest.fixture
def edits(aws: EmbeddedAws, table: Sites) -> Edits:
    """Return the table as it is edited."""
    assert table.get(SITE)
    return Edits(aws.client("dynamodb"), aws.physical["SitesTable"])


def known(table: Sites, site: str = SITE) -> list[dict[str, Any]]:
    """Return what a site's item acknowledges."""
    item = table.get(site)
    assert item is not None
    entries: list[dict[str, Any]] = item.get("acknowledge", [])
    return entries


def put(table: Sites, *entries: Any, **more: Any) -> None:
    """Write the site with these acknowledgements."""
    table.put({"name": SITE, "acknowledge": list(entries), **more})


def hours_left(entry: dict[str, Any]) -> float:
    """Return how long an acknowledgement holds from now on."""
    return (datetime.fromisoformat(entry["until"]) - datetime.now(UTC)) / timedelta(hours=1)


def test_acknowledges_for_a_day(table: Sites, stack: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The finding is silenced for a day; what the site declares and dispatch's mark stay as they are."""
    table.mark(SITE, "2026-11-20T17:05:00Z")
    assert main(["ack", SITE.upper(), "certificate.expired", "--stack", stack]) == 0
    (row,) = table.rows()
    (entry,) = row.pop("acknowledge")
    assert row == {"name": SITE, "health": "/up", "interval": "1h", MARK: "2026-11-20T17:05:00Z"}
    assert entry.keys() == {"code", "until"}
    assert 23.9 < hours_left(entry) <= 24
    said = capsys.readouterr().out
    assert "acknowledged certificate.expired of SHOP.EXAMPLE until" in said
    assert f"{datetime.fromisoformat(entry['until']):%Y-%m-%d %H:%M} UTC" in said


def test_what_is_acknowledged_is_the_policy(table: Sites, stack: str) -> None:
    """The declaration with its acknowledgement is read as one that silences this subject until this time."""
    arguments = ["certificate.expired", "--subject", "WWW.shop.example", "--until", "2999-12-24T18:00+01:00"]
    assert main(["ack", SITE, *arguments, "--note", "moved", "--stack", stack]) == 0
    policy = policy_of(read_declaration(table.get(SITE) or {}), datetime.now(UTC))
    (silence,) = policy.silences
    assert (silence.code, silence.subject, silence.note) == ("certificate.expired", "www.shop.example", "moved")
    assert silence.until == datetime(2999, 12, 24, 17, tzinfo=UTC)


def test_every_code_of_an_alert_can_be_acknowledged() -> None:
    """No acknowledgement that the command takes makes a declaration a wrong one, nor does one that has expired."""
    for code in sorted(CODES):
        entry = {"code": code, "until": "2026-01-01T00:00:00Z"}
        site = read_declaration({"name": SITE, "acknowledge": [entry]})
        assert site.acknowledge[0].code == code
        assert policy_of(site, datetime(2026, 11, 20, tzinfo=UTC)).silences == ()


@pytest.mark.parametrize("by", ["--stack", "--table"])
@pytest.mark.parametrize("name", ["first.example", "second.example"])
def test_a_site_of_the_parameter_gets_an_item(
    by: str, name: str, aws: EmbeddedAws, table: Sites, stack: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A site that only the stack's parameter names gets an item, by the stack or by the table as mails name it.

    It declares nothing: the site is declared as long as the parameter names it, and no longer.
    """
    where = {"--stack": stack, "--table": aws.physical["SitesTable"]}[by]
    assert main(["ack", name, "port.https_closed", "--for", "3d", by, where]) == 0
    item = table.get_many([name])[name]
    assert item.keys() == {"name", "acknowledge", ELSEWHERE}
    assert 71.9 < hours_left(item["acknowledge"][0]) <= 72
    assert table.get(name) is None
    assert [item["name"] for item in table.all()] == [SITE]
    capsys.readouterr()
    assert main(["ack", name, "--list", by, where]) == 0
    assert capsys.readouterr().out.startswith("port.https_closed  until ")
    assert main(["ack", name, "certificate.expired", by, where]) == 0
    assert main(["ack", name.upper(), "--clear", "port.https_closed", by, where]) == 0
    item = table.get_many([name])[name]
    assert item.keys() == {"name", "acknowledge", ELSEWHERE}
    assert [entry["code"] for entry in item["acknowledge"]] == ["certificate.expired"]


def test_an_item_of_a_site_that_left_the_parameter(
    aws: EmbeddedAws, table: Sites, stack: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was acknowledged of a site of the parameter makes it no declared one after the parameter named it."""
    Edits(aws.client("dynamodb"), aws.physical["SitesTable"]).change(
        "left.example", "acknowledge", lambda _: [{"code": "*", "until": "2999-01-01"}], elsewhere="left.example"
    )
    for arguments in (["certificate.expired"], ["--list"], ["--clear", "all"]):
        assert main(["ack", "left.example", *arguments, "--stack", stack]) == 2
        assert "'left.example' is not declared" in capsys.readouterr().err
    assert main(["sites", "list", "--stack", stack]) == 0
    assert "left.example" not in capsys.readouterr().out
    table.put({"name": "left.example"})
    assert known(table, "left.example") == []


@pytest.mark.parametrize(
    ("row", "asked"),
    [
        ("Big.Example", "big.example"),
        ("Big.Example", "BIG.example."),
        ("big.example.", "big.example"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("bücher.example", "BÜCHER.example"),
        ("xn--bcher-kva.example", "bücher.example"),
        (" big.example", "big.example"),
    ],
)
@pytest.mark.parametrize("ticked", [True, False], ids=["known", "new"])
def test_the_declaration_may_be_spelled_in_any_way(
    row: str, asked: str, ticked: bool, table: Sites, stack: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The site is found however its item is spelled, whether a tick has noted the spelling or not."""
    table.put({"name": row, "health": "/up"})
    if ticked:
        table.point(key_of(row), row)
    assert main(["ack", asked, "certificate.expired", "--stack", stack]) == 0
    assert [entry["code"] for entry in known(table, row)] == ["certificate.expired"]
    assert sorted(item["name"] for item in table.all()) == sorted([row, SITE])
    capsys.readouterr()
    assert main(["ack", asked, "--list", "--stack", stack]) == 0
    assert capsys.readouterr().out.startswith("certificate.expired  until ")
    assert main(["ack", asked, "--clear", "certificate.expired", "--stack", stack]) == 0
    assert table.get(row) == {"name": row, "health": "/up"}


def test_the_spelling_that_is_checked_is_acknowledged(table: Sites, stack: str) -> None:
    """Of several spellings the one is edited that the schedule takes: the normal one, else the first."""
    table.put({"name": "SHOP.example"})
    assert main(["ack", "SHOP.example", "certificate.expired", "--stack", stack]) == 0
    assert len(known(table)) == 1
    for name in ("Two.example", "TWO.example", "two.example."):
        table.put({"name": name})
    assert main(["ack", "Two.example", "certificate.expired", "--stack", stack]) == 0
    assert len(known(table, "TWO.example")) == 1


def test_an_unknown_site_gets_none(table: Sites, stack: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A site that is declared nowhere is refused; a typo would be checked from then on."""
    assert main(["ack", "shpo.example", "certificate.expired", "--stack", stack]) == 2
    assert [item["name"] for item in table.all()] == [SITE]
    said = capsys.readouterr().err
    assert "'shpo.example' is not declared" in said
    assert "padlock sites list" in said


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        ("https://shop.example/cart?a=b", SITE),
        ("http://SHOP.example:8080", SITE),
        ("shop.example/cart", SITE),
        ("shop.example:443", SITE),
        ("www.shop.example", SITE),
        ("https://www.shop.example/", SITE),
        ("cdn.other.example", "listed.example"),
        ("https://CDN.other.example./x", "listed.example"),
        ("one.other.example", "single.example"),
        ("bare.example", "www.bare.example"),
        ("www.first.example", "first.example"),
        ("https://second.example/", "second.example"),
    ],
)
@pytest.mark.parametrize("arguments", [["certificate.expired"], ["--list"]], ids=["add", "list"])
def test_a_url_or_a_host_of_a_site(
    asked: str, meant: str, arguments: list[str], table: Sites, stack: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where a URL or another host of a declared site is given for the site, the line says which one may be meant."""
    table.put({"name": "Listed.Example", "hosts": ["listed.example", "cdn.OTHER.example"]})
    table.put({"name": "single.example", "hosts": "one.other.example"})
    table.put({"name": "www.bare.example", "hosts": [5]})
    before = sorted(map(str, table.rows()))
    assert main(["ack", asked, *arguments, "--stack", stack]) == 2
    shown = capsys.readouterr().err
    assert f"did you mean {meant!r}?" in shown
    assert shown.count("\n") == 1
    assert sorted(map(str, table.rows())) == before


@pytest.mark.parametrize(
    "asked", ["https://[/", "https:///path", "x.shop.example", "hop.example", "https://shop", "a\\b"]
)
def test_nothing_that_may_be_meant(asked: str, table: Sites, stack: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Where no declared site has such a host, none is named."""
    assert table.get(SITE)
    assert main(["ack", asked, "certificate.expired", "--stack", stack]) == 2
    shown = capsys.readouterr().err
    assert "is not declared" in shown
    assert "did you mean" not in shown


def test_clearing_makes_no_item(table: Sites, stack: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Listing and clearing at a site of the parameter find nothing, and write nothing."""
    assert main(["ack", "first.example", "--list", "--stack", stack]) == 0
    assert main(["ack", "first.example", "--clear", "all", "--stack", stack]) == 0
    assert [item["name"] for item in table.all()] == [SITE]
    assert capsys.readouterr().err.count("nothing") == 2


def test_replaces_the_same_and_keeps_the_others(table: Sites, stack: str, capsys: pytest.CaptureFixture[str]) -> None:
    """One for the same code and subject is replaced; another subject's and another code's stay."""
    for arguments in (
        ["certificate.expired"],
        ["certificate.expired", "--subject", "www.shop.example"],
        ["port.https_closed"],
        ["certificate.expired", "--subject", "WWW.Shop.Example.", "--for", "7d", "--note", "again"],
    ):
        assert main(["ack", SITE, *arguments, "--stack", stack]) == 0
    found = {(entry["code"], entry.get("subject", "")): entry for entry in known(table)}
    assert list(found) == [
        ("certificate.expired", ""),
        ("port.https_closed", ""),
        ("certificate.expired", "www.shop.example"),
    ]
    assert 167 < hours_left(found["certificate.expired", "www.shop.example"]) <= 168
    assert "instead of until" in capsys.readouterr().out.split("\n")[-2]


def test_drops_what_has_expired(table: Sites, stack: str, capsys: pytest.CaptureFixture[str]) -> None:
    """An edit drops what is over, by the site's time zone where the time names none, and says so."""
    now = datetime.now(UTC).replace(tzinfo=None)
    local = (now + timedelta(hours=2)).isoformat(timespec="seconds")
    over = {"code": "dnssec.broken", "until": local}
    holds = {"code": "tls.handshake_failed", "until": (now + timedelta(hours=10)).isoformat(timespec="seconds")}
    put(table, over, holds, timezone="Asia/Tokyo")  # nine hours ahead
    assert main(["ack", SITE, "certificate.expired", "--stack", stack]) == 0
    assert [entry["code"] for entry in known(table)] == ["tls.handshake_failed", "certificate.expired"]
    assert "dropped 1 that had expired" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["certificate.expird"], "did you mean 'certificate.expired'?"),
        (["nonsense"], "docs/checks.md"),
        ([], "name the code"),
        (["certificate.expired", "--until", "2020-01-01"], "is over"),
        (["certificate.expired", "--note", "x" * 301], "300 characters"),
        (["certificate.expired", "--list"], "without a code"),
    ],
)
def test_refuses(
    arguments: list[str], said: str, table: Sites, stack: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """What cannot be meant is one line that says what to write instead, and nothing is written."""
    assert main(["ack", SITE, *arguments, "--stack", stack]) == 2
    shown = capsys.readouterr().err
    assert said in shown
    assert shown.count("\n") == 1
    assert known(table) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--for", "3 weeks"], "such as 5m, 1h or 1d"),
        (["--for", "400d"], "out of range"),
        (["--for", "0d"], "'0d' would be over at once; use 1m to 366d"),
        (["--for", "0"], "--clear CODE"),
        (["--until", "tomorrow"], "such as 2026-12-24T18:00"),
        (["--until", "2999-01-01", "--for", "1d"], "not allowed with"),
    ],
)
def test_no_length_of_time(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A time that is none is wrong usage; the line says what to write."""
    with pytest.raises(SystemExit) as ended:
        main(["ack", SITE, "certificate.expired", *arguments])
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_list_and_clear(table: Sites, stack: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The list shows each with its end and note, an expired one as such; clearing takes back what it names."""
    put(
        table,
        {"code": "certificate.expired", "until": "2999-01-01T00:00:00Z", "note": "forged\x1b[2J\nline"},
        {"code": "certificate.expired", "until": "2999-01-02", "subject": "www.shop.example"},
        {"code": "port.https_closed", "until": "2020-01-01T00:00:00Z"},
    )
    assert main(["ack", SITE, "--list", "--stack", stack]) == 0
    first, second, third = capsys.readouterr().out.splitlines()
    assert first == r"certificate.expired  until 2999-01-01 00:00 UTC  forged\x1b[2J\nline"
    assert second == "certificate.expired of www.shop.example  until 2999-01-02"
    assert third == "port.https_closed  until 2020-01-01 00:00 UTC  (expired)"

    clear = ["ack", SITE, "--stack", stack, "--clear"]
    assert main([*clear, "certificate.expired", "--subject", "www.shop.example"]) == 0
    assert [entry.get("subject", "") for entry in known(table)] == [""]
    assert main([*clear, "dnssec.broken"]) == 2
    assert "dnssec.broken is not acknowledged" in capsys.readouterr().err
    assert main([*clear, "certificate.expired"]) == 0
    assert table.get(SITE) == {"name": SITE}


def test_clear_all(table: Sites, stack: str, capsys: pytest.CaptureFixture[str]) -> None:
    """All can be taken back at once; the site stays declared."""
    put(table, *({"code": code, "until": "2999-01-01"} for code in ("certificate.expired", "*")), health="/up")
    assert main(["ack", SITE, "--clear", "all", "--stack", stack]) == 0
    assert table.get(SITE) == {"name": SITE, "health": "/up"}
    assert capsys.readouterr().out.count("cleared") == 2


@pytest.mark.parametrize("given", ["certificate.expired", [{"code": "certificate.expired"}], [7]])
def test_what_cannot_be_read_is_left(
    given: Any, table: Sites, stack: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where somebody wrote something else into the item, nothing is overwritten, and the line says what is wrong."""
    table.put({"name": SITE, "acknowledge": given})
    assert main(["ack", SITE, "certificate.expired", "--stack", stack]) == 2
    assert table.get(SITE) == {"name": SITE, "acknowledge": given}
    assert "cannot be read" in capsys.readouterr().err


def test_one_entry_may_stand_without_a_list(table: Sites, stack: str) -> None:
    """A mapping in place of a list, as a declaration may write it, is one acknowledgement."""
    table.put({"name": SITE, "acknowledge": {"code": "certificate.expired", "until": "2999-01-01"}})
    assert main(["ack", SITE, "port.https_closed", "--stack", stack]) == 0
    assert [entry["code"] for entry in known(table)] == ["certificate.expired", "port.https_closed"]


def test_as_many_as_a_declaration_may_hold(table: Sites, stack: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The last one that a declaration may hold is taken, and still read; the next one is refused."""
    put(table, *({"code": "*", "subject": f"n{n}.example", "until": "2999-01-01"} for n in range(MOST - 1)))
    assert main(["ack", SITE, "certificate.expired", "--stack", stack]) == 0
    assert len(read_declaration(table.get(SITE) or {}).acknowledge) == MOST
    assert main(["ack", SITE, "port.https_closed", "--stack", stack]) == 2
    assert len(known(table)) == MOST
    assert "which is the most" in capsys.readouterr().err


def test_it_stays_through_a_site_file(
    table: Sites, stack: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A site file of what is declared carries the acknowledgements, and its import brings them back."""
    assert main(["ack", SITE, "certificate.expired", "--note", "moved", "--stack", stack]) == 0
    before = table.get(SITE)
    capsys.readouterr()
    assert main(["sites", "list", "--json", "--stack", stack]) == 0
    file = tmp_path / "sites.json"
    file.write_text(capsys.readouterr().out)
    table.delete(SITE)
    assert main(["sites", "import", str(file), "--stack", stack]) == 0
    after = table.get(SITE) or {}
    assert after.pop("health")["path"] == "/up"
    assert after == {name: value for name, value in (before or {}).items() if name != "health"}


def test_edits_at_the_same_time_all_stand(edits: Edits, table: Sites) -> None:
    """Of several edits at the same time each builds on the others; none is lost."""
    codes = [f"c{n}" for n in range(ATTEMPTS)]

    def add(code: str) -> None:
        edits.change(SITE, "acknowledge", lambda item: [*item.get("acknowledge", ()), code])

    with ThreadPoolExecutor(len(codes)) as pool:
        list(pool.map(add, codes))
    item = table.get(SITE) or {}
    assert sorted(item.pop("acknowledge")) == codes
    assert item == {"name": SITE, "health": "/up", "interval": "1h"}


def test_an_edit_leaves_what_others_write_meanwhile(edits: Edits, table: Sites) -> None:
    """What is changed between reading and writing is kept, another attribute or this one."""
    seen: list[Any] = []

    def edit(item: dict[str, Any]) -> list[str]:
        seen.append(item.get("acknowledge"))
        if len(seen) == 1:
            table.put({"name": SITE, "slow": 2.5, "acknowledge": ["theirs"]})
        return [*item.get("acknowledge", ()), "ours"]

    edits.change(SITE, "acknowledge", edit)
    assert seen == [None, ["theirs"]]
    assert table.get(SITE) == {"name": SITE, "slow": 2.5, "acknowledge": ["theirs", "ours"]}


def test_a_site_removed_meanwhile_stays_removed(edits: Edits, table: Sites) -> None:
    """An edit never brings back a site that was removed while it was made."""

    def edit(item: dict[str, Any]) -> list[str]:
        table.delete(item["name"])
        return ["ours"]

    with pytest.raises(Absent):
        edits.change(SITE, "acknowledge", edit)
    assert table.get(SITE) is None


def test_an_edit_gives_up(edits: Edits, table: Sites) -> None:
    """Where others come first every time, the edit ends and says so; it never overwrites them."""
    count = 0

    def edit(_: dict[str, Any]) -> list[str]:
        nonlocal count
        count += 1
        put(table, f"theirs {count}")
        return ["ours"]

    with pytest.raises(Contended, match=r"others changed acknowledge of shop\.example"):
        edits.change(SITE, "acknowledge", edit)
    assert (table.get(SITE) or {})["acknowledge"] == [f"theirs {ATTEMPTS}"]


def test_a_table_of_no_stack(aws: EmbeddedAws, table: Sites, capsys: pytest.CaptureFixture[str]) -> None:
    """A table that is named by itself is edited; which sites a parameter names cannot be known of it."""
    name = "of-no-stack"
    aws.client("dynamodb").create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "name", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "name", "KeyType": "HASH"}],
    )
    other = Sites(aws.client("dynamodb"), name)
    other.put({"name": SITE})
    assert main(["ack", SITE, "certificate.expired", "--table", name]) == 0
    assert known(other)[0]["code"] == "certificate.expired"
    assert known(table) == []
    assert main(["ack", "first.example", "certificate.expired", "--table", name]) == 2
    assert "is not declared in the table of-no-stack" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["certificate.expired"], ["--list"], ["--clear", "all"]])
def test_without_the_stack(arguments: list[str], table: Sites, capsys: pytest.CaptureFixture[str]) -> None:
    """A stack that is not there gives one line that says what to do."""
    assert main(["ack", SITE, *arguments, "--stack", "absent"]) == 2
    shown = capsys.readouterr().err
    assert "deploy it with `make deploy`" in shown
    assert shown.count("\n") == 1
    assert known(table) == []
