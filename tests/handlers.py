"""A function's handler, imported as Lambda does it: from its file, which is in no package.

Nothing else is imported here, so that a process that is measured carries the function alone.
"""

import importlib.util
from pathlib import Path
from typing import Any

_FUNCTIONS = Path(__file__).parents[1] / "functions"


def load(function: str) -> Any:
    """Return a new module of a function, such as `check`; RuntimeError where there is none."""
    spec = importlib.util.spec_from_file_location(f"padlock_{function}", _FUNCTIONS / function / "app.py")
    if spec is None or spec.loader is None:
        raise RuntimeError(f"the function {function} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
