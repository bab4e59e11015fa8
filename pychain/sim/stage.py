"""The stage of a scenario: a world with its chronicle, and the tools to build and run it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial

from pychain.base.entropy import Random
from pychain.base.registry import Plugin
from pychain.base.time import seconds
from pychain.chain.spec import ChainSpec, packaged_spec
from pychain.chain.target import work_from_bits
from pychain.consensus.rulebook import Rulebook
from pychain.node.requests import SetMining, SubmitTransfer
from pychain.sim.checkers import check
from pychain.sim.chronicle import MS, Chronicle, Figures, Progress
from pychain.sim.host import Host
from pychain.sim.network import LinkModel
from pychain.sim.world import World
from pychain.wallet.keys import DEV_KEYS, PrivateKey, dev_key
from pychain.wallet.payment import Payment, sign_transfer

GENESIS_BITS = 0x1F0FFFFF
GENESIS_WORK = work_from_bits(GENESIS_BITS)
"""4096 hashes: real nonces are found quickly, and a thousandfold hash rate can still be simulated."""
PATIENCE = 50
"""A miner that finds no block in this many times the expected interval must have stopped."""
TRAVEL_S = 600
"""Time for blocks to reach all nodes once mining has ended, including timeouts of lost requests."""
HALF_LIFE_S = 43_200
FEE = 5_000
MAX_AMOUNT = 1_000_000


def spec_of(
    spacing_s: int,
    retarget: str = "fixed",
    params: dict[str, int] | None = None,
    half_life_s: int = HALF_LIFE_S,
    fork_choice: str = "most-work",
) -> ChainSpec:
    """The `dev` network with its ten funded keys, under other rules."""
    return replace(
        packaged_spec("dev"),
        name="sim",
        spacing_s=spacing_s,
        retarget=retarget,
        retarget_params=params or {},
        fork_choice=fork_choice,
        half_life_s=half_life_s,
        max_future_s=half_life_s,
        genesis_bits=GENESIS_BITS,
    )


def ring(count: int) -> list[list[int]]:
    """The nodes that each node of a ring dials: the one before it, and for the first one the last."""
    return [[count - 1] if count > 2 else [], *[[i - 1] for i in range(1, count)]]


def full(count: int) -> list[list[int]]:
    """A complete graph: each node dials all before it."""
    return [list(range(i)) for i in range(count)]


def scattered(count: int, random: Random) -> list[list[int]]:
    """A random connected graph: each node dials one or two before it."""
    return [list({random.below(i): None for _ in range(1 + random.below(2))}) if i else [] for i in range(count)]


def reward_key(index: int) -> bytes:
    """The key to which the node of this number mines."""
    return dev_key(index % DEV_KEYS).public_key


class Stage:
    """One run of a scenario: `open` a world, add miners, let it play, `close` it. `failures` has the violations."""

    def __init__(self, seed: int, progress: Progress, plugins: Iterable[Plugin] = ()) -> None:
        self.seed = seed
        self.plugins = tuple(plugins)
        """The plug-ins of the run."""
        self.random = Random(seed ^ 0x7363656E65)
        """For the scenario's own choices."""
        self.failures: list[str] = []
        self._progress = progress
        self._opened: tuple[World, Chronicle] | None = None

    @property
    def is_open(self) -> bool:
        return self._opened is not None

    @property
    def world(self) -> World:
        assert self._opened is not None, "the scenario opens its world first"
        return self._opened[0]

    @property
    def chronicle(self) -> Chronicle:
        assert self._opened is not None, "the scenario opens its world first"
        return self._opened[1]

    def fail(self, line: str) -> None:
        """Record a violation."""
        self.failures.append(line)

    # --- building

    def open(self, spec: ChainSpec, delay_ms: float) -> World:
        """Create the run's world: every link has this mean one-way delay."""
        world = World(Rulebook(spec, self.plugins), self.seed, LinkModel(latency_ns=int(delay_ms * MS)))
        chronicle = Chronicle(world.heap, self._progress)
        world.watchers.append(chronicle)
        self._opened = (world, chronicle)
        return world

    def miners(self, links: Sequence[Sequence[int]], hash_rate: float) -> list[Host]:
        """A host for each row of links to others, all mining with an equal share of the hash rate."""
        share = hash_rate / len(links)
        return [
            self.world.add(f"n{i}", [f"n{j}" for j in dialled], mine_to=reward_key(i), hash_rate=share)
            for i, dialled in enumerate(links)
        ]

    def pay(self, hosts: Sequence[Host], per_second: float) -> None:
        """From now on the funded keys pay each other through these hosts, at regular intervals."""
        if per_second:
            Traffic(self.world, hosts, self.random, seconds(1 / per_second))

    # --- playing

    def play_to(self, height: int, interval_s: float) -> None:
        """Run until some node's tip has this height."""
        chronicle = self.chronicle
        chronicle.goal = max(chronicle.goal, height)
        limit_s = PATIENCE * interval_s + 4 * interval_s * max(1, height - chronicle.height)
        self.world.run_until(lambda: chronicle.height >= height, limit_s)

    def settle(self, miners: Sequence[Host], interval_s: float, followers: Sequence[Host] = ()) -> None:
        """Converge on one tip: all miners stop, except that the last one, with the hash rate of all, continues until
        its chain has the most weight."""
        hosts, last = [*miners, *followers], miners[-1]
        share = last.hash_rate
        for host in miners:
            host.ask(SetMining(None))
        self.until(lambda: self._weight(last) >= max([self._weight(host) for host in hosts]), TRAVEL_S)
        weight = self._weight(last)
        last.hash_rate = sum([host.hash_rate for host in miners])
        last.ask(SetMining(reward_key(len(miners) - 1)))
        self.until(lambda: self._weight(last) > weight, PATIENCE * interval_s)
        last.ask(SetMining(None))
        last.hash_rate = share
        self.until(lambda: one_tip(hosts), TRAVEL_S)

    def _weight(self, host: Host) -> int:
        """The weight of the host's tip, which fork choice compares."""
        tip = host.node.queries.tip
        return self.world.rulebook.weight(tip.work, tip.height)

    def until(self, condition: Callable[[], bool], limit_s: float) -> None:
        """Run until a condition holds; NotReachedError if it does not within this time."""
        self.world.run_until(condition, limit_s)

    def close(self, hosts: Sequence[Host]) -> Figures:
        """Check the invariants of these hosts; returns the figures."""
        for line in check(hosts):
            self.fail(line)
        return self.chronicle.figures(hosts[0])


