"""What the RDAP answers of registries become: those that were captured, and odd ones (RFC 9083)."""

from datetime import UTC, datetime

import pytest
from padlock.evidence import Registration

from tests import captured
from tests.registry_service import DOMAIN, NAME, NOW, REGISTRAR, domain, rdap, said, seen, services
from tests.servers import pages, redirect, reply


async def test_answer_becomes_evidence() -> None:
    """Expiry, status and registrar are read; hosts of one domain share its answer."""
    async with services(said(domain())) as asked:
        (found,) = await seen(asked.run({"name": "shop.test", "hosts": ["shop.test", "www.shop.test"]}, NOW))
    assert found == Registration(
        "shop.test",
        ("shop.test", "www.shop.test"),
        expires=datetime(2027, 6, 1, 10, tzinfo=UTC),
        status=("client delete prohibited", "client transfer prohibited", "client update prohibited"),
        registrar=REGISTRAR,
        registry=asked.url(),
        asked_at=NOW,
    )


@pytest.mark.parametrize(
    ("file", "name", "expires", "status", "registrar"),
    [
        ("verisign", "EXAMPLE.COM", "2023-08-13T04:00:00Z", "client delete prohibited", REGISTRAR),
        ("afnic", "lemonde.fr", "2025-06-09T22:08:09Z", "server update prohibited", "NAMESHIELD"),
        (
            *("flexireg", "home.moscow", "2024-10-19T19:28:12Z", "client transfer prohibited"),
            'Limited Liability Company "Registrar of domain names REG.RU"',
        ),
        (
            *("uniregistry", "microsoft.click", "2024-11-12T19:15:55.283Z", "client update prohibited"),
            "MarkMonitor Inc.",
        ),
        ("rfc9083", "xn--fo-5ja.example", "2016-12-31T23:59:59Z", "locked", ""),
    ],
)
async def test_answers_of_real_registries(file: str, name: str, expires: str, status: str, registrar: str) -> None:
    """Each registry's own way is read: its dates, names, redacted entities, and what it leaves out."""
    async with services(said(rdap(captured.text(f"rdap-{file}.json", {name: "shop.test"})))) as asked:
        (found,) = await seen(asked.run(now=NOW))
    assert (found.failure, found.expires) == ("", datetime.fromisoformat(expires))
    assert (found.status[0], found.registrar) == (status, registrar)


async def test_only_the_registrys_date_counts() -> None:
    """When the registrar's own year ends, or the entry was last written, is no expiry of the domain."""
    events = [
        {"eventAction": "registrar expiration", "eventDate": "2026-12-01T00:00:00Z"},
        *DOMAIN["events"],
        {"eventAction": "Expiration", "eventDate": "2028-06-01T10:00:00Z"},
    ]
    async with services(said(domain(events=events))) as asked:
        (found,) = await seen(asked.run(now=NOW))
    assert found.expires == datetime(2027, 6, 1, 10, tzinfo=UTC)
    async with services(said(domain(events=events[:1]))) as asked:
        (found,) = await seen(asked.run(now=NOW))
    assert (found.expires, found.failure) == (None, ""), "as SIDN answers, which tells no expiry"


@pytest.mark.parametrize("field", ["status", "events", "entities"])
async def test_null_is_nothing(field: str) -> None:
    """What a registry leaves empty takes nothing else away."""
    async with services(said(domain(**{field: None}))) as asked:
        (found,) = await seen(asked.run(now=NOW))
    assert found.failure == ""
    assert [bool(found.status), bool(found.expires), bool(found.registrar)].count(False) == 1


async def test_an_entity_that_is_none_hides_no_other() -> None:
    """Registrars are found beside broken entities, their names escaped."""
    odd = {"roles": ["registrar"], "vcardArray": ["vcard", [["fn", {}, "text", "Registrar \u202eInc."]]]}
    for entities in ([5, {"roles": "registrar"}, {"roles": None}, odd], [{"roles": ["abuse"]}, odd]):
        async with services(said(domain(entities=entities))) as asked:
            (found,) = await seen(asked.run(now=NOW))
        assert found.registrar == "Registrar \\u202eInc."


