"""Partition: two parts of a ring mine apart; when they reconnect, the lighter one reorganises."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta
from msgspec.structs import asdict

from pychain.node.requests import SetMining
from pychain.sim.chronicle import Figures
from pychain.sim.host import Host
from pychain.sim.scenario import Blocks, Delay, Interval, Parameters, Rate, Scenario
from pychain.sim.stage import GENESIS_WORK, Stage, one_tip, reward_key, ring, spec_of

TOGETHER_BLOCKS = 5
"""Blocks mined by all nodes before the partition, and again after it."""


class Partition(Parameters, frozen=True, kw_only=True):
    """All miners have the same share, so the larger part usually has more work."""

    nodes: Annotated[int, Meta(ge=2, le=1000, description="miners in the ring")] = 6
    smaller: Annotated[float, Meta(gt=0, le=0.5, description="share of the nodes in the smaller part")] = 0.34
    blocks: Blocks = 40
    interval: Interval = 10.0
    delay: Delay = 50.0
    transfers: Rate = 0.5


class PartitionFigures(Figures, kw_only=True):
    """The blocks that each part mined alone; taken_back: blocks disconnected by each node of the lighter part."""

    smaller_blocks: int
    larger_blocks: int
    taken_back: int


def play(stage: Stage, partition: Partition) -> PartitionFigures:
    """Mine together, apart, and together again."""
    world = stage.open(spec_of(max(1, round(partition.interval))), partition.delay)
    miners = stage.miners(ring(partition.nodes), GENESIS_WORK / partition.interval)
    border = max(1, int(partition.smaller * partition.nodes))
    smaller, larger = miners[:border], miners[border:]
    world.start()
    stage.pay(miners, partition.transfers)
    stage.play_to(TOGETHER_BLOCKS, partition.interval)
    stage.settle(miners, partition.interval)
    fork = height(miners[0])
    world.cut(smaller, larger)
    mine(miners)
    stage.play_to(fork + partition.blocks, partition.interval * partition.nodes / len(larger))
    for part in (smaller, larger):
        stage.settle(part, partition.interval * partition.nodes / len(part))
    ends = height(smaller[0]), height(larger[0])
    heal(stage, smaller, larger)
    mine(miners)
    stage.play_to(stage.chronicle.height + TOGETHER_BLOCKS, partition.interval)
    stage.settle(miners, partition.interval)
    return PartitionFigures(
        **asdict(stage.close(miners)),
        smaller_blocks=ends[0] - fork,
        larger_blocks=ends[1] - fork,
        taken_back=min(ends) - fork if ends[0] != ends[1] else 0,
    )


def heal(stage: Stage, smaller: list[Host], larger: list[Host]) -> None:
    """Reconnect the parts; then all must be on the heavier part's chain, if one is heavier."""
    ends = [part[0].node.queries.tip for part in (smaller, larger)]
    stage.world.heal()
    if ends[0].work == ends[1].work:
        stage.settle([*smaller, *larger], stage.world.rulebook.spec.spacing_s)
        return
    heavier = max(ends, key=lambda tip: tip.work)
    stage.until(lambda: one_tip([*smaller, *larger]), 600)
    if smaller[0].node.queries.tip.hash != heavier.hash:
        stage.fail(f"the parts agreed on height {height(smaller[0])}, but the heavier part was at {heavier.height}")


def mine(hosts: list[Host]) -> None:
    """Start mining on all hosts."""
    for index, host in enumerate(hosts):
        host.ask(SetMining(reward_key(index)))


def height(host: Host) -> int:
    return host.node.queries.tip.height


PARTITION = Scenario(
    "partition",
    "two parts mine apart and reconnect: the lighter one reorganises",
    Partition,
    play,
    ("smaller_blocks", "larger_blocks", "deepest", "reorganisations"),
)
