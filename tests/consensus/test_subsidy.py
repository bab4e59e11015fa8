"""Subsidies against brute force, and the supply that follows."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pychain.base.errors import ConfigError
from pychain.chain.spec import PACKAGED_NETWORKS, packaged_spec
from pychain.consensus.rulebook import Rulebook
from pychain.consensus.subsidy import issued, subsidy, total_supply
from tests.support.builder import spec_of
from tests.support.network import Network

KEY = b"\x01" * 32


def plain_subsidy(initial: int, interval: int, height: int) -> int:
    """Halved, rounded down, once for each whole interval below."""
    amount = initial
    for _ in range(height // interval):
        amount //= 2
    return amount


@given(st.integers(0, 2**62), st.integers(1, 9), st.integers(0, 700), st.integers(0, 5))
def test_against_brute_force(initial: int, interval: int, height: int, allocated: int) -> None:
    spec = spec_of(Network(initial_subsidy=initial, halving_interval=interval, allocations=((KEY, allocated),)))
    amounts = [plain_subsidy(initial, interval, block) for block in range(1, height + 1)]
    assert [subsidy(spec, block) for block in range(1, height + 1)] == amounts
    assert issued(spec, height) == allocated + sum(amounts)


@given(st.integers(0, 2**62), st.integers(1, 9))
def test_total_is_what_the_last_block_leaves(initial: int, interval: int) -> None:
    spec = spec_of(Network(initial_subsidy=initial, halving_interval=interval))
    end = 70 * interval
    assert total_supply(spec) == issued(spec, end) == sum(plain_subsidy(initial, interval, h) for h in range(1, end))


def test_no_interval_means_no_subsidy() -> None:
    spec = spec_of(Network(initial_subsidy=0, halving_interval=0, allocations=((KEY, 7),)))
    assert [subsidy(spec, height) for height in (1, 2, 10**9)] == [0, 0, 0]
    assert issued(spec, 10**9) == total_supply(spec) == 7


@pytest.mark.parametrize("name", PACKAGED_NETWORKS)
def test_packaged_supply(name: str) -> None:
    """21 million coins, less the block at height 0, which has no subsidy, and less what halving rounds away."""
    spec = packaged_spec(name)
    eras = [5_000_000_000 // 2**era for era in range(64)]
    assert total_supply(spec) - issued(spec, 0) == 2_100_000 * sum(eras) - 5_000_000_000
    assert Rulebook(spec).spec is spec


def test_supply_at_its_bound() -> None:
    """2^63 - 1 in all is allowed, one unit more is not: by allocations alone, and together with subsidies."""
    full = Network(initial_subsidy=0, halving_interval=0, allocations=((KEY, 2**63 - 1),))
    assert total_supply(Rulebook(spec_of(full)).spec) == 2**63 - 1
    mixed = Network(initial_subsidy=8, halving_interval=1, allocations=((KEY, 2**63 - 1 - 7),))
    assert total_supply(Rulebook(spec_of(mixed)).spec) == 2**63 - 1
    over = replace(full, allocations=((KEY, 2**63 - 1), (b"\x02" * 32, 1)))
    for network in (over, replace(mixed, initial_subsidy=16)):
        with pytest.raises(ConfigError, match=r"allocations and subsidies add up to over 2\^63 - 1"):
            Rulebook(spec_of(network))
