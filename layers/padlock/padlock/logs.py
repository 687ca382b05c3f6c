"""A line of a function's log: one JSON object in printable ASCII, whatever text from outside stands in it."""

import json
from collections.abc import Mapping
from typing import Any

MAX_LINE = 200_000
"""Characters; CloudWatch Logs cuts an event of more than 256 KB, and then it is no JSON any more."""
MAX_VALUE = 4_000
"""Characters of each value of a line that would be longer."""


def line(entry: Mapping[str, Any]) -> str:
    """Return an entry as Powertools' Logger writes it (its `json_serializer`)."""
    text = _written(entry)
    if len(text) <= MAX_LINE:
        return text
    return _written({name[:MAX_VALUE]: _cut(value) for name, value in entry.items()})


def _cut(value: object) -> object:
    text = value if isinstance(value, str) else _written(value)
    return value if len(text) <= MAX_VALUE else f"{text[:MAX_VALUE]}… (cut, {len(text)} characters)"


def _written(value: object) -> str:
    # ASCII has escapes for line separators, controls of C1 and lone surrogates; DEL alone JSON leaves as it is.
    return json.dumps(value, default=str).replace("\x7f", "\\u007f")
