"""A swarm: networks of random shape with partitions, crashes and wrong clocks, by seed. First mischief, then peace.

A seed that failed once stays in SEEDS. More of them: `pytest -m long tests/sim/test_swarm.py`.
"""

from __future__ import annotations

import pytest

from pychain.base.entropy import Random
from pychain.consensus.rulebook import Rulebook
from pychain.node.events import NewTip
from pychain.sim.host import Host
from pychain.sim.world import World
from tests.support.keys import dev_signer
from tests.support.networks import Payer, audit, end_mining, quick_spec

SEEDS = range(6)
LONG_SEEDS = range(100, 180)
MISCHIEF_ROUNDS = 12


def swarm(seed: int) -> tuple[World, list[Host], Random]:
    """3 to 12 hosts in a random connected graph, some of them miners."""
    random = Random(seed * 7919 + 1)
    retarget = ("asert", "fixed", "bitcoin", "lwma")[random.below(4)]
    params = {"window": 10} if retarget in ("bitcoin", "lwma") else {}
    world = World(Rulebook(quick_spec(retarget=retarget, retarget_params=params)), seed)
    hosts: list[Host] = []
    for i in range(3 + random.below(10)):
        links = {random.below(i): None for _ in range(1 + random.below(2))} if i else {}
        hash_rate = 0 if i > 1 and random.below(3) == 0 else 10 + random.below(30)
        host = world.add(f"n{i}", [f"n{j}" for j in links], mine_to=dev_signer(i % 10).key, hash_rate=hash_rate)
        host.clock_offset_s = random.below(5) - 2
        hosts.append(host)
    return world, hosts, random


def mischief(world: World, hosts: list[Host], random: Random) -> None:
    """One thing that goes wrong, or is mended."""
    match random.below(5):
        case 0:
            order = random.shuffled(hosts)
            border = 1 + random.below(len(hosts) - 1)
            world.cut(order[:border], order[border:])
        case 1:
            world.heal()
        case 2 | 3:
            victim = hosts[random.below(len(hosts))]
            if victim.is_running:
                known = announced(victim)
                victim.crash()
                victim.start()
                keeps(victim, known)
        case _:
            Payer(world, hosts[random.below(len(hosts))], random.below(10)).pay(3)


def announced(host: Host) -> list[bytes]:
    """Every tip that the host has published."""
    return [event.header.hash for event in host.events if isinstance(event, NewTip)]


def keeps(host: Host, known: list[bytes]) -> None:
    """No announced tip is lost over a crash, and the durable tip is no lighter than the last of them."""
    queries = host.node.queries
    for block_hash in known:
        entry = queries.entry(block_hash)
        assert entry is not None
        assert host.store.body(block_hash) is not None
    if known:
        last = queries.entry(known[-1])
        assert last is not None
        assert queries.tip.work >= last.work


def run(seed: int) -> None:
    world, hosts, random = swarm(seed)
    world.start()
    for _ in range(MISCHIEF_ROUNDS):
        world.run_for(1 + random.below(20))
        mischief(world, hosts, random)
    world.heal()
    end_mining(world, hosts)
    for host in hosts:
        audit(host)


@pytest.mark.parametrize("seed", SEEDS)
def test_swarm(seed: int) -> None:
    run(seed)


@pytest.mark.long
@pytest.mark.parametrize("seed", LONG_SEEDS)
def test_swarm_long(seed: int) -> None:
    run(seed)
