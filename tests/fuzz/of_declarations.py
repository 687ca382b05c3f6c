"""What callers send: events of the console and of a queue, with declarations of sites in them."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

from padlock.checking import InvalidMessage, read_task
from padlock.declaration import read_declaration, readable
from padlock.on_demand import entries
from padlock.schedule.queue import body_of
from padlock.site import InvalidSite, key_of

from tests.fuzz.target import Target

_EVENTS = Path(__file__).parents[2] / "events"
_WHOLE = {
    "name": "example.com",
    "hosts": ["example.com", "www.example.com", "bücher.example"],
    "canonical": "example.com",
    "addresses": ["192.0.2.1", "2001:db8::/32", "cdn.example.net"],
    "health": {"path": "/health", "status": [200], "contains": "ok", "json": {"a.b": 1}},
    "expect": {"status": 200, "title": "Shop", "header": {"server": "nginx"}},
    "ports": {"http": "closed", "https": 8443},
    "networks": ["10.0.0.0/8"],
    "private_ca": "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n",
    "interval": "1h",
    "disable": ["hsts.", "caa.*"],
    "severity": {"hsts.missing": "error"},
    "thresholds": {"certificate_days": 9, "failures": 1},
    "labels": {"team": "shop"},
    "timezone": "Europe/Berlin",
    "instances": ["i-0123456789abcdef0"],
    "reminder": "off",
    "maintenance": [{"every": "Sun 02:00", "for": "2h"}, {"start": "2026-12-24T18:00", "end": "2026-12-25"}],
    "acknowledge": [{"code": "certificate.expiring", "until": "2026-12-24T18:00", "subject": "example.com"}],
}


def event_samples() -> Iterator[bytes]:
    """Yield the events of events/, and declarations made to take long."""
    for file in sorted(_EVENTS.glob("console-*.json")):
        yield file.read_bytes()
    yield json.dumps({"site": _WHOLE}).encode()
    for key, value in _WHOLE.items():
        yield json.dumps({"site": {"name": "example.com", key: value}}).encode()
    for name in (
        "ü" * 40_000,
        "\u0301" * 40_000 + ".com",
        "a." * 40_000 + "com",
        "[" * 40_000,
        " " * 90_000,
        "\ud800",
    ):
        yield json.dumps({"sites": [name, {"name": name}]}).encode()
    yield json.dumps({"site": {"name": "example.com", "a" * 60_000: 1}}).encode()
    yield json.dumps({"site": {"name": "example.com", **{f"k{number}": 1 for number in range(20_000)}}}).encode()
    yield json.dumps(
        {"site": {"name": "example.com", "disable": ["a" * 90_000] * 2, "interval": "9" * 9_000}}
    ).encode()
    yield b'{"site":' + b"[" * 90_000


def _event(data: bytes) -> None:
    try:
        event = json.loads(data)  # as Lambda's runtime reads it
    except (ValueError, RecursionError):
        return
    with contextlib.suppress(ValueError):  # which entries() declares, and InvalidSite is
        for entry in entries(event):
            _declared(entry)


def _declared(entry: object) -> None:
    if isinstance(entry, str):
        key_of(entry)
    with contextlib.suppress(InvalidSite):
        site = read_declaration(entry)  # type: ignore[arg-type]  # whatever an event holds
        assert read_declaration(site.name).name == site.name
        body_of(site.name, entry if isinstance(entry, dict) else {"name": entry}, "2026-11-20T17:05:00Z")


def queue_samples() -> Iterator[bytes]:
    """Yield messages of the queue."""
    for file in sorted(_EVENTS.glob("queue*.json")):
        for kept in json.loads(file.read_bytes())["Records"]:
            yield kept["body"].encode()
    yield json.dumps({"site": _WHOLE, "slot": "2026-11-20T17:05:00Z"}).encode()
    yield json.dumps({"site": "example.com", "slot": "2026-11-20T17:05:00+23:59", "removed": True}).encode()
    yield json.dumps({"site": {"name": "\ud800"}, "slot": "0001-01-01T00:00:00+23:59", "error": {}}).encode()
    yield b'{"site":' + b"[" * 90_000


def _queue(data: bytes) -> None:
    try:
        task = read_task(data.decode("utf-8", "replace"))
    except InvalidMessage:
        return
    assert task.name
    assert isinstance(task.spelled, str)
    readable(task.declaration)
    with contextlib.suppress(InvalidSite):
        read_declaration(task.declaration)


TARGETS = (
    Target("event", "events of the console, and declarations in them", _event, event_samples, 8_000),
    Target("queue", "messages of the queue", _queue, queue_samples, 8_000),
)
