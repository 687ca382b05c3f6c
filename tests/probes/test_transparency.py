"""The search of certificate-transparency logs, against a real server that answers as crt.sh did."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from padlock.evidence import Search, organisation
from padlock.network.limits import TRANSPARENCY_KEPT
from padlock.probes import gather
from padlock.probes.cache import MemoryCache
from padlock.probes.transparency import read

from tests import captured
from tests.servers import Authority, Lab, Script, free_port, listen, pages, reply, stage

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
SHOP = pages({"/": reply(200, "<title>Shop</title>")})
LOGS = "logs.example.com"
CAPTURED = datetime(2023, 5, 1, tzinfo=UTC)
"""When every certificate of the captured answer had not yet expired."""
FOUND = captured.text("crtsh.json", {"nob.ro": "example.com", "2023-07-24": "2027-02-03", "2024-04-24": "2026-11-01"})
"""crt.sh's answer: a certificate with its precertificate that is valid now, and three that have expired."""


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
    assert one.serial == "034053CF144E8C796E087A5FDEC2613F394C"
    assert one.names == ("*.example.com", "example.com")
    assert one.not_before == datetime(2023, 4, 25, 2, 52, 59, tzinfo=UTC)


def test_crt_sh_answers_as_it_does() -> None:
    """Of the answer as captured: each certificate once, the newest first, quoted organisations, leading zeros."""
    search = read("nob.ro", captured.text("crtsh.json").encode(), CAPTURED)
    assert [(organisation(one.issuer), one.serial[:6]) for one in search.found] == [
        ("Let's Encrypt", "034053"),
        ("Cloudflare", "0C9CD7"),
        ("Sectigo Limited", "C40B5B"),
        ("Cloudflare", "0B5AF6"),
    ]
    assert {one.names for one in search.found} == {("*.nob.ro", "nob.ro")}


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
    assert len(search.found) == TRANSPARENCY_KEPT
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


async def test_a_search_that_asks_for_patience_gets_it(tmp_path: Path) -> None:
    """Retry-After beyond the hour is kept to (RFC 9110 section 10.2.3)."""
    log: list[str] = []
    cache = MemoryCache()
    async with site(tmp_path, pages(lambda _: reply(429, "", ("Retry-After", "7200")), log)) as lab:
        for minutes in (0, 61, 119, 121):
            await gather(lab.site, NOW + timedelta(minutes=minutes), lab.vantage, cache)
    assert len(log) == 2
