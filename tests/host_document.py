"""Documents as the collector writes them."""

import json
from datetime import UTC, datetime
from typing import Any

NOW = datetime(2026, 11, 20, 17, 0, tzinfo=UTC)


def section(name: str, output: str = "", status: int = 0, command: str = "") -> dict[str, Any]:
    """Return one section."""
    return {
        "name": name,
        "command": command or name,
        "status": status,
        "seconds": 0.1,
        "cut": False,
        "output": output,
    }


def document(*sections: dict[str, Any], host: str = "web-1", at: datetime = NOW, **fields: Any) -> str:
    """Return the document of a machine: without sections, one on which nothing could be run."""
    whole = {
        "format": "padlock-host/1",
        "collected_at": int(at.timestamp()),
        "host": host,
        "system": "Debian GNU/Linux 12 (bookworm)",
        "uid": 0,
        "sections": list(sections),
    }
    return json.dumps(whole | fields)