def one_tip(hosts: Sequence[Host]) -> bool:
    """Whether all have the same durable tip."""
    tip = hosts[0].node.queries.tip.hash
    return all(host.node.queries.tip.hash == tip for host in hosts)


class Traffic:
    """Small payments among the funded keys, in turn through each host, at regular intervals."""

    def __init__(self, world: World, hosts: Sequence[Host], random: Random, period_ns: int) -> None:
        self._world = world
        self._hosts = hosts
        self._random = random
        self._period_ns = period_ns
        self._keys: list[PrivateKey] = [dev_key(index) for index in range(DEV_KEYS)]
        world.heap.after(period_ns, partial(self._pay, 0))

    def _pay(self, turn: int) -> None:
        """A key always pays through the same host: another might not know its pending transfers yet."""
        self._world.heap.after(self._period_ns, partial(self._pay, turn + 1))
        key = self._keys[turn % DEV_KEYS]
        host = self._hosts[turn % DEV_KEYS % len(self._hosts)]
        if not host.is_running:
            return
        recipient = self._keys[self._random.below(DEV_KEYS)].public_key
        payment = Payment(recipient, 1 + self._random.below(MAX_AMOUNT), FEE + self._random.below(FEE))
        sequence = host.node.queries.mempool.next_sequence(key.public_key)
        transfer = sign_transfer(key, self._world.rulebook.spec.genesis_hash, sequence, payment)
        host.ask(SubmitTransfer(transfer.raw))
