"""The scenarios, with small parameters: their figures agree with theory.

Seeds are fixed; the bounds are three standard deviations of a run of that length.
"""

from __future__ import annotations

from math import sqrt

import pytest

from pychain.base.errors import ConfigError
from pychain.sim.play import Report, Value, play
from pychain.sim.scenario import Scenario
from pychain.sim.scenarios import SCENARIOS
from pychain.sim.scenarios.churn import ChurnFigures
from pychain.sim.scenarios.hashrate import HashrateFigures
from pychain.sim.scenarios.latency import LatencyFigures
from pychain.sim.scenarios.partition import PartitionFigures
from pychain.sim.scenarios.selfish import SelfishFigures, expected_revenue

REVENUE_SPREAD = 1.1
"""Standard deviation of the attacker's revenue, times the root of the chain's length: 1.03 over 12 runs of 1,500 blocks
for alpha 0.35; 1.09 over 5 of 2,000 in which it was near."""


def run(name: str, seed: int = 1, **given: Value) -> Report:
    report = play(SCENARIOS.named(name), seed, given).report
    assert report.failures == []
    return report


def test_race_forks_and_converges() -> None:
    figures = run("race", nodes=5, blocks=40, interval=2, delay=200).figures
    assert figures is not None
    assert figures.height >= 40
    assert figures.found == figures.height + figures.stale
    assert figures.stale > 0
    assert figures.reorganisations > 0
    assert 0 < figures.spread_ms_median <= figures.spread_ms_p90 <= figures.spread_ms_p99


def test_the_lighter_part_reorganises() -> None:
    figures = run("partition", blocks=20).figures
    assert isinstance(figures, PartitionFigures)
    assert figures.larger_blocks > figures.smaller_blocks > 1
    assert figures.taken_back == figures.smaller_blocks
    assert figures.deepest == figures.smaller_blocks
    assert figures.reorganisations >= 2, "each node of the smaller part reorganises"


def test_parts_of_equal_work_are_decided_by_the_next_block() -> None:
    """Two nodes with one block each at most: some seed has a tie."""
    ties = 0
    for seed in range(8):
        figures = run("partition", seed, nodes=2, smaller=0.5, blocks=1).figures
        assert isinstance(figures, PartitionFigures)
        ties += figures.smaller_blocks == figures.larger_blocks
    assert ties > 0


def test_nothing_durable_is_lost_by_crashes() -> None:
    figures = run("churn", nodes=4, blocks=30, up=5).figures
    assert isinstance(figures, ChurnFigures)
    assert figures.crashes > 20
    assert figures.blocks_kept > 100


@pytest.mark.parametrize(("delay", "interval"), [(50.0, 10.0), (400.0, 10.0)])
def test_the_stale_rate_is_that_of_the_theory(delay: float, interval: float) -> None:
    figures = run("latency", nodes=3, blocks=250, interval=interval, delay=delay).figures
    assert isinstance(figures, LatencyFigures)
    expected = figures.expected_stale_rate
    assert 2.5 * delay < figures.spread_ms_mean < 4 * delay, "headers, a request, the block: three delays"
    assert abs(figures.stale_rate - expected) < 3 * sqrt(expected / figures.found)


def test_asert_follows_a_jump_as_fast_as_its_half_life_says() -> None:
    """At a fivefold hash rate a block comes in a fifth of the time, so the difficulty doubles with each 1.25 half-lives
    in blocks at first; it has to grow by log2(5) = 2.3 half-lives in all."""
    figures = run("hashrate", factor=5, blocks=120, window=10, nodes=1).figures
    assert isinstance(figures, HashrateFigures)
    assert 12 < figures.up_blocks < 60
    assert figures.up_interval_s < 60 < figures.down_interval_s
    assert figures.overshoot < 2


def test_a_window_that_is_not_over_does_not_follow() -> None:
    """Bitcoin's rule changes nothing within a window: a jump that comes with a new one is seen at its end."""
    figures = run("hashrate", retarget="bitcoin", factor=4, blocks=60, window=30, nodes=1).figures
    assert isinstance(figures, HashrateFigures)
    assert figures.up_blocks >= 29
    assert figures.up_interval_s < 45


