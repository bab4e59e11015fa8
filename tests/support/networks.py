"""Simulated networks for tests: a spec that makes blocks quickly, funded keys, payments, and an audit of accounts."""

from __future__ import annotations

from dataclasses import replace

from pychain.base.entropy import Random
from pychain.chain.spec import ChainSpec, packaged_spec
from pychain.consensus.rulebook import Rulebook
from pychain.ledger.memory_store import MemoryStore
from pychain.node.queries import Queries
from pychain.node.requests import SetMining, SubmitTransfer
from pychain.sim.checkers import books
from pychain.sim.host import Host
from pychain.sim.world import World
from tests.support.keys import dev_signer

HASH_RATE = 25
"""Hashes a second of virtual time and host; with the bits below, five hosts find a block in about two seconds."""


def quick_spec(**changes: object) -> ChainSpec:
    """The dev network with a difficulty that retargets, so that work differs between branches."""
    settings: dict[str, object] = {
        "retarget": "asert",
        "half_life_s": 600,
        "max_future_s": 600,
        "spacing_s": 2,
        "genesis_bits": 0x2000FFFF,
        **changes,
    }
    return replace(packaged_spec("dev"), **settings)  # type: ignore[arg-type]


def line_world(seed: int, count: int, spec: ChainSpec | None = None) -> tuple[World, list[Host]]:
    """Hosts in a line, each knowing its neighbours alone, all mining to keys of their own."""
    world = World(Rulebook(spec or quick_spec()), seed)
    names = [f"n{i}" for i in range(count)]
    hosts = [
        world.add(name, names[max(0, i - 1) : i], mine_to=dev_signer(i).key, hash_rate=HASH_RATE)
        for i, name in enumerate(names)
    ]
    return world, hosts


class Payer:
    """Sends small payments of one funded key through one host, a sequence after the other."""

    def __init__(self, world: World, host: Host, index: int) -> None:
        self._world = world
        self._host = host
        self._signer = dev_signer(index)
        self._random = Random(world.seed * 1000 + index)
        self._sequence = 0
        self.txids: list[bytes] = []

    def pay(self, count: int = 1) -> None:
        """Submit payments to other funded keys."""
        for _ in range(count):
            raw = self._signer.transfer(
                self._world.rulebook.spec.genesis_hash,
                self._sequence,
                dev_signer(self._random.below(10)).key,
                1 + self._random.below(1000),
                1000 + self._random.below(1000),
            )
            self._sequence += 1
            self._host.ask(SubmitTransfer(raw))

    def pay_every(self, period_s: float, until_s: float) -> None:
        """Plan payments at regular times."""
        at = period_s
        while at < until_s:
            self._world.heap.after(int(at * 1e9), self.pay)
            at += period_s


def end_mining(world: World, hosts: list[Host]) -> None:
    """The network comes to rest on one tip: all but the first miner stop, it stops after one more block. Two chains of
    equal work would otherwise stand side by side for ever, each first seen by some."""
    last, *others = [host for host in hosts if host.hash_rate]
    for host in others:
        host.ask(SetMining(None))
    world.run_until(lambda: host_height(last) == max(map(host_height, hosts)), 300)
    height = host_height(last)
    world.run_until(lambda: host_height(last) > height, 600)
    last.ask(SetMining(None))
    world.run_until(world.agree, 300)


def host_height(host: Host) -> int:
    return host.node.queries.tip.height


def audit(host: Host) -> None:
    """The books of a host are in order."""
    audit_books(host.node.queries, host.store)


def audit_books(queries: Queries, store: MemoryStore) -> None:
    """All balances and what is immature add up to what was issued, exactly, and a replay of the chain from genesis
    gives the same accounts."""
    assert list(books(queries, store)) == []
