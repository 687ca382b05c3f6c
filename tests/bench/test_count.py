"""What an audit costs stays what it was; what moves it is named.

Nothing is timed: the same figures come out on any machine, under any load.
"""

import msgspec
import pytest

from tests.bench import count
from tests.bench.count_meter import Figures

BEFORE = Figures(
    {"dns_questions": 47, "chain_verifications": 1},
    {"bytecode_instructions": 2_000_000, "peak_memory_octets": 500_000},
    {"padlock.a": 50_000, "padlock.b": 10_000},
    {"padlock.a:read": 30_000, "padlock.a:write": 20_000, "padlock.b:judge": 10_000},
    {"dict.get": 900, "len": 500},
)


def moved(after: Figures) -> str:
    """Return what is said of figures beside those of BEFORE."""
    return count.compare({"unchanged": BEFORE}, {"unchanged": after})


def test_audits_cost_what_is_committed() -> None:
    """The real audits of two recorded sites cost what tests/bench/count.json says; the message names what moved."""
    told = count.compare(count.committed(), count.counted())
    assert not told, f"\n{told}"


def test_committed_figures_are_of_whole_audits() -> None:
    """Each scenario has every figure, and nothing that an audit must do is counted as nothing."""
    kept = count.committed()
    assert list(kept) == ["unchanged", "breaks"]
    known = {"unchanged": {"chain_verifications", "certificates_parsed"}, "breaks": set[str]()}
    for name, one in kept.items():
        told = one.exact | one.about
        idle = {name for name, number in told.items() if number == 0}
        assert idle <= {"tls_contexts_made", "pages_read", "stylesheets_read"} | known[name], idle
        assert {"dns_questions", "tcp_connections", "tls_handshakes", "http_requests"} <= one.exact.keys()
        assert {"dynamodb_requests", "chain_verifications", "certificates_parsed"} <= one.exact.keys()
        assert one.about["bytecode_instructions"] >= sum(one.functions.values())
        assert {"padlock.rules", "padlock.probes", "padlock.network", "padlock.storage"} <= {
            name.rpartition(".")[0] for name in one.modules
        }
    assert [one.exact["judgements"] for one in kept.values()] == [1, 2]
    assert kept["unchanged"].exact["pages_read"] == 1


def test_one_question_more_is_told() -> None:
    """What servers count is compared exactly, and the way to accept it is said."""
    told = moved(msgspec.structs.replace(BEFORE, exact={"dns_questions": 48, "chain_verifications": 1}))
    assert "unchanged: dns_questions 47 → 48" in told
    assert count.ACCEPT in told
    assert "chain_verifications" not in told


@pytest.mark.parametrize(
    ("instructions", "tells"), [(2_190_000, False), (1_810_000, False), (2_210_000, True), (1_790_000, True)]
)
def test_a_tenth_is_the_bound(instructions: int, tells: bool) -> None:
    """A tenth more or less passes; beyond that it is told, also where it became less: the figure is then too lax."""
    after = msgspec.structs.replace(BEFORE, about=BEFORE.about | {"bytecode_instructions": instructions})
    assert ("bytecode_instructions 2,000,000 →" in moved(after)) is tells


def test_what_grew_most_is_named() -> None:
    """Modules, functions and calls stand there with their old and new numbers, what moved most first."""
    after = Figures(
        BEFORE.exact,
        BEFORE.about | {"bytecode_instructions": 2_500_000},
        {"padlock.a": 51_000, "padlock.b": 400_000, "padlock.c": 15_000},
        {"padlock.a:read": 30_000, "padlock.a:write": 21_000, "padlock.b:judge": 400_000, "padlock.c:new": 15_000},
        {"dict.get": 900, "len": 5_000},
    )
    lines = [line.split() for line in moved(after).splitlines()]
    named = [line[1] for line in lines if line[0].startswith(("+", "-"))]
    assert named == [
        *("padlock.b", "padlock.c", "padlock.a"),
        *("padlock.b:judge", "padlock.c:new", "padlock.a:write"),
        "len",
    ]
    assert ["+390,000", "padlock.b:judge", "10,000", "→", "400,000"] in lines


def test_figure_that_is_lost_is_told() -> None:
    """A figure that nobody counts any more is missed, exact or not."""
    after = msgspec.structs.replace(BEFORE, exact={"dns_questions": 47}, about={"bytecode_instructions": 2_000_000})
    told = moved(after)
    assert "chain_verifications is counted no more" in told
    assert "peak_memory_octets is counted no more" in told


def test_scenario_that_is_lost_or_new_is_told() -> None:
    """A scenario that nobody counts any more, or that has no figures yet, fails."""
    assert "unchanged: is counted no more" in count.compare({"unchanged": BEFORE}, {})
    assert "unchanged: was never counted" in count.compare({}, {"unchanged": BEFORE})
