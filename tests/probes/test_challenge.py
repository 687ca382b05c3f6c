"""The way of a challenge, gone as an authority goes it, against real servers."""

import re
from datetime import UTC, datetime

import msgspec
import pytest
from padlock.evidence import Challenge, Evidence
from padlock.probes import gather
from padlock.site import Ports

from tests.servers import Lab, Request, Script, forever, pages, redirect, reply, resets, silence, stage

SHOP = pages({"/": reply(200, "<title>Shop</title>")})


def challenges(script: bytes) -> Script:
    """Return a server that answers this to challenges, and a page to the rest."""
    return pages(lambda request: script if "/acme-challenge/" in request.path else reply(200, "shop"))


def way(seen: Evidence) -> Challenge:
    """Return the only way that was gone."""
    assert seen.renewal
    (one,) = seen.renewal.challenges
    return one


async def test_a_token_that_nobody_has_is_asked_for_over_plain_http() -> None:
    """At the place and with as much chance as a real one; the way ends with the server's answer."""
    asked: list[str] = []
    async with stage(SHOP, pages({}, asked)) as lab:
        seen = way(await lab.gather())
    assert re.fullmatch(rf"http://{lab.http}/\.well-known/acme-challenge/[A-Za-z0-9_-]{{43}}", seen.url)
    assert [url for url in asked if "acme-challenge" in url] == [seen.url.replace(f":{lab.site.http_port}", "")]
    assert (seen.end, [hop.status for hop in seen.hops], seen.confirmed) == ("answer", [404], False)
    assert seen.answer
    assert (seen.answer.purpose, seen.answer.status) == ("challenge", 404)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_redirects_that_authorities_follow(status: int) -> None:
    """To HTTPS, whose certificate is not looked at, and on at the same address."""
    lab_at: list[Lab] = []

    def moved(request: Request) -> bytes:
        return redirect(f"https://{lab_at[0].https}{request.path}", status)

    asked: list[str] = []
    async with stage(pages({}, asked), pages(moved), private_ca="") as lab:
        lab_at.append(lab)
        seen = way(await lab.gather())
    assert (seen.end, [hop.status for hop in seen.hops]) == ("answer", [status, 404])
    assert seen.hops[-1].url.startswith(f"https://{lab.https}/.well-known/")
    assert len([url for url in asked if "acme-challenge" in url]) == 1, "it was asked ahead, and not again"


@pytest.mark.parametrize(
    ("answer", "detail"),
    [
        (redirect("/elsewhere", 303), "303"),
        (redirect("https://example.com:8443/"), "8443"),
        (redirect("https://127.0.0.1/"), "bare address"),
        (redirect("ftp://example.com/"), "ftp"),
        (reply(301), "no Location"),
        (reply(301, "", ("Location", "/a"), ("Location", "/b")), "2 Location"),
        (redirect(".well-known", 301), "comes back"),
    ],
    ids=["303", "port", "address", "scheme", "no location", "two locations", "loop"],
)
async def test_redirects_that_authorities_do_not_follow(answer: bytes, detail: str) -> None:
    """The reason is kept, and nothing is sent there."""
    async with stage(SHOP, challenges(answer) if detail != "comes back" else pages(lambda _: redirect("/x"))) as lab:
        seen = way(await lab.gather())
    assert seen.end == "not_followed"
    assert detail in seen.detail


async def test_a_way_that_comes_back_to_itself() -> None:
    """The reason says so in the same words every time: the token in it differs from run to run."""
    async with stage(SHOP, pages(lambda request: redirect(request.path))) as lab:
        seen = way(await lab.gather())
    assert seen.detail == f"it comes back to http://{lab.http}/.well-known/acme-challenge/<token>"


async def test_at_most_ten_redirects() -> None:
    """As many as Boulder follows."""

    def further(request: Request) -> bytes:
        number = int(request.path.rpartition("-")[2]) + 1 if "/step-" in request.path else 1
        return redirect(f"/step-{number}") if "acme" in request.path or "step" in request.path else reply()

    async with stage(SHOP, pages(further)) as lab:
        seen = way(await lab.gather())
    assert (seen.end, len(seen.hops), seen.detail) == ("not_followed", 11, "more than 10 redirects")


async def test_each_address_is_gone_from() -> None:
    """An authority may pick either."""
    async with stage(SHOP, SHOP, hosts={"example.com": ("127.0.0.1", "::1")}) as lab:
        seen = await lab.gather()
    assert seen.renewal
    assert {one.address for one in seen.renewal.challenges} == {"127.0.0.1", "::1"}
    assert all(hop.address == one.address for one in seen.renewal.challenges for hop in one.hops)


async def test_a_failure_is_seen_twice() -> None:
    """A reset, and an error of the server, are looked at again."""
    async with stage(SHOP, resets) as lab:
        broken = way(await lab.gather())
    assert (broken.end, broken.failure and broken.failure.kind, broken.confirmed) == ("failure", "reset", True)
    async with stage(SHOP, challenges(reply(500))) as lab:
        failing = way(await lab.gather())
    assert (failing.end, failing.answer and failing.answer.status, failing.confirmed) == ("answer", 500, True)


async def test_an_error_that_passes() -> None:
    """What the second look shows counts."""
    left = [reply(503)]
    later = pages(lambda request: left.pop() if "acme" in request.path and left else reply(404))
    async with stage(SHOP, later) as lab:
        seen = way(await lab.gather())
    assert (seen.answer and seen.answer.status, seen.confirmed) == (404, False)


async def test_a_redirect_to_a_name_that_does_not_exist() -> None:
    """The authority gets no further either."""
    async with stage(SHOP, challenges(redirect("http://gone.example.com/"))) as lab:
        # The declared port is the only one but 80 that may be asked; 80 is where this name would be.
        seen = way(await lab.gather())
    assert seen.failure
    assert seen.failure.detail == "gone.example.com does not resolve"


async def test_closed_on_purpose() -> None:
    """Nothing is asked where the owner says that plain HTTP is off."""
    asked: list[str] = []
    async with stage(SHOP, pages({}, asked)) as lab:
        site = msgspec.structs.replace(lab.site, ports=Ports("closed", lab.site.ports.https))
        seen = await gather(site, datetime.now(UTC), lab.vantage)
    assert seen.renewal
    assert seen.renewal.challenges == ()
    assert asked == []


async def test_the_deadline_cuts_a_way_off() -> None:
    """What was planned and not done stands there as such."""
    async with stage(SHOP, silence, deadline=0.5) as lab:
        seen = await lab.gather()
    assert seen.incomplete
    one = way(seen)
    assert (one.end, one.failure and one.failure.kind) == ("failure", "deadline")


async def test_little_is_kept_of_a_long_answer() -> None:
    """Four kilobytes of the body, and not every header."""
    long = forever(b"HTTP/1.1 200 OK\r\n" + b"X-Long: a\r\n" * 80 + b"\r\n", b"a" * 65536)
    async with stage(SHOP, long) as lab:
        seen = way(await lab.gather())
    assert seen.answer
    assert (len(seen.answer.body), len(seen.answer.headers)) == (4096, 40)
