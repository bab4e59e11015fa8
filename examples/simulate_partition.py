"""Cut a network in two, let both parts mine, heal it, and watch all nodes come to one chain again.

Four real nodes run in one process and in virtual time: the minutes below take a moment. Everything follows from the
seed, so each run prints the same.

    together: 4 nodes, one tip at height ...
    apart: left at height ..., right at height ..., ... blocks of their own
    healed: 4 nodes, one tip at height ...
    trace ...
"""

from __future__ import annotations

from pychain.chain.spec import packaged_spec
from pychain.consensus.rulebook import Rulebook
from pychain.node.requests import SetMining
from pychain.sim.host import Host
from pychain.sim.world import World
from pychain.wallet.keys import dev_key

NAMES = ("a", "b", "c", "d")
HASH_RATE = 0.05
"""Hashes a second of each: on `dev` two hashes find a block, so each node finds one in 40 s of virtual time."""


def tip(host: Host) -> int:
    return host.node.queries.tip.height


def main() -> None:
    world = World(Rulebook(packaged_spec("dev")), seed=7)
    hosts = []
    for index, name in enumerate(NAMES):
        ring_neighbour = NAMES[index - 1]
        key = dev_key(index).public_key
        hosts.append(world.add(name, connect=[ring_neighbour], mine_to=key, hash_rate=HASH_RATE))
    left, right = hosts[:2], hosts[2:]

    world.start()
    world.run_for(120)
    world.run_until(world.agree, limit_s=60)
    fork = hosts[0].node.queries.tip
    print(f"together: {len(hosts)} nodes, one tip at height {fork.height}")

    world.cut(left, right)
    world.run_for(300)
    ours, theirs = tip(left[0]), tip(right[0])
    own = ours + theirs - 2 * fork.height
    print(f"apart: left at height {ours}, right at height {theirs}, {own} blocks of their own")

    for host in hosts:
        host.ask(SetMining(None))
    world.heal()
    world.run_until(world.agree, limit_s=60)
    print(f"healed: {len(hosts)} nodes, one tip at height {tip(hosts[0])}")
    print(f"trace {world.trace.hexdigest()}")


if __name__ == "__main__":
    main()
