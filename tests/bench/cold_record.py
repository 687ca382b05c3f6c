"""A result as a JSON file under .cache/bench: when, on which machine, of which commit, and what was measured."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.bench import compare_record

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / ".cache/bench"


def write(name: str, measured: Mapping[str, Any]) -> Path:
    """Write the newest result of this name, in place of the one before; return its path."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    file = RESULTS / f"{name}.json"
    stamped = {
        "date": compare_record.now(),
        "machine": compare_record.machine(),
        "commit": compare_record.commit(),
        **measured,
    }
    file.write_text(json.dumps(stamped, indent=2) + "\n")
    return file
