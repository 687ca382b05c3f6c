"""Two hours of a small fleet; `make soak-fleet` plays a day of a large one."""

from tests.soak.fleet import TOLD, simulate


def test_small_fleet() -> None:
    """Each break and each end is told once, nothing else is, and nothing late."""
    score = simulate(sites=100, hours=2, seed=3)
    assert score.runs > 2000
    assert score.ideal > 0
    assert (score.missed, score.false, score.late, score.unexplained) == ([], [], [], [])
    assert score.sent == score.ideal


def test_outages_of_the_checker() -> None:
    """Hours in which no look comes to a result are one alert and its end, as is a time without a network."""
    score = simulate(sites=40, hours=8, seed=3)
    assert score.outage == TOLD
    assert (score.missed, score.false, score.late, score.unexplained) == ([], [], [], [])
