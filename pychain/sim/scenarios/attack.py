"""Attack: one miner driven by a participant among honest ones, and its revenue."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta
from msgspec.structs import asdict

from pychain.sim.chronicle import MS, Figures, ratio
from pychain.sim.host import Host
from pychain.sim.network import LinkModel
from pychain.sim.participants import PARTICIPANTS, Participant
from pychain.sim.scenario import Blocks, Delay, Driver, Interval, Parameters, Scenario
from pychain.sim.stage import GENESIS_WORK, PATIENCE, Stage, full, reward_key, spec_of

ATTACKER = "attacker"
ATTACKER_LINK = LinkModel(latency_ns=MS)
"""The attacker is well connected: it learns of every block first."""


class Setting(Parameters, frozen=True, kw_only=True):
    """An attacker's node, connected to all honest miners by links of a millisecond."""

    alpha: Annotated[float, Meta(gt=0, lt=0.5, description="the attacker's share of the hash rate")] = 0.35
    nodes: Annotated[int, Meta(ge=1, le=50, description="honest miners, all connected to each other")] = 2
    blocks: Blocks = 500
    interval: Interval = 10.0
    delay: Delay = 20.0


class Attack(Setting, frozen=True, kw_only=True):
    """Any participant may be the attacker."""

    participant: Driver = "selfish"


class AttackFigures(Figures, kw_only=True):
    """revenue: the attacker's share of the chain's blocks; found_share: its share of all blocks found, which is alpha
    apart from luck, and what honest mining would have earned."""

    revenue: float
    found_share: float


def build(stage: Stage, setting: Setting, participant: Participant) -> list[Host]:
    """Build a world with the attacker, not yet started; returns the honest miners."""
    world = stage.open(spec_of(max(1, round(setting.interval))), setting.delay)
    hash_rate = GENESIS_WORK / setting.interval
    honest = stage.miners(full(setting.nodes), hash_rate * (1 - setting.alpha))
    for host in honest:
        world.network.set_link(ATTACKER, host.name, ATTACKER_LINK)
    world.add(
        ATTACKER,
        [host.name for host in honest],
        mine_to=reward_key(setting.nodes),
        hash_rate=hash_rate * setting.alpha,
        participant=participant,
    )
    stage.chronicle.unheard = {ATTACKER}
    return honest


def finish(stage: Stage, setting: Setting, honest: list[Host]) -> AttackFigures:
    """Mine until the public chain is long enough; then the attacker leaves, and its hidden blocks stay hidden."""
    attacker = stage.world.hosts[ATTACKER]
    stage.world.start()
    stage.play_to(setting.blocks, setting.interval * PATIENCE)
    attacker.stop()
    stage.settle(honest, setting.interval)
    figures = stage.close(honest)
    chain = stage.chronicle.chain(honest[0])
    own = sum([stage.chronicle.finder[block_hash] == ATTACKER for block_hash in chain])
    return AttackFigures(
        **asdict(figures), revenue=ratio(own, len(chain)), found_share=ratio(attacker.mined, figures.found)
    )


def play(stage: Stage, attack: Attack) -> AttackFigures:
    """Build the world, and mine to the end."""
    participant = PARTICIPANTS.named(attack.participant, stage.plugins)()
    return finish(stage, attack, build(stage, attack, participant))


ATTACK = Scenario(
    "attack",
    "a miner driven by any participant among honest ones: its revenue against its share",
    Attack,
    play,
    ("revenue", "found_share", "stale_rate", "deepest"),
)
