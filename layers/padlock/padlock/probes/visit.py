"""A connection that is opened in its turn, and closed where it was opened."""

import asyncio
from collections.abc import Sequence
from types import TracebackType

from padlock.network.connection import Connection, connect
from padlock.probes.turns import Turns


class Visit:
    """One connection to an address, as an asynchronous context: a check has dozens."""

    __slots__ = ("_address", "_again", "_allowed", "_connection", "_port", "_slots", "_turns")

    def __init__(
        self,
        turns: Turns,
        slots: asyncio.Semaphore,
        address: str,
        port: int,
        allowed: Sequence[str],
        *,
        again: bool,
    ) -> None:
        """Take whose turn it is, the host's connections that may be open at once, and where to go."""
        self._turns = turns
        self._slots = slots
        self._address = address
        self._port = port
        self._allowed = allowed
        self._again = again
        self._connection: Connection | None = None

    async def open(self) -> Connection:
        """Wait for the turn and connect; NetworkFailure where that does not work, which leaves nothing to close."""
        await self._turns.begin(self._address, again=self._again)
        try:
            await self._slots.acquire()
        except BaseException:
            self._turns.end(self._address, again=self._again)
            raise
        try:
            self._connection = await connect(self._address, self._port, self._allowed)
        finally:
            if self._connection is None:
                self._leave()
        return self._connection

    def close(self) -> None:
        """Close the connection, if one is open, and let others have their turn."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
            self._leave()

    async def __aenter__(self) -> Connection:
        """Open it."""
        return await self.open()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()

    def _leave(self) -> None:
        self._slots.release()
        self._turns.end(self._address, again=self._again)
