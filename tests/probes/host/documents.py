"""Documents as the collector writes them, and the samples of what real programs print."""

import base64
import gzip
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

SAMPLES = Path(__file__).parent / "samples"
AT = 1_795_257_600


def sample(name: str) -> str:
    """Return one sample; capture.py makes them anew."""
    return (SAMPLES / name).read_text(encoding="utf-8")


def section(name: str, output: str = "", status: int = 0, command: str = "", *, cut: bool = False) -> dict[str, Any]:
    """Return a section; its output is written as the collector does, octet by octet."""
    written = output.encode().decode("latin-1")
    return {"name": name, "command": command or name, "status": status, "seconds": 0.1, "cut": cut, "output": written}


def document(*sections: Mapping[str, Any], **fields: Any) -> bytes:
    """Return a document with these sections."""
    whole = {"format": "padlock-host/1", "collected_at": AT, "host": "web-1", "system": "Debian", "uid": 0}
    return json.dumps({**whole, "sections": list(sections), **fields}).encode()


def compressed(plain: bytes) -> bytes:
    """Return a document in its compressed form, wrapped as base64(1) does."""
    return b"padlock-host/1 gzip " + base64.encodebytes(gzip.compress(plain))
