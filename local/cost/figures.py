"""Measured figures that the model multiplies: those of the last benchmark, or else the committed copy of them.

`make bench-fleet` writes .cache/bench/fleet.json, with the keys of KEYS at its top or one level deeper. What it does
not have comes from figures.json, which `python -m local.cost --write` brings up to date with what was measured anew.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from local.cost.stack import ROOT

KEPT = Path(__file__).parent / "figures.json"
MEASURED = ROOT / ".cache" / "bench" / "fleet.json"
KEYS: Mapping[str, str] = {
    "wru_per_unchanged_run": "write units of a run that changes nothing",
    "wru_per_changed_run": "write units of a run that makes an alert, until it is published",
    "rru_per_run": "read units of a run, its share of the tick included",
    "sqs_requests_per_site_run": "requests to the queue for one site's run, in full batches",
    "log_octets_per_site_run": "octets that a run logs, in full batches",
    "stored_octets_per_site": "octets of a site in both tables, without its history",
    "history_octets_per_run": "octets of one row of the history",
    "octets_out_per_site_run": "octets that a run sends into the Internet, with the headers of IP",
    "check_gb_seconds_per_site_run": "GB-seconds of check for one site's run, in full batches",
    "check_init_gb_seconds": "GB-seconds of a cold start of check",
    "dispatch_gb_seconds_per_site_tick": "GB-seconds of dispatch for each site of a tick",
    "dispatch_gb_seconds_per_tick": "GB-seconds of dispatch for a tick without sites",
    "dispatch_wru_per_tick": "write units of a tick itself",
    "dispatch_rru_per_tick": "read units of a tick itself",
    "dispatch_log_octets_per_tick": "octets that a tick logs",
    "notify_gb_seconds_per_change": "GB-seconds of notify for one alert",
    "sweep_gb_seconds": "GB-seconds of one sweep that finds nothing",
    "sweep_rru": "read units of one sweep that finds nothing",
    "sweep_log_octets": "octets that a sweep logs",
}
"""What the model needs, and what each is."""


class WrongFigures(ValueError):
    """A file of figures cannot be used; the text says why, and what to do."""


class Figure(msgspec.Struct, frozen=True):
    """One measured figure."""

    value: float
    date: str
    """When it was measured."""
    how: str


type Figures = Mapping[str, Figure]


def load(kept: Path = KEPT, measured: Path = MEASURED) -> Figures:
    """Return every figure of KEYS, measured ones before kept ones; WrongFigures where one is nowhere."""
    found = {**_kept(kept), **_measured(measured)}
    missing = [key for key in KEYS if key not in found]
    if missing:
        raise WrongFigures(f"neither {measured.name} nor {kept.name} has {', '.join(missing)}: run make bench-fleet")
    return {key: found[key] for key in KEYS}


def keep(figures: Figures, kept: Path = KEPT) -> None:
    """Write figures as the committed copy."""
    text = json.dumps(msgspec.to_builtins(dict(figures)), indent=2, ensure_ascii=False)
    kept.write_text(f"{text}\n", encoding="utf-8")


def _kept(path: Path) -> dict[str, Figure]:
    if not path.exists():
        return {}
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Figure])
    except msgspec.DecodeError as error:
        raise WrongFigures(f"{path.name} cannot be read ({error}): restore it from the repository") from error


def _measured(path: Path) -> dict[str, Figure]:
    """Return what a benchmark measured; a figure of a wrong kind is an error, a missing one is not."""
    if not path.exists():
        return {}
    try:
        document = msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise WrongFigures(f"{path.name} cannot be read ({error}): run make bench-fleet again") from error
    date, told = str(document.get("date", ""))[:10], document.get("how", {})
    how = told if isinstance(told, dict) else {}
    return {key: Figure(_number(path, key, value), date, _how(how, key)) for key, value in _known(document)}


def _known(document: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    parts = [part for name, part in document.items() if isinstance(part, dict) and name != "how"]
    for part in (*parts, document):
        yield from ((key, part[key]) for key in KEYS if key in part)


def _number(path: Path, key: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value < 0:
        raise WrongFigures(f"{path.name}: {key} is {value!r}, and should be a number from 0 up")
    return float(value)


def _how(told: Mapping[str, Any], key: str) -> str:
    return str(told.get(key, "measured by `make bench-fleet`"))
