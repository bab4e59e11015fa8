"""A node that joins late catches up over several header messages, though it stores none before their work is shown."""

from __future__ import annotations

from pychain.consensus.rulebook import Rulebook
from pychain.node.requests import SetMining
from pychain.p2p.limits import MAX_HEADERS
from pychain.sim.world import World
from tests.support.index import known
from tests.support.keys import dev_signer
from tests.support.networks import quick_spec


def test_a_late_node_catches_up_from_two_peers() -> None:
    world = World(Rulebook(quick_spec(retarget="fixed", genesis_bits=0x207FFFFF)), seed=5)
    miner = world.add("miner", mine_to=dev_signer(0).key, hash_rate=8)
    mirror = world.add("mirror", ["miner"])
    world.start()
    world.run_until(lambda: miner.node.queries.tip.height >= MAX_HEADERS + 400, 100_000)
    miner.ask(SetMining(None))
    world.run_until(world.agree, 60)
    late = world.add("late", ["miner", "mirror"])
    world.start()
    world.run_for(0.2)
    assert len(known(late.store)) == 1, "headers were stored before their work was shown"
    world.run_until(world.agree, 120)
    assert late.node.queries.tip is not None
    served = [peer.received.bytes for peer in late.node.queries.peers()]
    assert len(served) == 2
    assert min(served) > max(served) // 10, "the blocks came from one peer alone"
    assert mirror.is_running
