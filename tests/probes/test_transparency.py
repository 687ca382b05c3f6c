"""The search of certificate-transparency logs, against a real server that answers in crt.sh's shape."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from padlock.evidence import Search
from padlock.probes import gather
from padlock.probes.cache import MemoryCache
from padlock.probes.transparency import KEPT, read

from tests.servers import Authority, Lab, Script, free_port, listen, pages, reply, stage

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
SHOP = pages({"/": reply(200, "<title>Shop</title>")})
LOGS = "logs.example.com"
FOUND = """[
 {"issuer_ca_id":295815,"issuer_name":"C=US, O=Let's Encrypt, CN=R11","common_name":"example.com",
  "name_value":"example.com\\nwww.example.com","id":18100000001,"entry_timestamp":"2026-11-05T07:46:12.113",
  "not_before":"2026-11-05T06:47:41","not_after":"2027-02-03T06:47:40",
  "serial_number":"03b1c2d3e4f5a6b7c8d9e0f1a2b3c4d5e6f7","result_count":2},
 {"issuer_ca_id":295815,"issuer_name":"C=US, O=Let's Encrypt, CN=R11","common_name":"example.com",
  "name_value":"www.example.com\\nexample.com","id":18100000000,"entry_timestamp":"2026-11-05T07:46:11.027",
  "not_before":"2026-11-05T06:47:41","not_after":"2027-02-03T06:47:40",
  "serial_number":"03b1c2d3e4f5a6b7c8d9e0f1a2b3c4d5e6f7","result_count":2},
 {"issuer_ca_id":295810,"issuer_name":"C=US, O=Let's Encrypt, CN=R10","common_name":"example.com",
  "name_value":"example.com","id":17000000000,"entry_timestamp":null,
  "not_before":"2026-09-01T00:00:00","not_after":"2026-11-01T00:00:00",
  "serial_number":"4a1b2","result_count":1}
]"""
"""A certificate with its precertificate, and an older one that has expired."""


@asynccontextmanager
async def site(tmp_path: Path, script: Script) -> AsyncIterator[Lab]:
    """Run a site, and a search at a port of its own that the operator names."""
    authority = Authority()
    file = tmp_path / "ca.pem"
    file.write_text(authority.pem)
    port = free_port()
    async with (
        listen(script, "127.0.0.1", port, authority.context(LOGS)),
        stage(SHOP, SHOP, authority=authority, ca_file=file, records=["logs A 127.0.0.1"]) as lab,
    ):
        lab.vantage = msgspec.structs.replace(lab.vantage, services={"ct": f"https://{LOGS}:{port}/"})
        yield lab


def test_entries_are_read() -> None:
    """Times are UTC, precertificates and expired ones are left out, serials are written as openssl does."""
    search = read("example.com", FOUND.encode(), NOW)
    (one,) = search.found
    assert search.failure is None
    assert one.serial == "03B1C2D3E4F5A6B7C8D9E0F1A2B3C4D5E6F7"
    assert one.names == ("example.com", "www.example.com")
    assert one.not_before == datetime(2026, 11, 5, 6, 47, 41, tzinfo=UTC)


@pytest.mark.parametrize("body", [b"", b"<html>", b"{}", b"null", b"\xff", b"[" * 100_000])
def test_no_list_is_a_failure(body: bytes) -> None:
    """crt.sh answers HTML when it is overloaded."""
    assert read("example.com", body, NOW).failure


def test_entries_that_are_none_are_passed_over() -> None:
    """Wrong types, endless names and serials that are no number; what is kept is bounded and printable."""
    good = {
        "issuer_name": "O=A\x1b[31m",
        "name_value": "example.com",
        "not_before": "2026-11-05T06:47:41",
        "not_after": "2027-02-03T06:47:40",
    }
    entries = [{**good, "serial_number": f"{number:x}"} for number in range(1, 200)]
    bad = [5, {}, {**good, "serial_number": "-1"}, {**good, "serial_number": "1", "not_after": "never"}]
    long = [{**good, "serial_number": "ffff", "name_value": "a.example.com\n" * 10_000}]
    search = read("example.com", msgspec.json.encode([*bad, *long, *entries]), NOW)
    assert len(search.found) == KEPT
    assert all("\x1b" not in one.issuer for one in search.found)
    assert "FFFF" not in {one.serial for one in search.found}


async def test_off_unless_the_operator_names_a_search(tmp_path: Path) -> None:
    """Nothing is asked, and nothing stands in the evidence."""
    log: list[str] = []
    async with site(tmp_path, pages(lambda _: reply(200, FOUND), log)) as lab:
        seen = await gather(lab.site, NOW, msgspec.structs.replace(lab.vantage, services={}))
    assert seen.renewal
    assert seen.renewal.search is None
    assert log == []


async def test_one_search_in_six_hours(tmp_path: Path) -> None:
    """However often the site is checked."""
    log: list[str] = []
    cache = MemoryCache()
    searches: list[Search | None] = []
    async with site(tmp_path, pages(lambda _: reply(200, FOUND), log)) as lab:
        for minutes in (0, 5, 359, 361):
            seen = await gather(lab.site, NOW + timedelta(minutes=minutes), lab.vantage, cache)
            searches.append(seen.renewal.search if seen.renewal else None)
    assert len(log) == 2
    assert log[0] == f"https://{LOGS}/?q=example.com&output=json&exclude=expired&deduplicate=Y"
    assert all(search and len(search.found) == 1 for search in searches)


@pytest.mark.parametrize("answer", [reply(502), reply(200, "<html>"), reply(200, "[" + " " * 5_000_000 + "]")])
async def test_a_search_that_fails_is_asked_again_after_an_hour(tmp_path: Path, answer: bytes) -> None:
    """Its failure is evidence, and disturbs nothing else."""
    log: list[str] = []
    cache = MemoryCache()
    async with site(tmp_path, pages(lambda _: answer, log)) as lab:
        asked: list[int] = []
        for minutes in (0, 59, 61):
            log.clear()
            seen = await gather(lab.site, NOW + timedelta(minutes=minutes), lab.vantage, cache)
            asked.append(len(log))
            assert seen.renewal
            assert seen.renewal.search
            assert seen.renewal.search.failure
            assert seen.incomplete == ""
    assert asked[0] >= 1
    assert asked[1:] == [0, asked[0]]
