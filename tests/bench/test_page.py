"""docs/performance.md: no goal that is missed goes without a word on what stands in its way."""

import json
import re

import msgspec
import pytest

from tests.bench import compare_record, count, page
from tests.bench.compare_record import BLACKBOX, PADLOCK, Measured, Record, Sample

MACHINE: dict[str, str | int] = {"cores": 2, "cpu": "a processor", "memory_octets": 8_000_000_000, "python": "3.13.0"}
DATE = "2026-11-21T10:00:00+00:00"
STAMP = {"date": DATE, "machine": MACHINE, "commit": "abc"}
TOOK = dict.fromkeys(("init", "init_over_baseline", "first_invocation", "second_invocation", "init_cpu"), 10.0)


def records(wall_ms: float = 410, init_ms: float = 70) -> page.Records:
    """Return records of a small comparison; every goal is reached beyond its gate but for what the caller changes."""
    tools = {
        PADLOCK: Measured("Padlock, warm", {"100": [Sample(wall_ms, 10)]}, {"100": [Sample(1000, 100, 50_000_000)]}),
        BLACKBOX: Measured("blackbox", {"100": [Sample(450, 40)]}, {"100": [Sample(3000, 500)]}),
    }
    goals = compare_record.goals(tools, [100], 50)
    compared = Record(DATE, MACHINE, "abc", 5, [100], 50, tools, goals, [], [])
    started = {f"{name}_ms": value for name, value in TOOK.items()} | {"init_cpu_over_baseline_ms": init_ms}
    layer = {"unpacked_octets": 1_000_000, "zipped_octets": 400_000, "packages_octets": {"one": 1_000_000}}
    started_all = {"functions": {"CheckFunction": started}, "layers": {"L": layer}, "layers_octets": 20_000_000}
    tick = {"sites": 1000, "wall_at_512_mb_s": 1.0, "cpu_s": 0.5, "peak_octets": 70_000_000, "gb_seconds": 0.5}
    batch = {
        "sites": 1,
        "cpu_ms_per_site": 20.0,
        "billed_at_512_mb_s": 0.5,
        "gb_seconds_per_site": 0.25,
        "peak_octets": 80_000_000,
    }
    grown = {"dispatch": [tick], "check": [batch], "wru_per_unchanged_run": 1.3}
    return page.Records(compared, STAMP | started_all, STAMP | grown, count.committed(), 0.02)


def test_a_page_says_every_goal_and_how_it_was_made() -> None:
    """Tables, and when and where each was made."""
    text = page.document(records(), {})
    assert text.count("| beyond |") == 1 + len(page.goals(records()))
    assert "`make bench-fleet` | 2026-11-21 10:00 UTC | abc | 2 cores of a processor, 8 GB, Python 3.13.0" in text
    assert "| write units of a run that changes nothing | 1.3 |" in text
    assert re.search(r"\| tls handshakes \| \d+ \| \d+ \|", text)
    assert "{" not in text


def test_a_goal_that_is_missed_says_what_stands_in_its_way() -> None:
    """No page without the words."""
    missed = records(wall_ms=460, init_ms=90)
    with pytest.raises(page.Incomplete, match="1 site at 100 ms, wall over its critical path"):
        page.document(missed, {"init": "Imports."})
    text = page.document(missed, {"init": "Imports.", "1 site at": "Distance."})
    assert "wall over its critical path** (FAILS): Distance." in text
    assert "over a boto3 client's, CPU** (holds): Imports." in text


def test_every_obstacle_is_told_of_a_goal() -> None:
    """None is left over of a goal that has another name by now."""
    names = [goal.goal for goal in page.goals(records())]
    names += [
        f"1 site at 100 ms, times faster than {peer}" for peer in ("the seed", "monitoring", "sslyze", "testssl")
    ]
    for begin in json.loads(page.OBSTACLES.read_text()):
        assert any(name.startswith(begin) for name in names), begin


def test_the_committed_page_names_the_goals_and_no_path_of_a_machine() -> None:
    """The page that users read."""
    text = page.PAGE.read_text()
    for goal in ("wall over its critical path", "CPU of a site", "layers, unpacked", "one more site for a month"):
        assert goal in text
    assert not re.search(r"/(work|home|tmp|root)/", text)


def test_records_survive_their_file() -> None:
    """As the page reads them."""
    record = records().compare
    assert msgspec.json.decode(msgspec.json.encode(record), type=Record) == record
