"""What a stretch of Python executes: bytecode instructions by function, and calls of what is written in C.

`sys.monitoring` (PEP 669) counts each instruction once, specialised or not, in every thread, so that the same work
has the same count on any machine and under any load. Work in C is one instruction there, however long it takes;
hence the calls, by name.
"""

import gc
import sys
import threading
import types
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

_TOOL = sys.monitoring.PROFILER_ID
_EVENTS = sys.monitoring.events
_PYTHON = (types.FunctionType, types.MethodType)
_HERE = str(Path(__file__).parent)


class Counted(msgspec.Struct, frozen=True):
    """What was executed."""

    functions: dict[str, int]
    """`module:function` → bytecode instructions, those of this package left out."""
    starts: dict[str, int]
    """`module:function` → how often it began, those of this package left out."""
    calls: dict[str, int]
    """Qualified name of a C function, method or class → calls of it from Python."""


class Figures(msgspec.Struct, frozen=True):
    """What one audit costs."""

    exact: dict[str, int]
    """Compared exactly."""
    about: dict[str, int]
    """Compared within a tenth."""
    modules: dict[str, int]
    """Module → bytecode instructions of its functions."""
    functions: dict[str, int]
    """`module:function` → bytecode instructions."""
    calls: dict[str, int]
    """C function → calls."""


class Meter:
    """Counts what runs within `counting`, but for what the same thread does within `pause`."""

    def __init__(self) -> None:
        self._paused = False
        self._thread = threading.get_ident()
        self._codes: dict[int, types.CodeType] = {}
        self._instructions: Counter[int] = Counter()
        self._starts: Counter[int] = Counter()
        self._calls: Counter[str] = Counter()

    @contextmanager
    def pause(self) -> Iterator[None]:
        """Leave out what this thread does; others go on."""
        before, self._paused = self._paused, True
        try:
            yield
        finally:
            self._paused = before

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Count, with the garbage collector off: when it runs is an accident."""
        sys.monitoring.use_tool_id(_TOOL, "padlock count")
        sys.monitoring.register_callback(_TOOL, _EVENTS.INSTRUCTION, self._counter(self._instructions))
        sys.monitoring.register_callback(_TOOL, _EVENTS.PY_START, self._counter(self._starts))
        sys.monitoring.register_callback(_TOOL, _EVENTS.CALL, self._on_call())
        gc.collect()
        gc.disable()
        sys.monitoring.set_events(_TOOL, _EVENTS.INSTRUCTION | _EVENTS.PY_START | _EVENTS.CALL)
        try:
            yield
        finally:
            sys.monitoring.set_events(_TOOL, 0)
            gc.enable()
            sys.monitoring.free_tool_id(_TOOL)

    def counted(self) -> Counted:
        """Return what was counted so far."""
        functions: Counter[str] = Counter()
        starts: Counter[str] = Counter()
        for key, code in self._codes.items():
            if not code.co_filename.startswith(_HERE):
                name = f"{_module(code.co_filename)}:{code.co_qualname}"
                functions[name] += self._instructions[key]
                starts[name] += self._starts[key]
        return Counted(dict(functions.most_common()), dict(starts), dict(self._calls.most_common()))

    def _counter(self, counts: Counter[int]) -> Callable[[types.CodeType, int], None]:
        codes, ident, mine = self._codes, threading.get_ident, self._thread

        def hit(code: types.CodeType, _offset: int) -> None:
            if self._paused and ident() == mine:
                return
            # Hashing a code object reads all of it; kept beside its number, that number stays its own.
            key = id(code)
            if key not in codes:
                codes[key] = code
            counts[key] += 1

        return hit

    def _on_call(self) -> Callable[[types.CodeType, int, object, object], None]:
        counts, ident, mine = self._calls, threading.get_ident, self._thread

        def called(code: types.CodeType, _offset: int, function: object, _first: object) -> None:
            if isinstance(function, _PYTHON) or (self._paused and ident() == mine):
                return
            if not code.co_filename.startswith(_HERE):
                counts[getattr(function, "__qualname__", "") or type(function).__qualname__] += 1

        return called


def _module(filename: str) -> str:
    """Return the dotted name of a source file, as it would be imported."""
    path = Path(filename)
    parts = path.with_suffix("").parts
    # Frozen modules have no file.
    if filename.startswith("<"):
        return filename.strip("<>").removeprefix("frozen ")
    for root in ("site-packages", "python3.13", "layers"):
        if root in parts:
            at = len(parts) - parts[::-1].index(root)
            kept = parts[at + 1 :] if root == "layers" else parts[at:]
            return ".".join(kept).removesuffix(".__init__")
    return ".".join(parts[-2:])
