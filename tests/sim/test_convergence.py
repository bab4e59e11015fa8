"""Networks in a world: they fork, are parted, lose machines, and agree again with their books in order."""

from __future__ import annotations

from functools import partial

import pytest

from pychain.node.events import NewTip
from pychain.node.node import Node
from pychain.node.requests import SetMining
from pychain.sim.host import Host
from pychain.sim.world import World
from tests.support.keys import dev_signer
from tests.support.networks import HASH_RATE, Payer, audit, end_mining, line_world, quick_spec


def reorganisations(hosts: list[Host]) -> int:
    return sum(isinstance(event, NewTip) and bool(event.disconnected) for host in hosts for event in host.events)


def mine(world: World, group: list[Host], count: int) -> None:
    """So many blocks by the first of a group, each known to the whole group before the next."""
    miner = group[0].node
    for _ in range(count):
        height = miner.queries.tip.height
        group[0].hash_rate = HASH_RATE
        group[0].ask(SetMining(dev_signer(9).key))
        world.run_until(partial(is_higher, miner, height), 600)
        group[0].hash_rate = 0
        group[0].ask(SetMining(None))
        world.run_until(lambda: all(host.node.queries.tip.hash == miner.queries.tip.hash for host in group), 60)


def is_higher(node: Node, height: int) -> bool:
    return node.queries.tip.height > height


@pytest.mark.parametrize("seed", range(3))
def test_five_in_a_line_agree_after_a_cut(seed: int) -> None:
    """Five nodes in a line mine and pay for two minutes, one link is cut for half a minute on the way: by
    then both sides have found blocks, whatever the seed."""
    world, hosts = line_world(seed, 5)
    payers = [Payer(world, host, index) for index, host in enumerate(hosts)]
    for payer in payers:
        payer.pay_every(2.0, 110)
    world.start()
    world.run_for(50)
    world.cut(hosts[:2], hosts[2:])
    world.run_for(30)
    world.heal()
    world.run_for(40)
    end_mining(world, hosts)
    assert hosts[0].node.queries.tip.height >= 30
    assert reorganisations(hosts) >= 1
    for host in hosts:
        audit(host)


def test_two_halves_of_six_agree_on_more_work() -> None:
    """Sixty blocks on one side, sixty-one on the other: the heavier branch wins, and transfers that only the loser had
    mined are pending again."""
    world, hosts = line_world(11, 6, quick_spec(retarget="fixed"))
    for host in hosts:
        host.hash_rate = 0
    world.start()
    world.run_until(lambda: all(len(list(h.node.queries.peers())) >= 1 for h in hosts), 30)
    left, right = hosts[:3], hosts[3:]
    world.cut(left, right)
    mine(world, left, 59)
    only_left = Payer(world, left[0], 7)
    only_left.pay(5)
    world.run_until(lambda: len(left[1].node.queries.mempool) == 5, 30)
    pending = [p.transfer.txid for p in left[0].node.queries.mempool.entries()]
    # the transfers are mined in the last of the sixty blocks
    mine(world, left, 1)
    assert len(left[0].node.queries.mempool) == 0
    mine(world, right, 61)
    assert left[0].node.queries.tip.height == 60
    assert right[0].node.queries.tip.height == 61
    world.heal()
    world.run_until(world.agree, 120)
    for host in hosts:
        assert host.node.queries.tip.hash == right[0].node.queries.tip.hash
        audit(host)
    for host in left:
        assert all(txid in host.node.queries.mempool for txid in pending)
    world.run_until(lambda: all(txid in right[2].node.queries.mempool for txid in pending), 60)
    mine(world, hosts, 1)
    world.run_until(world.agree, 30)
    assert all(hosts[5].node.queries.transaction(txid) is not None for txid in pending)
