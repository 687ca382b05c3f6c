"""ACME Renewal Information, asked of a real HTTPS server that answers as Let's Encrypt's does."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import msgspec
import pytest
import trustme
from padlock.evidence import Certificate, Evidence, RenewalInformation, organisation
from padlock.probes import gather
from padlock.probes.ari import DIRECTORIES, certificate_id
from padlock.probes.cache import MemoryCache
from padlock.rules._authorities import AUTOMATED, WITH_RENEWAL_INFORMATION, WITHOUT_CHALLENGE

from tests import captured
from tests.servers import Authority, Lab, Request, Script, free_port, listen, pages, reply, silence, stage

NOW = datetime.now(UTC).replace(microsecond=0)
SHOP = pages({"/": reply(200, "<title>Shop</title>")})
ACME = "acme.example.com"
WINDOW = {"2021-01-03T00:00:00Z": "2026-08-11T17:25:02Z", "2021-01-07T00:00:00Z": "2026-08-13T13:02:05Z"}
INFORMATION = captured.text("acme-renewal-info.json", WINDOW)
PLACE = "/draft-ietf-acme-ari-03/renewalInfo/"
"""Where Let's Encrypt's directory has it."""
PROBLEM = captured.text("acme-problem.json")


def encrypting() -> Authority:
    """Return an authority that has the organisation of a known one."""
    authority = Authority()
    authority.ca = trustme.CA(organization_name="Let's Encrypt", key_type=trustme.KeyType.ECDSA)
    authority.pem = authority.ca.cert_pem.bytes().decode()
    return authority


def issuer(answer: bytes, log: list[str] | None = None, directory: bytes | None = None) -> Script:
    """Return the authority's server: Let's Encrypt's directory, and this answer about any certificate."""

    def answers(request: Request) -> bytes:
        if request.path == "/directory":
            own = {"acme-v02.api.letsencrypt.org": request.headers["host"]}
            return directory or reply(200, captured.text("acme-directory.json", own))
        return answer if request.path.startswith(PLACE) else reply(404, PROBLEM)

    return pages(answers, log)


@asynccontextmanager
async def site(tmp_path: Path, script: Script, *, authority: Authority | None = None) -> AsyncIterator[Lab]:
    """Run a site with a certificate of the authority's, and the authority's server at a port of its own."""
    authority = authority or encrypting()
    file = tmp_path / "ca.pem"
    file.write_text(authority.pem)
    port = free_port()
    async with (
        listen(script, "127.0.0.1", port, authority.context(ACME)),
        stage(SHOP, SHOP, authority=authority, ca_file=file, records=["acme A 127.0.0.1"]) as lab,
    ):
        lab.vantage = msgspec.structs.replace(lab.vantage, services={"ari": f"https://{ACME}:{port}/directory"})
        yield lab


def told(seen: Evidence) -> RenewalInformation:
    """Return what the issuer said of the only certificate."""
    assert seen.renewal
    assert seen.tls
    ((digest, information),) = seen.renewal.information.items()
    assert digest == information.certificate
    assert digest in seen.tls.certificates
    return information


def test_the_identifier_of_the_standard() -> None:
    """RFC 9773 section 4.1: key identifier and serial number, the zero octet of the serial included."""
    leaf = Certificate("", "", "", "87654321", authority_key="69885B6B87464041E1B37B847BA0AE2CDE01C8D4")
    assert certificate_id(leaf) == "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE"
    assert certificate_id(msgspec.structs.replace(leaf, serial="01")) == "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AQ"


def test_the_rules_know_who_is_asked() -> None:
    """The probe's table of directories and the rules' table of authorities name the same ones, as names are read."""
    assert set(DIRECTORIES) == WITH_RENEWAL_INFORMATION
    for name in WITH_RENEWAL_INFORMATION | AUTOMATED | WITHOUT_CHALLENGE:
        assert organisation(f"CN=x,O={name.replace(',', chr(92) + ',')},C=US") == name


async def test_the_window_is_asked_for_and_kept(tmp_path: Path) -> None:
    """The directory names the place, the certificate the path; the answer is plain data."""
    log: list[str] = []
    async with site(tmp_path, issuer(reply(200, INFORMATION, ("Retry-After", "21600")), log)) as lab:
        seen = await lab.gather(NOW)
    information = told(seen)
    assert information.failure is None
    assert information.start == datetime(2026, 8, 11, 17, 25, 2, tzinfo=UTC)
    assert information.end == datetime(2026, 8, 13, 13, 2, 5, tzinfo=UTC)
    assert information.explanation == "https://example.com/docs/ari"
    assert seen.tls
    leaf = seen.tls.certificates[information.certificate]
    assert log == [f"https://{ACME}/directory", f"https://{ACME}{PLACE}{certificate_id(leaf)}"]


@pytest.mark.parametrize(
    ("header", "hours"),
    [
        ("21600", 6),
        ("1", 1),
        ("99999999", 24),
        (format_datetime(NOW + timedelta(hours=3), usegmt=True), 3),
        ("soon", 6),
        ("", 6),
    ],
    ids=["seconds", "too-soon", "too-late", "date", "neither", "empty"],
)
async def test_the_issuer_says_when_to_ask_again(tmp_path: Path, header: str, hours: float) -> None:
    """Retry-After, in seconds or as a date, between an hour and a day; until then the cache answers."""
    log: list[str] = []
    cache = MemoryCache()
    async with site(tmp_path, issuer(reply(200, INFORMATION, ("Retry-After", header)), log)) as lab:

        async def asked_at(now: datetime) -> int:
            log.clear()
            told(await gather(lab.site, now, lab.vantage, cache))
            return len([url for url in log if PLACE in url])

        assert await asked_at(NOW) == 1
        assert await asked_at(NOW + timedelta(hours=hours) - timedelta(minutes=1)) == 0
        assert await asked_at(NOW + timedelta(hours=hours) + timedelta(minutes=1)) == 1


