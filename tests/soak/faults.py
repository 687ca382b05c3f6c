"""Clients of AWS whose calls fail, each in the way that a plan says, and the actors that use them."""

import threading
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Literal, get_args

import msgspec
from botocore.exceptions import ClientError, ReadTimeoutError

from tests.soak.amazon import cancelled
from tests.soak.memory import pages

if TYPE_CHECKING:
    from tests.soak.world import World

type Kind = Literal[
    "crash before",
    "crash after",
    "lost",
    "resent",
    "throttled",
    "conflict",
    "refused",
    "stall",
    "other before",
    "other after",
    "overlap",
]
"""`lost`: done, but the answer never comes. `resent`: so, and the SDK asks again. `refused`: the service does not
take it, now or later. `stall`: it takes longer than a lease. `overlap`: another run of the same site begins here, and
goes on once this one has ended."""
type Other = Literal["same run", "another run", "notify", "sweep", "truth", "removal", "return"]
"""What another actor does between."""

KINDS: tuple[Kind, ...] = get_args(Kind.__value__)
OTHERS: tuple[Other, ...] = get_args(Other.__value__)
AFTER_LOAD = 1
"""Calls that a run makes until it has read its site's state."""
CALL_SECONDS = 0.02
STALL_SECONDS = 100.0
"""More than a lease."""
RESENDING = ("dynamodb", "sqs")
"""Services whose clients repeat a call by themselves."""


class Crash(BaseException):
    """The end of a function in the middle: nothing of ours catches it."""


class Fault(msgspec.Struct, frozen=True):
    """What happens at one call."""

    at: int
    """The number of the call among its actor's own, from 0."""
    kind: Kind
    other: Other = "same run"


class Actor:
    """One invocation of one function: its clients, its clock's error, and what is to go wrong."""

    def __init__(self, world: "World", plan: tuple[Fault, ...] = (), skew: float = 0.0) -> None:
        self._world = world
        self._plan = {fault.at: fault for fault in plan}
        self.skew = skew
        self.calls = 0
        self.dead = False
        self.subject: Any = None
        """What it works on, for who comes between."""
        self.halt = -1
        """The number of the call at which it waits until whoever it overlaps has ended; below 0: none."""
        self.halted, self.resumed = threading.Event(), threading.Event()
        self.behind: list[tuple[Actor, threading.Thread]] = []
        """Those that wait for its end."""
        self.in_time = False
        """It has the time for a second look."""
        self.refused = False
        """A text of its was refused for good."""

    @property
    def stalls(self) -> bool:
        """Whether a call of its own takes so long that no time is left for another look."""
        return any(fault.kind == "stall" for fault in self._plan.values())

    def client(self, service: str) -> Any:
        """Return a client of its own."""
        return _Client(self, service, self._world.amazon.clients[service])

    def call(self, service: str, operation: str, arguments: Mapping[str, Any]) -> Any:
        """Make one call, with what is to go wrong at it."""
        if self.dead:
            raise Crash  # who has ended cleans nothing up
        fault = self._plan.get(self.calls)
        if self.calls == self.halt:
            self.halted.set()
            self.resumed.wait()
        self.calls += 1
        self._world.clock.sleep(CALL_SECONDS)

        def done() -> Any:
            return self._world.perform(self, service, operation, arguments)

        if fault is None:
            return done()
        self._world.met[fault.kind] += 1
        self._world.ledger.strike(self)
        try:
            return self._fail(fault, service, operation, arguments, done)
        finally:
            self._world.ledger.strike(self)

    def _fail(  # noqa: PLR0912 — one branch for each kind of fault
        self, fault: Fault, service: str, operation: str, arguments: Mapping[str, Any], done: Callable[[], Any]
    ) -> Any:
        match fault.kind:
            case "crash before":
                self._end()
            case "throttled":
                raise throttled(service, operation)
            case "conflict":
                if operation == "transact_write_items":
                    raise cancelled(len(arguments["TransactItems"]), "TransactionConflict")
                raise throttled(service, operation)
            case "refused":
                if operation == "put_events":
                    entry = {"ErrorCode": "ThrottlingException", "ErrorMessage": "as the test wants"}
                    return {"FailedEntryCount": 1, "Entries": [entry]}
                if operation == "send_message_batch":
                    failed = [
                        {"Id": entry["Id"], "Code": "x", "SenderFault": False} for entry in arguments["Entries"]
                    ]
                    return {"Successful": [], "Failed": failed}
                if operation == "publish":
                    self.refused = True
                    raise refusal(operation, "InvalidParameter")
                raise throttled(service, operation)
            case "stall":
                self._world.clock.sleep(STALL_SECONDS)
            case "other before":
                self._world.between(self, fault.other)
            case "overlap":
                self._world.overlap(self, AFTER_LOAD + fault.at % 4)
            case _:
                pass
        answer = done()
        match fault.kind:
            case "crash after":
                self._end()
            case "resent" if service in RESENDING:
                return done()
            case "lost" | "resent":
                raise ReadTimeoutError(endpoint_url="https://as-the-test-wants.example")
            case "other after":
                self._world.between(self, fault.other)
            case _:
                pass
        return answer

    def _end(self) -> None:
        self.dead = True
        raise Crash


class _Client:
    """A client of one service."""

    def __init__(self, actor: Actor, service: str, real: Any) -> None:
        self._actor, self._service = actor, service
        self.exceptions = real.exceptions
        self.meta = real.meta

    def __getattr__(self, operation: str) -> Any:
        return lambda **arguments: self._actor.call(self._service, operation, arguments)

    def get_paginator(self, operation: str) -> Any:
        """Return what makes one call for each page."""
        return SimpleNamespace(paginate=lambda **arguments: pages(getattr(self, operation), arguments))


def throttled(service: str, operation: str) -> ClientError:
    """Return the error that is left once the client's own attempts are over."""
    code = "ProvisionedThroughputExceededException" if service == "dynamodb" else "ThrottlingException"
    return refusal(operation, code)


def refusal(operation: str, code: str) -> ClientError:
    """Return a service's error."""
    return ClientError({"Error": {"Code": code, "Message": "as the test wants"}}, operation)
