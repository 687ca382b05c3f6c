"""The heartbeat: sent only where Padlock lives, to a vetted address, within its time; its URL stays a secret."""

import asyncio
import ssl
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from padlock import heartbeat
from padlock.heartbeat import LONGEST_PENDING, Missed, send, withheld
from padlock.network import limits
from padlock.network.vantage import Vantage

from tests import dns_server
from tests.servers import (
    LOOPBACK,
    Authority,
    Script,
    closes,
    forever,
    free_port,
    listen,
    pages,
    redirect,
    reply,
    resets,
    sends,
    silence,
)

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
HERE = Vantage(networks=LOOPBACK)
TARGET = "/ping/0a1b2c3d?key=s3cret"
HEAD = b"HTTP/1.1 200 OK\r\n"


def sent(script: Script, url: str = "http://127.0.0.1:{port}" + TARGET, vantage: Vantage = HERE) -> None:
    """Send a heartbeat to a server."""
    asyncio.run(_sent(script, url, vantage))


def sent_by_name(
    script: Script, records: tuple[str, ...], scheme: str, vantage: Vantage, tls: ssl.SSLContext
) -> None:
    """Send a heartbeat to beat.example.com, which has these records in DNS."""

    async def play() -> None:
        zone = dns_server.recursive(("example.com", "@ NS ns.example.com.", *records))
        async with dns_server.serve(zone) as resolver:
            here = msgspec.structs.replace(vantage, resolvers=(resolver.endpoint,))
            await _sent(script, f"{scheme}://beat.example.com:{{port}}{TARGET}", here, tls)

    asyncio.run(play())


async def _sent(script: Script, url: str, vantage: Vantage, tls: ssl.SSLContext | None = None) -> None:
    async with listen(script, tls=tls) as port:
        await asyncio.to_thread(send, url.format(port=port), vantage)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give a heartbeat less time than a test may take."""
    monkeypatch.setattr(heartbeat, "SECONDS", 0.5)


@pytest.mark.parametrize(
    ("run", "oldest", "failed", "why"),
    [
        (timedelta(seconds=3599), 0.0, 0, ""),
        (timedelta(0), LONGEST_PENDING, 0, ""),
        (timedelta(minutes=-10), 0.0, 0, ""),
        (timedelta(seconds=3600), 0.0, 0, "the last check that came to a result was 3600 s ago"),
        (None, 0.0, 0, "no check has ever come to a result"),
        (timedelta(0), LONGEST_PENDING + 1, 0, "an alert has been pending for 901 s"),
        (timedelta(0), 0.0, 2, "the alerts of 2 sites could not be published"),
    ],
)
def test_withheld(run: timedelta | None, oldest: float, failed: int, why: str) -> None:
    """A heartbeat stays away where no check comes to a result, or an alert waits too long or was not published."""
    assert withheld(NOW, None if run is None else NOW - run, 3600, oldest, failed) == why


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_arrives(status: int) -> None:
    """A GET with path and query arrives, and any answer of 2xx will do."""
    asked: list[str] = []
    sent(pages({TARGET: reply(status, b"" if status == 204 else b"OK")}, asked))
    assert asked == [f"http://127.0.0.1{TARGET}"]


def test_url_without_a_path() -> None:
    """A URL that is a host alone asks for its front page."""
    asked: list[str] = []
    sent(pages({"/": reply()}, asked), "http://127.0.0.1:{port}")
    assert asked == ["http://127.0.0.1/"]


def test_over_tls_by_name(tmp_path: Path) -> None:
    """An HTTPS URL's name is looked up, and its certificate verified against the trusted roots."""
    authority = Authority()
    ca_file = tmp_path / "ca.pem"
    ca_file.write_text(authority.pem)
    asked: list[str] = []
    answers, tls = pages({TARGET: reply()}, asked), authority.context("beat.example.com")
    records = ("beat A 127.0.0.1",)
    sent_by_name(answers, records, "https", msgspec.structs.replace(HERE, ca_file=str(ca_file)), tls)
    assert asked == [f"https://beat.example.com{TARGET}"]
    with pytest.raises(Missed, match="certificate not trusted"):
        sent_by_name(answers, records, "https", HERE, tls)
    wrong = authority.context("other.example.com")
    with pytest.raises(Missed, match="certificate not trusted"):
        sent_by_name(answers, records, "https", msgspec.structs.replace(HERE, ca_file=str(ca_file)), wrong)
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("records", "why"),
    [
        (("beat A 127.0.0.1", "beat A 10.1.2.3", "beat AAAA ::1"), "only addresses that are not public"),
        (("beat A 169.254.169.254",), "only addresses that are not public"),
        (("www A 127.0.0.1",), "no address"),
    ],
)
def test_unvetted_addresses(records: tuple[str, ...], why: str) -> None:
    """A name that leads into a private network, or nowhere, is not connected to."""
    asked: list[str] = []
    context = Authority().context("beat.example.com")
    with pytest.raises(Missed, match=why):
        sent_by_name(pages({TARGET: reply()}, asked), records, "https", Vantage(), context)
    assert asked == []


