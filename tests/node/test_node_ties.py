"""The first seen of equal chains wins, also after a block was invalidated or reconsidered (as in Bitcoin Core)."""

from __future__ import annotations

import pytest

from tests.support.driver import DriverFactory
from tests.support.forge import forge, genesis
from tests.support.network import Network
from tests.support.node_driver import NodeDriver
from tests.support.reference_chain import ReferenceChain

NETWORK = Network()
CLOCK = NETWORK.genesis_time + 1_000_000
DRIVERS: dict[str, DriverFactory] = {"reference": ReferenceChain, "node": NodeDriver}


@pytest.mark.parametrize("driver", DRIVERS)
def test_after_invalidate_the_first_seen_of_equals_returns(driver: str) -> None:
    chain = DRIVERS[driver](NETWORK.toml(), CLOCK)
    root = genesis(NETWORK)
    a1, b1 = forge(NETWORK, "a1", root), forge(NETWORK, "b1", root)
    b2 = forge(NETWORK, "b2", b1)
    for block in (a1, b1, b2):
        chain.submit(block.raw)
    assert chain.tip() == b2.hash
    chain.invalidate(b2.hash)
    assert chain.tip() == a1.hash


@pytest.mark.parametrize("driver", DRIVERS)
def test_after_reconsider_the_first_seen_of_equals_returns(driver: str) -> None:
    chain = DRIVERS[driver](NETWORK.toml(), CLOCK)
    root = genesis(NETWORK)
    a1, c1 = forge(NETWORK, "a1", root), forge(NETWORK, "c1", root)
    a2, c2 = forge(NETWORK, "a2", a1), forge(NETWORK, "c2", c1)
    chain.submit(a1.raw)
    chain.submit(a2.raw)
    chain.invalidate(a1.hash)
    chain.submit(c1.raw)
    chain.submit(c2.raw)
    assert chain.tip() == c2.hash
    chain.reconsider(a1.hash)
    assert chain.tip() == a2.hash
