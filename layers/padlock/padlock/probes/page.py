"""The pages that visitors come to, and what they load (checklist step 16).

The page at the end of a start URL's redirects is read whole; then its own stylesheets and a sample of its files, once
the main looks are over.
"""

import asyncio
import re
from collections import Counter
from collections.abc import Callable
from typing import Literal
from urllib.parse import urlsplit

import msgspec

from padlock.evidence import Page, Reference
from padlock.network.http import Response
from padlock.network.limits import ASSETS, MAIN_LOOKS_SECONDS, STYLESHEETS
from padlock.probes.assets import Loaded, cut_off, load, same_site, sample
from padlock.probes.chains import follow
from padlock.probes.references import (
    Contents,
    Policy,
    in_page,
    in_stylesheet,
    worst_first,
)
from padlock.probes.run import Run
from padlock.probes.text import decoded
from padlock.probes.urls import Url

_IN_THREAD = 50_000
"""Characters from which on a text is read beside the event loop."""
_DEADLINE = "the time for this site ran out before it was read"
_DOCTYPE = re.compile(r"[\s\ufeff]*(?:<!--.{0,2000}?-->\s*)?<!doctype\s+html", re.IGNORECASE | re.DOTALL)


async def follow_and_read(run: Run, start: Url, purpose: Literal["front", "health"]) -> None:
    """Record where a start URL leads, and what the page there loads."""
    page = Page(str(start), purpose, unread=_DEADLINE)
    _record(run, page)
    await follow(run, start, purpose)
    chain = run.chains[str(start), purpose]
    if chain.end != "answer" or not chain.hops:
        ended = chain.detail or chain.end.replace("_", " ")
        _record(run, msgspec.structs.replace(page, unread=f"there is no page: {ended}"))
        return
    last = chain.hops[-1]
    if any(other.url == last.url for other in _pages(run)):
        _drop(run, page)
        return
    page = msgspec.structs.replace(page, url=last.url)
    waiting = run.announced(last.url, last.address)
    parts = urlsplit(last.url)
    host = parts.hostname or ""
    if not same_site(run, host):
        _record(run, msgspec.structs.replace(page, foreign=True, unread=f"it belongs to another site, {host}"))
    elif not last.url.startswith("https://"):
        _record(run, msgspec.structs.replace(page, unread="it is served over plain HTTP itself"))
    elif last.status is None or last.status >= 400 or waiting is None:
        answered = f"it answered {last.status}" if waiting else "it answers only with cookies"
        _record(run, msgspec.structs.replace(page, unread=answered))
    else:
        _record(run, page)
        answer = (await waiting).page
        failure = f"it did not come whole: {chain.detail}" if chain.detail else ""
        if answer is None or not answer.body:
            _record(run, msgspec.structs.replace(page, unread=failure))
        else:
            at = Url("https", host, parts.port or 443, re.sub(r"^https://[^/?]*", "", last.url))
            await _read(run, page, at, last.address, answer)


async def _read(run: Run, page: Page, at: Url, address: str, answer: Response) -> None:
    """Read a page, and then what belongs to it."""
    text = decoded(answer)
    policies = answer.all("content-security-policy")
    contents = await _aside(len(text), in_page, text, str(at), policies)
    chosen = sample(run, at, contents.assets, STYLESHEETS, ASSETS)
    page = msgspec.structs.replace(
        page,
        unread="",
        is_html=True,
        truncated=answer.truncated or answer.failure is not None,
        blocks_all=contents.policy.blocks_all,
        counts=contents.counts,
        references=contents.references,
        assets=tuple(cut_off(wanted).asset for wanted in chosen),
    )
    _record(run, page)
    if not chosen:
        return
    await run.after_main_looks(MAIN_LOOKS_SECONDS)
    strict = _DOCTYPE.match(text[:4096]) is not None
    async with run.page_files:
        loaded = await load(run, at, address, chosen, strict=strict)
    page = await _with_stylesheets(page, contents.policy, loaded)
    _record(run, msgspec.structs.replace(page, assets=tuple(each.asset for each in loaded)))


async def _with_stylesheets(page: Page, policy: Policy, loaded: list[Loaded]) -> Page:
    """Return the page with what its stylesheets refer to."""
    read = [await _aside(len(each.text), in_stylesheet, each.text, each.url, policy) for each in loaded if each.text]
    return _joined(page, read)


def _joined(page: Page, read: list[Contents]) -> Page:
    counts = Counter(page.counts)
    kept: dict[str, list[Reference]] = {}
    for contents in read:
        counts.update(contents.counts)
    for reference in (*page.references, *(each for contents in read for each in contents.references)):
        key = f"{reference.kind} upgraded" if reference.upgraded else reference.kind
        kept.setdefault(key, []).append(reference)
    return msgspec.structs.replace(page, counts=dict(counts), references=worst_first(kept))


async def _aside[**P](size: int, read: Callable[P, Contents], *arguments: P.args, **options: P.kwargs) -> Contents:
    """Read a text; a long one beside the event loop, which other sites share."""
    if size > _IN_THREAD:
        return await asyncio.to_thread(read, *arguments, **options)
    return read(*arguments, **options)


def _pages(run: Run) -> tuple[Page, ...]:
    pages: tuple[Page, ...] = run.pieces.get("page", ())
    return pages


def _record(run: Run, page: Page) -> None:
    """Keep a page in the place of what was known of it."""
    kept = {(each.start, each.purpose): each for each in _pages(run)}
    run.pieces["page"] = tuple({**kept, (page.start, page.purpose): page}.values())


def _drop(run: Run, page: Page) -> None:
    """Forget a start that leads to a page which is read already."""
    run.pieces["page"] = tuple(
        each for each in _pages(run) if (each.start, each.purpose) != (page.start, page.purpose)
    )
