"""Race: miners in a ring find blocks at the same time, fork, and converge."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from pychain.sim.chronicle import Figures
from pychain.sim.scenario import Blocks, Delay, ForkChoice, Interval, Parameters, Rate, Retarget, Scenario
from pychain.sim.stage import GENESIS_WORK, Stage, ring, spec_of


class Race(Parameters, frozen=True, kw_only=True):
    """As in `pychain devnet`: blocks every few seconds, so forks happen."""

    nodes: Annotated[int, Meta(ge=1, le=1000, description="miners in the ring")] = 6
    blocks: Blocks = 100
    interval: Interval = 5.0
    delay: Delay = 100.0
    transfers: Rate = 1.0
    retarget: Retarget = "fixed"
    fork_choice: ForkChoice = "most-work"


def play(stage: Stage, race: Race) -> Figures:
    """Mine, pay, settle."""
    stage.open(spec_of(max(1, round(race.interval)), race.retarget, fork_choice=race.fork_choice), race.delay)
    miners = stage.miners(ring(race.nodes), GENESIS_WORK / race.interval)
    stage.world.start()
    stage.pay(miners, race.transfers)
    stage.play_to(race.blocks, race.interval)
    stage.settle(miners, race.interval)
    return stage.close(miners)


RACE = Scenario(
    "race",
    "miners in a ring fork and converge",
    Race,
    play,
    ("stale_rate", "reorganisations", "deepest", "spread_ms_median"),
)
