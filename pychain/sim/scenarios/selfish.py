"""Selfish: a miner who keeps his blocks to himself, and what that earns him.

The strategy is algorithm 1 of Eyal and Sirer, "Majority is not Enough: Bitcoin Mining is Vulnerable" (Financial
Cryptography 2014). All nodes are real ones: the attacker mines on a node that is connected with nobody, his lair, which
hears of the public chain from him; a spy beside each honest miner tells him of its blocks, and brings out his own.
Fork choice does half of his work: the lair stays on its own chain while that is at least as long as the public one.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta
from msgspec.structs import asdict

from pychain.chain.block import Block
from pychain.node.events import Event, NewTip
from pychain.node.requests import SetMining, SubmitBlock
from pychain.sim.chronicle import MS, Figures, ratio
from pychain.sim.host import Host
from pychain.sim.network import LinkModel
from pychain.sim.scenario import Blocks, Delay, Interval, Parameters, Scenario
from pychain.sim.stage import GENESIS_WORK, PATIENCE, Stage, full, reward_key, spec_of

SPY_LINK = LinkModel(latency_ns=MS)
"""Spies stand beside the miners they watch: nobody hears of a block before them."""
SPREAD_DELAYS = 10
"""By so many mean delays after a tie came up, each honest miner is on the side that he heard of first."""


class Selfish(Parameters, frozen=True, kw_only=True):
    """The attacker is `near` some of the honest miners: in a tie they hear of his block first, as far as it is not
    their own that made the tie. What share of the honest hash rate that comes to (the paper's gamma) is measured."""

    alpha: Annotated[float, Meta(gt=0, lt=0.5, description="the attacker's share of the hash rate")] = 0.35
    near: Annotated[int, Meta(ge=0, le=50, description="honest miners whom the attacker's blocks reach first")] = 0
    nodes: Annotated[int, Meta(ge=1, le=50, description="honest miners, each connected with each")] = 2
    blocks: Blocks = 500
    interval: Interval = 10.0
    delay: Delay = 20.0

    def __post_init__(self) -> None:
        if self.near > self.nodes:
            raise ValueError(f"near is at most nodes, {self.nodes}, not {self.near}")


class SelfishFigures(Figures, kw_only=True):
    """revenue: the attacker's share of the chain's blocks; found_share: of all blocks that were found, that is alpha
    but for his luck, and what honest mining would have earned him. expected_revenue: what the paper's equation 8 says
    for alpha and gamma; gamma: as it was seen, over `ties` between two branches of one length."""

    revenue: float
    expected_revenue: float
    found_share: float
    gamma: float
    ties: int


def expected_revenue(alpha: float, gamma: float) -> float:
    """Equation 8 of the paper."""
    above = alpha * (1 - alpha) ** 2 * (4 * alpha + gamma * (1 - 2 * alpha)) - alpha**3
    return above / (1 - alpha * (1 + (2 - alpha) * alpha))


class Attacker:
    """The strategy: a watcher of his own lair and spies."""

    def __init__(self, stage: Stage, lair: Host, spies: list[Host], honest: list[Host], selfish: Selfish) -> None:
        self._stage = stage
        self._heap = stage.world.heap
        self._lair = lair
        self._spies = {spy.name: spy for spy in spies}
        self._near = spies[: selfish.near]
        self._honest = honest
        self._spread_ns = int(SPREAD_DELAYS * selfish.delay * MS)
        self._public = (0, stage.world.rulebook.spec.genesis_hash)
        """Height and hash of the longest chain that the honest miners know of, the first one they heard of."""
        self._over = False
        self.ties = 0
        self.shares: list[float] = []
        """Of the honest hash rate on the attacker's side, tie by tie."""

    def end(self) -> None:
        """Give up: what is hidden now stays so."""
        self._over = True
        self._lair.ask(SetMining(None))

    def found(self, host: Host, block: Block) -> None:
        """Nothing: a block counts once its node has it."""

    def published(self, host: Host, event: Event) -> None:
        """What a spy saw, or what the lair has found; acted on once its node has done with it."""
        if self._over or not isinstance(event, NewTip):
            return
        if host.name in self._spies:
            self._heap.after(0, lambda: self._public_grew(host, event))
        elif host is self._lair:
            self._heap.after(0, lambda: self._lair_moved(event))

    def _public_grew(self, spy: Host, event: NewTip) -> None:
        """A miner beside a spy has a new tip: the lair hears of it, and the strategy answers what made the public chain
        longer."""
        tip = self._lair.node.queries.tip
        for block_hash in event.connected:
            raw = spy.store.body(block_hash)
            assert raw is not None, "a tip is durable before it is published"
            if self._lair.node.queries.entry(block_hash) is None:
                self._lair.ask(SubmitBlock(raw))
        if event.height <= self._public[0]:
            return  # another spy's word of the same, or the loser of a race among honest miners
        self._public = (event.height, event.header.hash)
        lead = tip.height - event.height
        if lead == 0:
            self._tie(tip.height)
        elif lead == 1:
            self._win(tip.height, tip.hash)
        elif lead > 1:
            self._bring(event.height, self._near)

    def _lair_moved(self, event: NewTip) -> None:
        """In a tie a block of one's own wins; at any other time it is kept."""
        height, block_hash = self._public
        own = self._stage.chronicle.finder.get(event.header.hash) == self._lair.name
        if own and event.height == height + 1 and event.header.prev_hash != block_hash:
            self._win(event.height, event.header.hash)

    def _win(self, height: int, block_hash: bytes) -> None:
        """All of it comes out, and is the longest."""
        self._bring(height, list(self._spies.values()))
        self._public = (height, block_hash)

    def _tie(self, height: int) -> None:
        """A branch against one of the same length: it is brought to those whom it reaches first."""
        self.ties += 1
        self._bring(height, self._near)
        entry = self._lair.node.queries.at(height)
        assert entry is not None
        self._heap.after(self._spread_ns, lambda: self._count(height, entry.hash))

    def _count(self, height: int, block_hash: bytes) -> None:
        """The share of the honest hash rate on the attacker's side, unless the tie is over already."""
        tips = [host.node.queries.tip for host in self._honest]
        if all(tip.height == height for tip in tips):
            self.shares.append(sum([tip.hash == block_hash for tip in tips]) / len(tips))

    def _bring(self, height: int, spies: list[Host]) -> None:
        """Bring the lair's chain out, up to a height."""
        queries = self._lair.node.queries
        for spy in spies:
            for each in range(self._first_unknown(spy), height + 1):
                entry = queries.at(each)
                raw = None if entry is None else self._lair.store.body(entry.hash)
                assert raw is not None, "the lair's chain is durable"
                spy.ask(SubmitBlock(raw))

    def _first_unknown(self, spy: Host) -> int:
        """The height from which on a spy lacks the lair's chain."""
        queries = self._lair.node.queries
        height = queries.tip.height
        while (entry := queries.at(height)) is not None and spy.node.queries.entry(entry.hash) is None:
            height -= 1
        return height + 1


def play(stage: Stage, selfish: Selfish) -> SelfishFigures:
    """Mine until the public chain is long enough; then the attacker gives up what he still hides."""
    world = stage.open(spec_of(max(1, round(selfish.interval))), selfish.delay)
    hash_rate = GENESIS_WORK / selfish.interval
    honest = stage.miners(full(selfish.nodes), hash_rate * (1 - selfish.alpha))
    lair = world.add("lair", mine_to=reward_key(selfish.nodes), hash_rate=hash_rate * selfish.alpha)
    spies = []
    for host in honest:
        world.network.set_link(f"spy-{host.name}", host.name, SPY_LINK)
        spies.append(world.add(f"spy-{host.name}", [host.name]))
    attacker = Attacker(stage, lair, spies, honest, selfish)
    stage.chronicle.unheard = {lair.name, *[spy.name for spy in spies]}
    world.watchers.append(attacker)
    world.start()
    stage.play_to(selfish.blocks, selfish.interval * PATIENCE)
    attacker.end()
    stage.settle(honest, selfish.interval, spies)
    figures = stage.close([*honest, *spies])
    chain = stage.chronicle.chain(honest[0])
    own = sum([stage.chronicle.finder[block_hash] == lair.name for block_hash in chain])
    gamma = ratio(sum(attacker.shares), len(attacker.shares))
    return SelfishFigures(
        **asdict(figures),
        revenue=ratio(own, len(chain)),
        expected_revenue=round(expected_revenue(selfish.alpha, gamma), 6),
        found_share=ratio(lair.mined, figures.found),
        gamma=gamma,
        ties=attacker.ties,
    )


SELFISH = Scenario(
    "selfish",
    "a miner who hides his blocks (Eyal and Sirer 2014): his revenue against his share",
    Selfish,
    play,
    ("revenue", "expected_revenue", "found_share", "gamma"),
)
