"""Long chains in a simulation of real nodes: thousands of blocks, several header messages, over links with latency."""

from __future__ import annotations

from functools import cache

import pytest

from pychain.consensus.rulebook import Rulebook
from pychain.node.events import NewTip
from pychain.sim.host import Host
from pychain.sim.world import World
from tests.support.builder import spec_of
from tests.support.forge import Forged, genesis
from tests.support.network import Network
from tests.support.networks import audit
from tests.support.puppet import Stage, grow

NETWORK = Network()
LENGTH = 3_000


@cache
def long_chain() -> tuple[list[Forged], Stage]:
    """Three thousand blocks, and a node that has them."""
    blocks = grow(NETWORK, genesis(NETWORK), LENGTH)
    stage = Stage(NETWORK)
    stage.chain_puppet(blocks).leave()
    assert stage.node.queries.tip.height == LENGTH
    return blocks, stage


def world_with(seed: int, holders: int) -> tuple[World, list[Host], Host]:
    """Hosts that have the chain, and one that joins and knows their addresses."""
    rulebook = Rulebook(spec_of(NETWORK))
    world = World(rulebook, seed, start_wall_s=NETWORK.genesis_time + 1_000_000)
    names = [f"old {number}" for number in range(holders)]
    old = [world.add(name) for name in names]
    for host in old:
        host.disk.store = long_chain()[1].store.copy()
    return world, old, world.add("new", names)


def is_at(host: Host, block: Forged) -> bool:
    return host.is_running and host.node.queries.tip.hash == block.hash


def test_a_new_node_joins_a_chain_of_three_thousand_blocks() -> None:
    blocks, _ = long_chain()
    world, _, new = world_with(1, 3)
    world.start()
    world.run_until(lambda: is_at(new, blocks[-1]), 60)
    audit(new)
    sources = {event.connected[-1] for event in new.events if isinstance(event, NewTip)}
    assert len(sources) > 5, "the chain was committed in several batches"
    world.run_for(30)
    assert all(peer.hello is not None for peer in new.node.queries.peers())
    assert len(list(new.node.queries.peers())) == 3


@pytest.mark.parametrize("seed", range(3))
def test_it_crashes_and_is_cut_off_on_the_way(seed: int) -> None:
    """A crash of the joining node, then a partition from most of its sources, then a crash of one of these."""
    blocks, _ = long_chain()
    world, old, new = world_with(seed, 3)
    world.start()
    world.run_until(lambda: new.node.queries.tip.height > 300, 60)
    known = new.node.queries.tip.height
    new.crash()
    new.start()
    assert new.node.queries.tip.height >= known
    world.run_until(lambda: new.node.queries.tip.height > 900, 60)
    world.cut([new], old[:2])
    world.run_for(1)
    old[2].crash()
    world.run_for(5)
    assert not is_at(new, blocks[-1])
    world.heal()
    world.run_until(lambda: is_at(new, blocks[-1]), 300)
    audit(new)
