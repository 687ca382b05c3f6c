"""A sample of a page's own scripts, stylesheets and images, asked for over HTTPS (checklist step 16).

What an address answers is looked at as a browser does: a soft 404 that comes as HTML is no script (Fetch standard,
sections 2.9 and 3.6). A bad answer counts only where a second look shows it again.
"""

import asyncio
import re
from collections.abc import Collection, Sequence

import msgspec

from padlock.evidence import Asset, AssetKind, Failure
from padlock.network.connection import Connection
from padlock.network.failure import NetworkFailure, printable
from padlock.network.http import Response, get
from padlock.network.limits import ASSET_BYTES, ASSET_REDIRECTS, ASSETS_AT_ONCE, BODY_BYTES
from padlock.probes.certificates import parse
from padlock.probes.references import URL_KEPT, Wanted
from padlock.probes.run import CUT_OFF, Run, failure_of
from padlock.probes.text import decoded
from padlock.probes.trust import verify
from padlock.probes.urls import Malformed, Refused, Url, resolve

_MOVED = (301, 302, 303, 307, 308)
_NO_RANGE = 416
"""The file is shorter than what was asked for, and is there."""
_JAVASCRIPT = re.compile(r"(?:text|application)/(?:x-)?(?:java|ecma)script|text/(?:jscript|livescript)")
_NEVER_SCRIPT = ("image/", "audio/", "video/", "text/csv")
_MARKUP = re.compile(r"[\s\ufeff]*<(?:!doctype\s+html|html[\s>])", re.IGNORECASE)


class Loaded(msgspec.Struct, frozen=True):
    """What came for one file."""

    wanted: Wanted
    asset: Asset
    url: str = ""
    """Where its redirects end."""
    text: str = ""
    """Of a stylesheet that browsers use."""


class _Seen(msgspec.Struct, frozen=True):
    """What one request for a file showed."""

    url: Url
    response: Response = Response()
    failure: Failure | None = None


def cut_off(wanted: Wanted) -> Loaded:
    """Return a file that was not asked for in time."""
    return Loaded(wanted, Asset(wanted.kind, printable(wanted.url, URL_KEPT), CUT_OFF))


def same_site(run: Run, host: str) -> bool:
    """Whether a host is one of the site's, or below one of them: static.example.com of www.example.com."""
    own = [known.removeprefix("www.") for known in (*run.hosts, *run.site.hosts, run.site.name)]
    return any(host == known or host.endswith("." + known) for known in own)


def sample(run: Run, page: Url, found: Sequence[Wanted], sheets: int, most: int) -> list[Wanted]:
    """Return the first stylesheets, and of scripts and images the first in turn, on the site's own hosts."""
    own = [wanted for wanted in found if (url := _url(run, page, wanted.url)) and same_site(run, url.host)]
    chosen = [wanted for wanted in own if wanted.kind == "stylesheet"][:sheets]
    scripts = [wanted for wanted in own if wanted.kind == "script"]
    images = [wanted for wanted in own if wanted.kind == "image"]
    for number in range(most):
        chosen += [*scripts[number : number + 1], *images[number : number + 1]]
    return chosen[:most]


async def load(run: Run, page: Url, address: str, wanted: Sequence[Wanted], *, strict: bool) -> list[Loaded]:
    """Ask for files and return what browsers make of them; `strict` is a page with a doctype."""
    found: dict[str, Loaded] = {each.url: cut_off(each) for each in wanted}
    lanes = [list(wanted[number::ASSETS_AT_ONCE]) for number in range(ASSETS_AT_ONCE)]

    async def lane(items: list[Wanted]) -> None:
        seen = await _in_turn(run, page, address, items)
        for each in items:
            first = seen.get(each.url)
            if first is None:
                continue
            loaded = await _settled(run, each, first, strict=strict)
            if _is_bad(loaded.asset):
                again = await _once(run, first.url, each.kind, again=True)
                loaded = await _settled(run, each, again, strict=strict)
            found[each.url] = loaded

    await asyncio.gather(*(lane(items) for items in lanes if items))
    return list(found.values())


async def _in_turn(run: Run, page: Url, address: str, items: Sequence[Wanted]) -> dict[str, _Seen]:
    """Ask for files one after the other, over one connection as long as it lasts."""
    seen: dict[str, _Seen] = {}
    left = [(each, url) for each in items if (url := _url(run, page, each.url))]
    while left:
        first = left[0][1]
        try:
            at = address if first.host == page.host else await _address(run, first.host)
            async with run.connection(first.host, at, first.port) as connection:
                _check(run, first.host, (await connection.start_tls(first.host)).chain)
                reusable = True
                while left and reusable and left[0][1].authority == first.authority:
                    each, url = left.pop(0)
                    seen[each.url] = await _asked(connection, url, each.kind, run.bodies)
                    reusable = seen[each.url].response.reusable
        except NetworkFailure as failure:
            each, url = left.pop(0)
            seen[each.url] = _Seen(url, failure=failure_of(failure))
    return seen


