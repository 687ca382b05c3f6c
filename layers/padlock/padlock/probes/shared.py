"""Looks that show the same for every site at an address, made once for the sites that are checked together.

What a server shows to a client that names nobody depends on its address alone. Ten sites on one server would ask it
ten times at once, which costs both sides and looks like an attack.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import cast
from weakref import WeakKeyDictionary

_SECONDS = 10.0
"""For which a look serves others; as long as sites that are begun together take."""
_PATIENCE = 5.0
"""Seconds that a site waits for another one's look before it makes its own."""
_KEPT = 64
"""Looks of one event loop."""

type Key = tuple[str, str, int]
"""What is looked at, and the address and port where."""

_looks: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[Key, tuple[float, asyncio.Future[object]]]]
_looks = WeakKeyDictionary()


async def shared[T](key: Key, look: Callable[[], Awaitable[T]], lasts: Callable[[T], bool]) -> T:
    """Return what a look shows, or has just shown another site; one that does not last serves its own site alone."""
    loop = asyncio.get_running_loop()
    looks = _looks.setdefault(loop, {})
    began, other = looks.get(key, (0.0, None))
    if other is not None and loop.time() - began < _SECONDS:
        if not other.done():
            await asyncio.wait([other], timeout=_PATIENCE)
        seen = cast("T | None", other.result()) if other.done() else None
        return await look() if seen is None else seen
    mine: asyncio.Future[object] = loop.create_future()
    looks.pop(key, None)
    looks[key] = loop.time(), mine
    if len(looks) > _KEPT:
        del looks[next(iter(looks))]
    lasting: object = None
    try:
        seen = await look()
        lasting = seen if lasts(seen) else None
        return seen
    finally:
        mine.set_result(lasting)  # also where the site's time ran out: nobody waits for what never comes