@pytest.mark.parametrize(
    ("name", "failure"),
    [
        ("shop.test.", ""),
        ("SHOP.test", ""),
        (None, ""),
        ("other.test", "answered with another domain"),
        ("not a name", "answered with another domain"),
    ],
)
async def test_an_answer_for_another_domain_is_none(name: str | None, failure: str) -> None:
    """A mix-up at a registry is not the site's; spelling and a missing name are no mix-up."""
    async with services(said(domain(ldhName=name))) as asked:
        (found,) = await seen(asked.run(now=NOW))
    assert failure in found.failure
    assert bool(found.failure) == bool(failure)


async def test_a_registry_may_send_elsewhere() -> None:
    """Redirects of RDAP servers are followed (RFC 7480 section 5.2)."""
    log: list[str] = []
    moved = {"/domain/shop.test": redirect("/rdap/domain/shop.test", 302), "/rdap/domain/shop.test": domain()}
    async with services(pages(moved, log)) as asked:
        (found,) = await seen(asked.run(now=NOW))
    assert (found.failure, found.registrar) == ("", REGISTRAR)
    assert log == [f"https://{NAME}/domain/shop.test", f"https://{NAME}/rdap/domain/shop.test"]


@pytest.mark.parametrize(
    ("to", "why"),
    [
        ("https://other.example/", "other.example has the address 127.0.0.1, which is not public"),
        ("https://other.example:8443/", "https://other.example:8443/ names the port 8443"),
    ],
)
async def test_a_registry_sends_to_public_servers_only(to: str, why: str) -> None:
    """Where it sends is another's place: the operator's networks and ports are not open there."""
    other = ("other.example", "@ A 127.0.0.1")
    script = pages(lambda _: redirect(to, 302))
    async with services(script, names=(NAME, "other.example"), zones=[other]) as asked:
        (found,) = await seen(asked.run(now=NOW))
    assert why in found.failure


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (rdap(captured.text("rdap-error.json"), 404), "does not know it"),
        (reply(404), "does not know it"),
        (rdap(captured.text("rdap-error.json"), 501), "said 501"),
        (rdap(captured.text("rdap-error.json")), "answered what is no domain"),
        (reply(429, "", ("Retry-After", "60")), "asks for patience"),
        (reply(500, "oops"), "said 500"),
        (reply(200, "<html>"), "answered what is no domain"),
        (reply(200, b"\xff\xfe"), "answered what is no domain"),
        (reply(200, "[" * 5000), "answered what is no domain"),
        (reply(200, '{"objectClassName": "entity"}'), "answered with no domain"),
        (reply(200, '{"objectClassName": "domain", "events": 5}'), "answered what is no domain"),
        (reply(200, "x" * 300_000), "the answer is longer than 200000 octets"),
    ],
    ids=[
        "404",
        "404 empty",
        "501",
        "error as 200",
        "429",
        "500",
        "html",
        "octets",
        "deep",
        "entity",
        "types",
        "long",
    ],
)
async def test_no_answer_is_not_known(answer: bytes, why: str) -> None:
    """Whatever is no registration is a failure in words, with nothing made up beside it."""
    async with services(said(answer)) as asked:
        (found,) = await seen(asked.run(now=NOW))
    assert why in found.failure
    assert (found.expires, found.status, found.registrar) == (None, (), "")


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        ("2027-06-01", datetime(2027, 6, 1, tzinfo=UTC)),
        ("2027-06-01T02:00:00+02:00", datetime(2027, 6, 1, tzinfo=UTC)),
        ("9999-12-31T23:59:59-01:00", None),
        ("soon", None),
        ("", None),
    ],
)
async def test_dates_as_registries_write_them(date: str, expected: datetime | None) -> None:
    """A date without time or zone is UTC; one that cannot be read is unknown."""
    events = [{"eventAction": "expiration", "eventDate": date}]
    async with services(said(domain(events=events))) as asked:
        (found,) = await seen(asked.run(now=NOW))
    assert (found.expires, found.failure) == (expected, "")
