"""What the probes of renewal share: their part of the evidence, which grows piece by piece."""

from typing import Any

import msgspec

from padlock.evidence import Renewal
from padlock.probes.run import Run


def seen(run: Run) -> Renewal:
    """Return what was seen so far."""
    so_far: Renewal = run.pieces.setdefault("renewal", Renewal())
    return so_far


def keep(run: Run, **fields: Any) -> None:
    """Replace fields of what was seen so far."""
    run.pieces["renewal"] = msgspec.structs.replace(seen(run), **fields)