async def _once(run: Run, url: Url, kind: AssetKind, *, again: bool) -> _Seen:
    """Ask for one file over a connection of its own; a second look asks for the whole of it, as browsers do."""
    try:
        at = await _address(run, url.host)
        async with run.connection(url.host, at, url.port, again=again) as connection:
            _check(run, url.host, (await connection.start_tls(url.host)).chain)
            return await _asked(connection, url, kind, run.bodies, whole=again)
    except NetworkFailure as failure:
        return _Seen(url, failure=failure_of(failure))


async def _asked(
    connection: Connection, url: Url, kind: AssetKind, turns: asyncio.Semaphore, *, whole: bool = False
) -> _Seen:
    """Ask for a stylesheet, or for the beginning of another file."""
    headers = () if whole or kind == "stylesheet" else (("Range", f"bytes=0-{ASSET_BYTES - 1}"),)
    most = BODY_BYTES if kind == "stylesheet" else ASSET_BYTES
    response = await get(connection, url.authority, url.target, headers, most, turns)
    return _Seen(url, response, failure_of(response.failure) if response.failure else None)


async def _address(run: Run, host: str) -> str:
    """Return the first address of a host; NetworkFailure where there is none that may be used."""
    try:
        addresses = await run.addresses(host)
    except Refused as refused:
        raise NetworkFailure("not_vetted", str(refused)) from None
    if not addresses:
        raise NetworkFailure("unreachable", f"{host} does not resolve")
    return addresses[0]


async def _settled(run: Run, wanted: Wanted, seen: _Seen, *, strict: bool) -> Loaded:
    """Follow redirects, and return what browsers make of the answer."""
    for _ in range(ASSET_REDIRECTS):
        locations = seen.response.all("location")
        if seen.response.status not in _MOVED or not locations:
            break
        try:
            url = resolve(seen.url, locations[0], run.site, run.hosts)
        except Malformed as malformed:
            return _loaded(wanted, seen, f"it redirects to no URL: {malformed}")
        except Refused as refused:
            return _loaded(wanted, _Seen(seen.url, failure=Failure("not_vetted", printable(str(refused)))))
        if url.scheme == "http":
            # Browsers upgrade an image's redirect where they can, and refuse a script's.
            fault = "" if wanted.kind == "image" else f"it redirects to plain HTTP, {printable(str(url), URL_KEPT)}"
            return _loaded(wanted, seen, fault)
        seen = await _once(run, url, wanted.kind, again=False)
    return _loaded(wanted, seen, _fault(wanted, seen.response, strict=strict))


def _loaded(wanted: Wanted, seen: _Seen, fault: str = "") -> Loaded:
    response = seen.response
    status = 200 if response.status == _NO_RANGE else response.status
    asset = Asset(
        wanted.kind,
        printable(wanted.url, URL_KEPT),
        seen.failure,
        status,
        printable(_type(response), 100),
        fault if seen.failure is None else "",
    )
    usable = wanted.kind == "stylesheet" and status is not None and 200 <= status < 300 and not fault
    return Loaded(wanted, asset, str(seen.url), decoded(response) if usable else "")


def _fault(wanted: Wanted, response: Response, *, strict: bool) -> str:
    """Return why browsers do not use what came; empty where they do, or where its status says it."""
    if response.status is None or not 200 <= response.status < 300:
        return ""
    kind = _type(response)
    unsniffed = "nosniff" in (value.strip().lower() for value in response.all("x-content-type-options"))
    if _MARKUP.match(decoded(response)):
        return f"an HTML page came in place of the {wanted.kind}"
    if not kind or wanted.kind == "image":
        return ""
    if wanted.kind == "script" and not _JAVASCRIPT.fullmatch(kind):
        refused = unsniffed or wanted.module or kind.startswith(_NEVER_SCRIPT)
        return (
            f"browsers do not run a script of the type {printable(kind, 60)}{_because(unsniffed)}" if refused else ""
        )
    if wanted.kind == "stylesheet" and kind != "text/css" and (unsniffed or strict):
        return f"browsers do not apply a stylesheet of the type {printable(kind, 60)}{_because(unsniffed)}"
    return ""


def _because(unsniffed: bool) -> str:
    return " with nosniff" if unsniffed else ""


def _is_bad(asset: Asset) -> bool:
    if asset.failure:
        return not asset.failure.is_ours
    return bool(asset.fault) or (asset.status is not None and asset.status >= 400)


def _type(response: Response) -> str:
    return next(iter(response.all("content-type")), "").split(";")[0].strip().lower()


def _url(run: Run, page: Url, text: str) -> Url | None:
    try:
        url = resolve(page, text, run.site, run.hosts)
    except (Refused, Malformed):
        return None
    return url if url.scheme == "https" else None


def _check(run: Run, host: str, chain: Sequence[bytes]) -> None:
    """Make sure of the certificate of a host that has no checks of its own; NetworkFailure says what is wrong."""
    if host in run.hosts or not chain:
        return
    look = verify(chain, run.trusted)
    if look.status != "trusted":
        raise NetworkFailure("tls", f"the certificate of {host} is not trusted: {look.detail or look.status}")
    names = parse(chain[0]).dns_names
    if not _covered(host, names):
        raise NetworkFailure("tls", f"the certificate does not cover {host}")


def _covered(host: str, names: Collection[str]) -> bool:
    """Whether one of a certificate's names is the host's (RFC 9525 section 6.3)."""
    return bool({host, "*." + host.partition(".")[2]} & {name.lower() for name in names})
