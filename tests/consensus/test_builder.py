"""The chain builder's blocks under every retarget rule, judged by the reference chain."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pychain.consensus.retarget import RETARGET_RULES
from tests.specification.state import issued, total
from tests.support.builder import ChainBuilder
from tests.support.driver import ACCEPTED
from tests.support.keys import signer
from tests.support.network import Network
from tests.support.reference_chain import ReferenceChain

ALICE, BOB = signer("alice"), signer("bob")
PARAMS = {"bitcoin": {"window": 3}, "lwma": {"window": 3}}


def network_of(rule: str) -> Network:
    return Network(
        retarget=rule,
        retarget_params=PARAMS.get(rule, {}),
        half_life_s=60,
        max_future_s=60,
        genesis_bits=0x203FFFFF,
        allocations=((ALICE.key, 1000),),
    )


@settings(max_examples=15)
@given(st.sampled_from(list(RETARGET_RULES.built_in)), st.lists(st.integers(1, 40), min_size=1, max_size=14))
def test_any_pace_under_any_rule(rule: str, waits: list[int]) -> None:
    """The chain accepts bits that follow the blocks' times, and the supply is exact."""
    network = network_of(rule)
    builder = ChainBuilder(network)
    chain = ReferenceChain(network.toml(), network.genesis_time + 1000)
    time = network.genesis_time
    for sequence, wait in enumerate(waits):
        time += wait
        pay = ALICE.transfer(network.genesis_hash, sequence, BOB.key, 1, 2)
        block = builder.extend(transfers=[pay], time=time)
        assert chain.submit(block.raw) == ACCEPTED
        assert chain.tip() == builder.tip == block.hash
    assert total(chain.specification.network, chain.state()) == issued(chain.specification.network, len(waits))


@pytest.mark.parametrize("rule", RETARGET_RULES.built_in)
def test_branches(rule: str) -> None:
    """A builder remembers each branch: what is built on an old block follows from that block's own headers."""
    builder = ChainBuilder(network_of(rule))
    trunk = builder.chain(4)
    branch = builder.chain(5, on=trunk[1].hash)
    chain = ReferenceChain(builder.network.toml(), builder.network.genesis_time + 1000)
    for block in (*trunk, *branch):
        assert chain.submit(block.raw) == ACCEPTED
    assert chain.tip() == branch[-1].hash
    assert branch[0].header.prev_hash == trunk[1].hash
