"""The processes that the hostile servers live in: the embedded AWS, in theirs, would keep their answers waiting."""

import asyncio
import contextlib
import ctypes
import logging
import multiprocessing
import os
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from tests.hostile.behaviour import Behaviour
from tests.hostile.child import ROOT
from tests.hostile.internet import Internet
from tests.lab.network import CHECKER, SERVERS

CHILD_SECONDS = 110.0
"""After which a checker's process is ended."""
_SET_PARENT_DEATH_SIGNAL = 1


class Stages:
    """Processes that serve hostile sites while a checker looks at them."""

    def __init__(self, pool: ProcessPoolExecutor) -> None:
        """Take processes that know the lab and every behaviour."""
        self._pool = pool

    def play(self, behaviours: Sequence[Behaviour], directory: Path, environment: Mapping[str, str]) -> str:
        """Serve these until the checker's process has ended; return what that printed.

        RuntimeError: it ended otherwise than it should.
        """
        names = tuple(behaviour.name for behaviour in behaviours)
        return self._pool.submit(_play, names, directory, environment).result()


@contextlib.contextmanager
def stages(internet: Internet, behaviours: Sequence[Behaviour], number: int) -> Iterator[Stages]:
    """Start that many processes, which end with this one; call it before any thread is started."""
    with ProcessPoolExecutor(
        number,
        multiprocessing.get_context("fork"),
        initializer=_enter,
        initargs=(internet, {behaviour.name: behaviour for behaviour in behaviours}),
    ) as pool:
        pool.submit(os.getpid).result()  # all of them are forked at the first call
        yield Stages(pool)


_lab: list[tuple[Internet, Mapping[str, Behaviour]]] = []


def _enter(internet: Internet, behaviours: Mapping[str, Behaviour]) -> None:
    ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGTERM)
    # Servers that flood write on when nobody listens any more, of which asyncio would tell at every octet.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    _lab.append((internet, behaviours))


def _play(names: Sequence[str], directory: Path, environment: Mapping[str, str]) -> str:
    internet, known = _lab[0]
    behaviours = [known[name] for name in names]
    return internet.network.call(SERVERS, lambda: asyncio.run(_serve(internet, behaviours, directory, environment)))


async def _serve(
    internet: Internet, behaviours: Sequence[Behaviour], directory: Path, environment: Mapping[str, str]
) -> str:
    words = internet.within(CHECKER, sys.executable, "-m", "tests.hostile.child", str(directory))
    async with contextlib.AsyncExitStack() as stack:
        for behaviour in behaviours:
            await stack.enter_async_context(behaviour.serve(internet.places[behaviour.name]))
        log = directory / "printed"
        with log.open("wb") as file:
            child = await asyncio.create_subprocess_exec(
                *words, cwd=ROOT, env=environment, stdin=asyncio.subprocess.DEVNULL, stdout=file, stderr=file
            )
        try:
            async with asyncio.timeout(CHILD_SECONDS):
                status = await child.wait()
        except TimeoutError:
            child.kill()
            await child.wait()
            raise RuntimeError(f"the checker's process did not end within {CHILD_SECONDS:g} s") from None
    printed = log.read_text(errors="replace")
    if status:
        raise RuntimeError(f"the checker's process ended with {status}: {printed[-2000:]}")
    return printed
