"""Hashrate: the hash rate jumps by a factor and falls back later; how a retarget rule follows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta
from msgspec.structs import asdict

from pychain.chain.header import Header
from pychain.chain.target import work_from_bits
from pychain.consensus.retarget import RETARGET_RULES
from pychain.sim.chronicle import Figures, ratio
from pychain.sim.scenario import Delay, ForkChoice, Parameters, Retarget, Scenario
from pychain.sim.stage import GENESIS_WORK, Stage, full, spec_of

NEAR = 0.2
"""The difficulty has followed when it is within a fifth of the right one."""


class Hashrate(Parameters, frozen=True, kw_only=True):
    """Three equal parts: before the jump, at the higher rate, and back at the first rate."""

    retarget: Retarget = "asert"
    fork_choice: ForkChoice = "most-work"
    factor: Annotated[float, Meta(ge=1, le=1000, description="factor by which the hash rate jumps")] = 5.0
    blocks: Annotated[int, Meta(ge=10, le=100_000, description="blocks in each third")] = 200
    window: Annotated[
        int, Meta(ge=4, le=10_000, description="blocks: half-life of asert, or window of other rules")
    ] = 20
    interval: Annotated[int, Meta(ge=1, le=100_000, description="target seconds between blocks")] = 60
    nodes: Annotated[int, Meta(ge=1, le=100, description="miners, all connected to each other")] = 2
    delay: Delay = 20.0


class HashrateFigures(Figures, kw_only=True):
    """For the jump up, and for the way down: blocks until the difficulty is within a fifth of the right one (the whole
    part if it never is), and the mean interval of these blocks in seconds. overshoot: the highest difficulty at the
    higher rate, relative to the right one. steady_error: mean error of the difficulty in the second half of that part.
    """

    up_blocks: int
    up_interval_s: float
    down_blocks: int
    down_interval_s: float
    overshoot: float
    steady_error: float


def play(stage: Stage, hashrate: Hashrate) -> HashrateFigures:
    """Play the three parts, with a change of the hash rate between them."""
    blocks, interval = hashrate.blocks, hashrate.interval
    half_life_s = hashrate.window * interval
    takes_window = "window" in RETARGET_RULES.named(hashrate.retarget, stage.plugins).parameters
    params = {"window": hashrate.window} if takes_window else {}
    stage.open(spec_of(interval, hashrate.retarget, params, half_life_s, hashrate.fork_choice), hashrate.delay)
    miners = stage.miners(full(hashrate.nodes), GENESIS_WORK / interval)
    stage.world.start()
    base = miners[0].hash_rate
    slowest = interval * hashrate.factor
    stage.chronicle.goal = 3 * blocks
    for third, factor in enumerate((1.0, hashrate.factor, 1.0), 1):
        for host in miners:
            host.hash_rate = base * factor
        stage.play_to(third * blocks, slowest)
    stage.settle(miners, slowest)
    figures = stage.close(miners)
    headers = [entry.header for height in range(3 * blocks + 1) if (entry := miners[0].node.queries.at(height))]
    up, down = headers[blocks : 2 * blocks + 1], headers[2 * blocks : 3 * blocks + 1]
    right = GENESIS_WORK * hashrate.factor
    seen = [work_from_bits(header.bits) / right for header in up[1:]]
    later = seen[len(seen) // 2 :]
    return HashrateFigures(
        **asdict(figures),
        up_blocks=blocks_until_near(up[1:], right),
        up_interval_s=mean_interval_s(up),
        down_blocks=blocks_until_near(down[1:], GENESIS_WORK),
        down_interval_s=mean_interval_s(down),
        overshoot=round(max(seen), 6),
        steady_error=ratio(sum([abs(1 - difficulty) for difficulty in later]), len(later)),
    )


def blocks_until_near(headers: Sequence[Header], right: float) -> int:
    """How many blocks come before the first whose difficulty is near the right one."""
    far = [abs(work_from_bits(header.bits) / right - 1) > NEAR for header in headers]
    return far.index(False) if False in far else len(far)


def mean_interval_s(headers: Sequence[Header]) -> float:
    """The mean interval by the headers' own times."""
    return ratio(headers[-1].time - headers[0].time, len(headers) - 1)


HASHRATE = Scenario(
    "hashrate",
    "the hash rate jumps by a factor and falls back: how a retarget rule follows",
    Hashrate,
    play,
    ("up_blocks", "up_interval_s", "down_blocks", "down_interval_s", "overshoot", "steady_error"),
)
