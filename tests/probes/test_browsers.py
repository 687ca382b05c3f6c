"""Servers that OpenSSL agrees with and browsers do not, as a whole look sees them."""

import ssl

import pytest
import trustme
from padlock.evidence import Evidence

from tests.evidence_builder import report
from tests.servers import Authority, free_port, listen_alerting, pages, redirect, stage


def context(authority: Authority, ciphers: str, *protocols: str) -> ssl.SSLContext:
    """Return a context of TLS 1.2 with an RSA key, these suites and these application protocols."""
    made = authority.context(key_type=trustme.KeyType.RSA)
    made.maximum_version = ssl.TLSVersion.TLSv1_2
    made.set_ciphers(ciphers)
    made.set_alpn_protocols(list(protocols))
    return made


async def look(ciphers: str, *protocols: str) -> Evidence:
    """Return what Padlock sees of a site with these suites, whose plain server redirects to it."""
    authority = Authority()
    with listen_alerting(context(authority, ciphers, *protocols)) as port:
        to_https = pages(lambda request: redirect(f"https://example.com:{port}{request.path}"))
        async with stage(None, to_https, authority=authority, listen_on=(free_port(), port)) as lab:
            return await lab.gather()


def told(evidence: Evidence) -> list[str]:
    """Return what the report says of handshakes."""
    return [f.observed for f in report(evidence).findings if f.code == "tls.handshake_failed"]


@pytest.mark.parametrize(
    ("ciphers", "protocols", "sign"),
    [
        ("AES128-SHA256", (), "handshake_failure"),
        ("ECDHE-RSA-AES128-SHA256", ("h2",), "handshake_failure"),
        ("ECDHE-RSA-AES128-SHA", ("h2", "http/1.1"), "HTTP/2 with ECDHE-RSA-AES128-SHA"),
    ],
)
async def test_nothing_for_browsers(ciphers: str, protocols: tuple[str, ...], sign: str) -> None:
    """The page comes, and an error says all the same that no browser gets it."""
    evidence = await look(ciphers, *protocols)
    assert evidence.http
    assert [e.status for e in evidence.http.of("front", "https")] == [200]
    assert [sign in text for text in told(evidence)] == [True]


@pytest.mark.parametrize(
    ("ciphers", "protocols"),
    [
        ("ECDHE-RSA-AES128-GCM-SHA256", ("h2", "http/1.1")),
        ("ECDHE-RSA-AES256-SHA384:ECDHE-RSA-AES128-GCM-SHA256", ("h2",)),
        ("ECDHE-RSA-AES128-SHA", ("http/1.1",)),
        ("AES128-SHA", ()),
    ],
)
async def test_enough_for_browsers(ciphers: str, protocols: tuple[str, ...]) -> None:
    """TLS 1.2 with what browsers know is no finding, however old it is."""
    assert told(await look(ciphers, *protocols)) == []


async def test_a_refused_handshake_holds_up_nothing() -> None:
    """A redirect to a handshake that an alert ends does not wait for the site's deadline."""
    evidence = await look("ECDHE-RSA-CAMELLIA256-SHA384")
    assert not evidence.incomplete
    assert ["alert handshake_failure" in text for text in told(evidence)] == [True]