def test_equation_8_has_the_thresholds_of_the_paper() -> None:
    """Section 4.3: selfish mining pays from (1 - gamma) / (3 - 2 gamma) on."""
    for gamma in (0.0, 0.25, 0.5, 0.75, 1.0):
        threshold = (1 - gamma) / (3 - 2 * gamma)
        assert expected_revenue(threshold, gamma) == pytest.approx(threshold)
        if threshold:
            assert expected_revenue(threshold - 0.01, gamma) < threshold - 0.01
        assert expected_revenue(threshold + 0.01, gamma) > threshold + 0.01


def selfish(seed: int, blocks: int, near: int, alpha: float) -> SelfishFigures:
    figures = run("selfish", seed, blocks=blocks, near=near, alpha=alpha).figures
    assert isinstance(figures, SelfishFigures)
    assert abs(figures.revenue - figures.expected_revenue) < 3 * REVENUE_SPREAD / sqrt(figures.height)
    assert abs(figures.found_share - alpha) < 3 * sqrt(alpha * (1 - alpha) / figures.found)
    return figures


def test_selfish_mining_earns_what_the_paper_says() -> None:
    """Far from all miners the attacker loses every tie; near both of two, half of the honest hash rate works for it in
    each, as the miner whose block made the tie stays with it."""
    far = selfish(3, 700, 0, 0.35)
    near = selfish(3, 700, 2, 0.35)
    assert far.gamma == 0
    assert near.gamma == pytest.approx(0.5, abs=0.02)
    assert far.ties > 20
    assert near.revenue > near.found_share


def test_a_small_selfish_miner_loses_by_it() -> None:
    assert selfish(1, 300, 0, 0.1).revenue < 0.1


@pytest.mark.long
@pytest.mark.parametrize("near", [0, 2])
@pytest.mark.parametrize("alpha", [0.2, 0.35, 0.45])
def test_selfish_mining_long(alpha: float, near: int) -> None:
    selfish(1, 5000, near, alpha)


@pytest.mark.long
@pytest.mark.parametrize("delay", [20.0, 100.0, 500.0])
def test_stale_rate_long(delay: float) -> None:
    figures = run("latency", nodes=5, blocks=5000, delay=delay).figures
    assert isinstance(figures, LatencyFigures)
    expected = figures.expected_stale_rate
    assert abs(figures.stale_rate - expected) < 3 * sqrt(expected / figures.found)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("name", ["race", "partition", "churn", "hashrate"])
def test_many_seeds_long(name: str, seed: int) -> None:
    run(name, seed)


@pytest.mark.parametrize("scenario", SCENARIOS.built_in.values(), ids=list(SCENARIOS.built_in))
def test_every_parameter_has_a_default_that_fits_and_a_description(scenario: Scenario) -> None:  # type: ignore[type-arg]
    described = scenario.described()
    scenario.read({each.name: str(each.default) for each in described})
    assert all(each.description for each in described)


def test_parameters_that_do_not_fit_are_refused() -> None:
    race = SCENARIOS.named("race")
    for given, line in [
        ({"colour": "red"}, "has no parameter 'colour'"),
        ({"nodes": "many"}, "nodes=many does not fit"),
        ({"nodes": "0"}, "nodes=0 does not fit"),
        ({"interval": "nan"}, "interval=nan does not fit"),
    ]:
        with pytest.raises(ConfigError, match=line):
            race.read(given)
    with pytest.raises(ConfigError, match="near is 3, but at most nodes, 2"):
        SCENARIOS.named("selfish").read({"near": 3})
    assert SCENARIOS.named("selfish").read({"near": 3, "nodes": "3"}).near == 3
    with pytest.raises(ConfigError, match="scenario 'war' is unknown"):
        SCENARIOS.named("war")
    with pytest.raises(ConfigError, match="seed -1"):
        play(race, -1, {})
