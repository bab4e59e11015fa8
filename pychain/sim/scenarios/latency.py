"""Latency: the share of stale blocks by block interval and delay.

After a block is found, the other miners keep mining on its parent until they receive it. During the mean propagation
delay D they find competing blocks at the rate (1 - 1/n) / interval (Decker and Wattenhofer, "Information Propagation in
the Bitcoin Network", IEEE P2P 2013, section IV). Each competing block makes one of the two stale.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta
from msgspec.structs import asdict

from pychain.base.time import NS
from pychain.sim.chronicle import Figures, ratio
from pychain.sim.scenario import Blocks, Delay, Interval, Parameters, Scenario
from pychain.sim.stage import GENESIS_WORK, Stage, full, spec_of


class Latency(Parameters, frozen=True, kw_only=True):
    """Miners with equal shares, all connected to each other."""

    nodes: Annotated[int, Meta(ge=2, le=100, description="miners, all connected to each other")] = 5
    blocks: Blocks = 200
    interval: Interval = 10.0
    delay: Delay = 200.0


class LatencyFigures(Figures, kw_only=True):
    """expected_stale_rate: by the formula, for the measured mean delay."""

    spread_ms_mean: float
    expected_stale_rate: float


def play(stage: Stage, latency: Latency) -> LatencyFigures:
    """Mine, settle, count."""
    stage.open(spec_of(max(1, round(latency.interval))), latency.delay)
    miners = stage.miners(full(latency.nodes), GENESIS_WORK / latency.interval)
    stage.world.start()
    stage.play_to(latency.blocks, latency.interval)
    stage.settle(miners, latency.interval)
    figures = stage.close(miners)
    delays = stage.chronicle.delays_ns
    mean_s = ratio(sum(delays), len(delays) * NS)
    competitors = (1 - 1 / latency.nodes) * mean_s / latency.interval
    return LatencyFigures(
        **asdict(figures),
        spread_ms_mean=round(1000 * mean_s, 3),
        expected_stale_rate=ratio(competitors, 1 + competitors),
    )


LATENCY = Scenario(
    "latency",
    "the share of stale blocks, by block interval and delay",
    Latency,
    play,
    ("stale_rate", "expected_stale_rate", "spread_ms_mean"),
)
