"""The checkers see what is wrong: books that do not add up, nodes that differ, nodes that are gone."""

from __future__ import annotations

from pychain.consensus.state import Account
from pychain.sim.checkers import alive, books, check, convergence, supply
from pychain.sim.host import Host
from pychain.sim.world import World
from tests.support.keys import dev_signer
from tests.support.networks import Payer, end_mining, line_world


def at_rest() -> tuple[World, list[Host]]:
    world, hosts = line_world(1, 2)
    Payer(world, hosts[0], 3).pay_every(2.0, 20)
    world.start()
    world.run_for(20)
    end_mining(world, hosts)
    return world, hosts


def test_nothing_is_wrong_with_a_network_at_rest() -> None:
    _, hosts = at_rest()
    assert check(hosts) == []


def test_a_changed_balance_is_found() -> None:
    _, (host, _) = at_rest()
    key = dev_signer(3).key
    account = host.store.account(key)
    host.store._shown.accounts[key] = Account(account.balance + 1, account.sequence)
    (line,) = supply([host])
    assert line.startswith(f"n0: account {key.hex()} is ")


def test_a_missing_block_is_found() -> None:
    _, (host, _) = at_rest()
    entry = host.node.queries.at(2)
    assert entry is not None
    del host.store._bodies[entry.hash]
    assert list(books(host.node.queries, host.store)) == ["block 2 of the chain is missing"]


def test_nodes_that_differ_are_told_apart() -> None:
    world, hosts = line_world(1, 3)
    world.start()
    world.cut(hosts[:1], hosts[1:])
    world.run_for(60)
    (line,) = convergence(hosts)
    assert "on n0" in line


def test_a_node_that_is_gone_is_missed() -> None:
    _, hosts = at_rest()
    hosts[1].crash()
    assert alive(hosts) == ["n1 does not run: stopped"]
    assert check(hosts) == ["n1 does not run: stopped"]