@pytest.mark.parametrize(
    "answer",
    [
        reply(500),
        reply(404, PROBLEM),
        reply(429, PROBLEM, ("Retry-After", "60")),
        reply(200, PROBLEM),
        reply(200, "<html>"),
        reply(200, "[]"),
        reply(200, '{"suggestedWindow": {"start": "2026-08-13T13:02:05Z", "end": "2026-08-11T17:25:02Z"}}'),
        reply(200, '{"suggestedWindow": {"start": "yesterday", "end": 5}}'),
        reply(200, b"\xff\xfe\x00"),
        reply(200, "[" * 50_000),
        reply(200, '{"a": ' + "[" * 50_000),
        reply(200, "a" * 100_000),
    ],
    ids=[
        "500",
        "404",
        "429",
        "error as 200",
        "html",
        "list",
        "reversed",
        "no dates",
        "no utf-8",
        "deep",
        "deep field",
        "long",
    ],
)
async def test_garbage_is_a_failure(tmp_path: Path, answer: bytes) -> None:
    """Nothing is known then; the rest of the evidence is whole."""
    async with site(tmp_path, issuer(answer)) as lab:
        seen = await lab.gather(NOW)
    assert told(seen).failure
    assert seen.incomplete == ""


async def test_an_issuer_that_asks_for_patience_gets_it(tmp_path: Path) -> None:
    """Retry-After counts for a refusal as for an answer."""
    log: list[str] = []
    cache = MemoryCache()
    async with site(tmp_path, issuer(reply(429, PROBLEM, ("Retry-After", "7200")), log)) as lab:
        for minutes in (0, 61, 119, 121):
            seen = await gather(lab.site, NOW + timedelta(minutes=minutes), lab.vantage, cache)
            assert told(seen).failure
    assert len([url for url in log if PLACE in url]) == 2


@pytest.mark.parametrize(
    ("directory", "check"),
    [
        (reply(200, '{"newNonce": "https://x/"}'), lambda told: not told.offered and not told.failure),
        (reply(200, '{"renewalInfo": "http://169.254.169.254/"}'), lambda told: told.failure),
        (reply(200, '{"renewalInfo": "https://169.254.169.254/"}'), lambda told: told.failure),
        (reply(200, '{"renewalInfo": 5}'), lambda told: told.failure),
        (reply(200, "nothing"), lambda told: told.failure),
        (reply(200, '{"a": ' + "[" * 50_000), lambda told: told.failure),
        (reply(503), lambda told: told.failure),
    ],
    ids=["not offered", "plain http", "an address", "a number", "no directory", "deep", "down"],
)
async def test_directories(tmp_path: Path, directory: bytes, check: Callable[[RenewalInformation], bool]) -> None:
    """One that offers nothing, one that is wrong, and one that leads inside."""
    async with site(tmp_path, issuer(reply(200, INFORMATION), directory=directory)) as lab:
        assert check(told(await lab.gather(NOW)))


async def test_a_dead_issuer_delays_nothing_for_long(tmp_path: Path) -> None:
    """It has eight seconds; what is learned of the site is the same."""
    async with site(tmp_path, silence) as lab:
        lab.vantage = msgspec.structs.replace(lab.vantage, deadline=2.0)
        began = time.monotonic()
        seen = await lab.gather(NOW)
    assert time.monotonic() - began < 4
    information = told(seen)
    assert information.failure
    assert information.failure.kind == "deadline"
    assert seen.http
    assert [e.status for e in seen.http.of("front")] == [200]


async def test_an_issuer_whose_own_certificate_is_wrong_is_not_believed(tmp_path: Path) -> None:
    """Its answer is not read."""
    authority = encrypting()
    file = tmp_path / "ca.pem"
    file.write_text(authority.pem)
    port = free_port()
    log: list[str] = []
    async with (
        listen(issuer(reply(200, INFORMATION), log), "127.0.0.1", port, Authority().context(ACME)),
        stage(SHOP, SHOP, authority=authority, ca_file=file, records=["acme A 127.0.0.1"]) as lab,
    ):
        lab.vantage = msgspec.structs.replace(lab.vantage, services={"ari": f"https://{ACME}:{port}/directory"})
        assert told(await lab.gather(NOW)).failure
    assert log == []


async def test_an_expired_certificate_is_not_asked_about(tmp_path: Path) -> None:
    """Clients must stop asking then (RFC 9773 section 4.3), and another finding says what is wrong."""
    log: list[str] = []
    async with site(tmp_path, issuer(reply(200, INFORMATION), log)) as lab:
        seen = await lab.gather(NOW + timedelta(days=400_000))
    assert seen.renewal
    assert seen.renewal.information == {}
    assert log == []


async def test_other_issuers_are_not_asked(tmp_path: Path) -> None:
    """An authority that nobody knows has no place to be asked at."""
    log: list[str] = []
    async with site(tmp_path, issuer(reply(200, INFORMATION), log), authority=Authority()) as lab:
        seen = await lab.gather(NOW)
    assert seen.renewal
    assert seen.renewal.information == {}
    assert log == []