@pytest.mark.parametrize("host", ["127.0.0.1", "169.254.169.254", "[::1]", "[::ffff:127.0.0.1]"])
def test_unvetted_address_in_the_url(host: str) -> None:
    """An address in the URL is vetted as one in DNS is."""
    with pytest.raises(Missed, match="not public"):
        send(f"http://{host}:{free_port()}/", Vantage())


@pytest.mark.parametrize(
    "url",
    [
        "",
        "beat.example.com/x",
        "ftp://beat.example.com/",
        "file:///etc/passwd",
        "http://",
        "http://user:s3cret@beat.example.com/",
        "http://beat.example.com:s3cret/",
        "http://beat.example.com:99999/",
        "http://[s3cret/",
        "http://beat.example.com/s3cret x",
        "http://beat.example.com/s3cret\r\nX: y",
        "http://böse.example/",
    ],
)
def test_url_that_is_none(url: str) -> None:
    """What is no URL to fetch is not fetched, and not told either."""
    with pytest.raises(Missed, match="heartbeat's URL is") as missed:
        send(url, HERE)
    assert "s3cret" not in str(missed.value)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirect_is_not_followed(status: int) -> None:
    """A redirect would show the secret to another: it is a failure, and the log can say so without the way."""
    asked: list[str] = []
    with pytest.raises(Missed, match=rf"^127\.0\.0\.1 answers {status}$"):
        sent(pages({TARGET: redirect("/elsewhere?key=s3cret", status), "/elsewhere?key=s3cret": reply()}, asked))
    assert len(asked) == 1


@pytest.mark.parametrize("status", [400, 404, 429, 500, 503])
def test_answers_that_are_none(status: int) -> None:
    """Another status than 2xx is a heartbeat that did not count."""
    with pytest.raises(Missed, match=f"answers {status}"):
        sent(pages({TARGET: reply(status)}))


@pytest.mark.parametrize(
    "script",
    [
        silence,
        forever(HEAD, b"X: y\r\n", pause=0.02),
        forever(b"", b"HTTP/1.1 102 Processing\r\n\r\n", pause=0.2),
        sends(b"HTTP/1.1 200", hold=True),
    ],
    ids=["silent", "head without end", "not yet", "half a line"],
)
@pytest.mark.usefixtures("quick")
def test_slow_server_takes_no_longer_than_its_time(script: Script) -> None:
    """A server that stalls, or never comes to its end, costs the heartbeat's own time and no more."""
    began = time.monotonic()
    with pytest.raises(Missed, match=r"127\.0\.0\.1 has not answered in 0\.5 seconds"):
        sent(script)
    assert time.monotonic() - began < 2


@pytest.mark.parametrize(
    "script",
    [
        forever(HEAD + b"Content-Length: 99999999999\r\n\r\n", b"x" * 65536),
        forever(HEAD + b"\r\n", b"x" * 65536),
        forever(HEAD, b"a: " + b"x" * 65536 + b"\r\n"),
    ],
    ids=["promised", "until the end", "head"],
)
@pytest.mark.usefixtures("quick")
def test_huge_answer_is_not_read(script: Script) -> None:
    """Of an answer without end no more is read than its status, which has said all."""
    sent(script)


def test_stalled_body_is_not_waited_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """A body that never comes does not make a failure of an answer that has."""
    monkeypatch.setattr(limits, "BODY_SECONDS", 0.2)
    sent(sends(HEAD + b"Content-Length: 10\r\n\r\n", hold=True))


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        (resets, "reset|closed"),
        (closes, "closed"),
        (sends(b"GET " + TARGET.encode() + b" is what you have asked\r\n\r\n"), "protocol_error"),
    ],
    ids=["resets", "closes", "echo"],
)
def test_broken_answers_tell_no_secret(script: Script, kind: str) -> None:
    """Whatever comes back, the failure names its kind and the host, and quotes nothing."""
    with pytest.raises(Missed, match=rf"^127\.0\.0\.1: ({kind})$"):
        sent(script)


def test_nobody_listens() -> None:
    """A closed port is told as such."""
    with pytest.raises(Missed, match="refused"):
        send(f"http://127.0.0.1:{free_port()}{TARGET}", HERE)


def test_second_address_is_tried() -> None:
    """Where the first address refuses the connection, the next one is asked; no third one is."""

    async def play(*addresses: str) -> list[str]:
        asked: list[str] = []
        zone = dns_server.recursive(
            ("example.com", "@ NS ns.example.com.", *(f"beat A {address}" for address in addresses))
        )
        async with dns_server.serve(zone) as resolver, listen(pages({"/": reply()}, asked), "127.0.0.3") as port:
            here = msgspec.structs.replace(HERE, resolvers=(resolver.endpoint,))
            await asyncio.to_thread(send, f"http://beat.example.com:{port}/", here)
        return asked

    assert asyncio.run(play("127.0.0.2", "127.0.0.3")) == ["http://beat.example.com/"]
    with pytest.raises(Missed, match="refused"):
        asyncio.run(play("127.0.0.1", "127.0.0.2", "127.0.0.3"))
