"""Nodes that know one seed find each other, and stay together without it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import pytest

from pychain.consensus.rulebook import Rulebook
from pychain.node.requests import SetMining
from pychain.p2p.limits import MAX_OUTBOUND
from pychain.sim.host import Host
from pychain.sim.world import World
from tests.support.keys import dev_signer
from tests.support.networks import HASH_RATE, quick_spec

COUNT = 24
SEED_NAME = "seed.test"


def outbound(host: Host) -> int:
    return sum(not peer.inbound for peer in host.node.queries.peers())


def neighbours(host: Host) -> set[str]:
    """The hosts it is connected with, by their IP addresses."""
    return {peer.address.host for peer in host.node.queries.peers()}


def is_settled(host: Host, hosts: Sequence[Host]) -> bool:
    """All outbound slots are taken, or there is nobody left to dial: connected with all others, whoever dialled."""
    others = {other.address.host for other in hosts if other is not host}
    return outbound(host) == MAX_OUTBOUND or neighbours(host) == others


def is_connected(hosts: Sequence[Host]) -> bool:
    """There is a way from each to each."""
    by_ip = {host.address.host: host for host in hosts}
    reached: dict[str, None] = {}
    ahead = [hosts[0].address.host]
    while ahead:
        ip = ahead.pop()
        if ip not in reached:
            reached[ip] = None
            ahead.extend(neighbours(by_ip[ip]))
    return len(reached) == len(hosts)


def mine_one(world: World, miner: Host, hosts: Sequence[Host]) -> None:
    """One block by a host, until all have it."""
    height = miner.node.queries.tip.height
    miner.hash_rate = HASH_RATE
    miner.ask(SetMining(dev_signer(0).key))
    world.run_until(lambda: miner.node.queries.tip.height > height, 600)
    miner.ask(SetMining(None))
    world.run_until(lambda: all(host.node.queries.tip.height > height for host in hosts), 60)
    assert world.agree()


def crowd(seed: int) -> tuple[World, Host, list[Host]]:
    """A seed host that knows nobody, and others that know it."""
    world = World(Rulebook(quick_spec(retarget="fixed")), seed)
    first = world.add("n0", discover=True)
    return world, first, [world.add(f"n{i}", discover=True, seeds=["n0"]) for i in range(1, COUNT)]


@pytest.mark.parametrize("seed", range(3))
def test_all_find_eight_peers_and_keep_them_without_the_seed(seed: int) -> None:
    world, first, others = crowd(seed)
    world.start()
    world.run_until(lambda: all(outbound(host) == MAX_OUTBOUND for host in others), 60)
    assert is_connected([first, *others])
    first.crash()
    world.run_until(lambda: all(first.address.host not in neighbours(host) for host in others), 60)
    world.run_until(lambda: all(outbound(host) == MAX_OUTBOUND for host in others), 60)
    world.run_for(120)
    assert [outbound(host) for host in others] == [MAX_OUTBOUND] * len(others)
    assert is_connected(others)
    for miner in (others[0], others[len(others) // 2], others[-1]):
        mine_one(world, miner, others)


@pytest.mark.parametrize("pause_s", [1, 20])
def test_those_who_came_first_find_those_who_come_later(pause_s: int) -> None:
    """The first one's question to the seed is answered before anybody else is there: it has to be told."""
    world, first, others = crowd(seed=4)
    for host in (first, *others):
        host.start()
        world.run_for(pause_s)
    world.run_until(lambda: all(is_settled(host, [first, *others]) for host in others), 120)
    first.crash()
    world.run_for(120)
    assert all(is_settled(host, others) for host in others)
    assert is_connected(others)
    mine_one(world, others[-1], others)


def named(seed: int, count: int = 4) -> tuple[World, list[Host]]:
    """Hosts that find each other by the name in their chain spec. None of them runs yet."""
    spec = quick_spec(seeds=(f"{SEED_NAME}:30700", "unknown.test:30700"))
    world = World(Rulebook(spec), seed)
    world.name(SEED_NAME, ["n0"])
    return world, [world.add(f"n{i}", discover=True) for i in range(count)]


def test_the_seed_is_found_by_the_name_in_the_chain_spec() -> None:
    world, hosts = named(seed=1, count=COUNT)
    world.start()
    world.run_until(lambda: all(outbound(host) == MAX_OUTBOUND for host in hosts[1:]), 60)
    mine_one(world, hosts[-1], hosts)


def test_a_seed_may_be_an_ip_address() -> None:
    address = World(Rulebook(quick_spec()), 1).address_of("n0")
    world = World(Rulebook(quick_spec(seeds=(str(address),))), 1)
    hosts = [world.add(name, discover=True) for name in ("n0", "n1")]
    world.start()
    world.run_until(lambda: neighbours(hosts[1]) == {address.host}, 5)


def test_a_restarted_node_dials_those_it_knew_without_the_seed() -> None:
    world, first, others = crowd(seed=2)
    world.start()
    world.run_for(90)  # the table of addresses is saved each minute
    first.stop()
    world.run_until(lambda: not first.is_running, 60)
    for victim in (others[0], others[-1]):
        victim.crash()
        world.run_for(10)
        victim.start()
        assert victim.node.queries.known_addresses() > MAX_OUTBOUND
        world.run_until(partial(is_settled, victim, others), 120)
        assert first.address.host not in neighbours(victim)
    assert is_connected(others)
    mine_one(world, others[0], others)


def test_a_node_that_starts_before_the_name_has_an_answer_asks_again() -> None:
    world, hosts = named(seed=1)
    world.name(SEED_NAME, None)
    world.start()
    world.run_for(300)
    assert [neighbours(host) for host in hosts] == [set()] * len(hosts)
    world.name(SEED_NAME, ["n0"])
    world.run_until(lambda: all(is_settled(host, hosts) for host in hosts), 120)


def test_a_table_that_leads_nowhere_is_given_up_for_the_seeds() -> None:
    world, (first, other, *gone) = named(seed=1)
    world.start()
    world.run_until(lambda: all(len(neighbours(host)) == 3 for host in (first, other, *gone)), 60)
    world.run_for(60)
    for host in (first, other, *gone):
        host.crash()
    late = world.add("late", discover=True)
    world.name(SEED_NAME, ["late"])
    late.start()
    other.start()
    world.run_until(lambda: neighbours(other) == {late.address.host}, 120)
