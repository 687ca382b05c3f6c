"""Looks that show the same for every site at an address, made once for the sites that are checked together.

What a server shows to a client that names nobody depends on its address alone. Ten sites on one server would ask it
ten times at once, which costs both sides and looks like an attack. A site never takes over what it has seen already:
its second look, which is to confirm the first, is made anew.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import cast
from weakref import WeakKeyDictionary

import msgspec

_SECONDS = 10.0
"""For which a look serves others; as long as sites that are begun together take."""
_PATIENCE = 5.0
"""Seconds that a site waits for another one's look before it makes its own."""
_KEPT = 64
"""Looks of one event loop."""

type Key = tuple[str, str, int]
"""What is looked at, and the address and port where."""


class _Look(msgspec.Struct):
    """A look that was made, or is under way."""

    began: float
    showed: asyncio.Future[object]
    """None: nothing that others may take over."""
    sites: set[str]
    """That have seen what it showed."""


_looks: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[Key, _Look]] = WeakKeyDictionary()


async def shared[T](key: Key, site: str, look: Callable[[], Awaitable[T]], lasts: Callable[[T], bool]) -> T:
    """Return what a look shows, or has just shown another site; one that does not last serves its own site alone."""
    loop = asyncio.get_running_loop()
    looks = _looks.setdefault(loop, {})
    other = looks.get(key)
    if other is not None and loop.time() - other.began < _SECONDS and site not in other.sites:
        other.sites.add(site)
        if not other.showed.done():
            await asyncio.wait([other.showed], timeout=_PATIENCE)
        seen = cast("T | None", other.showed.result()) if other.showed.done() else None
        return await look() if seen is None else seen
    mine: asyncio.Future[object] = loop.create_future()
    looks.pop(key, None)
    looks[key] = _Look(loop.time(), mine, {site})
    if len(looks) > _KEPT:
        del looks[next(iter(looks))]
    lasting: object = None
    try:
        seen = await look()
        lasting = seen if lasts(seen) else None
        return seen
    finally:
        mine.set_result(lasting)  # also where the site's time ran out: nobody waits for what never comes
