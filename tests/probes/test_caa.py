"""CAA look-ups: every level at once, through CNAMEs, and what cannot be read is unknown."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import pytest
from padlock.evidence import CaaRecord, CaaSet
from padlock.network.vantage import Vantage
from padlock.probes.caa import look_up
from padlock.probes.cache import MemoryCache
from padlock.probes.run import Run
from padlock.site import parse

from tests import dns_server


async def seen(answer: dns_server.Answer, declaration: Any = "shop.test") -> dict[str, CaaSet]:
    """Return what a run learns of a site's CAA records."""
    async with dns_server.serve(answer) as server:
        vantage = Vantage(resolvers=(server.endpoint,), public_resolvers=())
        run = Run(parse(declaration), datetime.now(UTC), vantage, MemoryCache())
        await look_up(run)
    found: dict[str, CaaSet] = run.pieces["caa"]
    return found


async def in_zone(*lines: str, others: Iterable[tuple[str, ...]] = ()) -> dict[str, CaaSet]:
    """Return what is learnt where the site's zone has these lines."""
    return await seen(dns_server.recursive(("shop.test", *lines), *others))


async def test_every_level_is_asked() -> None:
    """The host, its sibling and every name above them are there, each with its own records only."""
    found = await in_zone('@ CAA 0 issue "letsencrypt.org; validationmethods=dns-01"', '@ CAA 128 iodef "mailto:a@b"')
    assert set(found) == {"shop.test", "www.shop.test", "test"}
    assert found["www.shop.test"] == CaaSet("www.shop.test")
    assert found["shop.test"].records == (
        CaaRecord("issue", "letsencrypt.org; validationmethods=dns-01"),
        CaaRecord("iodef", "mailto:a@b", critical=True),
    )


async def test_alias_is_followed() -> None:
    """The records at the end of a CNAME are those of the name that leads there."""
    hosting = ("hosting.test", 'web CAA 0 issue ";"')
    found = await in_zone("www CNAME web.hosting.test.", others=[hosting])
    assert found["www.shop.test"] == CaaSet("www.shop.test", (CaaRecord("issue", ";"),), alias="web.hosting.test")


async def test_quotes_and_octets() -> None:
    """Values come back as they were published, whatever is in them."""
    found = await in_zone(r'@ CAA 0 ISSUE "a\"b\\c\009d"')
    assert found["shop.test"].records == (CaaRecord("issue", 'a"b\\c\td'),)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (dns_server.rcode("SERVFAIL", (6, "bogus")), "ended in servfail (extended DNS error 6 DNSSEC Bogus: bogus)"),
        (dns_server.rcode("REFUSED"), "ended in refused"),
    ],
)
async def test_failed_lookup_is_unknown(answer: dns_server.Answer, why: str) -> None:
    """A failed look-up says why, and is no empty set."""
    found = await seen(dns_server.when(lambda name, _: name == "www.shop.test", answer, dns_server.recursive()))
    assert why in found["www.shop.test"].failure
    assert found["shop.test"] == CaaSet("shop.test")


async def test_too_long_or_too_many_records_are_unknown() -> None:
    """What is cut is not judged: the part that is missing may hold the issuer."""
    long = await in_zone(f'@ CAA 0 issue "{"a" * 255}"', f'@ CAA 0 issue "{"b." * 300}"')
    assert "cannot be read" in long["shop.test"].failure
    many = await in_zone(*(f'@ CAA 0 issue "ca{n}.example"' for n in range(80)))
    assert "too many" in many["shop.test"].failure
