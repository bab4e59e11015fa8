"""Selfish: a miner that withholds its blocks, and its revenue compared with theory.

The strategy is `pychain.sim.participants.selfish`; the theory is in the same paper, "Majority is not Enough: Bitcoin
Mining is Vulnerable" (Eyal and Sirer, Financial Cryptography 2014).
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta
from msgspec.structs import asdict

from pychain.ledger.tree import Entry
from pychain.sim.chronicle import MS, ratio
from pychain.sim.host import Host
from pychain.sim.participants import SelfishMiner
from pychain.sim.scenario import Scenario
from pychain.sim.scenarios.attack import AttackFigures, Setting, build, finish
from pychain.sim.stage import Stage

SPREAD_DELAYS = 10
"""This many mean delays after a tie began, each honest miner is on the side that it saw first."""


class Selfish(Setting, frozen=True, kw_only=True):
    """The attacker is `near` some of the honest miners: in a tie they see its block first, unless the other one is
    their own. The resulting share of the honest hash rate (the paper's gamma) is measured."""

    near: Annotated[int, Meta(ge=0, le=50, description="honest miners that the attacker's blocks reach first")] = 0

    def __post_init__(self) -> None:
        if self.near > self.nodes:
            raise ValueError(f"near is {self.near}, but at most nodes, {self.nodes}")


class SelfishFigures(AttackFigures, kw_only=True):
    """expected_revenue: by equation 8 of the paper for alpha and gamma; gamma: as measured, over `ties` between two
    branches of the same length."""

    expected_revenue: float
    gamma: float
    ties: int


def expected_revenue(alpha: float, gamma: float) -> float:
    """Equation 8 of the paper."""
    above = alpha * (1 - alpha) ** 2 * (4 * alpha + gamma * (1 - 2 * alpha)) - alpha**3
    return above / (1 - alpha * (1 + (2 - alpha) * alpha))


class Ties:
    """Measures which side of each tie the honest miners take."""

    def __init__(self, stage: Stage, selfish: Selfish) -> None:
        self.count = 0
        self.shares: list[float] = []
        """The share of the honest hash rate on the attacker's side, tie by tie."""
        self.honest: list[Host] = []
        self._stage = stage
        self._spread_ns = int(SPREAD_DELAYS * selfish.delay * MS)

    def began(self, entry: Entry) -> None:
        """A branch of the attacker ties with the public one."""
        self.count += 1
        self._stage.world.heap.after(self._spread_ns, lambda: self._measure(entry))

    def _measure(self, entry: Entry) -> None:
        """Measure once all have chosen, unless the tie is over already."""
        tips = [host.node.queries.tip for host in self.honest]
        if all(tip.height == entry.height for tip in tips):
            self.shares.append(sum([tip.hash == entry.hash for tip in tips]) / len(tips))


def play(stage: Stage, selfish: Selfish) -> SelfishFigures:
    """Play an attack by a selfish miner, and measure its ties."""
    ties = Ties(stage, selfish)
    ties.honest = build(stage, selfish, SelfishMiner([f"n{i}" for i in range(selfish.near)], ties.began))
    figures = finish(stage, selfish, ties.honest)
    gamma = ratio(sum(ties.shares), len(ties.shares))
    return SelfishFigures(
        **asdict(figures),
        expected_revenue=round(expected_revenue(selfish.alpha, gamma), 6),
        gamma=gamma,
        ties=ties.count,
    )


SELFISH = Scenario(
    "selfish",
    "a miner that hides its blocks (Eyal and Sirer 2014): its revenue against its share",
    Selfish,
    play,
    ("revenue", "expected_revenue", "found_share", "gamma"),
)
